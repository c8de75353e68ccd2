/** Tells a check result that HAProxy made from one that it read from its state file. */

import type { BackendStats } from './stats.ts';

/** By then each server was checked once: first checks are spread over `inter` (1–2 s), `timeout check` is 3 s. */
const youngMs = 5_000;

/**
 * Measured on 2.6.12: after a reload, a server that the config declares without `disabled` shows the state
 * file's `DRAIN` and `L7OK` at once, before the new worker has checked it; nothing in `show stat` or `show
 * servers state` tells. But whoever was seen in another state by the same worker can only have come to
 * exactly `DRAIN` by a check of its own: leaving MAINT starts at `DRAIN 1/3`.
 */
export class RestoredChecks {
  #epoch = '';
  #seenOtherwise = new Set<string>();

  /** @returns The backend's servers whose check may be the state file's. */
  note(
    worker: { readonly epoch: string; readonly uptimeMs: number },
    backend: string,
    stats: BackendStats,
  ): ReadonlySet<string> {
    if (worker.epoch !== this.#epoch) {
      this.#epoch = worker.epoch;
      this.#seenOtherwise = new Set();
    }
    const restored = new Set<string>();
    if (worker.uptimeMs < youngMs) {
      for (const [server, { status }] of stats.servers) {
        const key = `${backend}/${server}`;
        if (status !== 'DRAIN' && status !== 'UP') {
          this.#seenOtherwise.add(key);
        } else if (!this.#seenOtherwise.has(key)) {
          restored.add(server);
        }
      }
    }
    return restored;
  }
}
