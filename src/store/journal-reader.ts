/** Questions to the file. Each has a bound. */

import type { DatabaseSync } from 'node:sqlite';
import { STORM_MESSAGES } from '../control/events.ts';
import type { EventQuery } from '../control/ports.ts';
import { unpack } from './packing.ts';
import { DamagedJournalError } from './problems.ts';
import type { EventEntry, KeptText, OverrideEntry } from './records.ts';
import { bytesOf, integerOf, type Row, textOf } from './rows.ts';
import { LONGEST_CHUNK_MS, type SampleColumns, SampleReader } from './tier-samples.ts';

/** Times are of the wall clock; both ends belong to it. */
export interface TimeRange {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** When it was detected, and when it was over. Wall clock. */
export interface Storm {
  readonly fromMs: number;
  readonly untilMs: number | undefined;
}

/** More would be too much for the loop's thread to take in at once. */
const MOST_EVENTS = 10_000;
const MOST_DECISIONS = 1_000;
/** A week and a bit. */
const MOST_SAMPLES = 700_000;

interface Unpacked {
  readonly id: number;
  readonly setup: string;
  readonly bytes: Uint8Array;
}

export class JournalReader {
  readonly #sql: ReturnType<typeof prepareStatements>;
  /** The one that was read last. */
  #latest: Unpacked | undefined;

  constructor(db: DatabaseSync) {
    this.#sql = prepareStatements(db);
  }

  /** The latest so many, the oldest first. */
  events(query: EventQuery): readonly EventEntry[] {
    const { sinceMs = 0, untilMs = Number.MAX_SAFE_INTEGER, cluster = null, tier = null } = query;
    const limit = Math.min(MOST_EVENTS, query.limit);
    const rows = this.#sql.events.all({ sinceMs, untilMs, cluster, tier, limit });
    return rows.map(readEvent).toReversed();
  }

  /** The latest storm of a tier; without an end while it lasts, or where nobody has lived to see it end. */
  lastStorm(tier: string): Storm | undefined {
    const { begins, ends } = STORM_MESSAGES;
    const [cluster = '', name = ''] = tier.split('/');
    const [latest, before] = this.#sql.storms.all(cluster, name, begins, ends);
    if (latest === undefined) {
      return undefined;
    }
    const atMs = integerOf(latest, 'at_ms');
    if (textOf(latest, 'msg') === begins) {
      return { fromMs: atMs, untilMs: undefined };
    }
    // What has begun before the oldest events that are kept is kept from there on.
    return { fromMs: before === undefined ? atMs : integerOf(before, 'at_ms'), untilMs: atMs };
  }

  /** The latest at or before this moment. */
  decisionAt(tier: string, atMs: number): KeptText | undefined {
    const row = this.#sql.decisionAt.get(tier, atMs);
    return row === undefined ? undefined : this.#decision(row);
  }

