/** Whatever befalls the file: appending goes on, it is said, and it heals by itself. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import { JournalFile } from '../../src/store/journal-file.ts';
import { settledAt } from '../scaler/world.ts';
import { Place, type Subject, tickOf, until, WALL_MS, WEB } from './rig.ts';

const GENEROUS = 2 ** 30;

/** A journal that is written and knows one event. */
async function written(place: Place, options?: Parameters<Place['open']>[0]): Promise<Subject> {
  const subject = place.open(options);
  await subject.hear('writing', undefined);
  subject.say('before');
  await until(
    () => subject.messages(),
    (messages) => messages.includes('before'),
  );
  return subject;
}

/** What is said from now on is kept. */
async function expectWriting(subject: Subject, msg = 'after'): Promise<void> {
  subject.say(msg);
  await until(
    () => subject.messages().catch((): readonly string[] => []),
    (messages) => messages.includes(msg),
  );
}

/** A journal as an earlier run has left it. */
function leave(path: string): void {
  const file = JournalFile.open(path, GENEROUS);
  const event = { kind: 'event', level: 'info', cluster: null, tier: null, fields: '{}' } as const;
  for (let at = 0; at < 300; at += 1) {
    const events = [{ ...event, atMs: WALL_MS - 1_000 + at, msg: `left ${at} ${'x'.repeat(400)}` }];
    file.write({ decisions: [], events, chunks: [], running: [] });
  }
  file.close();
}

function overwrite(path: string, from: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  closeSync(file);
}

/** The file and its log: nothing is left to mend it from. */
function ruin(path: string): void {
  truncateSync(path, 8_192);
  overwrite(`${path}-wal`, 0, 100_000);
}

describe('a file that disappears while it is written', () => {
  test('by deletion, with all that belongs to it: a new one is begun', async () => {
    await using place = new Place();
    const subject = await written(place);

    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(place.path + suffix, { force: true });
    }

    await subject.hear('writing', /^the file was deleted, a new one was begun$/);
    await expectWriting(subject);
    expect(await subject.messages()).toEqual(['after']);
    expect(statSync(place.path).size).toBeGreaterThan(0);
  });

  test('by deletion, its log left behind: the log is not taken for that of the new one', async () => {
    await using place = new Place();
    const subject = await written(place);

    rmSync(place.path);

    await subject.hear('writing', /^the file was deleted, a new one was begun$/);
    await expectWriting(subject);
    expect(await subject.messages()).toEqual(['after']);
  });

  test('by replacement with an older copy: it goes on in that', async () => {
    await using place = new Place();
    leave(`${place.path}.backup`);
    const subject = await written(place);

    renameSync(`${place.path}.backup`, place.path);

    await subject.hear('writing', /^the file was replaced by another one$/);
    await expectWriting(subject);
    const messages = await subject.messages();
    expect(messages).toHaveLength(301);
    expect(messages).not.toContain('before');
  });

  test('with its directory: it is failing until there is one again', async () => {
    await using place = new Place();
    const directory = `${place.directory}/deeper`;
    mkdirSync(directory);
    const subject = place.open({ path: `${directory}/journal.db` });
    await subject.hear('writing', undefined);

    rmSync(directory, { recursive: true });
    await subject.hear('failing', /unable to open/);
    mkdirSync(directory);

    await subject.hear('writing', /^the file was deleted, a new one was begun$/);
    await expectWriting(subject);
  });
});

