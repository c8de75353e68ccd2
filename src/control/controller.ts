import type { Action } from '../scaler/action.ts';
import type { BreakerPolicy } from '../scaler/breaker.ts';
import type { CapacityInput } from '../scaler/capacity.ts';
import { type Cluster, type Mode, type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../scaler/decide.ts';
import type { FixedNode } from '../scaler/fixed-tier.ts';
import type { DomainSighting, Observation } from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import { type TierTick, tickTier } from '../scaler/tick.ts';
import type { Actuators } from './act.ts';
import { ActionRunner } from './action-runner.ts';
import { BootLedger } from './boots.ts';
import { BalancerWatch } from './balancer-watch.ts';
import type { TrafficFigures } from './balancers-view.ts';
import { OutcomeUnknownError } from './errors.ts';
import type { Recorder, TierTicked } from './events.ts';
import { Fences } from './fences.ts';
import { type FailingAction, FailingActions } from './failing-actions.ts';
import { InFlight } from './in-flight.ts';
import type { OverrideBook } from './override-book.ts';
import type { BalancerSnapshot, LoadBalancer } from './ports.ts';
import { Reassertion } from './reassertion.ts';
import { type ReadSchedule, ScheduleWatch } from './schedule-watch.ts';
import type { Snapshot } from './source.ts';
import { BALANCER_PACE, type SourceFailure, Sources } from './sources.ts';
import { WallWatch } from './wall-watch.ts';
import { type HostFigures, type StrangerWatch, World } from './world.ts';

/** What a config says of the world. */
export interface Setup extends Pick<Actuators, 'hypervisors' | 'balancers'> {
  readonly clusters: readonly Cluster[];
  readonly limits: {
    readonly maxNodes: number;
    readonly concurrentBootsPerHost: number;
    readonly breaker: BreakerPolicy;
  };
  /** Left out: no loss is provided for, and each host fails alone. */
  readonly placement?: {
    /** The base nodes still fit after so many hosts were lost: 0 or 1. */
    readonly hostFailuresToTolerate: number;
    /** What fails together, by host; a host that is left out fails alone. */
    readonly failureDomains: ReadonlyMap<string, string>;
  };
}

export interface ControllerOptions
  extends Omit<Actuators, 'hypervisors' | 'balancers' | 'excluded'> {
  readonly setup: Setup;
  readonly overrides: OverrideBook;
  readonly recorder: Recorder;
  /** Needed where a tier has schedules. */
  readonly readSchedule?: ReadSchedule;
}

/** There is a tick at least so often. */
const TICK_INTERVAL_MS = BALANCER_PACE.intervalMs;

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
  readonly #inFlight = new InFlight(() => this.#world.forgetRoom());
  readonly #failing = new FailingActions(this.#inFlight);
  readonly #boots: BootLedger;
  readonly #wall: WallWatch;
  readonly #schedules: ScheduleWatch;
  readonly #fences: Fences;
  readonly #runner: ActionRunner;
  /** Nodes drained because they were sick must not be taken for booting ones, though they look alike. */
  readonly #sickBirths = new Map<string, number>();
  readonly #balancerWatch = new BalancerWatch();
  readonly #strangers = new Map<string, StrangerWatch>();
  readonly #remembered = new Map<string, DomainSighting>();
  readonly #memories = new Map<string, TierMemory>();
  readonly #ticks = new Map<string, TierTicked>();
  readonly #fixed = new Map<string, readonly FixedNode[]>();
  #setup: Setup;
  #world: World;
  readonly #sources: Sources;
  readonly #reassertions = new Map<LoadBalancer, Reassertion>();
  /** Aborts what ticks start; `undefined`: they start nothing. */
  #actionSignal: AbortSignal | undefined;
  /** Ends all that runs, and that reign alone. */
  #allActions = new AbortController();
  #reignActions = new AbortController();
  /** Whether it might act at the last tick, and until when it has. */
  #mightAct = false;
  #actedUntilMs: number;
  #lastTickAtMs = Number.NEGATIVE_INFINITY;
  /** No tick after it. */
  #stop: AbortSignal | undefined;
  #busy = true;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#setup = options.setup;
    this.#actedUntilMs = options.clock.steadyMs();
    this.#wall = new WallWatch(options.clock);
    this.#schedules = new ScheduleWatch(options.clock, options.readSchedule);
    this.#fences = new Fences(options);
    this.#boots = new BootLedger(options.setup.limits.breaker);
    this.#runner = new ActionRunner({
      ...options,
      ports: () => ({ ...this.#setup, excluded: this.#excluded() }),
      inFlight: this.#inFlight,
      failing: this.#failing,
      boots: this.#boots,
      startOf: (tier, action) => this.#world.startOf(tier, action),
      onServerSet: (balancer, change) => {
        for (const [port, reassertion] of this.#reassertions) {
          if (balancer === undefined || balancer === port.name) {
            reassertion.note(change);
          }
        }
      },
      onSuccess: (action) => this.#sources.poke(hostOf(action)),
    });
    this.#sources = new Sources({
      ...options,
      isBusy: () => this.#busy,
      onHost: (port, snapshot) => {
        this.#world.seeHost(port.host, snapshot);
        this.#beginReign();
      },
      onBalancer: (port, snapshot) => this.#seeBalancer(port, snapshot),
    });
    this.#world = this.#install();
  }

  /**
   * Takes over another config while running. What did not change – a port that is the same object, a tier of
   * the same name – goes on without a gap; what is under way ends as it was begun.
   */
  reconfigure(setup: Setup): void {
    const modesBefore = modesByTier(this.#setup);
    this.#setup = setup;
    this.#boots.policy = setup.limits.breaker;
    this.#world = this.#install();
    const modes = modesByTier(setup);
    for (const known of [this.#ticks, this.#memories]) {
      keepOnly(known, (key) => modes.has(key));
    }
    this.#failing.keepTiers((key) => modes.has(key));
    const all = new Set(setup.clusters.flatMap(({ tiers }) => tiers.map(tierKey)));
    keepOnly(this.#fixed, (key) => all.has(key) && !modes.has(key));
    for (const [key, memory] of this.#memories) {
      if (modes.get(key) !== modesBefore.get(key)) {
        this.#memories.set(key, countAnew(memory, Number.NEGATIVE_INFINITY));
      }
    }
  }

  /**
   * What was known before a restart: scaling policies look back on it, and how long nodes take to come is
   * not learned anew; and a host that does not answer may still have what it had then.
   * The count and the windows are not taken over: the world says what is there, and scale-in waits for a full
   * window of known signals, because nobody watched meanwhile. Who watched while another one led keeps its own.
   */
  restore(
    tier: string,
    memory: TierMemory,
    seen: Pick<Observation, 'bootTimeMs' | 'startTimes' | 'nodes'>,
  ): void {
    const nowMs = this.#options.clock.steadyMs();
    // A clock that was set back must not keep a change in the future.
    const changes = memory.changes.map((change) => ({
      ...change,
      atMs: Math.min(change.atMs, nowMs),
    }));
    this.#actedUntilMs = nowMs;
    const own = this.#memories.get(tier) ?? EMPTY_MEMORY;
    this.#memories.set(tier, { ...own, desiredNodes: undefined, changes });
    this.#boots.restoreTimes(tier, seen.bootTimeMs, seen.startTimes ?? []);
    for (const { number, domains } of seen.nodes) {
      const [domain] = domains;
      if (domain !== undefined) {
        this.#remembered.set(`${tier.replace('/', '-')}-${number}`, domain);
      }
    }
  }

  /** Names of the balancers that an operator has excluded. */
  #excluded(): ReadonlySet<string> {
    return new Set(
      this.#options.overrides
        .ofAllTiers()
        .flatMap((one) => (one.kind === 'exclude-balancer' ? [one.balancer] : [])),
    );
  }

  /** Sources for the ports of the setup, and a world that has seen their latest answers. */
  #install(): World {
    const { clock, uuidOf, overrides } = this.#options;
    const { clusters, hypervisors, balancers, limits, placement } = this.#setup;
    this.#sources.replace([...hypervisors.values()], balancers);
    const tiers = clusters.flatMap(scaledTiers);
    for (const balancer of this.#reassertions.keys()) {
      if (!balancers.includes(balancer)) {
        this.#reassertions.delete(balancer);
      }
    }
    for (const balancer of balancers) {
      const known = this.#reassertions.get(balancer);
      if (known === undefined) {
        const parts = { ...this.#options, balancer, tiers, inFlight: this.#inFlight };
        this.#reassertions.set(balancer, new Reassertion(parts));
      } else {
        known.tiers = tiers;
      }
    }
    const world = new World({
      clusters,
      hosts: [...hypervisors.values()].map(({ host, pace }) => ({
        name: host,
        staleAfterMs: pace.staleAfterMs,
        failureDomain: placement?.failureDomains.get(host) ?? host,
      })),
      hostFailuresToTolerate: placement?.hostFailuresToTolerate ?? 0,
      balancers: balancers.map((balancer) => balancer.name),
      balancerWatch: this.#balancerWatch,
      isFailing: (name) => this.#sources.isFailing(name),
      isFenced: (host) => this.#fences.isFenced(host),
      maxNodes: limits.maxNodes,
      concurrentBootsPerHost: limits.concurrentBootsPerHost,
      uuidOf,
      clock,
      wall: this.#wall,
      schedules: this.#schedules,
      inFlight: this.#inFlight,
      boots: this.#boots,
      sickBirths: this.#sickBirths,
      strangers: this.#strangers,
      remembered: this.#remembered,
      overrides,
    });
    for (const [name, snapshot] of this.#sources.hostAnswers()) {
      world.seeHost(name, snapshot);
    }
    for (const [name, snapshot] of this.#sources.balancerAnswers()) {
      world.seeBalancer(name, snapshot);
    }
    return world;
  }

  /**
   * Runs until `signal` is aborted, then lets begun actions end. When one of its loops fails, which is a
   * defect, all of them end and the promise rejects: half a loop is worse than none.
   */
  async run(signal: AbortSignal): Promise<void> {
    const actions = this.#allActions;
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
    this.#stop = stop;
    this.#actionSignal = this.#signalOfReign();
    const loops = [this.#sources.run(stop), this.#tickWithoutBalancers(stop)];
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
  async dryRun(signal: AbortSignal): Promise<void> {
    await this.#sources.askAll(signal);
    await this.#options.clock.sleep(TICK_INTERVAL_MS, signal);
    await this.#sources.askAll(signal);
    this.#tickAll();
  }

  /**
   * After {@link dryRun}, the same tick as another setup has it. Ports that are the same object are not asked again, so
   * that both decide on the same answers, and what differs is due to the setup.
   */
  async dryRunAs(setup: Setup, signal: AbortSignal): Promise<void> {
    this.reconfigure(setup);
    if (!this.#sources.areAllHeard) {
      const { heard } = this.#sources;
      await this.#sources.askAll(signal, heard);
      await this.#options.clock.sleep(TICK_INTERVAL_MS, signal);
      await this.#sources.askAll(signal, heard);
    }
    this.#tickAll();
  }

  /** Leadership was lost: what has begun is given up at once, and what became of it is for the world to say. */
  stopActing(): void {
    this.#reignActions.abort(new OutcomeUnknownError('leadership was lost meanwhile'));
    this.#reignActions = new AbortController();
    if (this.#actionSignal !== undefined) {
      this.#actionSignal = this.#signalOfReign();
    }
  }

  #signalOfReign(): AbortSignal {
    return AbortSignal.any([this.#allActions.signal, this.#reignActions.signal]);
  }

  /** Why nothing can be done now, whoever leads here; `undefined` when something can. */
  get whyUnable(): string | undefined {
    const { hypervisors, balancers } = this.#setup;
    const silent = this.#sources.silentHosts;
    const hosts = [...hypervisors.keys()];
    if (hosts.every((host) => silent.has(host))) {
      return 'no host answers';
    }
    if (hosts.every((host) => silent.has(host) || !this.#fences.isFenced(host))) {
      return 'no host acknowledges the term';
    }
    return balancers.every(({ name }) => this.#sources.isFailing(name))
      ? 'no balancer answers'
      : undefined;
  }

  /** What `measureCapacity` needs beside sizes, from the latest answers. */
  capacityInput(): Omit<CapacityInput, 'sizes'> {
    return this.#world.capacityInput(Math.round(this.#options.clock.steadyMs()));
  }

  /** Every host as its latest answer shows it. */
  get hosts(): readonly HostFigures[] {
    return this.#world.hostFigures(Math.round(this.#options.clock.steadyMs()));
  }

  /** How the tier's requests fare. */
  trafficOf(tier: ScaledTier): TrafficFigures {
    return this.#world.trafficOf(tier);
  }

  /** The latest tick of each tier, by `cluster/tier`. */
  get ticks(): ReadonlyMap<string, TierTicked> {
    return this.#ticks;
  }

  /** Nodes of the tiers that are only watched, by `cluster/tier`. */
  get fixed(): ReadonlyMap<string, readonly FixedNode[]> {
    return this.#fixed;
  }

  /** Milliseconds since the last tick; infinite before the first one. */
  get tickAgeMs(): number {
    return this.#options.clock.steadyMs() - this.#lastTickAtMs;
  }

  /** The hosts and balancers that have not answered yet, and why; empty once all have. */
  get unanswered(): readonly string[] {
    return this.#sources.unanswered;
  }

  /** The hosts and balancers that do not answer now, and why. */
  get failingSources(): readonly SourceFailure[] {
    return this.#sources.failing;
  }

  /** The actions that have failed at least three times in a row and are still wanted. */
  get failingActions(): readonly FailingAction[] {
    return this.#failing.told;
  }

  /**
   * After a start, what a source has not shown yet may be anything: a number that looks free may be that of
   * a standby node. So each is waited for until it has answered or failed, and one balancer has to answer.
   */
  get #mayBegin(): boolean {
    return this.#sources.areAllHeard && this.#sources.balancerAnswers().length > 0;
  }

  /** Nothing is warned of before each source was heard either. */
  get #unheard(): { readonly unheard?: true } {
    return this.#sources.areAllHeard ? {} : { unheard: true };
  }

  async #seeBalancer(port: LoadBalancer, snapshot: Snapshot<BalancerSnapshot>): Promise<void> {
    const { name } = port;
    const signal = this.#actionSignal;
    if (signal === undefined) {
      this.#world.seeBalancer(name, snapshot);
      return;
    }
    const warnings = snapshot.value.warnings ?? [];
    this.#options.recorder.record({ type: 'balancer-warned', balancer: name, warnings });
    const restored = await this.#reassertions.get(port)?.restore(snapshot.value, signal);
    if (restored === true) {
      this.#world.seeBalancer(name, snapshot);
      this.#tickAll();
    }
  }

  /** A tick at least each second, also while no balancer answers: what hosts say still counts. */
  async #tickWithoutBalancers(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(TICK_INTERVAL_MS, signal).catch(() => undefined);
      if (!signal.aborted && this.tickAgeMs >= TICK_INTERVAL_MS) {
        this.#tickAll();
      }
    }
  }

  #tickAll(): void {
    const { clock, recorder } = this.#options;
    const jumpMs = this.#wall.check();
    if (jumpMs !== 0) {
      recorder.record({ type: 'clock-jumped', jumpMs });
    }
    // Whole milliseconds: what a tick saw is kept, and fractions would be noise there.
    const atMs = Math.round(clock.steadyMs());
    this.#keepFences();
    this.#noticeTakeover(atMs);
    this.#boots.silentHosts = this.#sources.silentHosts;
    this.#inFlight.settle((flight) => this.#world.seenAtMs(hostOf(flight.action), atMs));
    for (const cluster of this.#setup.clusters) {
      const startMs = clock.steadyMs();
      for (const tier of cluster.tiers) {
        if (tier.scaling === 'automatic') {
          this.#tickTier(cluster, tier, atMs);
        } else {
          const nodes = this.#world.observeFixed(tier, atMs);
          this.#fixed.set(tierKey(tier), nodes);
          recorder.record({ type: 'fixed-tier-seen', tier, nodes, ...this.#unheard });
        }
      }
      const durationMs = clock.steadyMs() - startMs;
      recorder.record({ type: 'cluster-ticked', cluster: cluster.name, durationMs });
    }
    this.#lastTickAtMs = atMs;
    this.#busy =
      this.#inFlight.size > 0 || [...this.#ticks.values()].some(({ tick }) => isChanging(tick));
  }

  /** Before anything is done by a new term, all hosts that answer are shown it. */
  #keepFences(): void {
    const signal = this.#actionSignal;
    if (signal === undefined) {
      return;
    }
    this.#fences.keep(this.#options.leadership.term(), this.#setup.hypervisors.values(), {
      silent: this.#sources.silentHosts,
      askedAtMs: (host) => this.#world.askedAtMs(host),
      signal,
      onAnswer: (host) => {
        this.#sources.askHostAnew(host);
        this.#beginReign();
      },
    });
  }

  /** Whoever takes over acts at once, and not up to a second later. */
  #beginReign(): void {
    if (this.#fences.isBeginning && this.#stop?.aborted === false) {
      this.#tickAll();
    }
  }

  #noticeTakeover(atMs: number): void {
    const mayAct =
      this.#options.leadership.term() !== undefined && this.#mayBegin && this.#fences.hasBegun;
    if (mayAct && !this.#mightAct) {
      for (const [key, memory] of this.#memories) {
        this.#memories.set(key, countAnew(memory, this.#actedUntilMs));
      }
    }
    this.#mightAct = mayAct;
    this.#actedUntilMs = mayAct ? atMs : this.#actedUntilMs;
  }

  #tickTier(cluster: Cluster, tier: ScaledTier, atMs: number): void {
    const { leadership, overrides, recorder } = this.#options;
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
    const ticked = {
      type: 'tier-ticked',
      tier,
      mode: cluster.mode,
      observation,
      memory,
      tick,
      ...this.#unheard,
    } as const;
    this.#ticks.set(key, ticked);
    recorder.record(ticked);
    if (this.#actionSignal === undefined) {
      return;
    }
    this.#memories.set(key, tick.memory);
    if (this.#world.isEveryHostFresh(atMs)) {
      overrides.forgetGone(tier, tick.nodes);
    }
    const mayAct = term !== undefined && this.#mayBegin && this.#fences.hasBegun;
    const wanted = mayAct ? tick.actions : [];
    this.#failing.keepWanted(tier, wanted);
    for (const action of wanted.filter((one) => !this.#failing.isResting(one, atMs))) {
      this.#noteSick(action, tick);
      this.#runner.start(tier, action, this.#actionSignal);
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
}

function hostOf(action: Action): string | undefined {
  return 'host' in action ? action.host : undefined;
}

function scaledTiers(cluster: Cluster): readonly ScaledTier[] {
  return cluster.tiers.filter((tier) => tier.scaling === 'automatic');
}

/** By `cluster/tier`, the tiers that are scaled. */
function modesByTier({ clusters }: Setup): ReadonlyMap<string, Mode> {
  return new Map(
    clusters.flatMap((cluster) =>
      scaledTiers(cluster).map((tier) => [tierKey(tier), cluster.mode] as const),
    ),
  );
}

/**
 * What was decided while nobody might act has not happened: taken for what is there, all of it would come at
 * once and pass by the scaling policies; taken for a change, it would use up what these allow.
 */
function countAnew(memory: TierMemory, actedUntilMs: number): TierMemory {
  const changes = memory.changes.filter(({ atMs }) => atMs <= actedUntilMs);
  return { ...memory, desiredNodes: undefined, changes };
}

function keepOnly(known: Map<string, unknown>, isKept: (key: string) => boolean): void {
  for (const key of known.keys()) {
    if (!isKept(key)) {
      known.delete(key);
    }
  }
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
