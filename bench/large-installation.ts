/**
 * 1,000 clusters of 12 nodes – ten web nodes and two of a database – on 100 hosts behind two balancers, as a scrape
 * finds them, with every series that can be there.
 */

import { Counter, Histogram, Registry } from 'prom-client';
import { BalancerWatch } from '../src/control/balancer-watch.ts';
import { BootLedger } from '../src/control/boots.ts';
import type { Clock } from '../src/control/clock.ts';
import { InFlight } from '../src/control/in-flight.ts';
import { OverrideBook } from '../src/control/override-book.ts';
import type { BackendReport, BalancerSnapshot, DomainReport } from '../src/control/ports.ts';
import { ScheduleWatch } from '../src/control/schedule-watch.ts';
import { WallWatch } from '../src/control/wall-watch.ts';
import { World } from '../src/control/world.ts';
import {
  type Cluster,
  type FixedTier,
  nodeName,
  type ScaledTier,
  tierKey,
} from '../src/scaler/cluster.ts';
import { EMPTY_MEMORY } from '../src/scaler/decide.ts';
import { tickTier } from '../src/scaler/tick.ts';
import { SECTIONS } from '../src/telemetry/catalog.ts';
import { combinationsOf, createMetrics } from '../src/telemetry/metrics.ts';
import { TelemetryRecorder } from '../src/telemetry/recorder.ts';
import { registerStateMetrics } from '../src/telemetry/state-metrics.ts';

const CLUSTERS = 1_000;
const WEB_NODES = 10;
const DB_NODES = 2;
const HOSTS = Array.from({ length: 100 }, (_, index) => `xen-${index + 1}`);
const BALANCERS = ['lb-a', 'lb-b'];
const TERM = { createdAtSeconds: 1, transitions: 0 };
const NOW_MS = 1_000_000;

const clock: Clock = {
  steadyMs: () => NOW_MS,
  wallMs: () => NOW_MS,
  sleep: async () => undefined,
};

const silent = () => undefined;

/** @returns The registry of a service that has seen all of it once. */
export function scrapeLargeInstallation(): Registry {
  const registry = new Registry();
  const metrics = createMetrics(registry);
  const log = { error: silent, warn: silent, info: silent, debug: silent };
  const recorder = new TelemetryRecorder(log, metrics);
  const clusters = Array.from({ length: CLUSTERS }, (_, index) => makeCluster(index));
  const overrides = new OverrideBook(clock, { record: silent });
  const world = makeWorld(clusters, overrides);
  const ticks = new Map(
    clusters.map(({ tiers: [web] }) => [tierKey(web), tickOnce(world, web)] as const),
  );
  const fixed = new Map(
    clusters.map(({ tiers: [, db] }) => [tierKey(db), world.observeFixed(db, NOW_MS)] as const),
  );
  for (const ticked of ticks.values()) {
    recorder.record(ticked);
    for (const direction of ['out', 'in'] as const) {
      const decision = { ...ticked.tick.decision, direction };
      recorder.record({ ...ticked, tick: { ...ticked.tick, decision } });
    }
  }
  for (const name of HOSTS) {
    recorder.record({ type: 'source-asked', kind: 'host', name, durationMs: 1 });
    recorder.record({ type: 'source-answered', kind: 'host', name });
  }
  for (const name of BALANCERS) {
    recorder.record({ type: 'source-asked', kind: 'balancer', name, durationMs: 1 });
    recorder.record({ type: 'source-answered', kind: 'balancer', name });
  }
  fillClosedSets(registry);
  registerStateMetrics(registry, {
    clock,
    controller: {
      ticks,
      fixed,
      get hosts() {
        return world.hostFigures(NOW_MS);
      },
      trafficOf: (tier) => world.trafficOf(tier),
      capacityInput: () => world.capacityInput(NOW_MS),
      tickAgeMs: 0,
    },
    lease: { term: () => ({ createdAtSeconds: 1, transitions: 0 }) },
    leadership: { driver: 'kubernetes' },
    overrides,
    phases: recorder.phases,
    removedTiers: [],
  });
  return registry;
}

/** Every combination of labels of what is counted and observed, as after years. */
function fillClosedSets(registry: Registry): void {
  for (const definition of SECTIONS.flatMap(({ metrics }) => metrics)) {
    const metric = registry.getSingleMetric(definition.name);
    for (const combination of combinationsOf(definition)) {
      if (metric instanceof Histogram) {
        metric.observe(combination, 1);
      } else if (metric instanceof Counter) {
        metric.inc(combination);
      }
    }
  }
}

function tickOnce(world: World, tier: ScaledTier) {
  const observation = world.observe(tier, TERM, NOW_MS);
  const tick = tickTier(tier, 'full', observation, EMPTY_MEMORY);
  return {
    type: 'tier-ticked',
    tier,
    mode: 'full',
    observation,
    memory: EMPTY_MEMORY,
    tick,
  } as const;
}

