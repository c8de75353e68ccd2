/** A tier under load: real nodes, a real HAProxy, a daemon beside it, and Rackfire's balancer in front of that. */

import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { parseServerStates } from '../../src/balancer/haproxy/server-states.ts';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { createSystemClock } from '../../src/control/clock.ts';
import { PreconditionError, UnreachableError } from '../../src/control/errors.ts';
import type { ServerChange, ServerReport } from '../../src/control/ports.ts';
import { type LoadRun, startLoad } from '../../src/embedded/load-generator.ts';
import type { GenerationName } from '../balancer/dataplane/daemon-rig.ts';
import { type DaemonSite, startDaemonSite } from '../balancer/dataplane/daemon-site.ts';
import { HaproxyFile } from '../balancer/dataplane/stand-in/haproxy-file.ts';
import { change, hasPassed, never } from '../balancer/runtime/lab.ts';
import { until, WebNode } from '../balancer/site.ts';

const RATE_RPS = 30;
/** No node gets full, however slow this machine is at the moment: what fails then has another cause. */
const MAX_CONNECTIONS = 100;
const SERVICE_MS = 10;
/** The first one serves from the start. */
const NODES = 6;
const tickMs = 100;
const convergedWithinMs = 40_000;

export class LoadedSite implements AsyncDisposable {
  readonly site: DaemonSite;
  readonly #nodes: readonly WebNode[];
  readonly #endOfLoad = new AbortController();
  #load: LoadRun | undefined;

  private constructor(site: DaemonSite, nodes: readonly WebNode[]) {
    this.site = site;
    this.#nodes = nodes;
  }

  /** Resolves when the first users have been answered. */
  static async start(generation: GenerationName): Promise<LoadedSite> {
    const site = await startDaemonSite(generation, { maxConnections: MAX_CONNECTIONS });
    const nodes = await Promise.all(
      Array.from({ length: NODES }, async (_, index) => {
        const node = await WebNode.start(`127.0.0.${index + 2}`, site.ports.nodePort);
        node.serviceMs = SERVICE_MS;
        return node;
      }),
    );
    const loaded = new LoadedSite(site, nodes);
    // HAProxy was there before its first node was.
    await loaded.#tickUntil(async () => (await loaded.#see([1])).every(hasPassed));
    await loaded.#startLoad();
    return loaded;
  }

  /**
   * Brings nodes into rotation (`ready`) or out of it (`maint`), tick by tick as Rackfire does: what is seen says what
   * is next, so it does not matter what others do meanwhile.
   */
  async bring(numbers: readonly number[], to: 'ready' | 'maint'): Promise<void> {
    await this.#tickUntil(async () => {
      const servers = await this.#see(numbers);
      const changes = servers.flatMap((server) => nextChange(server, to));
      await this.site.balancer.setServers(changes, never);
      return servers.every(({ admin }) => admin === to);
    });
  }

  /** What HAProxy says and what is in its file, of the servers of both. */
  async readBothSides(): Promise<{ readonly running: object; readonly declared: object }> {
    const { socketPath, configPath } = this.site.rig;
    const states = parseServerStates(await ask(socketPath, ['show servers state'], never));
    const servers = HaproxyFile.parse(await readFile(configPath, 'utf8')).servers('news-web');
    return {
      running: Object.fromEntries(
        [...(states.get('news-web') ?? [])].map(([name, { admin, address, port }]) => [
          name,
          { admin, address, port },
        ]),
      ),
      declared: Object.fromEntries(
        servers.map(({ name, maintenance, address, port }) => [
          String(name),
          { admin: maintenance === 'enabled' ? 'maint' : 'ready', address, port },
        ]),
      ),
    };
  }

  /** Every request of a user that has an outcome so far was answered well. */
  expectNobodyHurt(): void {
    expect(Object.fromEntries(this.#load?.failures ?? [])).toEqual({});
    expect(this.#load?.ok).toBeGreaterThan(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endOfLoad.abort();
    await this.#load?.done;
    await this.site[Symbol.asyncDispose]();
    await this.site.rig[Symbol.asyncDispose]();
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()));
  }

  async #startLoad(): Promise<void> {
    const load = startLoad({
      url: `http://127.0.0.1:${this.site.ports.frontPort}/`,
      rateAt: () => RATE_RPS,
      durationMs: 600_000,
      seed: 1,
      signal: this.#endOfLoad.signal,
    });
    this.#load = load;
    await until(
      () => load.ok,
      (answers) => answers > 0,
    );
  }

  /** @throws UnreachableError as the balancer does, or when one of them is not there. */
  async #see(numbers: readonly number[]): Promise<readonly ServerReport[]> {
    const { backends } = await this.site.balancer.inspect(never);
    const servers = backends.get('news-web')?.servers ?? [];
    const seen = servers.filter(({ name }) => numbers.some((one) => name === `news-web-${one}`));
    if (seen.length < numbers.length) {
      throw new UnreachableError('not all servers are there');
    }
    return seen;
  }

  /** A tick that finds the balancer busy or reloaded is followed by another one. */
  async #tickUntil(tick: () => Promise<boolean>): Promise<void> {
    const clock = createSystemClock();
    const untilMs = clock.steadyMs() + convergedWithinMs;
    for (;;) {
      const answer = await tick().catch((error: unknown) => {
        if (error instanceof UnreachableError || error instanceof PreconditionError) {
          return error;
        }
        throw error;
      });
      if (answer === true) {
        return;
      }
      if (clock.steadyMs() > untilMs) {
        throw new Error(`not within ${convergedWithinMs} ms; last: ${String(answer)}`);
      }
      await clock.sleep(tickMs, never);
    }
  }
}

/** MAINT → DRAIN, where it is checked → ready; and back by DRAIN, until it is quiet. */
function nextChange(
  { name, admin, check }: ServerReport,
  to: 'ready' | 'maint',
): readonly ServerChange[] {
  const number = Number(name.slice(name.lastIndexOf('-') + 1));
  if (admin === to) {
    return [];
  }
  if (admin !== 'drain') {
    return [change(number, 'drain')];
  }
  if (to === 'maint') {
    return [change(number, 'maint', 'quiet')];
  }
  return check === 'passed' ? [change(number, 'ready', 'check-passed')] : [];
}
