/** What was there, moment by moment, and the figures that follow from it. All times in seconds of the load. */

export interface Moment {
  readonly atSeconds: number;
  readonly intendedRps: number;
  readonly nodesInService: number;
  readonly queued: number;
}

export interface StormFigures {
  /** The start of the first second in which the intended rate exceeds what the nodes in service are rated for. */
  readonly onsetSeconds: number | undefined;
  /** From the onset. */
  readonly secondsToFirstNode: number | undefined;
  /** From the onset until the nodes in service are rated for the intended rate, and nothing waits. */
  readonly secondsToCatchUp: number | undefined;
}

/** @param timeline - In the order of time. */
export function measureStorm(timeline: readonly Moment[], ratedPerNodeRps: number): StormFigures {
  const isShort = (moment: Moment): boolean =>
    moment.intendedRps > moment.nodesInService * ratedPerNodeRps;
  const onset = timeline.find(isShort);
  if (onset === undefined) {
    return { onsetSeconds: undefined, secondsToFirstNode: undefined, secondsToCatchUp: undefined };
  }
  const onsetSeconds = Math.floor(onset.atSeconds);
  const later = timeline.filter((moment) => moment.atSeconds > onset.atSeconds);
  const first = later.find((moment) => moment.nodesInService > onset.nodesInService);
  const caughtUp = later.find((moment) => !isShort(moment) && moment.queued === 0);
  const sinceOnset = (moment: Moment | undefined): number | undefined =>
    moment === undefined ? undefined : moment.atSeconds - onsetSeconds;
  return {
    onsetSeconds,
    secondsToFirstNode: sinceOnset(first),
    secondsToCatchUp: sinceOnset(caughtUp),
  };
}
