import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findOverlap, readSchedule } from '../../src/config/read-schedule.ts';
import { parseDurationMs } from '../../src/config/units.ts';
import type { Schedule } from '../../src/scaler/schedule.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

function scheduleOf(cron: string, duration: string, timeZone: string): Schedule {
  return { cron, durationMs: parseDurationMs(duration), timeZone };
}

function read(schedule: Schedule, at: string): { until?: string; from?: string } {
  const { untilMs, fromMs } = readSchedule(schedule, Date.parse(at));
  const isoOf = (ms: number): string => new Date(ms).toISOString().replace(':00.000Z', 'Z');
  return {
    ...(untilMs === undefined ? {} : { until: isoOf(untilMs) }),
    ...(fromMs === undefined ? {} : { from: isoOf(fromMs) }),
  };
}

type Row = readonly [
  situation: string,
  schedule: readonly [cron: string, duration: string, timeZone: string],
  at: string,
  expected: { readonly until?: string; readonly from?: string },
];

/** The clock is changed there, in 2026: forward, and back. */
const BERLIN = 'Europe/Berlin'; // 29 March 01:00Z, 02:00 → 03:00; 25 October 01:00Z, 03:00 → 02:00
const NEW_YORK = 'America/New_York'; // 8 March 07:00Z, 02:00 → 03:00; 1 November 06:00Z, 02:00 → 01:00
const LORD_HOWE = 'Australia/Lord_Howe'; // 3 October 15:30Z, 02:00 → 02:30; 4 April 15:00Z, 02:00 → 01:30

const rows: readonly Row[] = [
  [
    'a working day, in its window',
    ['0 8 * * mon-fri', '10h', 'UTC'],
    '2026-11-26T09:30:15Z',
    { until: '2026-11-26T18:00Z', from: '2026-11-27T08:00Z' },
  ],
  [
    'its first moment is part of it',
    ['0 8 * * mon-fri', '10h', 'UTC'],
    '2026-11-26T08:00:00.000Z',
    { until: '2026-11-26T18:00Z', from: '2026-11-27T08:00Z' },
  ],
  [
    'the moment before is not',
    ['0 8 * * mon-fri', '10h', 'UTC'],
    '2026-11-26T07:59:59.999Z',
    { from: '2026-11-26T08:00Z' },
  ],
  [
    'its end is not part of it, and the next one comes after the weekend',
    ['0 8 * * mon-fri', '10h', 'UTC'],
    '2026-11-27T18:00:00.000Z',
    { from: '2026-11-30T08:00Z' },
  ],
  [
    '08:00 in Berlin is 07:00 UTC in winter',
    ['0 8 * * *', '1h', BERLIN],
    '2026-11-26T06:00Z',
    { from: '2026-11-26T07:00Z' },
  ],
  [
    'and 06:00 UTC in summer',
    ['0 8 * * *', '1h', BERLIN],
    '2026-07-01T05:00Z',
    { from: '2026-07-01T06:00Z' },
  ],
  [
    'a month ahead, with the change of the clock in between',
    ['0 8 1 4 *', '1h', BERLIN],
    '2026-03-02T12:00Z',
    { from: '2026-04-01T06:00Z' },
  ],
  [
    'across midnight',
    ['0 22 * * *', '8h', BERLIN],
    '2026-11-26T23:30Z',
    { until: '2026-11-27T05:00Z', from: '2026-11-27T21:00Z' },
  ],
  [
    'across the night that is an hour shorter: it still ends at 06:00',
    ['0 22 * * *', '8h', BERLIN],
    '2026-03-28T22:00Z',
    { until: '2026-03-29T04:00Z', from: '2026-03-29T20:00Z' },
  ],
  [
    'across the night that is an hour longer, too',
    ['0 22 * * *', '8h', BERLIN],
    '2026-10-24T20:00Z',
    { until: '2026-10-25T05:00Z', from: '2026-10-25T21:00Z' },
  ],
  [
    'a begin that the clock skips: it holds from when the clock shows what comes after it',
    ['30 2 * * *', '4h', BERLIN],
    '2026-03-29T00:45Z',
    { from: '2026-03-29T01:00Z' },
  ],
  [
    'and ends by the clock',
    ['30 2 * * *', '4h', BERLIN],
    '2026-03-29T01:00Z',
    { until: '2026-03-29T04:30Z', from: '2026-03-30T00:30Z' },
  ],
  [
    'an end that the clock skips',
    ['0 1 * * *', '90m', BERLIN],
    '2026-03-29T00:30Z',
    { until: '2026-03-29T01:00Z', from: '2026-03-29T23:00Z' },
  ],
  [
    'a window that the clock skips as a whole does not hold on that day',
    ['0 2 * * *', '1h', BERLIN],
    '2026-03-29T00:59Z',
    { from: '2026-03-30T00:00Z' },
  ],
  [
    'a window that the clock shows twice holds twice: the first time',
    ['30 2 * * *', '30m', BERLIN],
    '2026-10-25T00:30Z',
    { until: '2026-10-25T01:00Z', from: '2026-10-25T01:30Z' },
  ],
  [
    'and the second',
    ['30 2 * * *', '30m', BERLIN],
    '2026-10-25T01:30Z',
    { until: '2026-10-25T02:00Z', from: '2026-10-26T01:30Z' },
  ],
  [
    'once a week, between both times',
    ['15 2 * * sun', '15m', BERLIN],
    '2026-10-25T00:45Z',
    { from: '2026-10-25T01:15Z' },
  ],
  [
    'once a year, between both times: the clock is changed twice until the next',
    ['15 2 25 10 *', '15m', BERLIN],
    '2026-10-25T00:45Z',
    { from: '2026-10-25T01:15Z' },
  ],
  [
    'a window around the hour that comes twice is an hour longer',
    ['0 1 * * *', '4h', BERLIN],
    '2026-10-24T23:00Z',
    { until: '2026-10-25T04:00Z', from: '2026-10-26T00:00Z' },
  ],
  [
    'a window that ends in the hour that comes twice ends twice',
    ['30 1 * * *', '1h', BERLIN],
    '2026-10-25T00:00Z',
    { until: '2026-10-25T00:30Z', from: '2026-10-25T01:00Z' },
  ],
  [
    'New York, the hour that comes twice',
    ['0 1 * * *', '2h', NEW_YORK],
    '2026-11-01T05:00Z',
    { until: '2026-11-01T08:00Z', from: '2026-11-02T06:00Z' },
  ],
  [
    'New York, a begin that is skipped on Sundays in March',
    ['30 2 * * sun', '1h', NEW_YORK],
    '2026-03-08T06:00Z',
    { from: '2026-03-08T07:00Z' },
  ],
  [
    'Lord Howe, where half an hour is skipped',
    ['0 2 * * *', '1h', LORD_HOWE],
    '2026-10-03T15:00Z',
    { from: '2026-10-03T15:30Z' },
  ],
  [
    'Lord Howe, half of the window is left',
    ['0 2 * * *', '1h', LORD_HOWE],
    '2026-10-03T15:30Z',
    { until: '2026-10-03T16:00Z', from: '2026-10-04T15:00Z' },
  ],
  [
    'Lord Howe, the half hour that comes twice, without a gap',
    ['30 1 * * *', '30m', LORD_HOWE],
    '2026-04-04T14:30Z',
    { until: '2026-04-04T15:30Z', from: '2026-04-05T15:00Z' },
  ],
  [
    'windows that meet are one',
    ['0 8 * * mon-fri', '1d', 'UTC'],
    '2026-11-25T12:00Z',
    { until: '2026-11-28T08:00Z', from: '2026-11-30T08:00Z' },
  ],
  [
    'a leap day is waited for',
    ['0 0 29 2 *', '1d', 'UTC'],
    '2026-11-26T00:00Z',
    { from: '2028-02-29T00:00Z' },
  ],
];

