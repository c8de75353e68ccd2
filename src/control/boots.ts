import {
  type BreakerPolicy,
  type BreakerState,
  CLOSED_BREAKER,
  circuitAt,
  openUntilMs,
  recentFailures,
  recordFailure,
} from '../scaler/breaker.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { Node } from '../scaler/node-phase.ts';
import type { HostSighting, NodeSighting, StartKind, StartTime } from '../scaler/observation.ts';
import type { Action } from '../scaler/action.ts';
import { LearnedTimes, type Start } from './learned-times.ts';

/** A node that is ordered to come: booted, or woken. */
export type ComingAction = Extract<Action, { readonly kind: 'boot' | 'wake' }>;

/** How a boot, or a wake, ended, for the record. */
export interface BootResult {
  readonly node: string;
  readonly host: string;
  readonly result: 'served' | 'failed';
  readonly start: StartKind;
  readonly durationMs: number;
}

/** As a node's sighting says it. */
type RefusedWork = Pick<NodeSighting, 'wakeRefused' | 'saveRefused'>;

/** As a tier's and a host's observation have it. */
type CircuitSighting = Pick<HostSighting, 'circuit' | 'circuitOpenUntilMs'>;

interface Refused {
  readonly bornMs: number;
  readonly what: RefusedWork;
  /** Until when it is not asked again; never, when left out. */
  readonly untilMs?: number;
}

interface PendingBoot {
  readonly action: ComingAction;
  readonly of: Start;
  readonly bornMs: number;
  readonly orderedAtMs: number;
  /** Its host fell silent since the host last showed the node: if nothing is there then, it went with its host. */
  lostSight: boolean;
}

interface TierBoots {
  readonly pending: Map<string, PendingBoot>;
  /** Numbers that rest after a failure, until when. */
  readonly resting: Map<number, number>;
  /** Births that were found failed, by name: each counts once, however long its destruction takes. */
  readonly failedBirths: Map<string, number>;
  readonly times: LearnedTimes;
}

/** A number whose boot failed is left alone for a while, so that a broken address does not fail each boot. */
const REST_MS = 60_000;

/** A host that could not save a node is asked again after this time: its disk may have been full. */
const SAVE_AGAIN_MS = 300_000;

/**
 * Remembers the boots of this process: which are awaited, which failed, how long they take. Losing it on a
 * restart is harmless: a node that never becomes healthy is failed by its own age.
 */
export class BootLedger {
  #policy: BreakerPolicy;
  readonly #breakers = new Map<string, BreakerState>();
  readonly #tiers = new Map<string, TierBoots>();
  /** By name: at most one of each node. */
  readonly #refused = new Map<string, Refused>();
  #silentHosts: ReadonlySet<string> = new Set();

  constructor(policy: BreakerPolicy) {
    this.#policy = policy;
  }

  /** From now on this policy holds; what has failed so far still counts. */
  set policy(policy: BreakerPolicy) {
    this.#policy = policy;
  }

  /** Hosts that do not answer now: said before each review. */
  set silentHosts(hosts: ReadonlySet<string>) {
    this.#silentHosts = hosts;
  }

  ordered(tier: ScaledTier, action: ComingAction, of: Start, bornMs: number, atMs: number): void {
    const { pending } = this.#tier(tier);
    pending.set(action.node, { action, of, bornMs, orderedAtMs: atMs, lostSight: false });
  }

  /** This tenant will not wake any more: it is shown as such, and found failed by the next tick. */
  wakeRefused(node: string, bornMs: number): void {
    this.#refused.set(node, { bornMs, what: { wakeRefused: true } });
  }

  /** This tenant stands by awake for a while. */
  saveRefused(node: string, bornMs: number, atMs: number): void {
    const untilMs = atMs + SAVE_AGAIN_MS;
    this.#refused.set(node, { bornMs, what: { saveRefused: true }, untilMs });
  }

  /** What a host has refused to do for this tenant; undefined for nearly all of them. */
  refusalOf(node: string, bornMs: number, atMs: number): RefusedWork | undefined {
    const refused = this.#refused.size === 0 ? undefined : this.#refused.get(node);
    const counts = refused?.bornMs === bornMs && (refused.untilMs ?? atMs + 1) > atMs;
    return counts ? refused.what : undefined;
  }

  /** A boot that was refused. */
  failed(tier: ScaledTier, node: string, number: number, host: string, atMs: number): BootResult {
    const boots = this.#tier(tier);
    const pending = boots.pending.get(node);
    boots.pending.delete(node);
    this.rest(tier, number, atMs);
    for (const key of [breakerOfTier(tier), breakerOfHost(host)]) {
      this.#breakers.set(key, recordFailure(this.#breaker(key), this.#policy, atMs));
    }
    return {
      node,
      host,
      result: 'failed',
      start: pending?.of.start ?? 'cold',
      durationMs: pending === undefined ? 0 : atMs - pending.orderedAtMs,
    };
  }

  /** A number that cannot be used now, though no boot has failed on it. */
  rest(tier: ScaledTier, number: number, atMs: number): void {
    this.#tier(tier).resting.set(number, atMs + REST_MS);
  }

