/** The rates and storms that a journal holds, for whoever is not the service that writes it. */

import { constants, existsSync } from 'node:fs';
import { copyFile, mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../control/errors.ts';
import { JournalFile } from './journal-file.ts';
import type { JournalReader, Storm } from './journal-reader.ts';
import { lookAt } from './schema.ts';
import { SAMPLE_STATUSES } from './tier-samples.ts';

/** Wall clock; both ends belong to it. */
interface Range {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface RecordedRate {
  /** Wall clock. */
  readonly atMs: number;
  /** Requests per second since the sample before. */
  readonly rps: number;
}

const OK = SAMPLE_STATUSES.indexOf('ok');
/** Samples are asked for a day at a time. */
const DAY_MS = 86_400_000;
/** The log is begun anew every few minutes; once more is enough for any disk. */
const COPIES = 5;
/** Of the write-ahead log; a log that is begun anew has another one. @see https://www.sqlite.org/fileformat2.html#walformat */
const LOG_HEADER_BYTES = 32;
const SIBLING = '-wal';

/**
 * Reads what came, sample by sample, in the order of time. What was partial, stale or absent when it was
 * sampled is left out.
 *
 * @param tier - As `cluster/tier`.
 * @throws As {@link readJournal}.
 */
export async function readRecordedRates(
  path: string,
  tier: string,
  { fromMs, untilMs }: Range,
): Promise<readonly RecordedRate[]> {
  return await readJournal(path, (journal) => {
    const rates: RecordedRate[] = [];
    for (let dayMs = fromMs; dayMs <= untilMs; dayMs += DAY_MS) {
      const day = { fromMs: dayMs, untilMs: Math.min(dayMs + DAY_MS - 1, untilMs) };
      const { atMs, requestRps, rateStatus } = journal.samples(tier, day);
      for (const [index, at] of atMs.entries()) {
        if (rateStatus[index] === OK) {
          rates.push({ atMs: at, rps: requestRps[index] ?? 0 });
        }
      }
    }
    return rates;
  });
}

/** When the latest storm of a tier was. @param tier - As `cluster/tier`. @throws As {@link readJournal}. */
export async function readLastStorm(path: string, tier: string): Promise<Storm | undefined> {
  return await readJournal(path, (journal) => journal.lastStorm(tier));
}

/**
 * The file may be in use: a copy is read, and the file itself is not touched.
 *
 * @throws ConfigError when there is no journal, or one that cannot be read.
 */
async function readJournal<T>(path: string, read: (journal: JournalReader) => T): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'rackfire-journal-'));
  try {
    const copy = join(directory, 'journal.db');
    if (!lookAt(path)) {
      throw new Error('there is no such file, or it is empty');
    }
    // Where the file really is: there, SQLite keeps its log, too.
    await copyJournal(await realpath(path), copy);
    const file = JournalFile.openToRead(copy);
    const result = read(file.read);
    file.close();
    return result;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`the journal ${path} cannot be read: ${why}`, { cause: error });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Copies a database that its owner writes to meanwhile. What a checkpoint brings into the file is in the log as
 * well, until the log is begun anew: a file that was copied before its log, while that stayed the same one, is
 * made whole by it.
 */
async function copyJournal(path: string, copy: string): Promise<void> {
  for (let copies = 0; copies < COPIES; copies += 1) {
    const header = await readLogHeader(path);
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    if (header !== undefined) {
      await copyFile(`${path}${SIBLING}`, `${copy}${SIBLING}`, constants.COPYFILE_FICLONE);
    }
    if ((await readLogHeader(path)) === header) {
      return;
    }
    await rm(`${copy}${SIBLING}`, { force: true });
  }
  throw new Error('it changes quicker than it can be copied: try again');
}

/** Undefined: there is no log. */
async function readLogHeader(path: string): Promise<string | undefined> {
  if (!existsSync(`${path}${SIBLING}`)) {
    return undefined;
  }
  await using log = await open(`${path}${SIBLING}`, 'r');
  const { buffer, bytesRead } = await log.read(Buffer.alloc(LOG_HEADER_BYTES), 0, LOG_HEADER_BYTES);
  return buffer.toString('hex', 0, bytesRead);
}
