/** Need → count: tolerance, scaling policies, flap guard. Each is one small rule that can be read alone. */

import { ENGINE } from './constants.ts';
import type { SlotReading } from './observation.ts';
import type { ScalingPolicy, TierPolicy } from './policy.ts';

/** A change of the desired count, for the scaling policies. */
export interface DesiredChange {
  readonly atMs: number;
  /** Positive: out; negative: in. */
  readonly nodes: number;
}

/** Rates are divided by targets, so equal things differ in the last bits. */
const ROUNDING_NODES = 1e-9;

/** Whole nodes for a fractional need; 240 rps at 80 rps per node are 3 nodes, not 4. */
export function wholeNodes(needNodes: number): number {
  // Never −0, which a memory that was written and read again would not give back.
  return Math.max(0, Math.ceil(needNodes - ROUNDING_NODES));
}

/** True when the need exceeds the nodes by more than the tolerance. The boundary itself is tolerated. */
export function exceedsTolerance(needNodes: number, nodes: number, tolerance: number): boolean {
  return needNodes - nodes > tolerance * nodes + ROUNDING_NODES;
}

/** True when the need falls short of the nodes by more than the tolerance. */
export function undercutsTolerance(needNodes: number, nodes: number, tolerance: number): boolean {
  return nodes - needNodes > tolerance * nodes + ROUNDING_NODES;
}

/**
 * The highest count that the scale-out policies allow now; the most generous policy counts.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#scaling-policies
 */
export function scaleOutCeiling(
  currentNodes: number,
  changes: readonly DesiredChange[],
  policies: readonly ScalingPolicy[],
  atMs: number,
): number {
  let ceiling = policies.length === 0 ? Number.POSITIVE_INFINITY : currentNodes;
  for (const policy of policies) {
    const startNodes = currentNodes - changedWithin(changes, policy.periodMs, atMs, 'out');
    const allowed =
      policy.kind === 'percent'
        ? wholeNodes(startNodes * (1 + policy.percent / 100))
        : startNodes + policy.nodes;
    ceiling = Math.max(ceiling, allowed);
  }
  return ceiling;
}

/** The lowest count that the scale-in policies allow now; percentages are rounded down, to at least one node. */
export function scaleInFloor(
  currentNodes: number,
  changes: readonly DesiredChange[],
  policies: readonly ScalingPolicy[],
  atMs: number,
): number {
  let floor = policies.length === 0 ? 0 : currentNodes;
  for (const policy of policies) {
    const startNodes = currentNodes + changedWithin(changes, policy.periodMs, atMs, 'in');
    const allowed =
      policy.kind === 'percent'
        ? startNodes - Math.max(1, Math.floor((startNodes * policy.percent) / 100 + ROUNDING_NODES))
        : startNodes - policy.nodes;
    floor = Math.min(floor, allowed);
  }
  return floor;
}

function changedWithin(
  changes: readonly DesiredChange[],
  periodMs: number,
  atMs: number,
  direction: 'out' | 'in',
): number {
  const sign = direction === 'out' ? 1 : -1;
  let total = 0;
  for (const change of changes) {
    if (change.atMs > atMs - periodMs && Math.sign(change.nodes) === sign) {
      total += change.nodes * sign;
    }
  }
  return total;
}

/** Keeps what a scaling policy can still look back on. */
export function rememberChange(
  changes: readonly DesiredChange[],
  latest: DesiredChange,
  policy: TierPolicy,
): readonly DesiredChange[] {
  let longestMs = 0;
  for (const one of policy.scaleOut.policies) {
    longestMs = Math.max(longestMs, one.periodMs);
  }
  for (const one of policy.scaleIn.policies) {
    longestMs = Math.max(longestMs, one.periodMs);
  }
  const startMs = latest.atMs - longestMs;
  if (latest.nodes === 0 && (changes[0]?.atMs ?? Number.POSITIVE_INFINITY) > startMs) {
    return changes;
  }
  const kept = changes.filter((change) => change.atMs > startMs);
  if (latest.nodes !== 0) {
    kept.push(latest);
  }
  return kept;
}

/**
 * Simulates the remaining fleet before a scale-in: the smallest count on which today's work would not crowd.
 * (That the rate alone would not scale it out again holds already: what scale-in wants is rounded up from the
 * highest need of the window.)
 *
 * @param wantedNodes - What scale-in would go to.
 * @param slots - Slots in use now, spread over `servingNodes`.
 */
export function flapGuard(
  wantedNodes: number,
  currentNodes: number,
  slots: SlotReading,
  servingNodes: number,
): number {
  if (servingNodes === 0 || slots.total === 0) {
    return wantedNodes;
  }
  const usablePerNode = (slots.total / servingNodes) * ENGINE.crowdedShare;
  return Math.min(currentNodes, Math.max(wantedNodes, wholeNodes(slots.used / usablePerNode)));
}
