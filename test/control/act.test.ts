import { expect, test } from 'vitest';
import { type Actuators, carryOut } from '../../src/control/act.ts';
import { PreconditionError, RefusedError, UnreachableError } from '../../src/control/errors.ts';
import type { Action } from '../../src/scaler/action.ts';
import { SimulatedWorld } from './simulated-world.ts';
import {
  bootAction,
  destroyAction,
  domainAction,
  makeTier,
  repairAction,
  serverAction,
  TERM,
  uuidOf,
} from './site.ts';
import { TestClock } from './test-clock.ts';

const BORN_MS = 7;

/** Node 3 runs on host-a, healthy for long, with its server drained. */
function setUp(balancers: readonly string[] = ['lb'], excluded: readonly string[] = []) {
  const clock = new TestClock();
  const tier = makeTier();
  const world = new SimulatedWorld(clock, tier, { balancers });
  world.host().addDomain({ ...tier.size, name: 'news-web-3', bornMs: BORN_MS }, true);
  for (const balancer of world.balancers) {
    balancer.set(3, 'drain');
  }
  const actuators: Actuators = {
    hypervisors: new Map(world.hosts.map((host) => [host.host, host])),
    balancers: world.balancers,
    excluded: new Set(excluded),
    leadership: world.lease,
    uuidOf,
    clock,
  };
  const stop = new AbortController();
  /** Only begins; time stands still. @returns `done`, or the error. */
  const begin = (action: Action): Promise<unknown> =>
    carryOut(tier, action, 99, actuators, stop.signal).then(
      () => 'done',
      (error: unknown) => error,
    );
  const run = async (action: Action): Promise<unknown> => {
    const outcome = begin(action);
    await clock.step(20_000);
    return await outcome;
  };
  return { clock, world, stop, begin, run };
}

test.each<{ action: Action; calls: readonly string[] }>([
  { action: serverAction('admit', 3), calls: ['lb ready news-web-3'] },
  { action: serverAction('warm', 3), calls: ['lb drain news-web-3'] },
  { action: serverAction('drain', 3), calls: ['lb drain news-web-3'] },
  { action: serverAction('park', 3), calls: ['lb maint news-web-3'] },
  { action: bootAction(4), calls: ['lb drain news-web-4', 'host-a create news-web-4'] },
  { action: domainAction('wake', 3), calls: ['host-a wake news-web-3', 'lb drain news-web-3'] },
  { action: domainAction('pause', 3), calls: ['lb maint news-web-3', 'host-a pause news-web-3'] },
  { action: destroyAction(3), calls: ['lb maint news-web-3', 'host-a destroy news-web-3'] },
  {
    action: destroyAction(3, { reason: 'boot-failed' }),
    calls: ['lb drain news-web-3', 'host-a destroy news-web-3', 'lb maint news-web-3'],
  },
])('$action.kind: $calls', async ({ action, calls }) => {
  const { world, run } = setUp();
  expect(await run(action)).toBe('done');
  expect(world.calls).toEqual(calls);
});

test('a boot gives its node all that was chosen, and its birth', async () => {
  const { world, run } = setUp();
  await run(bootAction(4, 'host-b'));
  expect(world.host(1).domains.get('news-web-4')).toMatchObject({
    uuid: 'uuid-of-news-web-4',
    bornMs: 99,
    memoryMiB: 512,
  });
});

const ALL_ACTIONS: readonly Action[] = [
  serverAction('admit', 3),
  serverAction('warm', 3),
  serverAction('drain', 3),
  serverAction('park', 3),
  bootAction(4),
  domainAction('wake', 3),
  domainAction('pause', 3),
  destroyAction(3),
];

test.each(ALL_ACTIONS)('$kind of a term that is over sends nothing', async (action) => {
  const { world, run } = setUp();
  world.lease.held = { ...TERM, transitions: 1 };
  expect(await run(action)).toBeInstanceOf(PreconditionError);
  expect(world.calls).toEqual([]);
});

test.each(ALL_ACTIONS)('$kind without any term sends nothing', async (action) => {
  const { world, run } = setUp();
  world.lease.held = undefined;
  expect(await run(action)).toBeInstanceOf(PreconditionError);
  expect(world.calls).toEqual([]);
});

test.each([bootAction(4), domainAction('wake', 3), domainAction('pause', 3), destroyAction(3)])(
  '$kind stops between its two steps when the term is lost there',
  async (action) => {
    const { world, begin, clock } = setUp();
    const outcome = begin(action);
    await clock.step(1);
    world.lease.held = undefined;
    await clock.step(1_000);
    expect(await outcome).toBeInstanceOf(PreconditionError);
    expect(world.calls).toHaveLength(1);
  },
);

