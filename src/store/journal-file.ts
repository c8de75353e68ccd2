/** The journal as one SQLite file. Synchronous: it belongs into a thread of its own. */

import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { JournalReader } from './journal-reader.ts';
import { pack } from './packing.ts';
import { DamagedJournalError, readOpeningProblem } from './problems.ts';
import { type Limits, prune } from './prune.ts';
import type { DecisionRecord, EventEntry, OverrideEntry } from './records.ts';
import { integerOf, textOf } from './rows.ts';
import { createSchema, GROUP_MS, hasSchema, lookAt } from './schema.ts';
import type { PackedChunk } from './tier-samples.ts';

/** What is written at once: all of it or nothing. */
export interface Batch {
  readonly decisions: readonly DecisionRecord[];
  readonly events: readonly EventEntry[];
  /** Full chunks. */
  readonly chunks: readonly TierChunk[];
  /** Chunks that still grow; each takes the place of what was written of it before. */
  readonly running: readonly TierChunk[];
}

export interface TierChunk {
  /** `cluster/tier`. */
  readonly tier: string;
  readonly chunk: PackedChunk;
}

/** A decision as it was written, for the next ones to be packed against. */
interface Written {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** A key frame and the decisions of the same tier that depend on it. */
interface Group {
  readonly key: Written;
  readonly atMs: number;
  readonly setup: string;
  readonly packedBytes: number;
  latest: Written;
  count: number;
}

/** Somebody who looks into the file for a moment is waited for; whoever holds it is not. */
const BUSY_MS = 50;

const GROUP_DECISIONS = 128;
/**
 * A decision is packed against the one before, which it resembles most; every so often against the key frame,
 * so that whoever reads one unpacks no more than these.
 */
const CHAIN_DECISIONS = 16;
/** When so much differs from the key frame, another one begins: the next ones will differ, too. */
const LARGEST_SHARE = 0.5;

/** Read from a slow disk in a tenth of a second. */
const CHECKED_AT_ONCE_BYTES = 8 * 2 ** 20;
const PATROLLED = ['decisions', 'samples', 'events'] as const;
const PATROLLED_ROWS = 3_000;

/** Some five chunks of samples. */
const PAGE_BYTES = 8_192;
/** The write-ahead log is brought into the file when it has so many, or fewer when the whole is to be small. */
const CHECKPOINT_PAGES = 512;

/**
 * While it is open for writing, nobody else can use the file: SQLite needs no shared memory then, which would
 * end the whole process if somebody cut it off (SIGBUS).
 *
 * @see https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
 */
export class JournalFile {
  /** It was made, or found without anything in it. */
  readonly isNew: boolean;
  readonly read: JournalReader;
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #tierIds = new Map<string, number>();
  readonly #setupIds = new Map<string, number>();
  #patrol: { readonly table: (typeof PATROLLED)[number] | undefined; readonly afterId: number };
  /** The latest of each tier. */
  readonly #groups = new Map<string, Group>();

  private constructor(db: DatabaseSync, isNew: boolean) {
    this.#db = db;
    this.isNew = isNew;
    this.#sql = prepareStatements(db);
    this.#patrol = { table: PATROLLED[0], afterId: 0 };
    this.read = new JournalReader(db);
  }

