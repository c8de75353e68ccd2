import { expect, test } from 'vitest';
import { Lab, startLab } from './lab.ts';
import { makeTier } from './site.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

/** The longest time between two ticks since `sinceMs`, and from the last one to now. */
function longestPauseMs(lab: Lab, sinceMs: number): number {
  let longest = 0;
  let beforeMs = sinceMs;
  const ticksMs = lab.log.of('tier-ticked').map(({ tick }) => tick.decision.atMs);
  for (const atMs of [...ticksMs.filter((ms) => ms >= sinceMs), lab.clock.steadyMs()]) {
    longest = Math.max(longest, atMs - beforeMs);
    beforeMs = atMs;
  }
  return longest;
}

/** Two nodes in service, and a load that three are needed for. */
async function startWithOneMissing(options: Parameters<typeof startLab>[0] = {}): Promise<Lab> {
  const lab = startLab({ nodes: 2, rps: 100, ...options });
  await lab.clock.step(5 * SECOND);
  lab.world.rps = 230;
  return lab;
}

test('a storm comes and goes: nodes boot, are admitted, drained and destroyed, and then it is silent', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  expect(lab.world.calls).toEqual([]);

  lab.world.rps = 400;
  await lab.clock.stepUntil(() => lab.inService() === 5, 10 * SECOND);
  expect(lab.world.callsOf('create')).toEqual([
    'host-a create news-web-3',
    'host-b create news-web-4',
    'host-a create news-web-5',
  ]);
  expect(lab.world.callsOf('ready')).toHaveLength(3);
  expect(lab.log.of('boot-ended').map(({ result }) => result)).toEqual(Array(3).fill('served'));

  await lab.clock.step(MINUTE);
  expect(lab.inService()).toBe(5);
  lab.world.rps = 100;
  await lab.clock.step(25 * SECOND);
  expect(lab.inService()).toBe(5);
  await lab.clock.step(30 * SECOND);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
  expect([3, 4, 5].map((number) => lab.world.balancer.admin(number))).toEqual(
    Array(3).fill('maint'),
  );

  const calls = lab.world.calls.length;
  await lab.clock.step(5 * MINUTE);
  expect(lab.world.calls).toHaveLength(calls);
  expect(lab.log.of('action-ended').filter(({ error }) => error !== undefined)).toEqual([]);
});

test('a node goes out of rotation before its domain is touched, and only when it is quiet', async () => {
  await using lab = startLab({ nodes: 3, rps: 100 });
  lab.world.balancer.held.set('news-web-3', 1);
  await lab.clock.step(MINUTE);
  expect(lab.world.calls).toEqual(['lb drain news-web-3']);
  lab.world.balancer.held.set('news-web-3', 0);
  await lab.clock.step(5 * SECOND);
  expect(lab.world.calls.slice(1)).toEqual(['lb maint news-web-3', 'host-a destroy news-web-3']);
});

test('a drain ends at its deadline, sessions or not', async () => {
  await using lab = startLab({ nodes: 3, rps: 100 });
  lab.world.balancer.held.set('news-web-3', 1);
  await lab.clock.stepUntil(() => lab.world.calls.length === 1, MINUTE);
  await lab.clock.step(58 * SECOND);
  expect(lab.world.calls).toEqual(['lb drain news-web-3']);
  await lab.clock.step(5 * SECOND);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
});

test('demand that returns during a drain takes the node back, and boots none', async () => {
  await using lab = startLab({ nodes: 3, rps: 100 });
  lab.world.balancer.held.set('news-web-3', 1);
  await lab.clock.stepUntil(() => lab.world.balancer.admin(3) === 'drain', MINUTE);
  lab.world.rps = 230;
  await lab.clock.step(5 * SECOND);
  expect(lab.world.calls).toEqual(['lb drain news-web-3', 'lb ready news-web-3']);
});

test.each(['hang', 'hang-before', 'lose-answer'] as const)(
  'no second order while the outcome of the first is not known (%s)',
  async (fault) => {
    await using lab = await startWithOneMissing();
    for (const host of lab.world.hosts) {
      host.createFault = fault;
    }
    await lab.clock.step(55 * SECOND);
    expect(lab.world.callsOf('create')).toEqual(['host-a create news-web-3']);
  },
);

