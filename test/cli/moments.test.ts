import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  formatFuture,
  formatMoment,
  formatPast,
  localizeTimes,
  parseMoment,
} from '../../src/cli/moments.ts';

const zone = process.env['TZ'];

beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});

afterAll(() => {
  if (zone === undefined) {
    delete process.env['TZ'];
  } else {
    process.env['TZ'] = zone;
  }
});

/** 15:07:30 in Berlin. */
const NOW_MS = Date.parse('2026-11-24T14:07:30.400Z');

test.each([
  { text: '5m', iso: '2026-11-24T14:02:30.400Z' },
  { text: '-5m', iso: '2026-11-24T14:02:30.400Z' },
  { text: '5m ago', iso: '2026-11-24T14:02:30.400Z' },
  { text: '90s', iso: '2026-11-24T14:06:00.400Z' },
  { text: '2d', iso: '2026-11-22T14:07:30.400Z' },
  { text: '15:07', iso: '2026-11-24T14:07:00.000Z' },
  { text: '15:07:10', iso: '2026-11-24T14:07:10.000Z' },
  { text: '15:07:30', iso: '2026-11-24T14:07:30.000Z' },
  // Not yet today, so it was yesterday.
  { text: '15:07:31', iso: '2026-11-23T14:07:31.000Z' },
  { text: '15:08', iso: '2026-11-23T14:08:00.000Z' },
  { text: '9:05', iso: '2026-11-24T08:05:00.000Z' },
  { text: '00:00', iso: '2026-11-23T23:00:00.000Z' },
  { text: '2026-11-24T14:07:10Z', iso: '2026-11-24T14:07:10.000Z' },
  { text: '2026-11-24T14:07:10.250Z', iso: '2026-11-24T14:07:10.250Z' },
  { text: '2026-11-24T14:07:10+02:00', iso: '2026-11-24T12:07:10.000Z' },
  { text: '2026-11-24T14:07:10', iso: '2026-11-24T13:07:10.000Z' },
  { text: '2026-11-24 14:07', iso: '2026-11-24T13:07:00.000Z' },
])('$text is $iso', ({ text, iso }) => {
  expect(new Date(parseMoment(text, NOW_MS)).toISOString()).toBe(iso);
});

test.each([
  '',
  'yesterday',
  '24:00',
  '14:60',
  '14:07:60',
  '5 m',
  '5',
  '5w',
  '2026-11-24',
  '1h30m',
  '+5m',
])('%o is no moment', (text) => {
  expect(() => parseMoment(text, NOW_MS)).toThrow('Expected a time: 14:07');
});

test('on the day that the clocks are set back, a time of day is still one', () => {
  // 02:30 came twice on this day; 03:30 UTC+1 is half past two hours and a half later.
  const nowMs = Date.parse('2026-10-25T02:30:00Z');
  expect(new Date(parseMoment('03:00', nowMs)).toISOString()).toBe('2026-10-25T02:00:00.000Z');
  expect(new Date(parseMoment('04:00', nowMs)).toISOString()).toBe('2026-10-24T02:00:00.000Z');
});

test.each([
  { iso: '2026-11-24T14:07:10.900Z', text: '15:07:10' },
  { iso: '2026-11-23T23:00:00.000Z', text: '00:00:00' },
  { iso: '2026-11-23T22:59:59.000Z', text: '2026-11-23 23:59:59' },
])('$iso is shown as $text', ({ iso, text }) => {
  expect(formatMoment(iso, NOW_MS)).toBe(text);
});

test.each([
  { seconds: 0, text: '0 s' },
  { seconds: 119, text: '119 s' },
  { seconds: 120, text: '2 min' },
  { seconds: 7_169, text: '119 min' },
  { seconds: 7_170, text: '2 h' },
  { seconds: 7_200, text: '2 h' },
  { seconds: 47 * 3_600, text: '47 h' },
  { seconds: 48 * 3_600, text: '2 d' },
  { seconds: 7 * 86_400, text: '7 d' },
])('$seconds seconds are $text', ({ seconds, text }) => {
  const iso = new Date(NOW_MS - seconds * 1_000).toISOString();
  expect(formatPast(iso, NOW_MS)).toContain(`(${text} ago)`);
  expect(formatFuture(new Date(NOW_MS + seconds * 1_000).toISOString(), NOW_MS)).toContain(
    `(in ${text})`,
  );
});

test('times within a sentence are shown as any other', () => {
  const text = 'Would scale in at 2026-11-24T14:07:40.000Z, not at 2026-11-23T10:00:00Z or 14:07.';
  expect(localizeTimes(text, NOW_MS)).toBe(
    'Would scale in at 15:07:40, not at 2026-11-23 11:00:00 or 14:07.',
  );
});
