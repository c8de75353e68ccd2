import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TelemetryRecorder } from '../../src/telemetry/recorder.ts';
import { registerStateMetrics } from '../../src/telemetry/state-metrics.ts';
import { Lab, type LabOptions } from '../control/lab.ts';
import { makeTier, uuidOf } from '../control/site.ts';

/** What a tier is told to have, whatever its traffic. */
function hold(lab: Lab, nodes: number): void {
  for (const { id } of lab.overrides.all()) {
    lab.overrides.withdraw(id);
  }
  const word = { kind: 'hold', nodes } as const;
  lab.overrides.give('news/web', word, { reason: 'test', durationMs: 3_600_000 });
}

const MIB = 1024 * 1024;
const TIER = { cluster: 'news', tier: 'web' };

interface Served {
  readonly removedTiers?: readonly string[];
  readonly driver?: 'file' | 'kubernetes';
}

function createLab(options: LabOptions = {}, { removedTiers = [], driver = 'file' }: Served = {}) {
  const registry = new Registry();
  const silent = (): void => undefined;
  const log = { error: silent, warn: silent, info: silent, debug: silent };
  const recorder = new TelemetryRecorder(log, createMetrics(registry));
  const lab = new Lab({ nodes: 2, rps: 100, recorder, ...options });
  const { clock, controller, overrides } = lab;
  const { phases } = recorder;
  const { lease } = lab.world;
  const leadership = { driver };
  registerStateMetrics(registry, {
    clock,
    controller,
    lease,
    leadership,
    overrides,
    phases,
    removedTiers,
  });
  const read = async (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const values = (await registry.getSingleMetric(`rackfire_${name}`)?.get())?.values ?? [];
    const found = values.filter(({ labels: has }) =>
      Object.entries(labels).every(([label, value]) => has[label] === value),
    );
    expect(found.map((one) => one.labels)).toHaveLength(1);
    return found[0]?.value;
  };
  return { lab, registry, read };
}

test('before its first answer nothing is known of a host, and what is not known is not 0', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  lab.world.host().silent = 'unreachable';
  started.start();
  await lab.clock.step(3_000);
  for (const name of ['memory_bytes', 'memory_free_bytes', 'vcpus_free', 'orphans']) {
    expect(await read(`host_${name}`, { host: 'host-a' }), name).toBeNaN();
  }
  expect(await read('host_memory_bytes', { host: 'host-b' })).toBe(16 * 512 * MIB);
});

test("a host's memory: what it has, and what is left with a boot under way", async () => {
  const { lab, read } = createLab({ hosts: ['host-a'] });
  await using started = lab;
  started.start();
  await lab.clock.step(5_000);
  expect(await read('host_memory_free_bytes', { host: 'host-a' })).toBe(14 * 512 * MIB);
  lab.world.host().createFault = 'hang-before';
  hold(lab, 3);
  await lab.clock.step(5_000);
  expect(lab.world.calls).toContain('host-a create news-web-3');
  expect(await read('host_memory_free_bytes', { host: 'host-a' })).toBe(13 * 512 * MIB);
  expect(await read('host_memory_bytes', { host: 'host-a' })).toBe(16 * 512 * MIB);
});

test('while a leader waits for a host to acknowledge its term, the host says so; nobody acts without a term', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  lab.world.host().fencing = 'was-shown-a-newer-one';
  started.start();
  await lab.clock.step(5_000);
  expect(await read('leader_term')).toBe(lab.world.lease.held?.transitions);
  expect(await read('host_fenced', { host: 'host-a' })).toBe(0);
  expect(await read('host_fenced', { host: 'host-b' })).toBe(1);
  lab.world.lease.held = undefined;
  await lab.clock.step(5_000);
  expect(await read('leader_term')).toBeNaN();
  expect(await read('host_fenced', { host: 'host-a' })).toBe(1);
});