/** The calendar is asked in UTC; the zone of the machine must not matter. */
describe.each(['UTC', 'Australia/Sydney', 'America/New_York'])('on a machine in %s', (zone) => {
  const before = process.env['TZ'];
  beforeAll(() => {
    process.env['TZ'] = zone;
  });
  afterAll(() => {
    if (before === undefined) {
      delete process.env['TZ'];
    } else {
      process.env['TZ'] = before;
    }
  });

  test.each(rows)('%s', (_, [cron, duration, timeZone], at, expected) => {
    expect(read(scheduleOf(cron, duration, timeZone), at)).toEqual(expected);
  });

  test('at any moment it holds when the local clock shows so, until it does not', () => {
    fc.assert(
      fc.property(plainSchedules, instants, (plain, atMs) => {
        const schedule: Schedule = {
          cron: `${plain.minute} ${plain.hour} * * ${plain.days.join(',')}`,
          durationMs: plain.minutes * MINUTE_MS,
          timeZone: plain.timeZone,
        };
        const { untilMs, fromMs } = readSchedule(schedule, atMs);
        const isHeld = showsWindow(plain, atMs);
        expect(untilMs !== undefined).toBe(isHeld);
        const changeMs = untilMs ?? fromMs;
        expectSteady(plain, atMs, changeMs, isHeld);
        if (untilMs !== undefined) {
          expectSteady(plain, untilMs, fromMs, false);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test('a schedule that never ends is read again after two months, and holds on from there', () => {
  const always = scheduleOf('0 0 * * *', '1d', 'UTC');
  const { until, from } = read(always, '2026-11-26T12:00Z');
  expect([until, from]).toEqual(['2027-01-29T00:00Z', '2027-01-29T00:00Z']);
  expect(read(always, until!).until).toBe('2027-04-03T00:00Z');
});

test.each<
  readonly [
    situation: string,
    one: readonly [cron: string, duration: string, timeZone: string],
    other: readonly [cron: string, duration: string, timeZone: string],
    expected: string | undefined,
  ]
>([
  [
    'that hold already',
    ['0 8 * * *', '5h', 'UTC'],
    ['0 12 * * *', '1h', 'UTC'],
    '2026-11-26T12:30:00.000Z',
  ],
  [
    'in two time zones',
    ['0 8 * * *', '1h', 'UTC'],
    ['30 9 * * *', '1h', BERLIN],
    '2026-11-27T08:30:00.000Z',
  ],
  [
    'that meet in summer only',
    ['0 6 * * *', '1h', 'UTC'],
    ['0 8 * * *', '1h', BERLIN],
    '2027-03-28T06:00:00.000Z',
  ],
  [
    'of which one comes once a year',
    ['0 0 * * *', '2h', 'UTC'],
    ['0 1 1 11 *', '1h', 'UTC'],
    '2027-11-01T01:00:00.000Z',
  ],
  [
    'of which one begins when the other ends',
    ['0 8 * * *', '2h', 'UTC'],
    ['0 10 * * *', '22h', 'UTC'],
    undefined,
  ],
  ['that meet in two years', ['0 0 * * *', '2h', 'UTC'], ['0 0 29 2 *', '2h', 'UTC'], undefined],
])('the first moment of two %s', (_, one, other, expected) => {
  const at = Date.parse('2026-11-26T12:30Z');
  const [first, second] = [scheduleOf(...one), scheduleOf(...other)];
  for (const atMs of [findOverlap(first, second, at), findOverlap(second, first, at)]) {
    expect(atMs && new Date(atMs).toISOString()).toBe(expected);
  }
});

/** A window that can be told without a calendar. */
interface Plain {
  readonly minute: number;
  readonly hour: number;
  /** 0 is Sunday. */
  readonly days: readonly number[];
  readonly minutes: number;
  readonly timeZone: string;
}

const plainSchedules: fc.Arbitrary<Plain> = fc
  .record({
    minute: fc.oneof(fc.constantFrom(0, 30), fc.integer({ min: 0, max: 59 })),
    hour: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }) }, fc.nat(23)),
    days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }),
    minutes: fc.oneof(fc.integer({ min: 1, max: 240 }), fc.integer({ min: 1, max: 2_000 })),
    timeZone: fc.constantFrom(
      BERLIN,
      NEW_YORK,
      LORD_HOWE,
      'UTC',
      'Asia/Kathmandu',
      'Africa/Casablanca',
    ),
  })
  // What never ends is looked at below.
  .filter(({ days, minutes }) => days.length < 7 || minutes < 1_440);

/** Some time in three years; mostly around a change of the clock in one of the zones. */
const instants = fc.oneof(
  fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) }),
  fc
    .tuple(
      fc.constantFrom(
        '2026-03-29T01:00Z',
        '2026-10-25T01:00Z',
        '2026-03-08T07:00Z',
        '2026-11-01T06:00Z',
        '2026-10-03T15:30Z',
        '2026-04-04T15:00Z',
      ),
      fc.integer({ min: -30 * HOUR_MS, max: 4 * HOUR_MS }),
    )
    .map(([change, besideMs]) => Date.parse(change) + besideMs),
);

