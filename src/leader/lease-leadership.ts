/** Leadership among replicas, by a Kubernetes Lease. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../control/clock.ts';
import { ConfigError } from '../control/errors.ts';
import type { Term } from '../scaler/term.ts';
import {
  type BlockReason,
  blockedBy,
  type ElectorInput,
  type ElectorSettings,
  type ElectorState,
  type LeaseRecord,
  type LeaseRequest,
  leadsAt,
  type LossReason,
  startElector,
  stepElector,
} from './elector.ts';
import { type LeaseApi, type LeaseName, openLeaseApi } from './lease-api.ts';
import type { Contender, LeaseHolder, Standing } from './standing.ts';

export interface LeaseLeadershipOptions extends LeaseName, Omit<ElectorSettings, 'identity'> {
  readonly clock: Clock;
  /** Told of each change, never twice of the same. It must not throw or act. */
  readonly onChange?: (standing: Standing) => void;
  /** Told why the lease cannot be read or written, each reason once; `undefined`: it can again. */
  readonly onTrouble?: (why: string | undefined) => void;
}

const LOSSES: Readonly<Record<Exclude<LossReason, 'released'>, string>> = {
  'not-renewed': 'the lease could not be renewed in time',
  taken: 'the lease is not ours any more: another one has it, or it was edited',
  deleted: 'the lease was deleted',
  resigned: 'it resigned, because it could not work',
};

const BLOCKS: Readonly<Record<BlockReason, string>> = {
  'lease-older-than-one-seen':
    'the lease is older than one that was seen before, so hosts would not take its term: delete it, and it is made anew',
  'transitions-at-end':
    'leaseTransitions of the lease is higher than hosts take: delete the lease, and it is made anew',
};

/**
 * Contends for the Lease at once and for as long as it is open. How is in elector.ts; here is only what steps it:
 * the clock, and the API server's answers.
 *
 * @throws ConfigError when the timings cannot be.
 */
export function createLeaseLeadership(options: LeaseLeadershipOptions): Contender {
  return new LeaseLeadership(options);
}

class LeaseLeadership implements Contender {
  readonly started: Promise<'leader' | 'follower'>;
  readonly #options: LeaseLeadershipOptions;
  readonly #settings: ElectorSettings;
  #state: ElectorState;
  #api: LeaseApi | undefined;
  /** Of the last read and of the last write: that the lease can be read does not mean that it can be written. */
  readonly #troubles: { read?: string; write?: string } = {};
  #trouble: string | undefined;
  #standing: Standing | undefined;
  #isClosing = false;
  readonly #closed = Promise.withResolvers<void>();
  /** Of the request that is outstanding, and of the sleep until the next step. */
  #request = new AbortController();
  #sleep = new AbortController();

  constructor(options: LeaseLeadershipOptions) {
    const { leaseMs, renewDeadlineMs, retryMs } = options;
    const identity = `${hostname()}_${randomUUID()}`;
    this.#options = options;
    this.#settings = { identity, leaseMs, renewDeadlineMs, retryMs };
    // Not sent before there is an API to send it to.
    this.#state = startElector(this.#settings, this.#moment());
    this.started = this.#open();
    // Whoever waits for it hears of it.
    this.started.catch(() => undefined);
  }

  term(): Term | undefined {
    return leadsAt(this.#state, this.#options.clock.steadyMs());
  }

  holder(): LeaseHolder | undefined {
    const { seen } = this.#state;
    if (seen.kind !== 'lease' || seen.lease.holder === '') {
      return undefined;
    }
    const { holder: identity, acquiredAtMs: sinceMs, createdAtSeconds, transitions } = seen.lease;
    const isOwn = this.#isOwn(seen.lease);
    return { identity, isOwn, sinceMs, term: { createdAtSeconds, transitions } };
  }

  get trouble(): string | undefined {
    const block = blockedBy(this.#state);
    return this.#trouble ?? (block === undefined ? undefined : BLOCKS[block]);
  }

  resign(): void {
    this.#step({ kind: 'resign' });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#api === undefined) {
      this.#end();
    } else {
      this.#step({ kind: 'release' });
    }
    await this.#closed.promise;
  }

  /** @throws ConfigError */
  async #open(): Promise<'follower'> {
    const api = await openLeaseApi(this.#options);
    if (!this.#isClosing) {
      this.#api = api;
      // The moment at which it was started has nothing to do with the moment at which it can begin.
      this.#state = startElector(this.#settings, this.#moment());
      this.#follow(undefined);
    }
    return 'follower';
  }

  #step(input: ElectorInput): void {
    if (this.#api === undefined) {
      return;
    }
    const before = this.#state;
    this.#state = stepElector(this.#settings, before, input, this.#moment());
    this.#follow(before);
  }

