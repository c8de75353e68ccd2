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
  readonly #cold: { readonly imageVersion: string | undefined; readonly timeMs: number }[] = [];
  /** The one that was measured last is the last. */
  readonly #starts = new Map<string, { readonly of: Start; readonly timesMs: number[] }>();
  /** Made on demand: most ticks learn nothing. */
  #summary: readonly StartTime[] | undefined;
  readonly #bootTimes = new Map<string, number | undefined>();

  learn(of: Start, timeMs: number): void {
    if (of.start === 'cold') {
      pushBounded(this.#cold, { imageVersion: of.imageVersion, timeMs });
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
    this.#forgetSummaries();
  }

  /** What was known before a restart, until something newer is measured. */
  restore(coldMs: number | undefined, starts: readonly StartTime[]): void {
    for (const { timeMs, ...of } of starts) {
      this.learn(of, timeMs);
    }
    if (coldMs !== undefined) {
      const latest = starts.findLast(({ start }) => start === 'cold');
      const boot = { imageVersion: latest?.imageVersion, timeMs: coldMs };
      this.#cold.splice(0, this.#cold.length, boot);
      this.#forgetSummaries();
    }
  }

  /**
   * The 80th percentile of the latest cold boots of an image, or of other versions of it until it has booted once.
   * Hosts are not told apart here: where the next node will be is not known before it is ordered.
   */
  bootTimeMs(imageVersion: string): number | undefined {
    if (!this.#bootTimes.has(imageVersion)) {
      const own = this.#cold.filter((boot) => boot.imageVersion === imageVersion);
      const known = own.length > 0 ? own : this.#cold;
      this.#bootTimes.set(imageVersion, percentile80(known.map(({ timeMs }) => timeMs)));
    }
    return this.#bootTimes.get(imageVersion);
  }

  /** The 80th percentile of each; the one that was measured last is the last. */
  get all(): readonly StartTime[] {
    this.#summary ??= [...this.#starts.values()].map(({ of, timesMs }) => ({
      ...of,
      timeMs: Math.round(percentile80(timesMs) ?? 0),
    }));
    return this.#summary;
  }

  #forgetSummaries(): void {
    this.#summary = undefined;
    this.#bootTimes.clear();
  }
}

function percentile80(timesMs: readonly number[]): number | undefined {
  const sorted = timesMs.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * 0.8) - 1];
}

function pushBounded<T>(times: T[], latest: T): void {
  times.push(latest);
  times.splice(0, times.length - REMEMBERED_TIMES);
}
