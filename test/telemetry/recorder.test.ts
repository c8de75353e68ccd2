import { Writable } from 'node:stream';
import { pino } from 'pino';
import { type MetricValue, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ConflictError, RefusedError, UnreachableError } from '../../src/control/errors.ts';
import type { GivenOverride, OverrideEnd } from '../../src/control/events.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TelemetryRecorder } from '../../src/telemetry/recorder.ts';
import { registerStateMetrics } from '../../src/telemetry/state-metrics.ts';
import { Lab } from '../control/lab.ts';
import { bootAction, makeTier, serverAction } from '../control/site.ts';

type Line = Readonly<Record<string, unknown>> & { readonly level: number; readonly msg: string };

type Reading = Pick<MetricValue<string>, 'labels' | 'value'>;

function byLabels(readings: readonly Reading[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    readings.map(({ labels, value }) => [
      Object.entries(labels)
        .map(([label, text]) => `${label}=${text}`)
        .join(','),
      value,
    ]),
  );
}

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 };

class Desk {
  readonly registry = new Registry();
  readonly lines: Line[] = [];
  readonly recorder: TelemetryRecorder;

  constructor(level = 'info') {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.lines.push(JSON.parse(chunk.toString()) as Line);
        done();
      },
    });
    this.recorder = new TelemetryRecorder(pino({ level }, stream), createMetrics(this.registry));
  }

  get messages(): readonly string[] {
    return this.lines.map(({ msg }) => msg);
  }

  /** Values of one metric by their labels, as `a=1,b=2`. */
  async values(name: string): Promise<Readonly<Record<string, number>>> {
    return byLabels((await this.registry.getSingleMetric(name)?.get())?.values ?? []);
  }

  /** How often a histogram has observed something, by its labels; those of which it has not are left out. */
  async counts(name: string): Promise<Readonly<Record<string, number>>> {
    const values: readonly (Reading & { readonly metricName?: string })[] =
      (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    return byLabels(
      values.filter(({ metricName, value }) => metricName === `${name}_count` && value > 0),
    );
  }
}

function createLab(desk: Desk, options: ConstructorParameters<typeof Lab>[0] = {}): Lab {
  const lab = new Lab({ nodes: 2, rps: 100, recorder: desk.recorder, ...options });
  const { clock, controller, overrides } = lab;
  const { phases } = desk.recorder;
  registerStateMetrics(desk.registry, {
    clock,
    controller,
    lease: lab.world.lease,
    leadership: { driver: 'file' },
    overrides,
    phases,
    removedTiers: [],
  });
  return lab;
}

test('a storm is told in one line per change, and a converged cluster is silent', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  lab.start();
  await lab.clock.step(5_000);
  desk.lines.length = 0;
  lab.world.rps = 230;
  await lab.clock.step(15_000);
  expect(desk.messages).toEqual([
    'decided to scale out',
    'action started',
    'action done',
    'node passed its check',
    'action started',
    'action done',
  ]);
  expect(desk.lines[0]).toMatchObject({
    level: LEVELS.info,
    cluster: 'news',
    tier: 'web',
    currentNodes: 2,
    desiredNodes: 3,
    reason: 'recommended',
    rps: 230,
    mode: 'full',
  });
  expect(desk.lines[1]).toMatchObject({ action: 'boot', node: 'news-web-3', host: 'host-a' });

  desk.lines.length = 0;
  await lab.clock.step(300_000);
  expect(desk.messages).toEqual([]);
});

test('every decision is a line at debug', async () => {
  const desk = new Desk('debug');
  await using lab = createLab(desk);
  lab.start();
  await lab.clock.step(3_000);
  expect(desk.lines.filter(({ level }) => level === LEVELS.debug).length).toBeGreaterThan(2);
});

test('of each direction, the last decision that changed the count stands with its reason and its time', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  lab.start();
  await lab.clock.step(5_000);
  const last = 'rackfire_last_scale_decision_timestamp_seconds';
  expect(await desk.values(last)).toEqual({});

  const tier = 'cluster=news,tier=web';
  const startSeconds = Date.now() / 1000;
  lab.world.rps = 230;
  await lab.clock.step(15_000);
  const out = await desk.values(last);
  expect(Object.keys(out)).toEqual([`${tier},direction=out,reason=recommended`]);
  expect(Object.values(out)[0]).toBeGreaterThanOrEqual(startSeconds);

  lab.world.rps = 100_000;
  await lab.clock.step(60_000);
  const [latest = '', ...others] = Object.keys(await desk.values(last));
  expect(others).toEqual([]);
  expect(latest).not.toContain('recommended');
});

