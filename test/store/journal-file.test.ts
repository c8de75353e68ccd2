import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { JournalFile } from '../../src/store/journal-file.ts';
import {
  DamagedJournalError,
  ForeignFileError,
  NewerJournalError,
  UnusableJournalError,
} from '../../src/store/problems.ts';
import type { DecisionRecord, EventEntry } from '../../src/store/records.ts';
import { SampleChunk, sampleRow } from '../../src/store/tier-samples.ts';
import { DAY_MS, Place, tickOf, WALL_MS, WEB } from './rig.ts';

const GENEROUS = 2 ** 30;
const NOTHING = { decisions: [], events: [], chunks: [], running: [] };
const SETUP = JSON.stringify({ mode: 'full', tier: 'as the config has it' });
const ALWAYS = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

/** Long, and each a little different from the one before, as decisions are. */
function decisionOf(at: number, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  const { observation, memory, tick } = tickOf({ atMs: at });
  return {
    kind: 'decision',
    tier: WEB,
    atMs: WALL_MS + at,
    setup: SETUP,
    content: JSON.stringify({ observation, memory, tick }),
    ...changes,
  };
}

function eventOf(atMs: number, changes: Partial<EventEntry> = {}): EventEntry {
  return {
    kind: 'event',
    atMs,
    level: 'info',
    cluster: 'news',
    tier: 'web',
    msg: `at ${atMs}`,
    fields: '{}',
    ...changes,
  };
}

function chunkOf(startMs: number, seconds: number) {
  const chunk = new SampleChunk();
  for (let second = 0; second < seconds; second += 1) {
    chunk.add(sampleRow(tickOf(), startMs + second * 1_000));
  }
  return { tier: WEB, chunk: chunk.pack() };
}

function secondsOf(file: JournalFile): readonly number[] {
  return [...file.read.samples(WEB, ALWAYS).atMs].map((atMs) => (atMs - WALL_MS) / 1_000);
}

/** What an older or newer program, or another one, leaves behind. */
function makeDatabase(path: string, sql: string): Buffer {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return readFileSync(path);
}

