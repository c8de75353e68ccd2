/** The visitors of a weather site: open-loop GETs at a rate that the row changes while they come. */

import { expect } from 'vitest';
import { type LoadRun, startLoad } from '../../src/embedded/load-generator.ts';

/** Longer than any row. */
const LONGEST_MS = 1_200_000;
const SEED = 7;

export interface WeatherLoadOptions {
  /** The row judges the failures itself, because its weather excuses some. */
  readonly mayFail?: boolean;
  /** Who waits longer than this has been failed. @see LoadOptions */
  readonly timeoutMs?: number;
}

export class WeatherLoad {
  /** Live counters. */
  readonly run: LoadRun;
  readonly mayFail: boolean;
  #rps: number;
  readonly #cut = new AbortController();

  constructor(url: string, rps: number, options: WeatherLoadOptions = {}) {
    this.#rps = rps;
    this.mayFail = options.mayFail ?? false;
    this.run = startLoad({
      url,
      rateAt: () => this.#rps,
      durationMs: LONGEST_MS,
      seed: SEED,
      signal: this.#cut.signal,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  }

  get rps(): number {
    return this.#rps;
  }

  /** Changes the rate at once, as a wall of traffic. @param rps - Above 0; `end` ends it. */
  change(rps: number): void {
    if (!(rps > 0)) {
      throw new RangeError('a load of no requests has ended: call end()');
    }
    this.#rps = rps;
  }

  /** Nobody comes any more; resolves when everybody who is there has an outcome. */
  async end(): Promise<void> {
    this.#rps = 0;
    await this.run.done;
  }

  /** Everybody goes at once; what was under way counts neither as good nor as failed. */
  async cut(): Promise<void> {
    this.#cut.abort();
    await this.run.done;
  }

  /** Fails with why and when requests failed. Call it after {@link end}. */
  expectNoneFailed(): void {
    const reasons = [...this.run.failures].map(([reason, { count, samples }]) => {
      const first = samples
        .slice(0, 3)
        .map(({ intendedMs, message }) => `${(intendedMs / 1_000).toFixed(2)} s: ${message}`);
      return `${reason} ${count} times, first ${first.join('; ')}`;
    });
    const summary = `${this.run.failed} of ${this.run.due} requests failed`;
    expect(this.run.failed, [summary, ...reasons].join('\n')).toBe(0);
    expect(this.run.ok, 'nobody asked for anything').toBeGreaterThan(0);
  }
}
