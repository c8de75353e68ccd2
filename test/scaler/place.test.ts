import { describe, expect, test } from 'vitest';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { HostSighting } from '../../src/scaler/observation.ts';
import { createPlacement, type Placement, type Refusal } from '../../src/scaler/place.ts';
import { domainOf, hostOf, NOW_MS, observationOf, serverOf, sightingOf, webTier } from './world.ts';

/** Not needed for the minimum, and none of the base nodes. */
const SURGE = { isNeededForMinimum: false, joinsBase: false };

function placementOn(hosts: readonly HostSighting[], concurrentBootsPerHost: number): Placement {
  return createPlacement(observationOf({ hosts, concurrentBootsPerHost }), []);
}

const SIZE = { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 };

function place(hosts: readonly HostSighting[], nodes: number, concurrentBoots = 16): string[] {
  const placement = placementOn(hosts, concurrentBoots);
  return Array.from({ length: nodes }, () => {
    const taken = placement.take(SIZE, SURGE);
    return 'host' in taken ? taken.host : 'none';
  });
}

describe('a host refuses', () => {
  test.each<[string, Partial<HostSighting>, Omit<Refusal, 'host'>]>([
    ['when it does not answer', { reachable: false }, { why: 'unreachable', free: undefined }],
    [
      'while it may take orders of whoever led before',
      { fenced: false },
      { why: 'not-fenced', free: undefined },
    ],
    ['when its boots keep failing', { circuit: 'open' }, { why: 'breaker', free: undefined }],
    [
      'while its probe runs',
      { circuit: 'half-open', startsInFlight: 1 },
      { why: 'breaker', free: undefined },
    ],
    [
      'when it boots as many as it may',
      { startsInFlight: 4 },
      { why: 'concurrent-boots', free: 0 },
    ],
    ['for lack of memory', { freeMemoryMiB: 511 }, { why: 'memory', free: 511 }],
    ['for lack of vcpus', { freeVcpus: 0 }, { why: 'vcpus', free: 0 }],
    ['for lack of disk', { freeDiskMiB: 4_095 }, { why: 'disk', free: 4_095 }],
    [
      'for the first reason of several',
      { reachable: false, freeMemoryMiB: 0 },
      { why: 'unreachable', free: undefined },
    ],
  ])('%s', (_, changes, refusal) => {
    expect(placementOn([hostOf('xen-a', changes)], 4).take(SIZE, SURGE)).toEqual({
      refusals: [{ host: 'xen-a', ...refusal }],
    });
  });

  test('nothing that fits exactly', () => {
    expect(
      place([hostOf('xen-a', { freeMemoryMiB: 512, freeVcpus: 1, freeDiskMiB: 4_096 })], 2),
    ).toEqual(['xen-a', 'none']);
  });
});

describe('of those that take it', () => {
  test.each<[string, readonly HostSighting[], readonly string[]]>([
    [
      'of those with equally many nodes, the one with most memory left comes first',
      [hostOf('xen-a', { freeMemoryMiB: 1_200 }), hostOf('xen-b', { freeMemoryMiB: 2_000 })],
      ['xen-b', 'xen-a', 'xen-b', 'xen-a', 'xen-b', 'none'],
    ],
    [
      'equal ones come by name, so that plans repeat',
      [hostOf('xen-b'), hostOf('xen-a')],
      ['xen-a', 'xen-b', 'xen-a', 'xen-b'],
    ],
    [
      'one that failed lately comes last, however empty it is',
      [hostOf('xen-a', { recentFailures: 1 }), hostOf('xen-b', { freeMemoryMiB: 600 })],
      ['xen-b', 'xen-a', 'xen-a'],
    ],
    [
      'one whose breaker is half open takes one probe',
      [
        hostOf('xen-a', { circuit: 'half-open', freeMemoryMiB: 9_999 }),
        hostOf('xen-b', { freeMemoryMiB: 1_024 }),
      ],
      ['xen-a', 'xen-b', 'xen-b', 'none'],
    ],
  ])('%s', (_, hosts, placed) => {
    expect(place(hosts, placed.length)).toEqual(placed);
  });

  test('none boots more at once than it may', () => {
    expect(place([hostOf('xen-a', { startsInFlight: 1 }), hostOf('xen-b')], 4, 2)).toEqual([
      'xen-a',
      'xen-b',
      'xen-b',
      'none',
    ]);
  });

  test('no host at all refuses without a reason', () => {
    expect(placementOn([], 4).take(SIZE, SURGE)).toEqual({ refusals: [] });
  });
});