/** As a kill leaves a database: what was done last is in its log alone. */
function leaveUnfinished(path: string, sql: string): readonly Buffer[] {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA wal_autocheckpoint = 0; ${sql}`);
  const files = [readFileSync(path), readFileSync(`${path}-wal`)];
  db.close();
  writeFileSync(path, files[0] ?? '');
  writeFileSync(`${path}-wal`, files[1] ?? '');
  return files;
}

describe('a file', () => {
  test('that is not there, or empty, is begun', async () => {
    await using place = new Place();

    const made = JournalFile.open(place.path, GENEROUS);
    made.close();
    writeFileSync(`${place.path}-2`, '');
    const filled = JournalFile.open(`${place.path}-2`, GENEROUS);
    filled.close();
    const found = JournalFile.open(place.path, GENEROUS);
    found.close();

    expect([made.isNew, filled.isNew, found.isNew]).toEqual([true, true, false]);
    expect(statSync(`${place.path}-2`).size).toBeGreaterThan(0);
  });

  test('needs no shared memory, and nobody else can use it meanwhile', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    file.write({ ...NOTHING, events: [eventOf(1)] });

    expect(existsSync(`${place.path}-shm`)).toBe(false);
    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(UnusableJournalError);
    expect(() => JournalFile.openToRead(place.path)).toThrow('another process holds the file');
    file.close();
    const reader = JournalFile.openToRead(place.path);
    expect(reader.read.events({ limit: 9 })).toEqual([eventOf(1)]);
    reader.close();
  });

  const theirs = 'CREATE TABLE notes (text)';
  const newer = 'PRAGMA application_id = 0x52636b66; PRAGMA user_version = 2';

  test.each([
    ['of a newer program', `${newer}; ${theirs}`, NewerJournalError],
    ['of another program', `PRAGMA application_id = 7; ${theirs}`, ForeignFileError],
    ['of another program that has no number', theirs, ForeignFileError],
    ['of another program, empty but for its number', 'PRAGMA application_id = 7', ForeignFileError],
    ['of another program, empty but for its version', 'PRAGMA user_version = 1', ForeignFileError],
  ])('%s is refused and left as it is', async (_situation, sql, refusal) => {
    await using place = new Place();
    const before = makeDatabase(place.path, sql);

    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(refusal);
    expect(() => JournalFile.openToRead(place.path)).toThrow(refusal);
    expect(readFileSync(place.path)).toEqual(before);
    expect(existsSync(`${place.path}-wal`)).toBe(false);
  });

  test('of a newer program that was killed is left as it is, with its log', async () => {
    await using place = new Place();
    makeDatabase(place.path, `PRAGMA journal_mode = WAL; ${newer}; ${theirs}`);
    const files = leaveUnfinished(place.path, "INSERT INTO notes VALUES ('of the last second')");

    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(NewerJournalError);

    expect([readFileSync(place.path), readFileSync(`${place.path}-wal`)]).toEqual(files);
  });

  test('of a newer program is refused, too, when only its log says so', async () => {
    await using place = new Place();
    JournalFile.open(place.path, GENEROUS).close();
    leaveUnfinished(place.path, 'PRAGMA user_version = 2');

    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(NewerJournalError);
  });

  test.each([
    ['that is no database', (path: string) => writeFileSync(path, 'x'.repeat(20_000))],
    ['that is cut off', (path: string) => truncateSync(path, 20_000)],
    ['that is cut off within its header', (path: string) => truncateSync(path, 60)],
    [
      'with garbage in its middle',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes.fill(0xa5, 8_192 * 3, bytes.length - 8_192);
        writeFileSync(path, bytes);
      },
    ],
  ])('%s is damaged', async (_situation, damage) => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const decisions = Array.from({ length: 100 }, (_, second) => decisionOf(second * 1_000));
    file.write({ ...NOTHING, decisions });
    file.close();
    damage(place.path);

    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(DamagedJournalError);
  });

  test('whose entries are not what was written is found damaged when they are read', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    file.write({ ...NOTHING, decisions: [decisionOf(0)] });
    file.close();
    makeDatabase(
      place.path,
      "UPDATE decisions SET content = CAST(substr(content, 1, 40) || x'ff' || substr(content, 42) AS BLOB)",
    );

    const damaged = JournalFile.open(place.path, GENEROUS);
    expect(() => damaged.read.decisionAt(WEB, WALL_MS)).toThrow(DamagedJournalError);
    damaged.close();
  });

  test('of ours that lacks a table is damaged', async () => {
    await using place = new Place();
    JournalFile.open(place.path, GENEROUS).close();
    makeDatabase(place.path, 'DROP TABLE decisions');

    expect(() => JournalFile.open(place.path, GENEROUS)).toThrow(DamagedJournalError);
  });

  test('that cannot be made, or is a directory, is unusable', async () => {
    await using place = new Place();

    expect(() => JournalFile.open(`${place.path}/journal.db`, GENEROUS)).toThrow(
      UnusableJournalError,
    );
    expect(() => JournalFile.open(place.directory, GENEROUS)).toThrow(UnusableJournalError);
  });
});

describe('decisions', () => {
  test('come back to the byte, however they depend on one another', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const written = Array.from({ length: 300 }, (_, index) =>
      decisionOf(index * 7_000, {
        // In the middle the config changes, and back; two tiers take turns.
        setup: index > 100 && index < 150 ? 'another' : SETUP,
        tier: index % 3 === 0 ? 'news/api' : WEB,
      }),
    );
    for (const decision of written) {
      file.write({ ...NOTHING, decisions: [decision] });
    }

    for (const tier of ['news/api', WEB]) {
      const own = written.filter((decision) => decision.tier === tier);
      expect(file.read.decisions(tier, { ...ALWAYS, limit: 1_000 })).toEqual(own.map(kept));
      for (const decision of own) {
        expect(file.read.decisionAt(tier, decision.atMs + 3)).toEqual(kept(decision));
      }
    }
    file.close();
  });

  test('are asked for by time', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const decisions = [0, 1_000, 1_000, 2_000].map((at, index) =>
      decisionOf(at, { content: `{"of":${index}}` }),
    );
    file.write({ ...NOTHING, decisions });
    const contents = (fromMs: number, untilMs: number, limit: number): readonly string[] =>
      file.read
        .decisions(WEB, { fromMs: WALL_MS + fromMs, untilMs: WALL_MS + untilMs, limit })
        .map(({ content }) => content);

    expect(file.read.decisionAt(WEB, WALL_MS - 1)).toBeUndefined();
    expect(file.read.decisionAt(WEB, WALL_MS + 1_999)?.content).toBe('{"of":2}');
    expect(file.read.decisionAt('news/other', WALL_MS)).toBeUndefined();
    expect(contents(1_000, 2_000, 9)).toEqual(['{"of":1}', '{"of":2}', '{"of":3}']);
    expect(contents(0, 2_000, 2)).toEqual(['{"of":2}', '{"of":3}']);
    file.close();
  });

  test('cost a fraction of what they say', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const decisions = Array.from({ length: 60 }, (_, minute) => decisionOf(minute * 60_000));
    file.write({ ...NOTHING, decisions });
    file.close();

    const db = new DatabaseSync(place.path, { readOnly: true });
    const { bytes } = db.prepare('SELECT avg(length(content)) AS bytes FROM decisions').get()!;
    db.close();
    expect(decisions[0]!.content.length).toBeGreaterThan(2_000);
    expect(bytes).toBeLessThan(150);
  });

  test('depend on a few others at most', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const decisions = Array.from({ length: 300 }, (_, second) => decisionOf(second * 1_000));
    file.write({ ...NOTHING, decisions });
    file.close();

    const db = new DatabaseSync(place.path, { readOnly: true });
    const depths = new Map<unknown, number>([[null, -1]]);
    for (const { id, base } of db.prepare('SELECT id, base FROM decisions ORDER BY id').all()) {
      depths.set(id, (depths.get(base) ?? Number.NaN) + 1);
    }
    db.close();
    expect(Math.max(...depths.values())).toBe(16);
  });

  test('of a restarted program go on in the same file', async () => {
    await using place = new Place();
    const written: DecisionRecord[] = [];
    for (let run = 0; run < 3; run += 1) {
      const file = JournalFile.open(place.path, GENEROUS);
      for (let second = 0; second < 20; second += 1) {
        written.push(decisionOf(run * 60_000 + second * 1_000));
        file.write({ ...NOTHING, decisions: written.slice(-1) });
      }
      file.close();
    }

    const reader = JournalFile.openToRead(place.path);
    expect(reader.read.decisions(WEB, { ...ALWAYS, limit: 99 })).toEqual(written.map(kept));
    reader.close();
  });
});

function kept({ atMs, setup, content }: DecisionRecord) {
  return { atMs, setup, content };
}

describe('a write that fails', () => {
  test('leaves nothing of it, and what follows depends on nothing of it', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const broken = { ...eventOf(1), msg: undefined as unknown as string };
    const good = [decisionOf(2_000), decisionOf(3_000, { tier: 'news/new' })];

    expect(() =>
      file.write({
        ...NOTHING,
        decisions: [decisionOf(1_000, { tier: 'news/new' })],
        events: [broken],
      }),
    ).toThrow();
    file.write({ ...NOTHING, decisions: good });

    expect(file.read.decisionAt('news/new', WALL_MS + 2_999)).toBeUndefined();
    expect(file.read.decisionAt('news/new', WALL_MS + 3_000)).toEqual(kept(good[1]!));
    file.close();
  });
});

describe('samples', () => {
  test('that still grow are there, and stay when the program ends before they are full', async () => {
    await using place = new Place();
    const first = JournalFile.open(place.path, GENEROUS);
    first.write({ ...NOTHING, running: [chunkOf(WALL_MS, 10)] });
    first.write({ ...NOTHING, running: [chunkOf(WALL_MS, 20)] });
    expect(secondsOf(first)).toEqual(Array.from({ length: 20 }, (_, second) => second));
    first.close();

    const second = JournalFile.open(place.path, GENEROUS);
    second.finishChunks();
    second.write({ ...NOTHING, running: [chunkOf(WALL_MS + 30_000, 2)] });
    second.write({ ...NOTHING, chunks: [chunkOf(WALL_MS + 30_000, 3)] });

    expect(secondsOf(second)).toEqual([...Array.from({ length: 20 }).keys(), 30, 31, 32]);
    second.close();
  });

  test('of the time asked for are all there, in their order', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const chunks = [0, 240, 480, 720].map((second) => chunkOf(WALL_MS + second * 1_000, 240));
    file.write({ ...NOTHING, chunks });

    const range = { fromMs: WALL_MS + 100_000, untilMs: WALL_MS + 500_000 };
    const { atMs } = file.read.samples(WEB, range);

    expect([...atMs]).toEqual(Array.from({ length: 401 }, (_, at) => range.fromMs + at * 1_000));
    expect(file.read.samples('news/other', range).atMs).toHaveLength(0);
    file.close();
  });
});

describe('events', () => {
  test('are asked for by time, cluster and tier; of many, the latest', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const shop = { cluster: 'shop', tier: 'web' };
    const none = { cluster: null, tier: null };
    const events = [eventOf(1), eventOf(2, shop), eventOf(3, none), eventOf(4, { tier: 'api' })];
    file.write({ ...NOTHING, events });
    const times = (query: Parameters<typeof file.read.events>[0]): readonly number[] =>
      file.read.events(query).map(({ atMs }) => atMs);

    expect(file.read.events({ limit: 9 })).toEqual(events);
    expect(times({ limit: 2 })).toEqual([3, 4]);
    expect(times({ limit: 9, sinceMs: 2, untilMs: 3 })).toEqual([2, 3]);
    expect(times({ limit: 9, cluster: 'news' })).toEqual([1, 4]);
    expect(times({ limit: 9, tier: 'web' })).toEqual([1, 2]);
    expect(times({ limit: 9, cluster: 'news', tier: 'web' })).toEqual([1]);
    file.close();
  });
});

describe('overrides', () => {
  test('are kept in the order in which they were given, changed and deleted by id', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const entries = ['o2', 'o10', 'o1'].map((id) => ({ id, expiresAtMs: WALL_MS, content: '{}' }));
    for (const entry of [...entries, entries[0]!]) {
      file.saveOverride(entry);
    }
    file.saveOverride({ ...entries[1]!, content: '{"changed":true}' });
    file.deleteOverride('o1');

    expect(file.read.overrides()).toEqual([
      entries[0],
      { ...entries[1], content: '{"changed":true}' },
    ]);
    file.close();
  });
});

describe('what is too old goes', () => {
  const limits = { retentionMs: 2 * DAY_MS, maxBytes: GENEROUS };

  test('and nothing younger, and nothing that others depend on', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const decisions = Array.from({ length: 200 }, (_, at) => decisionOf(at * 1_800_000));
    const events = decisions.map(({ atMs }) => eventOf(atMs));
    const chunks = decisions.map(({ atMs }) => chunkOf(atMs, 3));
    file.write({ ...NOTHING, decisions, events, chunks });
    const nowMs = decisions.at(-1)!.atMs;
    const oldestMs = nowMs - limits.retentionMs;

    file.prune({ ...limits, nowMs });

    const young = decisions.filter(({ atMs }) => atMs >= oldestMs);
    const rest = file.read.decisions(WEB, { ...ALWAYS, limit: 999 });
    expect(rest.slice(-young.length).map(({ atMs }) => atMs)).toEqual(
      young.map(({ atMs }) => atMs),
    );
    // One group of an hour may reach beyond it.
    expect(rest.length - young.length).toBeLessThanOrEqual(2);
    expect(file.read.events({ limit: 999 }).map(({ atMs }) => atMs)).toEqual(
      young.map(({ atMs }) => atMs),
    );
    const { atMs } = file.read.samples(WEB, ALWAYS);
    expect(Math.min(...atMs)).toBeGreaterThanOrEqual(oldestMs - 3_000);
    expect(atMs).toHaveLength(young.length * 3);
    file.close();
  });

  test('not all of it at once when there is much', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const events = Array.from({ length: 9_000 }, (_, at) => eventOf(WALL_MS + at));
    file.write({ ...NOTHING, events });
    const nowMs = WALL_MS + 9 * DAY_MS;

    file.prune({ ...limits, nowMs });
    expect(file.read.events({ limit: 9_999 })).toHaveLength(4_000);
    file.prune({ ...limits, nowMs });
    expect(file.read.events({ limit: 9_999 })).toHaveLength(0);
    file.close();
  });

  test('with a tier that is no more, its config and overrides long expired', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    file.write({ ...NOTHING, decisions: [decisionOf(0, { tier: 'news/gone', setup: 'gone' })] });
    file.saveOverride({ id: 'o1', expiresAtMs: WALL_MS, content: '{}' });
    file.write({ ...NOTHING, decisions: [decisionOf(3 * DAY_MS)] });

    file.prune({ ...limits, nowMs: WALL_MS + 3 * DAY_MS });

    expect(file.read.decisionAt('news/gone', WALL_MS + DAY_MS)).toBeUndefined();
    expect(file.read.overrides()).toEqual([]);
    // What goes on depends on nothing that went.
    const later = decisionOf(3 * DAY_MS + 1, { tier: 'news/gone', setup: 'gone' });
    file.write({ ...NOTHING, decisions: [later] });
    expect(file.read.decisionAt('news/gone', later.atMs)).toEqual(kept(later));
    file.close();
    const db = new DatabaseSync(place.path, { readOnly: true });
    expect(db.prepare('SELECT content FROM setups ORDER BY content').all()).toEqual([
      { content: 'gone' },
      { content: SETUP },
    ]);
    db.close();
  });

  test('when the clock was set back in between, too', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    const hour = 3_600_000;
    for (const at of [0, hour / 2, hour, hour / 4, hour / 2, hour, 9 * DAY_MS]) {
      file.write({ ...NOTHING, decisions: [decisionOf(at)] });
    }

    file.prune({ ...limits, nowMs: WALL_MS + 9 * DAY_MS });

    expect(file.read.decisions(WEB, { ...ALWAYS, limit: 9 })).toHaveLength(1);
    file.close();
  });
});

describe('a file that is too big', () => {
  test('becomes smaller, the oldest first, and stays within its bound', async () => {
    await using place = new Place();
    const maxBytes = 4 * 2 ** 20;
    const file = JournalFile.open(place.path, maxBytes);
    const limits = { retentionMs: 365 * DAY_MS, maxBytes };
    let minute = 0;
    let largest = 0;
    let isDone = true;
    for (; minute < 1_500; minute += 1) {
      const atMs = WALL_MS + minute * 60_000;
      file.write({
        ...NOTHING,
        decisions: [decisionOf(minute * 60_000)],
        events: [eventOf(atMs, { fields: JSON.stringify({ why: 'x'.repeat(3_000) }) })],
        chunks: minute % 4 === 0 ? [chunkOf(atMs, 60)] : [],
      });
      if (minute % 20 === 0 || !isDone) {
        isDone = file.prune({ ...limits, nowMs: atMs });
        largest = Math.max(largest, bytesOf(place.path));
      }
    }

    const [firstEvent] = file.read.events({ limit: 100_000 });
    const [firstDecision] = file.read.decisions(WEB, { ...ALWAYS, limit: 100_000 });
    const latestMs = WALL_MS + (minute - 1) * 60_000;
    expect(largest).toBeLessThanOrEqual(maxBytes);
    expect(largest).toBeGreaterThan(maxBytes / 2);
    expect(file.read.decisionAt(WEB, latestMs)?.atMs).toBe(latestMs);
    // All tables reach about as far back.
    expect(firstEvent!.atMs).toBeGreaterThan(WALL_MS + DAY_MS / 4);
    expect(firstDecision!.atMs).toBeGreaterThan(WALL_MS + DAY_MS / 4);
    file.close();
  });

  test('is cut down over several calls when its bound is lowered', async () => {
    await using place = new Place();
    const file = JournalFile.open(place.path, GENEROUS);
    for (let hour = 0; hour < 80; hour += 1) {
      const decisions = Array.from({ length: 60 }, (_, minute) =>
        decisionOf((hour * 60 + minute) * 60_000, { content: randomText(hour * 60 + minute) }),
      );
      file.write({ ...NOTHING, decisions });
    }
    const limits = {
      retentionMs: 365 * DAY_MS,
      maxBytes: 2 ** 20,
      nowMs: WALL_MS + 80 * 3_600_000,
    };
    const before = bytesOf(place.path);

    let calls = 1;
    while (!file.prune(limits)) {
      calls += 1;
    }
    file.prune(limits);
    file.close();

    expect(before).toBeGreaterThan(2 * 2 ** 20);
    expect(calls).toBeGreaterThan(5);
    expect(calls).toBeLessThan(200);
    expect(bytesOf(place.path)).toBeLessThanOrEqual(2 ** 20);
  });
});

/** The file with its log. */
function bytesOf(path: string): number {
  return ['', '-wal'].reduce(
    (total, suffix) => total + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

/** Some 300 digits that cannot be compressed much. */
function randomText(seed: number): string {
  let state = seed + 1;
  return Array.from({ length: 40 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state.toString(36);
  }).join('');
}
