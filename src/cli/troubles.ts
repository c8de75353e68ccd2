/** What a person who is woken by it needs to see first. */

import type { RefusalAnswer, StatusAnswer } from '../http/status-answer.ts';
import { describeOverride } from './describe-override.ts';
import { formatFuture, formatMoment, formatPast } from './moments.ts';
import type { Tone } from './page.ts';

interface Trouble {
  readonly tone: Extract<Tone, 'bad' | 'warn'>;
  readonly text: string;
}

type FailingAction = StatusAnswer['failingActions'][number];
type Tier = StatusAnswer['clusters'][number]['tiers'][number];
type ScaledTier = Extract<Tier, { readonly scaling: 'automatic' }>;

/** A tick each second; after so many without one, something is stuck. */
const STUCK_AFTER_MS = 15_000;

/** The worst first. */
export function findTroubles(status: StatusAnswer): readonly Trouble[] {
  const nowMs = Date.parse(status.at);
  const tiers = status.clusters.flatMap((cluster) => cluster.tiers);
  const troubles = [
    ...findServiceTroubles(status, nowMs),
    ...tiers.flatMap((tier) =>
      tier.scaling === 'automatic' ? findTierTroubles(tier, nowMs) : findFixedTroubles(tier),
    ),
    ...status.hosts.flatMap(({ overrides }) =>
      overrides.map((override) => warn(describeOverride(override, nowMs))),
    ),
    ...status.balancers.flatMap(({ name, answers, inSync, overrides }) => [
      ...(answers && !inSync
        ? [warn(`${name} has servers otherwise than the other balancers, which is being repaired`)]
        : []),
      ...overrides.map((override) => warn(describeOverride(override, nowMs))),
    ]),
  ];
  return [
    ...troubles.filter(({ tone }) => tone === 'bad'),
    ...troubles.filter(({ tone }) => tone === 'warn'),
  ];
}

function findServiceTroubles(status: StatusAnswer, nowMs: number): readonly Trouble[] {
  const { lastTickAt, leader, config, journal, silentSources, failingActions } = status;
  const troubles: Trouble[] = [];
  if (lastTickAt === null) {
    troubles.push(bad('the loop has not turned yet'));
  } else if (nowMs - Date.parse(lastTickAt) > STUCK_AFTER_MS) {
    troubles.push(
      bad(`the loop does not turn: its last tick was at ${formatPast(lastTickAt, nowMs)}`),
    );
  }
  if (config.refusal !== null) {
    const at = formatMoment(config.refusal.at, nowMs);
    troubles.push(
      bad(`config refused at ${at}, the last good one stays:`),
      ...listProblems(config.refusal).map((problem) => bad(problem)),
    );
  }
  if (!leader.isLeader) {
    const { holder } = leader;
    const who =
      holder === null
        ? 'it is not known who does'
        : `${holder.name} has the ${leader.driver === 'file' ? 'lock' : 'lease'}${holder.since === null ? '' : ` since ${formatMoment(holder.since, nowMs)}`}`;
    troubles.push(warn(`this Rackfire does not lead and only observes; ${who}`));
  }
  if (leader.trouble !== null) {
    troubles.push(bad(`leadership: ${leader.trouble}`));
  }
  if (journal !== null && journal.state !== 'writing') {
    troubles.push(
      bad(
        `journal ${journal.state} since ${formatMoment(journal.since, nowMs)}, scaling goes on: ${journal.why ?? 'not said why'}`,
      ),
    );
  }
  for (const { name, why } of silentSources) {
    troubles.push(bad(`${name} does not answer: ${why}`));
  }
  for (const failing of failingActions) {
    troubles.push(bad(describeFailing(failing, nowMs)));
  }
  return troubles;
}

/** `news/web: admit of news-web-4 has failed 12 times since 14:07:10: …` */
function describeFailing(
  { tier, node, action, balancer, failures, since, why }: FailingAction,
  nowMs: number,
): string {
  const where = balancer === null ? '' : ` on ${balancer}`;
  const what = `${action} of ${node}${where} has failed ${failures} times`;
  const reason = why.replaceAll(/\s*\n\s*/g, ' ');
  return `${tier}: ${what} since ${formatMoment(since, nowMs)}: ${reason}; mend what this names (rackfire check --online may tell more), it is tried again within 30 s`;
}

