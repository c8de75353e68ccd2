/** How much the request rate wavers, measured on two time scales, as shares of a Poisson count's variance. */

import { ENGINE } from './constants.ts';

/**
 * Variance over mean of the requests of a second; 1 is a Poisson process. Page views of several requests, waves
 * of visitors and slow clients make it more.
 */
export interface Noise {
  readonly latestRps: number;
  /** From reading to reading. */
  readonly fast: number;
  /** Of means of `ENGINE.blockSeconds` about what was forecast for them: what wavers longer shows only here. */
  readonly slow: number;
  /** The block that is being filled. */
  readonly blockRequests: number;
  readonly blockSeconds: number;
  readonly blockForecastRps: number;
}

export function beginNoise(rps: number): Noise {
  return {
    latestRps: rps,
    fast: 1,
    slow: 1,
    blockRequests: 0,
    blockSeconds: 0,
    blockForecastRps: rps,
  };
}

/** Variance of the mean rate of one second over its mean; never below a Poisson count's. */
export function dispersionOf({ fast, slow }: Noise): number {
  return Math.max(1, fast, slow);
}

/** 1 when the noise of a second says nothing about the next; the more, the longer what wavers lasts. */
export function persistenceOf({ fast, slow }: Noise): number {
  return Math.max(1, slow / Math.max(1, fast));
}

/** A finished block: the mean of its seconds. */
export interface Block {
  readonly rps: number;
}

/**
 * Takes a reading in.
 *
 * @param levelRps - What the rate is without its noise.
 * @param isCalm - False while a storm rises: what it moves is no noise of the slow kind.
 * @returns The block that this reading has finished, if it has.
 */
export function advanceNoise(
  noise: Noise,
  {
    rps,
    seconds,
    levelRps,
    isCalm,
  }: { rps: number; seconds: number; levelRps: number; isCalm: boolean },
): { readonly noise: Noise; readonly block: Block | undefined } {
  const level = Math.max(1, levelRps);
  const step = (((rps - noise.latestRps) ** 2 / 2) * seconds) / level;
  const fast = smoothed(noise.fast, Math.min(step, ENGINE.noiseOutlier * noise.fast), seconds);
  const blockRequests = noise.blockRequests + rps * seconds;
  const blockSeconds = noise.blockSeconds + seconds;
  const filling = { ...noise, latestRps: rps, fast, blockRequests, blockSeconds };
  if (blockSeconds < ENGINE.blockSeconds) {
    return { noise: filling, block: undefined };
  }
  const block = { rps: blockRequests / blockSeconds };
  const expected = Math.max(1, noise.blockForecastRps);
  const miss = ((block.rps - expected) ** 2 * blockSeconds) / expected;
  const slow = isCalm
    ? smoothed(noise.slow, Math.min(miss, ENGINE.noiseOutlier * noise.slow + 1), blockSeconds)
    : noise.slow;
  return {
    noise: { ...filling, slow, blockRequests: 0, blockSeconds: 0, blockForecastRps: level },
    block,
  };
}

function smoothed(before: number, latest: number, seconds: number): number {
  return before + (latest - before) * Math.min(1, seconds / ENGINE.noiseSeconds);
}
