import { isSameTerm, type Term } from '../scaler/term.ts';
import type { Clock } from './clock.ts';
import { within } from './deadline.ts';
import { UnreachableError } from './errors.ts';
import type { Recorder } from './events.ts';
import type { Hypervisor } from './ports.ts';

interface Fence {
  /** `seen`: acknowledged, and looked at since. */
  state: 'asking' | 'acknowledged' | 'seen' | 'failed';
  /** It has failed at least once; said once. */
  hasFailed: boolean;
  /** Nothing is begun anywhere before this is over. */
  isAwaited: boolean;
  /** Of the last answer. Steady clock. */
  answeredAtMs: number;
}

const RETRY_PAUSE_MS = 1_000;

/**
 * Shows each host the term in force before anything is done there, so that what a former leader has ordered, and
 * what it may still order because it does not know, is refused.
 *
 * A host is fenced when it was looked at after it has acknowledged: only then all that former leaders have done there is
 * known. A reign begins when every host that answers is fenced, or has failed to acknowledge; those that have failed are
 * shown the term again each second, and nothing is begun or taken away there until they are fenced. A host that comes
 * later, by another config, is waited for in the same way: what it has is not known until then.
 */
export class Fences {
  readonly #clock: Clock;
  readonly #recorder: Recorder;
  #term: Term | undefined;
  #hasBegun = false;
  readonly #fences = new Map<string, Fence>();

  constructor({ clock, recorder }: { readonly clock: Clock; readonly recorder: Recorder }) {
    this.#clock = clock;
    this.#recorder = recorder;
  }

  /** Whether anything may be done by the term in force. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** A term is in force, and hosts are awaited. */
  get isBeginning(): boolean {
    return this.#term !== undefined && !this.#hasBegun;
  }

  /** False for a host that may still take orders of whoever led before. */
  isFenced(host: string): boolean {
    const fence = this.#fences.get(host);
    return !this.#hasBegun || fence === undefined || fence.state === 'seen';
  }

  /**
   * To be called at each tick.
   *
   * @param term - The one in force; `undefined`: none.
   * @param silent - Hosts that do not answer now: a reign does not wait for them.
   * @param askedAtMs - When the latest answer of this host was asked for.
   * @param onAnswer - Called when a host has acknowledged or failed.
   */
  keep(
    term: Term | undefined,
    hosts: Iterable<Hypervisor>,
    around: {
      readonly silent: ReadonlySet<string>;
      readonly askedAtMs: (host: string) => number;
      readonly signal: AbortSignal;
      readonly onAnswer: (host: string) => void;
    },
  ): void {
    if (!isSameTerm(term, this.#term)) {
      this.#term = term;
      this.#hasBegun = false;
      this.#fences.clear();
    }
    if (term === undefined) {
      return;
    }
    let isWaiting = false;
    for (const port of hosts) {
      if (port.fence === undefined) {
        continue;
      }
      const fence = this.#fenceOf(port.host);
      const rested = this.#clock.steadyMs() >= fence.answeredAtMs + RETRY_PAUSE_MS;
      if (fence.state === 'failed' && rested) {
        void this.#show(term, port, fence, around);
      } else if (
        fence.state === 'acknowledged' &&
        around.askedAtMs(port.host) >= fence.answeredAtMs
      ) {
        fence.state = 'seen';
      }
      // Once it has kept silent or failed, the reign goes on without it, whatever it says later.
      fence.isAwaited &&=
        fence.state !== 'seen' && !fence.hasFailed && !around.silent.has(port.host);
      isWaiting ||= fence.isAwaited;
    }
    this.#hasBegun = !isWaiting;
  }

  #fenceOf(host: string): Fence {
    let fence = this.#fences.get(host);
    if (fence === undefined) {
      fence = {
        state: 'failed',
        hasFailed: false,
        isAwaited: true,
        answeredAtMs: Number.NEGATIVE_INFINITY,
      };
      this.#fences.set(host, fence);
    }
    return fence;
  }

  async #show(
    term: Term,
    port: Hypervisor,
    fence: Fence,
    {
      signal,
      onAnswer,
    }: { readonly signal: AbortSignal; readonly onAnswer: (host: string) => void },
  ): Promise<void> {
    const { host, pace } = port;
    fence.state = 'asking';
    const ms = pace.answerWithinMs;
    const late = (): Error => new UnreachableError(`${host} did not answer within ${ms} ms`);
    let failure: unknown;
    try {
      await within({ clock: this.#clock, ms, late }, signal, async (until) =>
        port.fence?.(term, until),
      );
    } catch (error) {
      failure = error;
    }
    if (this.#fences.get(host) !== fence || signal.aborted) {
      // Another term is in force, or none.
      return;
    }
    const isNews = failure === undefined || !fence.hasFailed;
    fence.state = failure === undefined ? 'acknowledged' : 'failed';
    fence.hasFailed ||= failure !== undefined;
    fence.answeredAtMs = this.#clock.steadyMs();
    if (isNews) {
      this.#recorder.record({ type: 'host-fenced', host, term, error: failure });
    }
    onAnswer(host);
  }
}
