/**
 * How many nodes a tier will need when what is ordered now serves: the stages in order. Pure, O(1) a tick, and its
 * state is small and bounded; nothing in it is older than some minutes but the rate from before an outage, so that a
 * fresh start costs little.
 */

import { ENGINE } from './constants.ts';
import { type ForecastErrors, learnErrors, NO_ERRORS, nodesFor } from './headroom.ts';
import { advanceWork, NO_WORK, nodeRpsOf, type Work, type WorkReading } from './node-rate.ts';
import { advanceNoise, beginNoise, dispersionOf, type Noise, persistenceOf } from './noise.ts';
import { forecastStorm, NO_STORM, type Storm, type StormWatch, watchStorm } from './storm.ts';
import {
  advanceTrends,
  beginTrends,
  memoryOf,
  restartTrends,
  type Trends,
  trendVariance,
} from './trend.ts';

/** What one tick hands to the next. JSON-serializable. */
export interface Foresight {
  readonly atMs: number;
  /** The mean of the latest seconds, as long as demand is made of. */
  readonly recentRps: number;
  readonly trends: Trends;
  readonly noise: Noise;
  readonly watch: StormWatch;
  readonly errors: ForecastErrors;
  readonly work: Work;
}

export interface LoadReading {
  /** Steady time. */
  readonly atMs: number;
  /** Requests per second of the latest one to three seconds. */
  readonly rps: number;
}

export interface NodeReading {
  readonly targetPerNodeRps: number;
  /** From the order of a node until it serves, as long as four of five take. */
  readonly timeToServeMs: number;
  /** The same of a standby node that is woken; 0 where there is none. */
  readonly timeToWakeMs: number;
  readonly servingNodes: number;
  /** Nodes that serve or are on the way. */
  readonly orderedNodes: number;
  /** Left out where it is not known wholly and freshly. */
  readonly work?: WorkReading;
}

/** What each stage saw and did; rates in requests per second. */
export interface Outlook {
  /** Fractional: what this reading says will be needed when a node that is ordered now serves. */
  readonly needNodes: number;
  /** The same for when a standby node that is woken now serves; never more. */
  readonly soonNodes: number;
  /** What is to be there when a node that is ordered now would serve, where what does not run costs little. */
  readonly readyNodes: number;
  /** What a node is taken to serve: its target, or less while requests take its slots for longer. */
  readonly nodeRps: number;
  readonly levelRps: number;
  /** Forecast for `aheadSeconds` from now. */
  readonly forecastRps: number;
  readonly aheadSeconds: number;
  /** The higher of both counts, and this is its standard deviation. */
  readonly deviationRps: number;
  /** Variance over mean of a second's requests. */
  readonly dispersion: number;
  /** What is wanted above the bare rate, in nodes. */
  readonly headroomNodes: number;
  readonly storm?: Storm;
  /** Ordered beyond the need, because boots scatter and requests suffer now. */
  readonly scatterNodes: number;
  /** For so long the highest need is to count. */
  readonly holdMs: number;
}

/**
 * Takes a reading in.
 *
 * @param before - Undefined at a fresh start.
 * @returns The state for the next tick, and what follows from it. Same input, same result.
 */
export function foresee(
  before: Foresight | undefined,
  load: LoadReading,
  nodes: NodeReading,
): { readonly foresight: Foresight; readonly outlook: Outlook } {
  // Until the first visitors come there is nothing to learn: what comes with them is not measured against nothing.
  const isFirst = before === undefined || before.watch.watchedSeconds === 0;
  const start = isFirst ? beginForesight(load) : before;
  const elapsed = (load.atMs - start.atMs) / 1_000;
  const seconds = Math.min(ENGINE.longestGapSeconds, elapsed > 0 ? elapsed : 1);
  const aheadSeconds = nodes.timeToServeMs / 1_000;
  const leastRps = ENGINE.stormLeastNodes * nodes.targetPerNodeRps;
  const seen = look(start, { ...load, ...nodes, seconds, leastRps });
  const nearSeconds = nodes.timeToWakeMs / 1_000;
  const forecast = forecastOf(seen, load.atMs, { aheadSeconds, nearSeconds });
  const errors =
    seen.blockRps === undefined
      ? start.errors
      : learnErrors(start.errors, {
          blockRps: seen.blockRps,
          forecastRps: forecast.aheadRps,
          levelRps: seen.steadyRps,
          aheadSeconds,
          counts: stormAge(seen.watch, load.atMs) > aheadSeconds + ENGINE.errorPauseSeconds,
        });
  return {
    foresight: {
      atMs: load.atMs,
      recentRps: seen.recentRps,
      trends: seen.trends,
      noise: seen.noise,
      watch: seen.watch,
      errors,
      work: seen.work,
    },
    outlook: outlookOf({ forecast, errors, seen, load, nodes, isFirst }),
  };
}

