/** The file: its tables, and whether it is one of ours. */

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import {
  DamagedJournalError,
  ForeignFileError,
  NewerJournalError,
  UnusableJournalError,
} from './problems.ts';
import { integerOf } from './rows.ts';

/** Raised with each change that an older program could not read. */
const SCHEMA_VERSION = 1;
/** "Rckf" */
const APPLICATION_ID = 0x52636b66;

/** A key frame and the decisions that depend on it lie within this time, and are let go together. */
export const GROUP_MS = 3_600_000;

/** @see https://www.sqlite.org/fileformat.html#the_database_header */
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const USER_VERSION_AT = 60;
const APPLICATION_ID_AT = 68;

/**
 * `samples` holds full chunks, which are only ever appended, so that its pages are full, too; `running` the one
 * chunk of each tier that still grows, written anew every few seconds. A decision without `base` is a key frame:
 * it stands for itself. The others have been packed against their base, by way of which they come to the key
 * frame of their group, whose setup is theirs.
 */
const TABLES = `
  CREATE TABLE tiers (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE samples (
    id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, columns BLOB NOT NULL
  ) STRICT;
  CREATE INDEX samples_by_tier ON samples (tier, start_ms);
  CREATE TABLE running (
    tier INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, count INTEGER NOT NULL,
    columns BLOB NOT NULL
  ) STRICT;
  CREATE TABLE setups (id INTEGER PRIMARY KEY, content TEXT NOT NULL, hash BLOB NOT NULL UNIQUE) STRICT;
  CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, at_ms INTEGER NOT NULL, base INTEGER, setup INTEGER,
    content BLOB NOT NULL
  ) STRICT;
  CREATE INDEX decisions_by_tier ON decisions (tier, at_ms);
  CREATE INDEX key_frames_by_tier ON decisions (tier, id) WHERE base IS NULL;
  CREATE INDEX key_frames_by_setup ON decisions (setup) WHERE base IS NULL;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, level TEXT NOT NULL, cluster TEXT, tier TEXT,
    msg TEXT NOT NULL, fields TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_time ON events (at_ms);
  CREATE TABLE overrides (
    id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL, content TEXT NOT NULL
  ) STRICT;
`;

/**
 * Looks at the file before SQLite does, which might already write to it.
 *
 * Not while this process has it open: closing any descriptor of a file gives up the locks that the process
 * holds on it.
 *
 * @returns False when there is no file yet, or an empty one.
 * @throws NewerJournalError, ForeignFileError, or DamagedJournalError when it is no database.
 * @see https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
 */
export function lookAt(path: string): boolean {
  const header = Buffer.alloc(HEADER_BYTES);
  const bytes = readHeader(path, header);
  if (bytes === 0) {
    return false;
  }
  if (bytes < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new DamagedJournalError('it is no database');
  }
  refuseOthers(header.readUInt32BE(APPLICATION_ID_AT), header.readUInt32BE(USER_VERSION_AT));
  return true;
}

function readHeader(path: string, header: Buffer): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    return 0;
  }
  if (!found.isFile()) {
    // Opening a pipe would wait for ever.
    throw new UnusableJournalError('it is not a file', { isPassing: false });
  }
  const file = openSync(path, 'r');
  try {
    return readSync(file, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
}

/**
 * Looks at the tables of a database that has been opened and not yet written to.
 *
 * @returns False when there are none yet.
 * @throws NewerJournalError or ForeignFileError.
 */
export function hasSchema(db: DatabaseSync): boolean {
  const tables = integerOf(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get(), 'n');
  const applicationId = pragma(db, 'application_id');
  if (tables > 0 && applicationId !== APPLICATION_ID) {
    throw new ForeignFileError('it is a database of another program');
  }
  refuseOthers(applicationId, pragma(db, 'user_version'));
  return tables > 0;
}

/** Makes the tables. */
export function createSchema(db: DatabaseSync): void {
  db.exec(`
    BEGIN IMMEDIATE;
    ${TABLES}
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${SCHEMA_VERSION};
    COMMIT;
  `);
}

/** A whole number that a PRAGMA answers. */
export function pragma(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return integerOf(row, Object.keys(row ?? {})[0] ?? name);
}

function refuseOthers(applicationId: number, version: number): void {
  // A file that was begun and never finished has neither.
  if (applicationId !== APPLICATION_ID && (applicationId !== 0 || version !== 0)) {
    throw new ForeignFileError('it is a database of another program');
  }
  if (version > SCHEMA_VERSION) {
    throw new NewerJournalError(
      `a newer program has written it: its version is ${version}, this program knows ${SCHEMA_VERSION}`,
    );
  }
}