test.each([
  { driver: 'kubernetes', shared: 1 },
  { driver: 'file', shared: 0 },
] as const)(
  'with leadership of driver $driver, that another one should stand by is $shared',
  async ({ driver, shared }) => {
    const { lab, read } = createLab({}, { driver });
    await using _ = lab;
    expect(await read('leadership_shared')).toBe(shared);
  },
);

test('minimum and maximum are those in force: a schedule’s from when its nodes are ordered, and while it holds', async () => {
  // The lab's clock begins at 22:30 UTC.
  const window = { cron: '40 22 * * *', durationMs: 60_000, timeZone: 'UTC' };
  const schedules = [{ ...window, minNodes: 4, maxNodes: 14 }];
  const { lab, read } = createLab({ tier: makeTier({ schedules }) });
  await using started = lab;
  started.start();
  const seen: (readonly (number | string | undefined)[])[] = [];
  for (const stepMs of [60_000, 530_000, 25_000, 60_000]) {
    await lab.clock.step(stepMs);
    seen.push([await read('nodes_min', TIER), await read('nodes_max', TIER)]);
  }
  const { minNodes, maxNodes } = makeTier().policy;
  expect(seen).toEqual([
    [minNodes, maxNodes],
    [4, maxNodes],
    [4, 14],
    [minNodes, maxNodes],
  ]);
});

test('a scrape works out once what the hosts have, and the next one anew', async () => {
  const { lab } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  const { controller } = lab;
  const registry = new Registry();
  let workedOut = 0;
  registerStateMetrics(registry, {
    clock: lab.clock,
    controller: {
      ticks: controller.ticks,
      fixed: controller.fixed,
      get hosts() {
        workedOut += 1;
        return controller.hosts;
      },
      tickAgeMs: controller.tickAgeMs,
      capacityInput: () => controller.capacityInput(),
      trafficOf: (tier) => controller.trafficOf(tier),
    },
    lease: lab.world.lease,
    leadership: { driver: 'file' },
    overrides: lab.overrides,
    phases: { overdueOf: () => 0 },
    removedTiers: [],
  });
  const orphans = 'rackfire_host_orphans{host="host-a"}';
  expect(await registry.metrics()).toContain(`${orphans} 0\n`);
  lab.world.host().addDomain({ ...makeTier().size, name: 'old-web-1', bornMs: 1 }, true);
  await lab.clock.step(3_000);
  expect(await registry.metrics()).toContain(`${orphans} 1\n`);
  expect(workedOut).toBe(2);
});

test('failed answers are counted on when a balancer goes, comes back, or is asked anew', async () => {
  const { lab } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  const registry = new Registry();
  const { clock, controller, overrides } = lab;
  let failedResponses: ReadonlyMap<string, number> = new Map();
  const { ticks, fixed, hosts, tickAgeMs } = controller;
  registerStateMetrics(registry, {
    clock,
    controller: {
      ticks,
      fixed,
      hosts,
      tickAgeMs,
      capacityInput: () => controller.capacityInput(),
      trafficOf: () => ({ responseTimeMs: undefined, failedResponses }),
    },
    lease: lab.world.lease,
    leadership: { driver: 'file' },
    overrides,
    phases: { overdueOf: () => 0 },
    removedTiers: [],
  });
  const seen: (number | undefined)[] = [];
  for (const said of [
    { 'lb-a': 100, 'lb-b': 50 },
    { 'lb-a': 103 },
    { 'lb-a': 103, 'lb-b': 51 },
    { 'lb-a': 103, 'lb-b': 2 },
  ]) {
    failedResponses = new Map(Object.entries(said));
    const metric = await registry.getSingleMetric('rackfire_responses_5xx_total')?.get();
    seen.push(metric?.values[0]?.value);
  }
  expect(seen).toEqual([150, 153, 154, 156]);
});

