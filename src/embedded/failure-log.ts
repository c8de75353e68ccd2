/**
 * Why a request failed: `status` is any answer but a 2xx; `connection` one that could not be made or that
 * ended before the answer did; `timeout` an answer that came too late or not at all; `not-sent` a request
 * whose time had come but for which there was no socket left, or no time.
 */
export type FailureReason = 'status' | 'connection' | 'timeout' | 'not-sent';

/** One failed request; the instant at which it was to be sent counts from the start of the load. */
export interface FailureSample {
  readonly intendedMs: number;
  readonly message: string;
}

export interface FailureGroup {
  readonly count: number;
  /** The first ones, to see what it was. */
  readonly samples: readonly FailureSample[];
}

const SAMPLES_PER_REASON = 20;

/** Counts every failure and keeps the first few of each reason, so that a long outage costs no memory. */
export function createFailureLog(): {
  readonly groups: ReadonlyMap<FailureReason, FailureGroup>;
  add(reason: FailureReason, sample: FailureSample): void;
} {
  const groups = new Map<FailureReason, { count: number; samples: FailureSample[] }>();
  return {
    groups,
    add: (reason, sample) => {
      const group = groups.get(reason) ?? { count: 0, samples: [] };
      groups.set(reason, group);
      group.count += 1;
      if (group.samples.length < SAMPLES_PER_REASON) {
        group.samples.push(sample);
      }
    },
  };
}
