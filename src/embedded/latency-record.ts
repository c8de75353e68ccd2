/**
 * What became of each request of a load, in the order in which they were meant to be sent. Sixteen bytes a
 * request, so that an hour of a storm is kept whole and any stretch of it can be asked for afterwards.
 */
export interface LatencyRecord {
  /** Requests recorded so far. */
  readonly length: number;
  /** When each was meant to be sent, in milliseconds from the start; ascending. */
  readonly intendedMs: Float64Array;
  /** From that instant to the end of its answer; NaN while it is under way, and for ever when it failed. */
  readonly latencyMs: Float64Array;
  /**
   * A percentile by nearest rank over the *successful* requests that were meant to be sent within
   * [`fromMs`, `toMs`). Failures have no latency; they are to be shown beside it, never left out.
   *
   * @param share - 0.99 for the p99; within (0, 1].
   * @returns `undefined` when there was none.
   */
  percentile(fromMs: number, toMs: number, share: number): number | undefined;
}

/** The record's own side, for whoever sends. */
export interface LatencyWriter extends LatencyRecord {
  /** @returns The request's place in the record. */
  add(intendedMs: number): number;
  succeed(place: number, latencyMs: number): void;
}

/** An empty record, which grows by doubling. */
export function createLatencyRecord(): LatencyWriter {
  let intended = new Float64Array(1_024);
  let latency = new Float64Array(1_024);
  let length = 0;

  return {
    get length() {
      return length;
    },
    get intendedMs() {
      return intended.subarray(0, length);
    },
    get latencyMs() {
      return latency.subarray(0, length);
    },
    percentile: (fromMs, toMs, share) => {
      const first = countBefore(intended, length, fromMs);
      const end = countBefore(intended, length, toMs);
      return percentileOf(latency.slice(first, end), share);
    },
    add: (intendedMs) => {
      if (length === intended.length) {
        intended = doubled(intended);
        latency = doubled(latency);
      }
      intended[length] = intendedMs;
      latency[length] = Number.NaN;
      length += 1;
      return length - 1;
    },
    succeed: (place, latencyMs) => {
      latency[place] = latencyMs;
    },
  };
}

/**
 * The nearest-rank percentile of unordered values; NaN are left out.
 *
 * @returns `undefined` when nothing is left.
 */
export function percentileOf(values: Float64Array, share: number): number | undefined {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** How many of the first `length` ascending values lie before a limit. */
function countBefore(ascending: Float64Array, length: number, limit: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? limit) < limit) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}