describe('a file that somebody else damages while it is written', () => {
  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['its middle', (path) => overwrite(path, 8_192 * 3, 8_192 * 10)],
    ['its log, and it is cut off', ruin],
    ['all of it', (path) => truncateSync(path, 50)],
  ];

  test.each(damages)('%s: it is moved aside, and a new one is begun', async (_part, damage) => {
    await using place = new Place();
    leave(place.path);
    const subject = place.open();
    await subject.hear('writing', undefined);
    await expectWriting(subject, 'before');

    damage(place.path);

    await subject.hear(
      'writing',
      /^the file was damaged \(.+\) and moved to .+, a new one was begun$/,
    );
    await expectWriting(subject);
    expect(await subject.messages()).not.toContain('before');
    expect(existsSync(`${place.path}.corrupt`)).toBe(true);
  });

  test('its header: that is mended from the log, or else it is moved aside', async () => {
    await using place = new Place();
    leave(place.path);
    const subject = place.open();
    await expectWriting(subject, 'before');

    overwrite(place.path, 0, 100);

    await subject.hear('writing', /^somebody else has written|^the file was damaged/);
    await expectWriting(subject);
    const { length } = await subject.messages();
    expect([1, 302]).toContain(length);
  });

  test('without damage: it is looked at, and goes on', async () => {
    await using place = new Place();
    leave(place.path);
    const subject = place.open();
    await expectWriting(subject, 'before');

    overwrite(place.path, statSync(place.path).size, 1);

    await subject.hear('writing', /^somebody else has written to the file$/);
    await expectWriting(subject);
    expect(await subject.messages()).toHaveLength(302);
  });

  test('in an entry: that is found when it is read', async () => {
    await using place = new Place();
    const first = place.open();
    first.journal.appendTick(tickOf({}, settledAt(2)));
    await first.journal.close();
    const db = new DatabaseSync(place.path);
    db.exec("UPDATE decisions SET content = CAST('something else' AS BLOB)");
    db.close();

    const subject = place.open();
    await expect(subject.journal.decisionAt(WEB, WALL_MS)).rejects.toThrow(UnreachableError);
    await subject.hear('writing', /^the file was damaged \(an entry .+a new one was begun$/);
    await expectWriting(subject);
  });
});

describe('a file that is found damaged', () => {
  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['is no database', (path) => writeFileSync(path, 'nonsense '.repeat(5_000))],
    ['has garbage in its header', (path) => overwrite(path, 0, 100)],
    ['has garbage in its middle', (path) => overwrite(path, 8_192 * 3, 8_192 * 10)],
    ['is cut off', (path) => truncateSync(path, 8_192 * 5)],
  ];

  test.each(damages)(
    'because it %s is moved aside, and a new one is begun',
    async (_how, damage) => {
      await using place = new Place();
      leave(place.path);
      writeFileSync(`${place.path}.corrupt`, 'an earlier copy');
      writeFileSync(`${place.path}.corrupt-wal`, 'and its log');
      damage(place.path);
      const damaged = readFileSync(place.path);

      const subject = place.open();

      await subject.hear(
        'writing',
        /^the file was damaged \(.+\) and moved to .+, a new one was begun$/,
      );
      await expectWriting(subject);
      expect(await subject.messages()).toEqual(['after']);
      expect(readFileSync(`${place.path}.corrupt`)).toEqual(damaged);
      expect(existsSync(`${place.path}.corrupt-wal`)).toBe(false);
      expect(subject.healths).toHaveLength(1);
    },
  );

  test('in the middle of a large one is found while it is in use', async () => {
    await using place = new Place();
    leave(place.path);
    const db = new DatabaseSync(place.path);
    db.exec(`
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
      INSERT INTO samples (tier, start_ms, end_ms, count, columns)
        SELECT 1, n, n, 1, zeroblob(1300) FROM numbers
    `);
    db.close();
    overwrite(place.path, 10 * 2 ** 20, 2 ** 20);

    const subject = place.open();
    await subject.hear('writing', undefined);
    await subject.hear(
      'writing',
      /^the file was damaged \(.+\) and moved to .+, a new one was begun$/,
    );
    await expectWriting(subject);
    expect(await subject.messages()).toHaveLength(1);
  });

  test('again and again is not replaced for ever', async () => {
    await using place = new Place();
    // So soon is within 30 paces; a busy machine needs some of them.
    const subject = await written(place, { paceMs: 100 });

    ruin(place.path);
    await subject.hear('writing', /was damaged/);
    await expectWriting(subject, 'between');
    ruin(place.path);
    await subject.hear('failing', /^the file is damaged again/);

    await subject.hear('writing', /was damaged/, subject.healths.length);
    await expectWriting(subject);
  });
});

describe('a file that is not for this program', () => {
  test.each([
    [
      'a newer program',
      'PRAGMA application_id = 0x52636b66; PRAGMA user_version = 2',
      /a newer program has written it/,
    ],
    ['another program', 'PRAGMA user_version = 9', /it is a database of another program/],
  ])(
    'but for %s is refused and left as it is, until it is taken away',
    async (_whose, sql, why) => {
      await using place = new Place();
      const db = new DatabaseSync(place.path);
      db.exec(`${sql}; CREATE TABLE notes (text)`);
      db.close();
      const before = readFileSync(place.path);

      const subject = place.open();
      await subject.hear('refused', why);
      subject.say('unkept');
      await expect(subject.messages()).rejects.toThrow(why);
      await expect(subject.journal.loadOverrides()).rejects.toThrow(UnreachableError);

      expect(readFileSync(place.path)).toEqual(before);
      expect(existsSync(`${place.path}.corrupt`)).toBe(false);
      rmSync(place.path);
      await subject.hear('writing', undefined);
      await expectWriting(subject);
    },
  );

  test('nor a pipe, which would be waited for for ever', async () => {
    await using place = new Place();
    execFileSync('mkfifo', [place.path]);

    const subject = place.open();

    await subject.hear('failing', /^it is not a file$/);
    rmSync(place.path);
    await subject.hear('writing', undefined);
    expect(statSync(place.path).isFile()).toBe(true);
  });
});

