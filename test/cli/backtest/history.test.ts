import { expect, test } from 'vitest';
import { countHistory, drawHistory } from '../../../src/cli/backtest/history.ts';
import { createRandom } from '../../../src/embedded/random.ts';

const BEGIN_MS = 1_790_000_000_000;
const STEP_MS = 15_000;

/** Values of the moments of a grid; undefined: nothing stands there. */
function ratesOf(values: readonly (number | undefined)[], stepMs = STEP_MS) {
  return values.flatMap((rps, index) =>
    rps === undefined ? [] : [{ atMs: BEGIN_MS + index * stepMs, rps }],
  );
}

function drawn(values: readonly (number | undefined)[], seed = 1) {
  const asked = { fromMs: BEGIN_MS, untilMs: BEGIN_MS + (values.length - 1) * STEP_MS };
  return drawHistory(ratesOf(values), { asked, stepMs: STEP_MS, random: createRandom(seed) });
}

function counted(
  rates: readonly { readonly atMs: number; readonly rps: number }[],
  seconds: number,
) {
  const asked = { fromMs: BEGIN_MS, untilMs: BEGIN_MS + seconds * 1_000 };
  return countHistory(rates, { asked, mostMs: 5_000 });
}

function meanOf(values: Float64Array, from: number, until: number): number {
  return values.subarray(from, until).reduce((sum, value) => sum + value, 0) / (until - from);
}

test('between two values the rate is a straight line', () => {
  const { stretches } = drawn([100_000, 100_000, 400_000, 400_000]);
  const { arrivals } = stretches[0]!;
  expect(arrivals).toHaveLength(45);
  // Poisson counts of 100,000 differ by 0.3 % from their mean.
  for (const [second, rps] of [
    [0, 100_000],
    [14, 100_000],
    [15, 110_000],
    [22, 250_000],
    [29, 390_000],
    [44, 400_000],
  ] as const) {
    expect(Math.abs(arrivals[second]! / rps - 1), `second ${second}`).toBeLessThan(0.02);
  }
});

test('each second is a Poisson count, and the same seed draws the same', () => {
  const values = Array.from({ length: 400 }, () => 400);
  const { arrivals } = drawn(values).stretches[0]!;
  const variance = arrivals.reduce((sum, value) => sum + (value - 400) ** 2, 0) / arrivals.length;
  expect(meanOf(arrivals, 0, arrivals.length)).toBeCloseTo(400, -1);
  expect(variance).toBeGreaterThan(360);
  expect(variance).toBeLessThan(440);
  expect(drawn(values).stretches[0]).toEqual(drawn(values).stretches[0]);
  expect(drawn(values, 2).stretches[0]).not.toEqual(drawn(values).stretches[0]);
});

test('the counting noise of a sparse log is smoothed away: a mean holds 1,000 requests', () => {
  // 1 or 9 requests a second by chance: 5 on average, so that 1,000 took 200 s.
  const random = createRandom(5);
  const values = Array.from({ length: 800 }, () => (random() < 0.5 ? 1 : 9));
  const { arrivals } = drawn(values).stretches[0]!;
  const minutes = Array.from({ length: 190 }, (_, at) => meanOf(arrivals, at * 60, at * 60 + 60));
  const mean = minutes.reduce((sum, rps) => sum + rps, 0) / minutes.length;
  const variance = minutes.reduce((sum, rps) => sum + (rps - mean) ** 2, 0) / minutes.length;
  // Means of 13 values of variance 16, and a little of the counts; taken literally, it would be above 3.
  expect(Math.abs(mean - 5)).toBeLessThan(0.5);
  expect(variance).toBeLessThan(2);
});

test('a busy site is not smoothed: one step holds 1,000 requests', () => {
  const { arrivals } = drawn([100, 100, 100, 100, 2_000, 100, 100, 100, 100]).stretches[0]!;
  expect(meanOf(arrivals, 58, 62)).toBeGreaterThan(1_700);
  expect(meanOf(arrivals, 30, 45)).toBeLessThan(130);
});

test('no traffic is a load as well', () => {
  const { stretches, seconds, gaps } = drawn([0, 0, 0]);
  expect([stretches.length, seconds, gaps]).toEqual([1, 30, []]);
  expect([...stretches[0]!.arrivals]).toEqual(Array.from({ length: 30 }, () => 0));
});

test.each<
  readonly [
    situation: string,
    values: readonly (number | undefined)[],
    stretches: readonly number[],
    gaps: readonly (readonly [from: number, until: number])[],
  ]
>([
  ['no gap', [80, 80, 80], [30], []],
  ['one value missing', [80, 80, undefined, 80, 80], [15, 15], [[15, 45]]],
  ['the first ones missing', [undefined, undefined, 80, 80], [15], [[0, 30]]],
  ['the last ones missing', [80, 80, undefined, undefined], [15], [[15, 45]]],
  ['one alone between others', [80, 80, undefined, 80, undefined, 80, 80], [15, 15], [[15, 75]]],
  ['nothing but one', [undefined, 80, undefined], [], [[0, 30]]],
  ['nothing', [undefined, undefined, undefined], [], [[0, 30]]],
])('gaps stay gaps: %s', (_, values, lengths, gaps) => {
  const history = drawn(values);
  expect(history.stretches.map(({ arrivals }) => arrivals.length)).toEqual(lengths);
  expect(history.seconds).toBe(lengths.reduce((sum, length) => sum + length, 0));
  expect(
    history.gaps.map(({ fromMs, untilMs }) => [
      (fromMs - BEGIN_MS) / 1_000,
      (untilMs - BEGIN_MS) / 1_000,
    ]),
  ).toEqual(gaps);
});

test('what the journal counted each second comes as it came', () => {
  const { stretches, gaps } = counted(ratesOf([7, 100, 0, 31.25, 900], 1_000), 4);
  expect([...stretches[0]!.arrivals]).toEqual([100, 0, 31.25, 900]);
  expect(gaps).toEqual([]);
});

test('a sample that is late counts for the time since the one before', () => {
  const at = (second: number, rps: number) => ({ atMs: BEGIN_MS + second * 1_000, rps });
  const { stretches } = counted([at(0, 5), at(1.5, 100), at(2, 40), at(5, 10)], 5);
  expect([...stretches[0]!.arrivals]).toEqual([100, 50 + 20, 10, 10, 10]);
});

test('the journal was not written for a while, or the clock was set back: a gap, or another stretch', () => {
  const at = (second: number) => ({ atMs: BEGIN_MS + second * 1_000, rps: 80 });
  const paused = counted([at(0), at(1), at(6), at(7), at(12.001), at(13.001)], 13);
  expect(paused.stretches.map(({ arrivals }) => arrivals.length)).toEqual([7, 1]);
  expect(paused.gaps).toEqual([{ fromMs: BEGIN_MS + 7_000, untilMs: BEGIN_MS + 12_001 }]);
  const back = counted([at(0), at(1), at(2), at(1), at(2)], 2);
  expect(back.stretches.map(({ arrivals }) => arrivals.length)).toEqual([2, 1]);
  expect(back.gaps).toEqual([]);
});
