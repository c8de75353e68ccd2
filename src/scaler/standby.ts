/** Which of the nodes that are wanted ahead run, and which stand by until they are needed. */

import { ENGINE } from './constants.ts';
import type { Decision, DecisionReason } from './decide.ts';
import type { Outlook } from './foresee.ts';
import { wholeNodes } from './limit.ts';
import type { Signals } from './observation.ts';
import type { Override } from './override.ts';
import type { TierPolicy } from './policy.ts';
import { waitsTooLong } from './recommend.ts';
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

/** What these want, they want now. */
const WANTED_NOW: ReadonlySet<DecisionReason> = new Set([
  'minimum',
  'schedule',
  'override-minimum',
  'held',
]);

/**
 * So many of the desired nodes are needed as soon as can be: all, but for what is only foreseen for when a boot would
 * serve. What others than the forecast want is wanted now, and so is everything while requests wait for too long.
 */
export function neededSoon(
  { standby, queue }: Pick<TierPolicy, 'standby' | 'queue'>,
  { queue: waiting }: Pick<Signals, 'queue'>,
  { desiredNodes, outlook, stages }: Pick<Decision, 'desiredNodes' | 'outlook' | 'stages'>,
): number {
  const isForeseen =
    standby.nodes !== 'auto' &&
    outlook !== undefined &&
    desiredNodes <= wholeNodes(outlook.needNodes);
  const suffers =
    queue !== undefined && waiting.status === 'ok' && waitsTooLong(waiting.value, queue.maxWaitMs);
  if (!isForeseen || suffers) {
    return desiredNodes;
  }
  const wanted = stages
    .filter(({ reason, schedule }) => WANTED_NOW.has(reason) && schedule !== 'freeze')
    .filter(({ fromNodes, toNodes }) => toNodes > fromNodes)
    .map(({ toNodes }) => toNodes);
  return Math.min(desiredNodes, Math.max(wholeNodes(outlook.soonNodes), ...wanted));
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