  /** A boot that nobody waits for any more. */
  cancelled(tier: ScaledTier, node: string): void {
    this.#tier(tier).pending.delete(node);
  }

  /** Numbers of the nodes that were woken and are awaited. */
  wokenNumbers(tier: ScaledTier): readonly number[] {
    const { pending } = this.#tier(tier);
    const wakes = pending.size === 0 ? [] : [...pending.values()];
    return wakes.flatMap(({ action }) => (action.kind === 'wake' ? [action.number] : []));
  }

  /**
   * Compares boots with the nodes as they are. @returns Those that ended since the last call: served when
   * their check passed, failed when they vanished before, or when their node is failed. What vanished while its
   * host was silent has not failed: it went with its host, which says nothing of the tier, its image or its number.
   */
  review(tier: ScaledTier, nodes: readonly Node[], atMs: number): readonly BootResult[] {
    const boots = this.#tier(tier);
    const results: BootResult[] = [];
    for (const node of nodes) {
      if (
        node.phase === 'failed' &&
        !node.leaving &&
        boots.failedBirths.get(node.name) !== node.bornMs
      ) {
        boots.failedBirths.set(node.name, node.bornMs);
        results.push(this.failed(tier, node.name, node.number, node.host ?? '', atMs));
      }
    }
    if (boots.pending.size === 0) {
      return results;
    }
    const byName = new Map(nodes.map((node) => [node.name, node]));
    for (const [name, pending] of boots.pending) {
      const node = byName.get(name);
      const { host, number } = pending.action;
      const isSilent = this.#silentHosts.has(host);
      pending.lostSight ||= isSilent;
      if (node === undefined || (isNothing(node) && node.operation === undefined)) {
        if (pending.lostSight) {
          boots.pending.delete(name);
        } else {
          results.push(this.failed(tier, name, number, host, atMs));
        }
      } else if (node.bornMs === pending.bornMs && hasPassed(node)) {
        results.push(this.#served(tier, pending, atMs));
      } else if (node.host !== undefined && !isSilent) {
        pending.lostSight = false;
      }
    }
    return results;
  }

  circuitOfTier(tier: ScaledTier, atMs: number): CircuitSighting {
    return this.#circuit(breakerOfTier(tier), atMs);
  }

  circuitOfHost(host: string, atMs: number): CircuitSighting {
    return this.#circuit(breakerOfHost(host), atMs);
  }

  recentFailuresOfHost(host: string, atMs: number): number {
    return recentFailures(this.#breaker(breakerOfHost(host)), this.#policy, atMs).length;
  }

  restingNumbers(tier: ScaledTier, atMs: number): readonly number[] {
    const { resting } = this.#tier(tier);
    for (const [number, untilMs] of resting) {
      if (untilMs <= atMs) {
        resting.delete(number);
      }
    }
    return [...resting.keys()];
  }

  /** What each way of coming took before a restart. @param key - `cluster/tier`. */
  restoreTimes(key: string, coldMs: number | undefined, starts: readonly StartTime[]): void {
    this.#tierOf(key).times.restore(coldMs, starts);
  }

  /** What each way of coming took lately. */
  timesOf(tier: ScaledTier): LearnedTimes {
    return this.#tier(tier).times;
  }

  #served(tier: ScaledTier, pending: PendingBoot, atMs: number): BootResult {
    const boots = this.#tier(tier);
    const { node, host } = pending.action;
    const durationMs = atMs - pending.orderedAtMs;
    boots.pending.delete(node);
    boots.times.learn(pending.of, durationMs);
    // That a node woke says nothing of boots.
    if (pending.action.kind === 'boot') {
      this.#breakers.delete(breakerOfTier(tier));
      this.#breakers.delete(breakerOfHost(host));
    }
    return { node, host, result: 'served', start: pending.of.start, durationMs };
  }

  #circuit(key: string, atMs: number): CircuitSighting {
    const breaker = this.#breaker(key);
    const circuitOpenUntilMs = openUntilMs(breaker, this.#policy, atMs);
    return {
      circuit: circuitAt(breaker, this.#policy, atMs),
      ...(circuitOpenUntilMs === undefined ? {} : { circuitOpenUntilMs }),
    };
  }

  #breaker(key: string): BreakerState {
    return this.#breakers.get(key) ?? CLOSED_BREAKER;
  }

  #tier(tier: ScaledTier): TierBoots {
    return this.#tierOf(tierKey(tier));
  }

  #tierOf(key: string): TierBoots {
    let boots = this.#tiers.get(key);
    if (boots === undefined) {
      boots = {
        pending: new Map(),
        resting: new Map(),
        failedBirths: new Map(),
        times: new LearnedTimes(),
      };
      this.#tiers.set(key, boots);
    }
    return boots;
  }
}

/** What was awaited is not there, or only what is left of it. */
function isNothing({ phase }: Node): boolean {
  return phase === 'absent' || phase === 'residue';
}

function hasPassed(node: Node): boolean {
  return node.phase === 'in-service' || node.phase === 'out-of-rotation';
}

function breakerOfTier(tier: ScaledTier): string {
  return `tier:${tierKey(tier)}`;
}

function breakerOfHost(host: string): string {
  return `host:${host}`;
}