describe('nodes of one tier are spread', () => {
  test.each<[string, Partial<HostSighting>[], number[], string]>([
    ['over failure domains first', [{}, {}, { failureDomain: 'rack-2' }], [0, 1], 'xen-2'],
    [
      'then over hosts',
      [{ failureDomain: 'rack-1' }, { failureDomain: 'rack-1' }, { failureDomain: 'rack-2' }],
      [0, 2],
      'xen-1',
    ],
    ['but not to a host that failed lately', [{}, { recentFailures: 1 }], [0, 0], 'xen-0'],
    ['but not beyond what there is', [{}, { freeMemoryMiB: 500 }], [0, 0], 'xen-0'],
    ['before memory counts', [{ freeMemoryMiB: 99_999 }, {}], [0], 'xen-1'],
  ])('%s', (_, changes, nodesOn, expected) => {
    const hosts = changes.map((change, index) =>
      hostOf(`xen-${index}`, { failureDomain: 'rack-1', ...change }),
    );
    const placed = nodesOn.map((index, position) =>
      sightingOf(position + 1, [domainOf({ host: `xen-${index}` })], [serverOf()]),
    );
    const observation = observationOf({ hosts, nodes: placed });
    const nodes = deriveNodes(webTier(), observation);
    expect(createPlacement(observation, nodes).take(SIZE, SURGE)).toEqual({ host: expected });
  });

  test('what is on its way out counts no more', () => {
    const gone = sightingOf(1, [domainOf({ state: 'stopping' })], [serverOf({ admin: 'maint' })]);
    const observation = observationOf({ nodes: [gone] });
    const nodes = deriveNodes(webTier(), observation);
    expect(createPlacement(observation, nodes).take(SIZE, SURGE)).toEqual({ host: 'xen-a' });
  });
});

describe('a host that is to be drained', () => {
  const overrides = [
    { id: 'o1', kind: 'drain-host', host: 'xen-a', reason: 'new memory', untilMs: NOW_MS * 2 },
  ] as const;

  test('takes nothing, and says so', () => {
    const placement = createPlacement(observationOf({ hosts: [hostOf('xen-a')], overrides }), []);
    expect(placement.take(SIZE, SURGE)).toEqual({
      refusals: [{ host: 'xen-a', why: 'draining', free: undefined }],
    });
  });

  test('takes none of the nodes of a lost host either', () => {
    const one = { ...SIZE, nodes: 1 };
    const hosts = [
      hostOf('xen-a'),
      hostOf('xen-b', { base: [one] }),
      hostOf('xen-c', { freeMemoryMiB: 512 }),
    ];
    const placement = createPlacement(
      observationOf({ hosts, overrides, hostFailuresToTolerate: 1 }),
      [],
    );
    const taken = [1, 2].map(() => placement.take(SIZE, SURGE));
    expect(taken).toEqual([{ host: 'xen-b' }, { host: 'xen-b' }]);
  });
});

describe('when the loss of a host is provided for', () => {
  const base = (nodes: number) => [{ memoryMiB: 512, vcpus: 1, diskMiB: 4_096, nodes }];
  const hosts = (freeA: number, freeB: number) => [
    hostOf('xen-a', { freeMemoryMiB: freeA * 512, base: base(2) }),
    hostOf('xen-b', { freeMemoryMiB: freeB * 512, base: base(1) }),
  ];
  const on = (sightings: readonly HostSighting[], tolerated: 0 | 1) =>
    createPlacement(observationOf({ hosts: sightings, hostFailuresToTolerate: tolerated }), []);

  test('a surge node takes what the base of either host does not need', () => {
    const placement = on(hosts(2, 3), 1);
    const taken = [1, 2, 3].map(() => placement.take(SIZE, SURGE));
    expect(taken).toEqual([
      { host: 'xen-b' },
      { host: 'xen-a' },
      {
        refusals: [
          { host: 'xen-a', why: 'host-failure', free: undefined, uncovered: 'xen-b' },
          { host: 'xen-b', why: 'host-failure', free: undefined, uncovered: 'xen-a' },
        ],
      },
    ]);
  });

  test.each<[string, 0 | 1, boolean, Partial<HostSighting>]>([
    ['a node that is needed for the minimum', 1, true, {}],
    ['no host may be lost', 0, false, {}],
    ['the other host is lost already', 1, false, { reachable: false }],
  ])('that room is taken where %s', (_, tolerated, isNeededForMinimum, other) => {
    const [first, second] = hosts(1, 0);
    const placement = on([first!, { ...second!, ...other }], tolerated);
    expect(placement.take(SIZE, { ...SURGE, isNeededForMinimum })).toEqual({ host: 'xen-a' });
  });

  test('a saved node wakes under the same rule, and takes no disk', () => {
    const [first, second] = hosts(2, 2);
    const placement = on([{ ...first!, freeDiskMiB: 4_096 }, second!], 1);
    expect(placement.takeForWake('xen-a', SIZE, SURGE)).toBe(true);
    expect(placement.takeForWake('xen-a', SIZE, SURGE)).toBe(false);
    expect(placement.takeForWake('xen-b', SIZE, SURGE)).toBe(false);
    expect(placement.takeForWake('xen-c', SIZE, SURGE)).toBe(false);
  });

  test('a node whose number makes it a base node moves the base', () => {
    const [first, second] = hosts(2, 2);
    const placement = on([first!, second!], 1);
    // It takes the place of a base node of xen-a: xen-a then has one, xen-b two.
    const role = { isNeededForMinimum: false, joinsBase: true, leavesBaseOn: 'xen-a' };
    expect(placement.take(SIZE, role)).toEqual({ host: 'xen-a' });
    expect(placement.take(SIZE, role)).toEqual({
      refusals: [
        { host: 'xen-a', why: 'host-failure', free: undefined, uncovered: 'xen-b' },
        { host: 'xen-b', why: 'host-failure', free: undefined, uncovered: 'xen-b' },
      ],
    });
  });
});
