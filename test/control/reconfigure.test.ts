import { expect, test } from 'vitest';
import { keepRemoved } from '../../src/config/removed-clusters.ts';
import { Controller, type Setup } from '../../src/control/controller.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type { Cluster, ScaledTier } from '../../src/scaler/cluster.ts';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import { Lab, startLab } from './lab.ts';
import { SimulatedBalancer } from './simulated-world.ts';
import { makeCluster, makeFixedTier, makeTier, uuidOf } from './site.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

/** As after a reload: every tier is another object, also where it says the same. */
function reload(lab: Lab, policy: Partial<TierPolicy> = {}, changes: Partial<Setup> = {}): void {
  lab.controller.reconfigure({ ...lab.setupOf(makeTier(policy)), ...changes });
}

/** The hosts of the lab without some. */
function hostsWithout(lab: Lab, ...names: readonly string[]): Setup['hypervisors'] {
  const hosts = lab.world.hosts.filter(({ host }) => !names.includes(host));
  return new Map(hosts.map((host) => [host.host, host]));
}

/** A cluster that no balancer shows, and that needs nothing. */
function makeShop(): Cluster {
  const tier: ScaledTier = {
    ...makeTier({ minNodes: 0 }),
    cluster: 'shop',
    addresses: ['10.0.9.1', '10.0.9.2'],
    backend: 'shop-web',
  };
  return { name: 'shop', mode: 'full', tiers: [tier] };
}

/** The longest time between two ticks of `news/web` since `sinceMs`. */
function longestPauseMs(lab: Lab, sinceMs: number): number {
  const ticksMs = lab.log
    .of('tier-ticked')
    .map(({ tick }) => tick.decision)
    .filter(({ tier, atMs }) => tier === 'news/web' && atMs >= sinceMs)
    .map(({ atMs }) => atMs);
  const pauses = [...ticksMs, lab.clock.steadyMs()].map(
    (atMs, index) => atMs - (ticksMs[index - 1] ?? sinceMs),
  );
  return Math.max(...pauses);
}

/** Of `news/web`, also while other tiers tick. */
function phases(lab: Lab): readonly string[] {
  const nodes = lab.controller.ticks.get('news/web')?.tick.nodes ?? [];
  return nodes.map(({ number, phase }) => `${number} ${phase}`);
}

function desiredNodes(lab: Lab): number | undefined {
  return lab.controller.ticks.get('news/web')?.tick.decision.desiredNodes;
}

/** Two nodes in service and the order for a third has just been sent. */
async function startWithBootUnderWay(options: Parameters<typeof startLab>[0] = {}): Promise<Lab> {
  const lab = startLab({ nodes: 2, rps: 100, ...options });
  await lab.clock.step(5 * SECOND);
  lab.world.rps = 230;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 1, 5 * SECOND);
  return lab;
}

test.each<{ readonly what: string; readonly policy: Partial<TierPolicy>; readonly nodes: number }>([
  { what: 'maximum', policy: { maxNodes: 3 }, nodes: 3 },
  { what: 'minimum', policy: { minNodes: 6 }, nodes: 6 },
  { what: 'target', policy: { requestRate: { targetPerNodeRps: 60 } }, nodes: 5 },
])('another $what counts from the next tick on', async ({ policy, nodes }) => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  expect(desiredNodes(lab)).toBe(4);
  const startMs = lab.clock.steadyMs();
  const ticks = lab.log.of('tier-ticked').length;
  reload(lab, policy);
  await lab.clock.step(20 * SECOND);
  expect(lab.log.of('tier-ticked')[ticks]?.tick.decision.desiredNodes).toBe(nodes);
  expect(longestPauseMs(lab, startMs)).toBeLessThanOrEqual(1_100);
  expect(lab.inService()).toBe(nodes);
});

test('the windows are kept: a reload does not hold scale-in anew', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  lab.world.rps = 50;
  await lab.clock.step(20 * SECOND);
  const before = lab.log.of('tier-ticked').at(-1)?.tick.memory;
  reload(lab, { drainDeadlineMs: 50_000 });
  await lab.clock.step(5 * SECOND);
  expect(lab.log.of('tier-ticked').at(-1)?.memory.knownSinceMs).toBe(before?.knownSinceMs);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(6 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
});

