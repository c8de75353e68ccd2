/** Leadership by a Lease, over HTTP. What it rests on is in elector.test.ts; with a real API server it is in test/kubernetes. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import { ConfigError } from '../../src/control/errors.ts';
import { createLeaseLeadership } from '../../src/leader/lease-leadership.ts';
import type { Contender, Standing } from '../../src/leader/standing.ts';
import { LeaseServer } from './lease-server.ts';

const PLACE = { namespace: 'rackfire', name: 'rackfire' };
/** So short that a test waits little, and the lease so long that a busy machine loses none. */
const TIMINGS = { leaseMs: 2_000, renewDeadlineMs: 1_800, retryMs: 100 };

interface Replica extends AsyncDisposable {
  readonly leadership: Contender;
  readonly standings: readonly Standing[];
  readonly troubles: readonly (string | undefined)[];
  /** Waits until this is so; it is looked at whenever something is told, and now and then. */
  until(isSo: () => boolean): Promise<void>;
}

function contend(): Replica {
  const standings: Standing[] = [];
  const troubles: (string | undefined)[] = [];
  const clock = createSystemClock();
  const leadership = createLeaseLeadership({
    ...PLACE,
    ...TIMINGS,
    clock,
    onChange: (standing) => standings.push(standing),
    onTrouble: (why) => troubles.push(why),
  });
  return {
    leadership,
    standings,
    troubles,
    until: async (isSo) => {
      const deadline = AbortSignal.timeout(20_000);
      while (!isSo()) {
        await clock.sleep(20, deadline);
      }
    },
    [Symbol.asyncDispose]: () => leadership.close(),
  };
}

const RELEASED = {
  metadata: {
    name: 'rackfire',
    namespace: 'rackfire',
    uid: 'u1',
    resourceVersion: '1',
    creationTimestamp: '2026-11-26T02:00:00Z',
    labels: { team: 'web' },
  },
  spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 7 },
};
const CREATED_AT_SECONDS = Date.parse(RELEASED.metadata.creationTimestamp) / 1_000;

test('a released lease is taken at once, by the next term; what others have written into it stays', async () => {
  await using server = await LeaseServer.start();
  server.lease = RELEASED;
  await using replica = contend();
  expect(await replica.leadership.started).toBe('follower');
  await replica.until(() => replica.leadership.term() !== undefined);
  const term = { createdAtSeconds: CREATED_AT_SECONDS, transitions: 8 };
  expect(replica.leadership.term()).toEqual(term);
  expect(server.lease).toMatchObject({
    metadata: { labels: { team: 'web' } },
    spec: { leaseDurationSeconds: 2, leaseTransitions: 8 },
  });
  const identity = server.lease.spec['holderIdentity'];
  expect(replica.leadership.holder()).toMatchObject({ identity, isOwn: true, term });
  const kinds = replica.standings.map(({ kind }) => kind);
  expect(kinds.slice(kinds.indexOf('leader'))).toEqual(['leader']);
  // Microseconds, as Kubernetes writes them.
  expect(server.lease.spec['renewTime']).toMatch(/^\d{4}-.*\.\d{6}Z$/);
});

test('of two replicas one leads; the other names it, and takes over when it leaves', async () => {
  await using server = await LeaseServer.start();
  server.lease = RELEASED;
  await using one = contend();
  await one.until(() => one.leadership.term() !== undefined);
  await using other = contend();
  const isTold = (): boolean =>
    other.standings.some((told) => told.kind === 'follower' && told.holder !== undefined);
  await other.until(isTold);
  expect(other.leadership.holder()).toMatchObject({ isOwn: false, term: { transitions: 8 } });
  expect(other.leadership.term()).toBeUndefined();

  await one.leadership.close();
  expect(one.leadership.term()).toBeUndefined();
  await other.until(() => other.leadership.term()?.transitions === 9);
  expect(server.lease.spec['leaseTransitions']).toBe(9);
});

