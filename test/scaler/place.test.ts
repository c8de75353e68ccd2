import { describe, expect, test } from 'vitest';
import type { HostSighting } from '../../src/scaler/observation.ts';
import { createPlacement, type Refusal } from '../../src/scaler/place.ts';
import { hostOf } from './world.ts';

const SIZE = { name: 'small', memoryMiB: 512, vcpus: 1, diskMiB: 4_096 };

function place(hosts: readonly HostSighting[], nodes: number, concurrentBoots = 16): string[] {
  const placement = createPlacement(hosts, concurrentBoots);
  return Array.from({ length: nodes }, () => {
    const taken = placement.take(SIZE);
    return 'host' in taken ? taken.host : 'none';
  });
}

describe('a host refuses', () => {
  test.each<[string, Partial<HostSighting>, Omit<Refusal, 'host'>]>([
    ['when it does not answer', { reachable: false }, { why: 'unreachable', free: undefined }],
    ['when its boots keep failing', { circuit: 'open' }, { why: 'breaker', free: undefined }],
    [
      'while its probe runs',
      { circuit: 'half-open', bootsInFlight: 1 },
      { why: 'breaker', free: undefined },
    ],
    ['when it boots as many as it may', { bootsInFlight: 4 }, { why: 'concurrent-boots', free: 0 }],
    ['for lack of memory', { freeMemoryMiB: 511 }, { why: 'memory', free: 511 }],
    ['for lack of vcpus', { freeVcpus: 0 }, { why: 'vcpus', free: 0 }],
    ['for lack of disk', { freeDiskMiB: 4_095 }, { why: 'disk', free: 4_095 }],
    [
      'for the first reason of several',
      { reachable: false, freeMemoryMiB: 0 },
      { why: 'unreachable', free: undefined },
    ],
  ])('%s', (_, changes, refusal) => {
    expect(createPlacement([hostOf('xen-a', changes)], 4).take(SIZE)).toEqual({
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
      'the one with most memory left comes first, and what was placed counts',
      [hostOf('xen-a', { freeMemoryMiB: 1_200 }), hostOf('xen-b', { freeMemoryMiB: 2_000 })],
      ['xen-b', 'xen-b', 'xen-a', 'xen-b', 'xen-a', 'none'],
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
    expect(place([hostOf('xen-a', { bootsInFlight: 1 }), hostOf('xen-b')], 4, 2)).toEqual([
      'xen-a',
      'xen-b',
      'xen-b',
      'none',
    ]);
  });

  test('no host at all refuses without a reason', () => {
    expect(createPlacement([], 4).take(SIZE)).toEqual({ refusals: [] });
  });
});
