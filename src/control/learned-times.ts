import type { StartKind, StartTime } from '../scaler/observation.ts';

/** What is measured apart: versions of an image, hosts and ways of coming differ. */
export interface Start {
  readonly imageVersion: string;
  readonly host: string;
  readonly start: StartKind;
}

const REMEMBERED_TIMES = 20;

/** More than a tier uses at a time; the one that was longest not measured is forgotten. */
const REMEMBERED_STARTS = 24;

/** How long nodes of one tier took to come, from the order to the first passed check. Bounded. */
export class LearnedTimes {
  /** Of cold boots on all hosts, the latest last. */
  readonly #coldMs: number[] = [];
  /** The one that was measured last is the last. */
  readonly #starts = new Map<string, { readonly of: Start; readonly timesMs: number[] }>();
  /** Made on demand: most ticks learn nothing. */
  #summary: readonly StartTime[] | undefined;

  learn(of: Start, timeMs: number): void {
    if (of.start === 'cold') {
      pushBounded(this.#coldMs, timeMs);
    }
    const key = `${of.imageVersion} ${of.host} ${of.start}`;
    const { timesMs } = this.#starts.get(key) ?? { timesMs: [] };
    pushBounded(timesMs, timeMs);
    this.#starts.delete(key);
    this.#starts.set(key, { of, timesMs });
    const [oldest] = this.#starts.keys();
    if (this.#starts.size > REMEMBERED_STARTS && oldest !== undefined) {
      this.#starts.delete(oldest);
    }
    this.#summary = undefined;
  }

  /** What was known before a restart, until something newer is measured. */
  restore(coldMs: number | undefined, starts: readonly StartTime[]): void {
    for (const { timeMs, ...of } of starts) {
      this.learn(of, timeMs);
    }
    if (coldMs !== undefined) {
      this.#coldMs.splice(0, this.#coldMs.length, coldMs);
    }
  }

  /** The 80th percentile of the latest cold boots. */
  get bootTimeMs(): number | undefined {
    return percentile80(this.#coldMs);
  }

  /** The 80th percentile of each; the one that was measured last is the last. */
  get all(): readonly StartTime[] {
    this.#summary ??= [...this.#starts.values()].map(({ of, timesMs }) => ({
      ...of,
      timeMs: Math.round(percentile80(timesMs) ?? 0),
    }));
    return this.#summary;
  }
}

function percentile80(timesMs: readonly number[]): number | undefined {
  const sorted = timesMs.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * 0.8) - 1];
}

function pushBounded(timesMs: number[], timeMs: number): void {
  timesMs.push(timeMs);
  timesMs.splice(0, timesMs.length - REMEMBERED_TIMES);
}
