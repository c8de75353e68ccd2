import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { type Decision, decide, EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes, type Node } from '../../src/scaler/node-phase.ts';
import type {
  ActionKind,
  DomainSighting,
  HostSighting,
  NodeSighting,
  Observation,
  QueueReading,
  Sample,
  ServerSighting,
  Signals,
  SlotReading,
} from '../../src/scaler/observation.ts';
import type { Action } from '../../src/scaler/action.ts';
import { type Plan, plan } from '../../src/scaler/plan.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import type { Schedule, ScheduleSighting } from '../../src/scaler/schedule.ts';

/** The moment of most tables: late enough that every window lies behind it. */
export const NOW_MS = 10_000_000;

/** 2 to 12 nodes, 80 rps each, 5 % and 10 % tolerance, a window of 30 s, no limit of speed, no standby. */
export function policyOf(changes: Partial<TierPolicy> = {}): TierPolicy {
  return {
    minNodes: 2,
    maxNodes: 12,
    requestRate: { targetPerNodeRps: 80 },
    queue: { maxWaitMs: 100 },
    looksAhead: true,
    scaleOut: { tolerance: 0.05, policies: [] },
    scaleIn: { tolerance: 0.1, stabilizationWindowMs: 30_000, policies: [] },
    standby: { state: 'paused', nodes: 0 },
    drainDeadlineMs: 300_000,
    bootDeadlineMs: 120_000,
    ...changes,
  };
}

/** The web tier of `news`: `news-web-1` at 10.0.1.20, and so on. */
export function webTier(changes: Partial<TierPolicy> = {}, addresses = 32): ScaledTier {
  return {
    scaling: 'automatic',
    cluster: 'news',
    name: 'web',
    image: { name: 'drupal-web', version: '1' },
    size: { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 },
    addresses: Array.from({ length: addresses }, (_, index) => `10.0.1.${20 + index}`),
    backend: 'news-web',
    maxConnections: 10,
    health: { path: '/health', port: 80, intervalMs: 1_000 },
    frontend: undefined,
    policy: policyOf(changes),
  };
}

/** Each day at eight, for an hour. */
export const EACH_MORNING = { cron: '0 8 * * *', durationMs: 3_600_000, timeZone: 'UTC' };

/** A window in force, for an hour from now. */
export function held(words: Partial<Schedule>): ScheduleSighting {
  return { ...EACH_MORNING, ...words, untilMs: NOW_MS + 3_600_000 };
}

/** A tier that knows no queue. */
export function rateOnlyTier(): ScaledTier {
  const { queue: _, ...policy } = policyOf();
  return { ...webTier(), policy };
}

export function ok<T>(value: T): Sample<T> {
  return { status: 'ok', value };
}

export const EMPTY_QUEUE: Sample<QueueReading> = ok({ requests: 0, servedRps: 100 });

/** Everything known, nothing waits. */
export function signalsOf(rps: number, changes: Partial<Signals> = {}): Signals {
  return {
    requestRate: ok(rps),
    queue: EMPTY_QUEUE,
    slots: ok<SlotReading>({ used: 0, total: 0 }),
    ...changes,
  };
}

export const UNKNOWN_SIGNALS: Signals = {
  requestRate: { status: 'absent', why: 'no answer' },
  queue: { status: 'absent', why: 'no answer' },
  slots: { status: 'absent', why: 'no answer' },
};

/** A running domain of ours on `xen-a`, an hour old. */
export function domainOf(changes: Partial<DomainSighting> = {}): DomainSighting {
  return {
    host: 'xen-a',
    state: 'running',
    mark: 'ours',
    bornMs: 1_000,
    ageMs: 3_600_000,
    fresh: true,
    ...changes,
  };
}

export type AnsweredServer = Extract<ServerSighting, { readonly answered: true }>;

/** A server that has been in rotation for an hour and whose check passes. */
export function serverOf(changes: Partial<AnsweredServer> = {}): AnsweredServer {
  return {
    balancer: 'lb-a',
    answered: true,
    admin: 'ready',
    check: 'passed',
    sessions: 0,
    sinceChangeMs: 3_600_000,
    ...changes,
  };
}

export const SILENT_SERVER: ServerSighting = { balancer: 'lb-a', answered: false };

