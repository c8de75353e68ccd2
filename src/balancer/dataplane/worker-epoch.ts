/** Which HAProxy process answers through the daemon, which tells its pid and how long it runs. */

import { UnreachableError } from '../../control/errors.ts';
import type { ProcessState } from './types.ts';

/** A worker from before a reload answered. Ask again: it soon ends. */
export class ReloadedMeanwhileError extends UnreachableError {}

export interface Worker {
  readonly pid: number;
  /** Pid and start: a pid alone may be the same after a restart (in a container it mostly is). */
  readonly epoch: string;
  readonly uptimeMs: number;
}

/** Uptimes are whole seconds, rounded down. */
const uptimeStepMs = 1_000;

/** Gives the same worker the same epoch for as long as this process asks. */
export class WorkerEpochs {
  #latest:
    | { readonly pid: number; readonly latestStartMs: number; readonly epoch: string }
    | undefined;

  /**
   * The uptime is of some moment between the question and its answer, and so is the start known: it is at the earliest
   * `askedAtMs` − uptime − 1 s, at the latest `answeredAtMs` − uptime. However long an answer takes, that is no restart.
   *
   * @param asked - Steady times of the question and of its answer.
   * @throws UnreachableError when the answer does not tell.
   * @throws ReloadedMeanwhileError when it comes from a worker that is on its way out: what that one knows and is told
   * ends with it.
   */
  note(
    { pid, uptime, stopping }: ProcessState,
    { askedAtMs, answeredAtMs }: { readonly askedAtMs: number; readonly answeredAtMs: number },
  ): Worker {
    if (!isCount(pid) || !isCount(uptime)) {
      throw new UnreachableError('the Data Plane API does not tell HAProxy’s pid and uptime');
    }
    if (isCount(stopping) && stopping !== 0) {
      throw new ReloadedMeanwhileError(
        'the HAProxy worker that answered is stopping: it was reloaded',
      );
    }
    const uptimeMs = uptime * 1_000;
    const earliestStartMs = askedAtMs - uptimeMs - uptimeStepMs;
    const latestStartMs = answeredAtMs - uptimeMs;
    const known = this.#latest;
    // An earlier start than before is the same process: the wall clock was set forward, or the machine slept.
    const isSame = known?.pid === pid && earliestStartMs <= known.latestStartMs;
    const epoch = isSame ? known.epoch : `${pid}@${Math.round(latestStartMs / 1_000)}`;
    this.#latest = { pid, latestStartMs, epoch };
    return { pid, epoch, uptimeMs };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