interface LargeCluster extends Cluster {
  readonly tiers: readonly [ScaledTier, FixedTier];
}

function makeCluster(index: number): LargeCluster {
  const cluster = `site-${index + 1}`;
  const image = { name: 'drupal-web', version: '1' };
  const addressesOf = (net: number, nodes: number): readonly string[] =>
    Array.from({ length: nodes }, (_, n) => `10.${net + (index >> 8)}.${index & 255}.${n + 1}`);
  return {
    name: cluster,
    mode: 'full',
    tiers: [
      {
        scaling: 'automatic',
        cluster,
        name: 'web',
        image,
        size: { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 },
        addresses: addressesOf(0, 2 * WEB_NODES),
        backend: `${cluster}-web`,
        maxConnections: 10,
        health: { path: '/health', port: 80, intervalMs: 1_000 },
        frontend: undefined,
        policy: {
          minNodes: 2,
          looksAhead: true,
          maxNodes: 2 * WEB_NODES,
          requestRate: { targetPerNodeRps: 80 },
          queue: { maxWaitMs: 100 },
          scaleOut: { tolerance: 0.05, policies: [] },
          scaleIn: { tolerance: 0.1, stabilizationWindowMs: 'auto', policies: [] },
          standby: { state: 'paused', nodes: 1 },
          drainDeadlineMs: 300_000,
          bootDeadlineMs: 120_000,
        },
      },
      {
        scaling: 'none',
        cluster,
        name: 'db',
        image,
        size: { name: 'large', memoryMiB: 4_096, guestMemoryMiB: 4_096, vcpus: 4, diskMiB: 40_960 },
        addresses: addressesOf(100, DB_NODES),
        nodes: DB_NODES,
      },
    ],
  };
}

function makeWorld(clusters: readonly LargeCluster[], overrides: OverrideBook): World {
  const world = new World({
    clusters,
    hosts: HOSTS.map((name) => ({ name, staleAfterMs: 10_000, failureDomain: name })),
    hostFailuresToTolerate: 1,
    balancers: BALANCERS,
    balancerWatch: new BalancerWatch(),
    isFailing: () => false,
    isFenced: () => true,
    maxNodes: 100_000,
    concurrentBootsPerHost: 4,
    uuidOf: (name) => name,
    clock,
    schedules: new ScheduleWatch(clock, undefined),
    wall: new WallWatch(clock),
    inFlight: new InFlight(() => undefined),
    boots: new BootLedger({ failures: 3, windowMs: 600_000, openMs: 300_000 }),
    sickBirths: new Map(),
    strangers: new Map(),
    remembered: new Map(),
    overrides,
  });
  const domains = new Map<string, DomainReport[]>(HOSTS.map((name) => [name, []]));
  clusters.forEach(({ tiers: [web, db] }, index) => {
    for (const [tier, nodes] of [
      [web, WEB_NODES],
      [db, DB_NODES],
    ] as const) {
      for (let number = 1; number <= nodes; number += 1) {
        const { memoryMiB, vcpus, diskMiB } = tier.size;
        const name = nodeName(tier, number);
        const state = { uuid: name, state: 'running', bornMs: 1, imageVersion: '1' } as const;
        domains
          .get(HOSTS[(index + number) % HOSTS.length] ?? '')
          ?.push({ name, ...state, memoryMiB, vcpus, diskMiB });
      }
    }
  });
  for (const [name, list] of domains) {
    const value = { memoryMiB: 524_288, vcpus: 512, diskMiB: 8_388_608, domains: list };
    world.seeHost(name, { askedAtMs: NOW_MS, value });
  }
  for (const name of BALANCERS) {
    world.seeBalancer(name, { askedAtMs: NOW_MS, value: makeBalancer(clusters) });
  }
  return world;
}

function makeBalancer(clusters: readonly LargeCluster[]): BalancerSnapshot {
  const backends = new Map(
    clusters.map(({ tiers: [web] }): readonly [string, BackendReport] => [
      web.backend,
      {
        servers: web.addresses.map((_, index) => ({
          name: nodeName(web, index + 1),
          admin: index < WEB_NODES ? 'ready' : 'maint',
          check: index < WEB_NODES ? 'passed' : 'pending',
          sessions: index < WEB_NODES ? 6 : 0,
          sinceChangeMs: 600_000,
        })),
        requestRate: { status: 'ok', value: 333.3 },
        servedRate: { status: 'ok', value: 333.3 },
        queued: 0,
        responseTimeMs: 87,
        failedResponses: 3,
        usedSlots: 6 * WEB_NODES,
        totalSlots: 10 * WEB_NODES,
      },
    ]),
  );
  return { epoch: '1@1', oldWorkers: false, backends };
}
