import { expect, test } from 'vitest';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import { Lab, startLab } from './lab.ts';
import { makeTier } from './site.ts';

test('what a lost host ran comes again elsewhere under new numbers, within its room, and goes when the host is back', async () => {
  await using lab = startLab({ tier: makeTier({ maxNodes: 4 }), nodes: 4, rps: 350 });
  const [lost, other] = lab.world.hosts;
  other!.room.memoryMiB = 3 * 512;
  await lab.clock.stepUntil(() => lab.inService() === 4, 20_000);
  lost!.silent = 'hang';
  const down = [...lost!.domains.values()];
  for (const domain of down) {
    domain.sickAtMs = lab.clock.steadyMs();
  }
  await lab.clock.step(60_000);
  // Numbers 1 and 3 are held; of the two that are missing, the other host has room for one.
  expect([lab.phase(1), lab.phase(3), lab.phase(5)]).toEqual(['unknown', 'unknown', 'in-service']);
  expect(lab.world.callsOf('create')).toEqual(['host-b create news-web-5']);
  expect(lab.controller.ticks.get('news/web')?.tick.plan.shortfall).toMatchObject({
    nodes: 1,
    why: 'no-host',
    refusals: [
      { host: 'host-a', why: 'unreachable' },
      { host: 'host-b', why: 'memory' },
    ],
  });
  lost!.silent = 'no';
  for (const domain of down) {
    domain.sickAtMs = Number.POSITIVE_INFINITY;
  }
  lab.world.rps = 100;
  await lab.clock.stepUntil(() => lab.inService() === 2 && lab.world.domains.length === 2, 900_000);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);
});

test.each<[string, (lab: Lab) => void]>([
  ['that was being destroyed', (lab) => void (lab.world.host(0).destroyFault = 'hang')],
  ['that never ends to stop', (lab) => void (lab.world.domain(3)!.stopping = true)],
])('a node on a lost host %s fills no maximum', async (_, begin) => {
  await using lab = startLab({ tier: makeTier({ maxNodes: 3 }), nodes: 3, rps: 250 });
  await lab.clock.stepUntil(() => lab.inService() === 3, 20_000);
  begin(lab);
  if (lab.world.host(0).destroyFault !== undefined) {
    lab.world.rps = 100;
    await lab.clock.stepUntil(() => lab.world.callsOf('destroy').length > 0, 600_000);
    await lab.clock.step(1_500);
  } else {
    await lab.clock.step(5_000);
  }
  expect(lab.phase(3)).toBe('stopping');
  // Number 1 is there, too: it goes on to serve, as HAProxy sees it.
  lab.world.host(0).silent = 'hang';
  lab.world.rps = 250;
  await lab.clock.stepUntil(() => lab.phase(4) === 'in-service', 60_000);
  expect([lab.phase(1), lab.phase(3)]).toEqual(['unknown', 'unknown']);
});

test('while a host has never answered, boots take numbers that nothing there is likely to have', async () => {
  const lab = new Lab({ nodes: 2, rps: 180 });
  await using _ = lab;
  const { size } = lab.tier;
  const hidden = lab.world.host(1);
  hidden.addDomain({ ...size, name: 'news-web-3', bornMs: 5 }, true);
  lab.world.domain(3)!.paused = true;
  hidden.silent = 'unreachable';
  lab.start();
  const top = lab.tier.addresses.length;
  await lab.clock.stepUntil(() => lab.phase(top) === 'in-service', 60_000);
  hidden.silent = 'no';
  await lab.clock.step(5_000);
  expect(lab.nodes.filter(({ phase }) => phase === 'conflict')).toEqual([]);
});

test('a number that a host had before a restart is held until that host answers', async () => {
  const lab = new Lab({ nodes: 2, rps: 100 });
  await using _ = lab;
  const domain = { host: 'host-b', state: 'saved', mark: 'ours', ageMs: 1, fresh: true } as const;
  lab.controller.restore('news/web', EMPTY_MEMORY, {
    bootTimeMs: undefined,
    nodes: [{ number: 16, servers: [], domains: [{ ...domain, bornMs: 5 }] }],
  });
  lab.world.host(1).silent = 'unreachable';
  lab.start();
  await lab.clock.step(10_000);
  expect(lab.phase(16)).toBe('unknown');
  lab.world.host(1).silent = 'no';
  await lab.clock.step(5_000);
  expect(lab.phase(16)).toBeUndefined();
});

test('a host that is to be drained gives its nodes away one after the other, and takes none', async () => {
  await using lab = startLab({ nodes: 4, rps: 300 });
  await lab.clock.stepUntil(() => lab.inService() === 4, 20_000);
  // Its reign has begun: what was said before would count as a restart in the middle of it.
  await lab.clock.step(1_000);
  lab.overrides.give(
    undefined,
    { kind: 'drain-host', host: 'host-a' },
    {
      reason: 'new memory',
      durationMs: 3_600_000,
    },
  );
  await lab.clock.stepUntil(() => lab.world.host(0).domains.size === 0, 120_000);
  expect(lab.inService()).toBe(4);
  expect(lab.world.callsOf('create').every((call) => call.startsWith('host-b'))).toBe(true);
  const tick = lab.controller.ticks.get('news/web');
  expect(tick?.observation.overrides).toMatchObject([{ id: 'o1', kind: 'drain-host' }]);
});
