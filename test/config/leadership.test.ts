/** Which one of several Rackfires acts: by a lock or by a Lease, and which timings an election can have. */

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { problemsOf, withRootLines } from './minimal.ts';

function leadershipOf(lines: string) {
  return parseConfig(withRootLines(lines), 'rackfire.yaml').config.leadership;
}

test('by default it is a lock of this machine', () => {
  const lock = { driver: 'file', path: '/run/rackfire/leader' };
  expect(leadershipOf('limits: {}')).toEqual(lock);
  expect(leadershipOf('leadership: { path: /run/other }')).toEqual({ ...lock, path: '/run/other' });
});

test("a Lease has client-go's timings", () => {
  expect(leadershipOf('leadership: { driver: kubernetes }')).toEqual({
    driver: 'kubernetes',
    namespace: 'rackfire',
    name: 'rackfire',
    leaseMs: 15_000,
    renewDeadlineMs: 10_000,
    retryMs: 2_000,
  });
});

describe('it is refused', () => {
  const kubernetes = (more: string): string => `leadership: { driver: kubernetes, ${more} }`;
  test.each<[string, string, readonly string[]]>([
    [
      'with the path of a lock',
      kubernetes('path: /run/rackfire/leader'),
      ['6:35 leadership.path: has no meaning with `driver: kubernetes`; remove it'],
    ],
    [
      'with the name of a Lease for a lock',
      'leadership: { name: rackfire }',
      ['6:15 leadership.name: has no meaning with `driver: file`; remove it'],
    ],
    [
      'with a driver that there is not',
      'leadership: { driver: kubernets }',
      [
        '6:23 leadership.driver: expected `file` or `kubernetes`, got "kubernets"; did you mean `kubernetes`?',
      ],
    ],
    [
      'with a name that no object can have',
      kubernetes('namespace: -a'),
      [
        '6:46 leadership.namespace: expected a name of a-z, 0-9 and -, at most 63 characters, a letter or digit first and last, got "-a"',
      ],
    ],
    [
      'with a lease that is not whole seconds',
      kubernetes('leaseDuration: 10500ms'),
      ['6:50 leadership.leaseDuration: must be whole seconds, got 10500ms'],
    ],
    [
      'with a renew deadline as long as the lease',
      kubernetes('leaseDuration: 10s'),
      [
        '6:1 leadership.renewDeadline: must be shorter than the lease (leaseDuration: 10s), got 10s',
      ],
    ],
    [
      'with a retry period that leaves no second try',
      kubernetes('renewDeadline: 3s, retryPeriod: 2500ms'),
      [
        '6:67 leadership.retryPeriod: 1.2 times it must be shorter than renewDeadline (3s), got 2500ms',
      ],
    ],
    [
      'with a lease that is longer than followers wait',
      kubernetes('leaseDuration: 61s'),
      ['6:50 leadership.leaseDuration: must be at most 60s, got 61s'],
    ],
  ])('%s', (_, lines, problems) => {
    expect(problemsOf(withRootLines(lines))).toEqual(problems);
  });
});
