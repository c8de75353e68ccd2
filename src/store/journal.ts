import type { Clock } from '../control/clock.ts';
import type { EventRecord, GivenOverride, TierTicked } from '../control/events.ts';
import type { EventQuery, Journal, JournalHealth, KeptDecision } from '../control/ports.ts';
import { tierKey } from '../scaler/cluster.ts';
import { BoundedQueue } from './bounded-queue.ts';
import { readExactly, writeExactly } from './exact-json.ts';
import type { TimeRange } from './journal-reader.ts';
import { JournalThread } from './journal-thread.ts';
import type { KeeperState } from './messages.ts';
import { type JournalRecord, readDecision, sizeOf } from './records.ts';
import { type SampleColumns, sampleRow } from './tier-samples.ts';
import { DecisionFilter } from './worth-keeping.ts';

export interface JournalOptions {
  readonly path: string;
  readonly retentionMs: number;
  /** Of the file with its siblings; the oldest goes first. */
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Called once for each change of what it does, or why. */
  readonly onHealth: (health: JournalHealth) => void;
  /** What came is written so often; a second unless a test is in a hurry. */
  readonly paceMs?: number;
}

const PACE_MS = 1_000;

/** What may wait for the thread, and what is handed over at once. */
const MOST_WAITING_BYTES = 16 * 2 ** 20;
const RECORDS_AT_ONCE = 2_000;
/** A thread that has not taken over for so long what it was handed waits for its disk. */
const STUCK_MS = 5_000;

/** Nothing that a tick or an event says is as long. */
const LONGEST_RECORD_BYTES = 2 ** 20;

/** One sample a second, whatever the pace of the ticks; one that comes so much early is this second's. */
const SAMPLE_MS = 1_000;
const SAMPLE_EARLY_MS = 200;

/**
 * Remembers in a file. Everything slow happens in another thread; here, a tick costs some microseconds. See
 * `Keeper` for what befalls the file, and `JournalFile` for what is in it.
 */
export function openJournal(options: JournalOptions): FileJournal {
  return new FileJournal(options);
}

