import { setTimeout as sleep } from 'node:timers/promises';

/** Time, passed in, so that tests and the simulator own it. */
export interface Clock {
  /** Milliseconds that never jump; starts near the wall clock so that logs of two runs compare. */
  steadyMs(): number;
  /** The wall clock in milliseconds since 1970; may jump. For births and for people only. */
  wallMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The clock of this machine. */
export function createSystemClock(): Clock {
  const originMs = Date.now() - performance.now();
  return {
    steadyMs: () => originMs + performance.now(),
    wallMs: () => Date.now(),
    sleep: async (ms, signal) => {
      await sleep(ms, undefined, { signal });
    },
  };
}
