import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CapacityInput, measureCapacity, measureHeadroom } from '../../src/scaler/capacity.ts';
import type { HostSighting } from '../../src/scaler/observation.ts';
import { hostOf, NOW_MS } from './world.ts';

const SMALL = { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 };
const LARGE = { name: 'large', memoryMiB: 4_096, guestMemoryMiB: 4_096, vcpus: 4, diskMiB: 40_960 };
const base = (nodes: number) => [{ ...SMALL, nodes }];

function measure(
  hosts: readonly HostSighting[],
  changes: Partial<CapacityInput> = {},
): ReturnType<typeof measureCapacity> {
  return measureCapacity({
    hosts,
    overrides: [],
    sizes: [SMALL],
    hostFailuresToTolerate: 1,
    fleetRoom: 1_000,
    ...changes,
  });
}

/** A host with memory for so many small nodes, and so many of its own to be placed elsewhere. */
function roomFor(name: string, nodes: number, ofBase = 0, changes: Partial<HostSighting> = {}) {
  return hostOf(name, { freeMemoryMiB: nodes * 512, base: base(ofBase), ...changes });
}

describe('now', () => {
  test('each size is measured by itself, host by host', () => {
    const [small, large] = measure([hostOf('xen-a'), roomFor('xen-b', 3)], {
      sizes: [SMALL, LARGE],
      hostFailuresToTolerate: 0,
    });
    expect(small?.now).toEqual({
      nodes: 19,
      hosts: [
        { host: 'xen-a', nodes: 16 },
        { host: 'xen-b', nodes: 3 },
      ],
      next: {
        why: 'no-host',
        refusals: [
          { host: 'xen-a', why: 'memory', free: 0 },
          { host: 'xen-b', why: 'memory', free: 0 },
        ],
      },
    });
    expect(large?.now.hosts).toEqual([
      { host: 'xen-a', nodes: 1 },
      { host: 'xen-b', nodes: 0 },
    ]);
  });

  test.each<[string, readonly HostSighting[], Partial<CapacityInput>, number, string]>([
    [
      'what the base of a lost host needs is kept',
      [roomFor('a', 4, 2), roomFor('b', 4, 1)],
      {},
      5,
      'host-failure',
    ],
    [
      'nothing is kept where no loss is provided for',
      [roomFor('a', 4, 2), roomFor('b', 4, 1)],
      { hostFailuresToTolerate: 0 },
      8,
      'memory',
    ],
    [
      'a silent host takes none',
      [roomFor('a', 4, 0, { reachable: false }), roomFor('b', 4)],
      {},
      4,
      'unreachable',
    ],
    [
      'boots that fail or are under way pass',
      [roomFor('a', 4, 0, { circuit: 'open', startsInFlight: 9 })],
      {},
      4,
      'memory',
    ],
    [
      'a host that is to be drained takes none',
      [roomFor('a', 4), roomFor('b', 4)],
      { overrides: [{ id: 'o1', kind: 'drain-host', host: 'a', reason: '', untilMs: NOW_MS }] },
      4,
      'draining',
    ],
  ])('%s', (_, hosts, changes, nodes, why) => {
    const now = measure(hosts, changes)[0]?.now;
    expect([now?.nodes, now?.next.refusals[0]?.why]).toEqual([nodes, why]);
  });

  test('the limit of the installation stops it, too', () => {
    expect(measure([hostOf('a')], { fleetRoom: 3 })[0]?.now).toMatchObject({
      nodes: 3,
      next: { why: 'fleet-limit', refusals: [] },
    });
    expect(measure([hostOf('a')], { fleetRoom: -1 })[0]?.now.nodes).toBe(0);
  });
});

describe('with one host down', () => {
  test('the worst is told, after its base nodes have found their place', () => {
    const hosts = [roomFor('a', 2, 1), roomFor('b', 6, 2), roomFor('c', 3, 0)];
    expect(measure(hosts, { hostFailuresToTolerate: 0 })[0]?.oneHostDown).toMatchObject({
      host: 'b',
      isCovered: true,
      nodes: 3,
    });
  });

  test('where the base of a host fits nowhere else, nothing more does', () => {
    expect(measure([roomFor('a', 1, 0), roomFor('b', 0, 2)])[0]?.oneHostDown).toMatchObject({
      host: 'b',
      isCovered: false,
      nodes: 0,
    });
  });

  test('the only host that answers has no other', () => {
    expect(
      measure([roomFor('a', 1), roomFor('b', 1, 0, { reachable: false })])[0]?.oneHostDown,
    ).toBeUndefined();
  });
});

test('more room never means fewer nodes, and no host takes more than it has', () => {
  const room = fc.record({ free: fc.nat(12), ofBase: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(room, { minLength: 1, maxLength: 4 }), fc.nat(4), (rooms, more) => {
      const hostsWith = (extra: number) =>
        rooms.map(({ free, ofBase }, index) => roomFor(`xen-${index}`, free + extra, ofBase));
      const [now] = measure(hostsWith(0));
      const [later] = measure(hostsWith(more));
      expect(later!.now.nodes).toBeGreaterThanOrEqual(now!.now.nodes);
      now!.now.hosts.forEach(({ nodes }, index) => {
        expect(nodes).toBeLessThanOrEqual(rooms[index]!.free);
      });
    }),
    { numRuns: 500 },
  );
});

describe('in short', () => {
  const headroom = (hosts: readonly HostSighting[], tolerated = 1, most = 50) => {
    const input = { hosts, overrides: [], sizes: [SMALL], fleetRoom: 1_000 };
    return measureHeadroom({ ...input, hostFailuresToTolerate: tolerated }, most);
  };

  test('no more are looked for than asked', () => {
    const hosts = [roomFor('a', 16)];
    expect(headroom(hosts, 0).sizes).toEqual([{ size: SMALL, nodes: 16 }]);
    expect(headroom(hosts, 0, 7).sizes).toEqual([{ size: SMALL, nodes: 7 }]);
  });

  test.each<[string, readonly HostSighting[], number, boolean | undefined]>([
    ['each fits on the other', [roomFor('a', 4, 2), roomFor('b', 2, 4)], 1, true],
    ['one of the base nodes of b has no room', [roomFor('a', 3, 2), roomFor('b', 2, 4)], 1, false],
    ['nothing is provided for', [roomFor('a', 3, 2), roomFor('b', 2, 4)], 0, undefined],
    ['there is one host', [roomFor('a', 3, 2)], 1, undefined],
    [
      'the other one does not answer',
      [roomFor('a', 3, 2), roomFor('b', 0, 1, { reachable: false })],
      1,
      undefined,
    ],
  ])('the loss of a host: %s', (_, hosts, tolerated, expected) => {
    expect(headroom(hosts, tolerated).isLossCovered).toBe(expected);
  });
});
