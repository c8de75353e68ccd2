/** Signals → how many nodes the load needs, before any limit. */

import type { ScaledTier } from './cluster.ts';
import type { QueueReading, Sample, Signals } from './observation.ts';

export type SignalName = 'request-rate' | 'queue';

/** What one signal asks for. `needNodes` is fractional, and undefined when the signal says nothing. */
export interface SignalAdvice {
  readonly signal: SignalName;
  readonly status: Sample<unknown>['status'];
  readonly needNodes: number | undefined;
  /** Counts instead of what is read now, because it is larger. */
  readonly heldRps?: number;
}

export interface Recommendation {
  /** The highest need that any signal states; undefined when none states one. */
  readonly needNodes: number | undefined;
  /** Every configured signal is `ok`: only then may nodes go. */
  readonly signalsKnown: boolean;
  readonly advice: readonly SignalAdvice[];
}

/**
 * Waiting requests are to be served within this time, beside the new ones. No number of the engine's table: the queue
 * asks for it where nothing is foreseen, too.
 */
const BACKLOG_CLEAR_SECONDS = 10;

/**
 * Several signals: out if any asks, in only if all agree; one that errs or is absent never lets nodes go.
 *
 * @param around.currentNodes - The nodes ordered so far: what a queue that is still within bounds asks to keep.
 * @param around.servingNodes - The nodes that serve now: what the queue's own rate was measured on.
 * @param around.foreseenNodes - What the rate will need, instead of what it needs now.
 * @param around.nodeRps - What a node is taken to serve, where that was foreseen by it.
 * @param around.floorRps - No known rate is taken for less.
 */
export function recommend(
  tier: ScaledTier,
  signals: Signals,
  around: {
    readonly currentNodes: number;
    readonly servingNodes: number;
    readonly foreseenNodes?: number | undefined;
    readonly nodeRps?: number | undefined;
    readonly floorRps?: number | undefined;
  },
): Recommendation {
  const advice: SignalAdvice[] = [];
  const { requestRate, queue } = tier.policy;
  if (requestRate !== undefined) {
    advice.push(
      holdRate(
        advise(
          'request-rate',
          signals.requestRate,
          isRate,
          (rps) => around.foreseenNodes ?? rps / requestRate.targetPerNodeRps,
        ),
        around.floorRps,
        requestRate.targetPerNodeRps,
      ),
    );
  }
  if (queue !== undefined) {
    advice.push(
      advise('queue', signals.queue, isQueue, (reading) =>
        signals.queue.status === 'stale'
          ? needForOldQueue(reading, around.currentNodes)
          : needForQueue(reading, queue.maxWaitMs, {
              ...around,
              arrivingRps: arrivingRps(signals.requestRate),
              ratedRps: around.nodeRps,
            }),
      ),
    );
  }

  let needNodes: number | undefined;
  for (const one of advice) {
    if (one.needNodes !== undefined && (needNodes === undefined || one.needNodes > needNodes)) {
      needNodes = one.needNodes;
    }
  }
  return {
    needNodes,
    signalsKnown: advice.length > 0 && advice.every((one) => one.status === 'ok'),
    advice,
  };
}

function holdRate(
  advice: SignalAdvice,
  floorRps: number | undefined,
  targetPerNodeRps: number,
): SignalAdvice {
  if (floorRps === undefined || advice.needNodes === undefined) {
    return advice;
  }
  const needNodes = floorRps / targetPerNodeRps;
  return needNodes > advice.needNodes ? { ...advice, needNodes, heldRps: floorRps } : advice;
}

function advise<T>(
  signal: SignalName,
  sample: Sample<T>,
  isSound: (value: T) => boolean,
  needOf: (value: T) => number,
): SignalAdvice {
  if (sample.status === 'absent' || !isSound(sample.value)) {
    return { signal, status: 'absent', needNodes: undefined };
  }
  return { signal, status: sample.status, needNodes: needOf(sample.value) };
}

/** Empty, NaN, negative and infinite readings are absent, not zero: a broken source must not look idle. */
export function isRate(rps: number): boolean {
  return Number.isFinite(rps) && rps >= 0;
}

function isQueue(reading: QueueReading): boolean {
  return isRate(reading.requests) && isRate(reading.servedRps);
}

/**
 * What was served then was served by the nodes of then: divided by those that serve now, it would ask for more
 * with each one that comes. So what is ordered stays, and no more.
 */
function needForOldQueue({ requests }: QueueReading, currentNodes: number): number {
  return requests === 0 ? 0 : currentNodes;
}

function arrivingRps(requestRate: Sample<number>): number {
  return requestRate.status === 'ok' && isRate(requestRate.value) ? requestRate.value : 0;
}

/** The queue takes longer than it may; one that is not served at all does. */
export function waitsTooLong({ requests, servedRps }: QueueReading, maxWaitMs: number): boolean {
  return requests > 0 && (servedRps <= 0 || (requests / servedRps) * 1_000 > maxWaitMs);
}

/**
 * A queue that takes longer than the allowed wait shows what a node can really do, whatever its target says: a
 * cold cache may halve that. It needs the nodes for what arrives at that rate, at least those that serve now, plus
 * those that clear it in time; a shorter one keeps what is ordered, and agrees to scale-in once it is empty. Where
 * nodes do what they are rated for, the rate has ordered them ahead already: it keeps that (docs/benchmark.md).
 */
function needForQueue(
  reading: QueueReading,
  maxWaitMs: number,
  nodes: {
    readonly currentNodes: number;
    readonly servingNodes: number;
    readonly arrivingRps: number;
    /** What a node is rated for, where the nodes for the rate were foreseen by that. */
    readonly ratedRps: number | undefined;
  },
): number {
  if (reading.requests === 0) {
    return 0;
  }
  if (!waitsTooLong(reading, maxWaitMs) || nodes.servingNodes === 0) {
    return nodes.currentNodes;
  }
  const { ratedRps = Number.POSITIVE_INFINITY } = nodes;
  if (reading.servedRps >= ratedRps * nodes.servingNodes) {
    return nodes.currentNodes;
  }
  if (reading.servedRps === 0) {
    // Everything hangs: one more node may help, and doubling on no evidence would not.
    return Math.max(nodes.currentNodes, nodes.servingNodes + 1);
  }
  const clearingRps = reading.requests / BACKLOG_CLEAR_SECONDS;
  const wantedRps = Math.max(reading.servedRps, nodes.arrivingRps) + clearingRps;
  const needNodes = (nodes.servingNodes * wantedRps) / reading.servedRps;
  // Never fewer than a shorter queue asks for: what is ordered and still coming will help to clear it. And
  // at most twice what serves: next to nothing served says little about what a node can do.
  return Math.max(nodes.currentNodes, Math.min(needNodes, 2 * nodes.servingNodes));
}