test('a node whose create never answers is admitted when its host shows that the order was over', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().createFault = 'hang';
  await lab.clock.step(65 * SECOND);
  expect(lab.phase(3)).toBe('in-service');
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('an order that was never carried out is given up after a minute, and another number is taken', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().createFault = 'hang-before';
  await lab.clock.step(75 * SECOND);
  expect(lab.world.callsOf('create')).toEqual([
    'host-a create news-web-3',
    'host-b create news-web-4',
  ]);
  expect(lab.log.of('boot-ended')[0]).toMatchObject({ node: 'news-web-3', result: 'failed' });
});

test('a node that serves while its create still hangs is not replaced', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().createFault = 'hang';
  await lab.clock.step(20 * SECOND);
  expect(lab.log.of('boot-ended')).toMatchObject([{ node: 'news-web-3', result: 'served' }]);
  expect(lab.world.domains).toHaveLength(3);
});

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'a host that is silent (%s) delays no tick, and nodes boot on the other',
  async (silent) => {
    await using lab = await startWithOneMissing({ nodes: 0 });
    const startMs = lab.clock.steadyMs();
    lab.world.host(1).silent = silent;
    lab.world.rps = 400;
    await lab.clock.step(MINUTE);
    expect(longestPauseMs(lab, startMs)).toBeLessThanOrEqual(1_100);
    expect(lab.log.of('source-failed')).toMatchObject([{ kind: 'host', name: 'host-b' }]);
    expect(lab.world.balancer.ready).toHaveLength(5);
  },
);

test('a host that dies during a boot: the node comes elsewhere, its number is left alone, and surplus goes', async () => {
  await using lab = await startWithOneMissing();
  const [host] = lab.world.hosts;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 1, 5 * SECOND);
  host!.silent = 'deaf';
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('create')[0]).toBe('host-a create news-web-3');
  expect(
    lab.world
      .callsOf('create')
      .slice(1)
      .every((call) => call.startsWith('host-b')),
  ).toBe(true);
  expect(lab.world.callsOf('create')).not.toContain('host-b create news-web-3');
  expect(lab.world.balancer.ready.length).toBeGreaterThanOrEqual(3);

  host!.silent = 'no';
  await lab.clock.step(2 * MINUTE);
  expect(lab.inService()).toBe(3);
  expect(lab.world.domains).toHaveLength(3);
});

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'a balancer that is silent (%s) for 30 s: nothing is changed, and ticks go on',
  async (silent) => {
    await using lab = startLab({ nodes: 4, rps: 300 });
    await lab.clock.step(40 * SECOND);
    const startMs = lab.clock.steadyMs();
    lab.world.balancer.silent = silent;
    lab.world.rps = 0;
    await lab.clock.step(30 * SECOND);
    expect(lab.world.calls).toEqual([]);
    expect(longestPauseMs(lab, startMs)).toBeLessThanOrEqual(1_100);

    lab.world.rps = 300;
    lab.world.balancer.silent = 'no';
    await lab.clock.step(MINUTE);
    expect(lab.world.calls).toEqual([]);
    expect(lab.inService()).toBe(4);
  },
);

