import { drawNormal } from './physics.ts';

/** From here on a Poisson count is as good as normal: its skewness is below 0.15. */
const NORMAL_FROM = 50;

/**
 * A Poisson count.
 *
 * @param random - Uniform in [0, 1).
 */
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