test('a reload that changes nothing changes nothing', async () => {
  await using lab = startLab({ nodes: 3, rps: 200 });
  await lab.clock.step(10 * SECOND);
  for (let times = 0; times < 50; times += 1) {
    reload(lab);
    await lab.clock.step(200);
  }
  expect(lab.world.calls).toEqual([]);
  expect(lab.log.of('source-answered')).toHaveLength(3);
  expect(lab.nodes.map(({ phase }) => phase)).toEqual(Array(3).fill('in-service'));
});

test('while a balancer is silent, a reload forgets nothing of what it said last', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(4 * SECOND);
  reload(lab);
  await lab.clock.step(4 * SECOND);
  const { observation, tick } = lab.controller.ticks.get('news/web')!;
  expect(observation.signals.requestRate).toMatchObject({ status: 'stale', value: 300 });
  expect(tick.decision.desiredNodes).toBe(4);
  expect(lab.world.calls).toEqual([]);
});

test('a host that comes is asked, and nodes boot there', async () => {
  await using lab = new Lab({ hosts: ['host-a', 'host-b', 'host-c'], nodes: 2, rps: 100 });
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-c') });
  for (const host of lab.world.hosts.slice(0, 2)) {
    host.room.memoryMiB = 512;
  }
  lab.start();
  await lab.clock.step(5 * SECOND);
  lab.world.rps = 230;
  await lab.clock.step(10 * SECOND);
  expect(lab.world.callsOf('create')).toEqual([]);

  const answer = lab.log.next('source-answered');
  reload(lab);
  await lab.clock.step(10 * SECOND);
  expect(await answer).toMatchObject({ kind: 'host', name: 'host-c' });
  expect(lab.world.callsOf('create')).toEqual(['host-c create news-web-3']);
  expect(lab.inService()).toBe(3);
});

test('nothing is done before a host that comes was heard: a number may be taken there', async () => {
  await using lab = new Lab({ hosts: ['host-a', 'host-b', 'host-c'], nodes: 2, rps: 100 });
  const hostC = lab.world.host(2);
  hostC.addDomain({ ...lab.tier.size, name: 'news-web-3', bornMs: 7 }, true);
  lab.world.domain(3)!.paused = true;
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-c') });
  lab.start();
  await lab.clock.step(5 * SECOND);
  hostC.answerMs = 2 * SECOND;
  reload(lab);
  lab.world.rps = 230;
  await lab.clock.step(10 * SECOND);
  expect(lab.world.calls[0]).toBe('host-c wake news-web-3');
  expect(lab.world.callsOf('create')).toEqual([]);
});