describe('when the API server', () => {
  test('refuses, it is said in one line why, and once; and again when it does not any more', async () => {
    await using server = await LeaseServer.start();
    server.mood = { code: 403, message: 'leases is forbidden: User cannot get it' };
    await using replica = contend();
    await replica.until(() => server.asked.length > 3);
    expect(replica.troubles).toEqual(['403: leases is forbidden: User cannot get it']);
    expect(replica.leadership.trouble).toBe(replica.troubles[0]);
    server.lease = RELEASED;
    server.mood = 'well';
    await replica.until(() => replica.leadership.term() !== undefined);
    expect(replica.troubles.slice(1)).toEqual([undefined]);
  });

  test('lets it read and not write, that is said once, however often it reads', async () => {
    await using server = await LeaseServer.start();
    server.lease = RELEASED;
    server.mood = { code: 403, message: 'User cannot update it', onlyOf: 'PUT' };
    await using replica = contend();
    const count = (method: string): number => server.asked.filter((one) => one === method).length;
    await replica.until(() => count('PUT') > 2 && count('GET') > 2);
    expect(replica.troubles).toEqual(['403: User cannot update it']);
    // Another one leads, so nothing is wrong.
    server.edit({ spec: { holderIdentity: 'another', leaseDurationSeconds: 60 } });
    await replica.until(() => replica.leadership.trouble === undefined);
    expect(replica.troubles).toEqual(['403: User cannot update it', undefined]);
  });

  test('hangs, requests are given up, the leader stops by itself, and leads by another term after', async () => {
    await using server = await LeaseServer.start();
    server.lease = RELEASED;
    await using replica = contend();
    await replica.until(() => replica.leadership.term() !== undefined);
    server.mood = 'hangs';
    await replica.until(() => replica.leadership.term() === undefined);
    await replica.until(() => replica.standings.some(({ kind }) => kind === 'lost'));
    expect(replica.standings.find(({ kind }) => kind === 'lost')).toMatchObject({
      why: 'the lease could not be renewed in time',
    });
    await replica.until(() => server.abandoned > 1);
    expect(replica.leadership.trouble).toBe('the API server does not answer in time');
    server.mood = 'well';
    await replica.until(() => replica.leadership.term() !== undefined);
    expect(replica.leadership.term()?.transitions).toBe(9);
  });

  test('is not there when it ends, it ends all the same', async () => {
    const server = await LeaseServer.start();
    server.lease = RELEASED;
    const replica = contend();
    await replica.until(() => replica.leadership.term() !== undefined);
    await server[Symbol.asyncDispose]();
    await replica.leadership.close();
    expect(replica.leadership.term()).toBeUndefined();
  });
});

test('the lease is deleted: the leader stops, a new one is made, and led by a newer term a lease later', async () => {
  await using server = await LeaseServer.start();
  server.lease = RELEASED;
  await using replica = contend();
  await replica.until(() => replica.leadership.term() !== undefined);
  server.lease = undefined;
  await replica.until(() => replica.leadership.term() === undefined);
  expect(replica.standings.at(-1)?.kind === 'leader').toBe(false);
  await replica.until(() => replica.leadership.term() !== undefined);
  expect(replica.leadership.term()?.createdAtSeconds).toBeGreaterThan(CREATED_AT_SECONDS);
  expect(replica.standings.map((told) => (told.kind === 'lost' ? told.why : ''))).toContain(
    'the lease was deleted',
  );
});

test('somebody edits what is not the term: the leader leads on, and is not told twice of one reign', async () => {
  await using server = await LeaseServer.start();
  server.lease = RELEASED;
  await using replica = contend();
  await replica.until(() => replica.leadership.term() !== undefined);
  server.edit({ spec: { acquireTime: '2020-01-01T00:00:00.000000Z', leaseDurationSeconds: 40 } });
  await replica.until(() => server.lease?.spec['leaseDurationSeconds'] === 2);
  expect(replica.leadership.holder()?.sinceMs).toBe(Date.parse('2020-01-01T00:00:00Z'));
  const kinds = replica.standings.map(({ kind }) => kind);
  expect(kinds.slice(kinds.indexOf('leader'))).toEqual(['leader']);
});

test('it resigns: another one leads, and it does not take the lease back for two leases', async () => {
  await using server = await LeaseServer.start();
  server.lease = RELEASED;
  await using replica = contend();
  await replica.until(() => replica.leadership.term() !== undefined);
  const resignedAtMs = performance.now();
  replica.leadership.resign?.();
  expect(replica.leadership.term()).toBeUndefined();
  await replica.until(() => server.lease?.spec['holderIdentity'] === '');
  await replica.until(() => replica.leadership.term() !== undefined);
  expect(performance.now() - resignedAtMs).toBeGreaterThanOrEqual(2 * TIMINGS.leaseMs);
});

test('a mistake in a KUBECONFIG is told without the token that stands beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-kubeconfig-'));
  const file = join(folder, 'kubeconfig');
  await writeFile(
    file,
    'users:\n  - name: me\n    user: { token: SECRET-1 }\n   token: SECRET-2\n',
  );
  process.env['KUBECONFIG'] = file;
  const { leadership } = contend();
  try {
    const error = await leadership.started.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(inspect(error)).toContain('cannot be used');
    expect(inspect(error)).not.toContain('SECRET');
  } finally {
    delete process.env['KUBECONFIG'];
    await leadership.close();
    await rm(folder, { recursive: true });
  }
});

test.each([
  ['is not there', '/nowhere/kubeconfig', 'cannot be used: ENOENT'],
  ['says nothing', '/dev/null', 'cannot be used'],
])('a KUBECONFIG that %s is an error of the config, at the start', async (_, file, message) => {
  process.env['KUBECONFIG'] = file;
  const { leadership } = contend();
  try {
    await expect(leadership.started).rejects.toThrow(ConfigError);
    await expect(leadership.started).rejects.toThrow(message);
    expect(leadership.term()).toBeUndefined();
  } finally {
    delete process.env['KUBECONFIG'];
    await leadership.close();
  }
});