test.each([
  { what: 'of a tier that the config does not have', name: 'old-web-1', orphans: 1 },
  { what: 'of a number beyond the addresses', name: 'news-web-17', orphans: 1 },
  { what: 'of a tier of the config', name: 'news-web-9', orphans: 0 },
])('a domain of ours $what: $orphans orphans', async ({ name, orphans }) => {
  const { lab, read } = createLab();
  await using started = lab;
  lab.world.host().addDomain({ ...makeTier().size, name, bornMs: 1 }, true);
  started.start();
  await lab.clock.step(3_000);
  expect(await read('host_orphans', { host: 'host-a' })).toBe(orphans);
});

test('a guest of somebody else with a name like ours is no orphan', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  const guest = { ...makeTier().size, name: 'old-web-1', bornMs: 1 };
  lab.world.host().addDomain({ ...guest, uuid: `not ${uuidOf(guest.name)}` }, true);
  started.start();
  await lab.clock.step(3_000);
  expect(await read('host_orphans', { host: 'host-a' })).toBe(0);
});

test('the room that is left counts for the sizes of scaled tiers', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  expect(await read('capacity_nodes', { size: 'small' })).toBe(30);
  // The lab provides for no loss.
  expect(await read('host_loss_covered')).toBeNaN();
});

test('boots that fail open the breaker of the tier and of the host', async () => {
  const { lab, read } = createLab({ hosts: ['host-a'] });
  await using started = lab;
  lab.world.host().createFault = 'refuse';
  lab.world.rps = 700;
  started.start();
  await lab.clock.step(10_000);
  expect(await read('breaker_state', TIER)).toBe(2);
  expect(await read('host_breaker_state', { host: 'host-a' })).toBe(2);
  expect(await read('nodes_missing', { ...TIER, reason: 'breaker' })).toBe(6);
});

test('the reason of the latest decision is the one that is 1', async () => {
  const { lab, read } = createLab({ rps: 2_000 });
  await using started = lab;
  started.start();
  await lab.clock.step(10_000);
  expect(await read('decision_reason', { ...TIER, reason: 'maximum' })).toBe(1);
  expect(await read('decision_reason', { ...TIER, reason: 'converged' })).toBe(0);
});

test('a tier is paused by the word of an operator, and by a config that has it no more', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  expect(await read('paused', TIER)).toBe(0);
  const word = { kind: 'pause', direction: 'in' } as const;
  lab.overrides.give('news/web', word, { reason: 'sale', durationMs: 60_000 });
  await lab.clock.step(2_000);
  expect(await read('paused', TIER)).toBe(1);
  expect(await read('overrides', { kind: 'pause' })).toBe(1);
  await lab.clock.step(60_000);
  expect(await read('paused', TIER)).toBe(0);

  const removed = createLab({}, { removedTiers: ['news/web'] });
  await using other = removed.lab;
  other.start();
  await other.clock.step(3_000);
  expect(await removed.read('paused', TIER)).toBe(1);
});

test('a node that nobody can destroy is overdue after the deadlines of boot and drain and four minutes', async () => {
  const tier = makeTier({ bootDeadlineMs: 10_000, drainDeadlineMs: 10_000 });
  const { lab, read } = createLab({ tier, hosts: ['host-a'], nodes: 3 });
  await using started = lab;
  lab.world.host().destroyFault = 'hang';
  started.start();
  await lab.clock.step(3_000);
  hold(lab, 2);
  await lab.clock.stepUntil(() => lab.world.calls.includes('host-a destroy news-web-3'), 30_000);
  await lab.clock.step(250_000);
  expect(await read('nodes_overdue', TIER)).toBe(0);
  await lab.clock.step(15_000);
  expect(await read('nodes_overdue', TIER)).toBeGreaterThan(0);
});

test('what is decided anew at each tick, because no signal has been heard yet, is one decision', async () => {
  const { lab, registry } = createLab({ nodes: 0 });
  await using started = lab;
  lab.world.balancer.silent = 'unreachable';
  started.start();
  await lab.clock.step(10_000);
  const ticks = [...lab.controller.ticks.values()];
  expect(ticks[0]?.tick.decision).toMatchObject({ direction: 'out', desiredNodes: 2 });
  const { values } =
    (await registry.getSingleMetric('rackfire_scale_decisions_total')?.get()) ?? {};
  expect(values?.map(({ labels, value }) => [labels['direction'], value])).toEqual([
    ['out', 1],
    ['in', 0],
  ]);
});

