/** Which of the nodes that are wanted ahead run, and which stand by until they are needed. */

import { ENGINE } from './constants.ts';
import type { Outlook } from './foresee.ts';
import { wholeNodes } from './limit.ts';
import type { Observation } from './observation.ts';
import type { Override } from './override.ts';
import type { TierPolicy } from './policy.ts';
import { type Recommendation, waitsTooLong } from './recommend.ts';
import type { Peak } from './stabilize.ts';

/** As configured: so many, or all that is ordered ahead. */
export type StandbyNodes = number | 'auto';

/**
 * What has to run, where standby nodes serve as soon as they are woken: what is needed by then, and what is needed
 * when a boot would serve, less those that stand by.
 *
 * @param spareNodes - That stand by or come to. One that is woken is replaced, so that it is what there will be in
 * the time of a boot, too.
 */
export function needBeside(
  configured: StandbyNodes,
  spareNodes: number,
  { needNodes, soonNodes }: Outlook,
): number {
  return configured === 'auto'
    ? soonNodes
    : Math.max(Math.min(needNodes, soonNodes), needNodes - Math.min(configured, spareNodes));
}

/**
 * So many nodes the rate asks for before a boot would serve: what is foreseen for then or, where nothing is, what it
 * takes now. While any signal is unknown no fewer than before. Undefined where all that is ordered is needed soon: a tier
 * without a rate orders nothing ahead.
 */
export function soonNeed(
  configured: StandbyNodes,
  { advice, signalsKnown }: Recommendation,
  outlook: Outlook | undefined,
  beforeNodes = 0,
): number | undefined {
  const isAllSoon = configured === 0 || configured === 'auto';
  const rate = isAllSoon ? undefined : advice.find(({ signal }) => signal === 'request-rate');
  if (rate === undefined) {
    return undefined;
  }
  const latest = wholeNodes(outlook?.soonNodes ?? rate.needNodes ?? 0);
  return signalsKnown ? latest : Math.max(latest, beforeNodes);
}

/**
 * So many of the desired nodes are needed before a boot would serve. What others than the forecast ask for is wanted
 * now, and so is everything while requests wait for too long; a count that is only kept for a while is not.
 */
export function soonAmong(
  desiredNodes: number,
  around: {
    /** By the rate alone. */
    readonly needNodes: number;
    readonly policy: TierPolicy;
    readonly observation: Observation;
    /** Of the config and of schedules. */
    readonly minNodes: number;
  },
): number {
  const { needNodes, policy, observation, minNodes } = around;
  const { signals, overrides } = observation;
  const { queue } = signals;
  const mostMs = policy.queue?.maxWaitMs;
  if (mostMs !== undefined && queue.status !== 'absent' && waitsTooLong(queue.value, mostMs)) {
    return desiredNodes;
  }
  const asked = overrides.map((one) => (one.kind === 'min' || one.kind === 'hold' ? one.nodes : 0));
  return Math.min(desiredNodes, Math.max(needNodes, minNodes, ...asked));
}

/** The window for what runs, where that for what is ordered ahead is `aheadMs`. */
export function runningWindow(configured: StandbyNodes, aheadMs: number): number {
  return configured === 'auto' ? Math.min(ENGINE.soonHoldSeconds * 1_000, aheadMs) : aheadMs;
}

/**
 * How many are to stand by beside those desired.
 *
 * @param around.aheadPeaks - What was needed ahead within the window; the first is the highest.
 * @param around.mayLetGo - The window is full.
 */
export function standbyBeside(
  configured: StandbyNodes,
  desiredNodes: number,
  around: {
    readonly spareNodes: number;
    readonly aheadPeaks: readonly Peak[];
    readonly mayLetGo: boolean;
    readonly overrides: readonly Override[];
  },
): number {
  if (configured !== 'auto') {
    return configured;
  }
  const { spareNodes, aheadPeaks, mayLetGo, overrides } = around;
  const pauses = overrides.flatMap((one) => (one.kind === 'pause' ? [one.direction] : []));
  const atLeast = !mayLetGo || pauses.some((direction) => direction !== 'out') ? spareNodes : 0;
  const atMost = pauses.some((direction) => direction !== 'in') ? spareNodes : Infinity;
  const aheadNodes = wholeNodes(aheadPeaks[0]?.needNodes ?? 0);
  return Math.min(atMost, Math.max(atLeast, aheadNodes - desiredNodes));
}
