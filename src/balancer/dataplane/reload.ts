/** A reload of HAProxy, which the daemon makes after changes that the running HAProxy cannot be told. */

import { UnreachableError } from '../../control/errors.ts';
import { DataplaneError, NotFoundError } from './client-errors.ts';
import type { Connection } from './connection.ts';
import { pause } from './patience.ts';
import type { Worker } from './worker-epoch.ts';

const reloadPollMs = 100;
/** The daemon reloads `reload_delay` after a change at the latest, 5 s by default; then it is HAProxy's turn. */
const reloadWithinMs = 60_000;

/** HAProxy does not start with its file, and the daemon has put the last good one back. */
export class ReloadFailedError extends UnreachableError {}

/** Resolves when a worker of after the reload answers: the reload counts as done a moment before that. */
export async function awaitReload(
  connection: Connection,
  reloadId: string,
  before: Worker,
  signal: AbortSignal,
): Promise<void> {
  const { name, clock } = connection;
  const untilMs = clock.steadyMs() + reloadWithinMs;
  let isOver = false;
  while (clock.steadyMs() < untilMs) {
    await pause(connection, reloadPollMs, signal);
    isOver ||= await isReloadOver(connection, reloadId, signal);
    if (isOver && (await hasNewWorker(connection, before, signal))) {
      return;
    }
  }
  throw new UnreachableError(
    `balancer ${name}: HAProxy was not reloaded within ${reloadWithinMs} ms (reload ${reloadId})`,
  );
}

async function isReloadOver(
  { name, client }: Connection,
  reloadId: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { status, response } = await client.reload(reloadId, signal);
    if (status === 'failed') {
      throw new ReloadFailedError(
        `balancer ${name}: HAProxy could not be reloaded, and goes on as it was: ${response}`,
      );
    }
    return status === 'succeeded';
  } catch (error) {
    // Forgotten, because a later one succeeded.
    if (error instanceof NotFoundError) {
      return true;
    }
    throw error;
  }
}

async function hasNewWorker(
  { reader }: Connection,
  before: Worker,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await reader.worker(signal)).epoch !== before.epoch;
  } catch (error) {
    // While one worker takes over from the other, a question may go unanswered.
    if (error instanceof DataplaneError || error instanceof UnreachableError) {
      return false;
    }
    throw error;
  }
}
