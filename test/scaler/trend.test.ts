import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import {
  advanceTrends,
  beginTrends,
  memoryOf,
  restartTrends,
  type Trends,
  trendVariance,
} from '../../src/scaler/trend.ts';

function after(rates: (second: number) => number, seconds: number, step = 1): Trends {
  let trends = beginTrends(rates(0));
  for (let second = step; second <= seconds; second += step) {
    trends = advanceTrends(trends, rates(second), step);
  }
  return trends;
}

describe('advanceTrends', () => {
  test.each<[string, (second: number) => number, number, number]>([
    ['a steady rate is its level, without a slope', () => 100, 100, 0],
    ['a ramp is followed without a lag', (second) => 100 + 2 * second, 4_100, 2],
    ['a rate of nothing is nothing', () => 0, 0, 0],
  ])('%s', (_, rates, levelRps, slopeRps) => {
    for (const trend of after(rates, 2_000)) {
      expect(trend.levelRps).toBeCloseTo(levelRps, 0);
      expect(trend.slopeRps).toBeCloseTo(slopeRps, 2);
    }
  });

  test('readings of five seconds come to the same as five of one', () => {
    const fine = after((second) => 100 + 2 * second, 2_000);
    const coarse = after((second) => 100 + 2 * second, 2_000, 5);
    for (const [index, trend] of coarse.entries()) {
      expect(trend.levelRps).toBeCloseTo(fine[index]!.levelRps, 0);
    }
  });

  test('the calmer a trend is, the less one reading moves it', () => {
    const moved = advanceTrends(
      after(() => 100, 2_000),
      1_100,
      1,
    ).map(({ levelRps }) => levelRps);
    expect(moved).toEqual(moved.toSorted((one, other) => one - other));
    expect(moved[0]).toBeLessThan(120);
    expect(moved.at(-1)).toBeGreaterThan(500);
  });
});

describe('a reading after a gap', () => {
  const before = after(() => 100, 2_000);
  const levelsOf = (trends: Trends): number[] => trends.map(({ levelRps }) => levelRps);

  test('moves what outlives the gap little more than without one, and replaces what does not', () => {
    const moved = levelsOf(advanceTrends(before, 200, 60, 1));
    expect(moved[0]).toBeLessThan(103);
    expect(moved.at(-1)).toBeCloseTo(200, 5);
    // Were it the mean of the whole minute, it would be worth much more.
    expect(levelsOf(advanceTrends(before, 200, 60))[0]).toBeGreaterThan(130);
  });
});

describe('memoryOf', () => {
  test('a young trend remembers a share of its age, an old one no more than its own', () => {
    const young = restartTrends(beginTrends(100), 40);
    expect(memoryOf(young, 0)).toBe(40 * ENGINE.memoryPerAge);
    expect(
      memoryOf(
        after(() => 100, 10_000),
        0,
      ),
    ).toBe(ENGINE.trendSeconds[0]);
  });
});

describe('restartTrends', () => {
  test('all that are older begin anew from where the fastest is', () => {
    const trends = advanceTrends(
      after(() => 100, 2_000),
      1_100,
      1,
    );
    const fastest = trends.at(-1)!;
    for (const trend of restartTrends(trends, 3).slice(0, -1)) {
      expect(trend).toEqual({ ...fastest, ageSeconds: 3 });
    }
  });

  test('one that began later than that goes on', () => {
    const young = restartTrends(beginTrends(100), 3);
    expect(restartTrends(young, 10)).toEqual(young);
  });
});

describe('trendVariance', () => {
  test('is what noise makes of a trend, measured on 20,000 seconds', () => {
    const memorySeconds = 20;
    const kept = Math.exp(-1 / memorySeconds);
    let level = 0;
    let slope = 0;
    let squares = 0;
    let state = 1;
    for (let second = 0; second < 20_000; second += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      // Uniform noise with a variance of 1.
      const error = (state / 2 ** 32 - 0.5) * Math.sqrt(12) - level - slope;
      level += slope + (1 - kept * kept) * error;
      slope += (1 - kept) ** 2 * error;
      squares += (level + slope * 30) ** 2;
    }
    const expected = trendVariance(memorySeconds, 30).level;
    expect(squares / 20_000 / expected).toBeGreaterThan(0.9);
    expect(squares / 20_000 / expected).toBeLessThan(1.1);
  });
});