test('metrics say what is', async () => {
  const desk = new Desk();
  await using lab = createLab(desk, { nodes: 3, rps: 200 });
  lab.start();
  await lab.clock.step(10_000);
  const tier = 'cluster=news,tier=web';
  const nodes = await desk.values('rackfire_nodes');
  expect(nodes[`${tier},phase=in-service`]).toBe(3);
  expect(nodes[`${tier},phase=failed`]).toBe(0);
  const gauges = {
    rackfire_nodes_desired: 3,
    rackfire_nodes_min: 2,
    rackfire_nodes_max: 8,
    rackfire_nodes_needed: 2.5,
    rackfire_request_rate_rps: 200,
    rackfire_queued_requests: 0,
    rackfire_slots_used_ratio: 20 / 30,
  };
  for (const [name, value] of Object.entries(gauges)) {
    expect(await desk.values(name), name).toEqual({ [tier]: value });
  }
  expect(await desk.values('rackfire_signal_ok')).toEqual({
    [`${tier},signal=request-rate`]: 1,
    [`${tier},signal=queue`]: 1,
  });
  const decisions = await desk.values('rackfire_decisions_total');
  expect(Object.keys(decisions).every((key) => key.includes('direction=none'))).toBe(true);
  expect(await desk.values('rackfire_scale_decisions_total')).toEqual({
    [`${tier},direction=out`]: 0,
    [`${tier},direction=in`]: 0,
  });
  expect(await desk.values('rackfire_source_up')).toEqual({
    'kind=host,name=host-a': 1,
    'kind=host,name=host-b': 1,
    'kind=balancer,name=lb': 1,
  });
  const ticks = await desk.values('rackfire_tick_duration_seconds');
  expect(ticks['']).toBeGreaterThan(5);
});

test('metrics of what was done: actions, boots, time to serve', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  lab.world.host().createFault = 'refuse';
  lab.world.rps = 230;
  lab.start();
  await lab.clock.step(20_000);
  const tier = 'cluster=news,tier=web';
  expect(await desk.counts('rackfire_action_duration_seconds')).toMatchObject({
    'kind=boot,result=failed': 1,
    'kind=boot,result=done': 1,
    'kind=admit,result=done': 1,
  });
  expect((await desk.values('rackfire_scale_decisions_total'))[`${tier},direction=out`]).toBe(1);
  expect(await desk.values('rackfire_boots_total')).toEqual({
    'host=host-a,result=served': 0,
    'host=host-a,result=failed': 1,
    'host=host-b,result=served': 1,
    'host=host-b,result=failed': 0,
  });
  const times = await desk.values('rackfire_time_to_serve_seconds');
  expect(times['le=4,start=cold']).toBe(0);
  expect(times['le=8,start=cold']).toBe(1);
});

test('signals that say nothing are NaN, and not zero', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  lab.world.balancer.silent = 'unreachable';
  lab.start();
  await lab.clock.step(3_000);
  const tier = 'cluster=news,tier=web';
  for (const name of ['request_rate_rps', 'queued_requests', 'slots_used_ratio', 'nodes_needed']) {
    expect(await desk.values(`rackfire_${name}`), name).toEqual({ [tier]: Number.NaN });
  }
  expect((await desk.values('rackfire_signal_ok'))[`${tier},signal=queue`]).toBe(0);
  expect((await desk.values('rackfire_source_up'))['kind=balancer,name=lb']).toBe(0);
});

test('what is missing is said once while it stays the same, and is a metric by reason', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  lab.world.rps = 900;
  for (const host of lab.world.hosts) {
    host.room.memoryMiB = 2 * 512;
  }
  lab.start();
  await lab.clock.step(60_000);
  const said = desk.lines.filter(({ msg }) => msg === 'needed nodes cannot be booted');
  expect(said).toHaveLength(1);
  expect(said[0]).toMatchObject({ level: LEVELS.warn, why: 'no-host' });
  const missing = await desk.values('rackfire_nodes_missing');
  expect(missing['cluster=news,tier=web,reason=no-host']).toBe(4);
  expect(missing['cluster=news,tier=web,reason=breaker']).toBe(0);
});

test('what only waits for the boots before it is neither a warning nor missing', async () => {
  const desk = new Desk();
  await using lab = createLab(desk, { hosts: ['host-a'] });
  lab.world.rps = 900;
  lab.start();
  await lab.clock.stepUntil(
    () => desk.lines.some(({ msg }) => msg === 'needed nodes wait for boots to end'),
    60_000,
  );
  expect(desk.lines.map(({ msg }) => msg)).not.toContain('needed nodes cannot be booted');
  const missing = await desk.values('rackfire_nodes_missing');
  expect(new Set(Object.values(missing))).toEqual(new Set([0]));
});

