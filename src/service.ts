/** What `rackfire run` runs: everything that one process holds, in the order in which it begins and ends. */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Registry } from 'prom-client';
import {
  closePorts,
  composeContender,
  composeController,
  composeSetup,
  recomposeSetup,
} from './compose.ts';
import type { LeadershipConfig } from './config/config.ts';
import { ConfigKeeper, type ReloadResult } from './config/config-keeper.ts';
import type { LoadedConfig } from './config/load-config.ts';
import type { Clock } from './control/clock.ts';
import type { Controller, Setup } from './control/controller.ts';
import type { ControlEvent, GivenOverride } from './control/events.ts';
import { NotLeaderError } from './control/errors.ts';
import { OverrideBook } from './control/override-book.ts';
import type { Journal, JournalHealth } from './control/ports.ts';
import {
  type Contender,
  isThisProcess,
  type LeadershipView,
  nameHolder,
  type Standing,
} from './leader/standing.ts';
import { type Cluster, tierKey } from './scaler/cluster.ts';
import { openJournal } from './store/journal.ts';
import { createEventLog } from './telemetry/event-log.ts';
import { EventFeed } from './telemetry/event-feed.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import type { PhaseWatch } from './telemetry/phase-watch.ts';
import { type Log, TelemetryRecorder } from './telemetry/recorder.ts';
import { registerStateMetrics } from './telemetry/state-metrics.ts';

export interface ServiceOptions {
  readonly configFile: string;
  readonly loaded: LoadedConfig;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

/** A balancer that is restarted is back sooner. */
const RESIGN_AFTER_MS = 15_000;

/**
 * One Rackfire. It observes and decides from the start, and acts while it leads. The journal is the leader's:
 * it is opened, and what it remembers is taken back, before the first action.
 */
export class Service {
  readonly version: string;
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly controller: Controller;
  readonly overrides: OverrideBook;
  readonly keeper: ConfigKeeper;
  /** Its term is out only when what was said before has been read. */
  readonly leadership: LeadershipView;
  readonly lease: Contender;
  readonly feed = new EventFeed();
  readonly registry: Registry;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #telemetry: TelemetryRecorder;
  #setup: Setup;
  #journal: Journal | undefined;
  #isLeading = false;
  /** What the journal remembers has been taken back, or cannot be. */
  #isPrepared = false;
  /** Since when this leader can do nothing. Steady clock. */
  #unableSinceMs: number | undefined;

