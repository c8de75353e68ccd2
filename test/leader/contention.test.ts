/** Who leads, between real processes on real files. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { takeLease } from '../../src/leader/lease-file.ts';
import { Contender, Folder } from './contenders.ts';

const hammer = fileURLToPath(new URL('./hammer.ts', import.meta.url));

/** A try each 2 s and half a second more; a busy machine adds what it takes to run a process at all. */
const TAKEOVER_MS = 10_000;

/** What can happen to a file that is in use. */
const losses: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  ['deleted', (path) => rm(path)],
  ['moved away', (path) => rename(path, `${path}.old`)],
];

// Side by side, as most of the time goes by in waiting; what is left is some thirty starts of Node at once.
describe.concurrent('of several processes', { timeout: 90_000 }, () => {
  test('the second does not lead, and names the first by its pid', async () => {
    await using folder = await Folder.create();
    await using first = new Contender();
    await using second = new Contender();
    await first.open(folder.file());
    const term = await first.leads();
    expect(term.transitions).toBe(0);
    expect(Math.abs(term.createdAtSeconds - Date.now() / 1000)).toBeLessThan(60);

    await second.open(folder.file());
    expect(await second.heard('started')).toMatchObject({
      as: 'follower',
      holder: { pid: first.pid, term },
    });
    await second.follows(first.pid);
    expect(second.reigns).toEqual([]);
    expect(first.reigns).toEqual([[expect.any(Number), Number.POSITIVE_INFINITY]]);
  });

  test('anybody can read the file while an idle process holds it, and nobody can begin to write', async () => {
    await using folder = await Folder.create();
    await using holder = new Contender();
    await holder.open(folder.file());
    await holder.leads();
    const script = `
    const { DatabaseSync } = require('node:sqlite');
    const other = new DatabaseSync(process.argv[1], { timeout: 0 });
    const { pid } = other.prepare('SELECT pid FROM lease').get();
    let code = 0;
    try { other.exec('BEGIN IMMEDIATE'); } catch (error) { code = error.errcode; }
    console.log(JSON.stringify({ pid, code }));`;
    const child = spawn(process.execPath, ['-e', script, folder.file()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(JSON.parse(line.toString())).toEqual({ pid: holder.pid, code: 5 });
  });

  test('when the leader is killed, a follower takes over within seconds, with a newer term', async () => {
    await using folder = await Folder.create();
    await using first = new Contender();
    await using second = new Contender();
    await first.open(folder.file());
    const { createdAtSeconds } = await first.leads();
    await second.open(folder.file());
    await second.follows(first.pid);

    await first.kill();
    const killedMs = performance.now();
    expect(await second.leads()).toEqual({ createdAtSeconds, transitions: 1 });
    expect(performance.now() - killedMs).toBeLessThan(TAKEOVER_MS);
  });

  test('when the leader closes, a follower takes over; the file stays, and with it the order of terms', async () => {
    await using folder = await Folder.create();
    await using first = new Contender();
    await using second = new Contender();
    await first.open(folder.file());
    const { createdAtSeconds } = await first.leads();
    await second.open(folder.file());
    await second.follows(first.pid);

    await first.close();
    const closedMs = performance.now();
    expect(await second.leads()).toEqual({ createdAtSeconds, transitions: 1 });
    expect(performance.now() - closedMs).toBeLessThan(TAKEOVER_MS);

    await second.close();
    await first.open(folder.file());
    expect(await first.leads()).toEqual({ createdAtSeconds, transitions: 2 });
    await first.kill();
    await using third = new Contender();
    await third.open(folder.file());
    expect(await third.leads()).toEqual({ createdAtSeconds, transitions: 3 });
  });

  test('of two that start at once exactly one leads, twenty times', async () => {
    await using folder = await Folder.create();
    await using one = new Contender();
    await using other = new Contender();
    const terms: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      await Promise.all([one.open(folder.file()), other.open(folder.file())]);
      const answers = await Promise.all([one.heard('started'), other.heard('started')]);
      // Nobody yet is possible, when each was in the other's way; two never are.
      expect(answers.filter(({ as }) => as === 'leader').length).toBeLessThan(2);
      const winner = await Promise.race([one, other].map((each) => each.leads().then(() => each)));
      const loser = winner === one ? other : one;
      await loser.follows(winner.pid);
      terms.push((await winner.leads()).transitions);
      expect(loser.reigns).toEqual([]);
      await loser.close();
      await winner.close();
    }
    expect(terms).toEqual(terms.toSorted((a, b) => a - b));
    expect(new Set(terms).size).toBe(20);
  });

  test.each(losses)(
    'a leader whose file is %s stops before another one begins, and then follows',
    async (_, lose) => {
      await using folder = await Folder.create();
      await using first = new Contender();
      await using second = new Contender();
      await first.open(folder.file());
      const term = await first.leads();
      // Ready to begin at once, while the first one does not know yet.
      await second.heard('ready');
      await lose(folder.file());
      await second.open(folder.file());
      const { createdAtSeconds } = await second.leads();
      expect(createdAtSeconds).toBeGreaterThanOrEqual(term.createdAtSeconds);

      await first.heard('standing', ({ standing }) => standing.kind === 'lost');
      await first.follows(second.pid);
      expect(first.reigns).toHaveLength(1);
      expect(second.reigns).toHaveLength(1);
      expect(first.reigns[0]?.[1]).toBeLessThan(second.reigns[0]?.[0] ?? 0);
    },
  );

  test('of three that take it and let it go a hundred times each no two ever have it', async () => {
    await using folder = await Folder.create();
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () => {
        const child = spawn(process.execPath, [hammer, folder.file(), '100'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        return text(child.stdout);
      }),
    );
    for (const output of outputs) {
      expect(JSON.parse(output)).toEqual({ taken: 100, together: 0, misnamed: 0, notNewer: 0 });
    }
  });
});

test('a reader in the way of the commit keeps the lease from being taken, and the old holder is named', async () => {
  await using folder = await Folder.create();
  const claim = { pid: process.pid, hostName: 'here', nowMs: 0, newestTerm: undefined };
  takeLease(folder.file(), { ...claim, pid: 1 }).lease?.release();
  // Of this process, as SQLite keeps its own connections apart just as it does processes.
  const reader = new DatabaseSync(folder.file(), { readOnly: true });
  reader.exec('BEGIN; SELECT * FROM lease');
  const { lease, holder } = takeLease(folder.file(), claim);
  reader.close();
  expect(lease).toBeUndefined();
  expect(holder).toMatchObject({ pid: 1, term: { transitions: 0 } });

  const later = takeLease(folder.file(), claim);
  later.lease?.release();
  expect(later.holder).toMatchObject({ pid: process.pid, term: { transitions: 1 } });
});

test('whoever is overtaken between writing its name and keeping the lock does not lead', async () => {
  await using folder = await Folder.create();
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its own `this` below
  const { exec } = DatabaseSync.prototype;
  let overtaker: string | undefined;
  DatabaseSync.prototype.exec = function execThenOvertake(this: DatabaseSync, sql) {
    exec.call(this, sql);
    if (sql === 'COMMIT') {
      // Another process slips in here, takes the lease and lets it go.
      overtaker = spawnSync(process.execPath, [hammer, folder.file(), '1']).stdout.toString();
    }
  };
  try {
    const claim = { pid: process.pid, hostName: 'here', nowMs: 0, newestTerm: undefined };
    const { lease, holder } = takeLease(folder.file(), claim);
    expect(JSON.parse(overtaker ?? '')).toMatchObject({ taken: 1, misnamed: 0 });
    expect(lease).toBeUndefined();
    expect(holder?.pid).not.toBe(process.pid);
    expect(holder?.term).toEqual({ createdAtSeconds: 0, transitions: 1 });
  } finally {
    DatabaseSync.prototype.exec = exec;
  }
});
