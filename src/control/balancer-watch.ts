/** Notices when the set of balancers that answer is another one. */
export class BalancerWatch {
  #present: string | undefined;
  #changedAtMs: number | undefined;

  /**
   * @param present - Those that answer, each with its epoch: one that was reloaded counts as another one.
   * @returns When that was last otherwise; undefined when it never was.
   */
  look(present: readonly string[], atMs: number): number | undefined {
    const key = present.toSorted().join(' ');
    if (this.#present !== undefined && key !== this.#present) {
      this.#changedAtMs = atMs;
    }
    this.#present = key;
    return this.#changedAtMs;
  }
}
