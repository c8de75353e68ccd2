import { ConfigError } from '../control/errors.ts';
import { parseTrace, type Trace } from './trace-csv.ts';

/** How many requests per second come, over the time of a load. */
export interface RateCurve {
  /** Requests per second at a number of seconds from the start; outside the curve, its first or last rate. */
  readonly rateAt: (seconds: number) => number;
  readonly durationSeconds: number;
  /** The rate that a site should be sized for before the curve starts. */
  readonly startRps: number;
}

export interface StormShape {
  readonly baseRps: number;
  readonly peakRps: number;
  /** Base rate before the storm. */
  readonly leadSeconds: number;
  /** From base to peak, in a straight line; 0 is a wall. */
  readonly rampSeconds: number;
  readonly holdSeconds: number;
  /** From peak to base, in a straight line. */
  readonly fallSeconds: number;
  /** Base rate after the storm. */
  readonly tailSeconds: number;
}

/** A piece of a trace, replayed. */
export interface TraceCurve extends RateCurve {
  /** Where in the trace the replayed window starts, in the trace's own seconds. */
  readonly windowStartSecond: number;
}

/** As much of a trace as a replay shows, in trace time. */
const WINDOW_SECONDS = 18 * 60;
/** A rise must last a minute to be one: shorter peaks are noise. */
const RISE_SMOOTHING_SECONDS = 60;
/** The grid on which the greatest rise is looked for. */
const RISE_STEP_SECONDS = 10;
/** Rises that differ by less than this share are one and the same. */
const EQUAL_SHARE = 1e-9;
/** The finest detail of a trace that is replayed. */
const REPLAY_SMOOTHING_SECONDS = 10;
/**
 * Sparse logs must not simply be multiplied up: the counting noise of five requests a second becomes
 * burstiness that never was. A mean over so many original requests has a noise of 3 %; the load generator's
 * own Poisson arrivals then give the replay the noise that belongs to its rate.
 */
const MIN_REQUESTS_PER_MEAN = 1_000;

/**
 * A flash crowd in straight lines: base rate, ramp, peak, fall, base rate.
 *
 * ```
 *  peak            ┌───hold───┐
 *             ramp ╱           ╲ fall
 *  base ───lead───┘             └───tail───
 * ```
 */
export function stormCurve(shape: StormShape): RateCurve {
  const { baseRps, peakRps } = shape;
  const rampStart = shape.leadSeconds;
  const peakStart = rampStart + shape.rampSeconds;
  const peakEnd = peakStart + shape.holdSeconds;
  const fallEnd = peakEnd + shape.fallSeconds;
  const durationSeconds = fallEnd + shape.tailSeconds;
  return {
    rateAt: drawLine(
      [0, rampStart, peakStart, peakEnd, fallEnd, durationSeconds],
      [baseRps, baseRps, peakRps, peakRps, baseRps, baseRps],
    ),
    durationSeconds,
    startRps: baseRps,
  };
}

/**
 * Replays the most exciting 18 minutes of a recorded day.
 *
 * 1. The window is the one with the greatest rise: of all pairs of instants at most 18 minutes apart, the
 *    pair whose later 60 s mean exceeds the earlier one's by most requests per second (of several such
 *    pairs the one closest together, of these the first). It lies in the middle of the window, as far as the
 *    trace reaches; a trace that is shorter than the window is replayed whole.
 * 2. What is replayed is the trace's running mean over 10 s; over one row where rows are longer, which joins
 *    the middles of neighboring rows by straight lines; and over as long as 1,000 requests took where
 *    that is longer still.
 * 3. The highest rate of this becomes `peakRps`, all others in proportion.
 *
 * @param csvText - A header `second,rps` or `minute,requests`, then rows that each cover the time to the next
 *   one; the last covers as much as the one before it.
 * @param options.compress - Trace seconds per second of the replay: 6 plays 18 minutes in 3. It changes the
 *   time, never the rate.
 * @throws ConfigError with the line and what was expected there, or when there is nothing to replay.
 */
