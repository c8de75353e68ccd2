/** What one process does as time passes, and as its file is meddled with. */

import { isNewer } from '../../src/scaler/term.ts';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/control/errors.ts';
import { createFileLeadership } from '../../src/leader/file-lock.ts';
import type { Standing } from '../../src/leader/standing.ts';
import { TestClock } from '../control/test-clock.ts';
import { Folder } from './contenders.ts';

/**
 * A leadership on a clock that the test steps. While it holds the lease, the test must not open the file:
 * that would give the lock away.
 */
function open(path: string, clock = new TestClock()) {
  const standings: Standing[] = [];
  const leadership = createFileLeadership({
    path,
    clock,
    onChange: (standing) => standings.push(standing),
  });
  return { leadership, clock, kinds: () => standings.map(({ kind }) => kind), standings };
}

test('the lease is held for 500 ms before it is acted on', async () => {
  await using folder = await Folder.create();
  const { leadership, clock, standings } = open(folder.file());
  await using leader = leadership;
  await clock.step(499);
  expect(leader.term()).toBeUndefined();
  expect(standings).toEqual([]);

  const tookAtMs = clock.wallMs() - 499;
  await clock.step(1);
  const term = { createdAtSeconds: Math.floor(tookAtMs / 1000), transitions: 0 };
  const holder = { pid: process.pid, hostName: hostname(), sinceMs: tookAtMs, term };
  expect(leader.term()).toEqual(term);
  expect(leader.holder()).toEqual(holder);
  expect(await leader.started).toBe('leader');
  await clock.step(10_000);
  expect(leader.term()).toEqual(term);
  expect(standings).toEqual([{ kind: 'leader', holder }]);
});

describe('when the file is deleted', () => {
  test('the term ends within 250 ms, also while nothing else runs', async () => {
    await using folder = await Folder.create();
    const { leadership, clock, kinds } = open(folder.file());
    await using leader = leadership;
    await clock.step(500);
    expect(leader.term()).toBeDefined();
    await rm(folder.file());
    await clock.step(250);
    expect(leader.term()).toBeUndefined();
    expect(leader.holder()).toBeUndefined();
    expect(kinds()).toEqual(['leader', 'lost']);
  });

  test('it is noticed within a second, also when nobody asks for the term', async () => {
    await using folder = await Folder.create();
    const { leadership, clock, kinds } = open(folder.file());
    await using leader = leadership;
    await clock.step(500);
    await rm(folder.file());
    await clock.step(1_000);
    expect(kinds()).toEqual(['leader', 'lost']);
    expect(leader.term()).toBeUndefined();
  });

  test('a new one is made, and led by 500 ms later, by a newer term even after the clock went back', async () => {
    await using folder = await Folder.create();
    const { leadership, clock, kinds } = open(folder.file());
    await using leader = leadership;
    await clock.step(500);
    const before = leader.term()!;
    clock.jumpWall(-3_600_000);
    await rm(folder.file());
    await clock.step(1_499);
    expect(leader.term()).toBeUndefined();
    await clock.step(1);
    const after = leader.term()!;
    expect(isNewer(after, before)).toBe(true);
    expect(isNewer(before, after)).toBe(false);
    expect(kinds()).toEqual(['leader', 'lost', 'leader']);
  });

  test('before it was acted on, it never is', async () => {
    await using folder = await Folder.create();
    const { leadership, clock, kinds } = open(folder.file());
    await using leader = leadership;
    const { sinceMs } = leader.holder()!;
    await rm(folder.file());
    await clock.step(999);
    expect(leader.term()).toBeUndefined();
    await clock.step(1);
    expect(leader.holder()?.sinceMs).toBe(sinceMs + 500);
    expect(leader.term()).toEqual(leader.holder()?.term);
    expect(kinds()).toEqual(['leader']);
  });
});

test('a foreign file in its place ends the term, is left alone and said once; when it is gone, we lead again', async () => {
  await using folder = await Folder.create();
  const { leadership, clock, kinds, standings } = open(folder.file());
  await using leader = leadership;
  await clock.step(500);
  await writeFile(folder.file('foreign'), 'precious');
  await rename(folder.file('foreign'), folder.file());
  await clock.step(20_000);
  expect(leader.term()).toBeUndefined();
  expect(kinds()).toEqual(['leader', 'lost', 'blocked']);
  const { error } = standings[2] as Extract<Standing, { kind: 'blocked' }>;
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toContain('not a lease file of Rackfire');

  await rm(folder.file());
  await clock.step(2_500);
  expect(leader.term()).toBeDefined();
  expect(kinds()).toEqual(['leader', 'lost', 'blocked', 'leader']);
});

test('a directory that goes and comes back is contended for again', async () => {
  await using folder = await Folder.create();
  await mkdir(folder.file('run'));
  const { leadership, clock, kinds } = open(folder.file('run/leader'));
  await using leader = leadership;
  await clock.step(500);
  await rm(folder.file('run'), { recursive: true });
  await clock.step(10_000);
  expect(leader.term()).toBeUndefined();
  await mkdir(folder.file('run'));
  await clock.step(2_500);
  expect(leader.term()).toBeDefined();
  expect(kinds()).toEqual(['leader', 'lost', 'blocked', 'leader']);
});

test('a process contends once for a file, by whatever name: a second try would give the lock away', async () => {
  await using folder = await Folder.create();
  await symlink(folder.path, folder.file('link'));
  const { leadership, clock } = open(folder.file());
  await using leader = leadership;
  expect(() => open(folder.file())).toThrow('contends for the lease file');
  expect(() => open(folder.file('link/leader'))).toThrow('contends for the lease file');
  await using other = open(folder.file('other')).leadership;
  await clock.step(500);
  expect(leader.term()).toBeDefined();
  expect(other.term()).toBeUndefined();

  await leader.close();
  await leader.close();
  const again = open(folder.file('link/leader'));
  await using next = again.leadership;
  await again.clock.step(500);
  expect(next.term()?.transitions).toBe(1);
});

test('closed, it leads no more and waits for nothing; a start that was not answered ends as follower', async () => {
  await using folder = await Folder.create();
  const { leadership, clock } = open(folder.file());
  await leadership.close();
  expect(await leadership.started).toBe('follower');
  const again = open(folder.file(), clock);
  await clock.step(500);
  expect(again.leadership.term()).toBeDefined();
  await again.leadership.close();
  expect(again.leadership.term()).toBeUndefined();
  expect(again.leadership.holder()).toBeUndefined();
  expect(clock.sleepers).toBe(0);
  expect(again.kinds()).toEqual(['leader']);
});
