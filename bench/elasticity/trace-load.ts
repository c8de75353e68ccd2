/** Recorded traffic as a load: smoothed where it is sparse, scaled where it would never leave the minimum. */

import { createRandom } from '../../src/embedded/random.ts';
import { parseTrace, type Trace } from '../../src/embedded/trace-csv.ts';
import { RATED_RPS } from '../../src/sim/physics.ts';
import { drawPoisson } from '../../src/sim/poisson.ts';

/** Rates of a trace, made once; arrivals are drawn from them anew for each seed. */
export interface TraceRates {
  readonly rates: Float64Array;
  /** The trace was scaled, so its own counts say nothing: each seed draws Poisson counts. */
  readonly isDrawn: boolean;
}

/** A site of this minute peak is simulated for a trace that would never leave the minimum. */
const SCALED_PEAK_RPS = 4_000;
const MIN_NODES = 2;
/** The counting noise of five requests a second, multiplied by 1,000, becomes bursts that never were. */
const MIN_REQUESTS_PER_MEAN = 1_000;
/** Traces of longer rows are cut to the day around their peak. */
const LONG_ROW_SECONDS = 60;
const DAY_SECONDS = 86_400;

/**
 * Reads a trace as rates of seconds.
 *
 * @throws ConfigError when the text is no trace.
 */
export function readTrace(csvText: string): TraceRates {
  const trace = parseTrace(csvText);
  const [from, to] = trace.rowSeconds >= LONG_ROW_SECONDS ? dayAroundPeak(trace) : whole(trace);
  const counts = countsOf(trace, from, to);
  if (highestMinute(counts) > MIN_NODES * RATED_RPS && trace.rowSeconds <= 1) {
    return { rates: counts, isDrawn: false };
  }
  const smooth = smoothed(trace, from, to);
  const peak = highestMinute(smooth);
  const isScaled = peak <= MIN_NODES * RATED_RPS;
  const scale = isScaled && peak > 0 ? SCALED_PEAK_RPS / peak : 1;
  return { rates: smooth.map((rps) => rps * scale), isDrawn: true };
}

/** The requests of each second for one seed. */
export function traceArrivals({ rates, isDrawn }: TraceRates, seed: number): Float64Array {
  if (!isDrawn) {
    return rates;
  }
  const random = createRandom(seed ^ 0x7ace);
  return rates.map((rps) => drawPoisson(rps, random));
}

function whole({ startSecond, endSecond }: Trace): readonly [number, number] {
  return [startSecond, endSecond];
}

function dayAroundPeak(trace: Trace): readonly [number, number] {
  const { startSecond, endSecond, rowSeconds } = trace;
  let peakAt = startSecond;
  let highest = -1;
  for (let at = startSecond; at < endSecond; at += rowSeconds) {
    const to = Math.min(at + rowSeconds, endSecond);
    const rps = (trace.requestsUntil(to) - trace.requestsUntil(at)) / (to - at);
    if (rps > highest) {
      highest = rps;
      peakAt = at;
    }
  }
  const length = Math.min(DAY_SECONDS, endSecond - startSecond);
  const from = Math.max(startSecond, Math.min(peakAt - length / 2, endSecond - length));
  return [from, from + length];
}

function countsOf(trace: Trace, from: number, to: number): Float64Array {
  const counts = new Float64Array(Math.floor(to - from));
  for (const second of counts.keys()) {
    const at = from + second;
    counts[second] = trace.requestsUntil(Math.min(at + 1, to)) - trace.requestsUntil(at);
  }
  return counts;
}

/** Around each second the mean over one row, or over as long as {@link MIN_REQUESTS_PER_MEAN} requests took. */
function smoothed(trace: Trace, from: number, to: number): Float64Array {
  const rates = new Float64Array(Math.floor(to - from));
  for (const second of rates.keys()) {
    const middle = from + second + 0.5;
    const least = trace.rowSeconds / 2;
    let narrow = least;
    let wide = Math.max(least, trace.endSecond - trace.startSecond);
    if (requestsAround(trace, middle, narrow) >= MIN_REQUESTS_PER_MEAN) {
      wide = narrow;
    }
    // Halving 18 times finds the width within a second, also of a month.
    for (let step = 0; step < 18 && wide - narrow > 0.5; step += 1) {
      const half = (narrow + wide) / 2;
      if (requestsAround(trace, middle, half) >= MIN_REQUESTS_PER_MEAN) {
        wide = half;
      } else {
        narrow = half;
      }
    }
    const start = Math.max(middle - wide, trace.startSecond);
    const end = Math.min(middle + wide, trace.endSecond);
    rates[second] = requestsAround(trace, middle, wide) / (end - start);
  }
  return rates;
}

function requestsAround(trace: Trace, middle: number, half: number): number {
  const start = Math.max(middle - half, trace.startSecond);
  const end = Math.min(middle + half, trace.endSecond);
  return trace.requestsUntil(end) - trace.requestsUntil(start);
}

function highestMinute(rates: Float64Array): number {
  let sum = 0;
  let highest = 0;
  for (const [second, rps] of rates.entries()) {
    sum += rps - (second >= 60 ? (rates[second - 60] ?? 0) : 0);
    if (second >= 59) {
      highest = Math.max(highest, sum / 60);
    }
  }
  return highest;
}
