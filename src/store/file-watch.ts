/** Notices what others do to the file while it is open here. */

import { type BigIntStats, rmSync, statSync } from 'node:fs';

/** What has become of the file since we last wrote to it. */
export type FileChange = 'none' | 'gone' | 'replaced' | 'touched';

/**
 * Whoever deletes, replaces, cuts off or overwrites an open database is noticed by nobody: SQLite goes on
 * writing to what has no name any more, or trusts its own memory of pages that have changed.
 */
export class FileWatch {
  readonly #path: string;
  #file: BigIntStats | undefined;
  #log: BigIntStats | undefined;

  constructor(path: string) {
    this.#path = path;
    this.remember();
  }

  /** After each write of our own. */
  remember(): void {
    this.#file = look(this.#path);
    this.#log = look(`${this.#path}-wal`);
  }

  compare(): FileChange {
    const file = look(this.#path);
    if (file === undefined) {
      return 'gone';
    }
    if (file.ino !== this.#file?.ino || file.dev !== this.#file.dev) {
      return 'replaced';
    }
    return isSame(file, this.#file) && isSame(look(`${this.#path}-wal`), this.#log)
      ? 'none'
      : 'touched';
  }

  /**
   * After the file was closed that has been deleted or replaced: SQLite leaves its log behind then, and would
   * take it for that of whatever file is there next, and spoil it.
   *
   * @see https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
   */
  removeLog(): void {
    const log = look(`${this.#path}-wal`);
    if (log !== undefined && log.ino === this.#log?.ino) {
      rmSync(`${this.#path}-wal`);
    }
  }
}

function look(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one?.ino === other?.ino && one?.size === other?.size && one?.mtimeNs === other?.mtimeNs;
}
