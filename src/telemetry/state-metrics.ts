/** Metrics that are read of the service at each scrape: between two scrapes they cost nothing, and nothing is left behind. */

import type { Registry } from 'prom-client';
import type { Clock } from '../control/clock.ts';
import type { Controller } from '../control/controller.ts';
import type { TierTicked } from '../control/events.ts';
import type { OverrideBook } from '../control/override-book.ts';
import type { Leadership } from '../control/ports.ts';
import { type Headroom, measureHeadroom } from '../scaler/capacity.ts';
import { type ScaledTier, type Size, tierKey } from '../scaler/cluster.ts';
import type { NodePhase } from '../scaler/node-phase.ts';
import type { Circuit, Sample } from '../scaler/observation.ts';
import { boundsAt } from '../scaler/schedule.ts';
import { bootDeadlineOf } from '../scaler/start-times.ts';
import {
  DECISION_REASONS,
  FIXED_NODE_PHASES,
  HOST_METRICS,
  type MetricDefinition,
  NODE_PHASES,
  OVERRIDE_KINDS,
  SERVICE_METRICS,
  SHORTFALL_REASONS,
  SOURCE_METRICS,
  TIER_METRICS,
} from './catalog.ts';
import { createCounter, createGauge, type LabelValues } from './metrics.ts';
import type { PhaseWatch } from './phase-watch.ts';

/** What a scrape reads. */
export interface StateView {
  readonly clock: Pick<Clock, 'wallMs' | 'steadyMs'>;
  readonly controller: Pick<
    Controller,
    'ticks' | 'fixed' | 'hosts' | 'trafficOf' | 'capacityInput' | 'tickAgeMs'
  >;
  readonly lease: Leadership;
  readonly leadership: { readonly driver: 'file' | 'kubernetes' };
  readonly overrides: Pick<OverrideBook, 'all'>;
  readonly phases: Pick<PhaseWatch, 'overdueOf'>;
  /** `cluster/tier` of those that a reload took out of the config. */
  readonly removedTiers: readonly string[];
}

/** Nobody counts on more than so many; to look for all of them takes long where there are many hosts. */
const HEADROOM_LOOKED_FOR = 50;

const MIB = 1024 * 1024;

const CIRCUIT_VALUES: Readonly<Record<Circuit, number>> = { closed: 0, 'half-open': 1, open: 2 };

export function registerStateMetrics(registry: Registry, view: StateView): void {
  registerTiers(registry, view);
  registerSignals(registry, view);
  registerHosts(registry, view);
  registerService(registry, view);
}

function registerTiers(registry: Registry, view: StateView): void {
  const { controller } = view;
  const ofTier = tierGauges(registry, controller);
  register(registry, TIER_METRICS.nodes, (set) => {
    for (const { tier, tick } of controller.ticks.values()) {
      countPhases(tick.nodes, NODE_PHASES, (phase, nodes) =>
        set({ ...labelsOf(tier), phase }, nodes),
      );
    }
    for (const [key, nodes] of controller.fixed) {
      const [cluster = '', tier = ''] = key.split('/');
      const others = nodes.map(({ phase }) => phase).filter((phase) => phase !== 'absent');
      countPhases(nodes, new Set([...FIXED_NODE_PHASES, ...others]), (phase, count) =>
        set({ cluster, tier, phase }, count),
      );
    }
  });
  ofTier(TIER_METRICS.desired, ({ tick }) => tick.decision.desiredNodes);
  ofTier(TIER_METRICS.needed, ({ tick }) => tick.decision.needNodes);
  ofTier(TIER_METRICS.min, ({ tier, observation }) => boundsAt(tier.policy, observation).minNodes);
  ofTier(TIER_METRICS.max, ({ tier, observation }) => boundsAt(tier.policy, observation).maxNodes);
  ofTier(TIER_METRICS.standbyTarget, ({ tick }) => tick.decision.standbyNodes);
  register(registry, TIER_METRICS.missing, (set) => {
    for (const { tier, tick } of controller.ticks.values()) {
      const { shortfall } = tick.plan;
      for (const reason of SHORTFALL_REASONS) {
        const missing = shortfall?.why === reason ? shortfall.nodes : 0;
        set({ ...labelsOf(tier), reason }, missing);
      }
    }
  });
  ofTier(TIER_METRICS.overdue, ({ tier }) => view.phases.overdueOf(tier));
  register(registry, TIER_METRICS.decisionReason, (set) => {
    for (const { tier, tick } of controller.ticks.values()) {
      for (const reason of DECISION_REASONS) {
        set({ ...labelsOf(tier), reason }, tick.decision.reason === reason ? 1 : 0);
      }
    }
  });
  ofTier(TIER_METRICS.breaker, ({ observation }) => CIRCUIT_VALUES[observation.circuit]);
  ofTier(TIER_METRICS.paused, ({ tier, observation }) =>
    observation.overrides.some(({ kind }) => kind === 'pause') ||
    view.removedTiers.includes(tierKey(tier))
      ? 1
      : 0,
  );
  ofTier(TIER_METRICS.healingFrozen, ({ tick }) => (tick.plan.healingFrozen ? 1 : 0));
  ofTier(TIER_METRICS.bootTime, ({ observation }) => inSeconds(observation.bootTimeMs));
  ofTier(TIER_METRICS.bootDeadline, ({ tier, observation }) =>
    inSeconds(bootDeadlineOf(tier.policy.bootDeadlineMs, observation.bootTimeMs)),
  );
}

