/** Which HAProxy process answers through the daemon, which tells its pid and how long it runs. */

import { UnreachableError } from '../../control/errors.ts';
import type { ProcessState } from './types.ts';

export interface Worker {
  readonly pid: number;
  /** Pid and start: a pid alone may be the same after a restart (in a container it mostly is). */
  readonly epoch: string;
  readonly uptimeMs: number;
}

/** Uptimes are whole seconds, and their answers take their time: two of one process differ by less. */
const startToleranceMs = 2_500;

/** Gives the same worker the same epoch for as long as this process asks. */
export class WorkerEpochs {
  #latest: { readonly pid: number; readonly startMs: number; readonly epoch: string } | undefined;

  /**
   * @param atMs - Steady time of the answer.
   * @throws UnreachableError when the answer does not tell, or comes from a worker that is on its way out: what that
   * one knows and is told ends with it.
   */
  note({ pid, uptime, stopping }: ProcessState, atMs: number): Worker {
    if (!isCount(pid) || !isCount(uptime)) {
      throw new UnreachableError('the Data Plane API does not tell HAProxy’s pid and uptime');
    }
    if (isCount(stopping) && stopping !== 0) {
      throw new UnreachableError('the HAProxy worker that answered is stopping: it was reloaded');
    }
    const uptimeMs = uptime * 1_000;
    const startMs = atMs - uptimeMs;
    const known = this.#latest;
    // An earlier start than before is the same process: the wall clock was set forward, or the machine slept.
    const isSame = known?.pid === pid && startMs - known.startMs < startToleranceMs;
    const epoch = isSame ? known.epoch : `${pid}@${Math.round(startMs / 1_000)}`;
    this.#latest = { pid, startMs, epoch };
    return { pid, epoch, uptimeMs };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
