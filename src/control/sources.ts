import type { Clock } from './clock.ts';
import type { Recorder, SourceKind } from './events.ts';
import type {
  BalancerSnapshot,
  HostPace,
  HostSnapshot,
  Hypervisor,
  LoadBalancer,
} from './ports.ts';
import { type Snapshot, Source } from './source.ts';

export interface SourcesOptions {
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** Something changes, so all are asked more often. */
  readonly isBusy: () => boolean;
  readonly onHost: (port: Hypervisor, snapshot: Snapshot<HostSnapshot>) => void;
  readonly onBalancer: (
    port: LoadBalancer,
    snapshot: Snapshot<BalancerSnapshot>,
  ) => Promise<void> | void;
}

/** A source, and the end of its being asked. */
interface Asked<T> {
  readonly source: Source<T>;
  readonly onSnapshot: (snapshot: Snapshot<T>) => Promise<void> | void;
  readonly removed: AbortController;
}

/** A balancer is asked each second; each host at the pace that its port says. */
export const BALANCER_PACE = { intervalMs: 1_000, busyIntervalMs: 250, answerWithinMs: 5_000 };

/** Every host and balancer of the config in force, each asked at its own pace. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #hosts = new Map<Hypervisor, Asked<HostSnapshot>>();
  readonly #balancers = new Map<LoadBalancer, Asked<BalancerSnapshot>>();
  readonly #loops = new Set<Promise<void>>();
  /** While it runs: begins to ask one more. */
  #begin: (<T>(asked: Asked<T>) => void) | undefined;

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /** Asks these from now on. A port that is the same object is asked on without a gap. */
  replace(hypervisors: readonly Hypervisor[], balancers: readonly LoadBalancer[]): void {
    // A host that is reached in another way now is the same host: what it showed is still there.
    const before = new Map(this.hostAnswers());
    this.#replaceIn(this.#hosts, hypervisors, (port) => ({
      source: new Source({
        ...this.#common('host', port.pace),
        name: port.host,
        ask: (signal) => port.inspect(signal),
        before: before.get(port.host),
      }),
      onSnapshot: (snapshot) => this.#options.onHost(port, snapshot),
      removed: new AbortController(),
    }));
    this.#replaceIn(this.#balancers, balancers, (port) => ({
      source: new Source({
        ...this.#common('balancer', BALANCER_PACE),
        name: port.name,
        ask: (signal) => port.inspect(signal),
      }),
      onSnapshot: (snapshot) => this.#options.onBalancer(port, snapshot),
      removed: new AbortController(),
    }));
  }

  /** Asks all of them until the signal is aborted. When one loop fails, which is a defect, all end and it rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const defect = new AbortController();
    const stop = AbortSignal.any([signal, defect.signal]);
    const stopped = new Promise((resolve) => {
      stop.addEventListener('abort', resolve, { once: true });
    });
    this.#begin = ({ source, onSnapshot, removed }) => {
      const loop = source
        .run(onSnapshot, AbortSignal.any([stop, removed.signal]))
        .catch((error: unknown) => defect.abort(error))
        .finally(() => this.#loops.delete(loop));
      this.#loops.add(loop);
    };
    for (const asked of this.#hosts.values()) {
      this.#begin(asked);
    }
    for (const asked of this.#balancers.values()) {
      this.#begin(asked);
    }
    if (!stop.aborted) {
      await stopped;
    }
    this.#begin = undefined;
    await Promise.all(this.#loops);
    defect.signal.throwIfAborted();
  }

  /** Asks each once, but for these. */
  async askAll(signal: AbortSignal, but: ReadonlySet<object> = new Set()): Promise<void> {
    const askOne = async <T>({ source, onSnapshot }: Asked<T>): Promise<void> => {
      if (but.has(source)) {
        return;
      }
      const snapshot = await source.ask(signal);
      if (snapshot !== undefined) {
        await onSnapshot(snapshot);
      }
    };
    await Promise.all([
      ...[...this.#hosts.values()].map(askOne),
      ...[...this.#balancers.values()].map(askOne),
    ]);
  }

  /** The latest answers of the hosts, by name. */
  hostAnswers(): readonly (readonly [string, Snapshot<HostSnapshot>])[] {
    return answersOf(this.#hosts.values());
  }

  balancerAnswers(): readonly (readonly [string, Snapshot<BalancerSnapshot>])[] {
    return answersOf(this.#balancers.values());
  }

  /** Those that have not answered yet, and why; empty once all have. */
  get unanswered(): readonly string[] {
    return this.#all()
      .filter((source) => source.whyUnanswered !== undefined)
      .map((source) => `${source.name}: ${source.whyUnanswered}`);
  }

  /** Those that do not answer now, and why. */
  get failing(): readonly SourceFailure[] {
    return this.#all().flatMap((source) =>
      source.failure === undefined ? [] : [{ name: source.name, why: source.failure }],
    );
  }

  /** The last question to this balancer has failed. */
  isFailing(balancer: string): boolean {
    return [...this.#balancers.values()].some(
      ({ source }) => source.name === balancer && source.failure !== undefined,
    );
  }

  /** The hosts whose last question has failed. */
  get silentHosts(): ReadonlySet<string> {
    const silent = [...this.#hosts.values()].filter(({ source }) => source.failure !== undefined);
    return new Set(silent.map(({ source }) => source.name));
  }

  /** Each has answered or failed. */
  get areAllHeard(): boolean {
    return this.#all().every((source) => source.isHeard);
  }

  /** Those that have answered or failed. */
  get heard(): ReadonlySet<object> {
    return new Set(this.#all().filter((source) => source.isHeard));
  }

  /** Whatever this host is just saying, what it says next is wanted at once. */
  askHostAnew(host: string): void {
    for (const { source } of this.#hosts.values()) {
      if (source.name === host) {
        source.askAnew();
      }
    }
  }

  /** Something was done there: ask now. A server may have been set on each balancer. */
  poke(host: string | undefined): void {
    for (const { source } of this.#hosts.values()) {
      if (source.name === host) {
        source.poke();
      }
    }
    for (const { source } of this.#balancers.values()) {
      source.poke();
    }
  }

  #all(): readonly (Source<HostSnapshot> | Source<BalancerSnapshot>)[] {
    return [...this.#hosts.values(), ...this.#balancers.values()].map(({ source }) => source);
  }

  #common(kind: SourceKind, pace: Omit<HostPace, 'staleAfterMs' | 'actWithinMs'>) {
    const { clock, recorder, isBusy } = this.#options;
    return {
      kind,
      intervalMs: () => (isBusy() ? pace.busyIntervalMs : pace.intervalMs),
      answerWithinMs: pace.answerWithinMs,
      clock,
      recorder,
    };
  }

  #replaceIn<P, T>(
    known: Map<P, Asked<T>>,
    ports: readonly P[],
    create: (port: P) => Asked<T>,
  ): void {
    for (const [port, { removed }] of known) {
      if (!ports.includes(port)) {
        removed.abort(new Error('not in the config any more'));
        known.delete(port);
      }
    }
    for (const port of ports) {
      if (!known.has(port)) {
        const asked = create(port);
        known.set(port, asked);
        this.#begin?.(asked);
      }
    }
  }
}

/** A host or balancer that does not answer now. */
export interface SourceFailure {
  readonly name: string;
  readonly why: string;
}

function answersOf<T>(asked: Iterable<Asked<T>>): readonly (readonly [string, Snapshot<T>])[] {
  return [...asked].flatMap(({ source }) =>
    source.latest === undefined ? [] : [[source.name, source.latest] as const],
  );
}
