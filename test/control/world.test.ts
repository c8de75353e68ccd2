import { describe, expect, test } from 'vitest';
import { BalancerWatch } from '../../src/control/balancer-watch.ts';
import { BootLedger } from '../../src/control/boots.ts';
import { InFlight } from '../../src/control/in-flight.ts';
import type { BackendReport, DomainReport, ServerReport } from '../../src/control/ports.ts';
import { ScheduleWatch } from '../../src/control/schedule-watch.ts';
import { WallWatch } from '../../src/control/wall-watch.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import { World } from '../../src/control/world.ts';
import type { Cluster, ScaledTier } from '../../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Sample } from '../../src/scaler/observation.ts';
import { type TierTick, tickTier } from '../../src/scaler/tick.ts';
import {
  bootAction,
  domainAction,
  makeFixedTier,
  makeTier,
  serverAction,
  TERM,
  uuidOf,
} from './site.ts';
import { TestClock } from './test-clock.ts';

const ROOM = { memoryMiB: 8_192, vcpus: 16, diskMiB: 65_536 };

/** A world of two hosts and one balancer, that the test tells what was seen. */
class Stage {
  readonly clock = new TestClock();
  readonly tier: ScaledTier = makeTier();
  readonly inFlight = new InFlight(() => this.world.forgetRoom());
  readonly boots = new BootLedger({ failures: 3, windowMs: 600_000, openMs: 300_000 });
  readonly sickBirths = new Map<string, number>();
  readonly wall = new WallWatch(this.clock);
  readonly overrides = new OverrideBook(this.clock, { record: () => undefined });
  readonly fixed = makeFixedTier();
  readonly clusters: readonly Cluster[] = [
    { name: 'news', mode: 'full', tiers: [this.fixed, this.tier] },
  ];
  /** Balancers whose last question has failed. */
  readonly failing = new Set<string>();
  /** Hosts that have not acknowledged the term in force. */
  readonly unfenced = new Set<string>();
  readonly world: World;

  constructor(balancers: readonly string[] = ['lb'], maxNodes = 10, tolerated = 0) {
    this.world = new World({
      clusters: this.clusters,
      hosts: ['host-a', 'host-b'].map((name) => ({
        name,
        staleAfterMs: 10_000,
        failureDomain: name === 'host-a' ? 'rack-1' : name,
      })),
      hostFailuresToTolerate: tolerated,
      balancers,
      balancerWatch: new BalancerWatch(),
      isFailing: (name) => this.failing.has(name),
      isFenced: (host) => !this.unfenced.has(host),
      maxNodes,
      concurrentBootsPerHost: 4,
      uuidOf,
      clock: this.clock,
      wall: this.wall,
      schedules: new ScheduleWatch(this.clock, undefined),
      inFlight: this.inFlight,
      boots: this.boots,
      sickBirths: this.sickBirths,
      remembered: new Map(),
      strangers: new Map(),
      overrides: this.overrides,
    });
  }

  exclude(balancer: string): void {
    const said = { reason: '', durationMs: 3_600_000 };
    this.overrides.give(undefined, { kind: 'exclude-balancer', balancer }, said);
  }

  seenAtMs(host?: string): number {
    return this.world.seenAtMs(host, this.clock.steadyMs());
  }

  seeHost(host: string, ...domains: readonly DomainReport[]): void {
    this.world.seeHost(host, { askedAtMs: this.clock.steadyMs(), value: { ...ROOM, domains } });
  }

  seeBalancer(
    backend: Partial<BackendReport> = {},
    name = 'lb',
    oldWorkers = false,
    epoch = '1',
  ): void {
    const rate = { status: 'ok', value: 0 } as const;
    const report = { servers: [], requestRate: rate, servedRate: rate, queued: 0 };
    const slots = { usedSlots: 0, totalSlots: 0 };
    this.world.seeBalancer(name, {
      askedAtMs: this.clock.steadyMs(),
      value: {
        epoch,
        oldWorkers,
        backends: new Map([['news-web', { ...report, ...slots, ...backend }]]),
      },
    });
  }