  /** @throws ConfigError when the lock, or a file that the config names, cannot be used; nothing is held then. */
  constructor(options: ServiceOptions) {
    const { clock, loaded, log, registry, version } = options;
    this.version = version;
    this.clock = clock;
    this.registry = registry;
    this.startedAtMs = clock.wallMs();
    this.#metrics = createMetrics(registry);
    this.#metrics.buildInfo.set({ version }, 1);
    this.#metrics.configOk.set(1);
    for (const level of ['error', 'warn', 'info'] as const) {
      this.#metrics.logLines.inc({ level }, 0);
    }
    this.#log = createEventLog(log, clock, (record) => {
      this.#metrics.logLines.inc({ level: record.level });
      this.feed.append(record);
      this.#journal?.appendEvent(record);
    });
    this.#telemetry = new TelemetryRecorder(this.#log, this.#metrics);
    const recorder = {
      record: (event: ControlEvent) => {
        this.#telemetry.record(event);
        this.#remember(event);
      },
    };
    this.overrides = new OverrideBook(clock, recorder);
    this.#setup = composeSetup(loaded.config, clock);
    this.leadership = this.#describeLeadership(loaded.config.leadership);
    const { leadership, overrides } = this;
    this.controller = composeController(loaded.config, this.#setup, {
      clock,
      recorder,
      leadership,
      overrides,
    });
    this.keeper = new ConfigKeeper({
      file: options.configFile,
      loaded,
      apply: (next) => this.#apply(next),
      onReload: (result) => this.#sayReload(result),
      clock,
    });
    registerStateMetrics(registry, this);
    // Last: with a config that cannot be used, nothing is taken that would have to be given back.
    this.lease = this.#contend(loaded.config.leadership);
  }

  /** How long nodes have been in their phases. */
  get phases(): PhaseWatch {
    return this.#telemetry.phases;
  }

  /** Undefined while another one leads. */
  get journal(): Journal | undefined {
    return this.#journal;
  }

  /** Runs until the signal is aborted; begun actions end first, and the lock is given away last. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const watching = this.keeper.watch(until);
    try {
      await this.controller.run(signal);
    } finally {
      ended.abort();
      await watching;
      await this.close();
    }
  }

  /** Ends what has begun before `run`, for whom that is not to come. Calling it twice is harmless. */
  async close(): Promise<void> {
    const journal = this.#journal;
    this.#journal = undefined;
    closePorts(this.#setup.hypervisors.values());
    await journal?.close();
    await this.lease.close();
  }

  /**
   * @returns What was given, and whether it will survive a restart.
   * @throws NotLeaderError while this process does not lead.
   */
  async giveOverride(
    tier: string | undefined,
    word: GivenOverride['word'],
    said: { readonly reason: string; readonly durationMs: number },
  ): Promise<{ readonly given: GivenOverride; readonly kept: boolean }> {
    if (!this.#isPrepared) {
      throw new NotLeaderError('what was said before has not been read yet, or another one leads');
    }
    const given = this.overrides.give(tier, word, said);
    return { given, kept: await this.#keep((journal) => journal.saveOverride(given)) };
  }

  /** @returns False when there is none of this id. */
  withdrawOverride(id: string): boolean {
    return this.overrides.withdraw(id);
  }

  /** Something failed that should not have, while a request was answered. */
  sayDefect(error: unknown): void {
    this.#log.error({ err: error }, 'defect while a request was answered');
  }

  /** Tiers that a reload took out of the config; nothing is done to them. */
  get removedTiers(): readonly string[] {
    const inConfig = new Set(tierKeys(this.keeper.current.config.clusters));
    return tierKeys(this.#setup.clusters).filter((key) => !inConfig.has(key));
  }

  #contend(leadership: LeadershipConfig): Contender {
    if (leadership.driver === 'file') {
      makeDirectoryFor(leadership.path);
    }
    return composeContender(leadership, {
      clock: this.clock,
      onChange: (standing) => this.#noteStanding(standing),
      onTrouble: (why) =>
        why === undefined
          ? this.#log.info({}, 'lease is read and written again')
          : this.#log.warn({ why }, 'lease cannot be read or written'),
    });
  }

  #describeLeadership({ driver }: LeadershipConfig): LeadershipView {
    const troubleOf = (): string | undefined => this.lease.trouble;
    return {
      driver,
      term: () => (this.#isPrepared ? this.lease.term() : undefined),
      holder: () => {
        const holder = this.lease.holder();
        return (
          holder && {
            name: nameHolder(holder),
            isThis: isThisProcess(holder),
            sinceMs: holder.sinceMs,
          }
        );
      },
      get trouble() {
        return troubleOf();
      },
    };
  }

  #noteStanding(standing: Standing): void {
    this.#metrics.leader.set(standing.kind === 'leader' ? 1 : 0);
    const wasLeading = this.#isLeading;
    this.#isLeading = standing.kind === 'leader';
    if (this.#isLeading !== wasLeading) {
      this.#metrics.leaderTransitions.inc();
    }
    if (wasLeading && !this.#isLeading) {
      // First of all: what it has begun would be the next leader's to do.
      this.controller.stopActing();
      this.#stopLeading();
    }
    switch (standing.kind) {
      case 'leader':
        this.#log.info({ term: standing.holder.term }, 'leads from now on');
        void this.#prepare();
        return;
      case 'follower':
        if (standing.holder === undefined) {
          this.#log.info({}, 'nobody is known to lead, only observing');
        } else {
          this.#log.warn({ leader: standing.holder }, 'another one leads, only observing');
        }
        return;
      case 'lost':
        this.#log.error({ why: standing.why }, 'leadership is lost');
        return;
      case 'blocked':
        this.#log.error({ err: standing.error }, 'leadership cannot be contended for');
    }
  }

  #stopLeading(): void {
    this.#isPrepared = false;
    void this.#journal?.close();
    this.#journal = undefined;
    // What holds is up to the next leader; this one reads it anew.
    this.overrides.clear();
  }

  /** A leader that can do nothing lets another one try, which may reach what this one does not. */
  #considerResigning(): void {
    const why = this.#isLeading ? this.controller.whyUnable : undefined;
    const nowMs = this.clock.steadyMs();
    if (why === undefined) {
      this.#unableSinceMs = undefined;
      return;
    }
    this.#unableSinceMs ??= nowMs;
    if (nowMs - this.#unableSinceMs >= RESIGN_AFTER_MS && this.lease.resign !== undefined) {
      this.#unableSinceMs = undefined;
      this.#log.error({ why }, 'resigns, another one may be able to work');
      this.lease.resign();
    }
  }

  /** Opens the journal and takes back what it remembers; without it, scaling goes on without a past. */
  async #prepare(): Promise<void> {
    // What this process decides while the journal is being read is no past of its own: taken back, it would
    // stand in for what was before, and use up what scaling policies allow.
    const beforeMs = Math.floor(this.clock.wallMs()) - 1;
    const { path, retentionMs, maxBytes } = this.keeper.current.config.journal;
    makeDirectoryFor(path);
    const journal = openJournal({
      path,
      retentionMs,
      maxBytes,
      clock: this.clock,
      onHealth: (health) => this.#sayJournal(health),
    });
    this.#journal = journal;
    try {
      this.overrides.restore(await journal.loadOverrides());
      for (const key of tierKeys(this.#setup.clusters)) {
        const kept = await journal.decisionAt(key, beforeMs);
        if (kept !== undefined) {
          this.controller.restore(key, kept.tick.memory, kept.observation);
        }
      }
    } catch (error) {
      // Closed meanwhile, it has nothing to say.
      if (this.#journal === journal) {
        this.#log.warn({ err: error }, 'journal cannot be read, nothing is known of before');
      }
    }
    if (this.#journal === journal) {
      this.#isPrepared = true;
    }
  }

  #sayJournal(health: JournalHealth): void {
    this.#metrics.journalOk.set(health.state === 'writing' ? 1 : 0);
    if (health.state !== 'writing') {
      this.#log.error({ ...health }, 'journal is not written, scaling goes on');
      return;
    }
    if (health.why === undefined) {
      this.#log.info({ ...health }, 'journal is written');
    } else {
      this.#log.warn({ ...health }, 'journal is written, but something befell its file');
    }
    for (const given of this.overrides.all()) {
      // It may be a new file, or they were given while nothing could be kept.
      void this.#keep((journal) => journal.saveOverride(given));
    }
  }

  #remember(event: ControlEvent): void {
    if (event.type === 'cluster-ticked') {
      this.#considerResigning();
    } else if (event.type === 'tier-ticked') {
      this.#journal?.appendTick(event);
    } else if (event.type === 'override-ended') {
      void this.#keep((journal) => journal.deleteOverride(event.given.id));
    }
  }

  async #keep(change: (journal: Journal) => Promise<void>): Promise<boolean> {
    if (this.#journal === undefined) {
      return false;
    }
    try {
      await change(this.#journal);
      return true;
    } catch {
      // The journal's health has been said; the override holds until a restart.
      return false;
    }
  }

  #apply({ config }: LoadedConfig): void {
    const previous = { config: this.keeper.current.config, setup: this.#setup };
    this.#setup = recomposeSetup(config, this.clock, previous);
    this.controller.reconfigure(this.#setup);
    closePorts(previous.setup.hypervisors.values(), this.#setup.hypervisors.values());
    this.#telemetry.forget({
      hosts: previous.config.hosts.filter(isMissingIn(config.hosts)),
      balancers: previous.config.balancers.filter(isMissingIn(config.balancers)),
    });
  }

  #sayReload(result: ReloadResult): void {
    const metrics = this.#metrics;
    metrics.configReloads.inc({ result: result.outcome });
    metrics.configOk.set(result.outcome === 'refused' ? 0 : 1);
    switch (result.outcome) {
      case 'refused': {
        const { message, problems } = result.refusal;
        this.#log.error({ message, problems }, 'config refused, the last good one stays');
        return;
      }
      case 'applied': {
        const { changes, atNextStart } = result;
        const { removedTiers } = this;
        this.#log.info({ changes, atNextStart, removedTiers }, 'config reloaded');
        return;
      }
      case 'unchanged':
        this.#log.debug({}, 'config says the same as before');
    }
  }
}

function isMissingIn(list: readonly { readonly name: string }[]) {
  return ({ name }: { readonly name: string }): boolean => !list.some((one) => one.name === name);
}

function tierKeys(clusters: readonly Cluster[]): readonly string[] {
  return clusters.flatMap(({ tiers }) => tiers.map(tierKey));
}

/** Whoever opens the file says what is wrong when this did not help. */
function makeDirectoryFor(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  } catch {
    // It cannot be made.
  }
}
