import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import {
  type ForecastErrors,
  learnErrors,
  NO_ERRORS,
  nodesFor,
  upperQuantile,
} from '../../src/scaler/headroom.ts';

const LATEST = { blockRps: 100, forecastRps: 100, levelRps: 100, aheadSeconds: 50, counts: true };

function after(latest: Partial<typeof LATEST>, blocks: number): ForecastErrors {
  let errors = NO_ERRORS;
  for (let block = 0; block < blocks; block += 1) {
    errors = learnErrors(errors, { ...LATEST, ...latest });
  }
  return errors;
}

describe('learnErrors', () => {
  test.each<[string, Partial<typeof LATEST>, number]>([
    ['forecasts that come true leave nothing to learn', {}, 0],
    ['those that were too low count double', { blockRps: 120 }, 2 * (20 ** 2 / 100)],
    ['those that were too high are no danger', { blockRps: 80 }, 0],
    ['a storm’s onset is not learned', { blockRps: 120, counts: false }, 0],
  ])('%s', (_, latest, meanSquare) => {
    expect(after(latest, 3_000).meanSquare).toBeCloseTo(meanSquare, 1);
  });

  test('nothing is learned before a forecast is due', () => {
    expect(after({ blockRps: 120 }, 50 / ENGINE.blockSeconds).meanSquare).toBe(0);
    expect(after({ blockRps: 120 }, 50 / ENGINE.blockSeconds + 1).meanSquare).toBeGreaterThan(0);
  });

  test('one miss counts for little, however large', () => {
    const errors = learnErrors(after({}, 100), { ...LATEST, blockRps: 1e9 });
    expect(errors.meanSquare).toBeLessThan(0.1);
  });

  test('an hour to serve takes no more memory than ten minutes', () => {
    expect(after({ aheadSeconds: 3_600 }, 1_000).forecastsRps).toHaveLength(120);
  });
});

describe('nodesFor', () => {
  test.each<[string, number, number, number]>([
    ['a rate that is sure needs no head-room', 800, 0, 10],
    ['a rate of nothing needs nothing', 0, 0, 0],
    ['the head-room is a quantile of what is not sure', 800, 40, 10 + 0.85 * 1.69 * 0.5],
  ])('%s', (_, rps, deviationRps, nodes) => {
    expect(nodesFor(rps, deviationRps, 80)).toBeCloseTo(nodes, 1);
  });

  test('more nodes have more to lose, so their head-room is more deviations', () => {
    const few = nodesFor(160, 40, 80) - 2;
    const many = nodesFor(16_000, 40, 80) - 200;
    expect(many).toBeGreaterThan(1.5 * few);
  });
});

describe('upperQuantile', () => {
  test.each([
    [0.5, 0],
    [0.25, 0.6745],
    [0.05, 1.6449],
    [0.01, 2.3263],
    [0.000_1, 3.719],
  ])('%f of the normal distribution exceeds %f', (probability, deviations) => {
    expect(Math.abs(upperQuantile(probability) - deviations)).toBeLessThan(0.000_5);
  });
});
