/** Keeps the file: opens it, writes to it, and goes on whatever befalls it. Lives in a thread of its own. */

import { existsSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { BoundedQueue } from './bounded-queue.ts';
import { type FileChange, FileWatch } from './file-watch.ts';
import { JournalFile, type TierChunk } from './journal-file.ts';
import type { Answers, KeeperOptions, KeeperState, Question } from './messages.ts';
import { DamagedJournalError, isRefusal, readProblem, UnusableJournalError } from './problems.ts';
import {
  type DecisionRecord,
  type EventEntry,
  type JournalRecord,
  type SampleRecord,
  sizeOf,
} from './records.ts';
import { LONGEST_GAP_MS, SampleChunk } from './tier-samples.ts';

type Waiting = DecisionRecord | EventEntry | ({ readonly kind: 'chunk' } & TierChunk);

/** What may wait for a file that cannot be written: some hours of a quiet site, minutes of a large one. */
const MOST_WAITING_BYTES = 16 * 2 ** 20;
/** So much is written at once, without waiting for the pace. */
const FULL_BATCH_BYTES = 2 * 2 ** 20;

/** In paces: growing chunks are written so often; the oldest goes so often; the slowest retry. */
const RUNNING_PACES = 10;
const PRUNE_PACES = 10;
const SLOWEST_RETRY_PACES = 10;
/** A file that is damaged again so soon is not replaced again: it is the disk. A refused one is looked at so often. */
const PATIENCE_PACES = 30;

interface OpenFile {
  readonly file: JournalFile;
  readonly watch: FileWatch;
}

/**
 * ```
 *              opened                  write fails, file gone,
 *   (closed) ─────────▶ writing ──────── replaced or touched ──────▶ failing ──again, at a pace──▶ (closed)
 *      │                   ▲                                            │
 *      │ newer, foreign    └──────────── room, or the lock ─────────────┘
 *      └──────────────▶ refused ──looked at again from time to time──▶ (closed)
 * ```
 *
 * A damaged file is moved aside, and a new one begun at once.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #onState: (state: KeeperState) => void;
  readonly #waiting: BoundedQueue<Waiting>;
  /** By tier. */
  readonly #chunks = new Map<string, SampleChunk>();
  #open: OpenFile | undefined;
  #hasBegun = false;
  #state: KeeperState = { state: 'failing', why: 'it has not been opened yet' };
  /** What became of the file before this one; until it is said. */
  #notice: string | undefined;
  #failures = 0;
  #nextTryMs = Number.NEGATIVE_INFINITY;
  #movedAsideMs = Number.NEGATIVE_INFINITY;
  #runningDueMs = Number.NEGATIVE_INFINITY;
  #pruneDueMs = Number.NEGATIVE_INFINITY;
  #wallMs: number | undefined;
  #dropped = 0;

  constructor(options: KeeperOptions, onState: (state: KeeperState) => void) {
    this.#options = options;
    this.#onState = onState;
    this.#waiting = new BoundedQueue<Waiting>({
      mostBytes: MOST_WAITING_BYTES,
      sizeOf: (item) => (item.kind === 'chunk' ? 200 + item.chunk.bytes.length : sizeOf(item)),
      onDrop: (item) => {
        this.#dropped += countOf(item);
      },
    });
  }

  /** Records that were not kept. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes records over; they are written with the next `flush`, or now when they are many. */
  take(records: readonly JournalRecord[], wallMs: number): void {
    this.#wallMs = wallMs;
    for (const record of records) {
      if (record.kind === 'sample') {
        this.#takeSample(record);
      } else {
        this.#waiting.push(record);
      }
    }
    if (this.#waiting.bytes > FULL_BATCH_BYTES) {
      this.flush();
    }
  }

  /** Writes what waits, when it is time to try. Never throws. */
  flush(withRunning = false): void {
    // A damaged file is moved aside, and what waits is written to the next one.
    for (let isAgain = false; ; isAgain = true) {
      try {
        const open = this.#ensureOpen();
        if (open !== undefined) {
          this.#write(open, withRunning);
          this.#prune(open);
          open.file.patrol();
        }
        return;
      } catch (error) {
        const problem = readProblem(error);
        if (!isKnown(problem)) {
          // A defect: what it was doing is let go, so that it does not fail at the same again.
          this.#dropWaiting();
        }
        if (!this.#fail(problem) || isAgain) {
          return;
        }
      }
    }
  }

  /** @throws Error, its message for people, when the file cannot be asked now. */
  answer(question: Question, wallMs: number): Answers[Question['kind']] {
    this.#wallMs = wallMs;
    this.flush(true);
    if (this.#open === undefined) {
      throw new Error(this.#state.why ?? 'it is not open');
    }
    try {
      return this.#ask(this.#open, question);
    } catch (error) {
      const problem = readProblem(error);
      if (isKnown(problem)) {
        this.#fail(problem);
      }
      throw problem;
    }
  }

  /** Writes what waits, and leaves one file. Never throws. */
  close(): void {
    this.#nextTryMs = Number.NEGATIVE_INFINITY;
    this.flush(true);
    this.#dropWaiting();
    this.#closeFile();
  }

  #ask({ file, watch }: OpenFile, question: Question): Answers[Question['kind']] {
    switch (question.kind) {
      case 'events':
        return file.read.events(question.query);
      case 'decision-at':
        return file.read.decisionAt(question.tier, question.atMs);
      case 'decisions':
        return file.read.decisions(question.tier, question.range);
      case 'samples':
        return file.read.samples(question.tier, question.range);
      case 'load-overrides':
        return file.read.overrides();
      case 'save-override':
        file.saveOverride(question.entry);
        watch.remember();
        return undefined;
      case 'delete-override':
        file.deleteOverride(question.id);
        watch.remember();
        return undefined;
    }
  }

  #takeSample({ tier, row }: SampleRecord): void {
    const chunk = this.#chunks.get(tier);
    if (chunk?.add(row) === true) {
      return;
    }
    if (chunk !== undefined) {
      this.#waiting.push({ kind: 'chunk', tier, chunk: chunk.pack() });
    }
    const next = new SampleChunk();
    next.add(row);
    this.#chunks.set(tier, next);
  }

  /** Those that will not grow any more, because the time of their tier is over. */
  #finishChunks(): void {
    for (const [tier, chunk] of this.#chunks) {
      if ((this.#wallMs ?? 0) - chunk.endMs > LONGEST_GAP_MS) {
        this.#waiting.push({ kind: 'chunk', tier, chunk: chunk.pack() });
        this.#chunks.delete(tier);
      }
    }
  }

  #write({ file, watch }: OpenFile, withRunning: boolean): void {
    const nowMs = performance.now();
    // After a failure, whatever there is shows whether it works again.
    const isDue = withRunning || this.#failures > 0 || nowMs >= this.#runningDueMs;
    this.#finishChunks();
    const waiting = this.#waiting.all();
    const running = isDue
      ? [...this.#chunks].map(([tier, chunk]) => ({ tier, chunk: chunk.pack() }))
      : [];
    if (waiting.length > 0 || running.length > 0) {
      file.write({
        decisions: waiting.filter((item) => item.kind === 'decision'),
        events: waiting.filter((item) => item.kind === 'event'),
        chunks: waiting.filter((item) => item.kind === 'chunk'),
        running,
      });
      watch.remember();
      this.#waiting.take(waiting.length);
    }
    if (isDue) {
      this.#runningDueMs = nowMs + RUNNING_PACES * this.#options.paceMs;
    }
    this.#failures = 0;
    if (this.#state.state !== 'writing' || this.#notice !== undefined) {
      this.#tell({ state: 'writing', why: this.#notice });
      this.#notice = undefined;
    }
  }

  #prune({ file, watch }: OpenFile): void {
    const nowMs = performance.now();
    if (this.#wallMs === undefined || nowMs < this.#pruneDueMs) {
      return;
    }
    const { retentionMs, maxBytes, paceMs } = this.#options;
    const isDone = file.prune({ nowMs: this.#wallMs, retentionMs, maxBytes });
    watch.remember();
    this.#pruneDueMs = nowMs + (isDone ? PRUNE_PACES * paceMs : 0);
  }

  /** Undefined: not now. */
  #ensureOpen(): OpenFile | undefined {
    if (performance.now() < this.#nextTryMs) {
      return undefined;
    }
    if (this.#open !== undefined) {
      const { watch } = this.#open;
      const change = watch.compare();
      if (change === 'none') {
        return this.#open;
      }
      this.#closeFile();
      if (change !== 'touched') {
        watch.removeLog();
      }
      this.#notice = NOTICES[change];
    }
    const path = resolveLinks(this.#options.path);
    const file = JournalFile.open(path, this.#options.maxBytes);
    this.#open = { file, watch: new FileWatch(path) };
    // At the first start there is none, which is as it should be.
    if (file.isNew && (this.#hasBegun || this.#notice !== undefined)) {
      this.#notice = `${this.#notice ?? 'there was no file'}, a new one was begun`;
    }
    if (!this.#hasBegun) {
      // Later, they are those that grow here, which take their own place.
      file.finishChunks();
      this.#open.watch.remember();
      this.#hasBegun = true;
    }
    return this.#open;
  }

  /** @returns True when the file is out of the way, and a new one can be begun at once. */
  #fail(problem: unknown): boolean {
    const why = problem instanceof Error ? problem.message : String(problem);
    if (problem instanceof DamagedJournalError) {
      return this.#replaceDamaged(why);
    }
    if (isRefusal(problem)) {
      this.#retryIn(PATIENCE_PACES);
      this.#say({ state: 'refused', why });
      return false;
    }
    if (problem instanceof UnusableJournalError && !problem.isPassing) {
      this.#closeFile();
    }
    // It was we who wrote what was written of it.
    this.#open?.watch.remember();
    this.#retryIn(Math.min(SLOWEST_RETRY_PACES, 2 ** this.#failures));
    this.#failures += 1;
    this.#say({ state: 'failing', why });
    return false;
  }

  #replaceDamaged(why: string): boolean {
    this.#closeFile();
    const nowMs = performance.now();
    if (nowMs - this.#movedAsideMs < PATIENCE_PACES * this.#options.paceMs) {
      this.#retryIn(PATIENCE_PACES);
      this.#say({ state: 'failing', why: `the file is damaged again: ${why}` });
      return false;
    }
    try {
      const aside = moveAside(resolveLinks(this.#options.path));
      this.#movedAsideMs = nowMs;
      this.#notice = `the file was damaged (${why}) and moved to ${aside}`;
      return true;
    } catch (error) {
      return this.#fail(readProblem(error));
    }
  }

  #retryIn(paces: number): void {
    this.#nextTryMs = performance.now() + paces * this.#options.paceMs;
  }

  #dropWaiting(): void {
    for (const item of this.#waiting.take(this.#waiting.length)) {
      this.#dropped += countOf(item);
    }
  }

  #closeFile(): void {
    try {
      this.#open?.file.close();
    } catch {
      // Whatever is wrong with it will be found when it is opened again.
    }
    this.#open = undefined;
  }

  /** The same failure, tried again, is said once. */
  #say(state: KeeperState): void {
    if (state.state !== this.#state.state || state.why !== this.#state.why) {
      this.#tell(state);
    }
  }

  #tell(state: KeeperState): void {
    this.#state = state;
    this.#onState(state);
  }
}

const NOTICES = {
  gone: 'the file was deleted',
  replaced: 'the file was replaced by another one',
  touched: 'somebody else has written to the file',
} as const satisfies Record<Exclude<FileChange, 'none'>, string>;

/** Samples in a chunk, or one. */
function countOf(item: Waiting): number {
  return item.kind === 'chunk' ? item.chunk.count : 1;
}

function isKnown(problem: unknown): boolean {
  return (
    problem instanceof DamagedJournalError ||
    problem instanceof UnusableJournalError ||
    isRefusal(problem)
  );
}

/** Where the file really is: there, SQLite keeps its siblings, too. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Keeps one damaged copy for whoever wants to look at it. @returns Its path. */
function moveAside(path: string): string {
  const aside = `${path}.corrupt`;
  // Of an earlier copy; it would not fit.
  rmSync(`${aside}-wal`, { force: true });
  for (const suffix of ['-wal', '']) {
    if (existsSync(`${path}${suffix}`)) {
      renameSync(`${path}${suffix}`, `${aside}${suffix}`);
    }
  }
  return aside;
}