test('a balancer that fell silent starts a whole window anew before anything goes', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(20 * SECOND);
  lab.world.balancer.silent = 'no';
  lab.world.rps = 50;
  await lab.clock.step(29 * SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(10 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
});

test('every boot is refused: the breaker allows three, and one more each time that it has been open', async () => {
  await using lab = await startWithOneMissing();
  for (const host of lab.world.hosts) {
    host.createFault = 'refuse';
  }
  await lab.clock.step(4 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(3);
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(4);
  await lab.clock.step(4 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(4);

  for (const host of lab.world.hosts) {
    host.createFault = undefined;
  }
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(5);
  expect(lab.inService()).toBe(3);
});

test("a host that is lost during the breaker's probe does not open it again: the next boot comes at once", async () => {
  await using lab = await startWithOneMissing();
  for (const host of lab.world.hosts) {
    host.createFault = 'refuse';
  }
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 3, MINUTE);
  for (const host of lab.world.hosts) {
    host.createFault = undefined;
  }
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 4, 6 * MINUTE);
  const probe = lab.world.callsOf('create').at(-1);
  const lost = lab.world.hosts.find(({ host }) => probe?.startsWith(host));
  // Without power: what was being made there is gone when it is back.
  lost!.silent = 'unreachable';
  await lab.clock.step(2 * SECOND);
  for (const name of lost!.domains.keys()) {
    lost!.domains.delete(name);
  }
  lost!.silent = 'no';
  await lab.clock.step(MINUTE);
  expect(lab.log.of('boot-ended').filter(({ result }) => result === 'failed')).toHaveLength(3);
  expect(lab.inService()).toBe(3);
});

test('every boot never passes its check: three attempts, each destroyed, then a probe', async () => {
  await using lab = await startWithOneMissing();
  for (const host of lab.world.hosts) {
    host.neverHealthy = true;
  }
  await lab.clock.step(6 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(3);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
  expect(lab.log.of('boot-ended').map(({ result }) => result)).toEqual(Array(3).fill('failed'));
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('create')).toHaveLength(4);
});

test('HAProxy knows fewer servers than there are addresses: each of the others is tried once a minute', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.step(5 * SECOND);
  lab.world.balancer.declaredServers = 3;
  lab.world.rps = 400;
  await lab.clock.step(50 * SECOND);
  expect(lab.world.callsOf('create')).toEqual(['host-a create news-web-3']);
  expect(lab.world.callsOf('drain').length).toBeLessThanOrEqual(lab.tier.addresses.length - 2);
  const failed = lab.log.of('boot-ended').filter(({ result }) => result === 'failed');
  expect(failed).toEqual([]);

  lab.world.balancer.declaredServers = Number.POSITIVE_INFINITY;
  await lab.clock.step(2 * MINUTE);
  expect(lab.inService()).toBe(5);
});

test('a number that failed rests: the next attempts take others', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().neverHealthy = true;
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('create')).toEqual([
    'host-a create news-web-3',
    'host-b create news-web-4',
  ]);
  expect(lab.inService()).toBe(3);
});

test('a failed node that cannot be destroyed counts once and is tried once a second at most', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().neverHealthy = true;
  lab.world.host().destroyFault = 'unreachable';
  await lab.clock.step(50 * SECOND);
  const destroys = lab.world.callsOf('destroy').length;
  await lab.clock.step(10 * SECOND);
  expect(lab.world.callsOf('destroy').length - destroys).toBeLessThanOrEqual(10);
  expect(lab.log.of('boot-ended').filter(({ result }) => result === 'failed')).toHaveLength(1);
  expect(lab.inService()).toBe(3);
});

test('one host of two that refuses: nodes come on the other', async () => {
  await using lab = await startWithOneMissing();
  lab.world.host().createFault = 'refuse';
  await lab.clock.step(20 * SECOND);
  expect(lab.inService()).toBe(3);
  expect(lab.world.callsOf('create').slice(0, 2)).toEqual([
    'host-a create news-web-3',
    'host-b create news-web-4',
  ]);
});

test('a sick node is replaced before it goes', async () => {
  await using lab = startLab({ nodes: 3, rps: 200 });
  await lab.clock.step(40 * SECOND);
  lab.world.domain(2)!.sickAtMs = lab.clock.steadyMs();
  await lab.clock.step(14 * SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(30 * SECOND);
  expect(lab.world.calls).toEqual([
    'lb drain news-web-4',
    'host-b create news-web-4',
    'lb ready news-web-4',
    'lb drain news-web-2',
    'lb maint news-web-2',
    'host-b destroy news-web-2',
  ]);
  expect(lab.inService()).toBe(3);
});

test('while requests wait, no sick node goes: everybody may just be slow', async () => {
  await using lab = startLab({ nodes: 3, rps: 200 });
  await lab.clock.step(40 * SECOND);
  lab.world.domain(2)!.sickAtMs = lab.clock.steadyMs();
  lab.world.rps = 850;
  await lab.clock.step(2 * MINUTE);
  expect(lab.inService()).toBe(8);
  expect(lab.world.callsOf('destroy')).toEqual([]);
});

test('when most nodes fail their checks at once, it is rather the network: none goes', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  for (const number of [1, 2, 3]) {
    lab.world.domain(number)!.sickAtMs = lab.clock.steadyMs();
  }
  await lab.clock.step(2 * MINUTE);
  expect(lab.world.callsOf('destroy')).toEqual([]);
  expect(lab.log.of('tier-ticked').at(-1)?.tick.plan.healingFrozen).toBe(true);
});

