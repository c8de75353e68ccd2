/**
 * What a tier's traffic and size were, at most once a second, in columns: some 6 bytes for a second. Rates and
 * needs are kept to a hundredth, counts and times exactly.
 */

import type { TierTicked } from '../control/events.ts';
import type { NodePhase } from '../scaler/node-phase.ts';
import type { Sample } from '../scaler/observation.ts';
import { pack, unpack } from './packing.ts';
import { VarintReader, VarintWriter } from './varint.ts';

/** What the numbers in `rateStatus` and `queueStatus` mean. */
export const SAMPLE_STATUSES = ['ok', 'partial', 'stale', 'absent'] as const;

/** One entry per sample in each column, the oldest first. NaN: nothing was known. */
export interface SampleColumns {
  /** Wall clock. */
  readonly atMs: Float64Array;
  readonly requestRps: Float64Array;
  readonly waitingRequests: Float64Array;
  readonly servedRps: Float64Array;
  readonly usedSlots: Float64Array;
  readonly totalSlots: Float64Array;
  readonly needNodes: Float64Array;
  readonly desiredNodes: Float64Array;
  readonly inServiceNodes: Float64Array;
  /** Booting, warming or out of rotation. */
  readonly comingNodes: Float64Array;
  /** In any other phase. */
  readonly otherNodes: Float64Array;
  readonly rateStatus: Uint8Array;
  readonly queueStatus: Uint8Array;
}

const COLUMNS = [
  'atMs',
  'requestRps',
  'waitingRequests',
  'servedRps',
  'usedSlots',
  'totalSlots',
  'needNodes',
  'desiredNodes',
  'inServiceNodes',
  'comingNodes',
  'otherNodes',
] as const satisfies readonly (keyof SampleColumns)[];

type Column = (typeof COLUMNS)[number];

/** Kept to a hundredth. */
const FRACTIONAL: ReadonlySet<Column> = new Set(['requestRps', 'servedRps', 'needNodes']);
const PARTS_PER_UNIT = 100;

/** Of a row: which of its numbers mean anything. */
const RATE_STATUS = 0b11;
const QUEUE_STATUS_SHIFT = 2;
const SLOTS_ABSENT = 1 << 4;
const NEED_ABSENT = 1 << 5;
const ABSENT = SAMPLE_STATUSES.indexOf('absent');

/** One sample in whole numbers: its flags, then the columns in their order; 0 where nothing is known. */
export type SampleRow = readonly number[];

const FLAGS = 0;
const AT_MS = 1;

/** Beyond this, two numbers cannot be told apart by their difference; nothing real comes near. */
const LARGEST = 2 ** 51;

/** @param atMs - Wall clock. */
export function sampleRow({ observation, tick }: TierTicked, atMs: number): SampleRow {
  const { requestRate, queue, slots } = observation.signals;
  const rps = heard(requestRate, (value) => [value]);
  const reading = heard(queue, ({ requests, servedRps }) => [requests, servedRps]);
  const slot = heard(slots, ({ used, total }) => [used, total]);
  const { needNodes, desiredNodes } = tick.decision;
  const need = needNodes !== undefined && Number.isFinite(needNodes) ? needNodes : undefined;
  let flags = statusOf(requestRate, rps) | (statusOf(queue, reading) << QUEUE_STATUS_SHIFT);
  flags |= slot === undefined ? SLOTS_ABSENT : 0;
  flags |= need === undefined ? NEED_ABSENT : 0;
  let inService = 0;
  let coming = 0;
  for (const { phase } of tick.nodes) {
    inService += phase === 'in-service' ? 1 : 0;
    coming += COMING.has(phase) ? 1 : 0;
  }
  return [
    flags,
    whole(atMs),
    whole((rps?.[0] ?? 0) * PARTS_PER_UNIT),
    whole(reading?.[0] ?? 0),
    whole((reading?.[1] ?? 0) * PARTS_PER_UNIT),
    whole(slot?.[0] ?? 0),
    whole(slot?.[1] ?? 0),
    whole((need ?? 0) * PARTS_PER_UNIT),
    whole(desiredNodes),
    inService,
    coming,
    tick.nodes.length - inService - coming,
  ];
}