test.each([
  ['are slow to answer for the first time', 'no', []],
  ['do not answer', 'unreachable', ['needed nodes cannot be booted']],
] as const)(
  'hosts that %s at the start: what is said of nodes that lack',
  async (_, silent, said) => {
    const desk = new Desk();
    await using lab = createLab(desk, { rps: 350 });
    for (const host of lab.world.hosts) {
      host.answerMs = 3_000;
      host.silent = silent;
    }
    lab.start();
    await lab.clock.step(10_000);
    expect(desk.messages.filter((msg) => msg === 'needed nodes cannot be booted')).toEqual(said);
  },
);

test('a schedule is told when it begins to hold and when it has ended', async () => {
  const desk = new Desk();
  // The lab's clock begins at 22:30 UTC, 23:30 in Berlin.
  const late = { cron: '31 23 * * *', durationMs: 60_000, timeZone: 'Europe/Berlin', minNodes: 2 };
  await using lab = createLab(desk, { tier: makeTier({ schedules: [late] }) });
  lab.start();
  await lab.clock.step(50_000);
  expect(desk.messages).not.toContain('schedule holds');
  await lab.clock.step(80_000);
  expect(desk.lines.filter(({ msg }) => msg.startsWith('schedule '))).toMatchObject([
    { msg: 'schedule holds', level: LEVELS.info, cron: '31 23 * * *', minNodes: 2, tier: 'web' },
    { msg: 'schedule has ended', level: LEVELS.info, cron: '31 23 * * *', cluster: 'news' },
  ]);
});

test('a conflict is an error that names the nodes, once', async () => {
  const desk = new Desk();
  await using lab = createLab(desk);
  const stranger = { ...makeTier().size, name: 'news-web-5', bornMs: 1, uuid: 'a stranger' };
  lab.world.host().addDomain(stranger, true);
  lab.start();
  await lab.clock.step(10_000);
  const errors = desk.lines.filter(({ level }) => level === LEVELS.error);
  expect(errors).toMatchObject([{ cluster: 'news', tier: 'web', nodes: ['news-web-5'] }]);
});

test('sources: a failure is a warning, an answer is a line, and the metric follows', async () => {
  const { recorder, lines, values } = bind(new Desk());
  const source = { kind: 'host', name: 'host-a' } as const;
  recorder.record({ type: 'source-failed', ...source, error: new UnreachableError('no route') });
  expect(await values('rackfire_source_up')).toEqual({ 'kind=host,name=host-a': 0 });
  recorder.record({ type: 'source-answered', ...source });
  expect(await values('rackfire_source_up')).toEqual({ 'kind=host,name=host-a': 1 });
  expect(lines).toMatchObject([
    { level: LEVELS.warn, host: 'host-a', err: { code: 'unreachable', message: 'no route' } },
    { level: LEVELS.info, host: 'host-a' },
  ]);
});

test('an action that failed is a warning with its error', async () => {
  const { recorder, lines, counts } = bind(new Desk());
  const event = { tier: makeTier(), action: bootAction(3), attempt: 1, durationMs: 12.3 };
  recorder.record({ type: 'action-ended', ...event, error: new RefusedError('no room') });
  expect(lines).toMatchObject([
    {
      level: LEVELS.warn,
      action: 'boot',
      node: 'news-web-3',
      host: 'host-a',
      reason: 'needed',
      durationMs: 12,
      err: { code: 'refused' },
    },
  ]);
  expect(await counts('rackfire_action_duration_seconds')).toEqual({
    'kind=boot,result=failed': 1,
  });
});

test('an action that keeps failing is told the first time and at each doubling, and then its success', () => {
  const { recorder, lines } = bind(new Desk());
  const action = serverAction('admit', 3);
  for (let attempt = 1; attempt <= 20; attempt += 1) {
    const event = { tier: makeTier(), action, attempt };
    const error = attempt === 20 ? undefined : new UnreachableError('its file is broken');
    recorder.record({ type: 'action-started', ...event });
    recorder.record({ type: 'action-ended', ...event, durationMs: 12.3, error });
  }
  const told = lines.map(({ level, msg, attempt }) => ({ level, msg, attempt }));
  expect(told).toEqual([
    ...[undefined, 2, 4, 8, 16].flatMap((attempt) => [
      { level: LEVELS.info, msg: 'action started', attempt },
      { level: LEVELS.warn, msg: 'action failed, the next tick plans anew', attempt },
    ]),
    { level: LEVELS.info, msg: 'action done', attempt: 20 },
  ]);
});

