/** Means and intervals of cost ratios. */

import { createRandom } from '../../src/embedded/random.ts';

/** Cost ratios of one kind of load each, in the order of their seeds: what is resampled together. */
export type Strata = readonly (readonly number[])[];

export function geometricMean(values: readonly number[]): number {
  const logs = values.reduce((sum, value) => sum + Math.log(value), 0);
  return Math.exp(logs / Math.max(1, values.length));
}

/** The value that a share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/**
 * The 95 % interval of a ratio of regrets, both of the same loads: each resample draws loads, within their
 * stratum, for both alike. Two runs give the same interval.
 */
export function regretRatioInterval(one: Strata, other: Strata): Interval {
  return resampledInterval([one, other], ([ours = 1, theirs = 1]) => (ours - 1) / (theirs - 1));
}

/** The 95 % interval of a regret. */
export function regretInterval(strata: Strata): Interval {
  return resampledInterval([strata], ([mean = 1]) => mean - 1);
}

/** @param statistic - Of the geometric means of all contenders, each over the same resampled loads. */
function resampledInterval(
  contenders: readonly Strata[],
  statistic: (means: readonly number[]) => number,
): Interval {
  const random = createRandom(1);
  const logs = contenders.map((strata) =>
    strata.map((values) => values.map((one) => Math.log(one))),
  );
  const draws: number[] = [];
  for (let resample = 0; resample < RESAMPLES; resample += 1) {
    draws.push(statistic(resampledMeans(logs, random)));
  }
  return { low: quantile(draws, 0.025), high: quantile(draws, 0.975) };
}

/** Geometric means of one resample, from logarithms. */
function resampledMeans(
  contenders: readonly (readonly (readonly number[])[])[],
  random: () => number,
): readonly number[] {
  const sums = contenders.map(() => 0);
  let count = 0;
  for (const [stratum, { length }] of (contenders[0] ?? []).entries()) {
    for (let draw = 0; draw < length; draw += 1) {
      const chosen = Math.floor(random() * length);
      for (const [index, strata] of contenders.entries()) {
        sums[index] = (sums[index] ?? 0) + (strata[stratum]?.[chosen] ?? 0);
      }
    }
    count += length;
  }
  return sums.map((sum) => Math.exp(sum / count));
}
