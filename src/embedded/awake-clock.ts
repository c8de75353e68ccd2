import type { Clock } from '../control/clock.ts';

/** A collection of garbage, or a timer of a machine that has time, takes less. */
const LONGEST_STEP_MS = 100;

/** A clock for whoever looks at it all the time, and how long it stood still. */
export interface AwakeClock extends Clock {
  readonly standstillMs: number;
}

/**
 * A clock that stands still while nobody can look at it: what lies between two looks counts as 100 ms at most. For
 * those who play the visitors on the machine that also carries the site. When it stops for two seconds, as virtual
 * machines do now and then, the visitors stop as well, and no visitor of a real site would wait for that.
 *
 * A site that stalls while its visitors go on gets none of this: they look at least every 50 ms. But a machine that
 * stops looks like one that only gives this process no time, in which the site goes on or stalls unseen: so say with
 * the figures for how long it was.
 */
export function createAwakeClock(clock: Clock): AwakeClock {
  let lookedMs = clock.steadyMs();
  let standstillMs = 0;
  return {
    steadyMs: () => {
      const nowMs = clock.steadyMs();
      standstillMs += Math.max(0, nowMs - lookedMs - LONGEST_STEP_MS);
      lookedMs = nowMs;
      return nowMs - standstillMs;
    },
    wallMs: () => clock.wallMs(),
    sleep: async (ms, signal) => clock.sleep(ms, signal),
    get standstillMs() {
      return standstillMs;
    },
  };
}
