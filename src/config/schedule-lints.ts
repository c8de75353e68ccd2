/** What is to be said of the schedules of a tier. */

import type { Schedule } from '../scaler/schedule.ts';
import { type Advice, pathOfBound, type Subject } from './advice.ts';
import { findOverlap } from './read-schedule.ts';

export function adviseSchedules(subject: Subject): readonly Advice[] {
  return [...adviseScheduledMinimums(subject), ...adviseScheduledMaximums(subject)];
}

function adviseScheduledMinimums({ tier, path }: Subject): readonly Advice[] {
  const { minNodes, schedules = [] } = tier.policy;
  return schedules.flatMap((schedule, index): Advice[] =>
    schedule.minNodes === undefined || schedule.minNodes > minNodes
      ? []
      : [
          {
            path: pathOfBound(path, index, 'min'),
            message: `the tier has at least ${minNodes} at all times, so \`min: ${schedule.minNodes}\` changes nothing`,
            proposal: `write more than ${minNodes}, or leave it out`,
          },
        ],
  );
}

/** A maximum below what another schedule has at least while it holds: then that minimum is the maximum, too. */
function adviseScheduledMaximums(subject: Subject): readonly Advice[] {
  const { tier, path } = subject;
  const { schedules = [] } = tier.policy;
  return schedules.flatMap((schedule, index): Advice[] => {
    const { maxNodes } = schedule;
    if (maxNodes === undefined) {
      return [];
    }
    const beyond = (other: Schedule): boolean => (other.minNodes ?? 0) > maxNodes;
    for (const [at, other] of schedules.entries()) {
      const atMs = beyond(other) ? overlapOf(schedule, other, subject) : undefined;
      if (atMs !== undefined) {
        const from = new Date(Math.ceil(atMs / 1_000) * 1_000).toISOString().replace('.000', '');
        return [
          {
            path: pathOfBound(path, index, 'max'),
            message: `from ${from} on, \`schedules[${at}]\` holds as well: then its minimum of ${other.minNodes} nodes counts, and this maximum of ${maxNodes} does not`,
            proposal: `write ${other.minNodes} or more, or let one end before the other begins`,
          },
        ];
      }
    }
    return [];
  });
}

function overlapOf(
  one: Schedule,
  other: Schedule,
  { experience, overlaps }: Subject,
): number | undefined {
  const key = [one, other].map((each) => JSON.stringify(timesOf(each))).join();
  if (!overlaps.has(key)) {
    overlaps.set(key, findOverlap(one, other, experience.wallMs));
  }
  return overlaps.get(key);
}

function timesOf({ cron, durationMs, timeZone }: Schedule): readonly (string | number)[] {
  return [cron, durationMs, timeZone];
}