/** Reads the local clock, and looks back minute by minute on what it shows for a begin. */
function showsWindow({ minute, hour, days, minutes, timeZone }: Plain, atMs: number): boolean {
  const text = new Date(atMs).toLocaleString('sv-SE', { timeZone });
  const shownMs = Date.parse(`${text.slice(0, 16).replace(' ', 'T')}Z`);
  for (let back = 0; back < minutes; back += 1) {
    const begin = new Date(shownMs - back * MINUTE_MS);
    if (
      begin.getUTCMinutes() === minute &&
      begin.getUTCHours() === hour &&
      days.includes(begin.getUTCDay())
    ) {
      return true;
    }
  }
  return false;
}

/** It is as it was until right before the change, and otherwise from then on. */
function expectSteady(
  plain: Plain,
  fromMs: number,
  changeMs: number | undefined,
  isHeld: boolean,
): void {
  expect(changeMs).toBeGreaterThan(fromMs);
  const endMs = changeMs ?? 0;
  expect([showsWindow(plain, endMs - 1), showsWindow(plain, endMs)]).toEqual([isHeld, !isHeld]);
  const stepMs = Math.max(7 * MINUTE_MS, Math.floor((endMs - fromMs) / 40));
  for (let ms = fromMs; ms < endMs; ms += stepMs) {
    expect(showsWindow(plain, ms)).toBe(isHeld);
  }
}