test('a file that is a link is kept where it leads to', async () => {
  await using place = new Place();
  leave(`${place.directory}/real.db`);
  symlinkSync(`${place.directory}/real.db`, place.path);
  const subject = place.open();
  await subject.hear('writing', undefined);

  overwrite(`${place.directory}/real.db`, 8_192 * 3, 8_192 * 10);

  await subject.hear('writing', /was damaged/);
  expect(existsSync(`${place.directory}/real.db.corrupt`)).toBe(true);
  await expectWriting(subject);
});

test('a file that another process holds is waited for, and nothing that came meanwhile is lost', async () => {
  await using place = new Place();
  leave(place.path);
  const holder = new DatabaseSync(place.path);
  holder.exec('BEGIN EXCLUSIVE');

  const subject = place.open();
  await subject.hear('failing', /^another process holds the file$/);
  subject.say('meanwhile');
  // Some of these find that it is time for another try.
  for (let tries = 0; tries < 200; tries += 1) {
    await expect(subject.journal.loadOverrides()).rejects.toThrow(/another process/);
  }
  holder.exec('ROLLBACK');
  holder.close();

  await subject.hear('writing', undefined);
  await expectWriting(subject);
  expect((await subject.messages()).slice(-2)).toEqual(['meanwhile', 'after']);
  expect(subject.journal.health.droppedRecords).toBe(0);
});

test('a directory that may not be written to is failing while that lasts', async () => {
  await using place = new Place();
  const isRoot = process.getuid?.() === 0;
  chmodSync(place.directory, isRoot ? 0o755 : 0o500);
  // Root may write everywhere; nobody may not.
  await using program = new Program(place.path, [], isRoot ? 65_534 : undefined);

  await program.hear((line) => line.state === 'failing');
  expect(program.lines[0]?.why).toMatch(/unable to open/);
  chmodSync(place.directory, 0o777);

  await program.hear((line) => line.state === 'writing');
  await program.hear((line) => (line.kept ?? 0) > 0);
});

describe('a disk that is full', () => {
  test('is failing while that lasts; what it kept can be read; then it goes on', async (context) => {
    await using place = new Place();
    const disk = `${place.directory}/disk`;
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'rackfire-test', disk]);
    } catch {
      context.skip(
        'no file system can be mounted here; a limit of the process stands for it below',
      );
    }
    const subject = place.open({ path: `${disk}/journal.db` });
    try {
      await expectWriting(subject, 'before');
      writeFileSync(`${disk}/ballast`, '');
      expect(() => writeFileSync(`${disk}/ballast`, Buffer.alloc(2 ** 21))).toThrow(/ENOSPC/);
      const override = {
        id: 'o1',
        tier: WEB,
        word: { kind: 'hold', nodes: 3 },
        reason: 'x'.repeat(20_000),
        givenAtMs: WALL_MS,
        expiresAtMs: WALL_MS,
      } as const;
      await expect(subject.journal.saveOverride(override)).rejects.toThrow('the disk is full');
      await subject.hear('failing', /^the disk is full$/);
      subject.say('meanwhile', { text: 'x'.repeat(20_000) });
      expect(await subject.messages()).toEqual(['before']);

      rmSync(`${disk}/ballast`);

      await subject.hear('writing', undefined);
      await expectWriting(subject);
      expect(await subject.messages()).toEqual(['before', 'meanwhile', 'after']);
      expect(await subject.journal.loadOverrides()).toEqual([]);
      await subject.journal.saveOverride(override);
    } finally {
      await subject.journal.close();
      execFileSync('umount', [disk]);
    }
  });

  test('from the beginning is failing until there is room', async (context) => {
    await using place = new Place();
    const disk = `${place.directory}/disk`;
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rackfire-test', disk]);
    } catch {
      context.skip('no file system can be mounted here');
    }
    expect(() => writeFileSync(`${disk}/ballast`, Buffer.alloc(2 ** 21))).toThrow(/ENOSPC/);
    const subject = place.open({ path: `${disk}/journal.db` });
    try {
      await subject.hear('failing', /full|I\/O/);
      rmSync(`${disk}/ballast`);

      await expectWriting(subject);
    } finally {
      await subject.journal.close();
      execFileSync('umount', [disk]);
    }
  });

  test('by the limit of the process is failing while that lasts', async () => {
    await using place = new Place();
    await using program = new Program(place.path, ['--fsize=200000:unlimited']);

    await program.hear((line) => line.state === 'failing');
    const before = program.kept;
    execFileSync('prlimit', [`--pid=${program.pid}`, '--fsize=unlimited']);

    await program.hear((line) => line.state === 'writing', program.lines.length);
    await program.hear((line) => (line.kept ?? 0) > before);
    expect(program.kept).toBeGreaterThan(before);
  });
});

