/** Head-room: as much above the forecast as its own errors and the noise of the traffic ask for. */

import { ENGINE } from './constants.ts';

/** What became of forecasts. Bounded: one number per block of a time to serve. */
export interface ForecastErrors {
  /** Of each block since a time to serve, the oldest first. */
  readonly forecastsRps: readonly number[];
  /** Means of the latest blocks, as many as demand is made of. */
  readonly blocksRps: readonly number[];
  /** Mean square of the misses on the low side over the rate: rps²/rps. */
  readonly meanSquare: number;
}

export const NO_ERRORS: ForecastErrors = { forecastsRps: [], blocksRps: [], meanSquare: 0 };

/**
 * Compares what has come with what had been forecast for it, once a block.
 *
 * @param latest.forecastRps - For `aheadSeconds` from now.
 * @param latest.counts - False while a storm's onset, which nobody could foresee, would be learned.
 */
export function learnErrors(
  errors: ForecastErrors,
  latest: {
    readonly blockRps: number;
    readonly forecastRps: number;
    readonly levelRps: number;
    readonly aheadSeconds: number;
    readonly counts: boolean;
  },
): ForecastErrors {
  const blocksRps = [...errors.blocksRps, latest.blockRps].slice(-ENGINE.blocksPerDemand);
  const blocks = Math.min(ENGINE.mostBlocks, Math.round(latest.aheadSeconds / ENGINE.blockSeconds));
  const due = errors.forecastsRps.at(-blocks);
  const forecastsRps = [...errors.forecastsRps, latest.forecastRps].slice(-Math.max(1, blocks));
  if (due === undefined || !latest.counts) {
    return { ...errors, forecastsRps, blocksRps };
  }
  const mean = blocksRps.reduce((sum, rps) => sum + rps, 0) / blocksRps.length;
  // Misses on the high side are no danger; twice those on the low side stand for all.
  const square = (2 * Math.max(0, mean - due) ** 2) / Math.max(1, latest.levelRps);
  const bounded = Math.min(square, ENGINE.noiseOutlier * errors.meanSquare + 1);
  const share = ENGINE.blockSeconds / ENGINE.errorSeconds;
  const meanSquare = errors.meanSquare + (bounded - errors.meanSquare) * share;
  return { forecastsRps, blocksRps, meanSquare };
}

/**
 * Nodes for a rate that is not sure. A shortage makes the requests of all nodes late, and each of them costs twice
 * its share of a node: so n nodes should be too few in one of 2n cases, and the newsvendor's quantile follows.
 *
 * @param deviationRps - Standard deviation of what will come about `rps`.
 * @param cost - What a node costs that is not needed, as a share of one that runs.
 * @returns Fractional nodes.
 */
export function nodesFor(
  rps: number,
  deviationRps: number,
  targetPerNodeRps: number,
  cost = 1,
): number {
  let nodes = rps / targetPerNodeRps;
  // Three rounds: the quantile changes little with the nodes.
  for (let round = 0; round < 3; round += 1) {
    const deviations =
      ENGINE.headroomShare * upperQuantile(cost / (2 * Math.max(1, Math.ceil(nodes))));
    nodes = (rps + deviations * deviationRps) / targetPerNodeRps;
  }
  return nodes;
}

/**
 * The point that a standard normal variable exceeds with this probability, at most a half, within 0.0005.
 *
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23
 */
export function upperQuantile(probability: number): number {
  const t = Math.sqrt(-2 * Math.log(probability));
  const above = 2.515517 + 0.802853 * t + 0.010328 * t * t;
  const below = 1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t;
  return Math.max(0, t - above / below);
}
