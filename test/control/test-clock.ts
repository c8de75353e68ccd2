import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/control/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Time that passes only when a test says so. */
export class TestClock implements Clock {
  #nowMs = 1_000_000;
  /** Wall clock minus steady clock. */
  #offsetMs = 1_700_000_000_000;
  readonly #sleepers = new Set<Sleeper>();

  steadyMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#offsetMs;
  }

  /** Sets the wall clock forward, or back when negative. */
  jumpWall(ms: number): void {
    this.#offsetMs += ms;
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal.aborted) {
      reject(signal.reason as Error);
      return promise;
    }
    const onAbort = (): void => {
      this.#sleepers.delete(sleeper);
      reject(signal.reason as Error);
    };
    const wake = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const sleeper = { atMs: this.#nowMs + ms, wake };
    this.#sleepers.add(sleeper);
    signal.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  /** Lets `ms` pass: each sleeper wakes at its own time, and all that follows from it happens then. */
  async step(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await turn();
    for (;;) {
      const dueMs = Math.min(...[...this.#sleepers].map((sleeper) => sleeper.atMs));
      if (dueMs > endMs) {
        break;
      }
      this.#nowMs = dueMs;
      for (const sleeper of this.#sleepers) {
        if (sleeper.atMs <= dueMs) {
          this.#sleepers.delete(sleeper);
          sleeper.wake();
        }
      }
      await turn();
    }
    this.#nowMs = endMs;
  }

  /** Steps until `isSo`; fails when that takes longer than `limitMs`. */
  async stepUntil(isSo: () => boolean, limitMs: number): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await this.step(0);
    while (!isSo()) {
      if (this.#nowMs >= endMs) {
        throw new Error(`still not so after ${limitMs} ms: ${String(isSo)}`);
      }
      await this.step(50);
    }
  }
}
