import type { Action } from '../scaler/action.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { RefusedError, UnreachableError } from './errors.ts';
import type { InFlight } from './in-flight.ts';

/** An action that has failed each time since `sinceMs`, and that is still wanted. */
export interface FailingAction {
  /** `cluster/tier`. */
  readonly tier: string;
  readonly action: Action;
  /** In a row. */
  readonly failures: number;
  /** When it failed first. Steady clock. */
  readonly sinceMs: number;
  /** Of the latest failure. */
  readonly why: string;
}

interface Failing extends FailingAction {
  /** Not started again for so long; 0: whenever it is wanted. */
  readonly restMs: number;
  restsUntilMs: number;
}

/** Fewer failures in a row may be a reload, or a node that has just changed. */
const TOLD_FROM = 3;

const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 30_000;

/**
 * Remembers the actions that keep failing: at most one of each node, until it succeeds, another one is wanted
 * there, or none.
 *
 * What balancers refuse rests twice as long after each failure in a row, from 1 s to 30 s: a broken HAProxy is not
 * mended by asking, and each question may make it reload. Failed actions on hosts do not rest here: breakers
 * and resting numbers bound these. Nor does an action whose precondition did not hold yet.
 */
export class FailingActions {
  readonly #byNode = new Map<string, Failing>();
  readonly #inFlight: InFlight;

  constructor(inFlight: InFlight) {
    this.#inFlight = inFlight;
  }

  /** Which one in a row this would be: 1 for the first, and after a success. */
  attemptOf(action: Action): number {
    return (this.#of(action)?.failures ?? 0) + 1;
  }

  /** What balancers take from one node they may take from the others, which rest no longer. */
  succeeded(action: Action): void {
    this.#byNode.delete(action.node);
    if (!('host' in action)) {
      for (const failing of this.#byNode.values()) {
        failing.restsUntilMs = 0;
      }
    }
  }

  failed(tier: ScaledTier, action: Action, error: unknown, atMs: number): void {
    const before = this.#of(action);
    const restMs = isOfBalancers(action, error)
      ? Math.min(Math.max(FIRST_REST_MS, 2 * (before?.restMs ?? 0)), LONGEST_REST_MS)
      : 0;
    this.#byNode.set(action.node, {
      tier: tierKey(tier),
      action,
      failures: this.attemptOf(action),
      sinceMs: before?.sinceMs ?? atMs,
      why: error instanceof Error ? error.message : String(error),
      restMs,
      restsUntilMs: atMs + restMs,
    });
  }

  isResting(action: Action, atMs: number): boolean {
    return (this.#of(action)?.restsUntilMs ?? atMs) > atMs;
  }

  /** Forgets what a tick of this tier does not want any more; of what is in flight, the next one may say so. */
  keepWanted(tier: ScaledTier, wanted: readonly Action[]): void {
    const key = tierKey(tier);
    for (const [node, failing] of this.#byNode) {
      const isUnderWay = this.#inFlight.operationOf(node) !== undefined;
      if (
        failing.tier === key &&
        !isUnderWay &&
        !wanted.some((action) => isSame(action, failing.action))
      ) {
        this.#byNode.delete(node);
      }
    }
  }

  keepTiers(isKept: (key: string) => boolean): void {
    for (const [node, { tier }] of this.#byNode) {
      if (!isKept(tier)) {
        this.#byNode.delete(node);
      }
    }
  }

  /** Those that have failed at least three times in a row. */
  get told(): readonly FailingAction[] {
    return [...this.#byNode.values()].filter(({ failures }) => failures >= TOLD_FROM);
  }

  #of(action: Action): Failing | undefined {
    const failing = this.#byNode.get(action.node);
    return failing !== undefined && isSame(action, failing.action) ? failing : undefined;
  }
}

/** A repair is one of another balancer's server, or to another state. */
function isSame(one: Action, other: Action): boolean {
  if (one.kind === 'repair' && other.kind === 'repair') {
    return one.node === other.node && one.balancer === other.balancer && one.to === other.to;
  }
  return one.node === other.node && one.kind === other.kind;
}

/** Of an action that asks a host, too, an error does not tell which of them it is. */
function isOfBalancers(action: Action, error: unknown): boolean {
  const isRefusal = error instanceof UnreachableError || error instanceof RefusedError;
  return isRefusal && !('host' in action);
}
