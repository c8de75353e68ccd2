/** Holds every step of an elector to its rules, by a book of its own. */

import type {
  ElectorInput,
  ElectorSettings,
  ElectorState,
  LeaseRecord,
  LeaseRequest,
  Moment,
} from '../../src/leader/elector.ts';
import type { Term } from '../../src/scaler/term.ts';

const JITTER = 1.2;
const LONGEST_LEASE_MS = 60_000;

export class Audit {
  readonly #settings: ElectorSettings;
  /** The last version seen, and when; `absent`: none. */
  #seen: { readonly lease: LeaseRecord; readonly sinceMs: number } | 'absent' | undefined;
  #isDoubted = false;
  #newest: Term | undefined;
  #outstanding: LeaseRequest | undefined;
  #lastRead: number | undefined;
  #lastWrite: number | undefined;
  /** The last write to acquire or renew. */
  #claim: (LeaseRequest & { readonly kind: 'replace' }) | undefined;
  /** When the write was sent that is the last to have succeeded, and the term that it made ours. */
  #reign: { readonly sentAtMs: number; readonly term: Term; readonly uid: string } | undefined;
  #leaving: 'resign' | 'release' | undefined;
  #releaseAskedMs: number | undefined;
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(settings: ElectorSettings) {
    this.#settings = settings;
  }

  /** @throws When the step was not by the rules. */
  check(
    before: ElectorState | undefined,
    input: ElectorInput,
    { steadyMs: nowMs }: Moment,
    after: ElectorState,
  ): void {
    this.#passTime(nowMs);
    this.#take(input, nowMs);
    if (this.#outstanding === undefined) {
      this.#endLeavingIf(this.#hasNothingToRelease());
    }
    this.#checkReign(after, nowMs);
    const sent = after.request;
    if (sent !== undefined && sent.id !== before?.request?.id) {
      this.#checkRequest(sent, nowMs);
    } else {
      this.#require(sent?.id === this.#outstanding?.id, 'it waits for what is not outstanding');
      this.#checkIdle(after, nowMs);
    }
    this.#checkWake(after, nowMs);
  }