test('a balancer that lost its states gets them back before anything else happens', async () => {
  await using lab = startLab({ nodes: 5, rps: 390 });
  await lab.clock.step(40 * SECOND);
  expect(lab.world.calls).toEqual([]);
  lab.world.balancer.restart();
  expect(lab.world.balancer.ready).toHaveLength(2);
  const ticks = lab.log.of('tier-ticked').length;
  const restart = lab.log.next('balancer-restarted');
  await lab.clock.stepUntil(() => lab.world.balancer.ready.length === 5, 2 * SECOND);
  expect(await restart).toMatchObject({ balancer: 'lb', reasserted: 3 });
  expect(lab.world.calls).toEqual([
    'lb ready news-web-3',
    'lb ready news-web-4',
    'lb ready news-web-5',
  ]);
  for (const { tick } of lab.log.of('tier-ticked').slice(ticks)) {
    expect(tick.actions).toEqual([]);
  }

  await lab.clock.step(MINUTE);
  expect(lab.world.calls).toHaveLength(3);
  expect(lab.log.of('balancer-restarted')).toHaveLength(1);
});

test('nothing is destroyed while workers of before a reload may still serve', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(40 * SECOND);
  lab.world.balancer.oldWorkers = true;
  lab.world.rps = 50;
  await lab.clock.step(50 * SECOND);
  expect(lab.world.callsOf('drain')).toHaveLength(2);
  expect(lab.world.domains).toHaveLength(4);
  lab.world.balancer.oldWorkers = false;
  await lab.clock.step(10 * SECOND);
  expect(lab.world.domains).toHaveLength(2);
});

test('a balancer that cannot be told its states is a restart once, a warning each time, and still answers', async () => {
  await using lab = startLab({ nodes: 5, rps: 390 });
  await lab.clock.step(40 * SECOND);
  lab.world.balancer.readOnly = true;
  lab.world.balancer.restart();
  await lab.clock.step(10 * SECOND);
  expect(lab.log.of('balancer-restarted')).toHaveLength(1);
  expect(lab.log.of('reassertion-failed').length).toBeGreaterThan(1);
  expect(lab.log.of('source-failed')).toEqual([]);
  expect(lab.world.callsOf('create')).toEqual([]);

  lab.world.balancer.readOnly = false;
  await lab.clock.step(5 * SECOND);
  expect(lab.world.balancer.ready).toHaveLength(5);
  expect(lab.log.of('balancer-restarted')).toHaveLength(1);
});

test('leadership that is lost: nothing more is sent, also not the second step of what has begun', async () => {
  await using lab = await startWithOneMissing();
  lab.world.balancer.answerMs = 200;
  await lab.clock.stepUntil(() => lab.world.calls.length === 1, 5 * SECOND);
  expect(lab.world.calls).toEqual(['lb drain news-web-3']);
  lab.world.lease.held = undefined;
  const started = lab.log.of('action-started').length;
  lab.world.rps = 600;
  await lab.clock.step(MINUTE);
  lab.world.balancer.restart();
  await lab.clock.step(MINUTE);
  expect(lab.world.calls).toEqual(['lb drain news-web-3']);
  expect(lab.log.of('boot-ended')).toEqual([]);
  expect(lab.log.of('action-started')).toHaveLength(started);
  expect(lab.log.of('tier-ticked').at(-1)?.tick.decision.desiredNodes).toBe(8);

  lab.world.lease.held = { createdAtSeconds: 1, transitions: 5 };
  await lab.clock.step(30 * SECOND);
  expect(lab.world.balancer.ready).toHaveLength(8);
});