  observe() {
    return this.world.observe(this.tier, TERM, this.clock.steadyMs());
  }

  host(name: string) {
    return this.observe().hosts.find((host) => host.name === name);
  }

  node(number: number): NodeSighting | undefined {
    return this.observe().nodes.find((node) => node.number === number);
  }

  phase(number: number): string | undefined {
    return deriveNodes(this.tier, this.observe()).find((node) => node.number === number)?.phase;
  }
}

function domainOf(name: string, rest: Partial<DomainReport> = {}): DomainReport {
  return {
    name,
    uuid: uuidOf(name),
    state: 'running',
    bornMs: 5,
    imageVersion: '1',
    memoryMiB: 512,
    vcpus: 1,
    diskMiB: 4_096,
    ...rest,
  };
}

function serverOf(number: number, rest: Partial<ServerReport> = {}): ServerReport {
  return {
    name: `news-web-${number}`,
    admin: 'ready',
    check: 'passed',
    sessions: 1,
    sinceChangeMs: 9_000,
    ...rest,
  };
}

test('room is what a host has, less its domains, less the boots there that it does not show yet', () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-1'));
  expect(stage.host('host-a')).toMatchObject({
    freeMemoryMiB: 7_680,
    freeVcpus: 15,
    freeDiskMiB: 61_440,
    startsInFlight: 0,
  });
  stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.host('host-a')).toMatchObject({
    freeMemoryMiB: 7_168,
    freeVcpus: 14,
    freeDiskMiB: 57_344,
    startsInFlight: 1,
  });
  expect(stage.host('host-b')).toMatchObject({ startsInFlight: 0 });
});

test('a wake is under way like a boot, and takes no room that is not held already', () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-3', { state: 'paused' }));
  stage.inFlight.start(stage.tier, { ...bootAction(3, 'host-a'), kind: 'wake', bornMs: 1 });
  expect(stage.host('host-a')).toMatchObject({ freeMemoryMiB: 7_680, startsInFlight: 1 });
});

test('a boot that its host shows already is in flight still, but its room is not counted twice', () => {
  const stage = new Stage();
  stage.seeHost('host-a');
  stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.observe().fleetRoom).toBe(9);
  stage.seeHost('host-a', domainOf('news-web-3', { state: 'being-made' }));
  expect(stage.host('host-a')).toMatchObject({ freeMemoryMiB: 7_680, startsInFlight: 1 });
  expect(stage.observe().fleetRoom).toBe(9);
});

test('within one tick, a boot that is started is seen by the next tier', () => {
  const stage = new Stage();
  stage.seeHost('host-a');
  expect(stage.host('host-a')?.freeMemoryMiB).toBe(8_192);
  const flight = stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.host('host-a')?.freeMemoryMiB).toBe(7_680);
  stage.inFlight.end(flight, stage.clock.steadyMs());
  stage.inFlight.settle(() => Number.POSITIVE_INFINITY);
  expect(stage.host('host-a')?.freeMemoryMiB).toBe(8_192);
});

test('the domains of fixed tiers, and strangers, count against their host and the fleet', () => {
  const stage = new Stage();
  const database = domainOf('news-db-1', { memoryMiB: 4_096, vcpus: 4, diskMiB: 40_960 });
  stage.seeHost('host-a', database, domainOf('somebody-else'));
  expect(stage.host('host-a')).toMatchObject({
    freeMemoryMiB: 8_192 - 4_096 - 512,
    freeVcpus: 11,
    freeDiskMiB: 65_536 - 40_960 - 4_096,
  });
  expect(stage.observe().fleetRoom).toBe(8);
  expect(stage.observe().nodes).toEqual([]);
  expect(stage.world.observeFixed(stage.fixed, stage.clock.steadyMs())).toEqual([
    { name: 'news-db-1', host: 'host-a', phase: 'in-service' },
  ]);
});