export class FileJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #thread: JournalThread;
  readonly #waiting: BoundedQueue<JournalRecord>;
  readonly #tiers = new Map<string, TierRecorder>();
  /** Handed over and not taken yet; undefined: nothing. */
  #handedOver: { readonly count: number; readonly timer: NodeJS.Timeout } | undefined;
  #isScheduled = false;
  #isClosed = false;
  /** Not kept: by this side, by threads that died, by the thread. */
  #droppedHere = 0;
  #droppedThere = 0;
  /** What the thread says of the file. */
  #keeper = failing('it has not been opened yet');
  /** Why, whatever the thread says, what happens now is not kept. */
  #trouble: KeeperState | undefined;
  #said = this.#keeper;
  #saidAtMs: number;

  constructor(options: JournalOptions) {
    const { path, retentionMs, maxBytes, clock, paceMs = PACE_MS } = options;
    this.#options = options;
    this.#saidAtMs = clock.wallMs();
    this.#waiting = new BoundedQueue<JournalRecord>({
      mostBytes: MOST_WAITING_BYTES,
      sizeOf,
      onDrop: () => {
        this.#droppedHere += 1;
        this.#trouble ??= failing('more is to be kept than can be written');
      },
    });
    this.#thread = new JournalThread(
      { path, retentionMs, maxBytes, paceMs },
      {
        onTaken: (dropped) => this.#taken(dropped),
        onState: (state) => {
          this.#keeper = state;
          this.#sayHealth();
          this.#schedule();
        },
        onDeath: (why) => this.#died(why),
      },
    );
  }

  get health(): JournalHealth {
    const droppedRecords = this.#droppedHere + this.#droppedThere;
    return { ...this.#said, sinceMs: this.#saidAtMs, droppedRecords };
  }

  appendTick(ticked: TierTicked): void {
    const key = tierKey(ticked.tier);
    let recorder = this.#tiers.get(key);
    if (recorder === undefined) {
      recorder = new TierRecorder(key);
      this.#tiers.set(key, recorder);
    }
    const records = recorder;
    this.#append(() => records.record(ticked, Math.round(this.#options.clock.wallMs())));
  }

  appendEvent({ atMs, level, msg, fields }: EventRecord): void {
    const { cluster, tier } = fields;
    this.#append(() => [
      {
        kind: 'event',
        atMs,
        level,
        cluster: typeof cluster === 'string' ? cluster : null,
        tier: typeof tier === 'string' ? tier : null,
        msg,
        fields: JSON.stringify(fields),
      },
    ]);
  }

  async events(query: EventQuery): Promise<readonly EventRecord[]> {
    const entries = await this.#thread.ask({ kind: 'events', query }, this.#wallMs());
    return entries.map(({ atMs, level, msg, fields }) => ({
      atMs,
      level,
      msg,
      fields: readExactly<EventRecord['fields']>(fields),
    }));
  }

  async decisionAt(tier: string, atMs: number): Promise<KeptDecision | undefined> {
    const question = { kind: 'decision-at', tier, atMs } as const;
    const kept = await this.#thread.ask(question, this.#wallMs());
    return kept === undefined ? undefined : readDecision(kept);
  }

  async decisions(
    tier: string,
    range: TimeRange & { readonly limit: number },
  ): Promise<readonly KeptDecision[]> {
    const question = { kind: 'decisions', tier, range } as const;
    return (await this.#thread.ask(question, this.#wallMs())).map(readDecision);
  }

  /** What the tier's traffic and size were, second by second; the latest week of the time at most. */
  async samples(tier: string, range: TimeRange): Promise<SampleColumns> {
    return await this.#thread.ask({ kind: 'samples', tier, range }, this.#wallMs());
  }

  async loadOverrides(): Promise<readonly GivenOverride[]> {
    const entries = await this.#thread.ask({ kind: 'load-overrides' }, this.#wallMs());
    return entries.map(({ content }) => readExactly<GivenOverride>(content));
  }

  async saveOverride(given: GivenOverride): Promise<void> {
    const { id, expiresAtMs } = given;
    const entry = { id, expiresAtMs, content: JSON.stringify(given) };
    await this.#thread.ask({ kind: 'save-override', entry }, this.#wallMs());
  }

  async deleteOverride(id: string): Promise<void> {
    await this.#thread.ask({ kind: 'delete-override', id }, this.#wallMs());
  }

  async close(): Promise<void> {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    // Behind what has been handed over, and within the same bounds.
    const left = this.#waiting.take(this.#waiting.length);
    const { isRunning } = this.#thread;
    this.#thread.post(left, this.#wallMs());
    const isEnded = await this.#thread.close();
    if (!isRunning || !isEnded) {
      this.#droppedHere += left.length;
    }
    if (!isEnded) {
      this.#trouble = failing('its disk hangs, and this process with it when it exits');
      this.#sayHealth();
    }
  }

  #wallMs(): number {
    return this.#options.clock.wallMs();
  }

  #append(makeRecords: () => readonly JournalRecord[]): void {
    if (this.#isClosed) {
      return;
    }
    try {
      for (const record of makeRecords()) {
        if (sizeOf(record) > LONGEST_RECORD_BYTES) {
          this.#droppedHere += 1;
        } else {
          this.#waiting.push(record);
        }
      }
    } catch {
      // What JSON cannot say cannot be kept.
      this.#droppedHere += 1;
    }
    this.#schedule();
  }

  /** Everything of one tick is handed over at once. */
  #schedule(): void {
    if (!this.#isScheduled && this.#waiting.length > 0) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#sayHealth();
        this.#handOver();
      });
    }
  }

  /** One batch at a time: when the thread is slow, things wait here, where they are bounded. */
  #handOver(): void {
    const { isRunning } = this.#thread;
    if (this.#handedOver !== undefined || this.#waiting.length === 0 || !isRunning) {
      return;
    }
    const records = this.#waiting.take(RECORDS_AT_ONCE);
    const timer = setTimeout(() => this.#suspectDisk(timer), STUCK_MS).unref();
    this.#handedOver = { count: records.length, timer };
    this.#thread.post(records, this.#wallMs());
  }

  #taken(dropped: number): void {
    this.#droppedThere = dropped;
    this.#settleHandOver();
    if (this.#waiting.length > 0) {
      this.#schedule();
    } else if (this.#trouble !== undefined) {
      this.#trouble = undefined;
      if (this.#keeper.state === 'writing') {
        // How the file began has been said.
        this.#keeper = { state: 'writing', why: undefined };
      }
      this.#sayHealth();
    }
  }

  #died(why: string): void {
    this.#droppedHere += this.#droppedThere + (this.#handedOver?.count ?? 0);
    this.#droppedThere = 0;
    this.#settleHandOver();
    this.#keeper = failing(`its thread has died: ${why}`);
    this.#sayHealth();
  }

  #settleHandOver(): void {
    clearTimeout(this.#handedOver?.timer);
    this.#handedOver = undefined;
  }

  #suspectDisk(timer: NodeJS.Timeout): void {
    // When it was this thread that had no time, the answer is there and will be heard before this.
    setImmediate(() => {
      if (this.#handedOver?.timer === timer) {
        this.#trouble ??= failing('its disk does not answer');
        this.#sayHealth();
      }
    });
  }

  #sayHealth(): void {
    const said = this.#trouble ?? this.#keeper;
    // What became of two files, one after the other, is said twice though it be the same.
    if (said !== this.#said) {
      this.#said = said;
      this.#saidAtMs = this.#wallMs();
      this.#options.onHealth(this.health);
    }
  }
}

function failing(why: string): KeeperState {
  return { state: 'failing', why };
}

/** Makes records of one tier's ticks. */
class TierRecorder {
  readonly #key: string;
  readonly #filter = new DecisionFilter();
  #sampleDueMs = Number.NEGATIVE_INFINITY;
  #setup: { readonly of: Pick<TierTicked, 'tier' | 'mode'>; readonly text: string } | undefined;

  constructor(key: string) {
    this.#key = key;
  }

  record(ticked: TierTicked, wallMs: number): readonly JournalRecord[] {
    const records: JournalRecord[] = [];
    const tier = this.#key;
    if (this.#isSampleDue(ticked.observation.atMs)) {
      records.push({ kind: 'sample', tier, row: sampleRow(ticked, wallMs) });
    }
    if (this.#filter.isWorthKeeping(ticked)) {
      const { observation, memory, tick } = ticked;
      const content = writeExactly({ observation, memory, tick });
      records.push({ kind: 'decision', tier, atMs: wallMs, setup: this.#setupOf(ticked), content });
    }
    return records;
  }

  /** Ticks are never exactly a second apart; over a minute, there are sixty samples all the same. */
  #isSampleDue(atMs: number): boolean {
    const lateMs = atMs - this.#sampleDueMs;
    if (lateMs < -SAMPLE_EARLY_MS) {
      return false;
    }
    this.#sampleDueMs = (lateMs < SAMPLE_MS ? this.#sampleDueMs : atMs) + SAMPLE_MS;
    return true;
  }

  #setupOf({ tier, mode }: TierTicked): string {
    const known = this.#setup;
    if (known?.of.tier === tier && known.of.mode === mode) {
      return known.text;
    }
    const text = JSON.stringify({ mode, tier });
    this.#setup = { of: { tier, mode }, text };
    return text;
  }
}
