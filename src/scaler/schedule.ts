/**
 * Windows by the wall clock in which a tier has other bounds, or lets no node go. The clock is read at the edge; what
 * is here is steady time, so that a kept tick decides the same again.
 */

import type { Observation } from './observation.ts';
import type { TierPolicy } from './policy.ts';
import { bootDeadlineOf } from './start-times.ts';

/** A window that comes again and again, and what holds in it. */
export interface Schedule {
  /** When it begins, on the clock of its time zone: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  /** How long it lasts, on the same clock: from 22:00, 8 h end at 06:00, also in a night in which the clock is changed. */
  readonly durationMs: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly minNodes?: number;
  readonly maxNodes?: number;
  /** No node goes. Nodes still come: what would stop them is an operator's word, not a calendar's. */
  readonly freeze?: 'scale-in';
}

/** A schedule at one tick. Where neither moment is there, it never holds again. */
export interface ScheduleSighting extends Schedule {
  /** It holds, until then. */
  readonly untilMs?: number;
  /** When it begins next. */
  readonly fromMs?: number;
  /** Nodes for that begin have been ordered: they stay, also when boots turn out to be quicker than it was thought. */
  readonly isOrdered?: true;
}

/** What of a schedule bounds the count. */
export type ScheduleWord = 'minimum' | 'maximum' | 'freeze';

/** What bounds the count at one tick, and which schedules make it so. */
export interface Bounds {
  readonly minNodes: number;
  readonly maxNodes: number;
  readonly minBy?: ScheduleSighting;
  readonly maxBy?: ScheduleSighting;
  readonly frozenBy?: ScheduleSighting;
}

/**
 * The highest minimum counts, the tier's own among them: from when nodes that are ordered now serve as it begins.
 * Of the maximums that hold, the highest counts in place of the tier's own; no maximum is less than the minimum.
 */
export function boundsAt(policy: TierPolicy, observation: Observation): Bounds {
  const { atMs, schedules } = observation;
  if (schedules === undefined) {
    return policy;
  }
  let minBy: ScheduleSighting | undefined;
  let maxBy: ScheduleSighting | undefined;
  let frozenBy: ScheduleSighting | undefined;
  for (const schedule of schedules) {
    const { minNodes = 0, maxNodes, freeze } = schedule;
    const isMore = minNodes > (minBy?.minNodes ?? policy.minNodes);
    if (isMore && (holdsAt(schedule, atMs) || isAhead(schedule, policy, observation))) {
      minBy = schedule;
    }
    if (!holdsAt(schedule, atMs)) {
      continue;
    }
    if (maxNodes !== undefined && maxNodes > (maxBy?.maxNodes ?? 0)) {
      maxBy = schedule;
    }
    frozenBy ??= freeze === undefined ? undefined : schedule;
  }
  const minNodes = minBy?.minNodes ?? policy.minNodes;
  const maxNodes = maxBy?.maxNodes ?? policy.maxNodes;
  return {
    minNodes,
    maxNodes: Math.max(minNodes, maxNodes),
    ...(minBy === undefined ? {} : { minBy }),
    ...(maxBy === undefined ? {} : { maxBy }),
    ...(frozenBy === undefined ? {} : { frozenBy }),
  };
}

/** The highest count that the tier may ever have. */
export function mostNodes({ maxNodes, schedules }: TierPolicy): number {
  return schedules === undefined
    ? maxNodes
    : Math.max(maxNodes, ...schedules.map((one) => one.maxNodes ?? 0));
}

/** It holds at a tick: the one that saw it, or one that follows. */
export function holdsAt({ untilMs, fromMs }: ScheduleSighting, atMs: number): boolean {
  return (untilMs !== undefined && atMs < untilMs) || (fromMs !== undefined && atMs >= fromMs);
}

/**
 * So long before a minimum begins its nodes are ordered: as long as the boots take of those beyond the tier's own
 * minimum, which come one after the other because a host boots only so many at once, and one more for those that are late
 * or fail. What runs beyond that minimum may have gone by then. Before a boot has been measured, each counts as long as
 * one may take.
 */
export function leadTimeMs(
  { minNodes = 0 }: Schedule,
  policy: TierPolicy,
  { hosts, concurrentBootsPerHost, bootTimeMs }: Observation,
): number {
  const atOnce = hosts.filter(({ reachable }) => reachable).length * concurrentBootsPerHost;
  const rounds = Math.ceil(Math.max(0, minNodes - policy.minNodes) / Math.max(1, atOnce));
  const eachMs = bootTimeMs ?? bootDeadlineOf(policy.bootDeadlineMs, undefined);
  return (rounds + 1) * eachMs;
}

/** It is time to order the nodes of its next begin, or was at an earlier tick. */
export function isAhead(
  schedule: ScheduleSighting,
  policy: TierPolicy,
  observation: Observation,
): boolean {
  const { fromMs, isOrdered = false } = schedule;
  return (
    fromMs !== undefined &&
    (isOrdered || observation.atMs >= fromMs - leadTimeMs(schedule, policy, observation))
  );
}
