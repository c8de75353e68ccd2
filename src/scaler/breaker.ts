/**
 * Stops boots that keep failing.
 *
 * ```
 *              failures in the window        open time over           probe fails
 *   closed ───────────────────────▶ open ───────────────▶ half-open ─────────────▶ open
 *      ▲                                                      │
 *      └────────────────────── a boot succeeds ───────────────┘
 * ```
 */

import type { Circuit } from './observation.ts';

export interface BreakerPolicy {
  readonly failures: number;
  readonly windowMs: number;
  readonly openMs: number;
}

export interface BreakerState {
  /** Times of failures within the window, oldest first; at most `failures` of them. */
  readonly failuresAtMs: readonly number[];
  readonly openedAtMs: number | undefined;
}

export const CLOSED_BREAKER: BreakerState = { failuresAtMs: [], openedAtMs: undefined };

/** A failed boot. While half-open it is the probe, and one is enough. */
export function recordFailure(
  state: BreakerState,
  policy: BreakerPolicy,
  atMs: number,
): BreakerState {
  const failuresAtMs = [...recentFailures(state, policy, atMs), atMs].slice(-policy.failures);
  const opens =
    failuresAtMs.length >= policy.failures || circuitAt(state, policy, atMs) === 'half-open';
  return { failuresAtMs, openedAtMs: opens ? atMs : state.openedAtMs };
}

/** The circuit now. */
export function circuitAt(state: BreakerState, policy: BreakerPolicy, atMs: number): Circuit {
  if (state.openedAtMs === undefined) {
    return 'closed';
  }
  return atMs - state.openedAtMs < policy.openMs ? 'open' : 'half-open';
}

/** Until when boots are stopped; `undefined` unless the circuit is open. Then the probe is due. */
export function openUntilMs(
  state: BreakerState,
  policy: BreakerPolicy,
  atMs: number,
): number | undefined {
  const isOpen = circuitAt(state, policy, atMs) === 'open';
  return isOpen && state.openedAtMs !== undefined ? state.openedAtMs + policy.openMs : undefined;
}

/** Failures that still count. */
export function recentFailures(
  state: BreakerState,
  policy: BreakerPolicy,
  atMs: number,
): readonly number[] {
  return state.failuresAtMs.filter((failedAtMs) => failedAtMs > atMs - policy.windowMs);
}
