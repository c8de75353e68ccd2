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
  /** What came at its onset. */
  readonly onsetRps: number;
  /** The most that was foreseen for the reading of its alarm: what exceeds that grows. */
  readonly baseRps: number;
  readonly alarm: StormAlarm;
}

/** What gave a storm away. */
export interface StormAlarm {
  /** The last reading before it was named. */
  readonly rps: number;
  /** By so much a second's rate wavers about what was foreseen. */
  readonly deviationRps: number;
  /** What the readings exceeded it by in sum, in deviations × seconds, and in how many seconds. */
  readonly excess: number;
  readonly seconds: number;
}

/** Hardly anything comes since a moment ago, or came until lately. */
export interface Silence {
  /** What was expected when it began: a rate that comes back to it is no storm. */
  readonly knownRps: number;
  /** Since its beginning. */
  readonly seconds: number;
}

export interface StormWatch {
  /** What readings exceeded the forecast by lately, in deviations × seconds; 0 when nothing did. */
  readonly excess: number;
  /** Since so many seconds there is an excess. */
  readonly excessSeconds: number;
  /** What came when the excess began. */
  readonly onsetRps: number;
  /** For so long has this been watched since the first visitors came. */
  readonly watchedSeconds: number;
  readonly silence: Silence | undefined;
  readonly storm: Storm | undefined;
}

export const NO_STORM: StormWatch = {
  excess: 0,
  excessSeconds: 0,
  onsetRps: 0,
  watchedSeconds: 0,
  silence: undefined,
  storm: undefined,
};

export interface StormReading {
  readonly atMs: number;
  readonly seconds: number;
  readonly rps: number;
  /** What the calm trends expected of this reading. */
  readonly expectedRps: number;
  /** Less is next to nothing. */
  readonly leastRps: number;
  /** The mean of some seconds, before this one and with it: unlike a trend, it goes no lower than they did. */
  readonly beforeRps: number;
  readonly recentRps: number;
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
  const { atMs, seconds, rps } = reading;
  const silence = silenceAfter(watch, reading);
  const foreseenRps = Math.max(1, reading.expectedRps, silence?.knownRps ?? 0);
  const deviationRps = Math.sqrt(reading.dispersion * foreseenRps);
  const risen = advanceExcess(watch, reading, { foreseenRps, deviationRps });
  const isAlarm = risen.excess > ENGINE.stormAlarmDeviations;
  const storm = stillStorm(watch.storm, reading);
  // Nothing is known of a rate before its first visitors.
  const hasBegun = watch.watchedSeconds > 0 || rps >= 1;
  const watchedSeconds = hasBegun ? watch.watchedSeconds + seconds : 0;
  if (!isAlarm) {
    const calm = { watch: { ...risen, watchedSeconds, silence, storm } };
    const isBack = watch.storm !== undefined && isBackAtBase(watch.storm, reading);
    return isBack ? { ...calm, backAtRps: watch.storm.baseRps } : calm;
  }
  const { excess, excessSeconds } = risen;
  const alarmedSeconds = Math.max(ENGINE.onsetSeconds, excessSeconds);
  // After a fall the trends go below what comes: that is no rise, and they begin anew all the same.
  const isRise = reading.recentRps - risen.onsetRps > ENGINE.riseDeviations * deviationRps;
  const begun = {
    onsetMs: atMs - alarmedSeconds * 1_000,
    detectedAtMs: atMs,
    onsetRps: risen.onsetRps,
    baseRps: foreseenRps,
    alarm: { rps, deviationRps, excess, seconds: excessSeconds },
  };
  return {
    watch: { ...NO_EXCESS, watchedSeconds, silence, storm: storm ?? (isRise ? begun : undefined) },
    alarmedSeconds,
  };
}

const NO_EXCESS = { excess: 0, excessSeconds: 0, onsetRps: 0 };

function advanceExcess(
  watch: StormWatch,
  { seconds, rps, beforeRps }: StormReading,
  { foreseenRps, deviationRps }: { readonly foreseenRps: number; readonly deviationRps: number },
): Pick<StormWatch, 'excess' | 'excessSeconds' | 'onsetRps'> {
  if (watch.watchedSeconds < ENGINE.stormWarmUpSeconds) {
    return NO_EXCESS;
  }
  const deviations = (rps - foreseenRps) / deviationRps;
  const excess = Math.max(0, watch.excess + (deviations - ENGINE.stormDriftDeviations) * seconds);
  const onsetRps = watch.excess > 0 ? watch.onsetRps : beforeRps;
  return excess > 0
    ? { excess, excessSeconds: watch.excessSeconds + seconds, onsetRps }
    : NO_EXCESS;
}

/** A silence is over when the trends have come back to what it had begun from, or when that is long ago. */
function silenceAfter(
  { silence, storm }: StormWatch,
  { seconds, rps, expectedRps, leastRps }: StormReading,
): Silence | undefined {
  if (silence === undefined) {
    return rps < leastRps && storm === undefined ? { knownRps: expectedRps, seconds } : undefined;
  }
  const isOver =
    silence.seconds > ENGINE.silenceSeconds || (rps >= leastRps && expectedRps >= silence.knownRps);
  return isOver ? undefined : { ...silence, seconds: silence.seconds + seconds };
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
 * A storm's rate after `aheadSeconds`. What exceeds its base is taken for a power of its age, excess(t) = c · tᵖ: a
 * front has p near 0, a ramp 1, and what spreads from reader to reader slows down between the two. So it grows by
 * (1 + ahead / age)ᵖ, since a rise that has lasted for a minute says nothing about the next hour. p is what the rise
 * has shown, from the formula's own slope, excess′ = p · excess / t, so p = slope · age / excess. The younger it is,
 * the less sure that is: it is averaged with the usual p (`risePower`), each weighed by the inverse of its variance, as
 * the two measurements of one number that they are. Power and weights were fitted; no model of crowds is behind them.
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
  // The slope's own variance (Brown), scaled as the slope is.
  const shownVariance = (ageSeconds / excessRps) ** 2 * noise.slope * variance;
  const power = powerOf(shown, shownVariance);
  const growth = Math.min(ENGINE.riseMost, (1 + at.aheadSeconds / ageSeconds) ** power);
  return {
    nowRps: Math.max(0, levelRps),
    aheadRps: storm.baseRps + excessRps * growth,
    variance: noise.level,
  };
}

/** The mean of the usual power and the one that was shown, each weighed by the inverse of its variance. */
function powerOf(shown: number, shownVariance: number): number {
  const usualVariance = ENGINE.risePowerDeviation ** 2;
  const power =
    (shown * usualVariance + ENGINE.risePower * shownVariance) / (usualVariance + shownVariance);
  return Math.min(ENGINE.risePowerMost, Math.max(-1, power));
}