test('our name with another UUID is a conflict', () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-3', { uuid: 'a stranger' }));
  stage.seeBalancer({ servers: [serverOf(3)] });
  expect(stage.node(3)?.domains[0]?.mark).toBe('foreign');
  expect(stage.phase(3)).toBe('conflict');
});

test('our name on two hosts is a conflict, also while one of them does not answer', async () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-3'));
  await stage.clock.step(11_000);
  stage.seeHost('host-b', domainOf('news-web-3', { bornMs: 6 }));
  stage.seeBalancer({ servers: [serverOf(3)] });
  expect(stage.node(3)?.domains.map(({ host, fresh }) => [host, fresh])).toEqual([
    ['host-a', false],
    ['host-b', true],
  ]);
  expect(stage.phase(3)).toBe('conflict');
});

test.each(['news-web-03', 'news-web-0', 'news-web-17', 'news-web-1e1', 'news-web-', 'news-web'])(
  '%s is none of our names and blocks no number',
  (name) => {
    const stage = new Stage();
    stage.seeHost('host-a', domainOf(name, { uuid: 'a stranger' }));
    expect(stage.observe().nodes).toEqual([]);
  },
);

test('a host is fresh for 10 s after it was asked; then its nodes are unknown and it takes none', async () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-1'));
  await stage.clock.step(10_000);
  stage.seeBalancer({ servers: [serverOf(1, { admin: 'drain', sessions: 0 })] });
  expect([stage.phase(1), stage.host('host-a')?.reachable]).toEqual(['out-of-rotation', true]);
  await stage.clock.step(1);
  expect([stage.phase(1), stage.host('host-a')?.reachable]).toEqual(['unknown', false]);
  expect(stage.host('host-a')).toMatchObject({ everAnswered: true, freeMemoryMiB: 7_680 });
});

test('a host that never answered has no room and is said to have never answered', () => {
  const stage = new Stage();
  expect(stage.host('host-b')).toMatchObject({
    reachable: false,
    everAnswered: false,
    freeMemoryMiB: 0,
  });
});

test('a boot on a host that fell silent holds its number, and nobody waits for it', async () => {
  const stage = new Stage();
  stage.seeHost('host-a');
  stage.seeHost('host-b');
  stage.seeBalancer();
  const flight = stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.phase(3)).toBe('booting');
  stage.inFlight.end(flight, stage.clock.steadyMs());
  await stage.clock.step(10_001);
  stage.seeBalancer({ servers: [serverOf(3, { admin: 'drain', check: 'failed', sessions: 0 })] });
  expect(stage.phase(3)).toBe('unknown');
  stage.seeHost('host-a');
  expect(stage.phase(3)).toBe('booting');
});

test.each([
  { askedAgoMs: 3_000, answered: true },
  { askedAgoMs: 3_001, answered: false },
])('a server seen $askedAgoMs ms ago: answered is $answered', async ({ askedAgoMs, answered }) => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-1'));
  stage.seeBalancer({ servers: [serverOf(1)] });
  await stage.clock.step(askedAgoMs);
  expect(stage.node(1)?.servers).toMatchObject([{ balancer: 'lb', answered }]);
});

test('nodes are listed by number: those with a domain, a server out of maintenance, or a flight', () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-10'));
  stage.seeBalancer({
    servers: [serverOf(2), serverOf(4, { admin: 'maint' }), serverOf(7, { admin: 'drain' })],
  });
  stage.inFlight.start(stage.tier, serverAction('park', 9));
  expect(stage.observe().nodes.map(({ number, operation }) => [number, operation])).toEqual([
    [2, undefined],
    [7, undefined],
    [9, 'park'],
    [10, undefined],
  ]);
});

