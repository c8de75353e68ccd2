/** Draws of counts, all from a seeded generator. */

import { drawNormal } from '../../src/sim/physics.ts';

/** From here on a Poisson count is as good as normal: its skewness is below 0.15. */
const NORMAL_FROM = 50;

/** A Poisson count. */
export function drawPoisson(mean: number, random: () => number): number {
  if (mean >= NORMAL_FROM) {
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * drawNormal(random)));
  }
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) {
    count += 1;
  }
  return count;
}

/**
 * Requests of page views that come at a rate: each is a clump of a geometric number of requests.
 *
 * @param meanRequests - Mean of requests, above 0 or 0.
 * @param clump - Mean requests of one page view, at least 1.
 */
export function drawClumped(meanRequests: number, clump: number, random: () => number): number {
  const views = drawPoisson(meanRequests / clump, random);
  if (views === 0 || clump <= 1) {
    return views;
  }
  // The sum of geometric numbers is negative binomial: a Poisson count whose mean is a gamma variate.
  return views + drawPoisson(drawGamma(views, random) * (clump - 1), random);
}

/**
 * A gamma variate with a shape of at least 1 and scale 1.
 *
 * @see Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26(3), 2000
 */
function drawGamma(shape: number, random: () => number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = drawNormal(random);
    const v = (1 + c * normal) ** 3;
    if (v > 0) {
      const log = Math.log(1 - random());
      if (log < 0.5 * normal * normal + d - d * v + d * Math.log(v)) {
        return d * v;
      }
    }
  }
}
