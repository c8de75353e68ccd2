import { describe, expect, test } from 'vitest';
import { adminOf, areOlderThan } from '../../../src/balancer/dataplane/readings.ts';
import { WorkerEpochs } from '../../../src/balancer/dataplane/worker-epoch.ts';
import { UnreachableError } from '../../../src/control/errors.ts';

describe('the state that was asked for', () => {
  test.each([
    // What the daemon makes of HAProxy's bits, in brackets, taken for hexadecimal.
    ['MAINT', 'maint', 'maint'], // [1], [5]
    ['MAINT (resolution)', 'maint', 'maint'], // [32]
    ['UP', 'ready', 'ready'], // [0], [4]
    ['UP 1/3', 'ready', 'ready'],
    ['no check', 'ready', 'ready'],
    ['DRAIN', 'drain', 'drain'], // [8]
    ['DRAIN', 'maint', 'drain'], // [12]
    ['DRAIN 1/2', 'maint', 'drain'],
    ['DRAIN (agent)', 'ready', 'ready'],
    ['DOWN', 'ready', 'ready'],
    ['DOWN', 'drain', 'drain'],
    ['DOWN', 'maint', 'drain'], // [12]
    ['DOWN 1/2', 'maint', 'drain'],
    ['NOLB', 'ready', 'ready'],
  ] as const)('status %s, admin_state %s: %s', (status, adminState, expected) => {
    expect(adminOf(status, adminState, 'web/n1')).toBe(expected);
  });

  test('is unknown where the daemon does not tell', () => {
    expect(() => adminOf('DOWN', undefined, 'web/n1')).toThrow(UnreachableError);
  });
});

describe('the epoch', () => {
  test.each([
    ['the same worker, a minute later', 60_000, 7, 160, true],
    ['a second is counted late', 1_000, 7, 100, true],
    ['a second is counted early', 1_000, 7, 102, true],
    ['another pid', 1_000, 8, 101, false],
    ['a new worker with the old pid', 1_000, 7, 0, false],
    ['the same after a silence, which is longer than it runs', 600_000, 7, 590, false],
    ['the wall clock was set forward', 1_000, 7, 4_000, true],
  ])('%s', (_, laterMs, pid, uptime, isSame) => {
    const epochs = new WorkerEpochs();
    const first = epochs.note({ pid: 7, uptime: 100, stopping: 0 }, 5_000_000);
    const second = epochs.note({ pid, uptime, stopping: 0 }, 5_000_000 + laterMs);
    expect(second.epoch === first.epoch).toBe(isSame);
    expect(second.uptimeMs).toBe(uptime * 1_000);
  });

  test.each([
    { uptime: 3 },
    { pid: 7 },
    { pid: 7, uptime: null },
    { pid: 7, uptime: 3, stopping: 1 },
  ])('is not told by %j', (state) => {
    expect(() => new WorkerEpochs().note(state, 0)).toThrow(UnreachableError);
  });
});

test.each([
  [4, 3_000, false],
  [5, 3_000, true],
  [undefined, 3_000, false],
])(
  'a backend that changed %s s ago, of a worker that runs for %i ms, is older: %s',
  (lastchg, uptimeMs, isOlder) => {
    const stats = lastchg === undefined ? {} : { lastchg };
    expect(areOlderThan([{ type: 'backend', name: 'web', stats }], uptimeMs)).toBe(isOlder);
    expect(areOlderThan([{ type: 'server', name: 'n1', stats: { lastchg: 999 } }], 0)).toBe(false);
  },
);