export function traceCurve(
  csvText: string,
  options: { readonly peakRps: number; readonly compress: number },
): TraceCurve {
  const { peakRps, compress } = options;
  if (!(peakRps > 0 && compress > 0 && Number.isFinite(peakRps) && Number.isFinite(compress))) {
    throw new ConfigError(
      `a trace needs a peak and a compression above 0, not ${peakRps} and ${compress}`,
    );
  }
  const trace = parseTrace(csvText);
  const windowSeconds = Math.min(WINDOW_SECONDS, trace.endSecond - trace.startSecond);
  const windowStartSecond = findGreatestRise(trace, windowSeconds);

  const traceSeconds: number[] = [];
  for (let second = 0; second < windowSeconds; second += 1) {
    traceSeconds.push(second);
  }
  traceSeconds.push(windowSeconds);
  const means = traceSeconds.map((second) =>
    meanRps(trace, windowStartSecond + second, REPLAY_SMOOTHING_SECONDS),
  );
  const highestRps = means.reduce((highest, mean) => Math.max(highest, mean), 0);
  if (highestRps === 0) {
    throw new ConfigError('the trace has no requests in the window that would be replayed');
  }
  const rateAt = drawLine(
    traceSeconds.map((second) => second / compress),
    means.map((mean) => (mean / highestRps) * peakRps),
  );
  return {
    rateAt,
    durationSeconds: windowSeconds / compress,
    startRps: rateAt(0),
    windowStartSecond,
  };
}

/** The start of the window around the greatest rise, see {@link traceCurve}. */
function findGreatestRise(trace: Trace, windowSeconds: number): number {
  const grid: number[] = [];
  for (let at = trace.startSecond; at <= trace.endSecond; at += RISE_STEP_SECONDS) {
    grid.push(meanRps(trace, at, RISE_SMOOTHING_SECONDS));
  }
  const reach = Math.floor(windowSeconds / RISE_STEP_SECONDS);

  let rise = 0;
  let span = 0;
  let middle = 0;
  for (const [low, lowRps] of grid.entries()) {
    const lastHigh = Math.min(low + reach, grid.length - 1);
    for (let high = low + 1; high <= lastHigh; high += 1) {
      const difference = (grid[high] ?? 0) - lowRps;
      // Means of equal rows differ in their last digits: such pairs are equal.
      const isHigher = difference > rise * (1 + EQUAL_SHARE);
      const isEqual = rise > 0 && difference >= rise * (1 - EQUAL_SHARE);
      if (isHigher || (isEqual && high - low < span)) {
        rise = difference;
        span = high - low;
        middle = (low + high) / 2;
      }
    }
  }
  const start = trace.startSecond + middle * RISE_STEP_SECONDS - windowSeconds / 2;
  return Math.min(Math.max(start, trace.startSecond), trace.endSecond - windowSeconds);
}

/**
 * The mean rate around an instant: over `leastSeconds`, or one row, or {@link MIN_REQUESTS_PER_MEAN}
 * requests, whichever is longest; near an end of the trace, over the part that exists.
 */
function meanRps(trace: Trace, atSecond: number, leastSeconds: number): number {
  let half = Math.max(leastSeconds, trace.rowSeconds) / 2;
  for (;;) {
    const from = Math.max(atSecond - half, trace.startSecond);
    const to = Math.min(atSecond + half, trace.endSecond);
    const requests = trace.requestsUntil(to) - trace.requestsUntil(from);
    const whole = from === trace.startSecond && to === trace.endSecond;
    if (requests >= MIN_REQUESTS_PER_MEAN || whole) {
      return requests / (to - from);
    }
    // In steps of a twentieth the width is found within 5 %, after at most some 250 of them.
    half *= 1.05;
  }
}

/** Straight lines through points with ascending times; of two points at one time, the later one counts. */
function drawLine(seconds: readonly number[], rps: readonly number[]): (at: number) => number {
  return (at) => {
    let low = 0;
    let high = seconds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((seconds[middle] ?? 0) <= at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const before = rps[low - 1];
    const after = rps[low];
    if (before === undefined || after === undefined) {
      return before ?? after ?? 0;
    }
    const from = seconds[low - 1] ?? 0;
    const share = (at - from) / ((seconds[low] ?? from) - from);
    return before + (after - before) * share;
  };
}
