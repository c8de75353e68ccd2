/** Questions to a daemon with the answers that are expected, and how they are played. */

import type { Daemon } from '../balancer/dataplane/daemon-rig.ts';
import { until } from '../balancer/site.ts';
import { type Answer, ask, authorizationOf } from './api.ts';
import { compareShape, type Shape } from './shape.ts';

export interface Exchange {
  /** What is asked, for whoever reads that it failed. */
  readonly what: string;
  readonly method: string;
  /** With the generation. Ids of earlier answers stand in it by the name that these gave them. */
  readonly path: string;
  readonly body?: unknown;
  /** By default the daemon's own user asks. */
  readonly asWhom?: 'nobody' | 'somebody with a wrong password';
  readonly status: number;
  /** Of those that count; an absent one must be absent. */
  readonly headers: Readonly<Record<string, string | RegExp | undefined>>;
  /** `undefined` when there is none. */
  readonly answer: Shape | undefined;
  /** The name by which later paths call the answer's `id`. */
  readonly namesId?: string;
  /** The name by which later paths call the answer's reload. */
  readonly namesReload?: string;
  /** Neighbors with the same group are asked at once, and answered in any order. */
  readonly group?: string;
  /** Asked again until it is so, because HAProxy takes its time. */
  readonly isAwaited?: boolean;
}

/**
 * Plays exchanges in their order, each after the answer of the one before.
 *
 * @returns What differs in the first one that is not as expected: those behind it build on it.
 */
export async function playExchanges(
  daemon: Daemon,
  exchanges: readonly Exchange[],
): Promise<readonly string[]> {
  const ids = new Map<string, string>();
  for (const together of groupNeighbors(exchanges)) {
    const [exchange] = together;
    const differences =
      exchange === undefined || together.length > 1
        ? await playTogether(daemon, together)
        : await playOne(daemon, exchange, ids);
    if (differences.length > 0) {
      return differences;
    }
  }
  return [];
}

async function playOne(
  daemon: Daemon,
  exchange: Exchange,
  ids: Map<string, string>,
): Promise<readonly string[]> {
  if (exchange.namesReload !== undefined) {
    await reloadsAreDone(daemon);
  }
  const send = async (): Promise<Answer> => await put(daemon, exchange, ids);
  const answer = exchange.isAwaited
    ? await until(send, (one) => compareAnswer(exchange, one).length === 0).catch(send)
    : await send();
  if (exchange.namesId !== undefined) {
    ids.set(exchange.namesId, idOf(answer.body));
  }
  if (exchange.namesReload !== undefined) {
    ids.set(exchange.namesReload, answer.headers.get('Reload-ID') ?? '');
  }
  return compareAnswer(exchange, answer);
}

/** What is wanted while a reload waits, is part of that one. */
async function reloadsAreDone(daemon: Daemon): Promise<void> {
  const path = `/${daemon.generation}/services/haproxy/reloads`;
  await until(
    async () => (await ask(daemon, { method: 'GET', path })).body,
    (reloads) => !JSON.stringify(reloads).includes('in_progress'),
  );
}

/** Which of them got which answer, nobody can say beforehand. */
async function playTogether(
  daemon: Daemon,
  exchanges: readonly Exchange[],
): Promise<readonly string[]> {
  const answers = await Promise.all(
    exchanges.map((exchange) => put(daemon, exchange, new Map<string, string>())),
  );
  for (const exchange of exchanges) {
    const fitting = answers.findIndex((answer) => compareAnswer(exchange, answer).length === 0);
    if (fitting === -1) {
      const others = JSON.stringify(answers.map(({ status, body }) => ({ status, body })));
      return [`${exchange.what}: no answer with ${exchange.status} as expected among ${others}`];
    }
    answers.splice(fitting, 1);
  }
  return [];
}

async function put(
  daemon: Daemon,
  exchange: Exchange,
  ids: ReadonlyMap<string, string>,
): Promise<Answer> {
  let { path } = exchange;
  for (const [name, id] of ids) {
    path = path.replaceAll(name, id);
  }
  const { method, body, asWhom } = exchange;
  const question = { method, path, body };
  if (asWhom === undefined) {
    return await ask(daemon, question);
  }
  const authorization =
    asWhom === 'nobody' ? undefined : authorizationOf(daemon.username, 'wrong-password');
  return await ask(daemon, { ...question, authorization });
}

function compareAnswer(exchange: Exchange, answer: Answer): readonly string[] {
  const { status, headers, body } = answer;
  const where = `${exchange.what}: ${exchange.method} ${exchange.path}`;
  const differences: string[] = [];
  if (status !== exchange.status) {
    differences.push(`${where}: expected ${exchange.status}, not ${status}`);
  }
  for (const [name, expected] of Object.entries(exchange.headers)) {
    const value = headers.get(name) ?? undefined;
    const fits = expected instanceof RegExp ? expected.test(value ?? '') : expected === value;
    if (!fits) {
      differences.push(`${where}: ${name}: expected ${String(expected)}, not ${value}`);
    }
  }
  if (exchange.answer === undefined) {
    return body === ''
      ? differences
      : [...differences, `${where}: expected no body, not ${JSON.stringify(body)}`];
  }
  return [...differences, ...compareShape(exchange.answer, body, `${where}: body`)];
}

function groupNeighbors(exchanges: readonly Exchange[]): readonly (readonly Exchange[])[] {
  const groups: Exchange[][] = [];
  for (const exchange of exchanges) {
    const latest = groups.at(-1);
    if (exchange.group !== undefined && latest?.[0]?.group === exchange.group) {
      latest.push(exchange);
    } else {
      groups.push([exchange]);
    }
  }
  return groups;
}

function idOf(body: unknown): string {
  return typeof body === 'object' && body !== null && 'id' in body ? String(body.id) : '';
}
