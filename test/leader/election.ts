/** Electors, one API server and two hosts in virtual time, with all that befalls them; driven by one seed. */

import { createRandom } from '../../src/embedded/random.ts';
import {
  type ElectorInput,
  type ElectorSettings,
  type ElectorState,
  type LeaseAnswer,
  type LeaseRecord,
  type LeaseRequest,
  leadsAt,
  type Moment,
  startElector,
  stepElector,
} from '../../src/leader/elector.ts';
import type { Term } from '../../src/scaler/term.ts';
import { Audit } from './election-audit.ts';

/** What is tried: the elector's functions, or those of another text. */
export interface Machine {
  readonly startElector: typeof startElector;
  readonly stepElector: typeof stepElector;
  readonly leadsAt: typeof leadsAt;
}

const ELECTOR: Machine = { startElector, stepElector, leadsAt };

/** How an elector's way to the API server is, until somebody changes it. */
export interface Link {
  /** Each way takes between the two. */
  readonly delayMs: readonly [number, number];
  /** Of requests that get lost on their way, and of answers on theirs. */
  readonly lossRatio: number;
  /** Of requests that are refused at once. */
  readonly refuseRatio: number;
  /** Of requests that arrive half a minute later. */
  readonly lateRatio: number;
}

export const GOOD_LINK: Link = { delayMs: [1, 30], lossRatio: 0, refuseRatio: 0, lateRatio: 0 };

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export interface Command {
  readonly term: Term;
  readonly verb: 'fence' | 'create' | 'destroy';
  /** Of which reign: the elector's identity and a number. */
  readonly reign: string;
}

/** What `rackfire-dom0` does with terms. */
export class Host {
  readonly accepted: (Command & { readonly atMs: number })[] = [];
  #newest: Term = { createdAtSeconds: 0, transitions: 0 };
  #fenced: Term | undefined;