test('with two balancers, rates add up; one that is silent makes them partial', async () => {
  const stage = new Stage(['lb', 'lb-2']);
  const rate = (value: number): Sample<number> => ({ status: 'ok', value });
  stage.seeBalancer({ requestRate: rate(100), servedRate: rate(90), queued: 3 }, 'lb');
  expect(stage.observe().signals.requestRate).toMatchObject({ status: 'partial', value: 100 });
  stage.seeBalancer({ requestRate: rate(50), servedRate: rate(40), queued: 2 }, 'lb-2');
  expect(stage.observe().signals).toMatchObject({
    requestRate: { status: 'ok', value: 150 },
    queue: { status: 'ok', value: { requests: 5, servedRps: 130 } },
  });
  await stage.clock.step(4_000);
  stage.seeBalancer({ requestRate: rate(140) }, 'lb');
  // Its visitors may be among these by now.
  expect(stage.observe().signals.requestRate).toEqual({
    status: 'partial',
    value: 140,
    why: 'lb-2 does not answer',
  });
  expect(stage.observe()).toMatchObject({
    balancers: [
      { name: 'lb', answers: true },
      { name: 'lb-2', answers: false },
    ],
    balancersChangedAtMs: stage.clock.steadyMs(),
  });
});

test('of two balancers, a rise counts when the other has been asked again', async () => {
  const stage = new Stage(['lb', 'lb-2']);
  const rate = (value: number): Sample<number> => ({ status: 'ok', value });
  const rps = () => {
    const { requestRate } = stage.observe().signals;
    return requestRate.status === 'ok' ? requestRate.value : undefined;
  };
  stage.seeBalancer({ requestRate: rate(100) }, 'lb');
  stage.seeBalancer({ requestRate: rate(100) }, 'lb-2');
  await stage.clock.step(500);
  stage.seeBalancer({ requestRate: rate(150) }, 'lb-2');
  expect(rps()).toBe(200);
  await stage.clock.step(250);
  stage.seeBalancer({ requestRate: rate(200) }, 'lb-2');
  expect(rps()).toBe(200);
  await stage.clock.step(250);
  stage.seeBalancer({ requestRate: rate(100) }, 'lb');
  expect(rps()).toBe(300);
});

test('a single balancer has no other that its visitors could go to', async () => {
  const stage = new Stage();
  stage.seeBalancer();
  stage.observe();
  stage.failing.add('lb');
  await stage.clock.step(1_000);
  expect(stage.observe()).not.toHaveProperty('balancersChangedAtMs');
});

test.each<[string, (stage: Stage) => void]>([
  ['a question to one fails', (stage) => void stage.failing.add('lb-2')],
  ['one is reloaded', (stage) => stage.seeBalancer({}, 'lb-2', false, '2')],
  ['one is excluded', (stage) => stage.exclude('lb-2')],
])('the balancers that answer are others when %s', async (_, happen) => {
  const stage = new Stage(['lb', 'lb-2']);
  stage.seeBalancer({}, 'lb');
  stage.seeBalancer({}, 'lb-2');
  expect(stage.observe().balancersChangedAtMs).toBeUndefined();
  await stage.clock.step(4_000);
  stage.seeBalancer({}, 'lb');
  stage.seeBalancer({}, 'lb-2');
  expect(stage.observe().balancersChangedAtMs).toBeUndefined();
  happen(stage);
  const atMs = stage.clock.steadyMs();
  expect(stage.observe().balancersChangedAtMs).toBe(atMs);
  await stage.clock.step(1_000);
  expect(stage.observe().balancersChangedAtMs).toBe(atMs);
});

test('what an excluded balancer says of its traffic does not count, and its old workers only while it answers', async () => {
  const stage = new Stage(['lb', 'lb-2']);
  stage.seeBalancer({ requestRate: { status: 'ok', value: 100 } }, 'lb');
  stage.seeBalancer({ requestRate: { status: 'ok', value: 50 } }, 'lb-2', true);
  stage.exclude('lb-2');
  expect(stage.observe()).toMatchObject({
    signals: { requestRate: { status: 'ok', value: 100 } },
    oldWorkers: true,
  });
  stage.failing.add('lb-2');
  expect(stage.observe().oldWorkers).toBe(false);
});

