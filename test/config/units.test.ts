import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseAmountMiB, parseDurationMs } from '../../src/config/units.ts';

describe('durations', () => {
  test.each([
    ['0s', 0],
    ['250ms', 250],
    ['5s', 5_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%s is %d ms', (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
  });

  test.each([
    '',
    '30',
    's',
    '05s',
    '1.5s',
    '-1s',
    '+1s',
    '1 s',
    '1S',
    '1h30m',
    '1w',
    '1s\n',
    '1e3s',
  ])('%j is refused with an example', (text) => {
    expect(() => parseDurationMs(text)).toThrow(
      new RangeError(`expected a duration such as 30s or 5m, got ${JSON.stringify(text)}`),
    );
  });

  test.each([
    [0, '0s'],
    [999, '999ms'],
    [1_000, '1s'],
    [90_000, '90s'],
    [120_000, '2m'],
    [86_400_000, '1d'],
  ])('%d ms is written %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  test('what is written reads back as the same duration', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (durationMs) => {
        expect(parseDurationMs(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });
});

describe('amounts of memory and disk', () => {
  test.each([
    ['0MiB', 0],
    ['512MiB', 512],
    ['8GiB', 8_192],
    ['1TiB', 1_048_576],
  ])('%s is %d MiB', (text, amountMiB) => {
    expect(parseAmountMiB(text)).toBe(amountMiB);
  });

  test.each(['', '512', '512MB', '512mib', '8G', '0.5GiB', '-1MiB', '08GiB'])(
    '%j is refused with an example',
    (text) => {
      expect(() => parseAmountMiB(text)).toThrow(
        new RangeError(`expected an amount such as 512MiB or 8GiB, got ${JSON.stringify(text)}`),
      );
    },
  );
});