/** Nodes as the world shows them, by the phase that follows from it. */
export const seen = {
  inService: (number: number, server: Partial<AnsweredServer> = {}) =>
    sightingOf(number, [domainOf()], [serverOf(server)]),
  sick: (number: number, sinceChangeMs = 15_000) =>
    sightingOf(number, [domainOf()], [serverOf({ check: 'failed', sinceChangeMs })]),
  outOfRotation: (number: number, server: Partial<AnsweredServer> = {}) =>
    sightingOf(
      number,
      [domainOf()],
      [serverOf({ admin: 'drain', sinceChangeMs: 5_000, ...server })],
    ),
  warming: (number: number, server: Partial<AnsweredServer> = {}) =>
    sightingOf(
      number,
      [domainOf({ ageMs: 5_000 })],
      [serverOf({ admin: 'drain', check: 'pending', sinceChangeMs: 5_000, ...server })],
    ),
  parked: (number: number) =>
    sightingOf(number, [domainOf()], [serverOf({ admin: 'maint', check: 'pending' })]),
  booting: (number: number) =>
    sightingOf(
      number,
      [domainOf({ state: 'being-made', ageMs: 3_000 })],
      [serverOf({ admin: 'drain', check: 'failed', sinceChangeMs: 3_000 })],
    ),
  failed: (number: number) =>
    sightingOf(number, [domainOf()], [serverOf({ admin: 'drain', check: 'failed' })]),
  standby: (number: number) =>
    sightingOf(
      number,
      [domainOf({ state: 'paused' })],
      [serverOf({ admin: 'maint', check: 'pending' })],
    ),
  saved: (number: number, changes: Partial<NodeSighting> = {}) => ({
    ...sightingOf(
      number,
      [domainOf({ state: 'saved' })],
      [serverOf({ admin: 'maint', check: 'pending' })],
    ),
    ...changes,
  }),
  residue: (number: number) =>
    sightingOf(
      number,
      [domainOf({ state: 'residue' })],
      [serverOf({ admin: 'maint', check: 'pending' })],
    ),
  stopping: (number: number) =>
    sightingOf(
      number,
      [domainOf({ state: 'stopping' })],
      [serverOf({ admin: 'maint', check: 'pending' })],
    ),
  ghost: (number: number) => sightingOf(number, [], [serverOf({ check: 'failed' })]),
  lost: (number: number) =>
    sightingOf(number, [domainOf({ fresh: false })], [serverOf({ check: 'failed' })]),
  lostButUp: (number: number) => sightingOf(number, [domainOf({ fresh: false })], [serverOf()]),
  conflict: (number: number) =>
    sightingOf(number, [domainOf({ mark: 'foreign' })], [serverOf({ admin: 'maint' })]),
} as const;

export function sightingOf(
  number: number,
  domains: readonly DomainSighting[],
  servers: readonly ServerSighting[],
): NodeSighting {
  return { number, domains, servers };
}

export function under(operation: ActionKind, sighting: NodeSighting): NodeSighting {
  return { ...sighting, operation };
}

/** Nodes 1…count in service. */
export function serving(count: number): readonly NodeSighting[] {
  return Array.from({ length: count }, (_, index) => seen.inService(index + 1));
}

/** A reachable host with room for 16 small nodes. */
export function hostOf(name: string, changes: Partial<HostSighting> = {}): HostSighting {
  return {
    name,
    reachable: true,
    everAnswered: true,
    freeMemoryMiB: 8_192,
    freeVcpus: 16,
    freeDiskMiB: 65_536,
    startsInFlight: 0,
    circuit: 'closed',
    recentFailures: 0,
    ...changes,
  };
}

/** Two nodes in service at exactly their target, two hosts with room, nothing under way. */
export function observationOf(changes: Partial<Observation> = {}): Observation {
  return {
    atMs: NOW_MS,
    term: { createdAtSeconds: 1_700_000_000, transitions: 3 },
    signals: signalsOf(160),
    nodes: serving(2),
    hosts: [hostOf('xen-a'), hostOf('xen-b')],
    oldWorkers: false,
    blockedNumbers: [],
    circuit: 'closed',
    fleetRoom: 100,
    concurrentBootsPerHost: 16,
    bootTimeMs: 20_000,
    overrides: [],
    ...changes,
  };
}

/**
 * It is not settled yet which balancers answer: nothing is foreseen, and what is decided follows from the rules and
 * their numbers alone.
 */
export const PLAIN: Partial<Observation> = { balancersChangedAtMs: Number.MAX_SAFE_INTEGER };

/** A memory whose window has long been full. */
export function settledAt(desiredNodes: number, changes: Partial<TierMemory> = {}): TierMemory {
  return { ...EMPTY_MEMORY, desiredNodes, knownSinceMs: 0, ...changes };
}

export interface Planned extends Plan {
  readonly nodes: readonly Node[];
  readonly decision: Decision;
  /** `kind number reason`, and `!` where sessions are cut. */
  readonly said: readonly string[];
}

/**
 * One tick at a given desired count: a decision of `desiredNodes` with signals as the observation has them.
 *
 * @param soonNodes - So many of them are needed before a boot would serve.
 */
export function planAt(
  desiredNodes: number,
  changes: Partial<Observation>,
  tier: ScaledTier = webTier(),
  soonNodes = desiredNodes,
): Planned {
  const observation = observationOf(changes);
  const nodes = deriveNodes(tier, observation);
  const decided = decide(tier, observation, nodes, settledAt(desiredNodes)).decision;
  const decision = { ...decided, desiredNodes, soonNodes };
  const planned = plan(tier, decision, observation, nodes);
  return { ...planned, nodes, decision, said: planned.actions.map(say) };
}

function say(action: Action): string {
  const cut = action.kind === 'destroy' && action.force ? '!' : '';
  return `${action.kind}${cut} ${action.number} ${action.reason}`;
}