test('old workers of any balancer count', () => {
  const stage = new Stage(['lb', 'lb-2']);
  stage.seeBalancer({}, 'lb', true);
  stage.seeBalancer({}, 'lb-2', false);
  expect(stage.observe().oldWorkers).toBe(true);
});

test('a flight of a tier counts for the one of the same name in another config, and for no other', () => {
  const stage = new Stage();
  stage.inFlight.start(makeTier({ maxNodes: 3 }), bootAction(3));
  stage.inFlight.start(makeTier({}, { name: 'cache' }), {
    ...bootAction(4),
    node: 'news-cache-4',
  });
  expect(stage.observe().nodes.map(({ number, operation }) => [number, operation])).toEqual([
    [3, 'boot'],
  ]);
});

test('a flight to a host that the config has no more is not waited for', async () => {
  const stage = new Stage();
  expect(stage.seenAtMs('host-c')).toBe(Number.NEGATIVE_INFINITY);
  stage.seeBalancer();
  expect(stage.seenAtMs('host-c')).toBe(stage.clock.steadyMs());
  expect(stage.seenAtMs('host-a')).toBe(Number.NEGATIVE_INFINITY);
});

test('a flight has been seen when the slowest source that shows it was asked', async () => {
  const stage = new Stage(['lb', 'lb-2']);
  expect(stage.seenAtMs()).toBe(Number.NEGATIVE_INFINITY);
  const startMs = stage.clock.steadyMs();
  stage.seeBalancer({}, 'lb');
  await stage.clock.step(10);
  stage.seeBalancer({}, 'lb-2');
  expect(stage.seenAtMs()).toBe(startMs);
  expect(stage.seenAtMs('host-a')).toBe(Number.NEGATIVE_INFINITY);
  await stage.clock.step(10);
  stage.seeBalancer({}, 'lb');
  stage.seeHost('host-a');
  expect(stage.seenAtMs('host-a')).toBe(startMs + 10);
});

test('a balancer that has gone silent is not waited for while another one answers', async () => {
  const stage = new Stage(['lb', 'lb-2']);
  stage.seeBalancer({}, 'lb');
  stage.seeBalancer({}, 'lb-2');
  await stage.clock.step(4_000);
  stage.seeBalancer({}, 'lb-2');
  expect(stage.seenAtMs()).toBe(stage.clock.steadyMs());
  await stage.clock.step(4_000);
  expect(stage.seenAtMs()).toBe(Number.NEGATIVE_INFINITY);
});

test('a node that was drained because it was sick leaves; the next tenant of its name does not', () => {
  const stage = new Stage();
  stage.seeHost('host-a', domainOf('news-web-1', { bornMs: 5 }));
  stage.seeBalancer();
  stage.sickBirths.set('news-web-1', 5);
  expect(stage.observe().nodes[0]?.leaving).toBe(true);
  stage.sickBirths.set('news-web-1', 4);
  expect(stage.observe().nodes[0]?.leaving).toBe(false);
});

test('after a jump of the wall clock, no node is as old as its birth says', () => {
  const stage = new Stage();
  const bornMs = stage.clock.wallMs() - 5_000;
  stage.seeHost('host-a', domainOf('news-web-1', { bornMs }));
  expect(stage.node(1)?.domains[0]?.ageMs).toBe(5_000);
  stage.clock.jumpWall(3_600_000);
  stage.wall.check();
  expect(stage.node(1)?.domains[0]?.ageMs).toBe(0);
});

/** Two nodes on two hosts, three servers in rotation, and time that passes second by second. */
class StrangerStage extends Stage {
  /** What a host shows. */
  readonly domains = new Map([
    ['host-a', [domainOf('news-web-1')]],
    ['host-b', [domainOf('news-web-2')]],
  ]);
  silentHost: string | undefined;
  server: Partial<ServerReport> = {};
  #memory: TierMemory = EMPTY_MEMORY;

