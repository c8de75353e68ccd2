import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { Observation } from '../scaler/observation.ts';
import { isAhead, type Schedule, type ScheduleSighting } from '../scaler/schedule.ts';
import type { Clock } from './clock.ts';

/** When a schedule holds, in milliseconds since 1970. Nothing: never again. */
export interface ScheduleReading {
  /** It holds, until then. */
  readonly untilMs?: number;
  /** When it begins next. */
  readonly fromMs?: number;
}

/** Reads a schedule at a moment of the wall clock. Same arguments, same result: until the first moment of it, it holds. */
export type ReadSchedule = (schedule: Schedule, wallMs: number) => ScheduleReading;

/** Two begins of one schedule are a minute apart or more; a clock that is set by as much foretells another one. */
const SAME_BEGIN_MS = 30_000;

interface Kept {
  readonly reading: ScheduleReading;
  readonly readAtMs: number;
}

/**
 * The schedules of all tiers, at each tick by the wall clock as it is then: the only one there is.
 *
 * It may be wrong, and jump. When it jumps out of a window, what that keeps – its minimum, its freeze – holds until it
 * would have ended by steady time, as overrides do; what bounds the nodes from above goes by the clock at once.
 */
export class ScheduleWatch {
  readonly #clock: Clock;
  readonly #read: ReadSchedule | undefined;
  readonly #kept = new Map<string, Kept>();
  /** Until when a tier's schedule holds, by steady time. */
  readonly #heldUntilMs = new Map<string, number>();
  /** The begin that nodes of a tier's schedule were ordered for, by steady time. */
  readonly #orderedForMs = new Map<string, number>();

  constructor(clock: Clock, read: ReadSchedule | undefined) {
    this.#clock = clock;
    this.#read = read;
  }

  /**
   * Adds what the tier's schedules say.
   *
   * @param seen - The rest of the observation: how early a minimum is ordered depends on it.
   */
  look(tier: ScaledTier, seen: Observation): Observation {
    const { schedules = [] } = tier.policy;
    if (schedules.length === 0) {
      return seen;
    }
    const { atMs } = seen;
    // The tick began a while ago: what the wall clock showed then.
    const offsetMs = this.#clock.wallMs() - this.#clock.steadyMs();
    return {
      ...seen,
      schedules: schedules.map((schedule) => {
        const { untilMs, fromMs } = this.#readAt(schedule, atMs + offsetMs);
        const sighting = this.#keepHeld(tierKey(tier), atMs, {
          ...schedule,
          ...(untilMs === undefined ? {} : { untilMs: Math.round(untilMs - offsetMs) }),
          ...(fromMs === undefined ? {} : { fromMs: Math.round(fromMs - offsetMs) }),
        });
        return this.#keepOrdered(tier, seen, sighting);
      }),
    };
  }

  /** A reading is good until the first change that it foretells; one that the clock was set back before is not. */
  #readAt(schedule: Schedule, wallMs: number): ScheduleReading {
    if (this.#read === undefined) {
      throw new Error('there is a schedule, and nobody who reads it');
    }
    const key = keyOf(schedule);
    const kept = this.#kept.get(key);
    if (kept !== undefined && wallMs >= kept.readAtMs && wallMs < changeOf(kept)) {
      return kept.reading;
    }
    const reading = this.#read(schedule, wallMs);
    this.#kept.set(key, { reading, readAtMs: wallMs });
    return reading;
  }

  #keepHeld(tier: string, atMs: number, sighting: ScheduleSighting): ScheduleSighting {
    const key = `${tier} ${keyOf(sighting)}`;
    const heldUntilMs = this.#heldUntilMs.get(key) ?? Number.NEGATIVE_INFINITY;
    if (sighting.untilMs === undefined && heldUntilMs > atMs) {
      const { maxNodes: _, ...kept } = sighting;
      return { ...kept, untilMs: heldUntilMs };
    }
    if (sighting.untilMs === undefined) {
      this.#heldUntilMs.delete(key);
    } else {
      this.#heldUntilMs.set(key, sighting.untilMs);
    }
    return sighting;
  }

  /** While its nodes boot, boots are measured: the time that they are ordered ahead shrinks, and they would be let go. */
  #keepOrdered(tier: ScaledTier, seen: Observation, sighting: ScheduleSighting): ScheduleSighting {
    const { minNodes, fromMs } = sighting;
    if (minNodes === undefined || fromMs === undefined) {
      return sighting;
    }
    const key = `${tierKey(tier)} ${keyOf(sighting)}`;
    const orderedForMs = this.#orderedForMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const isOrdered = fromMs - orderedForMs < SAME_BEGIN_MS || isAhead(sighting, tier.policy, seen);
    if (!isOrdered) {
      return sighting;
    }
    // The wall clock may be slewed: the same begin comes some milliseconds sooner or later.
    this.#orderedForMs.set(key, fromMs);
    return { ...sighting, isOrdered };
  }
}

function changeOf({ reading: { untilMs, fromMs } }: Kept): number {
  return untilMs ?? fromMs ?? Number.POSITIVE_INFINITY;
}

function keyOf({ cron, durationMs, timeZone }: Schedule): string {
  return `${cron} ${durationMs} ${timeZone}`;
}
