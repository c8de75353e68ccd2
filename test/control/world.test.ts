import { expect, test } from 'vitest';
import { BootLedger } from '../../src/control/boots.ts';
import { InFlight } from '../../src/control/in-flight.ts';
import type { BackendReport, DomainReport, ServerReport } from '../../src/control/ports.ts';
import { WallWatch } from '../../src/control/wall-watch.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import { World } from '../../src/control/world.ts';
import type { Cluster, ScaledTier } from '../../src/scaler/cluster.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Sample } from '../../src/scaler/observation.ts';
import { bootAction, makeFixedTier, makeTier, serverAction, TERM, uuidOf } from './site.ts';
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
  readonly fixed = makeFixedTier();
  readonly clusters: readonly Cluster[] = [
    { name: 'news', mode: 'full', tiers: [this.fixed, this.tier] },
  ];
  readonly world: World;

  constructor(balancers: readonly string[] = ['lb'], maxNodes = 10) {
    this.world = new World({
      clusters: this.clusters,
      hosts: ['host-a', 'host-b'],
      balancers,
      maxNodes,
      concurrentBootsPerHost: 4,
      uuidOf,
      clock: this.clock,
      wall: this.wall,
      inFlight: this.inFlight,
      boots: this.boots,
      sickBirths: this.sickBirths,
      strangers: new Map(),
      overrides: new OverrideBook(this.clock, { record: () => undefined }),
    });
  }

  seenAtMs(host?: string): number {
    return this.world.seenAtMs(host, this.clock.steadyMs());
  }

  seeHost(host: string, ...domains: readonly DomainReport[]): void {
    this.world.seeHost(host, { askedAtMs: this.clock.steadyMs(), value: { ...ROOM, domains } });
  }

  seeBalancer(backend: Partial<BackendReport> = {}, name = 'lb', oldWorkers = false): void {
    const rate = { status: 'ok', value: 0 } as const;
    const report = { servers: [], requestRate: rate, servedRate: rate, queued: 0 };
    const slots = { usedSlots: 0, totalSlots: 0 };
    this.world.seeBalancer(name, {
      askedAtMs: this.clock.steadyMs(),
      value: {
        epoch: '1',
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
    bootsInFlight: 0,
  });
  stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.host('host-a')).toMatchObject({
    freeMemoryMiB: 7_168,
    freeVcpus: 14,
    freeDiskMiB: 57_344,
    bootsInFlight: 1,
  });
  expect(stage.host('host-b')).toMatchObject({ bootsInFlight: 0 });
});

test('a boot that its host shows already is in flight still, but its room is not counted twice', () => {
  const stage = new Stage();
  stage.seeHost('host-a');
  stage.inFlight.start(stage.tier, bootAction(3, 'host-a'));
  expect(stage.observe().fleetRoom).toBe(9);
  stage.seeHost('host-a', domainOf('news-web-3', { state: 'being-made' }));
  expect(stage.host('host-a')).toMatchObject({ freeMemoryMiB: 7_680, bootsInFlight: 1 });
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
  stage.seeBalancer({ requestRate: rate(100) }, 'lb');
  expect(stage.observe().signals.requestRate).toMatchObject({ status: 'stale', value: 150 });
});

test('old workers of any balancer count', () => {
  const stage = new Stage(['lb', 'lb-2']);
  stage.seeBalancer({}, 'lb', true);
  stage.seeBalancer({}, 'lb-2', false);
  expect(stage.observe().oldWorkers).toBe(true);
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
