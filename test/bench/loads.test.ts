import { expect, test } from 'vitest';
import { drawClumped } from '../../bench/elasticity/chance.ts';
import { drawStorm, stormArrivals, stormRates } from '../../bench/elasticity/storm.ts';
import { readTrace, traceArrivals } from '../../bench/elasticity/trace-load.ts';
import { ConfigError } from '../../src/control/errors.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { drawPoisson } from '../../src/sim/poisson.ts';

function highest(values: Float64Array): number {
  return values.reduce((high, value) => Math.max(high, value), 0);
}

function moments(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance };
}

test.each([3, 49, 51, 400])(
  'Poisson counts of mean %d have that mean and that variance',
  (mean) => {
    const random = createRandom(1);
    const drawn = moments(Array.from({ length: 20_000 }, () => drawPoisson(mean, random)));
    expect(drawn.mean / mean).toBeCloseTo(1, 1);
    expect(drawn.variance / mean).toBeCloseTo(1, 1);
  },
);

test('requests in clumps of six on average have 2 · 6 − 1 times the variance of single ones', () => {
  const random = createRandom(1);
  const drawn = moments(Array.from({ length: 20_000 }, () => drawClumped(300, 6, random)));
  expect(drawn.mean / 300).toBeCloseTo(1, 1);
  expect(drawn.variance / 300 / 11).toBeCloseTo(1, 1);
});

test('storms are drawn within the bounds of measured ones, with their shares of oddities', () => {
  const storms = Array.from({ length: 2_000 }, (_, seed) => drawStorm(seed + 1));
  for (const { baseRps, factor, riseMinutes, clump } of storms) {
    expect(baseRps).toBeGreaterThanOrEqual(25);
    expect(baseRps).toBeLessThanOrEqual(300);
    expect(factor).toBeGreaterThanOrEqual(5);
    expect(factor).toBeLessThanOrEqual(200);
    expect(baseRps * factor).toBeLessThanOrEqual(12_000.001);
    expect(riseMinutes).toBeLessThanOrEqual(40);
    expect(clump).toBeGreaterThanOrEqual(3);
    expect(clump).toBeLessThanOrEqual(10);
  }
  const share = (isOdd: (storm: (typeof storms)[number]) => boolean): number =>
    storms.filter(isOdd).length / storms.length;
  expect(share(({ second }) => second !== undefined)).toBeCloseTo(0.3, 1);
  expect(share(({ falseAlarm }) => falseAlarm !== undefined)).toBeCloseTo(0.2, 1);
  expect(share(({ riseMinutes }) => riseMinutes === 0)).toBeCloseTo(0.1, 1);
});

test('the rate begins about the base, and its first hump peaks at the factor', () => {
  const storm = { ...drawStorm(1), second: undefined, falseAlarm: undefined };
  const rates = stormRates(storm);
  expect((rates[0] ?? 0) / storm.baseRps).toBeGreaterThan(0.74);
  expect((rates[0] ?? 0) / storm.baseRps).toBeLessThan(1.26);
  // The swing of the day comes on top.
  expect(Math.abs(highest(rates) / storm.baseRps - storm.factor)).toBeLessThan(0.26);
});

test('of a front the whole jump falls within ten seconds', () => {
  const front = { ...drawStorm(1), riseMinutes: 0, second: undefined, falseAlarm: undefined };
  const rates = stormRates(front);
  const start = front.startMinute * 60;
  expect(rates[start + 10]).toBe(highest(rates));
  expect(rates[start]).toBeLessThan(1.3 * front.baseRps);
});

test('the same seed gives the same storm, another one another', () => {
  expect(stormArrivals(7)).toEqual(stormArrivals(7));
  expect(stormArrivals(7)).not.toEqual(stormArrivals(8));
});

/** Counts of a constant rate, as a sparse log has them. */
function sparseTrace(rps: number, seconds: number): string {
  const random = createRandom(1);
  const rows = Array.from({ length: seconds }, (_, at) => `${at},${drawPoisson(rps, random)}`);
  return `second,rps\n${rows.join('\n')}\n`;
}

test('the noise of a sparse log does not become bursts when it is scaled', () => {
  const { rates, isDrawn } = readTrace(sparseTrace(2, 7_200));
  expect(isDrawn).toBe(true);
  const lowest = rates.reduce((low, rps) => Math.min(low, rps), Number.POSITIVE_INFINITY);
  // Unsmoothed, seconds would lie between 0 and 20,000 rps.
  expect(highest(rates) / lowest).toBeLessThan(1.25);
  expect(highest(rates)).toBeCloseTo(4_000, -2);
});

test('each seed draws the counts of a scaled trace anew', () => {
  const trace = readTrace(sparseTrace(2, 3_600));
  expect(traceArrivals(trace, 1)).toEqual(traceArrivals(trace, 1));
  expect(traceArrivals(trace, 1)).not.toEqual(traceArrivals(trace, 2));
});

test('a trace that leaves the minimum by itself is taken as it is', () => {
  const counts = [100, 281, 307, ...Array.from({ length: 200 }, () => 400)];
  const text = `second,rps\n${counts.map((rps, second) => `${second},${rps}`).join('\n')}\n`;
  const trace = readTrace(text);
  expect(trace.isDrawn).toBe(false);
  expect([...traceArrivals(trace, 5)]).toEqual(counts);
});

test('of a trace of five-minute rows the day around its peak is taken', () => {
  const rows = Array.from({ length: 5 * 288 }, (_, row) => (row === 700 ? 900_000 : 30_000));
  const text = `minute,requests\n${rows.map((count, row) => `${row * 5},${count}`).join('\n')}\n`;
  const { rates } = readTrace(text);
  expect(rates).toHaveLength(86_400);
  const peakAt = rates.indexOf(highest(rates));
  expect(Math.abs(peakAt - 43_200)).toBeLessThanOrEqual(300);
});

test('what is no trace is refused, with its line', () => {
  expect(() => readTrace('time,load\n1,2\n')).toThrow(ConfigError);
});