  /** Does what a step asks for. */
  #follow(before: ElectorState | undefined): void {
    const { request, isClosed, wakeAtMs } = this.#state;
    if (request?.id !== before?.request?.id) {
      this.#request.abort();
      if (request !== undefined) {
        void this.#send(request);
      }
    }
    this.#tellStanding(before);
    this.#sleep.abort();
    if (isClosed && request === undefined) {
      this.#end();
    } else {
      void this.#wakeAt(wakeAtMs);
    }
  }

  async #send(request: LeaseRequest): Promise<void> {
    const { id } = request;
    const ending = new AbortController();
    this.#request = ending;
    const reply = await this.#api?.send(request, ending.signal);
    if (reply === undefined || ending.signal.aborted) {
      return;
    }
    const { answer, why } = reply;
    // That there is none yet, and that somebody was quicker, belongs to an election.
    const isExpected =
      answer.kind === 'lease' ||
      answer.kind === 'conflict' ||
      (answer.kind === 'absent' && request.kind !== 'create');
    this.#noteTrouble(request, isExpected ? undefined : why);
    if (answer.kind === 'lease' && answer.lease.holder !== '' && !this.#isOwn(answer.lease)) {
      // Another one can write it, and nobody else needs to.
      this.#noteTrouble({ kind: 'replace' }, undefined);
    }
    this.#step({ kind: 'answer', id, answer });
  }

  async #wakeAt(atMs: number): Promise<void> {
    const { clock } = this.#options;
    const sleep = new AbortController();
    this.#sleep = sleep;
    try {
      await clock.sleep(Math.max(0, atMs - clock.steadyMs()), sleep.signal);
    } catch (error) {
      if (sleep.signal.aborted) {
        return;
      }
      throw error;
    }
    const given = this.#state.request;
    this.#step({ kind: 'tick' });
    if (given !== undefined && this.#state.request?.id !== given.id) {
      this.#noteTrouble(given, 'the API server does not answer in time');
    }
  }

  #end(): void {
    this.#sleep.abort();
    this.#request.abort();
    this.#closed.resolve();
  }

  #tellStanding(before: ElectorState | undefined): void {
    const { reign, lost, seen } = this.#state;
    if (this.#isClosing) {
      // That it leads no more is what it was asked for.
      return;
    }
    const holder = this.holder();
    if (reign !== undefined && holder !== undefined) {
      // Once for each reign, whatever else is edited in its lease meanwhile.
      if (reign.term !== before?.reign?.term) {
        this.#tell({ kind: 'leader', holder: { ...holder, term: reign.term } });
      }
      return;
    }
    if (before?.reign !== undefined && lost !== undefined && lost !== 'released') {
      this.#tell({ kind: 'lost', why: LOSSES[lost] });
    }
    const block = blockedBy(this.#state);
    if (block !== undefined) {
      this.#tell({ kind: 'blocked', error: new ConfigError(BLOCKS[block]) });
    } else if (seen.kind !== 'unknown' && this.#isFollowing) {
      this.#tell({ kind: 'follower', holder: holder?.isOwn === true ? undefined : holder });
    }
  }

  /** After a loss, what is known of the lease is of before, until it was read again. */
  get #isFollowing(): boolean {
    const { seen, request } = this.#state;
    return seen.kind !== 'lease' || (seen.isCurrent && request?.kind !== 'replace');
  }

  #tell(standing: Standing): void {
    if (!isDeepStrictEqual(standing, this.#standing)) {
      this.#standing = standing;
      this.#options.onChange?.(standing);
    }
  }

  #noteTrouble({ kind }: Pick<LeaseRequest, 'kind'>, why: string | undefined): void {
    const troubles = this.#troubles;
    const what = kind === 'read' ? 'read' : 'write';
    if (why === undefined) {
      delete troubles[what];
    } else {
      troubles[what] = why;
    }
    const trouble = troubles.write ?? troubles.read;
    if (trouble !== this.#trouble) {
      this.#trouble = trouble;
      this.#options.onTrouble?.(trouble);
    }
  }

  #isOwn({ holder }: LeaseRecord): boolean {
    return holder === this.#settings.identity;
  }

  #moment() {
    const { clock } = this.#options;
    return { steadyMs: clock.steadyMs(), wallMs: clock.wallMs(), chance: Math.random() };
  }
}
