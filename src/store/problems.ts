/** What can be wrong with the file; the class is what is done about it. */

/** It is not ours to touch: left as it is, and nothing is kept meanwhile. */
class RefusedFileError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** A newer program has written it, in a way that this one does not know. */
export class NewerJournalError extends RefusedFileError {}

/** A database of somebody else. */
export class ForeignFileError extends RefusedFileError {}

/** Move it aside and begin a new one. */
export class DamagedJournalError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** Nothing wrong with the file, but it cannot be used now: try again later. */
export class UnusableJournalError extends Error {
  /** The connection is as good as before: room, or the lock, is all that lacks. */
  readonly isPassing: boolean;

  constructor(message: string, options: { readonly cause?: unknown; readonly isPassing: boolean }) {
    super(message, options);
    this.isPassing = options.isPassing;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

export function isRefusal(error: unknown): error is NewerJournalError | ForeignFileError {
  return error instanceof RefusedFileError;
}

/** Primary result codes. @see https://www.sqlite.org/rescode.html */
const SQLITE = { error: 1, busy: 5, locked: 6, corrupt: 11, full: 13, notADatabase: 26 } as const;
/** Permission denied, read-only, input or output failed, cannot open, locking protocol, large file, authorization. */
const SURROUNDINGS: ReadonlySet<number> = new Set([3, 8, 10, 14, 15, 22, 23]);

/**
 * Reads an error of SQLite or of the file system.
 *
 * @returns One of the classes above, or the error itself when it is a defect of this program.
 */
export function readProblem(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  if ('syscall' in error) {
    return unusable(error.message, error, false);
  }
  const code = sqliteCode(error);
  switch (code) {
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return new DamagedJournalError(error.message, { cause: error });
    case SQLITE.busy:
    case SQLITE.locked:
      return unusable('another process holds the file', error, true);
    case SQLITE.full:
      return unusable('the disk is full', error, true);
    default:
      return SURROUNDINGS.has(code) ? unusable(error.message, error, false) : error;
  }
}

/** The same for what is said when a file is opened: one of ours that lacks a table is damaged. */
export function readOpeningProblem(error: unknown): unknown {
  return error instanceof Error && sqliteCode(error) === SQLITE.error
    ? new DamagedJournalError(error.message, { cause: error })
    : readProblem(error);
}

/** 0 when it is no error of SQLite. */
function sqliteCode(error: Error): number {
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}

function unusable(message: string, cause: unknown, isPassing: boolean): UnusableJournalError {
  return new UnusableJournalError(message, { cause, isPassing });
}