test('out, out and in again are one reversal; and out once more is the second', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  const reversals: (number | undefined)[] = [];
  for (const nodes of [3, 4, 2, 4]) {
    hold(lab, nodes);
    await lab.clock.step(2_000);
    reversals.push(await read('scale_reversals_total', TIER));
  }
  expect(reversals).toEqual([0, 0, 1, 2]);
});

test('a node that is destroyed with requests on it is a forced drain', async () => {
  const tier = makeTier({ drainDeadlineMs: 10_000 });
  const { lab, read } = createLab({ tier, nodes: 3 });
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  expect(await read('drains_forced_total', TIER)).toBe(0);
  lab.world.balancer.held.set('news-web-3', 1);
  hold(lab, 2);
  await lab.clock.step(8_000);
  expect(await read('drains_forced_total', TIER)).toBe(0);
  await lab.clock.step(20_000);
  expect(await read('drains_forced_total', TIER)).toBe(1);
});

test('a storm is a metric from its detection on, with its time', async () => {
  const { lab, read } = createLab({ tier: makeTier({ looksAhead: true }), rps: 100 });
  await using started = lab;
  started.start();
  await lab.clock.step(60_000);
  expect(await read('storm', TIER)).toBe(0);
  expect(await read('storm_detected_timestamp_seconds', TIER)).toBeNaN();
  const beforeSeconds = lab.clock.wallMs() / 1_000;
  lab.world.rps = 600;
  await lab.clock.step(15_000);
  expect(await read('storm', TIER)).toBe(1);
  const detectedSeconds = (await read('storm_detected_timestamp_seconds', TIER)) ?? 0;
  expect(detectedSeconds).toBeGreaterThanOrEqual(beforeSeconds);
  expect(detectedSeconds).toBeLessThan(beforeSeconds + 15);
  expect(await read('request_rate_forecast_rps', TIER)).toBeGreaterThan(500);
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(10_000);
  expect(await read('storm', TIER)).toBeNaN();
});

test('how long nodes were in the phases that they have left is observed', async () => {
  const { lab, registry } = createLab();
  await using started = lab;
  started.start();
  await lab.clock.step(3_000);
  hold(lab, 3);
  await lab.clock.step(30_000);
  const name = 'rackfire_node_phase_duration_seconds';
  const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
  const observed = values.filter(({ labels, value }) => !('le' in labels) && value > 0);
  expect(observed.map(({ labels }) => labels['phase'])).toContain('warming');
});

test('of a balancer that answers slowly, the time of the latest question is a metric', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  lab.world.balancer.answerMs = 700;
  started.start();
  await lab.clock.step(5_000);
  expect(await read('source_last_ask_duration_seconds', { name: 'lb' })).toBeCloseTo(0.7, 1);
});

test('the last tick is a moment of the wall clock', async () => {
  const { lab, read } = createLab();
  await using started = lab;
  expect(await read('last_tick_timestamp_seconds')).toBe(0);
  started.start();
  await lab.clock.step(5_000);
  const ageSeconds =
    lab.clock.wallMs() / 1_000 - ((await read('last_tick_timestamp_seconds')) ?? 0);
  expect(ageSeconds).toBeGreaterThanOrEqual(0);
  expect(ageSeconds).toBeLessThan(1.5);
});

test('a histogram has all of its series before it has observed anything', async () => {
  const { registry } = createLab();
  const name = 'rackfire_time_to_serve_seconds';
  const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
  const counts = values.filter(({ labels }) => !('le' in labels));
  expect(new Set(counts.map(({ labels }) => labels['start']))).toEqual(
    new Set(['cold', 'saved', 'paused']),
  );
});
