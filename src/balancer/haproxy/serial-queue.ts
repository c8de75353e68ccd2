import { UnreachableError } from '../../control/errors.ts';

/** One job at a time, in order; a job that finds too many before it is refused instead. */
export class SerialQueue {
  readonly #limit: number;
  #jobs = 0;
  #tail: Promise<void> = Promise.resolve();

  /** @param limit - Jobs that may wait or run at once. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws UnreachableError when the queue is full, or `signal` is aborted before the job's turn. */
  async run<T>(signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    if (this.#jobs >= this.#limit) {
      throw new UnreachableError(`${this.#limit} questions to this HAProxy wait already`);
    }
    const earlier = this.#tail;
    const turn = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    // Who gives up before its turn must not let the next one overtake the job that still runs.
    this.#tail = earlier.then(() => done.promise);
    const giveUp = (): void =>
      turn.reject(
        new UnreachableError('the question to HAProxy was given up before its turn', {
          cause: signal.reason,
        }),
      );
    signal.addEventListener('abort', giveUp, { once: true });
    this.#jobs += 1;
    try {
      if (signal.aborted) {
        giveUp();
      }
      earlier.then(turn.resolve, turn.reject);
      await turn.promise;
      return await job();
    } finally {
      signal.removeEventListener('abort', giveUp);
      this.#jobs -= 1;
      done.resolve();
    }
  }
}
