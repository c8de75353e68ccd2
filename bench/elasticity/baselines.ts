/** What is no peer: straw men to be beaten, and those who know the future, as marks of what can be reached. */

import { MIN_NODES } from '../../src/sim/optimum.ts';
import { RecentHighest } from './recent.ts';
import type { Scaler } from './scaler.ts';

const HOLT_PERIOD_SECONDS = 5;

/** Holt's level and trend of 5 s means, looked ahead by a boot, held for two minutes. */
export function createHoltLookAhead(targetRps: number, bootSeconds: number): Scaler {
  const hold = new RecentHighest(120);
  let level: number | undefined;
  let trend = 0;
  return (sight) => {
    if (sight.second % HOLT_PERIOD_SECONDS !== 0) {
      return sight.ordered;
    }
    const rps = sight.meanRps(HOLT_PERIOD_SECONDS, 0);
    const before = level ?? rps;
    level = 0.3 * rps + 0.7 * (before + trend);
    trend = 0.1 * (level - before) + 0.9 * trend;
    const ahead = level + Math.max(0, trend) * (bootSeconds / HOLT_PERIOD_SECONDS + 1);
    return hold.push(sight.second, Math.ceil(ahead / targetRps));
  };
}

/**
 * Two scales: the slope between a mean of 10 s and one of 60 s, looked ahead by a boot, with two standard
 * deviations of the 10 s mean as head-room, held for a boot.
 */
export function createTwoScaleLookAhead(targetRps: number, bootSeconds: number): Scaler {
  const hold = new RecentHighest(Math.max(15, bootSeconds));
  let variance = 0;
  return (sight) => {
    const second = sight.meanRps(1, 0);
    const fast = sight.meanRps(10, 0);
    const slow = sight.meanRps(60, 0);
    variance += ((second - fast) ** 2 - variance) / 120;
    const noise = 2 * Math.sqrt(variance / 10);
    const slope = Math.max(0, fast - slow - noise) / 25;
    const ahead = Math.max(fast, slow) + slope * (bootSeconds + 5) + noise;
    return hold.push(sight.second, Math.ceil(ahead / targetRps));
  };
}

/** Orders at each moment what is needed now: perfect senses, no foresight. */
export function createPerfectSenses(demand: Uint16Array): Scaler {
  return ({ second }) => demand[second] ?? MIN_NODES;
}

/** Orders what is needed within the coming seconds: perfect foresight, of boots that are not quite alike. */
export function createForesight(demand: Uint16Array, aheadSeconds: number): Scaler {
  const highest = new Uint16Array(demand.length);
  const ahead = new RecentHighest(aheadSeconds + 1);
  for (let second = demand.length - 1; second >= 0; second -= 1) {
    highest[second] = ahead.push(demand.length - second, demand[second] ?? MIN_NODES);
  }
  return ({ second }) => highest[second] ?? MIN_NODES;
}

const TIMID_WINDOW_SECONDS = 300;
const TIMID_PERIOD_SECONDS = 30;

/** Perfect foresight that lets one node go per 30 s, and none that was needed within 5 min. */
export function createTimidForesight(demand: Uint16Array, aheadSeconds: number): Scaler {
  const foresee = createForesight(demand, aheadSeconds);
  const hold = new RecentHighest(TIMID_WINDOW_SECONDS);
  let lastOut = Number.NEGATIVE_INFINITY;
  return (sight) => {
    const { second, ordered } = sight;
    const wanted = hold.push(second, foresee(sight));
    if (wanted >= ordered) {
      return wanted;
    }
    if (second < lastOut + TIMID_PERIOD_SECONDS) {
      return ordered;
    }
    lastOut = second;
    return ordered - 1;
  };
}