const COMING: ReadonlySet<NodePhase> = new Set(['booting', 'warming', 'out-of-rotation']);

/** The numbers of a sample; undefined when there is none, or one that is no number. */
function heard<T>(
  sample: Sample<T>,
  numbersOf: (value: T) => readonly number[],
): readonly number[] | undefined {
  if (sample.status === 'absent') {
    return undefined;
  }
  const numbers = numbersOf(sample.value);
  return numbers.every(Number.isFinite) ? numbers : undefined;
}

function statusOf(sample: Sample<unknown>, numbers: readonly number[] | undefined): number {
  return numbers === undefined ? ABSENT : SAMPLE_STATUSES.indexOf(sample.status);
}

function whole(value: number): number {
  return Math.round(Math.min(LARGEST, Math.max(-LARGEST, value)));
}

/** A row of the file holds so many at most: four minutes, of which five or six rows fill a page. */
const CHUNK_SAMPLES = 240;
/** After a longer pause, or when the clock was set back, a new row begins: within one, time runs evenly. */
export const LONGEST_GAP_MS = 5_000;

/** From the first to the last sample of one chunk, at most. */
export const LONGEST_CHUNK_MS = CHUNK_SAMPLES * LONGEST_GAP_MS;

/** Samples of one tier that will be one row of the file. */
export class SampleChunk {
  readonly #rows: SampleRow[] = [];

  get count(): number {
    return this.#rows.length;
  }

  get startMs(): number {
    return this.#rows[0]?.[AT_MS] ?? 0;
  }

  get endMs(): number {
    return this.#rows.at(-1)?.[AT_MS] ?? 0;
  }

  /** @returns False when it does not belong here: another chunk begins with it. */
  add(row: SampleRow): boolean {
    const gapMs = (row[AT_MS] ?? 0) - this.endMs;
    const fits = this.count < CHUNK_SAMPLES && gapMs >= 0 && gapMs <= LONGEST_GAP_MS;
    if (this.count > 0 && !fits) {
      return false;
    }
    this.#rows.push(row);
    return true;
  }

