/** Whole numbers, seven bits to a byte, small ones in one. */
export class VarintWriter {
  readonly #bytes: Uint8Array;
  #length = 0;

  /** @param capacity - Bytes; eight are enough for any number. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** @param value - From 0 to 2⁵³. */
  write(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length] = (rest % 128) | 128;
      this.#length += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
  }

  /** Small ones of either sign in one byte. */
  writeSigned(value: number): void {
    this.write(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Reads what a `VarintWriter` has written. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 127) * unit;
      if (byte < 128) {
        return value;
      }
      unit *= 128;
    }
  }

  readSigned(): number {
    const value = this.read();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