test('an action that meets somebody else is an error: nothing that we do ends that', async () => {
  const { recorder, lines, counts } = bind(new Desk());
  const event = { tier: makeTier(), action: bootAction(3), attempt: 1, durationMs: 12.3 };
  recorder.record({ type: 'action-ended', ...event, error: new ConflictError('it listens there') });
  expect(lines).toMatchObject([
    {
      level: LEVELS.error,
      action: 'boot',
      node: 'news-web-3',
      err: { code: 'conflict', message: 'it listens there' },
    },
  ]);
  expect(lines[0]?.msg).toContain('its number is blocked');
  expect(await counts('rackfire_action_duration_seconds')).toEqual({
    'kind=boot,result=failed': 1,
  });
});

const GIVEN: GivenOverride = {
  id: 'o4',
  tier: 'news/web',
  word: { kind: 'pause', direction: 'in' },
  reason: 'sale',
  givenAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  expiresAtMs: Date.UTC(2026, 0, 2, 4, 4, 5),
};

test('an override is told with all that was said, and with its end as people read it', () => {
  const { recorder, lines } = bind(new Desk());
  recorder.record({ type: 'override-given', given: GIVEN });
  const word = { kind: 'protect', number: 3, bornMs: 7 } as const;
  recorder.record({ type: 'override-given', given: { ...GIVEN, word } });
  const said = {
    level: LEVELS.info,
    msg: 'override given',
    cluster: 'news',
    tier: 'web',
    override: 'o4',
    reason: 'sale',
    expiresAt: '2026-01-02T04:04:05.000Z',
  };
  expect(lines).toMatchObject([
    { ...said, kind: 'pause', direction: 'in' },
    { ...said, ...word },
  ]);
});

test.each<OverrideEnd>(['expired', 'withdrawn', 'node-gone'])(
  'the end of an override is told with why: %s',
  (why) => {
    const { recorder, lines } = bind(new Desk());
    recorder.record({ type: 'override-ended', given: GIVEN, why });
    expect(lines).toMatchObject([
      { level: LEVELS.info, msg: 'override ended', cluster: 'news', override: 'o4', why },
    ]);
  },
);

test('a restart of a balancer is a warning and is counted', async () => {
  const { recorder, lines, values } = bind(new Desk());
  recorder.record({ type: 'balancer-restarted', balancer: 'lb', reasserted: 3 });
  expect(lines).toMatchObject([{ level: LEVELS.warn, balancer: 'lb', reasserted: 3 }]);
  expect(await values('rackfire_balancer_restarts_total')).toEqual({ 'balancer=lb': 1 });
});

test('a balancer is in sync while it answers and has all servers as the other has them', async () => {
  const desk = new Desk();
  await using lab = createLab(desk, { balancers: ['lb', 'lb-2'] });
  const inSync = async () => Object.values(await desk.values('rackfire_balancer_in_sync'));
  const second = lab.world.balancers[1]!;
  lab.start();
  await lab.clock.step(5_000);
  expect(await desk.values('rackfire_balancer_in_sync')).toEqual({
    'balancer=lb': 1,
    'balancer=lb-2': 1,
  });
  // It refuses to be repaired.
  second.readOnly = true;
  second.set(1, 'maint');
  for (let tries = 0; tries < 5; tries += 1) {
    await lab.clock.step(1_500);
    expect(await inSync()).toEqual([1, 0]);
  }
  second.readOnly = false;
  await lab.clock.stepUntil(() => second.ready.length === 2, 10_000);
  await lab.clock.step(2_000);
  expect(await inSync()).toEqual([1, 1]);
  second.silent = 'unreachable';
  await lab.clock.step(2_000);
  expect(await inSync()).toEqual([1, 0]);
});

test('warnings of a balancer are said when they change, also when there are two of them', () => {
  const { recorder, lines } = bind(new Desk());
  const warn = (...warnings: readonly string[]): void => {
    recorder.record({ type: 'balancer-warned', balancer: 'lb', warnings });
  };
  warn();
  warn('file', 'check');
  warn('file', 'check');
  expect(lines.map(({ warning }) => warning)).toEqual(['file', 'check']);
  warn();
  warn('file');
  expect(lines.map(({ warning }) => warning)).toEqual(['file', 'check', 'file']);
});

test('a jump of the clock, and states that could not be told, are warnings', () => {
  const { recorder, lines } = bind(new Desk());
  recorder.record({ type: 'clock-jumped', jumpMs: 3_600_000 });
  recorder.record({ type: 'reassertion-failed', balancer: 'lb', error: new Error('no') });
  expect(lines).toMatchObject([
    { level: LEVELS.warn, jumpMs: 3_600_000 },
    { level: LEVELS.warn, balancer: 'lb' },
  ]);
});

function bind(desk: Desk) {
  const { recorder, lines } = desk;
  return {
    recorder,
    lines,
    values: (name: string) => desk.values(name),
    counts: (name: string) => desk.counts(name),
  };
}
