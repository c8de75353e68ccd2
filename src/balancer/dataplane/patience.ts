/** Waiting for others who change the same HAProxy, and for its reloads. */

import { UnreachableError } from '../../control/errors.ts';
import {
  OutdatedTransactionError,
  TooManyTransactionsError,
  VersionConflictError,
} from './client-errors.ts';
import type { Connection } from './connection.ts';
import { ReloadedMeanwhileError } from './worker-epoch.ts';

/** Somebody else writes, too. Ten writers at once were all done after ten tries at most. */
const mostTries = 10;
const retryAfterMs = { shortest: 20, longest: 100 };

/** Repeats what somebody else's change or a reload came in between of, a bounded number of times. */
export async function retry<T>(
  connection: Connection,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const isRepeatable =
        error instanceof VersionConflictError ||
        error instanceof OutdatedTransactionError ||
        error instanceof TooManyTransactionsError ||
        error instanceof ReloadedMeanwhileError;
      if (!isRepeatable || tries === mostTries) {
        throw error;
      }
      const { shortest, longest } = retryAfterMs;
      // All who met must not meet again.
      const delayMs = shortest + Math.random() * (longest - shortest);
      await pause(connection, delayMs, signal);
    }
  }
}

/** @throws UnreachableError when `signal` is aborted. */
export async function pause(
  { name, clock }: Connection,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (cause) {
    throw new UnreachableError(`balancer ${name} was given up while it was waited for`, {
      cause,
    });
  }
}