  /** @returns The last tick. */
  async pass(seconds: number, rps = 160): Promise<TierTick> {
    let tick: TierTick | undefined;
    for (let second = 0; second < seconds; second += 1) {
      await this.clock.step(1_000);
      for (const [host, domains] of this.domains) {
        if (host !== this.silentHost) {
          this.seeHost(host, ...domains);
        }
      }
      this.seeBalancer({
        servers: [serverOf(1), serverOf(2), serverOf(3, this.server)],
        requestRate: { status: 'ok', value: rps },
      });
      tick = tickTier(this.tier, 'full', this.observe(), this.#memory);
      this.#memory = tick.memory;
    }
    return tick!;
  }
}

test('what answers in a node’s place for 15 s, and no host shows it, is a conflict', async () => {
  const stage = new StrangerStage();
  await stage.pass(16);
  expect([stage.node(3)?.strangerForMs, stage.phase(3)]).toEqual([15_000, 'unknown']);
  await stage.pass(1);
  expect([stage.node(3)?.strangerForMs, stage.phase(3)]).toEqual([16_000, 'conflict']);
});

test('a node that died a moment ago is no stranger, though its check has not failed yet', async () => {
  const stage = new StrangerStage();
  stage.domains.set('host-a', [domainOf('news-web-1'), domainOf('news-web-3')]);
  await stage.pass(60);
  expect(stage.node(3)?.strangerForMs).toBeUndefined();
  stage.domains.set('host-a', [domainOf('news-web-1')]);
  await stage.pass(4);
  expect([stage.node(3)?.strangerForMs, stage.phase(3)]).toEqual([3_000, 'unknown']);
  stage.server = { check: 'failed' };
  await stage.pass(60);
  expect([stage.node(3)?.strangerForMs, stage.phase(3)]).toEqual([undefined, 'absent']);
});

test('what has stopped to answer and answers again is waited for from the beginning', async () => {
  const stage = new StrangerStage();
  await stage.pass(10);
  stage.server = { check: 'failed' };
  await stage.pass(1);
  stage.server = {};
  await stage.pass(10);
  expect(stage.node(3)?.strangerForMs).toBe(9_000);
});

test.each<[string, Partial<ServerReport>]>([
  ['out of rotation', { admin: 'drain' }],
  ['in maintenance', { admin: 'maint', check: 'pending' }],
  ['in rotation, not yet checked', { check: 'pending' }],
])('a server %s answers for nobody', async (_, server) => {
  const stage = new StrangerStage();
  stage.server = server;
  await stage.pass(30);
  expect(stage.node(3)?.strangerForMs).toBeUndefined();
});

test('while a host is silent nobody is called a stranger: it may be a node there', async () => {
  const stage = new StrangerStage();
  stage.silentHost = 'host-b';
  await stage.pass(60);
  expect(stage.phase(3)).toBe('unknown');
  stage.silentHost = undefined;
  await stage.pass(15);
  expect(stage.phase(3)).toBe('unknown');
  await stage.pass(1);
  expect(stage.phase(3)).toBe('conflict');
});

test('time in which a host was silent does not count', async () => {
  const stage = new StrangerStage();
  await stage.pass(6);
  stage.silentHost = 'host-b';
  // It is stale after 10 s.
  await stage.pass(14);
  expect(stage.node(3)?.strangerForMs).toBe(15_000);
  stage.silentHost = undefined;
  await stage.pass(1);
  expect([stage.node(3)?.strangerForMs, stage.phase(3)]).toEqual([16_000, 'conflict']);
});

test('a stranger’s number is blocked, the next one boots, and nothing is done to its server', async () => {
  const stage = new StrangerStage();
  await stage.pass(20);
  const { actions, nodes } = await stage.pass(1, 300);
  expect(nodes.find(({ number }) => number === 3)?.phase).toBe('conflict');
  expect(actions.map(({ kind, node }) => `${kind} ${node}`)).toEqual([
    'boot news-web-4',
    'boot news-web-5',
  ]);
});

test('a stranger is no capacity, also when a host falls silent: no node goes for it', async () => {
  const stage = new StrangerStage();
  await stage.pass(60);
  expect(stage.phase(3)).toBe('conflict');
  stage.silentHost = 'host-b';
  for (let second = 0; second < 60; second += 1) {
    expect((await stage.pass(1)).actions).toEqual([]);
    expect(stage.phase(3)).toBe('conflict');
  }
});

describe('the base nodes of a host', () => {
  const size = { memoryMiB: 512, vcpus: 1, diskMiB: 4_096 };

  test('are the lowest numbers up to the minimum and all fixed ones, boots that are ordered included', () => {
    const stage = new Stage(['lb'], 10, 1);
    const database = domainOf('news-db-1', { memoryMiB: 4_096, vcpus: 4, diskMiB: 40_960 });
    stage.seeHost('host-a', domainOf('news-web-4'), domainOf('news-web-2'), database);
    stage.seeHost('host-b', domainOf('news-web-10'));
    const large = { memoryMiB: 4_096, vcpus: 4, diskMiB: 40_960, nodes: 1 };
    expect(stage.host('host-a')?.base).toEqual([large, { ...size, nodes: 2 }]);
    expect(stage.host('host-b')?.base).toEqual([]);
    stage.inFlight.start(stage.tier, bootAction(1, 'host-b'));
    stage.seeHost('host-b', domainOf('news-web-10'));
    expect(stage.host('host-a')?.base).toEqual([large, { ...size, nodes: 1 }]);
    expect(stage.host('host-b')?.base).toEqual([{ ...size, nodes: 1 }]);
  });

  test.each<[string, DomainReport]>([
    ['stops', domainOf('news-web-1', { state: 'stopping' })],
    ['is left over', domainOf('news-web-1', { state: 'residue', memoryMiB: 0 })],
    ['is somebody else’s', domainOf('news-web-1', { uuid: 'a stranger' })],
    ['is there twice', domainOf('news-web-5', { bornMs: 9 })],
  ])('do not include one that %s', (_, domain) => {
    const stage = new Stage(['lb'], 10, 1);
    stage.seeHost('host-a', domain);
    stage.seeHost('host-b', ...(domain.name === 'news-web-5' ? [domainOf('news-web-5')] : []));
    expect(stage.host('host-a')?.base).toEqual([]);
  });

  test('a saved one needs its memory when it is elsewhere', () => {
    const stage = new Stage(['lb'], 10, 1);
    stage.seeHost('host-a', domainOf('news-web-1', { state: 'saved', memoryMiB: 0, vcpus: 0 }));
    expect(stage.host('host-a')).toMatchObject({
      failureDomain: 'rack-1',
      freeMemoryMiB: 8_192,
      base: [{ ...size, nodes: 1 }],
    });
  });

  test('what was on a lost host has been lost already', async () => {
    const stage = new Stage(['lb'], 10, 1);
    stage.seeHost('host-a', domainOf('news-web-1'));
    await stage.clock.step(10_001);
    expect(stage.host('host-a')?.base).toEqual([]);
  });

  test('nobody counts them where no loss is provided for', () => {
    const stage = new Stage();
    stage.seeHost('host-a', domainOf('news-web-1'));
    expect(stage.host('host-a')?.base).toBeUndefined();
    expect(stage.observe().hostFailuresToTolerate).toBeUndefined();
  });
});

test('a saved node that is being woken takes its memory from the order on', () => {
  const stage = new Stage();
  const saved = domainOf('news-web-3', { state: 'saved', memoryMiB: 0, vcpus: 0 });
  stage.seeHost('host-a', saved);
  stage.inFlight.start(stage.tier, domainAction('wake', 3));
  expect(stage.host('host-a')).toMatchObject({ freeMemoryMiB: 7_680, freeVcpus: 15 });
  stage.seeHost('host-a', { ...saved, state: 'running', memoryMiB: 512, vcpus: 1 });
  expect(stage.host('host-a')).toMatchObject({ freeMemoryMiB: 7_680, freeVcpus: 15 });
});