  order(command: Command, atMs: number): boolean {
    const { term, verb } = command;
    if (isOlder(term, this.#newest)) {
      return false;
    }
    this.#newest = term;
    if (verb === 'fence') {
      this.#fenced = term;
    } else if (verb === 'create' && (this.#fenced === undefined || !isSame(this.#fenced, term))) {
      return false;
    }
    this.accepted.push({ ...command, atMs });
    return true;
  }
}

/** The Lease object, and who may write it when. */
class ApiServer {
  lease: LeaseRecord | undefined;
  latestOffsetMs = 1_700_000_000_000;
  #offsetMs = this.latestOffsetMs;
  #versions = 0;
  #uids = 0;

  /** Of its wall clock. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  set offsetMs(offsetMs: number) {
    this.#offsetMs = offsetMs;
    this.latestOffsetMs = Math.max(this.latestOffsetMs, offsetMs);
  }

  carryOut(request: LeaseRequest, nowMs: number): LeaseAnswer {
    const { lease } = this;
    if (request.kind === 'create') {
      if (lease !== undefined) {
        return { kind: 'conflict' };
      }
      const { holder, leaseSeconds, transitions, acquiredAtMs } = request.content;
      this.#uids += 1;
      this.lease = {
        uid: `uid-${this.#uids}`,
        resourceVersion: this.#nextVersion(),
        createdAtSeconds: Math.floor((this.offsetMs + nowMs) / 1000),
        holder,
        leaseSeconds,
        transitions,
        acquiredAtMs,
      };
      return { kind: 'lease', lease: this.lease };
    }
    if (lease === undefined) {
      return { kind: 'absent' };
    }
    if (request.kind === 'read') {
      return { kind: 'lease', lease };
    }
    if (request.uid !== lease.uid || request.resourceVersion !== lease.resourceVersion) {
      return { kind: 'conflict' };
    }
    const { holder, leaseSeconds, transitions, acquiredAtMs } = request.content;
    this.edit({ holder, leaseSeconds, transitions, acquiredAtMs });
    return { kind: 'lease', lease: this.lease! };
  }

  /** By hand, without a look at the version. */
  edit(change: Partial<LeaseRecord>): void {
    if (this.lease !== undefined) {
      this.lease = { ...this.lease, ...change, resourceVersion: this.#nextVersion() };
    }
  }

  #nextVersion(): string {
    this.#versions += 1;
    return String(this.#versions);
  }
}

export interface ProcessOptions {
  readonly identity: string;
  readonly settings: Omit<ElectorSettings, 'identity'>;
  /** Seconds of its steady clock in one second. */
  readonly rate: number;
  readonly wallOffsetMs: number;
}

/** One replica: its elector, its clocks, and what it does while it leads. */
export class Replica {
  readonly identity: string;
  readonly settings: ElectorSettings;
  readonly rate: number;
  readonly audit: Audit;
  link: Link = GOOD_LINK;
  wallOffsetMs: number;
  state: ElectorState;
  isDead = false;
  readonly #election: Election;
  /** Of the steady clock, at a moment of true time. */
  #anchor: { readonly trueMs: number; readonly steadyMs: number };
  #isStopped = false;
  #isClockStill = false;
  /** What has come while it was stopped. */
  #inbox: (() => void)[] = [];
  #wakeToken = 0;
  #reigns = 0;
  #lastTerm: Term | undefined;
  #hasFenced = new Map<Host, Term>();

  constructor(election: Election, options: ProcessOptions) {
    this.#election = election;
    this.identity = options.identity;
    this.settings = { ...options.settings, identity: options.identity };
    this.rate = options.rate;
    this.wallOffsetMs = options.wallOffsetMs;
    this.#anchor = { trueMs: election.nowMs, steadyMs: 5_000_000 * options.rate };
    this.audit = new Audit(this.settings);
    this.state = election.machine.startElector(this.settings, this.#moment());
    this.#after(undefined, { kind: 'tick' });
    this.#actSoon();
  }

  get steadyMs(): number {
    const { trueMs, steadyMs } = this.#anchor;
    return this.#isClockStill ? steadyMs : steadyMs + (this.#election.nowMs - trueMs) * this.rate;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** What it believes, if it can. */
  get term(): Term | undefined {
    return this.isDead ? undefined : this.#election.machine.leadsAt(this.state, this.steadyMs);
  }

  get reign(): string {
    return `${this.identity}/${this.#reigns}`;
  }

  /** @param isClockStill - As in a machine that is suspended. */
  stop(isClockStill: boolean): void {
    this.#anchor = { trueMs: this.#election.nowMs, steadyMs: this.steadyMs };
    this.#isStopped = true;
    this.#isClockStill = isClockStill;
  }

  resume(): void {
    this.#anchor = { trueMs: this.#election.nowMs, steadyMs: this.steadyMs };
    this.#isStopped = false;
    this.#isClockStill = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    // Timers and sockets are served in whatever order.
    for (const run of this.#election.chance() < 0.5 ? inbox : inbox.toReversed()) {
      this.#whenRunning(run);
    }
    this.#sleep();
  }

  /** To end, and another process follows; or that it cannot work. */
  tell(word: 'release' | 'resign'): void {
    this.#whenRunning(() => {
      this.take({ kind: word });
      if (word === 'release') {
        this.#election.onEnd(this);
      }
    });
  }

  take(input: ElectorInput): void {
    if (this.isDead) {
      return;
    }
    const before = this.state;
    const moment = this.#moment();
    this.state = this.#election.machine.stepElector(this.settings, before, input, moment);
    this.audit.check(before, input, moment, this.state);
    this.#after(before, input);
  }

  #after(before: ElectorState | undefined, input: ElectorInput): void {
    if (before === undefined) {
      this.audit.check(undefined, input, this.#moment(), this.state);
    }
    const { request, reign } = this.state;
    if (reign !== undefined && reign.term !== before?.reign?.term) {
      this.#reigns += 1;
      this.#election.noteReign(this, reign.term, this.#lastTerm);
      this.#lastTerm = reign.term;
    }
    this.#election.checkTogether();
    if (request !== undefined && request.id !== before?.request?.id) {
      this.#election.noteRequest(this, request);
      this.#send(request);
    }
    if (this.state.isClosed && this.state.request === undefined) {
      this.isDead = true;
      return;
    }
    this.#sleep();
  }

  #sleep(): void {
    this.#wakeToken += 1;
    const token = this.#wakeToken;
    const waitMs = (this.state.wakeAtMs - this.steadyMs) / this.rate;
    if (!Number.isFinite(waitMs)) {
      return;
    }
    // A timer is never early, and a bit late.
    const lateMs = this.#election.between(0.1, 5);
    this.#election.after(Math.max(0, waitMs) + lateMs, () =>
      this.#whenRunning(() => {
        if (token === this.#wakeToken) {
          this.take({ kind: 'tick' });
        }
      }),
    );
  }

  #send(request: LeaseRequest): void {
    const election = this.#election;
    const { link } = this;
    const [shortestMs, longestMs] = link.delayMs;
    const isOn = (ratio: number): boolean => election.chance() < ratio;
    const answerLater = (answer: LeaseAnswer, ms: number): void =>
      election.after(ms, () =>
        this.#whenRunning(() => this.take({ kind: 'answer', id: request.id, answer })),
      );
    if (isOn(link.refuseRatio)) {
      answerLater({ kind: 'failed' }, 1);
      return;
    }
    const isLost = isOn(link.lossRatio);
    const isAnswerLost = isOn(link.lossRatio);
    const outMs = isOn(link.lateRatio)
      ? election.between(1_000, 30_000)
      : election.between(shortestMs, longestMs);
    const backMs = election.between(shortestMs, longestMs);
    if (isLost) {
      return;
    }
    election.after(outMs, () => {
      if (!election.isApiUp) {
        return;
      }
      const answer = election.api.carryOut(request, election.nowMs);
      if (!isAnswerLost) {
        answerLater(answer, backMs);
      }
    });
  }

  /** While it leads, it orders something every now and then; what it has looked at before it was stopped, it sends after. */
  #actSoon(): void {
    const election = this.#election;
    election.after(election.between(100, 400), () => {
      if (this.isDead) {
        return;
      }
      this.#whenRunning(() => {
        const { term } = this;
        if (term !== undefined) {
          const { reign } = this;
          election.after(election.between(0, 10), () =>
            this.#whenRunning(() => this.#order(term, reign)),
          );
        }
        this.#actSoon();
      });
    });
  }

  #order(term: Term, reign: string): void {
    const election = this.#election;
    for (const host of election.hosts) {
      const fenced = this.#hasFenced.get(host);
      const isFenced = fenced !== undefined && isSame(fenced, term);
      const verb = isFenced ? (election.chance() < 0.7 ? 'create' : 'destroy') : 'fence';
      const isSlow = election.chance() < 0.1;
      election.after(isSlow ? election.between(50, 8_000) : election.between(1, 50), () => {
        const isAccepted = host.order({ term, verb, reign }, election.nowMs);
        if (isAccepted && verb === 'fence') {
          election.after(5, () => this.#hasFenced.set(host, term));
        }
      });
    }
  }

  #whenRunning(run: () => void): void {
    if (this.isDead) {
      return;
    }
    if (this.#isStopped) {
      this.#inbox.push(run);
    } else {
      run();
    }
  }

  #moment(): Moment {
    return {
      steadyMs: this.steadyMs,
      wallMs: this.#election.nowMs + this.wallOffsetMs * this.#election.wallFactor,
      chance: this.#election.chance(),
    };
  }
}

