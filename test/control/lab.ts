/** A controller in a simulated world, in virtual time. */

import { readSchedule } from '../../src/config/read-schedule.ts';
import { Controller, type Setup } from '../../src/control/controller.ts';
import type { Recorder } from '../../src/control/events.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type { Mode, ScaledTier } from '../../src/scaler/cluster.ts';
import type { Node } from '../../src/scaler/node-phase.ts';
import { EventLog } from './event-log.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { makeCluster, makeTier, uuidOf } from './site.ts';
import { TestClock } from './test-clock.ts';

export interface LabOptions {
  readonly tier?: ScaledTier;
  readonly hosts?: readonly string[];
  readonly balancers?: readonly string[];
  readonly mode?: Mode;
  /** Nodes in service from the beginning. */
  readonly nodes?: number;
  readonly rps?: number;
  readonly recorder?: Recorder;
}

/** `await using lab = startLab(…)`; what still runs at the end is stopped. */
export class Lab implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly world: SimulatedWorld;
  readonly tier: ScaledTier;
  log = new EventLog();
  controller: Controller;
  /** Of the present controller. */
  overrides: OverrideBook;
  /** The controller has not been started, or its run is over. */
  hasEnded = true;
  #stop = new AbortController();
  #run: Promise<void> | undefined;
  readonly #options: LabOptions;

  constructor(options: LabOptions = {}) {
    this.#options = options;
    this.tier = options.tier ?? makeTier();
    this.world = new SimulatedWorld(this.clock, this.tier, options);
    this.world.populate(options.nodes ?? this.tier.policy.minNodes);
    this.world.rps = options.rps ?? 0;
    this.overrides = new OverrideBook(this.clock, this.log);
    this.controller = this.createController();
  }

  createController(): Controller {
    const { world, clock, tier } = this;
    this.log = new EventLog();
    const recorder = this.#options.recorder ?? this.log;
    this.overrides = new OverrideBook(clock, recorder);
    return new Controller({
      setup: this.setupOf(tier),
      leadership: world.lease,
      overrides: this.overrides,
      readSchedule,
      uuidOf,
      clock,
      recorder,
    });
  }

  setupOf(tier: ScaledTier): Setup {
    const { world } = this;
    return {
      clusters: [makeCluster(tier, this.#options.mode)],
      limits: {
        maxNodes: 100,
        concurrentBootsPerHost: 4,
        breaker: { failures: 3, windowMs: 600_000, openMs: 300_000 },
      },
      hypervisors: new Map(world.hosts.map((host) => [host.host, host])),
      balancers: world.balancers,
    };
  }

  start(): void {
    this.hasEnded = false;
    this.#run = this.controller.run(this.#stop.signal).finally(() => {
      this.hasEnded = true;
    });
    // Looked at when the lab is stopped; until then it is nobody's unhandled rejection.
    this.#run.catch(() => undefined);
  }

  /** As SIGTERM does. Resolves when the controller has ended; time must be stepped meanwhile. */
  stop(): Promise<void> {
    this.#stop.abort(new Error('stopped by the test'));
    return this.#run ?? Promise.resolve();
  }

  /** Settles as the run does. */
  ended(): Promise<void> {
    return this.#run ?? Promise.resolve();
  }

  /** The process ends without any order: nothing that it began goes on. Another one starts. */
  async restart(): Promise<void> {
    await this.#end();
    this.#stop = new AbortController();
    this.controller = this.createController();
    this.start();
  }

  get nodes(): readonly Node[] {
    return this.log.of('tier-ticked').at(-1)?.tick.nodes ?? [];
  }

  phase(number: number): Node['phase'] | undefined {
    return this.nodes.find((node) => node.number === number)?.phase;
  }

  inService(): number {
    return this.nodes.filter((node) => node.phase === 'in-service').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end().catch(() => undefined);
  }

  async #end(): Promise<void> {
    const run = this.stop();
    await this.clock.stepUntil(() => this.hasEnded, 120_000);
    await run;
  }
}

export function startLab(options: LabOptions = {}): Lab {
  const lab = new Lab(options);
  lab.start();
  return lab;
}