interface Line {
  readonly state?: string;
  readonly why?: string;
  readonly kept?: number;
}

/** `journal-program.ts` in a process of its own. */
class Program implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  #wake: () => void = () => undefined;

  constructor(path: string, limits: readonly string[] = [], uid?: number) {
    const program = [process.execPath, `${import.meta.dirname}/journal-program.ts`, path];
    const [command, ...args] = limits.length === 0 ? program : ['prlimit', ...limits, ...program];
    this.#child = spawn(command ?? '', args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(uid === undefined ? {} : { uid }),
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The last event that is kept for certain. */
  get kept(): number {
    return Math.max(0, ...this.lines.map(({ kept }) => kept ?? 0));
  }

  async hear(isHoped: (line: Line) => boolean, after = 0): Promise<void> {
    await until(
      () => this.lines,
      (lines) => lines.slice(after).some(isHoped),
    );
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

test('a kill at any moment costs nothing that was written', async () => {
  await using place = new Place();
  let before = 0;
  for (const round of [1, 2, 3, 4]) {
    await using program = new Program(place.path);
    await program.hear((line) => (line.kept ?? 0) >= 20 * round);
    await program.kill();

    expect(program.lines.filter(({ state }) => state !== undefined)).toEqual([
      { state: 'writing' },
    ]);
    const file = JournalFile.open(place.path, GENEROUS);
    const messages = file.read.events({ limit: 10_000 }).map(({ msg }) => Number(msg));
    file.close();
    const own = messages.slice(before);
    expect(own.length).toBeGreaterThanOrEqual(program.kept);
    expect(own).toEqual(Array.from({ length: own.length }, (_, index) => index + 1));
    before = messages.length;
  }
});

describe('the thread', () => {
  test('that dies is started again, and what came meanwhile is kept', async () => {
    await using place = new Place();
    const threads: Worker[] = [];
    const note = (worker: Worker): void => {
      threads.push(worker);
    };
    process.on('worker', note);
    try {
      const subject = await written(place);
      const [first] = threads;
      const ended = first?.terminate();
      await expect(subject.journal.events({ limit: 1 })).rejects.toThrow(UnreachableError);
      await ended;
      await subject.hear('failing', /^its thread has died/);
      subject.say('meanwhile');
      await expect(subject.journal.events({ limit: 1 })).rejects.toThrow(UnreachableError);

      await subject.hear('writing', undefined);
      await expectWriting(subject);
      expect(await subject.messages()).toEqual(['before', 'meanwhile', 'after']);
      expect(threads).toHaveLength(2);
    } finally {
      process.off('worker', note);
    }
  });

  test('whose disk hangs is said to, asks nobody to wait, and closes within its bounds', async () => {
    await using place = new Place();
    leave(place.path);
    // Whoever opens a file on which another process has a lease waits until that one gives it up.
    const lease = `
      $SIG{IO} = 'IGNORE'; open(my $file, '+<', $ARGV[0]) or die; fcntl($file, 1024, 1) or die "$!";
      print "held\\n"; $| = 1; sleep 40;
    `;
    const holder = spawn('perl', ['-e', `$| = 1; ${lease}`, place.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(holder.stdout, 'data');
      const subject = place.open();
      subject.say('unheard');
      const unanswered = expect(subject.journal.events({ limit: 1 })).rejects.toThrow(
        'does not answer in time',
      );

      await subject.hear('failing', /^its disk does not answer$/);
      await unanswered;
      const startMs = performance.now();
      await subject.journal.close();

      expect(performance.now() - startMs).toBeLessThan(10_000);
      expect(subject.journal.health).toMatchObject({
        state: 'failing',
        why: 'its disk hangs, and this process with it when it exits',
      });
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  });
});