function registerSignals(registry: Registry, view: StateView): void {
  const { controller } = view;
  const ofTier = tierGauges(registry, controller);
  ofTier(TIER_METRICS.requestRate, ({ observation }) => valueOf(observation.signals.requestRate));
  ofTier(TIER_METRICS.forecastRate, ({ tick }) => tick.decision.outlook?.forecastRps);
  ofTier(TIER_METRICS.storm, ({ tick: { decision } }) =>
    decision.outlook === undefined ? undefined : decision.outlook.storm === undefined ? 0 : 1,
  );
  ofTier(TIER_METRICS.stormDetected, ({ tick: { decision } }) => {
    const detectedAtMs = decision.outlook?.storm?.detectedAtMs;
    const offsetMs = view.clock.wallMs() - view.clock.steadyMs();
    return detectedAtMs === undefined ? undefined : (detectedAtMs + offsetMs) / 1000;
  });
  ofTier(TIER_METRICS.targetPerNode, ({ tier }) => tier.policy.requestRate?.targetPerNodeRps);
  ofTier(
    TIER_METRICS.queuedRequests,
    ({ observation }) => valueOf(observation.signals.queue)?.requests,
  );
  ofTier(TIER_METRICS.usedSlots, ({ observation }) => {
    const slots = valueOf(observation.signals.slots);
    return slots === undefined || slots.total === 0 ? undefined : slots.used / slots.total;
  });
  ofTier(TIER_METRICS.responseTime, ({ tier }) =>
    inSeconds(controller.trafficOf(tier).responseTimeMs),
  );
  // By tier and balancer: the sum of what is there would fall with each balancer that a reload takes out, and Prometheus
  // would take all that is left of it for new.
  const counted = new Map<string, number>();
  const failed = createCounter(registry, TIER_METRICS.failedResponses, () => {
    for (const { tier } of controller.ticks.values()) {
      failed.inc(labelsOf(tier), 0);
      for (const [balancer, total] of controller.trafficOf(tier).failedResponses) {
        const key = `${tierKey(tier)} ${balancer}`;
        const before = counted.get(key) ?? 0;
        failed.inc(labelsOf(tier), total >= before ? total - before : total);
        counted.set(key, total);
      }
    }
  });
  register(registry, TIER_METRICS.signalOk, (set) => {
    for (const { tier, tick } of controller.ticks.values()) {
      for (const { signal, status } of tick.decision.advice) {
        set({ ...labelsOf(tier), signal }, status === 'ok' ? 1 : 0);
      }
    }
  });
  register(registry, SOURCE_METRICS.balancerInSync, (set) => {
    const drifting = new Set<string>();
    const answering = new Map<string, boolean>();
    for (const { observation, tick } of controller.ticks.values()) {
      for (const { name, answers } of observation.balancers ?? []) {
        answering.set(name, answers);
      }
      for (const { balancer } of tick.plan.drift ?? []) {
        drifting.add(balancer);
      }
    }
    for (const [balancer, answers] of answering) {
      set({ balancer }, answers && !drifting.has(balancer) ? 1 : 0);
    }
  });
}