test('what was decided while others led uses up nothing that a scaling policy allows', async () => {
  const fourAMinute = { kind: 'nodes', nodes: 4, periodMs: MINUTE } as const;
  const scaleOut = { tolerance: 0.05, policies: [fourAMinute] };
  await using lab = new Lab({ tier: makeTier({ scaleOut }), nodes: 0, rps: 100 });
  lab.world.lease.held = undefined;
  lab.start();
  await lab.clock.step(5 * SECOND);
  expect(lab.log.of('tier-ticked').at(-1)?.tick.decision.desiredNodes).toBe(2);
  lab.world.lease.held = { createdAtSeconds: 1, transitions: 5 };
  await lab.clock.stepUntil(() => lab.inService() === 2, 30 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(2);

  // Of the four within a minute, two have come, and not two more that nobody booted.
  lab.world.rps = 640;
  await lab.clock.step(5 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(4);
});

test('whoever gains the lead brings back nothing that it saw before others led', async () => {
  await using lab = startLab({ nodes: 4, rps: 230 });
  await lab.clock.step(5 * SECOND);
  lab.world.lease.held = undefined;
  lab.world.balancer.restart();
  lab.world.balancer.set(3, 'ready');
  lab.world.host(1).domains.delete('news-web-4');
  await lab.clock.step(MINUTE);
  expect(lab.log.of('balancer-restarted')).toMatchObject([{ reasserted: 0 }]);
  lab.world.lease.held = { createdAtSeconds: 1, transitions: 5 };
  await lab.clock.step(MINUTE);
  expect(lab.world.calls).toEqual([]);
  expect(lab.inService()).toBe(3);
});

test('on a stop, what has begun ends and nothing new begins', async () => {
  await using lab = await startWithOneMissing();
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 1, 5 * SECOND);
  lab.world.rps = 700;
  void lab.stop();
  await lab.clock.step(5 * SECOND);
  expect(lab.hasEnded).toBe(true);
  expect(lab.log.of('action-ended')).toMatchObject([{ error: undefined }]);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('on a stop, what hangs is given up after 10 s', async () => {
  await using lab = await startWithOneMissing();
  for (const host of lab.world.hosts) {
    host.createFault = 'hang';
  }
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length === 1, 5 * SECOND);
  void lab.stop();
  await lab.clock.step(9_900);
  expect(lab.hasEnded).toBe(false);
  await lab.clock.step(200);
  expect(lab.hasEnded).toBe(true);
  expect(lab.clock.sleepers).toBe(0);
});

test('on a stop, sources that heed no signal hold nobody up', async () => {
  await using lab = startLab();
  for (const port of [...lab.world.hosts, lab.world.balancer]) {
    port.silent = 'deaf';
  }
  await lab.clock.step(3 * SECOND);
  void lab.stop();
  await lab.clock.step(0);
  expect(lab.hasEnded).toBe(true);
});

test.each([
  { moment: 'a boot', call: ' create news-web-3' },
  { moment: 'an admission', call: 'lb ready news-web-3' },
])(
  'a restart of Rackfire in the middle of $moment: no node lost, none doubled',
  async ({ call }) => {
    await using lab = await startWithOneMissing();
    await lab.clock.stepUntil(() => lab.world.calls.some((one) => one.endsWith(call)), 20 * SECOND);
    await lab.restart();
    await lab.clock.step(2 * MINUTE);
    expect(lab.world.callsOf('create')).toHaveLength(1);
    expect(lab.world.callsOf('destroy')).toEqual([]);
    expect(lab.world.balancer.ready).toEqual(['news-web-1', 'news-web-2', 'news-web-3']);
  },
);

test('a restart in the middle of a drain takes the node back for a window, and then lets it go', async () => {
  await using lab = startLab({ nodes: 3, rps: 100 });
  lab.world.balancer.held.set('news-web-3', 1);
  await lab.clock.stepUntil(() => lab.world.balancer.admin(3) === 'drain', MINUTE);
  await lab.restart();
  await lab.clock.step(20 * SECOND);
  expect(lab.world.domains).toHaveLength(3);
  lab.world.balancer.held.clear();
  await lab.clock.step(MINUTE);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
  expect(lab.world.callsOf('create')).toEqual([]);
  expect(lab.world.balancer.admin(3)).toBe('maint');
});

test('a restart holds scale-in for a whole window', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.step(MINUTE);
  await lab.restart();
  lab.world.rps = 50;
  await lab.clock.step(29 * SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.step(30 * SECOND);
  expect(lab.world.domains).toHaveLength(2);
});

test('a domain that vanishes in service: another boots, and its server is parked', async () => {
  await using lab = startLab({ nodes: 3, rps: 230 });
  await lab.clock.step(40 * SECOND);
  lab.world.host(1).domains.delete('news-web-2');
  await lab.clock.step(MINUTE);
  expect(lab.inService()).toBe(3);
  expect(lab.world.domains).toHaveLength(3);
});

test('a jump of the wall clock by an hour destroys nobody, also none that boots', async () => {
  await using lab = await startWithOneMissing();
  await lab.clock.stepUntil(() => lab.phase(3) === 'warming', 10 * SECOND);
  lab.clock.jumpWall(3_600_000);
  await lab.clock.step(30 * SECOND);
  expect(lab.log.of('clock-jumped')).toEqual([{ type: 'clock-jumped', jumpMs: 3_600_000 }]);
  expect(lab.world.callsOf('destroy')).toEqual([]);
  expect(lab.inService()).toBe(3);
});

test('after the wall clock was set back, a boot that never passes is still given up', async () => {
  await using lab = await startWithOneMissing();
  for (const host of lab.world.hosts) {
    host.neverHealthy = true;
  }
  await lab.clock.stepUntil(() => lab.phase(3) === 'warming', 10 * SECOND);
  lab.clock.jumpWall(-3_600_000);
  await lab.clock.step(40 * SECOND);
  expect(lab.world.callsOf('destroy')[0]).toBe('host-a destroy news-web-3');
});

test('a dry run decides and says what it would do, and sends nothing', async () => {
  await using lab = startLab({ nodes: 2, rps: 400 });
  await lab.stop();
  const controller = lab.createController();
  const run = controller.dryRun(new AbortController().signal);
  await lab.clock.step(2 * SECOND);
  await run;
  expect(controller.ticks.get('news/web')?.tick.actions.map(({ kind }) => kind)).toEqual([
    'boot',
    'boot',
    'boot',
  ]);
  expect(lab.world.calls).toEqual([]);
  expect(lab.log.of('action-started')).toEqual([]);
});

test('another setup decides on the answers that are there, and asks only ports of its own', async () => {
  await using lab = startLab({ nodes: 2, rps: 400 });
  await lab.stop();
  const controller = lab.createController();
  const signal = new AbortController().signal;
  const run = controller.dryRun(signal);
  await lab.clock.step(2 * SECOND);
  await run;
  // What is asked now is answered otherwise.
  lab.world.rps = 4_000;
  const before = lab.log.of('source-asked').length;
  const { requestRate } = lab.tier.policy;
  const half = makeTier({ requestRate: { ...requestRate!, targetPerNodeRps: 50 } });
  const setup = lab.setupOf(half);
  await controller.dryRunAs(setup, signal);
  expect(lab.log.of('source-asked')).toHaveLength(before);
  expect(controller.ticks.get('news/web')?.tick.decision.desiredNodes).toBe(8);
  const [first, second] = [...setup.hypervisors.values()];
  await controller.dryRunAs({ ...setup, hypervisors: new Map([['host-a', first!]]) }, signal);
  const withBoth = controller.dryRunAs(setup, signal);
  await lab.clock.step(2 * SECOND);
  await withBoth;
  const asked = lab.log.of('source-asked').slice(before);
  expect(asked.map(({ name }) => name)).toEqual([second?.host, second?.host]);
  expect(controller.ticks.get('news/web')?.tick.decision.desiredNodes).toBe(8);
});

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'a dry run among silent sources (%s) ends, says that it is not ready, and sends nothing',
  async (silent) => {
    await using lab = startLab({ nodes: 2, rps: 400 });
    await lab.stop();
    lab.world.balancer.silent = silent;
    lab.world.host().silent = silent;
    const controller = lab.createController();
    const run = controller.dryRun(new AbortController().signal);
    await lab.clock.step(12 * SECOND);
    await run;
    expect(controller.ticks.get('news/web')?.tick.decision.signalsKnown).toBe(false);
    expect(controller.unanswered).not.toEqual([]);
    expect(lab.world.calls).toEqual([]);
  },
);

test('in mode observe, all is decided and nothing is sent', async () => {
  await using lab = startLab({ nodes: 2, rps: 400, mode: 'observe' });
  await lab.clock.step(MINUTE);
  const last = lab.log.of('tier-ticked').at(-1)?.tick;
  expect(last?.decision.desiredNodes).toBe(5);
  expect(last?.plan.actions).toHaveLength(3);
  expect(lab.world.calls).toEqual([]);
});

test('with two balancers, one that is dead keeps no new node from the other', async () => {
  await using lab = await startWithOneMissing({ balancers: ['lb', 'lb-2'] });
  await lab.clock.step(30 * SECOND);
  const before = lab.world.balancers[1]?.ready.length ?? 0;
  lab.world.balancer.silent = 'unreachable';
  lab.world.rps = 80 * (before + 2);
  await lab.clock.step(MINUTE);
  expect(lab.world.balancers[1]?.ready.length).toBeGreaterThan(before);
  expect(lab.world.domains.length).toBeLessThanOrEqual(8);
  expect(lab.world.callsOf('destroy')).toEqual([]);
});

test('a loop that fails, which is a defect, ends the run instead of half of it', async () => {
  await using lab = startLab({
    recorder: {
      record: ({ type }) => {
        if (type === 'tier-ticked') {
          throw new Error('a defect');
        }
      },
    },
  });
  const run = lab.ended();
  const outcome = run.catch((error: unknown) => error);
  await lab.clock.step(3 * SECOND);
  expect(await outcome).toMatchObject({ message: 'a defect' });
  expect(lab.clock.sleepers).toBe(0);
});

test('standby: a node is paused beside those in service, woken first, and made again', async () => {
  const tier = makeTier({ standby: { state: 'paused', nodes: 1 } });
  await using lab = startLab({ tier, nodes: 2, rps: 100 });
  await lab.clock.step(30 * SECOND);
  expect(lab.phase(3)).toBe('standby');
  expect(lab.world.balancer.admin(3)).toBe('maint');
  lab.world.calls.length = 0;
  lab.world.rps = 230;
  await lab.clock.step(5 * SECOND);
  expect(lab.world.calls[0]).toBe('host-a wake news-web-3');
  expect(lab.inService()).toBe(3);
  await lab.clock.step(30 * SECOND);
  expect(lab.nodes.map(({ phase }) => phase).toSorted()).toEqual([
    'in-service',
    'in-service',
    'in-service',
    'standby',
  ]);
});

test.each([0, 1])(
  'after a start, nothing is done while balancer and host %i were never heard',
  async (silent) => {
    await using lab = new Lab({ nodes: 2, rps: 100 });
    lab.world.balancer.silent = 'hang';
    lab.world.host(silent).silent = 'hang';
    lab.start();
    await lab.clock.step(30 * SECOND);
    expect(lab.world.calls).toEqual([]);

    lab.world.balancer.silent = 'no';
    lab.world.host(silent).silent = 'no';
    await lab.clock.step(30 * SECOND);
    expect(lab.world.calls).toEqual([]);
    expect(lab.inService()).toBe(2);
  },
);

test('after a start, a slow host is waited for: its standby node may have any number', async () => {
  const tier = makeTier({ standby: { state: 'paused', nodes: 1 } });
  await using lab = new Lab({ tier, nodes: 2, rps: 230 });
  lab.world.host().addDomain({ ...tier.size, name: 'news-web-3', bornMs: 7 }, true);
  lab.world.domain(3)!.paused = true;
  lab.world.host().answerMs = 3 * SECOND;
  lab.start();
  await lab.clock.step(20 * SECOND);
  expect(lab.world.callsOf('wake')).toEqual(['host-a wake news-web-3']);
  expect(lab.world.callsOf('create').filter((call) => call.endsWith('-3'))).toEqual([]);
});
