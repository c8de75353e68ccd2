/**
 * The lease as a small SQLite database of one row, and SQLite's own locks as the lock: the kernel takes
 * them back when the process dies in whatever way, and they pass to no child process.
 *
 * POSIX record locks belong to a process and an inode, and are gone as soon as this process closes ANY
 * descriptor of that file. So a process that holds a lease must never open its file by other means than
 * the connection that holds it: no `readFile`, no copy, no second lease, also not in a worker thread.
 * Whoever wants to know who leads asks the {@link Lease}, or reads the file in another process.
 *
 * @see https://www.sqlite.org/lockingv3.html for RESERVED: others may read, nobody else may begin to write.
 * @see fcntl_locking(2)
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { ConfigError } from '../control/errors.ts';
import { isNewer, isSameTerm, type Term } from '../scaler/term.ts';

/** Who wrote the file last: the one who leads, while it lives. */
export interface Holder {
  readonly pid: number;
  readonly hostName: string;
  /** Wall clock of the moment it took the lease. */
  readonly sinceMs: number;
  readonly term: Term;
}

/** What a process that wants the lease says of itself. */
export interface Claim {
  readonly pid: number;
  readonly hostName: string;
  readonly nowMs: number;
  /** The newest term that this process has seen; its own will be newer. */
  readonly newestTerm: Term | undefined;
}

export interface Attempt {
  /** Missing when somebody else has it, or was about to take it in the same moment. */
  readonly lease: Lease | undefined;
  /** Who has it; missing when that cannot be read now. */
  readonly holder: Holder | undefined;
}

/** Marks the database as ours: `Rkfr`. @see https://www.sqlite.org/fileformat.html, offset 68 */
const applicationId = 0x526b_6672;
/** Grows when an older program could no longer read the row. */
const schemaVersion = 1;
const headerBytes = 100;
const fileMark = Buffer.from('SQLite format 3\0');

/** Primary and extended result codes. @see https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_READONLY_DBMOVED = 1032;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

const rowSchema = z.object({
  pid: z.int(),
  hostName: z.string(),
  sinceMs: z.number(),
  createdAtSeconds: z.int(),
  transitions: z.int(),
});

/** A lease that this process holds. */
export class Lease {
  readonly holder: Holder;
  readonly #path: string;
  /** The connection with the lock; nothing runs on it any more, as a failed statement could end the lock. */
  readonly #database: DatabaseSync;
  readonly #identity: string;

  constructor(holder: Holder, path: string, database: DatabaseSync, identity: string) {
    this.holder = holder;
    this.#path = path;
    this.#database = database;
    this.#identity = identity;
  }

  /**
   * False when the file at the path is not the locked one any more: deleted or replaced. Then another
   * process can lock the new one. The inode cannot come back in a new file while it is open here.
   */
  isInPlace(): boolean {
    try {
      return readIdentity(this.#path) === this.#identity;
    } catch {
      // What cannot be asked is not known to be ours.
      return false;
    }
  }

  release(): void {
    this.#database.close();
  }
}

/**
 * Tries once, and never waits.
 *
 * The holder is committed first, so that others can read it, and the lock is taken a second time to be
 * kept. Between the two somebody else may slip in and out: then the row is theirs, and we let go.
 *
 * @throws ConfigError when the file cannot be used, or is not ours: it is left as it was.
 */
export function takeLease(path: string, claim: Claim): Attempt {
  requireOurs(path);
  let database: DatabaseSync | undefined;
  let lease: Lease | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // Before the first write, which SQLite refuses when the path shows another file than the one it has
    // open: so this is the identity of that one.
    const identity = readIdentity(path);
    database.exec('BEGIN IMMEDIATE');
    const written = writeHolder(database, claim);
    database.exec('COMMIT');
    database.exec('BEGIN IMMEDIATE');
    const holder = readHolder(database);
    if (!isSameTerm(holder?.term, written.term)) {
      return { lease, holder };
    }
    lease = new Lease(written, path, database, identity);
    return { lease, holder: written };
  } catch (error) {
    if (database !== undefined && isOvertaken(error)) {
      return { lease, holder: readOtherHolder(database, path) };
    }
    throw unusable(path, error);
  } finally {
    if (lease === undefined) {
      database?.close();
    }
  }
}

/**
 * The term after the one in the file, or the first of a new file.
 *
 * A new file is newer by the wall clock alone. Where that was set back before the file was deleted, only a
 * process that saw the old term goes on above it; one that starts then begins below. So does one that makes
 * a new file within the second in which the old one was made.
 */
function nextTerm(inFile: Term | undefined, { nowMs, newestTerm }: Claim): Term {
  const next =
    inFile === undefined
      ? { createdAtSeconds: Math.floor(nowMs / 1000), transitions: 0 }
      : { ...inFile, transitions: inFile.transitions + 1 };
  return newestTerm === undefined || isNewer(next, newestTerm)
    ? next
    : { ...newestTerm, transitions: newestTerm.transitions + 1 };
}

