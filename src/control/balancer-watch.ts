import { STALE_AFTER_MS } from './samples.ts';

/** Notices when the set of balancers that answer is another one. */
export class BalancerWatch {
  #present: string | undefined;
  #beganAtMs: number | undefined;
  #changedAtMs: number | undefined;

  /**
   * @param present - Those that answer, each with its epoch: one that was reloaded counts as another one.
   * @returns When that was last otherwise; undefined when it never was.
   */
  look(present: readonly string[], atMs: number): number | undefined {
    const key = present.toSorted().join(' ');
    this.#beganAtMs ??= atMs;
    // At the start they answer for the first time, one after the other.
    if (key !== this.#present && atMs - this.#beganAtMs > STALE_AFTER_MS) {
      this.#changedAtMs = atMs;
    }
    this.#present = key;
    return this.#changedAtMs;
  }
}