function beginForesight({ atMs, rps }: LoadReading): Foresight {
  return {
    atMs: atMs - 1_000,
    recentRps: rps,
    trends: beginTrends(rps),
    noise: beginNoise(rps),
    watch: NO_STORM,
    errors: NO_ERRORS,
    work: NO_WORK,
  };
}

/** All that a reading says about the present. */
interface Seen {
  readonly trends: Trends;
  readonly noise: Noise;
  readonly watch: StormWatch;
  readonly work: Work;
  readonly dispersion: number;
  readonly recentRps: number;
  /** The level of the trend in the middle: neither noise nor history. */
  readonly steadyRps: number;
  /** Of the block that this reading has finished. */
  readonly blockRps: number | undefined;
}

const STEADY = 2;

/** A fading mean over so many seconds wavers as one of twice as many, which is what demand is made of. */
const RECENT_SECONDS = (ENGINE.blockSeconds * ENGINE.blocksPerDemand) / 2;

function look(
  before: Foresight,
  {
    atMs,
    rps,
    work,
    seconds,
    leastRps,
    servingNodes,
  }: LoadReading & NodeReading & { readonly seconds: number; readonly leastRps: number },
): Seen {
  const { trends, watch } = before;
  const readSeconds = Math.min(ENGINE.longestReadingSeconds, seconds);
  const { noise, block } = advanceNoise(before.noise, {
    rps,
    seconds: readSeconds,
    levelRps: Math.max(0, trends[STEADY]?.levelRps ?? rps),
    isCalm: stormAge(watch, atMs) > ENGINE.noisePauseSeconds,
  });
  const dispersion = dispersionOf(noise);
  const recentRps =
    before.recentRps + (rps - before.recentRps) * -Math.expm1(-seconds / RECENT_SECONDS);
  const advanced = advanceTrends(trends, rps, seconds, readSeconds);
  const {
    watch: watched,
    alarmedSeconds,
    backAtRps,
  } = watchStorm(watch, {
    atMs,
    seconds: readSeconds,
    rps,
    expectedRps: Math.max(leastRps, calmRps(trends, seconds)),
    leastRps,
    beforeRps: before.recentRps,
    recentRps,
    dispersion,
    levelRps: advanced.at(-2)?.levelRps ?? rps,
  });
  const restarted =
    alarmedSeconds === undefined ? advanced : restartTrends(advanced, alarmedSeconds);
  // What is left of a storm's fall would go on falling, and may be below what comes even without its noise.
  const surelyRps =
    Math.min(rps, recentRps) - ENGINE.surelyDeviations * Math.sqrt(dispersion * Math.max(1, rps));
  const kept = backAtRps === undefined ? restarted : beginTrends(Math.max(backAtRps, surelyRps));
  return {
    trends: kept,
    noise,
    watch: watched,
    work: advanceWork(before.work, work, { servingNodes, seconds: readSeconds }),
    dispersion,
    recentRps,
    steadyRps: Math.max(1, kept[STEADY]?.levelRps ?? rps),
    blockRps: block?.rps,
  };
}

/** What the two calmest trends expect next: neither may call a rise of the other a storm. */
function calmRps(trends: Trends, seconds: number): number {
  return trends
    .slice(0, 2)
    .reduce((most, { levelRps, slopeRps }) => Math.max(most, levelRps + slopeRps * seconds), 1);
}

/** Seconds since the onset; without a storm, endless. */
function stormAge({ storm }: StormWatch, atMs: number): number {
  return storm === undefined ? Number.POSITIVE_INFINITY : (atMs - storm.onsetMs) / 1_000;
}

interface Forecast {
  readonly nowRps: number;
  readonly aheadRps: number;
  /** Of the mean rate that demand is made of, about the higher of both. */
  readonly variance: number;
}

function forecastOf(
  seen: Seen,
  atMs: number,
  { aheadSeconds, nearSeconds }: { readonly aheadSeconds: number; readonly nearSeconds: number },
): Forecast {
  const { trends, watch, dispersion, steadyRps } = seen;
  const demandSeconds = ENGINE.blockSeconds * ENGINE.blocksPerDemand;
  if (watch.storm !== undefined) {
    const storm = forecastStorm(watch.storm, trends, { atMs, aheadSeconds, dispersion });
    const variance = dispersion * (1 / demandSeconds + storm.variance) * Math.max(1, storm.nowRps);
    return { ...storm, variance };
  }
  const variance = dispersion * steadyRps;
  const nowRps = combine(trends, nearSeconds, variance);
  const aheadRps = combine(trends, aheadSeconds, variance);
  const calm = trendVariance(memoryOf(trends, 0), aheadSeconds).level;
  const highest = Math.max(1, nowRps, aheadRps);
  return { nowRps, aheadRps, variance: dispersion * (1 / demandSeconds + calm) * highest };
}

