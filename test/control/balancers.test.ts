import { expect, test } from 'vitest';
import type { Action } from '../../src/scaler/action.ts';
import { explain } from '../../src/scaler/explain.ts';
import { type Lab, startLab } from './lab.ts';

const PAIR = ['lb', 'lb-2'];
const SECOND = 1_000;
const MINUTE = 60_000;
/** Two and a half nodes, half of it at each. */
const TOTAL_RPS = 200;

/** An active pair with three nodes, settled. */
async function startPair(nodes = 3): Promise<Lab> {
  const lab = startLab({ balancers: PAIR, nodes, rps: TOTAL_RPS / 2 });
  await lab.clock.step(5 * SECOND);
  return lab;
}

function second(lab: Lab) {
  return lab.world.balancers[1]!;
}

function exclude(lab: Lab, balancer: string) {
  const said = { reason: 'new disk', durationMs: 60 * MINUTE };
  return lab.overrides.give(undefined, { kind: 'exclude-balancer', balancer }, said);
}

function sentences(lab: Lab): readonly string[] {
  const ticked = lab.controller.ticks.get('news/web')!;
  const formatTime = (atMs: number) => `${atMs}`;
  return explain({ ...ticked, formatTime }).steps.map(({ text }) => text);
}

function startedActions(lab: Lab): readonly Action[] {
  return lab.log.of('action-started').map(({ action }) => action);
}

test.each([0, 200, 400, 600, 800, 990])(
  'a balancer that dies %i ms after it was asked, its visitors at the other at once: no storm, and no calm',
  async (afterMs) => {
    await using lab = await startPair();
    await lab.clock.step(afterMs);
    lab.world.balancer.silent = 'unreachable';
    second(lab).rps = TOTAL_RPS;
    await lab.clock.step(2 * MINUTE);
    lab.world.balancer.silent = 'no';
    second(lab).rps = TOTAL_RPS / 2;
    await lab.clock.step(20 * SECOND);
    expect(lab.log.of('tier-ticked').map(({ tick }) => tick.decision.desiredNodes)).not.toContain(
      4,
    );
    expect(startedActions(lab)).toEqual([]);
    expect(lab.inService()).toBe(3);
  },
);

test('a balancer that dies, its visitors still on their way: what they were together before counts, and it is said', async () => {
  await using lab = await startPair();
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(4 * SECOND);
  expect(lab.controller.ticks.get('news/web')?.tick.decision).toMatchObject({
    needNodes: TOTAL_RPS / 80,
    signalsKnown: false,
    advice: [{ signal: 'request-rate', heldRps: TOTAL_RPS }, {}],
  });
  expect(sentences(lab)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^As far as is known \(lb does not answer\), 100 rps arrive\. Which balancers answer has changed .* ago, and the 200 rps from before count for now: at 80 rps per node they need 2\.5 nodes\./,
      ),
      'lb does not answer: no node is paused or destroyed before it does, or is excluded (rackfire balancer exclude lb).',
    ]),
  );
  // A window later they have settled wherever they are.
  await lab.clock.step(40 * SECOND);
  expect(lab.controller.ticks.get('news/web')?.tick.decision.needNodes).toBe(TOTAL_RPS / 2 / 80);
});