  pack(): PackedChunk {
    const { count, startMs, endMs } = this;
    return { count, startMs, endMs, bytes: pack(encode(this.#rows)) };
  }
}

/** As it lies in the file. */
export interface PackedChunk {
  readonly count: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly bytes: Uint8Array;
}

/**
 * The flags, then column by column what changed from one sample to the next: mostly nothing, or little. Times
 * against an even second; served requests against those that came, since mostly they are the same.
 */
function encode(rows: readonly SampleRow[]): Uint8Array {
  const out = new VarintWriter(rows.length * (1 + COLUMNS.length) * 8 + 16);
  out.write(rows.length);
  out.write(rows[0]?.[AT_MS] ?? 0);
  for (const row of rows) {
    out.write(row[FLAGS] ?? 0);
  }
  const requestRps: number[] = [];
  for (const [index, column] of COLUMNS.entries()) {
    let last = column === 'atMs' ? (rows[0]?.[AT_MS] ?? 0) - SECOND_MS : 0;
    for (const [at, row] of rows.entries()) {
      const value = isKnown(column, row[FLAGS] ?? 0) ? (row[AT_MS + index] ?? 0) : last;
      out.writeSigned(value - expected(column, last, requestRps[at] ?? 0));
      last = value;
      if (column === 'requestRps') {
        requestRps.push(value);
      }
    }
  }
  return out.bytes();
}

const SECOND_MS = 1_000;

function expected(column: Column, last: number, requestRps: number): number {
  return column === 'servedRps' ? requestRps : column === 'atMs' ? last + SECOND_MS : last;
}

function isKnown(column: Column, flags: number): boolean {
  switch (column) {
    case 'requestRps':
      return (flags & RATE_STATUS) !== ABSENT;
    case 'waitingRequests':
    case 'servedRps':
      return ((flags >> QUEUE_STATUS_SHIFT) & RATE_STATUS) !== ABSENT;
    case 'usedSlots':
    case 'totalSlots':
      return (flags & SLOTS_ABSENT) === 0;
    case 'needNodes':
      return (flags & NEED_ABSENT) === 0;
    case 'atMs':
    case 'desiredNodes':
    case 'inServiceNodes':
    case 'comingNodes':
    case 'otherNodes':
      return true;
  }
}

/** Puts the columns of several chunks together. */
export class SampleReader {
  readonly #columns: SampleColumns;
  readonly #range: { readonly fromMs: number; readonly untilMs: number };
  #count = 0;

  /** @param samples - So many at most; both ends belong to the range. */
  constructor(samples: number, range: { readonly fromMs: number; readonly untilMs: number }) {
    const empty = (): Float64Array => new Float64Array(samples);
    this.#range = range;
    this.#columns = {
      atMs: empty(),
      requestRps: empty(),
      waitingRequests: empty(),
      servedRps: empty(),
      usedSlots: empty(),
      totalSlots: empty(),
      needNodes: empty(),
      desiredNodes: empty(),
      inServiceNodes: empty(),
      comingNodes: empty(),
      otherNodes: empty(),
      rateStatus: new Uint8Array(samples),
      queueStatus: new Uint8Array(samples),
    };
  }

  /** @throws DamagedJournalError when these are not the bytes of a chunk. */
  add(packed: Uint8Array): void {
    const input = new VarintReader(unpack(packed));
    const count = input.read();
    const startMs = input.read();
    const flags = Array.from({ length: count }, () => input.read());
    const requestRps = new Float64Array(count);
    /** Where each sample goes; −1: it lies outside of the range. */
    const places = new Int32Array(count);
    for (const column of COLUMNS) {
      let last = column === 'atMs' ? startMs - SECOND_MS : 0;
      const unit = FRACTIONAL.has(column) ? PARTS_PER_UNIT : 1;
      const into = this.#columns[column];
      for (let at = 0; at < count; at += 1) {
        last = input.readSigned() + expected(column, last, requestRps[at] ?? 0);
        if (column === 'atMs') {
          places[at] = this.#place(last, flags[at] ?? 0);
        } else if (column === 'requestRps') {
          requestRps[at] = last;
        }
        const place = places[at] ?? -1;
        if (place >= 0) {
          into[place] = isKnown(column, flags[at] ?? 0) ? last / unit : Number.NaN;
        }
      }
    }
  }

  columns(): SampleColumns {
    const end = this.#count;
    const { rateStatus, queueStatus, ...numbers } = this.#columns;
    return {
      atMs: numbers.atMs.slice(0, end),
      requestRps: numbers.requestRps.slice(0, end),
      waitingRequests: numbers.waitingRequests.slice(0, end),
      servedRps: numbers.servedRps.slice(0, end),
      usedSlots: numbers.usedSlots.slice(0, end),
      totalSlots: numbers.totalSlots.slice(0, end),
      needNodes: numbers.needNodes.slice(0, end),
      desiredNodes: numbers.desiredNodes.slice(0, end),
      inServiceNodes: numbers.inServiceNodes.slice(0, end),
      comingNodes: numbers.comingNodes.slice(0, end),
      otherNodes: numbers.otherNodes.slice(0, end),
      rateStatus: rateStatus.slice(0, end),
      queueStatus: queueStatus.slice(0, end),
    };
  }

  #place(atMs: number, flags: number): number {
    if (atMs < this.#range.fromMs || atMs > this.#range.untilMs) {
      return -1;
    }
    const place = this.#count;
    this.#columns.rateStatus[place] = flags & RATE_STATUS;
    this.#columns.queueStatus[place] = (flags >> QUEUE_STATUS_SHIFT) & RATE_STATUS;
    this.#count += 1;
    return place;
  }
}
