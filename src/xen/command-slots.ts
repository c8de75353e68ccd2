import { UnreachableError } from '../control/errors.ts';

/** A question changes nothing and is quick; an order changes the host and may take minutes. */
export type CommandKind = 'question' | 'order';

/** sshd admits 10 sessions to a connection (`MaxSessions`). */
const MOST_AT_ONCE = 8;
/** Questions keep a place of their own: a host that is asked too late would be taken for lost. */
const MOST_ORDERS_AT_ONCE = 7;
/** More wait only if something is wrong. */
const MOST_WAITING = 64;

interface Waiting {
  readonly kind: CommandKind;
  readonly goOn: () => void;
}

/** Lets so many commands run at once on one host; the others wait for their turn, in the order they came. */
export class CommandSlots {
  readonly #host: string;
  readonly #running = { question: 0, order: 0 };
  #waiting: readonly Waiting[] = [];

  constructor(host: string) {
    this.#host = host;
  }

  /**
   * Resolves when it is the command's turn.
   *
   * @returns What to call when the command has ended.
   * @throws UnreachableError when `signal` is aborted before, or when too many wait: nothing was sent.
   */
  async take(kind: CommandKind, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) {
      throw this.#gaveUp(signal);
    }
    if (!this.#isFree(kind)) {
      await this.#wait(kind, signal);
    } else {
      this.#running[kind] += 1;
    }
    return () => {
      this.#running[kind] -= 1;
      this.#admit();
    };
  }

  async #wait(kind: CommandKind, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) {
      throw new UnreachableError(
        `${this.#host} was not asked: ${MOST_WAITING} commands wait for their turn already`,
      );
    }
    const turn = Promise.withResolvers<void>();
    const waiting = { kind, goOn: turn.resolve };
    const giveUp = (): void => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      turn.reject(this.#gaveUp(signal));
    };
    this.#waiting = [...this.#waiting, waiting];
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Whoever goes on is counted here, before anybody else can take the place. */
  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#isFree(waiting.kind)) {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        this.#running[waiting.kind] += 1;
        waiting.goOn();
      }
    }
  }

  #isFree(kind: CommandKind): boolean {
    const { question, order } = this.#running;
    return question + order < MOST_AT_ONCE && (kind === 'question' || order < MOST_ORDERS_AT_ONCE);
  }

  #gaveUp(signal: AbortSignal): UnreachableError {
    return new UnreachableError(`${this.#host} was not asked: given up before its turn`, {
      cause: signal.reason,
    });
  }
}
