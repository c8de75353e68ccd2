/**
 * Storms: a sum of how far the readings exceed what was forecast is watched (CUSUM), so that a rise is seen within
 * seconds, by one huge reading or by several that each could be noise.
 *
 * @see Page, Continuous inspection schemes, Biometrika 41, 1954
 */

import { ENGINE } from './constants.ts';
import { memoryOf, type Trends, trendVariance } from './trend.ts';

/** A rise that is no noise. */
export interface Storm {
  /** When the readings began to exceed the forecast. */
  readonly onsetMs: number;
  readonly detectedAtMs: number;
  /** The rate that it rose from. */
  readonly baseRps: number;
}

export interface StormWatch {
  /** What readings exceeded the forecast by lately, in deviations × seconds; 0 when nothing did. */
  readonly excess: number;
  /** Since so many seconds there is an excess. */
  readonly excessSeconds: number;
  /** For so long has this been watched. */
  readonly watchedSeconds: number;
  readonly storm: Storm | undefined;
}

export const NO_STORM: StormWatch = {
  excess: 0,
  excessSeconds: 0,
  watchedSeconds: 0,
  storm: undefined,
};

export interface StormReading {
  readonly atMs: number;
  readonly seconds: number;
  readonly rps: number;
  /** What the calm trends expected of this reading. */
  readonly expectedRps: number;
  /** Variance over mean of a second's requests. */
  readonly dispersion: number;
  /** What the second-fastest trend makes of it: its level. */
  readonly levelRps: number;
}

/**
 * @returns The watch after a reading. When this one raised the alarm, for how many seconds the rise has been seen;
 * when it ended a storm, whether the rate is back at what it had risen from. Either way the trends begin anew.
 */
export function watchStorm(
  watch: StormWatch,
  reading: StormReading,
): {
  readonly watch: StormWatch;
  readonly alarmedSeconds?: number;
  readonly backAtRps?: number;
} {
  const { atMs, seconds, rps, dispersion } = reading;
  const expectedRps = Math.max(1, reading.expectedRps);
  const deviations = (rps - expectedRps) / Math.sqrt(dispersion * expectedRps);
  const excess = Math.max(0, watch.excess + (deviations - ENGINE.stormDriftDeviations) * seconds);
  const excessSeconds = excess > 0 ? watch.excessSeconds + seconds : 0;
  const watchedSeconds = watch.watchedSeconds + seconds;
  const storm = stillStorm(watch.storm, reading);
  const isAlarm =
    excess > ENGINE.stormAlarmDeviations && watchedSeconds > ENGINE.stormWarmUpSeconds;
  if (!isAlarm) {
    const calm = { watch: { excess, excessSeconds, watchedSeconds, storm } };
    const isBack = watch.storm !== undefined && isBackAtBase(watch.storm, reading);
    return isBack ? { ...calm, backAtRps: watch.storm.baseRps } : calm;
  }
  const alarmedSeconds = Math.max(ENGINE.onsetSeconds, excessSeconds);
  const begun = {
    onsetMs: atMs - alarmedSeconds * 1_000,
    detectedAtMs: atMs,
    baseRps: expectedRps,
  };
  return {
    watch: { excess: 0, excessSeconds: 0, watchedSeconds, storm: storm ?? begun },
    alarmedSeconds,
  };
}

function stillStorm(storm: Storm | undefined, reading: StormReading): Storm | undefined {
  const isOver =
    storm !== undefined &&
    (reading.atMs - storm.onsetMs > ENGINE.stormSeconds * 1_000 || isBackAtBase(storm, reading));
  return isOver ? undefined : storm;
}

function isBackAtBase(storm: Storm, { levelRps }: StormReading): boolean {
  return levelRps < ENGINE.stormOver * storm.baseRps;
}

export interface StormForecast {
  readonly nowRps: number;
  readonly aheadRps: number;
  /** Variance of the rate now, in shares of the variance of the mean of one second. */
  readonly variance: number;
}

/**
 * A storm's rate after `aheadSeconds`: what exceeds its base grows like a power of its age, since a rise that has
 * lasted for a minute says nothing about the next hour. Until it has shown its power, the usual one counts.
 */
export function forecastStorm(
  storm: Storm,
  trends: Trends,
  at: { readonly atMs: number; readonly aheadSeconds: number; readonly dispersion: number },
): StormForecast {
  const [calm] = trends;
  const { levelRps, slopeRps } = calm ?? { levelRps: storm.baseRps, slopeRps: 0 };
  // At least a second: a clock that stepped back must not make a storm begin in the future.
  const ageSeconds = Math.max(1, (at.atMs - storm.onsetMs) / 1_000);
  const variance = at.dispersion * Math.max(1, levelRps);
  const noise = trendVariance(memoryOf(trends, 0), 0);
  const excessRps = Math.max(1, levelRps - storm.baseRps);
  const shown = (slopeRps * ageSeconds) / excessRps;
  const shownVariance = (ageSeconds / excessRps) ** 2 * noise.slope * variance;
  const power = powerOf(shown, shownVariance);
  const growth = Math.min(ENGINE.riseMost, (1 + at.aheadSeconds / ageSeconds) ** power);
  return {
    nowRps: Math.max(0, levelRps),
    aheadRps: storm.baseRps + excessRps * growth,
    variance: noise.level,
  };
}

/** The usual power and the one that was shown, each weighed by how sure it is. */
function powerOf(shown: number, shownVariance: number): number {
  const usualVariance = ENGINE.risePowerDeviation ** 2;
  const power =
    (shown * usualVariance + ENGINE.risePower * shownVariance) / (usualVariance + shownVariance);
  return Math.min(ENGINE.risePowerMost, Math.max(-1, power));
}
