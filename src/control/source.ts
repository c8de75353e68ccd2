import type { Clock } from './clock.ts';
import { within } from './deadline.ts';
import { UnreachableError } from './errors.ts';
import type { Recorder, SourceKind } from './events.ts';

/** One answer of a source, stamped with when it was asked: what happened later is not in it. */
export interface Snapshot<T> {
  readonly askedAtMs: number;
  readonly value: T;
}

/** When a snapshot was asked for; `-Infinity` when there is none. */
export function stampOf(snapshot: Snapshot<unknown> | undefined): number {
  return snapshot?.askedAtMs ?? Number.NEGATIVE_INFINITY;
}

interface SourceOptions<T> {
  readonly kind: SourceKind;
  readonly name: string;
  readonly ask: (signal: AbortSignal) => Promise<T>;
  /** How long to wait after an answer; asked each time. */
  readonly intervalMs: () => number;
  /** A question that takes longer has failed this once. */
  readonly answerWithinMs: number;
  /** What one of the same name has answered before. */
  readonly before?: Snapshot<T> | undefined;
  readonly clock: Clock;
  readonly recorder: Recorder;
}

/** So many reasons of one silence are said, whoever words them. */
const mostReasons = 10;

/** Asks one source at its own pace and keeps its latest answer. A slow source delays nobody else. */
export class Source<T> {
  readonly name: string;
  readonly #options: SourceOptions<T>;
  #latest: Snapshot<T> | undefined;
  /** Undefined until the first answer or failure. */
  #failing: boolean | undefined;
  #lastFailure = 'not asked yet';
  /** Of this silence, without their numbers: those are others each time. */
  readonly #saidReasons = new Set<string>();
  #wake: AbortController | undefined;
  /** Whatever it is just being asked, the next question follows at once. */
  #asksAnew = false;

  constructor(options: SourceOptions<T>) {
    this.name = options.name;
    this.#options = options;
    this.#latest = options.before;
  }

  get latest(): Snapshot<T> | undefined {
    return this.#latest;
  }

  /** Why it has not answered yet; `undefined` once it has. */
  get whyUnanswered(): string | undefined {
    return this.#latest === undefined ? this.#lastFailure : undefined;
  }

  /** Why it does not answer now; `undefined` while it does. */
  get failure(): string | undefined {
    return this.#failing === true ? this.#lastFailure : undefined;
  }

  /** True once it has answered or failed. */
  get isHeard(): boolean {
    return this.#failing !== undefined;
  }

  /** Asks once. @returns The answer, or `undefined` when it failed; each reason of a silence is recorded once. */
  async ask(signal: AbortSignal): Promise<Snapshot<T> | undefined> {
    const { kind, name, answerWithinMs, clock, recorder } = this.#options;
    const askedAtMs = clock.steadyMs();
    const late = (): Error =>
      new UnreachableError(`${name} did not answer within ${answerWithinMs} ms`);
    const sayAsked = (): void =>
      recorder.record({
        type: 'source-asked',
        kind,
        name,
        durationMs: clock.steadyMs() - askedAtMs,
      });
    try {
      const deadline = { clock, ms: answerWithinMs, late };
      this.#latest = { askedAtMs, value: await within(deadline, signal, this.#options.ask) };
      sayAsked();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // Wherever it is shown, the name stands before it already.
      const own = [`${name}: `, `${kind} ${name}: `].find((start) => message.startsWith(start));
      this.#lastFailure = message.slice(own?.length ?? 0);
      if (!signal.aborted) {
        sayAsked();
        this.#failing = true;
        if (this.#isNewReason()) {
          recorder.record({ type: 'source-failed', kind, name, error });
        }
      }
      return undefined;
    }
    if (this.#failing !== false) {
      this.#failing = false;
      this.#saidReasons.clear();
      recorder.record({ type: 'source-answered', kind, name });
    }
    return this.#latest;
  }

  /** Asks until the signal is aborted; `onSnapshot` sees each answer. */
  async run(
    onSnapshot: (snapshot: Snapshot<T>) => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const snapshot = await this.ask(signal);
      if (snapshot !== undefined && !signal.aborted) {
        await onSnapshot(snapshot);
      }
      await this.#pause(signal);
    }
  }

  /** Ends the present pause: something was done there, so its last answer is old. */
  poke(): void {
    this.#wake?.abort();
  }

  /** Ends the present pause, or leaves out the next one: an answer that is under way is old, too. */
  askAnew(): void {
    this.#asksAnew = true;
    this.poke();
  }

  /** True once for each reason: behind "nobody listens" there may be a password that is not accepted. */
  #isNewReason(): boolean {
    const reason = this.#lastFailure.replaceAll(/[0-9]+/g, '0');
    const isNew = !this.#saidReasons.has(reason) && this.#saidReasons.size < mostReasons;
    if (isNew) {
      this.#saidReasons.add(reason);
    }
    return isNew;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#asksAnew) {
      this.#asksAnew = false;
      return;
    }
    const wake = new AbortController();
    this.#wake = wake;
    // Not `AbortSignal.any`: of a signal that lives as long as the service, each pause would leave a trace.
    const end = (): void => wake.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    await this.#options.clock.sleep(this.#options.intervalMs(), wake.signal).catch(() => undefined);
    signal.removeEventListener('abort', end);
    this.#asksAnew = false;
  }
}
