/** Damps scale-in: the highest need of the window wins, so one quiet sample never tears a node down. */

import type { Outlook } from './foresee.ts';

/** A need at a moment. */
export interface Peak {
  readonly atMs: number;
  readonly needNodes: number;
}

/**
 * Takes a new need into the window.
 *
 * @param peaks - Needs in falling order, oldest first: all that can still become the window's highest.
 * @returns The same for the window that ends now; `peaks[0]` is the highest. Amortized O(1): a need
 * that is not below an older one makes the older one irrelevant.
 */
export function pushPeak(peaks: readonly Peak[], latest: Peak, windowMs: number): readonly Peak[] {
  const windowStartMs = latest.atMs - windowMs;
  const kept = peaks.filter(
    (peak) => peak.atMs > windowStartMs && peak.needNodes > latest.needNodes,
  );
  kept.push(latest);
  return kept;
}

/** `stabilizationWindow: auto`: letting a node go makes sense only when getting it back takes less time. */
const AUTO_WINDOW_FLOOR_MS = 30_000;

/** The window in force: what the outlook holds for, or about a boot while nothing is foreseen. */
export function windowOf(
  configured: number | 'auto',
  outlook: Pick<Outlook, 'holdMs'> | undefined,
  bootTimeMs: number | undefined,
): number {
  return configured === 'auto'
    ? (outlook?.holdMs ?? Math.max(AUTO_WINDOW_FLOOR_MS, bootTimeMs ?? 0))
    : configured;
}
