/** Level and slope of the request rate on several time scales at once. */

import { ENGINE } from './constants.ts';

/** One time scale. Older readings fade with a memory that grows with the trend's age up to its own. */
export interface Trend {
  readonly levelRps: number;
  /** By how much the level grows per second. */
  readonly slopeRps: number;
  /** Seconds since it began, or was begun anew. */
  readonly ageSeconds: number;
}

/** The calmest first, one for each of `ENGINE.trendSeconds`. */
export type Trends = readonly Trend[];

export function beginTrends(rps: number): Trends {
  return ENGINE.trendSeconds.map(() => ({
    levelRps: rps,
    slopeRps: 0,
    ageSeconds: ENGINE.firstAgeSeconds,
  }));
}

/** How many seconds a trend remembers now. */
export function memoryOf(trends: Trends, index: number): number {
  const fastest = ENGINE.trendSeconds.at(-1) ?? 1;
  const grown = (trends[index]?.ageSeconds ?? 0) * ENGINE.memoryPerAge;
  return Math.min(ENGINE.trendSeconds[index] ?? fastest, Math.max(fastest, grown));
}

/**
 * Takes a reading in: the mean rate of the latest `readSeconds`, when `seconds` have passed since the one before. A
 * gap between the two takes from what is remembered, and gives the reading no more weight than it has.
 *
 * @see Brown, Smoothing, Forecasting and Prediction, 1963: double exponential smoothing, here as level and slope
 */
export function advanceTrends(
  trends: Trends,
  rps: number,
  seconds: number,
  readSeconds: number = seconds,
): Trends {
  return trends.map(({ levelRps, slopeRps, ageSeconds }, index) => {
    const memorySeconds = memoryOf(trends, index);
    const leftSeconds = memorySeconds * Math.exp((readSeconds - seconds) / memorySeconds);
    const kept = Math.exp(-readSeconds / leftSeconds);
    const expected = levelRps + slopeRps * seconds;
    const error = rps - expected;
    return {
      levelRps: expected + (1 - kept * kept) * error,
      slopeRps: slopeRps + ((1 - kept) ** 2 * error) / seconds,
      ageSeconds: ageSeconds + seconds,
    };
  });
}

/** Begins all but the fastest anew from where that is: what they remember was another time. */
export function restartTrends(trends: Trends, ageSeconds: number): Trends {
  const fastest = trends.at(-1);
  return fastest === undefined
    ? trends
    : trends.map((trend) =>
        trend === fastest || trend.ageSeconds <= ageSeconds ? trend : { ...fastest, ageSeconds },
      );
}

/** Variances of a trend, in shares of the variance of the mean rate of one second. */
export interface TrendVariance {
  /** Of the level, looked ahead by so many seconds along the slope. */
  readonly level: number;
  readonly slope: number;
}

/** How far noise moves a trend that remembers so much: Brown's formulas for steps of a second. */
export function trendVariance(memorySeconds: number, aheadSeconds: number): TrendVariance {
  const kept = Math.exp(-1 / memorySeconds);
  const gain = 1 - kept;
  const scale = gain / (1 + kept) ** 3;
  const ahead = gain * aheadSeconds;
  return {
    level:
      scale * (1 + 4 * kept + 5 * kept * kept + 2 * ahead * (1 + 3 * kept) + 2 * ahead * ahead),
    slope: 2 * scale * gain * gain,
  };
}