/** What is wrong with a config file, one line each. */
export function listProblems({
  message,
  problems,
}: Pick<RefusalAnswer, 'message' | 'problems'>): readonly string[] {
  return problems.length === 0
    ? [message]
    : problems.map(({ file, line, column, path, message: what }) =>
        [`${file}:${line}:${column}`, ...(path === '' ? [] : [`${path}:`]), what].join(' '),
      );
}

function findTierTroubles(tier: ScaledTier, nowMs: number): readonly Trouble[] {
  const { tier: name, shortfall } = tier;
  const troubles: Trouble[] = [];
  for (const finding of tier.findings) {
    troubles.push(bad(`${name}: nothing is done, the plan contradicts itself: ${finding}`));
  }
  if (shortfall !== null) {
    troubles.push(describeShortfall(name, shortfall));
  }
  if (tier.healingFrozen) {
    troubles.push(bad(`${name}: so many nodes fail their checks at once that none is replaced`));
  }
  if (tier.circuit !== null && tier.circuit !== 'closed') {
    troubles.push(
      bad(
        `${name}: too many boots have failed, ${describeBreaker(tier, nowMs)}; see in rackfire events why, and mend the cause`,
      ),
    );
  }
  for (const phase of ['conflict', 'failed', 'unknown'] as const) {
    const names = tier.nodes.filter((node) => node.phase === phase).map((node) => node.name);
    if (names.length > 0) {
      troubles.push((phase === 'conflict' ? bad : warn)(`${name}: ${phase}: ${names.join(', ')}`));
    }
  }
  const sick = tier.nodes.filter((node) => node.sickSince !== null).map((node) => node.name);
  if (sick.length > 0) {
    troubles.push(warn(`${name}: in rotation with a failing check: ${sick.join(', ')}`));
  }
  for (const override of tier.overrides) {
    troubles.push(warn(describeOverride(override, nowMs)));
  }
  if (tier.removed) {
    troubles.push(
      warn(`${name} is not in the config any more: it is seen, and nothing is done to it`),
    );
  }
  return troubles;
}

/** A host that boots as many as it may takes more by itself; whatever else lacks needs somebody. */
function describeShortfall(
  name: string,
  { nodes, why, refusals }: NonNullable<ScaledTier['shortfall']>,
): Trouble {
  const where = refusals.length === 0 ? '' : ` (${refusals.map(describeRefusal).join('; ')})`;
  return why === 'concurrent-boots'
    ? warn(
        `${name}: ${nodes} more needed, and booted when the boots before them have ended${where}`,
      )
    : bad(`${name}: ${nodes} more needed and not to be had, ${why}${where}`);
}

/** What an open or half-open breaker does: `one is tried at 14:07:10 (in 4 min), none before`. */
export function describeBreaker(
  { circuitOpenUntil }: Pick<ScaledTier, 'circuitOpenUntil'>,
  nowMs: number,
): string {
  return circuitOpenUntil === null
    ? 'one is tried now, and no other before it serves'
    : `one is tried at ${formatFuture(circuitOpenUntil, nowMs)}, none before`;
}

/** `xen-a: memory, 312 left`; `xen-a: host-failure, nothing would cover the loss of xen-b` */
export function describeRefusal({
  host,
  why,
  free,
  uncovered,
}: {
  readonly host: string;
  readonly why: string;
  readonly free?: number | null | undefined;
  readonly uncovered?: string | undefined;
}): string {
  const amount =
    free === null || free === undefined || why === 'concurrent-boots' ? '' : `, ${free} left`;
  const loss = uncovered === undefined ? '' : `, nothing would cover the loss of ${uncovered}`;
  return `${host}: ${why}${amount}${loss}`;
}

function findFixedTroubles({
  tier,
  nodes,
}: Extract<Tier, { readonly scaling: 'none' }>): readonly Trouble[] {
  return nodes
    .filter(({ phase }) => phase !== 'in-service')
    .map(({ name, phase }) => bad(`${tier}: ${name} is ${phase}, and not ours to boot`));
}

function bad(text: string): Trouble {
  return { tone: 'bad', text };
}

function warn(text: string): Trouble {
  return { tone: 'warn', text };
}
