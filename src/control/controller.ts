import type { Action } from '../scaler/action.ts';
import type { BreakerPolicy } from '../scaler/breaker.ts';
import { type Cluster, type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../scaler/decide.ts';
import type { FixedNode } from '../scaler/fixed-tier.ts';
import type { Term } from '../scaler/observation.ts';
import { type TierTick, tickTier } from '../scaler/tick.ts';
import type { Actuators } from './act.ts';
import { ActionRunner } from './action-runner.ts';
import { BootLedger } from './boots.ts';
import { OutcomeUnknownError } from './errors.ts';
import type { Recorder } from './events.ts';
import { InFlight } from './in-flight.ts';
import type { BalancerSnapshot, HostSnapshot, Hypervisor, LoadBalancer } from './ports.ts';
import { Reassertion } from './reassertion.ts';
import { type Snapshot, Source } from './source.ts';
import { WallWatch } from './wall-watch.ts';
import { World } from './world.ts';

/** What a config says of the world. */
export interface Setup extends Pick<Actuators, 'hypervisors' | 'balancers'> {
  readonly clusters: readonly Cluster[];
  readonly limits: {
    readonly maxNodes: number;
    readonly concurrentBootsPerHost: number;
    readonly breaker: BreakerPolicy;
  };
}

export interface ControllerOptions extends Setup, Actuators {
  readonly recorder: Recorder;
}

/** What one tick would do, and what the tiers that are only watched look like; by `cluster/tier`. */
export interface DryRun {
  readonly ticks: ReadonlyMap<string, TierTick>;
  readonly fixed: ReadonlyMap<string, readonly FixedNode[]>;
}

/** A balancer is asked each second, a host every few, and both at this pace while something changes there. */
const BALANCER_INTERVAL_MS = 1_000;
const HOST_INTERVAL_MS = 2_000;
const BUSY_INTERVAL_MS = 250;

/** On shutdown, actions that have begun may end. */
const SHUTDOWN_GRACE_MS = 10_000;

/** The term of a process that must not act: it observes, decides, and starts nothing. */
const NO_TERM: Term = { createdAtSeconds: 0, transitions: 0 };

/**
 * The loop: sources are asked at their own pace, each balancer's answer is followed by a tick of every
 * cluster, and actions run beside the ticks until later snapshots show what became of them.
 *
 * A tick itself waits for nothing, so ticks never overlap and a slow host delays none.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #world: World;
  readonly #inFlight: InFlight;
  readonly #boots: BootLedger;
  readonly #wall: WallWatch;
  readonly #hosts: readonly Source<HostSnapshot>[];
  readonly #balancers: readonly Source<BalancerSnapshot>[];
  readonly #reassertions: ReadonlyMap<string, Reassertion>;
  readonly #runner: ActionRunner;
  /** Nodes drained because they were sick must not be taken for booting ones, though they look alike. */
  readonly #sickBirths = new Map<string, number>();
  readonly #memories = new Map<string, TierMemory>();
  readonly #ticks = new Map<string, TierTick>();
  readonly #fixed = new Map<string, readonly FixedNode[]>();
  #lastTickAtMs = Number.NEGATIVE_INFINITY;
  #busy = true;

  constructor(options: ControllerOptions) {
    const { clock, clusters, limits } = options;
    this.#options = options;
    this.#wall = new WallWatch(clock);
    this.#boots = new BootLedger(limits.breaker);
    this.#inFlight = new InFlight(() => this.#world.forgetRoom());
    this.#hosts = [...options.hypervisors.values()].map((port) => this.#hostSource(port));
    this.#balancers = options.balancers.map((port) => this.#balancerSource(port));
    this.#world = new World({
      clusters,
      hosts: [...options.hypervisors.keys()],
      balancers: options.balancers.map((balancer) => balancer.name),
      maxNodes: limits.maxNodes,
      concurrentBootsPerHost: limits.concurrentBootsPerHost,
      uuidOf: options.uuidOf,
      clock,
      wall: this.#wall,
      inFlight: this.#inFlight,
      boots: this.#boots,
      sickBirths: this.#sickBirths,
    });
    const inFlight = this.#inFlight;
    const tiers = clusters.flatMap(scaledTiers);
    this.#reassertions = new Map(
      options.balancers.map((balancer) => [
        balancer.name,
        new Reassertion({ ...options, balancer, tiers, inFlight }),
      ]),
    );
    this.#runner = new ActionRunner({
      ...options,
      inFlight,
      boots: this.#boots,
      onServerSet: (backend, server, to) => {
        for (const reassertion of this.#reassertions.values()) {
          reassertion.note(backend, server, to);
        }
      },
      onSuccess: (action) => this.#pokeSources(action),
    });
  }

  /**
   * Runs until `signal` is aborted, then lets begun actions end. When one of its loops fails, which is a
   * defect, all of them end and the promise rejects: half a loop is worse than none.
   */
  async run(signal: AbortSignal): Promise<void> {
    const actions = new AbortController();
    const defect = new AbortController();
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, defect.signal]);
    const startGrace = (): void => {
      this.#options.clock.sleep(SHUTDOWN_GRACE_MS, ended.signal).then(
        () => actions.abort(new OutcomeUnknownError('the service was stopped meanwhile')),
        () => undefined,
      );
    };
    stop.addEventListener('abort', startGrace, { once: true });
    const loops = [
      ...this.#hosts.map((source) =>
        source.run((snapshot) => this.#seeHost(source.name, snapshot), stop),
      ),
      ...this.#balancers.map((source) =>
        source.run((snapshot) => this.#seeBalancer(source.name, snapshot, actions.signal), stop),
      ),
      this.#tickWithoutBalancers(stop, actions.signal),
    ];
    for (const loop of loops) {
      loop.catch((error: unknown) => defect.abort(error));
    }
    try {
      await Promise.all(loops);
    } finally {
      await this.#runner.settled();
      ended.abort();
    }
  }

  /**
   * One tick that changes nothing: asks every source twice, a second apart, because a rate needs two
   * readings, and decides.
   */
  async dryRun(signal: AbortSignal): Promise<DryRun> {
    await this.#askAll(signal);
    await this.#options.clock.sleep(BALANCER_INTERVAL_MS, signal);
    await this.#askAll(signal);
    this.#tickAll(undefined);
    return { ticks: this.#ticks, fixed: this.#fixed };
  }

  /** Milliseconds since the last tick; infinite before the first one. */
  get tickAgeMs(): number {
    return this.#options.clock.steadyMs() - this.#lastTickAtMs;
  }

  /** The hosts and balancers that have not answered yet, and why; empty once all have. */
  get unanswered(): readonly string[] {
    return [...this.#hosts, ...this.#balancers]
      .filter((source) => source.whyUnanswered !== undefined)
      .map((source) => `${source.name}: ${source.whyUnanswered}`);
  }

  /**
   * After a start, what a source has not shown yet may be anything: a number that looks free may be that of
   * a standby node. So each is waited for until it has answered or failed, and one balancer has to answer.
   */
  get #mayBegin(): boolean {
    return (
      [...this.#hosts, ...this.#balancers].every((source) => source.isHeard) &&
      this.#balancers.some((source) => source.latest !== undefined)
    );
  }

  #hostSource(port: Hypervisor): Source<HostSnapshot> {
    return new Source({
      kind: 'host',
      name: port.host,
      ask: (signal) => port.inspect(signal),
      intervalMs: () => (this.#busy ? BUSY_INTERVAL_MS : HOST_INTERVAL_MS),
      clock: this.#options.clock,
      recorder: this.#options.recorder,
    });
  }

  #balancerSource(port: LoadBalancer): Source<BalancerSnapshot> {
    return new Source({
      kind: 'balancer',
      name: port.name,
      ask: (signal) => port.inspect(signal),
      intervalMs: () => (this.#busy ? BUSY_INTERVAL_MS : BALANCER_INTERVAL_MS),
      clock: this.#options.clock,
      recorder: this.#options.recorder,
    });
  }

  async #askAll(signal: AbortSignal): Promise<void> {
    await Promise.all([
      ...this.#hosts.map(async (source) => {
        const snapshot = await source.ask(signal);
        if (snapshot !== undefined) {
          this.#seeHost(source.name, snapshot);
        }
      }),
      ...this.#balancers.map(async (source) => {
        const snapshot = await source.ask(signal);
        if (snapshot !== undefined) {
          this.#world.seeBalancer(source.name, snapshot);
        }
      }),
    ]);
  }

  #seeHost(name: string, snapshot: Snapshot<HostSnapshot>): void {
    this.#world.seeHost(name, snapshot);
  }

  async #seeBalancer(
    name: string,
    snapshot: Snapshot<BalancerSnapshot>,
    actionSignal: AbortSignal,
  ): Promise<void> {
    const warnings = snapshot.value.warnings ?? [];
    this.#options.recorder.record({ type: 'balancer-warned', balancer: name, warnings });
    const restored = await this.#reassertions.get(name)?.restore(snapshot.value, actionSignal);
    if (restored === true) {
      this.#world.seeBalancer(name, snapshot);
      this.#tickAll(actionSignal);
    }
  }

  /** A tick at least each second, also while no balancer answers: what hosts say still counts. */
  async #tickWithoutBalancers(signal: AbortSignal, actionSignal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(BALANCER_INTERVAL_MS, signal).catch(() => undefined);
      if (!signal.aborted && this.tickAgeMs >= BALANCER_INTERVAL_MS) {
        this.#tickAll(actionSignal);
      }
    }
  }

  /** @param actionSignal - Aborts what the tick starts; `undefined`: start nothing. */
  #tickAll(actionSignal: AbortSignal | undefined): void {
    const { clock, clusters, recorder } = this.#options;
    const jumpMs = this.#wall.check();
    if (jumpMs !== 0) {
      recorder.record({ type: 'clock-jumped', jumpMs });
    }
    // Whole milliseconds: what a tick saw is kept, and fractions would be noise there.
    const atMs = Math.round(clock.steadyMs());
    this.#inFlight.settle((flight) => this.#world.seenAtMs(hostOf(flight.action), atMs));
    for (const cluster of clusters) {
      const startMs = clock.steadyMs();
      for (const tier of cluster.tiers) {
        if (tier.scaling === 'automatic') {
          this.#tickTier(cluster, tier, atMs, actionSignal);
        } else {
          const nodes = this.#world.observeFixed(tier, atMs);
          this.#fixed.set(tierKey(tier), nodes);
          recorder.record({ type: 'fixed-tier-seen', tier, nodes });
        }
      }
      const durationMs = clock.steadyMs() - startMs;
      recorder.record({ type: 'cluster-ticked', cluster: cluster.name, durationMs });
    }
    this.#lastTickAtMs = atMs;
    this.#busy = this.#inFlight.size > 0 || [...this.#ticks.values()].some(isChanging);
  }

  #tickTier(
    cluster: Cluster,
    tier: ScaledTier,
    atMs: number,
    actionSignal: AbortSignal | undefined,
  ): void {
    const { leadership, recorder } = this.#options;
    const key = tierKey(tier);
    const term = leadership.term();
    const memory = this.#memories.get(key) ?? EMPTY_MEMORY;
    let observation = this.#world.observe(tier, term ?? NO_TERM, atMs);
    let tick = tickTier(tier, cluster.mode, observation, memory);
    const results = this.#boots.review(tier, tick.nodes, atMs);
    for (const result of results) {
      recorder.record({ type: 'boot-ended', tier, ...result });
    }
    if (results.some(({ result }) => result === 'failed')) {
      // Decided without knowing of them: one more boot than the breaker allows would follow.
      this.#world.forgetRoom();
      observation = this.#world.observe(tier, term ?? NO_TERM, atMs);
      tick = tickTier(tier, cluster.mode, observation, memory);
    }
    this.#ticks.set(key, tick);
    recorder.record({ type: 'tier-ticked', tier, mode: cluster.mode, observation, memory, tick });
    if (actionSignal === undefined) {
      return;
    }
    this.#memories.set(key, tick.memory);
    if (term !== undefined && this.#mayBegin) {
      for (const action of tick.actions) {
        this.#noteSick(action, tick);
        this.#runner.start(tier, action, actionSignal);
      }
    }
  }

  #noteSick(action: Action, tick: TierTick): void {
    const node = tick.nodes.find(({ name }) => name === action.node);
    if (action.kind === 'drain' && action.reason === 'sick' && node !== undefined) {
      this.#sickBirths.set(node.name, node.bornMs);
    } else if (action.kind === 'admit') {
      this.#sickBirths.delete(action.node);
    }
  }

  #pokeSources(action: Action): void {
    const host = hostOf(action);
    this.#hosts.find((source) => source.name === host)?.poke();
    for (const balancer of this.#balancers) {
      balancer.poke();
    }
  }
}

function hostOf(action: Action): string | undefined {
  return 'host' in action ? action.host : undefined;
}

function scaledTiers(cluster: Cluster): readonly ScaledTier[] {
  return cluster.tiers.filter((tier) => tier.scaling === 'automatic');
}

/** Something there is on its way: worth looking at more often. */
function isChanging(tick: TierTick): boolean {
  return tick.nodes.some(
    ({ phase }) =>
      phase === 'booting' ||
      phase === 'warming' ||
      phase === 'out-of-rotation' ||
      phase === 'stopping',
  );
}
