/** Windows by the wall clock in sentences: which hold and until when, and which come next. */

import type { ExplainInput } from './explain-input.ts';
import {
  type Bounds,
  boundsAt,
  holdsAt,
  isAhead,
  leadTimeMs,
  type Schedule,
  type ScheduleSighting,
  type ScheduleWord,
} from './schedule.ts';
import { counted, inTime, listed } from './wording.ts';

/** What is read of a tick here. */
type Seen = Pick<ExplainInput, 'tier' | 'observation' | 'formatTime'>;

/** What bounded the count at this tick. */
export function boundsOf({ tier, observation }: Seen): Bounds {
  return boundsAt(tier.policy, observation);
}

/** `schedule “0 8 * * 1-5” (Europe/Berlin, until 18:00:00)`. */
function nameSchedule({ observation, formatTime }: Seen, schedule: ScheduleSighting): string {
  const { cron, timeZone, untilMs, fromMs } = schedule;
  const when = holdsAt(schedule, observation.atMs)
    ? untilMs !== undefined && `until ${formatTime(untilMs)}`
    : fromMs !== undefined && `from ${formatTime(fromMs)}`;
  return `schedule “${cron}” (${[timeZone, ...(when === false ? [] : [when])].join(', ')})`;
}

/** Every schedule: what it says, whether it holds, and when that changes. */
export function describeSchedules(input: Seen): readonly string[] {
  const { schedules = [] } = input.observation;
  return schedules.map((schedule) => describeSchedule(input, schedule));
}

function describeSchedule(input: Seen, schedule: ScheduleSighting): string {
  const { observation, tier, formatTime } = input;
  const { cron, timeZone, durationMs, minNodes, fromMs, untilMs } = schedule;
  const name = `Schedule “${cron}” (${inTime(durationMs)}, ${timeZone})`;
  const words = describeWords(schedule);
  const next = fromMs === undefined ? undefined : formatTime(fromMs);
  if (untilMs !== undefined) {
    const again = next === undefined ? '' : `, and again from ${next}`;
    return `${name} holds until ${formatTime(untilMs)}${again}: ${words}.`;
  }
  if (fromMs === undefined || next === undefined) {
    return `${name} does not hold, and never will: ${words}.`;
  }
  const orderAtMs = fromMs - leadTimeMs(schedule, tier.policy, observation);
  const ordered = isAhead(schedule, tier.policy, observation)
    ? 'they are ordered already'
    : `they are ordered from ${formatTime(orderAtMs)}`;
  const ahead = minNodes === undefined ? '' : `; ${ordered}, so that they serve by then`;
  return `${name} holds next from ${next}: ${words}${ahead}.`;
}

/** `at least 6 nodes and no node goes`. */
export function describeWords({ minNodes, maxNodes, freeze }: Schedule): string {
  return listed([
    ...(minNodes === undefined ? [] : [`at least ${counted(minNodes, 'node')}`]),
    ...(maxNodes === undefined ? [] : [`at most ${counted(maxNodes, 'node')}`]),
    ...(freeze === undefined ? [] : ['no node goes']),
  ]);
}

/** What the schedule that bounds the count says, as a clause. @param word - Left out: whatever it bounds. */
export function describeScheduled(input: Seen, word?: ScheduleWord): string {
  const { minNodes, maxNodes, minBy, maxBy, frozenBy } = boundsOf(input);
  const clauses: Readonly<Record<ScheduleWord, string | undefined>> = {
    minimum:
      minBy && `${nameSchedule(input, minBy)} asks for at least ${counted(minNodes, 'node')}`,
    maximum: maxBy && `${nameSchedule(input, maxBy)} allows at most ${counted(maxNodes, 'node')}`,
    freeze: frozenBy && `${nameSchedule(input, frozenBy)} lets no node go`,
  };
  const said = word === undefined ? Object.values(clauses) : [clauses[word]];
  const known = said.filter((clause) => clause !== undefined);
  return known.length === 0 ? 'a schedule bounds the count' : listed(known);
}
