/** Draws of counts, all from a seeded generator. */

import { drawNormal } from '../../src/sim/physics.ts';
import { drawPoisson } from '../../src/sim/poisson.ts';

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
