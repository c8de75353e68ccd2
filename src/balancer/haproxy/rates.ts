/** Turns counters that only grow into rates that can be trusted, or say why not. */

import type { Sample } from '../../scaler/observation.ts';

/** Rates look back this far: short enough to see a storm in a tick, long enough that one request is noise. */
const windowMs = 1_000;
/** A poll each second is never exactly a second apart. */
const jitterMs = 150;
/**
 * A rate over less than a window says more about the moment than about the load: the 20 requests of a quarter
 * of a second are as likely 15 or 25. Right after a start nothing would tolerate that, and nodes would come.
 */
const shortestSpanMs = windowMs - jitterMs;
/** Beyond this it is an average of the past, and must not let a node go. */
const longestSpanMs = 3_000;
/** After a reload the old worker goes on serving its connections, which the new one's counters leave out. */
const partialAfterEpochMs = 10_000;
/** Closer readings are not kept, which bounds the ring to about 20 however often it is asked. */
const spacingMs = 50;

interface Reading {
  readonly atMs: number;
  readonly total: number;
}

/** One counter of one balancer. */
export class RateMeter {
  #epoch: string | undefined;
  #partialUntilMs = Number.NEGATIVE_INFINITY;
  /** Of the last reading, kept or not: a counter that was cleared right after it must be noticed. */
  #lastTotal = 0;
  #readings: Reading[] = [];

  /**
   * Takes a reading and says the rate over about the last second, however often it is asked.
   *
   * The first reading of an epoch says nothing: a counter's 0 at the start of its worker is not assumed to
   * be a reading of ours. After a change of epoch the rate is `partial` for 10 s. A counter that went back
   * within an epoch was cleared by somebody: absent, and start anew.
   *
   * @param reading.atMs - Steady time of the answer.
   * @returns Never NaN, negative or infinite.
   */
  read(reading: {
    readonly epoch: string;
    readonly atMs: number;
    readonly total: number;
  }): Sample<number> {
    const { epoch, atMs, total } = reading;
    if (epoch !== this.#epoch) {
      if (this.#epoch !== undefined) {
        this.#partialUntilMs = atMs + partialAfterEpochMs;
      }
      this.#epoch = epoch;
      return this.#startAnew(reading, 'the first reading of this HAProxy worker');
    }
    const last = this.#readings.at(-1);
    if (!Number.isFinite(total) || last === undefined || total < this.#lastTotal) {
      return this.#startAnew(reading, 'the counter went back: somebody cleared it');
    }

    this.#lastTotal = total;
    const base = this.#base(atMs, last);
    const spanMs = atMs - base.atMs;
    if (atMs - last.atMs >= spacingMs) {
      this.#keep({ atMs, total });
    }
    if (spanMs < shortestSpanMs) {
      return { status: 'absent', why: `the readings span only ${Math.round(spanMs)} ms` };
    }
    const value = ((total - base.total) * 1_000) / spanMs;
    const why = this.#whyPartial(atMs, spanMs);
    return why === undefined ? { status: 'ok', value } : { status: 'partial', value, why };
  }

  #startAnew(reading: Reading, why: string): Sample<number> {
    this.#lastTotal = reading.total;
    this.#readings = Number.isFinite(reading.total)
      ? [{ atMs: reading.atMs, total: reading.total }]
      : [];
    return { status: 'absent', why };
  }

  /** The latest reading that is a window old, or else the oldest there is. */
  #base(atMs: number, last: Reading): Reading {
    const old = this.#readings.findLast((reading) => atMs - reading.atMs >= windowMs - jitterMs);
    return old ?? this.#readings[0] ?? last;
  }

  /** Drops what no later call can choose as its base. */
  #keep(reading: Reading): void {
    this.#readings.push(reading);
    const firstYoung = this.#readings.findLastIndex(
      (earlier) => reading.atMs - earlier.atMs >= windowMs - jitterMs,
    );
    this.#readings.splice(0, Math.max(firstYoung, 0));
  }

  #whyPartial(atMs: number, spanMs: number): string | undefined {
    if (atMs < this.#partialUntilMs) {
      return 'HAProxy was reloaded: its old workers still serve what this one does not count';
    }
    return spanMs > longestSpanMs
      ? `no reading for ${Math.round(spanMs)} ms: an average`
      : undefined;
  }
}
