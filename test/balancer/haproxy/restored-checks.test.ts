import { expect, test } from 'vitest';
import { RestoredChecks } from '../../../src/balancer/haproxy/restored-checks.ts';
import type { BackendStats } from '../../../src/balancer/haproxy/stats.ts';

const young = { epoch: '2@2', uptimeMs: 1_000 };

function show(status: string): BackendStats {
  const server = {
    status,
    checkStatus: 'L7OK',
    sessions: 0,
    queued: 0,
    sessionLimit: 1,
    responsesTotal: 0,
  };
  const totals = { arrivalsTotal: 0, answersTotal: 0, failedTotal: 0 };
  return { queued: 0, ...totals, responseTimeMs: 0, servers: new Map([['w-1', server]]) };
}

test('a young worker that always showed DRAIN may have it from its file, until it is 5 s old', () => {
  const checks = new RestoredChecks();
  expect([...checks.note(young, 'web', show('DRAIN'))]).toEqual(['w-1']);
  expect([...checks.note({ ...young, uptimeMs: 4_000 }, 'web', show('DRAIN'))]).toEqual(['w-1']);
  expect([...checks.note({ ...young, uptimeMs: 5_000 }, 'web', show('DRAIN'))]).toEqual([]);
});

test.each(['MAINT', 'DRAIN 1/3', 'DOWN', 'UP 1/3'])(
  'who was seen in %s by this worker has been checked by it, but a later worker begins anew',
  (status) => {
    const checks = new RestoredChecks();
    checks.note(young, 'web', show(status));
    expect([...checks.note(young, 'web', show('DRAIN'))]).toEqual([]);
    expect([...checks.note({ ...young, epoch: '3@3' }, 'web', show('DRAIN'))]).toEqual(['w-1']);
  },
);
