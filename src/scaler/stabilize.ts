/** Damps scale-in: the highest need of the window wins, so one quiet sample never tears a node down. */

import type { Outlook } from './foresee.ts';

/** A need at a moment. */
export interface Peak {
  readonly atMs: number;
  readonly needNodes: number;
}

/** A window is remembered in so many pieces, however long it is and however often there is a tick. */
const PIECES = 64;

/**
 * Takes a new need into the window.
 *
 * @param peaks - Needs in falling order, oldest first: all that can still become the window's highest.
 * @returns The same for the window that ends now; `peaks[0]` is the highest. Amortized O(1), and at most one need
 * for each 64th of the window: a need that is not below an older one makes the older one irrelevant, and of one
 * piece the highest counts until the latest is too old.
 */
export function pushPeak(peaks: readonly Peak[], latest: Peak, windowMs: number): readonly Peak[] {
  const windowStartMs = latest.atMs - windowMs;
  const kept = peaks.filter(
    (peak) => peak.atMs > windowStartMs && peak.needNodes > latest.needNodes,
  );
  const pieceOf = ({ atMs }: Peak): number => Math.floor((atMs * PIECES) / windowMs);
  const before = kept.at(-1);
  if (before !== undefined && pieceOf(before) === pieceOf(latest)) {
    kept.pop();
    kept.push({ atMs: latest.atMs, needNodes: before.needNodes });
  } else {
    kept.push(latest);
  }
  return kept;
}

/** `stabilizationWindow: auto` while nothing is foreseen: a node is let go when it was not needed for a boot. */
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

/** For so long every signal has been known before a node goes: what is held for is measured, which takes a while. */
export function knowingWindowOf(
  configured: number | 'auto',
  windowMs: number,
  bootTimeMs: number | undefined,
): number {
  return Math.max(windowMs, windowOf(configured, undefined, bootTimeMs));
}
