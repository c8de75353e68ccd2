import type { Clock } from './clock.ts';

export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  /** What the caller is told when the time is over. */
  readonly late: () => Error;
}

/** Made once: an error for each question would cost more than the question. */
const DONE = new Error('done in time');

/**
 * Lets `work` take so long and no longer. At the deadline, or when `signal` is aborted, the signal that
 * `work` got is aborted and the promise rejects at once, also when `work` heeds no signal.
 *
 * @returns What `work` returned. @throws Its error, `late()`, or the signal's reason.
 */
export async function within<T>(
  deadline: Deadline,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const timer = new AbortController();
  const given = new AbortController();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const giveUp = (reason: unknown): void => {
    given.abort(reason);
    reject(reason);
  };
  const onAbort = (): void => giveUp(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  deadline.clock.sleep(deadline.ms, timer.signal).then(
    () => giveUp(deadline.late()),
    () => undefined,
  );
  try {
    return await Promise.race([work(given.signal), givenUp]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    timer.abort(DONE);
  }
}