export class Election {
  nowMs = 0;
  isApiUp = true;
  mayClocksStand = false;
  /** Some clock stood still, or nobody can know how long to wait: then only hosts keep two from acting. */
  isTimeTrusted = true;
  mayOrderBreak = false;
  /**
   * Somebody has taken the order of terms away: then a term may come twice, and hosts may refuse whoever leads, until the
   * API server's clock goes right and the lease is made anew.
   */
  isOrderTrusted = true;
  /** The next one that acquires the lease is told so meanwhile. */
  nextAcquirerIsTold: 'release' | 'resign' | undefined;
  /** A replica has been told to end. */
  onEnd: (replica: Replica) => void = () => undefined;
  readonly api = new ApiServer();
  readonly hosts = [new Host(), new Host()];
  readonly replicas: Replica[] = [];
  readonly wallFactor: number;
  readonly machine: Machine;
  /** What was sent, without wall times. */
  readonly requests: string[] = [];
  /** By term, who led by it. */
  readonly #owners = new Map<string, Set<string>>();
  readonly #random: () => number;
  readonly #due: Due[] = [];
  #order = 0;

  constructor(seed: number, wallFactor = 1, machine: Machine = ELECTOR) {
    this.#random = createRandom(seed);
    this.wallFactor = wallFactor;
    this.machine = machine;
  }