test('a host that goes is not asked any more, and no node boots there', async () => {
  await using lab = startLab({ hosts: ['host-a', 'host-b', 'host-c'], nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-c') });
  lab.world.host(2).silent = 'unreachable';
  lab.world.rps = 400;
  await lab.clock.step(30 * SECOND);
  expect(lab.log.of('source-failed')).toEqual([]);
  expect(lab.controller.failingSources).toEqual([]);
  expect(lab.inService()).toBe(5);
  expect(lab.world.callsOf('create').filter((call) => call.startsWith('host-c'))).toEqual([]);
});

test('a host that was waited for and goes is waited for no more', async () => {
  await using lab = new Lab({ hosts: ['host-a', 'host-b', 'host-c'], nodes: 2, rps: 230 });
  lab.world.host(2).silent = 'hang';
  lab.start();
  await lab.clock.step(2 * SECOND);
  expect(lab.controller.unanswered).toHaveLength(1);
  expect(lab.world.calls).toEqual([]);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-c') });
  await lab.clock.step(2 * SECOND);
  expect(lab.controller.unanswered).toEqual([]);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('nodes of a host that goes are taken for strangers: replaced, and left as they are', async () => {
  await using lab = startLab({ nodes: 2, rps: 150 });
  await lab.clock.step(40 * SECOND);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-b') });
  await lab.clock.step(MINUTE);
  expect(lab.phase(2)).toBe('conflict');
  expect(lab.world.balancer.admin(2)).toBe('ready');
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2', 'news-web-3']);
  expect(lab.inService()).toBe(2);
  expect(lab.world.calls.filter((call) => call.endsWith('news-web-2'))).toEqual([]);
});

test('a boot under way on a host that goes ends there, and its number is free again', async () => {
  await using lab = await startWithBootUnderWay();
  expect(lab.world.callsOf('create')).toEqual(['host-a create news-web-3']);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-a') });
  await lab.clock.step(5 * SECOND);
  expect(lab.log.of('action-ended')[0]).toMatchObject({
    action: { kind: 'boot', node: 'news-web-3' },
    error: undefined,
  });
  expect(lab.nodes.find(({ number }) => number === 3)?.operation).toBeUndefined();

  await lab.clock.step(MINUTE);
  // Nobody knows what runs there; its server leads nowhere.
  expect(lab.world.balancer.admin(3)).toBe('maint');
  expect(lab.inService()).toBeGreaterThanOrEqual(2);
  const ticks = lab.log.of('tier-ticked').length;
  await lab.clock.step(10 * SECOND);
  expect(lab.log.of('tier-ticked').length - ticks).toBeLessThanOrEqual(11);
});

test('a destruction under way on a host that goes ends there', async () => {
  await using lab = startLab({ nodes: 4, rps: 100 });
  lab.world.timing.destroyMs = 3 * SECOND;
  await lab.clock.stepUntil(() => lab.world.callsOf('destroy').length > 1, MINUTE);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-b') });
  await lab.clock.step(10 * SECOND);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
  expect(lab.nodes.map(({ number }) => number)).toEqual([1, 2]);
  expect(lab.log.of('action-ended').filter(({ error }) => error !== undefined)).toEqual([]);
});

test('another balancer of the same name is asked and told instead of the one before', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(40 * SECOND);
  const before = lab.world.balancer;
  const after = new SimulatedBalancer('lb', lab.world);
  reload(lab, {}, { balancers: [after] });
  before.silent = 'unreachable';
  await lab.clock.step(5 * SECOND);
  expect(lab.world.calls).toEqual([]);
  expect(lab.log.of('source-failed')).toEqual([]);
  expect(lab.log.of('balancer-restarted')).toEqual([]);

  lab.world.rps = 230;
  await lab.clock.step(15 * SECOND);
  expect([before.admin(3), after.admin(3)]).toEqual(['maint', 'ready']);
  expect(lab.inService()).toBe(3);
});

test('another balancer has watched no window: scale-in waits for a whole one', async () => {
  await using lab = startLab({ nodes: 4, rps: 50 });
  await lab.clock.step(25 * SECOND);
  const after = new SimulatedBalancer('lb', lab.world);
  for (const number of [3, 4]) {
    after.set(number, 'ready');
  }
  reload(lab, {}, { balancers: [after] });
  await lab.clock.step(29 * SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(5 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
});

test('a balancer that comes is told the states, too, and one that goes is told nothing', async () => {
  await using lab = new Lab({ balancers: ['lb', 'lb-2'], nodes: 2, rps: 100 });
  const [first, second] = lab.world.balancers;
  reload(lab, {}, { balancers: [first!] });
  lab.start();
  await lab.clock.step(5 * SECOND);
  reload(lab);
  lab.world.rps = 115;
  await lab.clock.step(20 * SECOND);
  expect([first!.admin(3), second!.admin(3)]).toEqual(['ready', 'ready']);

  reload(lab, {}, { balancers: [second!] });
  lab.world.rps = 310;
  await lab.clock.step(20 * SECOND);
  expect([first!.admin(4), second!.admin(4)]).toEqual(['maint', 'ready']);
});

test('a boot ordered before a reload and seen after it is neither lost nor doubled', async () => {
  await using lab = await startWithBootUnderWay();
  reload(lab);
  await lab.clock.step(30 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(1);
  expect(lab.inService()).toBe(3);
  expect(lab.log.of('boot-ended')).toMatchObject([{ node: 'news-web-3', result: 'served' }]);
});

test('a boot that nothing shows yet holds its number over a reload', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  lab.world.balancer.readOnly = true;
  for (const host of lab.world.hosts) {
    host.createFault = 'hang-before';
  }
  lab.world.rps = 230;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 1, 5 * SECOND);
  reload(lab);
  await lab.clock.step(30 * SECOND);
  expect(lab.world.callsOf('create')).toEqual(['host-a create news-web-3']);
  expect(lab.phase(3)).toBe('booting');
});

test('a drain under way goes on over a reload', async () => {
  await using lab = startLab({ nodes: 3, rps: 100 });
  lab.world.balancer.held.set('news-web-3', 1);
  await lab.clock.stepUntil(() => lab.world.balancer.admin(3) === 'drain', MINUTE);
  reload(lab);
  await lab.clock.step(10 * SECOND);
  lab.world.balancer.held.clear();
  await lab.clock.step(10 * SECOND);
  expect(lab.world.calls).toEqual([
    'lb drain news-web-3',
    'lb maint news-web-3',
    'host-a destroy news-web-3',
  ]);
});

test('a cluster that goes is still seen, and nothing is done to it until it is written again', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(40 * SECOND);
  const news = [makeCluster(makeTier())];
  const kept = keepRemoved(news, [makeShop()]);
  reload(lab, {}, { clusters: kept });
  lab.world.rps = 400;
  lab.world.host(1).domains.delete('news-web-2');
  await lab.clock.step(MINUTE);
  expect(lab.world.calls).toEqual([]);
  expect(lab.controller.ticks.get('news/web')).toMatchObject({ mode: 'observe' });
  expect(desiredNodes(lab)).toBe(5);

  reload(lab, {}, { clusters: keepRemoved(kept, news) });
  await lab.clock.step(20 * SECOND);
  expect(lab.controller.ticks.get('news/web')).toMatchObject({ mode: 'full' });
  expect(phases(lab)).toEqual([1, 2, 3, 4, 5].map((number) => `${number} in-service`));
});

test('what has begun in a cluster that goes ends, and nothing follows it', async () => {
  await using lab = await startWithBootUnderWay();
  reload(lab, {}, { clusters: keepRemoved([makeCluster(makeTier())], [makeShop()]) });
  await lab.clock.step(MINUTE);
  expect(lab.log.of('action-ended')).toMatchObject([{ error: undefined }]);
  expect(phases(lab)).toEqual(['1 in-service', '2 in-service', '3 out-of-rotation']);
  expect(lab.world.callsOf('ready')).toEqual([]);
});

test('what was only decided is not done at once when it is allowed: the count is taken anew', async () => {
  const policies = [{ kind: 'percent', percent: 25, periodMs: 15_000 }] as const;
  const scaleIn = { tolerance: 0.1, stabilizationWindowMs: 30_000, policies };
  await using lab = startLab({ tier: makeTier({ scaleIn }), nodes: 8, rps: 600, mode: 'observe' });
  await lab.clock.step(40 * SECOND);
  lab.world.rps = 100;
  await lab.clock.step(5 * MINUTE);
  expect(desiredNodes(lab)).toBe(2);
  expect(lab.world.calls).toEqual([]);

  reload(lab, { scaleIn }, { clusters: [makeCluster(makeTier({ scaleIn }))] });
  await lab.clock.step(10 * SECOND);
  expect(lab.world.callsOf('drain')).toEqual(['lb drain news-web-8', 'lb drain news-web-7']);
  await lab.clock.step(2 * MINUTE);
  expect(lab.inService()).toBe(2);
});

test('a tier that is gone altogether leaves no tick, and no memory for the one that comes', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(40 * SECOND);
  reload(lab, {}, { clusters: [makeShop()] });
  expect([...lab.controller.ticks.keys()]).toEqual([]);
  await lab.clock.step(5 * SECOND);
  expect([...lab.controller.ticks.keys()]).toEqual(['shop/web']);
  const ticks = lab.log.of('tier-ticked').length;
  reload(lab);
  await lab.clock.step(2 * SECOND);
  expect([...lab.controller.ticks.keys()]).toEqual(['news/web']);
  expect(lab.log.of('tier-ticked')[ticks]?.memory).toEqual(EMPTY_MEMORY);
  expect(lab.world.calls).toEqual([]);
});

test('a tier that is only watched from now on is no tick any more, and the other way round', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  const { cluster, name, addresses } = lab.tier;
  const watched = { ...makeFixedTier(), cluster, name, addresses, nodes: 2 };
  reload(lab, {}, { clusters: [{ name: cluster, mode: 'full', tiers: [watched] }] });
  await lab.clock.step(5 * SECOND);
  expect([...lab.controller.ticks.keys()]).toEqual([]);
  expect(lab.controller.fixed.get('news/web')).toMatchObject([
    { name: 'news-web-1', phase: 'in-service' },
    { name: 'news-web-2', phase: 'in-service' },
  ]);
  reload(lab);
  await lab.clock.step(5 * SECOND);
  expect([...lab.controller.fixed.keys()]).toEqual([]);
  expect([...lab.controller.ticks.keys()]).toEqual(['news/web']);
  expect(lab.world.calls).toEqual([]);
});

test('states of before a reload are brought back when HAProxy loses them after it', async () => {
  await using lab = startLab({ nodes: 5, rps: 390 });
  await lab.clock.step(10 * SECOND);
  reload(lab);
  lab.world.balancer.restart();
  await lab.clock.stepUntil(() => lab.world.balancer.ready.length === 5, 2 * SECOND);
  expect(lab.log.of('balancer-restarted')).toMatchObject([{ balancer: 'lb', reasserted: 3 }]);
  expect(lab.world.calls).toEqual([
    'lb ready news-web-3',
    'lb ready news-web-4',
    'lb ready news-web-5',
  ]);
});

test('the states of a tier that came with a reload are brought back, too', async () => {
  await using lab = new Lab({ nodes: 5, rps: 390 });
  lab.controller = new Controller({
    setup: { ...lab.setupOf(lab.tier), clusters: [makeShop()] },
    leadership: lab.world.lease,
    overrides: new OverrideBook(lab.clock, lab.log),
    uuidOf,
    clock: lab.clock,
    recorder: lab.log,
  });
  lab.start();
  await lab.clock.step(5 * SECOND);
  reload(lab);
  await lab.clock.step(5 * SECOND);
  lab.world.balancer.restart();
  await lab.clock.stepUntil(() => lab.world.balancer.ready.length === 5, 2 * SECOND);
  expect(lab.log.of('balancer-restarted')).toMatchObject([{ reasserted: 3 }]);
});

test('a source that came with a reload and whose loop fails, which is a defect, ends the run', async () => {
  let defects = 0;
  await using lab = new Lab({
    hosts: ['host-a', 'host-b', 'host-c'],
    recorder: {
      record: (event) => {
        if (event.type === 'source-answered' && event.name === 'host-c') {
          defects += 1;
          throw new Error('a defect');
        }
      },
    },
  });
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-c') });
  lab.start();
  const outcome = lab.ended().catch((error: unknown) => error);
  await lab.clock.step(3 * SECOND);
  expect([lab.hasEnded, defects]).toEqual([false, 0]);
  reload(lab);
  await lab.clock.step(3 * SECOND);
  expect(await outcome).toMatchObject({ message: 'a defect' });
  expect([lab.clock.sleepers, defects]).toEqual([0, 1]);
});

test('on a stop, sources that came and went with reloads hold nobody up', async () => {
  await using lab = startLab({ hosts: ['host-a', 'host-b', 'host-c'] });
  await lab.clock.step(3 * SECOND);
  for (const host of lab.world.hosts) {
    host.silent = 'deaf';
  }
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-a') });
  await lab.clock.step(3 * SECOND);
  reload(lab, {}, { hypervisors: hostsWithout(lab, 'host-b') });
  await lab.clock.step(SECOND);
  void lab.stop();
  await lab.clock.step(0);
  expect(lab.hasEnded).toBe(true);
  expect(lab.clock.sleepers).toBe(0);
});

test('another breaker policy holds at once, and what has failed so far still counts', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  for (const host of lab.world.hosts) {
    host.createFault = 'refuse';
  }
  lab.world.rps = 230;
  await lab.clock.step(MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(3);

  const { limits } = lab.setupOf(lab.tier);
  const patient = { failures: 3, windowMs: 600_000, openMs: 90_000 };
  reload(lab, {}, { limits: { ...limits, breaker: patient } });
  await lab.clock.step(25 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(3);
  await lab.clock.step(20 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(4);
});

test('another limit of the whole installation holds at once', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  const { limits } = lab.setupOf(lab.tier);
  reload(lab, {}, { limits: { ...limits, maxNodes: 3 } });
  lab.world.rps = 400;
  await lab.clock.step(20 * SECOND);
  expect(lab.world.domains).toHaveLength(3);
});

/** Three nodes of which two are needed; one may go in two minutes. */
const SLOW_SCALE_IN = {
  tolerance: 0.1,
  stabilizationWindowMs: 30_000,
  policies: [{ kind: 'nodes', nodes: 1, periodMs: 2 * MINUTE }],
} as const;

test.each([
  { when: 'a minute ago', agoMs: MINUTE, waitMs: MINUTE },
  // The clock was set back since: it is as if it had been now.
  { when: 'in an hour', agoMs: -60 * MINUTE, waitMs: 2 * MINUTE },
])(
  'a change of before a restart, $when, counts for the scaling policies',
  async ({ agoMs, waitMs }) => {
    const tier = makeTier({ scaleIn: SLOW_SCALE_IN });
    await using lab = new Lab({ tier, nodes: 3, rps: 100 });
    const atMs = lab.clock.steadyMs() - agoMs;
    const memory = { ...EMPTY_MEMORY, changes: [{ atMs, nodes: -1 }] };
    lab.controller.restore('news/web', memory, { bootTimeMs: undefined, nodes: [] });
    lab.start();
    await lab.clock.step(waitMs - 2 * SECOND);
    expect(lab.world.calls).toEqual([]);
    await lab.clock.step(4 * SECOND);
    expect(lab.world.callsOf('drain')).toEqual(['lb drain news-web-3']);
  },
);

test('after what was known before is taken back, scale-in waits for a full window', async () => {
  await using before = startLab({ nodes: 4, rps: 50 });
  await before.clock.step(28 * SECOND);
  const { memory } = before.log.of('tier-ticked').at(-1)!.tick;
  expect(memory.knownSinceMs).toBeDefined();
  await using lab = new Lab({ nodes: 4, rps: 50 });
  lab.controller.restore('news/web', memory, { bootTimeMs: undefined, nodes: [] });
  lab.start();
  await lab.clock.step(29 * SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(5 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
});

test('who watched while another one led has its window full when it takes over', async () => {
  await using lab = new Lab({ nodes: 4, rps: 50 });
  lab.world.lease.held = undefined;
  lab.start();
  await lab.clock.step(40 * SECOND);
  expect(lab.world.calls).toEqual([]);
  lab.controller.restore('news/web', EMPTY_MEMORY, { bootTimeMs: undefined, nodes: [] });
  lab.world.lease.held = { createdAtSeconds: 1, transitions: 5 };
  await lab.clock.step(3 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
});

test('the count of before a restart is not taken back: the world says what is there', async () => {
  await using lab = new Lab({ nodes: 4, rps: 300 });
  const memory = { ...EMPTY_MEMORY, desiredNodes: 2, knownSinceMs: 0 };
  lab.controller.restore('news/web', memory, { bootTimeMs: undefined, nodes: [] });
  lab.start();
  await lab.clock.step(MINUTE);
  expect(lab.log.of('tier-ticked').map(({ tick }) => tick.decision.desiredNodes)).not.toContain(2);
  expect(lab.world.calls).toEqual([]);
});

test('the boot time of before a restart is known again, until boots of this process say more', async () => {
  const scaleIn = { tolerance: 0.1, stabilizationWindowMs: 'auto', policies: [] } as const;
  await using lab = new Lab({ tier: makeTier({ scaleIn }), nodes: 2, rps: 100 });
  lab.controller.restore('news/web', EMPTY_MEMORY, { bootTimeMs: 50 * SECOND, nodes: [] });
  lab.start();
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.ticks.get('news/web')?.observation.bootTimeMs).toBe(50 * SECOND);
  expect(lab.controller.ticks.get('news/web')?.tick.decision.windowMs).toBe(50 * SECOND);
});
