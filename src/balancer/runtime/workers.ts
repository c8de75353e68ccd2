/** Which HAProxy process answers, and whether older ones still serve. */

import { UnreachableError } from '../../control/errors.ts';
import { ask } from './socket.ts';

export interface Worker {
  readonly pid: number;
  /**
   * Pid and start time: a pid alone may be the same after a restart (in a container it mostly is). The same
   * worker always gives the same string.
   */
  readonly epoch: string;
  readonly uptimeMs: number;
}

/**
 * Reads `show info`.
 *
 * @throws UnreachableError when it is not complete, or comes from a worker that is on its way out: what
 * that one knows and is told ends with it.
 * @see https://docs.haproxy.org/2.6/management.html#9.3-show%20info
 */
export function parseWorker(text: string): Worker {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(': ');
    fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const count = (name: string): number => {
    const field = fields.get(name) ?? '';
    if (!/^[0-9]+$/.test(field)) {
      throw new UnreachableError(`HAProxy's "show info" has no ${name}; 2.6 and later have it`);
    }
    return Number(field);
  };
  if (count('Stopping') !== 0) {
    throw new UnreachableError('the HAProxy worker that answered is stopping: it was reloaded');
  }
  const pid = count('Pid');
  return {
    pid,
    epoch: `${pid}@${count('Start_time_sec')}`,
    uptimeMs: count('Uptime_sec') * 1_000,
  };
}

export interface WorkerList {
  readonly currentPids: readonly number[];
  readonly oldPids: readonly number[];
}

/**
 * Reads the master's `show proc`.
 *
 * @throws UnreachableError when it names no current worker.
 * @see https://docs.haproxy.org/2.6/management.html#9.4
 */
export function parseWorkerList(text: string): WorkerList {
  const currentPids: number[] = [];
  const oldPids: number[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) {
      section = line.slice(2).trim();
    }
    const [, pid] = /^([0-9]+)\s+worker\s/.exec(line) ?? [];
    if (pid !== undefined) {
      (section === 'old workers' ? oldPids : currentPids).push(Number(pid));
    }
  }
  if (currentPids.length === 0) {
    throw new UnreachableError('the HAProxy master names no worker');
  }
  return { currentPids, oldPids };
}

/**
 * Asks the master. Its command line keeps the connection open, so the line ends with `quit`.
 *
 * @throws UnreachableError
 */
export async function listWorkers(
  masterSocketPath: string,
  signal: AbortSignal,
): Promise<WorkerList> {
  return parseWorkerList(await ask(masterSocketPath, ['show proc', 'quit'], signal));
}