/** The calmest trend counts as long as no faster one contradicts it by more than noise explains. */
function combine(trends: Trends, aheadSeconds: number, variance: number): number {
  let rps: number | undefined;
  for (const [index, { levelRps, slopeRps }] of trends.entries()) {
    const memorySeconds = memoryOf(trends, index);
    const trustSeconds = ENGINE.trustPerMemory * memorySeconds;
    const reach = trustSeconds * (1 - Math.exp(-aheadSeconds / trustSeconds));
    const ahead = Math.max(0, levelRps + slopeRps * reach);
    if (rps === undefined) {
      rps = ahead;
      continue;
    }
    const deviation = Math.sqrt(trendVariance(memorySeconds, reach).level * variance);
    rps = Math.max(rps, ahead - ENGINE.overruleUpDeviations * deviation);
    rps = Math.min(rps, ahead + ENGINE.overruleDownDeviations * deviation);
  }
  return rps ?? 0;
}

interface Whole {
  readonly forecast: Forecast;
  readonly errors: ForecastErrors;
  readonly seen: Seen;
  readonly load: LoadReading;
  readonly nodes: NodeReading;
  /** Of one reading alone it is not known how it wavers. */
  readonly isFirst: boolean;
}

function outlookOf({ forecast, errors, seen, load: { atMs }, nodes, isFirst }: Whole): Outlook {
  const { timeToServeMs } = nodes;
  const nodeRps = nodeRpsOf(seen.work, nodes.targetPerNodeRps, seen.dispersion);
  const { storm } = seen.watch;
  const { nowRps, aheadRps } = forecast;
  const rps = Math.max(nowRps, aheadRps);
  const learned =
    stormAge(seen.watch, atMs) > timeToServeMs / 1_000 + ENGINE.errorPauseSeconds
      ? errors.meanSquare * Math.max(1, rps)
      : 0;
  const deviationRps = isFirst ? 0 : Math.sqrt(Math.max(forecast.variance, learned));
  const bareNodes = nodesFor(rps, deviationRps, nodeRps);
  const scatterNodes = scatterOf({ bareNodes, nowRps, nodeRps, storm }, nodes);
  const needNodes = bareNodes + scatterNodes;
  // Of use only beside standby nodes.
  const isPlain = isFirst || nodes.timeToWakeMs === 0;
  const soonNodes = isPlain ? needNodes : soonRps(seen, nowRps) / nodeRps;
  return {
    needNodes,
    soonNodes: Math.min(needNodes, soonNodes),
    readyNodes: isPlain
      ? needNodes
      : scatterNodes + nodesFor(rps, deviationRps, nodeRps, ENGINE.standbyCost),
    nodeRps,
    levelRps: seen.steadyRps,
    forecastRps: aheadRps,
    aheadSeconds: timeToServeMs / 1_000,
    deviationRps,
    dispersion: seen.dispersion,
    headroomNodes: bareNodes - rps / nodeRps,
    ...(storm === undefined ? {} : { storm }),
    scatterNodes,
    holdMs: holdOf(seen, timeToServeMs),
  };
}

/** What has come lately, or is about to: standby nodes need not be woken for more than its noise of some seconds. */
function soonRps({ recentRps, dispersion }: Seen, nowRps: number): number {
  const rps = Math.max(recentRps, nowRps);
  const deviation = Math.sqrt((dispersion * Math.max(1, rps)) / (2 * RECENT_SECONDS));
  return rps + ENGINE.soonDeviations * deviation;
}

/** Boots scatter: while requests suffer, nodes that are on their way beyond the need may be the first to serve. */
function scatterOf(
  {
    bareNodes,
    nowRps,
    nodeRps,
    storm,
  }: { bareNodes: number; nowRps: number; nodeRps: number; storm: Storm | undefined },
  { servingNodes, orderedNodes }: NodeReading,
): number {
  if (storm === undefined || nowRps <= nodeRps * servingNodes) {
    return 0;
  }
  const most = servingNodes + Math.max(0, bareNodes - servingNodes) * ENGINE.keptShare;
  return Math.max(0, Math.min(orderedNodes, most) - bareNodes);
}

/** As long as what wavers lasts, and up to a time to serve; in a storm what was ordered too much goes at once. */
function holdOf({ noise, watch }: Seen, timeToServeMs: number): number {
  const leastMs = ENGINE.leastHoldSeconds * 1_000;
  const share = Math.min(1, ENGINE.holdShare * persistenceOf(noise));
  return watch.storm === undefined ? Math.max(leastMs, share * timeToServeMs) : leastMs;
}
