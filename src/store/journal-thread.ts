import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UnreachableError } from '../control/errors.ts';
import type {
  Answers,
  FromKeeper,
  KeeperOptions,
  KeeperState,
  Question,
  ToKeeper,
} from './messages.ts';
import type { JournalRecord } from './records.ts';

/** Beside this file: `.ts` as checked out, `.js` as built. */
const WORKER_FILE = new URL(`./journal-worker${extname(import.meta.url)}`, import.meta.url);

/** Beyond this the thread ends, and not the process. */
const MEMORY = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 };

/** A question to a file that hangs is not waited for. */
const ANSWER_DEADLINE_MS = 5_000;
const MOST_QUESTIONS = 100;

/** Writing what is left takes milliseconds; this is a disk that hangs. */
const CLOSE_DEADLINE_MS = 3_000;
const TERMINATE_DEADLINE_MS = 1_000;

/** In paces: how long a thread must have lived to be started again at once, and the slowest restart. */
const SLOWEST_RESTART_PACES = 60;

export interface ThreadListener {
  /** `dropped`: records that the thread has taken over and not kept, since it began. */
  onTaken(dropped: number): void;
  onState(state: KeeperState): void;
  /** It ended by itself, which is a defect, or for want of memory; another one is started. */
  onDeath(why: string): void;
}

interface Asked {
  resolve(answer: Answers[Question['kind']]): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** The thread that keeps the file. It is started again when it dies, ever more slowly. */
export class JournalThread {
  readonly #options: KeeperOptions;
  readonly #listener: ThreadListener;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #lastId = 0;
  #deaths = 0;
  #startedMs = 0;
  #restart: NodeJS.Timeout | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: KeeperOptions, listener: ThreadListener) {
    this.#options = options;
    this.#listener = listener;
    this.#start();
  }

  /** False between the death of a thread and the start of the next one, and from `close` on. */
  get isRunning(): boolean {
    return this.#worker !== undefined && this.#closing === undefined;
  }

  post(records: readonly JournalRecord[], nowMs: number): void {
    this.#tell({ type: 'records', nowMs, records });
  }

  /** @throws UnreachableError when there is no answer, or none in time. */
  async ask<K extends Question['kind']>(
    question: Question & { readonly kind: K },
    nowMs: number,
  ): Promise<Answers[K]> {
    if (!this.isRunning) {
      throw new UnreachableError('the journal is not open');
    }
    if (this.#asked.size >= MOST_QUESTIONS) {
      throw new UnreachableError('too many questions to the journal wait for their answers');
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Answers[Question['kind']]>();
    const timer = setTimeout(() => {
      this.#settle(id)?.reject(new UnreachableError('the journal does not answer in time'));
    }, ANSWER_DEADLINE_MS);
    this.#asked.set(id, { resolve, reject, timer });
    this.#tell({ type: 'question', id, nowMs, question });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the thread answers in kind
    return (await promise) as Answers[K];
  }

  /** Lets it write what it has. @returns False when it hangs: the process cannot exit by itself then. */
  async close(): Promise<boolean> {
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === undefined) {
      return true;
    }
    this.#closing ??= Promise.withResolvers<void>();
    this.#tell({ type: 'close' });
    if (await isDoneWithin(CLOSE_DEADLINE_MS, this.#closing.promise)) {
      return true;
    }
    return await isDoneWithin(TERMINATE_DEADLINE_MS, worker.terminate());
  }

  #tell(message: ToKeeper): void {
    this.#worker?.postMessage(message);
  }

  #start(): void {
    const worker = new Worker(WORKER_FILE, {
      workerData: this.#options,
      resourceLimits: MEMORY,
      execArgv: [],
      name: 'journal',
    });
    // It never keeps the process alive.
    worker.unref();
    this.#worker = worker;
    this.#startedMs = performance.now();
    let death = 'it ended';
    worker.on('message', (message: FromKeeper) => this.#hear(message));
    worker.on('error', (error) => {
      death = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => this.#ended(death));
  }

  #hear(message: FromKeeper): void {
    switch (message.type) {
      case 'taken':
        return this.#listener.onTaken(message.dropped);
      case 'state':
        return this.#listener.onState({ state: message.state, why: message.why });
      case 'answer':
        return this.#settle(message.id)?.resolve(message.answer);
      case 'refusal':
        return this.#settle(message.id)?.reject(
          new UnreachableError(`the journal cannot be asked: ${message.why}`),
        );
      case 'closed':
        return this.#listener.onTaken(message.dropped);
    }
  }

  #ended(death: string): void {
    this.#worker = undefined;
    for (const id of this.#asked.keys()) {
      this.#settle(id)?.reject(new UnreachableError('the journal was closed'));
    }
    if (this.#closing !== undefined) {
      this.#closing.resolve();
      return;
    }
    const { paceMs } = this.#options;
    const slowestMs = SLOWEST_RESTART_PACES * paceMs;
    this.#deaths = performance.now() - this.#startedMs > slowestMs ? 0 : this.#deaths;
    const waitMs = Math.min(slowestMs, 2 ** this.#deaths * paceMs);
    this.#deaths += 1;
    this.#restart = setTimeout(() => this.#start(), waitMs).unref();
    this.#listener.onDeath(death);
  }

  #settle(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    clearTimeout(asked?.timer);
    this.#asked.delete(id);
    return asked;
  }
}

async function isDoneWithin(deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), deadlineMs);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