/** To be called within a transaction that may write. */
function writeHolder(database: DatabaseSync, claim: Claim): Holder {
  const { pid, hostName, nowMs: sinceMs } = claim;
  const term = nextTerm(readHolder(database)?.term, claim);
  if (isBlank(database)) {
    database.exec(`
      PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${schemaVersion};
      CREATE TABLE lease (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        created_at_seconds INTEGER NOT NULL,
        transitions INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        host_name TEXT NOT NULL,
        since_ms REAL NOT NULL
      ) STRICT`);
  }
  database
    .prepare('INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?)')
    .run(term.createdAtSeconds, term.transitions, pid, hostName, sinceMs);
  return { pid, hostName, sinceMs, term };
}

function readHolder(database: DatabaseSync): Holder | undefined {
  if (isBlank(database)) {
    return undefined;
  }
  const row = database
    .prepare(
      `SELECT pid, host_name AS hostName, since_ms AS sinceMs,
         created_at_seconds AS createdAtSeconds, transitions
       FROM lease`,
    )
    .get();
  if (row === undefined) {
    return undefined;
  }
  const { createdAtSeconds, transitions, ...who } = rowSchema.parse(row);
  return { ...who, term: { createdAtSeconds, transitions } };
}

/** Who has the lease that could not be taken; `undefined` when that is just being written. */
function readOtherHolder(database: DatabaseSync, path: string): Holder | undefined {
  try {
    if (database.isTransaction) {
      // What a failed COMMIT left, which would be read as ours.
      database.exec('ROLLBACK');
    }
    return readHolder(database);
  } catch (error) {
    if (isOvertaken(error)) {
      return undefined;
    }
    throw unusable(path, error);
  }
}

/** A database without any table: just made, by us or by somebody who did not get to write. */
function isBlank(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

/**
 * Foreign content is never overwritten, nor opened by SQLite, which would write files beside it.
 *
 * It opens the file by itself, which is only safe while this process does not hold its lease.
 *
 * @throws ConfigError when there is something else at the path than a lease file that this program understands.
 */
function requireOurs(path: string): void {
  const header = readHeader(path);
  if (header.length === 0) {
    return;
  }
  const isOurs =
    header.length === headerBytes &&
    header.subarray(0, fileMark.length).equals(fileMark) &&
    header.readUInt32BE(68) === applicationId;
  if (!isOurs) {
    throw new ConfigError(
      `the file ${path} is not a lease file of Rackfire and is left as it is: name another path, or move the file away`,
    );
  }
  const version = header.readUInt32BE(60);
  if (version > schemaVersion) {
    throw new ConfigError(
      `the lease file ${path} was made by a newer Rackfire (schema ${version}, this one knows ${schemaVersion}): run that one, or delete the file while no Rackfire runs`,
    );
  }
}

/** The first bytes; none when there is no file yet, or an empty one. */
function readHeader(path: string): Buffer {
  let file: number;
  try {
    // A link would lead to where nobody looked; a pipe must not make us wait.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return Buffer.alloc(0);
    }
    throw codeOf(error) === 'ELOOP' ? notRegular(path, error) : unusable(path, error);
  }
  try {
    if (!fstatSync(file).isFile()) {
      throw notRegular(path);
    }
    const header = Buffer.alloc(headerBytes);
    return header.subarray(0, readSync(file, header, 0, headerBytes, 0));
  } finally {
    closeSync(file);
  }
}

/** What tells a file from any other one that exists at the same time. Opens nothing. */
function readIdentity(path: string): string {
  const { dev, ino } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** Another process had the lock at that moment, or took the file away. */
function isOvertaken(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return (
    primaryCode(code) === SQLITE_BUSY ||
    code === SQLITE_READONLY_DBMOVED ||
    codeOf(error) === 'ENOENT'
  );
}

function notRegular(path: string, cause?: unknown): ConfigError {
  return new ConfigError(`the lease file ${path} must be a plain file, not a link or a directory`, {
    cause,
  });
}

function unusable(path: string, error: unknown): ConfigError {
  const code = sqliteCodeOf(error);
  const why = error instanceof Error ? error.message : String(error);
  const isDamaged =
    error instanceof z.ZodError ||
    error instanceof RangeError ||
    [1, SQLITE_CORRUPT, SQLITE_NOTADB].includes(primaryCode(code) ?? 0);
  let advice = `cannot be used: ${why}`;
  if (isDamaged) {
    advice = 'is damaged: delete it while no Rackfire runs';
  } else if (primaryCode(code) === SQLITE_READONLY || codeOf(error) === 'EACCES') {
    advice = 'is not writable for this user: give it to the user that Rackfire runs as';
  }
  return new ConfigError(`the lease file ${path} ${advice}`, { cause: error });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function sqliteCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : undefined;
}

function primaryCode(code: number | undefined): number | undefined {
  return code === undefined ? undefined : code & 0xff;
}
