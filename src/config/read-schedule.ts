/**
 * When schedules hold. One rule for every case: a window holds while the clock on the wall of its time zone shows a
 * time of it. What a changed clock skips is nothing that it shows; what it shows twice holds twice.
 *
 * Days and hours are counted on the local clock's own line, read as if it were UTC, so that the calendar (croner) has
 * no change of the clock to know of; which instant shows which local time, `Intl` says, and nobody computes.
 */

import { Cron } from 'croner';
import type { ScheduleReading } from '../control/schedule-watch.ts';
import type { Schedule } from '../scaler/schedule.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** It is looked so many days ahead: a 29th of February may be eight years away. */
const HORIZON_DAYS = 9 * 366;

/** Windows of one schedule that meet are one, up to so many: a schedule that never ends ends somewhere, and goes on. */
const JOINED_MAX = 64;

const OVERLAP_WITHIN_MS = 366 * DAY_MS;

/** On one clock, two that hold by turns each day do so in the same way next month; each step costs 0.2 ms. */
const OVERLAP_STEPS = 60;

/** On two clocks it depends on the season: by turns each day it is half a year to the next one. */
const OVERLAP_STEPS_ON_TWO_CLOCKS = 400;

/** A stretch of the local clock's line; its end is not part of it. */
interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * @param wallMs - Milliseconds since 1970.
 * @throws RangeError when the cron expression or the time zone is none; the config's checks do not let that happen.
 */
export function readSchedule(schedule: Schedule, wallMs: number): ScheduleReading {
  const { isInside, atMs } = findChange(schedule, wallMs);
  if (atMs === undefined) {
    return {};
  }
  if (!isInside) {
    return { fromMs: atMs };
  }
  // One that never ends is cut somewhere, and holds on from there.
  const after = findChange(schedule, atMs);
  const fromMs = after.isInside ? atMs : after.atMs;
  return { untilMs: atMs, ...(fromMs === undefined ? {} : { fromMs }) };
}

/**
 * The first moment within a year at which both hold.
 *
 * @returns Milliseconds since 1970. Undefined: none, or none within the next 60 begins of the two, 400 in two time zones.
 */
export function findOverlap(one: Schedule, other: Schedule, wallMs: number): number | undefined {
  const steps = one.timeZone === other.timeZone ? OVERLAP_STEPS : OVERLAP_STEPS_ON_TWO_CLOCKS;
  let atMs = wallMs;
  for (let step = 0; step < steps && atMs < wallMs + OVERLAP_WITHIN_MS; step += 1) {
    // Both hold no sooner than the one begins that does not yet.
    const begins = [readSchedule(one, atMs), readSchedule(other, atMs)].map(
      ({ untilMs, fromMs = Number.POSITIVE_INFINITY }) => (untilMs === undefined ? fromMs : atMs),
    );
    const nextMs = Math.max(...begins);
    if (nextMs === atMs) {
      return atMs;
    }
    atMs = nextMs;
  }
  return undefined;
}

/** Parses a cron expression of five fields. @throws Error that says what is wrong with it. */
export function parseCron(cron: string): Cron {
  return new Cron(cron, { mode: '5-part', timezone: 'UTC', paused: true });
}

/** Whether the expression has a day at all: 30 February does not. */
export function hasStart(cron: Cron): boolean {
  return cron.nextRun(new Date(0)) !== null;
}

/** @throws RangeError when there is no such time zone. */
export function openClock(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
}

/** Whether it holds at a moment, and when that is otherwise next. Undefined: not in years. */
function findChange(
  schedule: Schedule,
  wallMs: number,
): { readonly isInside: boolean; readonly atMs: number | undefined } {
  let atMs = wallMs;
  const shownAtFirstMs = showLocal(schedule, atMs);
  let stretch = findStretch(schedule, shownAtFirstMs);
  const isInside = stretch !== undefined && isIn(stretch, shownAtFirstMs);
  // None is longer than a day.
  for (let hops = 0; stretch !== undefined && hops < HORIZON_DAYS; hops += 1) {
    const localMs = showLocal(schedule, atMs);
    const leftMs: number = (isInside ? stretch.endMs : stretch.startMs) - localMs;
    const hopMs = Math.min(leftMs, DAY_MS);
    // No clock is changed twice within a day: what is as far from it as before was not changed in between.
    if (showLocal(schedule, atMs + hopMs) === localMs + hopMs) {
      atMs += hopMs;
      if (hopMs === leftMs) {
        return { isInside, atMs };
      }
      continue;
    }
    // Minute by minute, where the clock is changed: once or twice a year.
    const endMs = atMs + hopMs;
    let expectedMs = localMs - (localMs % MINUTE_MS);
    for (atMs -= atMs % MINUTE_MS; atMs < endMs; ) {
      atMs += MINUTE_MS;
      expectedMs += MINUTE_MS;
      const shownMs = showLocal(schedule, atMs);
      if (shownMs !== expectedMs) {
        expectedMs = shownMs;
        stretch = findStretch(schedule, shownMs);
      }
      if ((stretch !== undefined && isIn(stretch, shownMs)) !== isInside) {
        return { isInside, atMs };
      }
    }
  }
  return { isInside, atMs: undefined };
}

function isIn({ startMs, endMs }: Stretch, localMs: number): boolean {
  return localMs >= startMs && localMs < endMs;
}

/** The one that a local time is in, or else the next. */
function findStretch({ cron, durationMs }: Schedule, localMs: number): Stretch | undefined {
  const starts = startsOf(cron);
  let start = starts.nextRun(new Date(localMs - durationMs));
  if (start === null) {
    return undefined;
  }
  const startMs = start.getTime();
  let endMs = startMs + durationMs;
  for (let joined = 1; joined < JOINED_MAX; joined += 1) {
    start = starts.nextRun(start);
    if (start === null || start.getTime() > endMs) {
      break;
    }
    endMs = start.getTime() + durationMs;
  }
  return { startMs, endMs };
}

/** What the clock on the wall there shows, as if it were UTC. */
function showLocal({ timeZone }: Schedule, instantMs: number): number {
  const restMs = instantMs - Math.floor(instantMs / MINUTE_MS) * MINUTE_MS;
  const parts = new Map<string, number>();
  for (const { type, value } of clockOf(timeZone).formatToParts(instantMs)) {
    parts.set(type, Number(value));
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = [
    parts.get('year'),
    parts.get('month'),
    parts.get('day'),
    parts.get('hour'),
    parts.get('minute'),
  ];
  return Date.UTC(year, month - 1, day, hour, minute) + restMs;
}

/** Expensive to make; those of the configs of this process. */
const crons = new Map<string, Cron>();
const clocks = new Map<string, Intl.DateTimeFormat>();

function startsOf(cron: string): Cron {
  const known = crons.get(cron) ?? parseCron(cron);
  crons.set(cron, known);
  return known;
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone) ?? openClock(timeZone);
  clocks.set(timeZone, known);
  return known;
}