  #require(isSo: boolean, otherwise: string): asserts isSo {
    if (!isSo) {
      throw new Error(`${this.#settings.identity}: ${otherwise}`);
    }
  }

  get #deadlineMs(): number {
    return this.#settings.renewDeadlineMs;
  }

  #passTime(nowMs: number): void {
    if (this.#reign !== undefined && nowMs >= this.#reign.sentAtMs + this.#deadlineMs) {
      this.#reign = undefined;
    }
    const request = this.#outstanding;
    if (request !== undefined && nowMs >= request.sentAtMs + this.#deadlineMs / 3) {
      this.#outstanding = undefined;
      this.#endLeavingIf(isReadOrRelease(request));
    }
  }

  #take(input: ElectorInput, nowMs: number): void {
    if (input.kind === 'resign' && this.#reign !== undefined) {
      this.#reign = undefined;
      this.#leaving ??= 'resign';
      this.#restsUntilMs = nowMs + 2 * this.#settings.leaseMs;
    } else if (input.kind === 'release') {
      this.#reign = undefined;
      this.#leaving = 'release';
      this.#releaseAskedMs = nowMs;
    } else if (input.kind === 'answer' && input.id === this.#outstanding?.id) {
      const request = this.#outstanding;
      this.#outstanding = undefined;
      this.#takeAnswer(request, input.answer, nowMs);
    }
  }

  #takeAnswer(
    request: LeaseRequest,
    answer: Extract<ElectorInput, { kind: 'answer' }>['answer'],
    nowMs: number,
  ): void {
    switch (answer.kind) {
      case 'failed':
        this.#endLeavingIf(isReadOrRelease(request));
        return;
      case 'conflict':
        this.#isDoubted = true;
        return;
      case 'absent':
        if (request.kind !== 'create') {
          this.#reign = undefined;
          this.#seen = 'absent';
          this.#isDoubted = false;
          this.#endLeavingIf(true);
        }
        return;
      case 'lease':
        this.#see(answer.lease, nowMs);
        this.#judge(request, answer.lease);
    }
  }

  #see(lease: LeaseRecord, nowMs: number): void {
    const before = this.#seen === 'absent' ? undefined : this.#seen;
    const isSame =
      before?.lease.uid === lease.uid && before.lease.resourceVersion === lease.resourceVersion;
    this.#seen = { lease, sinceMs: isSame ? before.sinceMs : nowMs };
    this.#isDoubted = false;
    if (this.#newest === undefined || compare(lease, this.#newest) > 0) {
      this.#newest = lease;
    }
  }

  #judge(request: LeaseRequest, lease: LeaseRecord): void {
    const reign = this.#reign;
    if (request.kind === 'read' && reign !== undefined) {
      const isOurs =
        lease.holder === this.#settings.identity &&
        lease.uid === reign.uid &&
        compare(lease, reign.term) === 0;
      this.#reign = isOurs ? reign : undefined;
    } else if (request.kind === 'replace') {
      if (request.purpose === 'acquire' && this.#leaving === undefined) {
        const { createdAtSeconds, transitions, uid } = lease;
        this.#reign = {
          sentAtMs: request.sentAtMs,
          term: { createdAtSeconds, transitions },
          uid,
        };
      } else if (request.purpose === 'renew' && reign !== undefined) {
        this.#reign = { ...reign, sentAtMs: request.sentAtMs };
      } else if (request.purpose === 'release') {
        this.#endLeavingIf(true);
      }
    }
  }

  #hasNothingToRelease(): boolean {
    const seen = this.#seen;
    return seen === undefined || seen === 'absent' || seen.lease.holder !== this.#settings.identity;
  }

  #endLeavingIf(isOver: boolean): void {
    if (isOver && this.#leaving !== undefined) {
      this.#isClosed ||= this.#leaving === 'release';
      this.#leaving = undefined;
    }
  }

  #checkReign({ reign }: ElectorState, nowMs: number): void {
    this.#require(
      (reign === undefined) === (this.#reign === undefined),
      `at ${nowMs} it ${reign === undefined ? 'does not lead, though it should' : 'leads, though it must not'}`,
    );
    if (reign !== undefined && this.#reign !== undefined) {
      this.#require(compare(reign.term, this.#reign.term) === 0, 'its term is another one');
      const untilMs = this.#reign.sentAtMs + this.#deadlineMs;
      this.#require(
        Math.abs(reign.untilMs - untilMs) < 1e-3,
        `it leads until ${reign.untilMs}, not until ${untilMs}`,
      );
    }
  }

  #checkRequest(sent: LeaseRequest, nowMs: number): void {
    const { retryMs } = this.#settings;
    this.#require(this.#outstanding === undefined, 'two requests are outstanding');
    this.#require(sent.sentAtMs === nowMs, 'a request is dated back');
    this.#require(!this.#isClosed, 'it is closed, and sends');
    this.#outstanding = sent;
    if (sent.kind === 'read') {
      this.#require(
        this.#lastRead === undefined || nowMs - this.#lastRead >= retryMs / 2,
        'it reads too often',
      );
      this.#require(
        this.#reign === undefined || this.#isDoubted,
        'it leads, and reads without a conflict',
      );
      this.#lastRead = nowMs;
      return;
    }
    const isRelease = sent.kind === 'replace' && sent.purpose === 'release';
    this.#require(
      isRelease || this.#lastWrite === undefined || nowMs - this.#lastWrite >= retryMs,
      'it writes too often',
    );
    this.#lastWrite = nowMs;
    if (sent.kind === 'create') {
      this.#checkCreate(sent, nowMs);
    } else {
      this.#checkReplace(sent, nowMs);
    }
  }

  #checkCreate({ content }: LeaseRequest & { readonly kind: 'create' }, nowMs: number): void {
    this.#require(this.#seen === 'absent' && !this.#isDoubted, 'it creates what is there');
    this.#require(this.#leaving === undefined, 'it is leaving, and creates');
    this.#require(nowMs >= this.#restsUntilMs, 'it rests, and creates');
    this.#require(content.holder === '' && content.transitions === 0, 'a new lease is held');
    this.#require(content.leaseSeconds * 1000 === this.#settings.leaseMs, 'another duration');
  }

  #checkReplace(sent: LeaseRequest & { readonly kind: 'replace' }, nowMs: number): void {
    const { content, purpose } = sent;
    const seen = this.#seen;
    this.#require(seen !== undefined && seen !== 'absent', 'it replaces what it has not seen');
    this.#require(!this.#isDoubted, 'it replaces what it knows to have changed');
    const { lease } = seen;
    this.#require(
      sent.uid === lease.uid && sent.resourceVersion === lease.resourceVersion,
      'it replaces another version than it has seen',
    );
    if (purpose === 'release') {
      this.#require(this.#leaving !== undefined, 'it releases without being asked');
      this.#require(lease.holder === this.#settings.identity, 'it releases what is not its own');
      this.#require(content.holder === '' && content.leaseSeconds === 1, 'it is not released');
      this.#require(content.transitions === lease.transitions, 'a release changes the term');
      return;
    }
    this.#require(this.#leaving === undefined, `it is leaving, and would ${purpose}`);
    this.#require(content.holder === this.#settings.identity, 'it writes another name');
    this.#require(content.leaseSeconds * 1000 === this.#settings.leaseMs, 'another duration');
    if (purpose === 'renew') {
      this.#require(this.#reign !== undefined, 'it renews, and does not lead');
      this.#require(
        content.transitions === this.#reign.term.transitions &&
          content.acquiredAtMs === lease.acquiredAtMs,
        'a renewal changes more than its time',
      );
    } else {
      this.#checkAcquisition(seen, content.transitions, nowMs);
    }
    this.#claim = sent;
  }

  #checkAcquisition(
    { lease, sinceMs }: { readonly lease: LeaseRecord; readonly sinceMs: number },
    transitions: number,
    nowMs: number,
  ): void {
    this.#require(this.#reign === undefined, 'it leads, and acquires');
    this.#require(nowMs >= this.#restsUntilMs, 'it rests, and acquires');
    this.#require(this.#isFree(lease, sinceMs, nowMs), `at ${nowMs} it acquires what is held`);
    const newest = this.#newest!;
    this.#require(!this.#isOld(lease), 'the lease is an older one');
    const expected =
      newest.createdAtSeconds === lease.createdAtSeconds
        ? Math.max(newest.transitions, lease.transitions) + 1
        : lease.transitions + 1;
    this.#require(transitions === expected, `transitions ${transitions}, not ${expected}`);
  }

  /** No reign upon it could have a newer term. */
  #isOld({ createdAtSeconds }: LeaseRecord): boolean {
    return this.#newest !== undefined && this.#newest.createdAtSeconds > createdAtSeconds;
  }

  #isFree(lease: LeaseRecord, sinceMs: number, nowMs: number): boolean {
    const isReleased = lease.holder === '' && lease.leaseSeconds === 1;
    const isOurs =
      this.#claim !== undefined &&
      lease.holder === this.#settings.identity &&
      lease.uid === this.#claim.uid &&
      lease.transitions === this.#claim.content.transitions &&
      nowMs < this.#claim.sentAtMs + this.#deadlineMs;
    const writtenMs = Math.min((lease.leaseSeconds ?? 0) * 1000, LONGEST_LEASE_MS);
    const isOver = nowMs >= sinceMs + Math.max(this.#settings.leaseMs, writtenMs);
    return isReleased || isOurs || isOver;
  }

  /** Nothing was sent: nothing may have been due. */
  #checkIdle({ isClosed }: ElectorState, nowMs: number): void {
    const { retryMs, renewDeadlineMs } = this.#settings;
    if (this.#releaseAskedMs !== undefined && !isClosed) {
      const longestMs = 4 * (renewDeadlineMs / 3) + JITTER * retryMs;
      // Timers are a bit late, and stopped processes are.
      this.#require(
        nowMs - this.#releaseAskedMs < longestMs + 120_000,
        'it was asked to leave long ago',
      );
    }
    if (this.#outstanding !== undefined || isClosed || this.#leaving !== undefined) {
      return;
    }
    const sinceRead = nowMs - (this.#lastRead ?? Number.NEGATIVE_INFINITY);
    const sinceWrite = nowMs - (this.#lastWrite ?? Number.NEGATIVE_INFINITY);
    if (this.#reign !== undefined && !this.#isDoubted) {
      this.#require(sinceWrite < retryMs + 1e-6, 'it leads, and a renewal is overdue');
    } else {
      this.#require(sinceRead <= JITTER * (retryMs / 2) + 1e-6, 'a look at the lease is overdue');
    }
    const seen = this.#seen;
    const mayWrite = sinceWrite >= retryMs && nowMs >= this.#restsUntilMs;
    if (this.#reign === undefined && mayWrite && seen !== undefined && !this.#isDoubted) {
      const isFree =
        seen === 'absent' ||
        (!this.#isOld(seen.lease) && this.#isFree(seen.lease, seen.sinceMs, nowMs - 1e-6));
      this.#require(!isFree, 'the lease is free, and not contended for');
    }
  }

  #checkWake({ wakeAtMs, reign, isClosed, request }: ElectorState, nowMs: number): void {
    if (isClosed && request === undefined) {
      return;
    }
    this.#require(wakeAtMs > nowMs, `it wants to wake at ${wakeAtMs}, and it is ${nowMs}`);
    this.#require(wakeAtMs <= (reign?.untilMs ?? wakeAtMs), 'it would sleep over its deadline');
    const { renewDeadlineMs, retryMs } = this.#settings;
    const soonest = request === undefined ? retryMs * JITTER : renewDeadlineMs / 3;
    this.#require(wakeAtMs <= nowMs + soonest + 1e-6, 'it sleeps too long');
  }
}

function isReadOrRelease(request: LeaseRequest): boolean {
  return request.kind === 'read' || (request.kind === 'replace' && request.purpose === 'release');
}

function compare(one: Term, other: Term): number {
  return one.createdAtSeconds === other.createdAtSeconds
    ? one.transitions - other.transitions
    : one.createdAtSeconds - other.createdAtSeconds;
}
