/** What ops tune, compiled from the config file: durations are milliseconds, percentages stay percentages. */

import type { Schedule } from './schedule.ts';

/** At most so much change within any `periodMs`; of several policies the most generous one counts. */
export type ScalingPolicy =
  | { readonly kind: 'percent'; readonly percent: number; readonly periodMs: number }
  | { readonly kind: 'nodes'; readonly nodes: number; readonly periodMs: number };

export interface TierPolicy {
  /** Never fewer by our own act. */
  readonly minNodes: number;
  /** Never more, counting every domain that exists and can be reached or that HAProxy reports up. */
  readonly maxNodes: number;
  readonly requestRate?: { readonly targetPerNodeRps: number };
  readonly queue?: { readonly maxWaitMs: number };
  /** Order what is foreseen, and ahead of storms; otherwise what arrives now counts, as it is. */
  readonly looksAhead: boolean;
  readonly scaleOut: {
    /** Scale out only when the need exceeds the nodes by more than this share of them. */
    readonly tolerance: number;
    readonly policies: readonly ScalingPolicy[];
  };
  readonly scaleIn: {
    readonly tolerance: number;
    /** `auto`: at most about as long as a boot takes. @see windowOf */
    readonly stabilizationWindowMs: number | 'auto';
    readonly policies: readonly ScalingPolicy[];
  };
  /**
   * Nodes kept ready beside those in service, within `maxNodes`: `paused` ones keep their memory and wake at
   * once, `saved` ones take only disk. `auto`: all that is ordered ahead, and not needed yet.
   */
  readonly standby: { readonly state: 'paused' | 'saved'; readonly nodes: number | 'auto' };
  /** A drained node that still has sessions is let go this long after its drain began. */
  readonly drainDeadlineMs: number;
  /** From the order to the first passed check; later, the boot has failed. `auto`: see `bootDeadlineOf`. */
  readonly bootDeadlineMs: number | 'auto';
  /** Windows with other bounds, in the order of the file; left out where there is none. */
  readonly schedules?: readonly Schedule[];
}
