import type { TierTicked } from '../control/events.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { NodePhase } from '../scaler/node-phase.ts';
import { bootDeadlineOf } from '../scaler/start-times.ts';

interface Stay {
  readonly phase: NodePhase;
  /** Steady time of the tick that showed it there first. */
  readonly sinceMs: number;
  /** It was seen to come: how long it stays is known. */
  readonly sawBegin: boolean;
  /** Since when it has been on its way, whatever its phase; undefined while it is where it may stay. */
  readonly onItsWaySinceMs: number | undefined;
}

/** A phase that a node has left, and how long it was in it. */
interface EndedStay {
  readonly phase: NodePhase;
  readonly durationMs: number;
}

/** What a host is given to stop a guest, and a minute beside that. */
const TEARDOWN_MS = 240_000;

/** A node whose destruction fails again and again goes from one of these to another. */
const ON_ITS_WAY: ReadonlySet<NodePhase> = new Set([
  'booting',
  'warming',
  'out-of-rotation',
  'stopping',
  'failed',
  'residue',
]);

/** How long each node has been in its phase, as ticks have shown it; a restart begins to count anew. */
export class PhaseWatch {
  readonly #tiers = new Map<string, ReadonlyMap<string, Stay>>();
  /** Of the latest tick, by `cluster/tier`. */
  readonly #overdue = new Map<string, number>();

  /** @returns The stays that have ended since the tick before, and whose beginning was seen. */
  see({ tier, mode, observation, tick }: TierTicked): readonly EndedStay[] {
    const key = tierKey(tier);
    const before = this.#tiers.get(key);
    const { atMs } = observation;
    const bootDeadlineMs = bootDeadlineOf(tier.policy.bootDeadlineMs, observation.bootTimeMs);
    const dueAtMs = atMs - bootDeadlineMs - tier.policy.drainDeadlineMs - TEARDOWN_MS;
    const now = new Map<string, Stay>();
    let overdue = 0;
    for (const { name, phase, protectedBy } of tick.nodes) {
      const known = before?.get(name);
      const stay =
        known?.phase === phase
          ? known
          : {
              phase,
              sinceMs: atMs,
              sawBegin: before !== undefined,
              onItsWaySinceMs: ON_ITS_WAY.has(phase) ? (known?.onItsWaySinceMs ?? atMs) : undefined,
            };
      now.set(name, stay);
      // In another mode nobody takes it out of its phase, and what an operator protects stays.
      const isAwaited = mode === 'full' && protectedBy === undefined;
      overdue += isAwaited && (stay.onItsWaySinceMs ?? atMs) < dueAtMs ? 1 : 0;
    }
    this.#tiers.set(key, now);
    this.#overdue.set(key, overdue);
    return endedStays(before, now, atMs);
  }

  /**
   * Nodes that have been on their way – neither in service nor standby – for longer than the deadlines of a boot and
   * of a drain and four minutes together.
   */
  overdueOf(tier: ScaledTier): number {
    return this.#overdue.get(tierKey(tier)) ?? 0;
  }
}

function endedStays(
  before: ReadonlyMap<string, Stay> | undefined,
  now: ReadonlyMap<string, Stay>,
  atMs: number,
): readonly EndedStay[] {
  const ended: EndedStay[] = [];
  for (const [name, { phase, sinceMs, sawBegin }] of before ?? []) {
    if (sawBegin && now.get(name)?.phase !== phase) {
      ended.push({ phase, durationMs: atMs - sinceMs });
    }
  }
  return ended;
}
