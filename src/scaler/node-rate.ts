/**
 * What a node can do, by the slots that its requests take: a cold cache or a slow database may halve it, and slots
 * show that before requests queue, and still do when none queues any more.
 */

import { ENGINE } from './constants.ts';

/** Work of the latest seconds. */
export interface Work {
  /** For so long has it been read. */
  readonly seenSeconds: number;
  readonly servedPerNodeRps: number;
  /** Of the slots of the nodes that serve. */
  readonly usedShare: number;
  readonly usedSlots: number;
}

export const NO_WORK: Work = { seenSeconds: 0, servedPerNodeRps: 0, usedShare: 0, usedSlots: 0 };

export interface WorkReading {
  readonly servedRps: number;
  readonly usedSlots: number;
  readonly totalSlots: number;
}

/** Takes a reading in. Where nothing is served, or no slots are known, it says nothing about what a node can do. */
export function advanceWork(
  work: Work,
  reading: WorkReading | undefined,
  { servingNodes, seconds }: { readonly servingNodes: number; readonly seconds: number },
): Work {
  if (reading === undefined || servingNodes === 0 || !isTelling(reading)) {
    return work;
  }
  const { servedRps, usedSlots, totalSlots } = reading;
  const seenSeconds = Math.min(work.seenSeconds + seconds, 2 * ENGINE.workSeconds);
  // A mean of all at first, then one that fades.
  const gain = Math.min(
    1,
    Math.max(seconds / seenSeconds, -Math.expm1(-seconds / ENGINE.workSeconds)),
  );
  const toward = (before: number, latest: number): number => before + (latest - before) * gain;
  return {
    seenSeconds,
    servedPerNodeRps: toward(work.servedPerNodeRps, servedRps / servingNodes),
    usedShare: toward(work.usedShare, Math.min(1, usedSlots / totalSlots)),
    usedSlots: toward(work.usedSlots, usedSlots),
  };
}

/** Numbers, and requests that end. */
function isTelling({ servedRps, usedSlots, totalSlots }: WorkReading): boolean {
  return (
    servedRps > 0 &&
    totalSlots > 0 &&
    usedSlots >= 0 &&
    Number.isFinite(servedRps + usedSlots + totalSlots)
  );
}

/**
 * What a node is taken to serve: its target, unless that would surely crowd its slots by how long requests take now.
 *
 * @param dispersion - Variance over mean of a second's requests, and so of those at work at a moment.
 * @returns At most the target and at least half of it: what is worse says little about more nodes.
 * @see Little, A proof for the queuing formula L = λW, Operations Research 9(3), 1961
 */
export function nodeRpsOf(work: Work, targetPerNodeRps: number, dispersion: number): number {
  const { seenSeconds, servedPerNodeRps, usedShare, usedSlots } = work;
  if (usedShare === 0) {
    return targetPerNodeRps;
  }
  const fullRps = servedPerNodeRps / usedShare;
  const deviation = Math.sqrt(dispersion / (usedSlots * seenSeconds));
  const surely = 1 - ENGINE.workDeviations * deviation;
  if (ENGINE.crowdedShare * fullRps >= targetPerNodeRps * surely) {
    return targetPerNodeRps;
  }
  const nodeRps = ENGINE.ratedShare * fullRps;
  return Math.min(targetPerNodeRps, Math.max(targetPerNodeRps / 2, nodeRps));
}
