/** Lets the oldest go: what is too old, and then what makes the file too big. */

import type { DatabaseSync } from 'node:sqlite';
import { integerOf } from './rows.ts';
import { GROUP_MS, pragma } from './schema.ts';

export interface Limits {
  /** Wall clock. */
  readonly nowMs: number;
  readonly retentionMs: number;
  /** Of the file with its siblings. */
  readonly maxBytes: number;
}

export interface Pruned {
  /** The file is still too big: there is more to do. */
  readonly isTooBig: boolean;
  /** Key frames or setups that somebody may have in mind are gone. */
  readonly hasForgotten: boolean;
}

/** So much of the bound is the file's; the rest is for its write-ahead log, and for what comes next. */
const USED_SHARE = 0.8;
const FILE_SHARE = 0.85;
const LOG_SHARE = 0.03;

/** When it is too big, so much of the time that it covers is let go at once. */
const SLICE_SHARE = 1 / 64;
const SHORTEST_SLICE_MS = 60_000;

/** In one call: some tens of milliseconds. */
const ROWS_AT_ONCE = 5_000;
const PAGES_AT_ONCE = 512;
/** Groups of decisions of one tier that are looked at at once. */
const GROUPS_AT_ONCE = 64;

/** Bounded work, since nothing is written meanwhile. Of each tier, the latest group of decisions stays. */
export function prune(db: DatabaseSync, { nowMs, retentionMs, maxBytes }: Limits): Pruned {
  const tooOldMs = nowMs - retentionMs;
  let hasForgotten = false;
  db.exec('BEGIN IMMEDIATE');
  try {
    hasForgotten = deleteBefore(db, { tooOldMs, inTheWayMs: endOfSlice(db, nowMs, maxBytes) });
    db.prepare('DELETE FROM overrides WHERE expires_at_ms < ?').run(tooOldMs);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) {
      db.exec('ROLLBACK');
    }
    throw error;
  }
  const pageBytes = pragma(db, 'page_size');
  if (pragma(db, 'page_count') * pageBytes > maxBytes * FILE_SHARE) {
    // Pages that move go through the log.
    const pages = Math.min(PAGES_AT_ONCE, Math.ceil((maxBytes * LOG_SHARE) / pageBytes));
    db.exec(`PRAGMA incremental_vacuum(${pages})`);
  }
  return { isTooBig: isTooBig(db, maxBytes), hasForgotten };
}

function isTooBig(db: DatabaseSync, maxBytes: number): boolean {
  const usedPages = pragma(db, 'page_count') - pragma(db, 'freelist_count');
  return usedPages * pragma(db, 'page_size') > maxBytes * USED_SHARE;
}

/** What is older has to make room; −∞ when there is room. */
function endOfSlice(db: DatabaseSync, nowMs: number, maxBytes: number): number {
  if (!isTooBig(db, maxBytes)) {
    return Number.NEGATIVE_INFINITY;
  }
  const row = db
    .prepare(`
      SELECT coalesce(min(at_ms), :nowMs) AS at_ms FROM (
        SELECT (SELECT min(start_ms) FROM samples WHERE tier = tiers.id) AS at_ms FROM tiers
        UNION ALL SELECT (
          SELECT at_ms FROM decisions WHERE tier = tiers.id AND base IS NULL AND id < (
            SELECT max(id) FROM decisions WHERE tier = tiers.id AND base IS NULL
          ) ORDER BY id LIMIT 1
        ) FROM tiers
        UNION ALL SELECT min(at_ms) FROM events
      )
    `)
    .get({ nowMs });
  const oldestMs = integerOf(row, 'at_ms');
  return oldestMs + Math.max(SHORTEST_SLICE_MS, (nowMs - oldestMs) * SLICE_SHARE);
}

interface Cut {
  /** What ends before is deleted. */
  readonly tooOldMs: number;
  /** What begins before is deleted. */
  readonly inTheWayMs: number;
}

/** @returns Whether key frames or setups in use are among what was deleted. */
function deleteBefore(db: DatabaseSync, cut: Cut): boolean {
  const { tooOldMs, inTheWayMs } = cut;
  const untilMs = Math.max(tooOldMs, inTheWayMs);
  const deleteChunks = db.prepare(`
    DELETE FROM samples WHERE id IN (
      SELECT id FROM samples WHERE tier = :tier AND start_ms < :untilMs
        AND (end_ms < :tooOldMs OR start_ms < :inTheWayMs)
      ORDER BY start_ms LIMIT :rowsLeft
    )
  `);
  let rowsLeft = ROWS_AT_ONCE;
  let hasForgotten = false;
  for (const row of db.prepare('SELECT id FROM tiers').all()) {
    const tier = integerOf(row, 'id');
    const chunks = deleteChunks.run({ tier, untilMs, tooOldMs, inTheWayMs, rowsLeft });
    rowsLeft -= Number(chunks.changes);
    const groups = deleteGroups(db, tier, cut, rowsLeft);
    rowsLeft = Math.max(0, rowsLeft - groups.rows);
    hasForgotten ||= groups.isLatestGone;
  }
  db.prepare(`
    DELETE FROM events WHERE id IN (
      SELECT id FROM events WHERE at_ms < ? ORDER BY at_ms LIMIT ?
    )
  `).run(untilMs, rowsLeft);
  const setups = db
    .prepare(`
      DELETE FROM setups WHERE NOT EXISTS (
        SELECT 1 FROM decisions WHERE base IS NULL AND setup = setups.id
      )
    `)
    .run();
  return hasForgotten || Number(setups.changes) > 0;
}

/** A key frame goes together with its group: some 100 rows at most, all within `GROUP_MS`. */
function deleteGroups(
  db: DatabaseSync,
  tier: number,
  { tooOldMs, inTheWayMs }: Cut,
  mostRows: number,
): { readonly rows: number; readonly isLatestGone: boolean } {
  const keys = db
    .prepare('SELECT id, at_ms FROM decisions WHERE tier = ? AND base IS NULL ORDER BY id LIMIT ?')
    .all(tier, GROUPS_AT_ONCE + 1)
    .map((row) => ({ id: integerOf(row, 'id'), atMs: integerOf(row, 'at_ms') }));
  const deleteGroup = db.prepare(`
    DELETE FROM decisions
    WHERE tier = :tier AND id >= :id AND id < :nextId AND at_ms >= :atMs AND at_ms < :atMs + ${GROUP_MS}
  `);
  let rows = 0;
  for (const [index, { id, atMs }] of keys.slice(0, GROUPS_AT_ONCE).entries()) {
    const nextId = keys[index + 1]?.id;
    const isInTheWay = nextId !== undefined && atMs < inTheWayMs;
    if (rows >= mostRows || !(isInTheWay || atMs + GROUP_MS < tooOldMs)) {
      break;
    }
    const group = { tier, id, nextId: nextId ?? Number.MAX_SAFE_INTEGER, atMs };
    rows += Number(deleteGroup.run(group).changes);
    if (nextId === undefined) {
      return { rows, isLatestGone: true };
    }
  }
  return { rows, isLatestGone: false };
}