test.each([bootAction(4), domainAction('wake', 3), destroyAction(3)])(
  '$kind stops between its two steps when it was given up there',
  async (action) => {
    const { world, begin, clock, stop } = setUp();
    const outcome = begin(action);
    await clock.step(1);
    stop.abort(new Error('given up'));
    await clock.step(1_000);
    expect(await outcome).toMatchObject({ message: 'given up' });
    expect(world.calls).toHaveLength(1);
  },
);

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'a balancer that is silent (%s) does not stop a boot',
  async (silent) => {
    const { world, run } = setUp();
    world.balancer.silent = silent;
    expect(await run(bootAction(4))).toBe('done');
    expect(world.domains).toEqual(['news-web-3', 'news-web-4']);
  },
);

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'a balancer that is silent (%s) stops everything that takes a domain away',
  async (silent) => {
    const { world, run } = setUp();
    world.balancer.silent = silent;
    expect(await run(destroyAction(3))).toBeInstanceOf(UnreachableError);
    expect(await run(domainAction('pause', 3))).toBeInstanceOf(UnreachableError);
    expect(world.domain(3)).toMatchObject({ stopping: false, paused: false });
  },
);

test('of two balancers, the one that answers is told even when the first does not', async () => {
  const { world, run } = setUp(['lb', 'lb-2']);
  world.balancer.silent = 'unreachable';
  expect(await run(serverAction('admit', 3))).toBeInstanceOf(UnreachableError);
  expect(world.balancers[1]?.admin(3)).toBe('ready');
});

test('of two balancers, both must say that a node is quiet', async () => {
  const { world, run } = setUp(['lb', 'lb-2']);
  world.balancers[1]?.held.set('news-web-3', 1);
  expect(await run(destroyAction(3))).toBeInstanceOf(PreconditionError);
  expect(world.callsOf('destroy')).toEqual([]);
});

test('one balancer alone is repaired', async () => {
  const { world, run } = setUp(['lb', 'lb-2']);
  world.balancer.set(3, 'ready');
  expect(await run(repairAction(3, 'lb-2', 'ready'))).toBe('done');
  expect(world.calls).toEqual(['lb-2 ready news-web-3']);
  world.domain(3)!.sickAtMs = 0;
  world.balancers[1]?.set(3, 'drain');
  expect(await run(repairAction(3, 'lb-2', 'ready'))).toBeInstanceOf(PreconditionError);
  expect(world.balancers[1]?.admin(3)).toBe('drain');
});

test.each(['unreachable', 'hang', 'deaf'] as const)(
  'an excluded balancer that is silent (%s) is told last, and stops nothing',
  async (silent) => {
    const { world, run } = setUp(['lb', 'lb-2'], ['lb']);
    world.balancer.silent = silent;
    expect(await run(destroyAction(3))).toBe('done');
    expect(world.calls).toEqual([
      'lb-2 maint news-web-3',
      'lb maint news-web-3',
      'host-a destroy news-web-3',
    ]);
  },
);

test('at an excluded balancer that answers nobody is cut off, and no check is waited for', async () => {
  const { world, run } = setUp(['lb', 'lb-2'], ['lb']);
  world.balancer.held.set('news-web-3', 1);
  expect(await run(destroyAction(3))).toBeInstanceOf(PreconditionError);
  expect(world.domains).toEqual(['news-web-3']);
  world.balancers[1]?.set(3, 'drain');
  world.balancer.declaredServers = 2;
  expect(await run(serverAction('admit', 3))).toBe('done');
});

test('sessions that came back since the plan stop a destruction, unless its deadline has passed', async () => {
  const { world, run } = setUp();
  world.balancer.held.set('news-web-3', 1);
  expect(await run(destroyAction(3))).toBeInstanceOf(PreconditionError);
  expect(world.domains).toEqual(['news-web-3']);
  expect(await run(destroyAction(3, { force: true }))).toBe('done');
  expect(world.domains).toEqual([]);
});

test('a node whose check has not passed is not admitted', async () => {
  const { world, run } = setUp();
  world.domain(3)!.sickAtMs = 0;
  expect(await run(serverAction('admit', 3))).toBeInstanceOf(PreconditionError);
  expect(world.balancer.admin(3)).toBe('drain');
});

test('the next tenant of a name is not hit', async () => {
  const { world, run } = setUp();
  world.host().addDomain({ ...makeTier().size, name: 'news-web-3', bornMs: 8 }, true);
  expect(await run(domainAction('pause', 3, 7))).toBeInstanceOf(PreconditionError);
  expect(await run(destroyAction(3))).toBe('done');
  expect(world.domains).toEqual(['news-web-3']);
});

test('a host that nobody knows refuses', async () => {
  const { run } = setUp();
  expect(await run(bootAction(4, 'host-z'))).toBeInstanceOf(RefusedError);
});

test.each(ALL_ACTIONS)('$kind carried out twice ends where once does', async (action) => {
  const once = setUp();
  await once.run(action);
  const twice = setUp();
  await twice.run(action);
  expect(await twice.run(action)).toBe('done');
  expect(twice.world.domains).toEqual(once.world.domains);
  for (const number of [3, 4]) {
    expect(twice.world.balancer.admin(number)).toBe(once.world.balancer.admin(number));
  }
});
