import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import { forecastStorm, NO_STORM, type StormWatch, watchStorm } from '../../src/scaler/storm.ts';
import { beginTrends, type Trends } from '../../src/scaler/trend.ts';
import { createNormal } from './noisy-load.ts';

const CALM_SECONDS = 60;

const ALARM = { rps: 800, deviationRps: 30, excess: 20, seconds: 1 };

/** Watches a calm minute of 100 rps, then `rates`; the second of the alarm, counted from the end of the calm. */
function alarmAfter(rates: (second: number) => number, seconds: number): number | undefined {
  let watch: StormWatch = NO_STORM;
  for (let second = -CALM_SECONDS; second < seconds; second += 1) {
    const rps = second < 0 ? 100 : rates(second);
    const result = watchStorm(watch, reading(second, rps));
    if (result.alarmedSeconds !== undefined) {
      return second;
    }
    ({ watch } = result);
  }
  return undefined;
}

function reading(second: number, rps: number): Parameters<typeof watchStorm>[1] {
  return {
    atMs: second * 1_000,
    seconds: 1,
    rps,
    expectedRps: 100,
    leastRps: 8,
    beforeRps: 100,
    recentRps: rps,
    dispersion: 9,
    levelRps: rps,
  };
}

describe('watchStorm', () => {
  test.each<[string, (second: number) => number, number]>([
    ['a front is seen with its first reading', () => 800, 0],
    ['a steep ramp within five seconds', (second) => 100 + 50 * (second + 1), 4],
    ['a gentle one within eighteen', (second) => 100 + 5 * (second + 1), 18],
  ])('%s', (_, rates, within) => {
    const alarm = alarmAfter(rates, 60);
    expect(alarm).toBeDefined();
    expect(alarm).toBeLessThanOrEqual(within);
  });

  test('an hour of noise is no storm', () => {
    const normal = createNormal(11);
    expect(alarmAfter(() => 100 + 30 * normal(), 3_600)).toBeUndefined();
  });

  test('nothing is a storm right after the start: what is calm is not known yet', () => {
    const { alarmedSeconds } = watchStorm(NO_STORM, reading(0, 10_000));
    expect(alarmedSeconds).toBeUndefined();
  });

  test('a storm says when it began, when it was seen, and what it rose from', () => {
    const watch = { ...NO_STORM, watchedSeconds: 100 };
    const { watch: seen, alarmedSeconds } = watchStorm(watch, reading(100, 2_000));
    expect(alarmedSeconds).toBe(ENGINE.onsetSeconds);
    expect(seen.storm).toEqual({
      onsetMs: 97_000,
      detectedAtMs: 100_000,
      onsetRps: 100,
      baseRps: 100,
      // 30 rps are a deviation: the variance is 9 times that of a Poisson count.
      alarm: {
        rps: 2_000,
        deviationRps: 30,
        excess: 1_900 / 30 - 0.6,
        seconds: 1,
      },
    });
  });

  test('a storm says what came at its onset, and grows from what was expected by the alarm', () => {
    let watch: StormWatch = { ...NO_STORM, watchedSeconds: 100 };
    for (let second = 0; watch.storm === undefined; second += 1) {
      // The calm trends follow the rise.
      const rise = { ...reading(second, 140 + 30 * second), expectedRps: 100 + 10 * second };
      ({ watch } = watchStorm(watch, { ...rise, beforeRps: rise.rps - 30 }));
    }
    const { detectedAtMs, onsetRps, baseRps } = watch.storm;
    expect(detectedAtMs).toBeGreaterThan(3_000);
    expect(onsetRps).toBe(110);
    expect(baseRps).toBe(100 + detectedAtMs / 100);
  });

  test('what came before the alarm could be raised is not held against what comes then', () => {
    let watch: StormWatch = NO_STORM;
    for (let second = 0; second < 40; second += 1) {
      // The trends have caught up within twenty seconds.
      const expectedRps = second < 20 ? 100 : 300;
      ({ watch } = watchStorm(watch, { ...reading(second, 300), expectedRps, beforeRps: 300 }));
    }
    expect(watch.storm).toBeUndefined();
  });

  test('trends that have fallen below what comes begin anew, and make no storm of it', () => {
    let watch: StormWatch = { ...NO_STORM, watchedSeconds: 100 };
    let alarms = 0;
    for (let second = 0; second < 60; second += 1) {
      const result = watchStorm(watch, { ...reading(second, 100), expectedRps: 30 });
      ({ watch } = result);
      alarms += result.alarmedSeconds === undefined ? 0 : 1;
    }
    expect(alarms).toBeGreaterThan(0);
    expect(watch.storm).toBeUndefined();
  });

  test.each<[string, number, number, boolean]>([
    ['goes on while the rate is above its base', 300, 500, true],
    ['ends when the rate is back at its base', 300, 104, false],
    ['ends when it has become the usual', 701, 500, false],
  ])('it %s', (_, second, rps, goesOn) => {
    const storm = {
      onsetMs: 100_000,
      detectedAtMs: 103_000,
      onsetRps: 100,
      baseRps: 100,
      alarm: ALARM,
    };
    const quiet = { ...reading(second, rps), expectedRps: rps };
    const { watch } = watchStorm({ ...NO_STORM, watchedSeconds: 1_000, storm }, quiet);
    expect(watch.storm !== undefined).toBe(goesOn);
  });
});

describe('forecastStorm', () => {
  const storm = { onsetMs: 0, detectedAtMs: 3_000, onsetRps: 100, baseRps: 100, alarm: ALARM };

  function ahead(trend: { levelRps: number; slopeRps: number }, ageSeconds: number): number {
    const trends: Trends = beginTrends(0).map(() => ({ ...trend, ageSeconds }));
    const at = { atMs: ageSeconds * 1_000, aheadSeconds: 50, dispersion: 1 };
    return forecastStorm(storm, trends, at).aheadRps;
  }

  test('a ramp that has lasted for long goes on as it did', () => {
    // 900 rps above the base within 100 s: 9 rps each second, for another 50 s.
    expect(ahead({ levelRps: 1_000, slopeRps: 9 }, 100)).toBeCloseTo(1_450, -2);
  });

  test('one that has leveled out does not grow', () => {
    expect(ahead({ levelRps: 5_000, slopeRps: 0 }, 300)).toBeCloseTo(5_000, -2);
  });

  test('one that falls is expected to fall further', () => {
    expect(ahead({ levelRps: 5_000, slopeRps: -20 }, 300)).toBeLessThan(4_600);
  });

  test('nothing grows by more than the most, however steep', () => {
    const most = 100 + 900 * ENGINE.riseMost;
    expect(ahead({ levelRps: 1_000, slopeRps: 900 }, 1)).toBeLessThanOrEqual(most);
  });

  test('a clock that stepped back makes no storm of the future', () => {
    expect(Number.isFinite(ahead({ levelRps: 1_000, slopeRps: 9 }, -20))).toBe(true);
  });
});
