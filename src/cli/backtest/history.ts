/** What was recorded, as loads of whole seconds: one for each stretch without a gap. */

import type { RecordedRate } from '../../signals/prometheus-history.ts';
import { drawPoisson } from '../../sim/poisson.ts';

/** Wall clock, in milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A time without a gap. */
export interface Stretch {
  readonly fromMs: number;
  /** Requests of each second. */
  readonly arrivals: Float64Array;
}

export interface History {
  readonly stretches: readonly Stretch[];
  /** Of the time that was asked for, what no stretch covers. */
  readonly gaps: readonly Span[];
  /** In all stretches. */
  readonly seconds: number;
}

/**
 * Sparse logs are not taken literally: the counting noise of five requests a second would look like bursts. A
 * mean over so many requests has a noise of 3 %.
 */
const MIN_REQUESTS_PER_MEAN = 1_000;

/**
 * Means that were recorded every `stepMs`, as a load. Each becomes the mean over as long as 1,000 requests took
 * around it, when that is longer than a step and as far as the stretch reaches; between two of them, the rate
 * is a straight line; of each second, a Poisson count is drawn. A step at which nothing stands is a gap.
 *
 * @param rates - In the order of time. @param random - Uniform in [0, 1).
 */
export function drawHistory(
  rates: readonly RecordedRate[],
  {
    asked,
    stepMs,
    random,
  }: { readonly asked: Span; readonly stepMs: number; readonly random: () => number },
): History {
  // Prometheus answers to the millisecond, and a step is at least a second.
  const stretches = splitAtGaps(rates, 1.5 * stepMs).map((stretch) => {
    const means = smooth(stretch, stepMs / 1_000);
    const seconds = Math.floor(((stretch.length - 1) * stepMs) / 1_000);
    const arrivals = new Float64Array(seconds);
    for (const second of arrivals.keys()) {
      const at = ((second + 0.5) * 1_000) / stepMs;
      const before = Math.floor(at);
      const from = means[before] ?? 0;
      const rps = from + ((means[before + 1] ?? from) - from) * (at - before);
      arrivals[second] = drawPoisson(rps, random);
    }
    return { fromMs: stretch[0]?.atMs ?? 0, arrivals };
  });
  return createHistory(stretches, asked, stepMs);
}

/**
 * Rates of the time since the one before, as the journal keeps them each second, as a load: nothing is drawn.
 *
 * @param mostMs - Two that are further apart have a gap between them.
 */
export function countHistory(
  rates: readonly RecordedRate[],
  { asked, mostMs }: { readonly asked: Span; readonly mostMs: number },
): History {
  const stretches = splitAtGaps(rates, mostMs).map((stretch) => {
    const fromMs = stretch[0]?.atMs ?? 0;
    const untilMs = stretch.at(-1)?.atMs ?? fromMs;
    const arrivals = new Float64Array(Math.floor((untilMs - fromMs) / 1_000));
    for (const [index, { atMs, rps }] of stretch.entries()) {
      if (index > 0) {
        spread(arrivals, ((stretch[index - 1]?.atMs ?? 0) - fromMs) / 1_000, {
          untilSecond: (atMs - fromMs) / 1_000,
          rps,
        });
      }
    }
    return { fromMs, arrivals };
  });
  return createHistory(stretches, asked, mostMs);
}

/** Adds what came from one moment to another, evenly, to the seconds that it falls on. */
function spread(
  arrivals: Float64Array,
  fromSecond: number,
  { untilSecond, rps }: { readonly untilSecond: number; readonly rps: number },
): void {
  for (let second = Math.floor(fromSecond); second < untilSecond; second += 1) {
    const seconds = Math.min(second + 1, untilSecond) - Math.max(second, fromSecond);
    // What lies behind the last whole second is outside, where nothing is kept.
    arrivals[second] = (arrivals[second] ?? 0) + rps * seconds;
  }
}

/** One moment alone covers no time: it is part of a gap. */
function splitAtGaps(
  rates: readonly RecordedRate[],
  mostMs: number,
): readonly (readonly RecordedRate[])[] {
  const stretches: RecordedRate[][] = [];
  let last: RecordedRate | undefined;
  for (const rate of rates) {
    const stretch = stretches.at(-1);
    const passedMs = rate.atMs - (last?.atMs ?? Number.NEGATIVE_INFINITY);
    if (stretch !== undefined && passedMs > 0 && passedMs <= mostMs) {
      stretch.push(rate);
    } else {
      stretches.push([rate]);
    }
    last = rate;
  }
  return stretches.filter((stretch) => stretch.length > 1);
}

/** Around each the mean of as few as hold {@link MIN_REQUESTS_PER_MEAN}, as many on either side. */
function smooth(stretch: readonly RecordedRate[], stepSeconds: number): Float64Array {
  const before = new Float64Array(stretch.length + 1);
  for (const [index, { rps }] of stretch.entries()) {
    before[index + 1] = (before[index] ?? 0) + rps;
  }
  const meanOf = (index: number, side: number): readonly [mean: number, requests: number] => {
    const from = Math.max(0, index - side);
    const until = Math.min(stretch.length, index + side + 1);
    const sum = (before[until] ?? 0) - (before[from] ?? 0);
    return [sum / (until - from), sum * stepSeconds];
  };
  return Float64Array.from(stretch, (_, index) => {
    let least = 0;
    let most = stretch.length;
    while (least < most) {
      const side = (least + most) >>> 1;
      if (meanOf(index, side)[1] >= MIN_REQUESTS_PER_MEAN) {
        most = side;
      } else {
        least = side + 1;
      }
    }
    return meanOf(index, least)[0];
  });
}

/** @param leastMs - What is shorter is no gap: the recording need not begin at the moment that was asked for. */
function createHistory(stretches: readonly Stretch[], asked: Span, leastMs: number): History {
  const gaps: Span[] = [];
  let untilMs = asked.fromMs;
  let seconds = 0;
  for (const { fromMs, arrivals } of stretches) {
    if (fromMs - untilMs > leastMs) {
      gaps.push({ fromMs: untilMs, untilMs: fromMs });
    }
    untilMs = fromMs + arrivals.length * 1_000;
    seconds += arrivals.length;
  }
  if (asked.untilMs - untilMs > leastMs) {
    gaps.push({ fromMs: untilMs, untilMs: asked.untilMs });
  }
  return { stretches, gaps, seconds };
}
