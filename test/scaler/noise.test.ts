import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import {
  advanceNoise,
  beginNoise,
  dispersionOf,
  type Noise,
  persistenceOf,
} from '../../src/scaler/noise.ts';
import { createNormal } from './noisy-load.ts';

function after(rates: (second: number) => number, isCalm = true): Noise {
  let noise = beginNoise(100);
  for (let second = 0; second < 3_000; second += 1) {
    ({ noise } = advanceNoise(noise, { rps: rates(second), seconds: 1, levelRps: 100, isCalm }));
  }
  return noise;
}

describe('dispersionOf', () => {
  test.each<[string, number]>([
    ['requests that come one by one are a Poisson process', 1],
    ['page views of several requests waver more', 9],
  ])('%s', (_, dispersion) => {
    const normal = createNormal(7);
    const noise = after(() => 100 + Math.sqrt(100 * dispersion) * normal());
    expect(dispersionOf(noise)).toBeGreaterThan(dispersion * 0.7);
    expect(dispersionOf(noise)).toBeLessThan(dispersion * 1.8);
  });

  test('a rate that never changes is not believed to be without noise', () => {
    expect(dispersionOf(after(() => 100))).toBe(1);
  });

  test('one reading counts for at most some times the noise so far', () => {
    const { noise } = advanceNoise(beginNoise(100), {
      rps: 100_000,
      seconds: 1,
      levelRps: 100,
      isCalm: true,
    });
    expect(noise.fast).toBeLessThan(1 + ENGINE.noiseOutlier / ENGINE.noiseSeconds);
  });

  test('what wavers slowly shows in the blocks, unless a storm moves them', () => {
    const wave = (second: number): number => 100 + 50 * Math.sin(second / 10);
    expect(after(wave).slow).toBeGreaterThan(5);
    expect(after(wave, false).slow).toBe(1);
  });
});

describe('persistenceOf', () => {
  test('is 1 for noise that does not last, and more for waves', () => {
    const normal = createNormal(3);
    expect(persistenceOf(after(() => 100 + 30 * normal()))).toBeLessThan(1.7);
    expect(persistenceOf(after((second) => 100 + 50 * Math.sin(second / 10)))).toBeGreaterThan(2);
  });
});

describe('advanceNoise', () => {
  test('a block ends when its seconds are full, whatever the ticks', () => {
    const first = advanceNoise(beginNoise(100), {
      rps: 90,
      seconds: 3,
      levelRps: 100,
      isCalm: true,
    });
    expect(first.block).toBeUndefined();
    const second = advanceNoise(first.noise, { rps: 120, seconds: 3, levelRps: 100, isCalm: true });
    expect(second.block).toEqual({ rps: 105 });
  });
});