  /** Reigns that were ever begun. */
  get reignCount(): number {
    return this.#owners.size;
  }

  chance(): number {
    return this.#random();
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.chance();
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.chance() * list.length)]!;
  }

  start(options: ProcessOptions): Replica {
    const replica = new Replica(this, options);
    this.replicas.push(replica);
    return replica;
  }

  get running(): readonly Replica[] {
    return this.replicas.filter(({ isDead }) => !isDead);
  }

  get leaders(): readonly Replica[] {
    return this.replicas.filter(({ term }) => term !== undefined);
  }

  after(ms: number, run: () => void): void {
    this.#order += 1;
    const due = { atMs: this.nowMs + ms, order: this.#order, run };
    // A heap would be quicker; a few dozen are due at a time.
    let index = this.#due.length;
    while (index > 0 && this.#due[index - 1]!.atMs > due.atMs) {
      index -= 1;
    }
    this.#due.splice(index, 0, due);
  }

  runUntil(endMs: number, isEnough: () => boolean = () => false): void {
    while (this.#due[0] !== undefined && this.#due[0].atMs <= endMs) {
      const { atMs, run } = this.#due.shift()!;
      this.nowMs = atMs;
      run();
      if (isEnough()) {
        return;
      }
    }
    this.nowMs = endMs;
  }

  /**
   * @param before - The term of the same elector's reign before.
   * @throws When another reign had the same term, or an elector one that is not newer than its own before.
   */
  noteReign(replica: Replica, term: Term, before: Term | undefined): void {
    const key = formatTerm(term);
    if (before !== undefined && !isOlder(before, term)) {
      throw new Error(`${replica.reign} leads by ${key}, after ${formatTerm(before)}`);
    }
    const owners = this.#owners.get(key) ?? new Set();
    if (owners.size > 0 && this.isOrderTrusted) {
      throw new Error(`term ${key} is that of ${[...owners].join(', ')} and of ${replica.reign}`);
    }
    this.#owners.set(key, owners.add(replica.reign));
  }

  noteRequest(replica: Replica, request: LeaseRequest): void {
    const purpose = request.kind === 'replace' ? request.purpose : request.kind;
    this.requests.push(`${this.nowMs} ${replica.identity} ${purpose}`);
    const told = this.nextAcquirerIsTold;
    if (purpose === 'acquire' && told !== undefined) {
      this.nextAcquirerIsTold = undefined;
      // No answer comes sooner.
      this.after(this.between(0, 2), () => replica.tell(told));
    }
  }

  /** @throws When two lead at the same moment, though time can be trusted. */
  checkTogether(): void {
    const { leaders } = this;
    if (this.isTimeTrusted && leaders.length > 1) {
      throw new Error(
        `at ${this.nowMs} ms ${leaders.map(({ reign }) => reign).join(' and ')} lead`,
      );
    }
  }

  /** @throws When a host has taken orders of two leaders, other than first of the one and then of the newer one. */
  checkHosts(): void {
    for (const host of this.hosts) {
      let newest: Term = { createdAtSeconds: 0, transitions: 0 };
      for (const { term, reign, verb, atMs } of host.accepted) {
        if (isOlder(term, newest)) {
          throw new Error(`${verb} of ${reign} was accepted at ${atMs} ms after a newer term`);
        }
        newest = term;
        const owners = this.#owners.get(formatTerm(term)) ?? new Set();
        if (!owners.has(reign)) {
          const others = [...owners].join(', ');
          throw new Error(`${verb} at ${atMs} ms by the term of ${others} came from ${reign}`);
        }
      }
    }
  }
}

function isSame(one: Term, other: Term): boolean {
  return !isOlder(one, other) && !isOlder(other, one);
}

function isOlder(one: Term, other: Term): boolean {
  return one.createdAtSeconds === other.createdAtSeconds
    ? one.transitions < other.transitions
    : one.createdAtSeconds < other.createdAtSeconds;
}

function formatTerm({ createdAtSeconds, transitions }: Term): string {
  return `${createdAtSeconds}.${transitions}`;
}
