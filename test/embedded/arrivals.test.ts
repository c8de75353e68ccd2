import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawArrivals } from '../../src/embedded/arrivals.ts';
import { createRandom } from '../../src/embedded/random.ts';

function draw(rateAt: (seconds: number) => number, durationMs: number, seed: number): number[] {
  return [...drawArrivals(rateAt, durationMs, seed)];
}

describe('drawArrivals', () => {
  test('comes as a Poisson process: counts per second have a variance equal to their mean', () => {
    const counts = new Float64Array(1_000);
    for (const atMs of draw(() => 50, 1_000_000, 1)) {
      const second = Math.floor(atMs / 1_000);
      counts[second] = (counts[second] ?? 0) + 1;
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;

    // Four standard errors: 4·√(50/1000) of the mean, 4·√(2/1000) of the ratio.
    expect(Math.abs(mean - 50)).toBeLessThan(0.9);
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.18);
  });

  test('has exponential gaps: 1/e of them are longer than the mean one', () => {
    const arrivals = draw(() => 100, 1_000_000, 2);
    const gaps = arrivals.slice(1).map((atMs, index) => atMs - (arrivals[index] ?? 0));
    const longShare = gaps.filter((gapMs) => gapMs > 10).length / gaps.length;

    expect(Math.abs(longShare - Math.exp(-1))).toBeLessThan(0.007);
  });

  test('follows the curve: three quarters of a ramp from zero come in its second half', () => {
    const arrivals = draw((seconds) => seconds, 200_000, 3);
    const late = arrivals.filter((atMs) => atMs >= 100_000).length;

    expect(Math.abs(arrivals.length - 20_000)).toBeLessThan(4 * Math.sqrt(20_000));
    expect(Math.abs(late / arrivals.length - 0.75)).toBeLessThan(0.013);
  });

  test('pauses where the rate is zero', () => {
    const arrivals = draw((seconds) => (seconds >= 1 && seconds < 2 ? 0 : 200), 3_000, 4);

    expect(arrivals.some((atMs) => atMs < 1_000)).toBe(true);
    expect(arrivals.filter((atMs) => atMs >= 1_000 && atMs < 2_000)).toEqual([]);
    expect(arrivals.some((atMs) => atMs >= 2_000)).toBe(true);
  });

  test('is ascending, within the duration, and the same for the same seed only', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 0, max: 5_000 }),
        fc.double({ min: 0, max: 2_000, noNaN: true }),
        (seed, durationMs, rps) => {
          const arrivals = draw(() => rps, durationMs, seed);
          expect(arrivals).toEqual(draw(() => rps, durationMs, seed));
          expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
          expect(arrivals.every((atMs) => atMs >= 0 && atMs < durationMs)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
    expect(draw(() => 100, 1_000, 1)).not.toEqual(draw(() => 100, 1_000, 2));
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses a rate of %d', (rps) => {
    expect(() => draw(() => rps, 100, 1)).toThrow(RangeError);
  });
});

describe('createRandom', () => {
  test('is uniform: ten bins of 100,000 draws stay within four standard errors', () => {
    const random = createRandom(1);
    const bins = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 100_000; index += 1) {
      const bin = Math.floor(random() * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    for (const count of bins) {
      expect(Math.abs(count - 10_000)).toBeLessThan(4 * Math.sqrt(9_000));
    }
  });
});