  /**
   * Opens or makes the file, and checks it unless it is large: see `patrol`.
   *
   * @param maxBytes - What it may take with its siblings; see `prune`.
   * @throws NewerJournalError or ForeignFileError, the file left as it was. DamagedJournalError.
   * UnusableJournalError.
   */
  static open(path: string, maxBytes: number): JournalFile {
    return openWith(
      () => {
        lookAt(path);
        return new DatabaseSync(path, { timeout: BUSY_MS });
      },
      (db) => {
        db.exec('PRAGMA locking_mode = EXCLUSIVE');
        const isNew = !hasSchema(db);
        if (isNew) {
          db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`);
        } else if (statSync(path).size <= CHECKED_AT_ONCE_BYTES) {
          checkPages(db);
        }
        const checkpointPages = Math.min(CHECKPOINT_PAGES, Math.ceil(maxBytes / 16 / PAGE_BYTES));
        db.exec(`
          PRAGMA journal_mode = WAL;
          PRAGMA synchronous = NORMAL;
          PRAGMA wal_autocheckpoint = ${checkpointPages};
          PRAGMA journal_size_limit = ${checkpointPages * PAGE_BYTES};
          PRAGMA cache_size = -8192;
        `);
        if (isNew) {
          createSchema(db);
        }
        return new JournalFile(db, isNew);
      },
    );
  }

  /** Opens the file of a program that has ended. @throws As `open` does. */
  static openToRead(path: string): JournalFile {
    return openWith(
      () => new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS }),
      (db) => {
        if (!hasSchema(db)) {
          throw new DamagedJournalError('it holds nothing');
        }
        return new JournalFile(db, false);
      },
    );
  }

  /** Chunks that an earlier process left unfinished go to the full ones. */
  finishChunks(): void {
    this.#transact(() => {
      this.#db.exec(`
        INSERT INTO samples (tier, start_ms, end_ms, count, columns)
          SELECT tier, start_ms, end_ms, count, columns FROM running ORDER BY start_ms;
        DELETE FROM running;
      `);
    });
  }

  write(batch: Batch): void {
    this.#transact(() => {
      for (const decision of batch.decisions) {
        this.#writeDecision(decision);
      }
      for (const { atMs, level, cluster, tier, msg, fields } of batch.events) {
        this.#sql.addEvent.run(atMs, level, cluster, tier, msg, fields);
      }
      for (const { tier, chunk } of batch.chunks) {
        const id = this.#tierId(tier);
        this.#sql.addChunk.run(id, chunk.startMs, chunk.endMs, chunk.count, chunk.bytes);
        this.#sql.deleteRunning.run(id);
      }
      for (const { tier, chunk } of batch.running) {
        const id = this.#tierId(tier);
        this.#sql.putRunning.run(id, chunk.startMs, chunk.endMs, chunk.count, chunk.bytes);
      }
    });
  }

  /** Returns when it is on the disk, not only with the operating system. */
  saveOverride({ id, expiresAtMs, content }: OverrideEntry): void {
    this.#durably(() => this.#sql.putOverride.run(id, expiresAtMs, content));
  }

  deleteOverride(id: string): void {
    this.#durably(() => this.#sql.deleteOverride.run(id));
  }

  /** Lets the oldest go as far as `limits` ask, a bounded amount at a time. @returns False when there is more. */
  prune(limits: Limits): boolean {
    const { isTooBig, hasForgotten } = prune(this.#db, limits);
    if (hasForgotten) {
      this.#forget();
    }
    return !isTooBig;
  }

  /**
   * A large file takes seconds to check when it comes from the disk, and whoever starts waits for what it
   * remembers: it is checked bit by bit while it is in use.
   *
   * @returns False when there is more to check. @throws An error of SQLite when a page makes no sense.
   */
  patrol(): boolean {
    const { table, afterId } = this.#patrol;
    if (table === undefined) {
      return true;
    }
    const row = this.#sql.patrols[table].get(afterId, PATROLLED_ROWS);
    const lastId = row?.['id'];
    this.#patrol =
      typeof lastId === 'number'
        ? { table, afterId: lastId }
        : { table: PATROLLED[PATROLLED.indexOf(table) + 1], afterId: 0 };
    return false;
  }

  /** Everything is in one file then. */
  close(): void {
    this.#db.close();
  }

  #writeDecision({ tier, atMs, setup, content }: DecisionRecord): void {
    const bytes = Buffer.from(content);
    const tierId = this.#tierId(tier);
    const group = this.#groups.get(tier);
    if (group !== undefined && belongsTo(group, atMs, setup)) {
      const base = group.count % CHAIN_DECISIONS === 0 ? group.key : group.latest;
      const packed = pack(bytes, base.bytes);
      if (packed.length <= group.packedBytes * LARGEST_SHARE) {
        const id = this.#sql.addDecision.run(tierId, atMs, base.id, null, packed).lastInsertRowid;
        group.latest = { id: Number(id), bytes };
        group.count += 1;
        return;
      }
    }
    const packed = pack(bytes);
    const setupId = this.#setupId(setup);
    const id = this.#sql.addDecision.run(tierId, atMs, null, setupId, packed).lastInsertRowid;
    const key = { id: Number(id), bytes };
    this.#groups.set(tier, {
      key,
      atMs,
      setup,
      packedBytes: packed.length,
      latest: key,
      count: 1,
    });
  }

  #tierId(key: string): number {
    let id = this.#tierIds.get(key);
    if (id === undefined) {
      this.#sql.addTier.run(key);
      id = integerOf(this.#sql.findTier.get(key), 'id');
      this.#tierIds.set(key, id);
    }
    return id;
  }

  #setupId(content: string): number {
    let id = this.#setupIds.get(content);
    if (id === undefined) {
      const hash = createHash('sha256').update(content).digest();
      this.#sql.addSetup.run(content, hash);
      id = integerOf(this.#sql.findSetup.get(hash), 'id');
      this.#setupIds.set(content, id);
    }
    return id;
  }

  /** Rows that are remembered here may not be there. */
  #forget(): void {
    this.#tierIds.clear();
    this.#setupIds.clear();
    this.#groups.clear();
  }

  #durably(change: () => void): void {
    this.#db.exec('PRAGMA synchronous = FULL');
    try {
      this.#transact(change);
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL');
    }
  }

  #transact(change: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      change();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#forget();
      if (this.#db.isTransaction) {
        this.#db.exec('ROLLBACK');
      }
      throw error;
    }
  }
}

/** Within a group, time runs forward: it is let go by its time. */
function belongsTo(group: Group, atMs: number, setup: string): boolean {
  return (
    group.setup === setup &&
    group.count < GROUP_DECISIONS &&
    atMs >= group.atMs &&
    atMs - group.atMs < GROUP_MS
  );
}

function openWith(
  connect: () => DatabaseSync,
  begin: (db: DatabaseSync) => JournalFile,
): JournalFile {
  let db: DatabaseSync | undefined;
  try {
    db = connect();
    return begin(db);
  } catch (error) {
    db?.close();
    throw readOpeningProblem(error);
  }
}

/** Whether the pages make sense; what stands in a row has a checksum of its own. */
function checkPages(db: DatabaseSync): void {
  const finding = textOf(db.prepare('PRAGMA quick_check(1)').get(), 'quick_check');
  if (finding !== 'ok') {
    // The line before says which database, as if there were several.
    throw new DamagedJournalError(finding.split('\n').at(-1));
  }
}

function prepareStatements(db: DatabaseSync) {
  return {
    addTier: db.prepare('INSERT INTO tiers (key) VALUES (?) ON CONFLICT DO NOTHING'),
    findTier: db.prepare('SELECT id FROM tiers WHERE key = ?'),
    addSetup: db.prepare('INSERT INTO setups (content, hash) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    findSetup: db.prepare('SELECT id FROM setups WHERE hash = ?'),
    addDecision: db.prepare(
      'INSERT INTO decisions (tier, at_ms, base, setup, content) VALUES (?, ?, ?, ?, ?)',
    ),
    addEvent: db.prepare(
      'INSERT INTO events (at_ms, level, cluster, tier, msg, fields) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    addChunk: db.prepare(
      'INSERT INTO samples (tier, start_ms, end_ms, count, columns) VALUES (?, ?, ?, ?, ?)',
    ),
    putRunning: db.prepare('INSERT OR REPLACE INTO running VALUES (?, ?, ?, ?, ?)'),
    deleteRunning: db.prepare('DELETE FROM running WHERE tier = ?'),
    putOverride: db.prepare(
      'INSERT INTO overrides VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET expires_at_ms = excluded.expires_at_ms, content = excluded.content',
    ),
    deleteOverride: db.prepare('DELETE FROM overrides WHERE id = ?'),
    patrols: {
      decisions: preparePatrol(db, 'decisions', 'content'),
      samples: preparePatrol(db, 'samples', 'columns'),
      events: preparePatrol(db, 'events', 'fields'),
    },
  };
}

/** Looks at the pages of the next rows; what does not make sense there is an error. */
function preparePatrol(db: DatabaseSync, table: string, column: string) {
  return db.prepare(`
    SELECT max(id) AS id, sum(length(${column})) AS bytes FROM (
      SELECT id, ${column} FROM ${table} WHERE id > ? ORDER BY id LIMIT ?
    )
  `);
}
