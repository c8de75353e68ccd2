/** What waits, the oldest first. When it is too much, the oldest goes: what happens now matters more. */
export class BoundedQueue<T> {
  readonly #mostBytes: number;
  readonly #sizeOf: (item: T) => number;
  readonly #onDrop: (item: T) => void;
  readonly #items: T[] = [];
  #bytes = 0;

  constructor(options: {
    readonly mostBytes: number;
    /** About how much memory it takes. */
    readonly sizeOf: (item: T) => number;
    readonly onDrop: (item: T) => void;
  }) {
    this.#mostBytes = options.mostBytes;
    this.#sizeOf = options.sizeOf;
    this.#onDrop = options.onDrop;
  }

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#bytes += this.#sizeOf(item);
    if (this.#bytes > this.#mostBytes) {
      this.#makeRoom();
    }
  }

  /** All that waits; it stays until it is removed. */
  all(): readonly T[] {
    return this.#items;
  }

  /** Takes the oldest so many out. */
  take(count: number): readonly T[] {
    const taken = this.#items.splice(0, count);
    for (const item of taken) {
      this.#bytes -= this.#sizeOf(item);
    }
    return taken;
  }

  /** A tenth at once, so that each push costs little however full it is. */
  #makeRoom(): void {
    let count = 0;
    let bytes = this.#bytes;
    for (const item of this.#items) {
      if (bytes <= this.#mostBytes * 0.9) {
        break;
      }
      bytes -= this.#sizeOf(item);
      count += 1;
    }
    for (const item of this.take(count)) {
      this.#onDrop(item);
    }
  }
}
