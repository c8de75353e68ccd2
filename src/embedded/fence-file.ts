/**
 * What the dom0 of a Xen host does about terms, for an embedded host that several Rackfires share: the newest term
 * that was shown, and each order that was taken, in an SQLite file. Whoever looks at a term and carries out an order does
 * both under the file's lock, so no newer term comes in between.
 */

import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { PreconditionError, UnreachableError } from '../control/errors.ts';
import { isNewer, isSameTerm, type Term } from '../scaler/term.ts';

export interface Order {
  readonly verb: 'fence' | 'create' | 'pause' | 'wake' | 'destroy';
  /** Empty: of no node. */
  readonly node: string;
  readonly term: Term;
}

const rowSchema = z.object({
  createdAtSeconds: z.int(),
  transitions: z.int(),
  isFenced: z.literal([0, 1]),
});

/** The lock is held for milliseconds; whoever waits for it does nothing else meanwhile. */
const LOCK_WITHIN_MS = 200;

export class FenceFile {
  readonly #path: string;
  readonly #host: string;
  #database: DatabaseSync | undefined;

  constructor(path: string, host: string) {
    this.#path = path;
    this.#host = host;
  }

  /**
   * Carries out the first step of an order, or nothing.
   *
   * @throws PreconditionError when a newer term was shown, or when a boot's was not shown by `fence`.
   * @throws UnreachableError when the file cannot be used.
   */
  take<T>(order: Order, carryOut: () => T): T {
    const database = this.#open();
    this.#lock(database);
    let isKept = false;
    try {
      this.#require(database, order);
      const result = carryOut();
      const { verb, node, term } = order;
      database
        .prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(
          this.#host,
          Date.now(),
          process.pid,
          verb,
          node,
          term.createdAtSeconds,
          term.transitions,
        );
      database.exec('COMMIT');
      isKept = true;
      return result;
    } finally {
      if (!isKept) {
        database.exec('ROLLBACK');
      }
    }
  }

  #require(database: DatabaseSync, { verb, term }: Order): void {
    const row = database
      .prepare(
        `SELECT created_at_seconds AS createdAtSeconds, transitions, MAX(verb = 'fence') AS isFenced
         FROM orders WHERE host = ? GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC LIMIT 1`,
      )
      .get(this.#host);
    const newest = row === undefined ? undefined : rowSchema.parse(row);
    if (newest !== undefined && isNewer(newest, term)) {
      throw new PreconditionError(
        `${this.#host}: ${format(newest)} was shown here, this is ${format(term)}: a newer leader is at work`,
      );
    }
    if (verb === 'create' && !(isSameTerm(term, newest) && newest?.isFenced === 1)) {
      throw new PreconditionError(`${this.#host}: ${format(term)} was not shown by a fence`);
    }
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) {
      return this.#database;
    }
    try {
      const database = new DatabaseSync(this.#path, { timeout: LOCK_WITHIN_MS });
      database.exec(`
        CREATE TABLE IF NOT EXISTS orders (
          host TEXT NOT NULL,
          at_ms REAL NOT NULL,
          pid INTEGER NOT NULL,
          verb TEXT NOT NULL,
          node TEXT NOT NULL,
          created_at_seconds INTEGER NOT NULL,
          transitions INTEGER NOT NULL
        ) STRICT`);
      this.#database = database;
      return database;
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  #lock(database: DatabaseSync): void {
    try {
      database.exec('BEGIN IMMEDIATE');
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  #unusable(cause: unknown): UnreachableError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new UnreachableError(
      `${this.#host}: its fence file ${this.#path} cannot be used: ${why}`,
      {
        cause,
      },
    );
  }
}

function format({ createdAtSeconds, transitions }: Term): string {
  return `term ${createdAtSeconds}.${transitions}`;
}
