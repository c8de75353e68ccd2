/** The highest of what was said lately: every "stabilization" is one of these. */
export class RecentHighest {
  readonly #windowSeconds: number;
  /** In falling order, oldest first: all that can still become the highest. */
  readonly #kept: { readonly second: number; readonly value: number }[] = [];

  constructor(windowSeconds: number) {
    this.#windowSeconds = windowSeconds;
  }

  /** @returns The highest value of the window that ends now, `value` included. */
  push(second: number, value: number): number {
    const kept = this.#kept;
    while ((kept.at(-1)?.value ?? Number.POSITIVE_INFINITY) <= value) {
      kept.pop();
    }
    kept.push({ second, value });
    while ((kept[0]?.second ?? second) <= second - this.#windowSeconds) {
      kept.shift();
    }
    return kept[0]?.value ?? value;
  }
}