function registerHosts(registry: Registry, { controller }: StateView): void {
  const hostsNow = oncePerScrape(() => controller.hosts);
  const ofHost = (
    definition: MetricDefinition & { readonly labels: { readonly host: string } },
    read: (host: Controller['hosts'][number]) => number | undefined,
  ) =>
    register(registry, definition, (set) => {
      for (const host of hostsNow()) {
        set({ host: host.name }, read(host) ?? Number.NaN);
      }
    });
  ofHost(HOST_METRICS.memory, ({ memoryMiB }) => memoryMiB && memoryMiB * MIB);
  ofHost(HOST_METRICS.freeMemory, (host) => whenHeard(host, host.freeMemoryMiB * MIB));
  ofHost(HOST_METRICS.freeVcpus, (host) => whenHeard(host, host.freeVcpus));
  ofHost(HOST_METRICS.freeDisk, (host) => whenHeard(host, host.freeDiskMiB * MIB));
  ofHost(HOST_METRICS.breaker, ({ circuit }) => CIRCUIT_VALUES[circuit]);
  ofHost(HOST_METRICS.fenced, ({ fenced }) => (fenced === false ? 0 : 1));
  ofHost(HOST_METRICS.orphans, (host) => whenHeard(host, host.orphans));

  let headroom: Headroom | undefined;
  register(registry, HOST_METRICS.capacity, (set) => {
    const sizes = listSizes([...controller.ticks.values()].map(({ tier }) => tier));
    headroom = measureHeadroom({ ...controller.capacityInput(), sizes }, HEADROOM_LOOKED_FOR);
    for (const { size, nodes } of headroom.sizes) {
      set({ size: size.name }, nodes);
    }
  });
  // Registered after the capacity, it is read after it.
  register(registry, HOST_METRICS.lossCovered, (set) => {
    const isCovered = headroom?.isLossCovered;
    set({}, isCovered === undefined ? Number.NaN : isCovered ? 1 : 0);
  });
}

function registerService(registry: Registry, view: StateView): void {
  const { clock, controller, overrides } = view;
  // Asked at each scrape: whoever registers may contend for the lease only later.
  register(registry, SERVICE_METRICS.leaderTerm, (set) =>
    set({}, view.lease.term()?.transitions ?? Number.NaN),
  );
  register(registry, SERVICE_METRICS.leadershipShared, (set) =>
    set({}, view.leadership.driver === 'kubernetes' ? 1 : 0),
  );
  register(registry, SERVICE_METRICS.lastTick, (set) => {
    const { tickAgeMs } = controller;
    set({}, Number.isFinite(tickAgeMs) ? (clock.wallMs() - tickAgeMs) / 1000 : 0);
  });
  register(registry, SERVICE_METRICS.overrides, (set) => {
    const given = overrides.all();
    for (const kind of OVERRIDE_KINDS) {
      set({ kind }, given.filter(({ word }) => word.kind === kind).length);
    }
  });
  register(registry, SERVICE_METRICS.residentMemory, (set) => set({}, process.memoryUsage.rss()));
  const cpu = createCounter(registry, SERVICE_METRICS.cpuSeconds, () => {
    const { user, system } = process.cpuUsage();
    cpu.reset();
    cpu.inc((user + system) / 1e6);
  });
}

type TierDefinition = MetricDefinition & {
  readonly labels: { readonly cluster: string; readonly tier: string };
};

/** Registers a gauge of each tier that is scaled; NaN where there is no value. */
function tierGauges(registry: Registry, controller: Pick<Controller, 'ticks'>) {
  return (definition: TierDefinition, read: (ticked: TierTicked) => number | undefined): void =>
    register(registry, definition, (set) => {
      for (const ticked of controller.ticks.values()) {
        set(labelsOf(ticked.tier), read(ticked) ?? Number.NaN);
      }
    });
}

/** A scrape asks all metrics in one turn; what several read is worked out by the first, and forgotten after them. */
function oncePerScrape<T extends object>(workOut: () => T): () => T {
  let value: T | undefined;
  return () => {
    if (value === undefined) {
      value = workOut();
      queueMicrotask(() => {
        value = undefined;
      });
    }
    return value;
  };
}

/** A gauge that has at each scrape what `fill` sets, and nothing from before. */
function register<D extends MetricDefinition>(
  registry: Registry,
  definition: D,
  fill: (set: (labels: LabelValues<D>, value: number) => void) => void,
): void {
  const gauge = createGauge(registry, definition, () => {
    gauge.reset();
    fill((labels, value) => gauge.set(labels, value));
  });
}

function labelsOf({ cluster, name }: ScaledTier) {
  return { cluster, tier: name };
}

function countPhases<P extends NodePhase>(
  nodes: readonly { readonly phase: NodePhase }[],
  phases: Iterable<P>,
  tell: (phase: P, nodes: number) => void,
): void {
  const counts = new Map<NodePhase, number>();
  for (const { phase } of nodes) {
    counts.set(phase, (counts.get(phase) ?? 0) + 1);
  }
  for (const phase of phases) {
    tell(phase, counts.get(phase) ?? 0);
  }
}

function listSizes(tiers: readonly ScaledTier[]): readonly Size[] {
  return [...new Map(tiers.map(({ size }) => [size.name, size])).values()];
}

/** Nothing is known of a host that has never answered. */
function whenHeard(
  { everAnswered }: { readonly everAnswered: boolean },
  value: number,
): number | undefined {
  return everAnswered ? value : undefined;
}

function valueOf<T>(sample: Sample<T>): T | undefined {
  return sample.status === 'absent' ? undefined : sample.value;
}

function inSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}