  /** The latest so many, the oldest first. */
  decisions(tier: string, range: TimeRange & { readonly limit: number }): readonly KeptText[] {
    const limit = Math.min(MOST_DECISIONS, range.limit);
    const rows = this.#sql.decisions.all(tier, range.fromMs, range.untilMs, limit);
    return rows.toReversed().map((row) => this.#decision(row));
  }

  /** The latest week at most. */
  samples(tier: string, range: TimeRange): SampleColumns {
    const earliestMs = range.fromMs - LONGEST_CHUNK_MS;
    const chunks: Row[] = [];
    let samples = 0;
    const { untilMs, fromMs } = range;
    for (const row of this.#sql.samples.iterate({ tier, earliestMs, fromMs, untilMs })) {
      samples += integerOf(row, 'count');
      if (samples > MOST_SAMPLES) {
        samples -= integerOf(row, 'count');
        break;
      }
      chunks.push(row);
    }
    const reader = new SampleReader(samples, range);
    for (const row of chunks.toReversed()) {
      reader.add(bytesOf(row, 'columns'));
    }
    return reader.columns();
  }

  overrides(): readonly OverrideEntry[] {
    return this.#sql.overrides.all().map((row) => ({
      id: textOf(row, 'id'),
      expiresAtMs: integerOf(row, 'expires_at_ms'),
      content: textOf(row, 'content'),
    }));
  }

  #decision(row: Row): KeptText {
    const { setup, bytes } = this.#unpack(row);
    return { atMs: integerOf(row, 'at_ms'), setup, content: toText(bytes) };
  }

  /** Unpacks what it depends on first: a few, or the one before, which has just been read. */
  #unpack(row: Row): Unpacked {
    const id = integerOf(row, 'id');
    if (this.#latest?.id === id) {
      return this.#latest;
    }
    const packed = bytesOf(row, 'content');
    if (row?.['base'] === null) {
      const setup = this.#setup(integerOf(row, 'setup'));
      this.#latest = { id, setup, bytes: unpack(packed) };
    } else {
      const baseId = integerOf(row, 'base');
      const base =
        this.#latest?.id === baseId ? this.#latest : this.#unpack(this.#sql.decision.get(baseId));
      this.#latest = { id, setup: base.setup, bytes: unpack(packed, base.bytes) };
    }
    return this.#latest;
  }

  #setup(id: number): string {
    return textOf(this.#sql.setup.get(id), 'content');
  }
}

function readEvent(row: Row): EventEntry {
  const level = textOf(row, 'level');
  if (level !== 'info' && level !== 'warn' && level !== 'error') {
    throw new DamagedJournalError(`an event has the level ${level}`);
  }
  return {
    kind: 'event',
    atMs: integerOf(row, 'at_ms'),
    level,
    cluster: row?.['cluster'] === null ? null : textOf(row, 'cluster'),
    tier: row?.['tier'] === null ? null : textOf(row, 'tier'),
    msg: textOf(row, 'msg'),
    fields: textOf(row, 'fields'),
  };
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function prepareStatements(db: DatabaseSync) {
  const tier = '(SELECT id FROM tiers WHERE key = ?)';
  const decision = 'SELECT id, at_ms, base, setup, content FROM decisions';
  const chunk = `
    tier = (SELECT id FROM tiers WHERE key = :tier)
    AND start_ms BETWEEN :earliestMs AND :untilMs AND end_ms >= :fromMs
  `;
  return {
    events: db.prepare(`
      SELECT at_ms, level, cluster, tier, msg, fields FROM events
      WHERE at_ms BETWEEN :sinceMs AND :untilMs
        AND (:cluster IS NULL OR cluster = :cluster) AND (:tier IS NULL OR tier = :tier)
      ORDER BY at_ms DESC, id DESC LIMIT :limit
    `),
    storms: db.prepare(`
      SELECT at_ms, msg FROM events WHERE cluster = ? AND tier = ? AND msg IN (?, ?)
      ORDER BY at_ms DESC, id DESC LIMIT 2
    `),
    decisionAt: db.prepare(
      `${decision} WHERE tier = ${tier} AND at_ms <= ? ORDER BY at_ms DESC, id DESC LIMIT 1`,
    ),
    decisions: db.prepare(
      `${decision} WHERE tier = ${tier} AND at_ms BETWEEN ? AND ? ORDER BY at_ms DESC, id DESC LIMIT ?`,
    ),
    decision: db.prepare(`${decision} WHERE id = ?`),
    setup: db.prepare('SELECT content FROM setups WHERE id = ?'),
    samples: db.prepare(`
      SELECT start_ms, count, columns FROM samples WHERE ${chunk}
      UNION ALL SELECT start_ms, count, columns FROM running WHERE ${chunk}
      ORDER BY start_ms DESC
    `),
    overrides: db.prepare('SELECT id, expires_at_ms, content FROM overrides ORDER BY rowid'),
  };
}
