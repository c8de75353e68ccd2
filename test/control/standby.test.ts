import { expect, test } from 'vitest';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import { Lab, startLab } from './lab.ts';
import { makeTier } from './site.ts';

/** Two nodes in service, and one that stands by, made and put to rest as the policy says. */
async function startWithStandby(state: TierPolicy['standby']['state']) {
  const lab = startLab({ tier: makeTier({ standby: { state, nodes: 1 } }), nodes: 2, rps: 100 });
  await lab.clock.stepUntil(() => lab.phase(3) === 'standby', 30_000);
  return lab;
}

test('a saved node gives its memory back, and the tier keeps it as it keeps a paused one', async () => {
  await using lab = await startWithStandby('saved');
  expect(lab.world.callsOf('save')).toEqual(['host-a save news-web-3']);
  await lab.clock.step(5_000);
  expect(lab.world.domain(3)?.saved).toBe(true);
  const sighting = lab.controller.ticks.get('news/web')?.observation.hosts[0];
  expect(sighting).toMatchObject({ freeMemoryMiB: 15 * 512, freeDiskMiB: 14 * 4_096 });
  await lab.clock.step(30_000);
  expect(lab.phase(3)).toBe('standby');
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test.each(['saved', 'paused'] as const)(
  'in a storm a %s node is woken before any is booted, and another takes its place afterwards',
  async (state) => {
    await using lab = await startWithStandby(state);
    await lab.clock.step(5_000);
    lab.world.rps = 280;
    await lab.clock.stepUntil(() => lab.phase(3) === 'in-service', 20_000);
    expect(lab.world.callsOf('wake')).toEqual(['host-a wake news-web-3']);
    await lab.clock.stepUntil(() => lab.inService() === 4, 20_000);
    lab.world.rps = 100;
    await lab.clock.stepUntil(
      () => lab.inService() === 2 && lab.world.domains.length === 3,
      600_000,
    );
    await lab.clock.step(10_000);
    expect(lab.nodes.map(({ phase }) => phase)).toEqual(['in-service', 'in-service', 'standby']);
  },
);

/** Two nodes in service where boots usually take two minutes, and two that come to stand by. */
function startWithSlowBoots(): Lab {
  const tier = makeTier({ standby: { state: 'paused', nodes: 2 } });
  const lab = new Lab({ tier, nodes: 2, rps: 100 });
  const boots = { imageVersion: '1', host: 'host-a', start: 'cold', timeMs: 120_000 } as const;
  const before = { bootTimeMs: boots.timeMs, startTimes: [boots], nodes: [] };
  lab.controller.restore('news/web', EMPTY_MEMORY, before);
  lab.start();
  return lab;
}

function wantThree(lab: Lab): void {
  const given = { reason: 'sale', durationMs: 600_000 };
  lab.overrides.give('news/web', { kind: 'min', nodes: 3 }, given);
}

test('beside a node that was just woken none is woken in its place, though it is younger than boots take', async () => {
  await using lab = startWithSlowBoots();
  await lab.clock.stepUntil(() => lab.phase(4) === 'standby', 60_000);
  await lab.clock.step(5_000);
  wantThree(lab);
  await lab.clock.stepUntil(() => lab.world.callsOf('wake').length > 0, 5_000);
  lab.world.domain(3)!.healthyAtMs = lab.clock.steadyMs() + 6_000;
  await lab.clock.stepUntil(() => lab.inService() === 3, 20_000);
  expect(lab.world.callsOf('wake')).toEqual(['host-a wake news-web-3']);
});

test('beside a node that boots, and is younger than boots take, one is woken', async () => {
  await using lab = startWithSlowBoots();
  await lab.clock.stepUntil(() => lab.world.domain(4) !== undefined, 60_000);
  lab.world.domain(4)!.healthyAtMs = lab.clock.steadyMs() + 120_000;
  await lab.clock.stepUntil(() => lab.phase(3) === 'standby', 60_000);
  await lab.clock.step(5_000);
  expect(lab.phase(4)).toBe('warming');
  wantThree(lab);
  await lab.clock.stepUntil(() => lab.inService() === 3, 20_000);
  expect(lab.world.callsOf('wake')).toEqual(['host-a wake news-web-3']);
});

test('what each way of coming took is learned, and shown', async () => {
  await using lab = await startWithStandby('saved');
  await lab.clock.step(5_000);
  lab.world.rps = 180;
  await lab.clock.stepUntil(() => lab.phase(3) === 'in-service', 20_000);
  const learned = lab.controller.ticks.get('news/web')?.observation;
  expect(
    learned?.startTimes?.map(({ start, host, imageVersion }) => [start, host, imageVersion]),
  ).toEqual([
    ['cold', 'host-a', '1'],
    ['saved', 'host-a', '1'],
  ]);
  const [cold, saved] = learned?.startTimes ?? [];
  expect(learned?.bootTimeMs).toBe(cold?.timeMs);
  expect(saved?.timeMs).toBeLessThan(cold?.timeMs ?? 0);
  expect(lab.log.of('boot-ended').map(({ start, result }) => [start, result])).toEqual([
    ['cold', 'served'],
    ['saved', 'served'],
  ]);
});

test.each(['saved', 'paused'] as const)(
  'a %s node that its host cannot wake is a failed boot: destroyed, told to the breaker, replaced',
  async (state) => {
    await using lab = await startWithStandby(state);
    await lab.clock.step(5_000);
    for (const host of lab.world.hosts) {
      host.wakesNothing = true;
    }
    lab.world.rps = 180;
    await lab.clock.stepUntil(() => lab.inService() === 3, 60_000);
    expect(lab.world.callsOf('wake')).toHaveLength(1);
    expect(lab.world.callsOf('destroy')).toEqual(['host-a destroy news-web-3']);
    expect(lab.log.of('boot-ended').map(({ node, result }) => [node, result])).toContainEqual([
      'news-web-3',
      'failed',
    ]);
    expect(lab.controller.ticks.get('news/web')?.observation.hosts[0]?.recentFailures).toBe(1);
  },
);

test('where there is no memory to wake a saved node, another one is booted elsewhere', async () => {
  await using lab = await startWithStandby('saved');
  await lab.clock.step(5_000);
  lab.world.host(0).room.memoryMiB = 512;
  await lab.clock.step(5_000);
  lab.world.rps = 180;
  await lab.clock.stepUntil(() => lab.inService() === 3, 60_000);
  expect(lab.world.callsOf('wake')).toEqual([]);
  expect(lab.world.callsOf('create').at(-1)).toBe('host-b create news-web-4');
  expect(lab.world.domain(3)?.saved).toBe(true);
});

test('a node that cannot be saved stands by awake, and is tried again after five minutes', async () => {
  const tier = makeTier({ standby: { state: 'saved', nodes: 1 } });
  await using lab = startLab({ tier, nodes: 2, rps: 100 });
  lab.world.host(0).savesNothing = true;
  await lab.clock.stepUntil(() => lab.world.callsOf('save').length === 1, 30_000);
  await lab.clock.step(60_000);
  expect(lab.phase(3)).toBe('out-of-rotation');
  lab.world.host(0).savesNothing = false;
  await lab.clock.step(180_000);
  expect(lab.world.callsOf('save')).toHaveLength(1);
  await lab.clock.step(90_000);
  expect(lab.world.callsOf('save')).toHaveLength(2);
  expect(lab.phase(3)).toBe('standby');
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('what an interrupted boot left holds its number until it is destroyed, at once', async () => {
  await using lab = startLab({ nodes: 2, rps: 100 });
  await lab.clock.stepUntil(() => lab.inService() === 2, 20_000);
  const { size } = lab.tier;
  lab.world.host(1).addDomain({ ...size, name: 'news-web-3', bornMs: 5 }, true);
  lab.world.domain(3)!.residue = true;
  await lab.clock.stepUntil(() => lab.world.domain(3) === undefined, 10_000);
  expect(lab.world.callsOf('destroy')).toEqual(['host-b destroy news-web-3']);
  expect(lab.log.of('boot-ended')).toEqual([]);
  await lab.clock.step(5_000);
  lab.world.rps = 180;
  await lab.clock.stepUntil(() => lab.inService() === 3, 20_000);
  expect(lab.world.domains).toContain('news-web-3');
});

test('a residue of a boot that was awaited is a failed boot', async () => {
  await using lab = startLab({ nodes: 2, rps: 180 });
  await lab.clock.stepUntil(() => lab.phase(3) === 'warming', 20_000);
  lab.world.domain(3)!.residue = true;
  await lab.clock.stepUntil(() => lab.log.of('boot-ended').length > 0, 10_000);
  expect(lab.log.of('boot-ended')[0]).toMatchObject({ node: 'news-web-3', result: 'failed' });
  await lab.clock.stepUntil(() => lab.inService() === 3, 60_000);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2', 'news-web-4']);
});

test('in the mode scale-out-only a residue stays, and no boot takes its number', async () => {
  await using lab = startLab({ nodes: 2, rps: 100, mode: 'scale-out-only' });
  await lab.clock.stepUntil(() => lab.inService() === 2, 20_000);
  const { size } = lab.tier;
  lab.world.host(1).addDomain({ ...size, name: 'news-web-3', bornMs: 5 }, true);
  lab.world.domain(3)!.residue = true;
  await lab.clock.step(10_000);
  expect(lab.phase(3)).toBe('residue');
  lab.world.rps = 180;
  await lab.clock.stepUntil(() => lab.inService() === 3, 20_000);
  expect(lab.world.domains).toContain('news-web-4');
  expect(lab.world.callsOf('destroy')).toEqual([]);
});