test('a storm while a balancer is dead is a storm', async () => {
  await using lab = await startPair();
  lab.world.balancer.silent = 'unreachable';
  second(lab).rps = 2 * TOTAL_RPS;
  await lab.clock.stepUntil(() => second(lab).ready.length === 5, 30 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(2);
});

test.each(['unreachable', 'hang'] as const)(
  'a drained node waits for a balancer that is silent (%s) until that is excluded, and not a moment longer',
  async (silent) => {
    await using lab = await startPair(4);
    second(lab).held.set('news-web-4', 1);
    await lab.clock.stepUntil(() => second(lab).admin(4) === 'drain', 2 * MINUTE);
    lab.world.balancer.silent = silent;
    second(lab).held.clear();
    await lab.clock.step(10 * MINUTE);
    expect(lab.world.callsOf('destroy')).toEqual([]);

    const { id } = exclude(lab, 'lb');
    await lab.clock.stepUntil(() => lab.world.callsOf('destroy').length > 0, 20 * SECOND);
    expect(lab.world.callsOf('destroy')).toEqual(['host-b destroy news-web-4']);
    expect(lab.controller.ticks.get('news/web')?.observation.overrides).toMatchObject([{ id }]);
    expect(sentences(lab)).toContainEqual(
      expect.stringMatching(
        /^Override o1 \(“new disk”, .*\) excludes lb: its signals do not count, and nothing waits for it\.$/,
      ),
    );
  },
);

test('an excluded balancer that answers is told what the others are told', async () => {
  await using lab = await startPair(4);
  exclude(lab, 'lb');
  await lab.clock.stepUntil(() => lab.world.domains.length === 3, 3 * MINUTE);
  expect(lab.world.balancer.admin(4)).toBe('maint');
  lab.world.balancer.set(2, 'maint');
  await lab.clock.stepUntil(() => lab.world.balancer.ready.length === 3, 10 * SECOND);
  expect(lab.world.calls.filter((call) => call.endsWith('news-web-2'))).toEqual([
    'lb drain news-web-2',
    'lb ready news-web-2',
  ]);
});

test.each([
  { admin: 'drain', calls: ['lb-2 ready news-web-2'] },
  { admin: 'maint', calls: ['lb-2 drain news-web-2', 'lb-2 ready news-web-2'] },
] as const)(
  'a server that somebody sets to $admin at the passive balancer is put right there, and nowhere else',
  async ({ admin, calls }) => {
    await using lab = startLab({ balancers: PAIR, nodes: 3, rps: 200 });
    second(lab).rps = 0;
    await lab.clock.step(5 * SECOND);
    second(lab).set(2, admin);
    await lab.clock.stepUntil(() => second(lab).ready.length === 3, 5 * SECOND);
    expect(lab.world.calls).toEqual(calls);
    await lab.clock.step(MINUTE);
    expect(lab.world.calls).toEqual(calls);
  },
);

test('nodes that came while a balancer was dead are in rotation there soon after it is back', async () => {
  await using lab = await startPair();
  second(lab).silent = 'unreachable';
  lab.world.rps = 2 * TOTAL_RPS;
  await lab.clock.stepUntil(() => lab.world.balancer.ready.length === 5, 30 * SECOND);
  lab.world.rps = TOTAL_RPS;
  second(lab).rps = TOTAL_RPS;
  second(lab).silent = 'no';
  await lab.clock.stepUntil(() => second(lab).ready.length === 5, 10 * SECOND);
  expect(lab.world.callsOf('destroy')).toEqual([]);
});

test('a Rackfire that starts while a balancer is back with old states puts those right before it takes anything away', async () => {
  await using lab = await startPair(4);
  await lab.stop();
  // Two are in rotation that are gone, two that serve are not, and one is too many.
  for (const [number, admin] of [
    [1, 'maint'],
    [2, 'drain'],
    [6, 'ready'],
    [7, 'ready'],
  ] as const) {
    second(lab).set(number, admin);
  }
  second(lab).believesUp.add('news-web-6').add('news-web-7');
  await lab.restart();
  await lab.clock.stepUntil(() => lab.world.domains.length === 3, 3 * MINUTE);
  const actions = startedActions(lab).map(({ kind, node }) => `${kind} ${node}`);
  expect(actions.slice(-2)).toEqual(['drain news-web-4', 'destroy news-web-4']);
  expect(actions.slice(0, -2).toSorted()).toEqual([
    'repair news-web-1',
    'repair news-web-1',
    'repair news-web-2',
    'repair news-web-6',
    'repair news-web-7',
  ]);
  expect(second(lab).ready).toEqual(lab.world.balancer.ready);
});
