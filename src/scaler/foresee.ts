/** The rate so far → how many nodes will be needed when those that are ordered now can serve. */

/** What is remembered of the rate. Plain JSON. */
export interface Foresight {
  readonly atMs: number;
  readonly fastRps: number;
  readonly slowRps: number;
  readonly variance: number;
}

export interface LoadReading {
  readonly atMs: number;
  readonly rps: number;
  /** Requests that wait at the balancers. */
  readonly waiting: number;
}

export interface NodeReading {
  readonly targetPerNodeRps: number;
  readonly timeToServeMs: number;
  readonly orderedNodes: number;
  readonly servingNodes: number;
  readonly timeToWakeMs: number;
}

/** What each stage saw and did. */
export interface Outlook {
  /** Fractional; of this tick alone: what is needed when a node that is ordered now serves. */
  readonly needNodes: number;
  /** What is needed when a standby node that is woken now serves. */
  readonly soonNodes: number;
  /** So long the highest need counts. */
  readonly holdMs: number;
  readonly rate: {
    readonly levelRps: number;
    readonly trendRpsPerSecond: number;
    readonly aheadSeconds: number;
    readonly forecastRps: number;
  };
  readonly headroom: { readonly noiseRps: number; readonly headroomRps: number };
  readonly storm?: {
    readonly sinceMs: number;
    readonly by: 'surge' | 'queue';
    readonly aheadRps: number;
    readonly endsAtMs?: number;
  };
  readonly backlog: { readonly waiting: number; readonly nodes: number };
}

/** Before any boot was measured. */
export const DEFAULT_TIME_TO_SERVE_MS = 45_000;

export function foresee(
  before: Foresight | undefined,
  load: LoadReading,
  nodes: NodeReading,
): { readonly foresight: Foresight; readonly outlook: Outlook } {
  const foresight = remember(before, load);
  const { fastRps, slowRps } = foresight;
  const sigma = Math.sqrt((before ?? foresight).variance / 13);
  const trendRpsPerSecond = Math.max(0, fastRps - slowRps - 2 * sigma) / 40;
  const needAt = (seconds: number, sigmas: number): number =>
    (Math.max(fastRps, slowRps) + trendRpsPerSecond * seconds + sigmas * sigma) /
    nodes.targetPerNodeRps;
  const aheadSeconds = nodes.timeToServeMs / 1_000 + 5;
  const needNodes = needAt(aheadSeconds, 1.5);
  const levelRps = Math.max(fastRps, slowRps);
  return {
    foresight,
    outlook: {
      needNodes,
      soonNodes: Math.min(needNodes, needAt(nodes.timeToWakeMs / 1_000 + 1, 0.5)),
      holdMs: Math.max(15_000, nodes.timeToServeMs),
      rate: {
        levelRps,
        trendRpsPerSecond,
        aheadSeconds,
        forecastRps: levelRps + trendRpsPerSecond * aheadSeconds,
      },
      headroom: { noiseRps: sigma, headroomRps: 1.5 * sigma },
      backlog: { waiting: load.waiting, nodes: 0 },
    },
  };
}

function remember(before: Foresight | undefined, { atMs, rps }: LoadReading): Foresight {
  if (before === undefined || atMs - before.atMs > 60_000) {
    return { atMs, fastRps: rps, slowRps: rps, variance: 0 };
  }
  const seconds = Math.max(0, atMs - before.atMs) / 1_000;
  const blend = (old: number, value: number, tauSeconds: number): number =>
    old + (value - old) * -Math.expm1(-seconds / tauSeconds);
  return {
    atMs: Math.max(atMs, before.atMs),
    fastRps: blend(before.fastRps, rps, 7),
    slowRps: blend(before.slowRps, rps, 45),
    variance: blend(before.variance, (rps - before.fastRps) ** 2, 120),
  };
}
