import type { Clock } from '../control/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** What was done and what is asked afterwards never bear the same time: as with a real clock, each look at it is later. */
const LOOK_MS = 1e-5;

/** Unless somebody says otherwise, the wall clock is at this moment when the steady one is at 0: runs can be compared. */
const WALL_AT_ZERO_MS = 1_700_000_000_000;

/**
 * Time that passes only when {@link advanceTo} says so. Sleepers wake in the order of their times, those of the same
 * time in the order in which they fell asleep, and each after all that followed from the one before it: the
 * same begin leads to the same end. There is no real timer.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #wallAtZeroMs: number;
  #looks = 0;
  readonly #sleepers = new Set<Sleeper>();

  /**
   * @param startMs - Where the steady clock begins; whole milliseconds.
   * @param wallAtZeroMs - What the wall clock shows when the steady one is at 0.
   */
  constructor(startMs: number, wallAtZeroMs = WALL_AT_ZERO_MS) {
    this.#nowMs = startMs;
    this.#wallAtZeroMs = wallAtZeroMs;
  }

  /** The moment itself, whole milliseconds, however often the clock was looked at. */
  get nowMs(): number {
    return this.#nowMs;
  }

  steadyMs(): number {
    this.#looks += 1;
    return this.#nowMs + this.#looks * LOOK_MS;
  }

  wallMs(): number {
    return this.#wallAtZeroMs + this.#nowMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    const sleeper = { atMs: this.#nowMs + ms, wake };
    this.#sleepers.add(sleeper);
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    await promise;
    signal.removeEventListener('abort', onAbort);
    this.#sleepers.delete(sleeper);
    signal.throwIfAborted();
  }

  /** Lets time pass until then; resolves when all that follows has happened. */
  async advanceTo(untilMs: number): Promise<void> {
    await settle();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) {
        break;
      }
      this.#moveTo(next.atMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#moveTo(untilMs);
  }

  #next(): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (next === undefined || sleeper.atMs < next.atMs) {
        next = sleeper;
      }
    }
    return next;
  }

  #moveTo(atMs: number): void {
    if (atMs > this.#nowMs) {
      this.#nowMs = atMs;
      this.#looks = 0;
    }
  }
}

/** Every promise that can go on has gone on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
