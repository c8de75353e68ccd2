/**
 * Who of several replicas leads, by a lease that all of them see: a pure machine, stepped with a clock.
 *
 * ```
 *               it is free               answered
 *   following ─────────────▶ acquiring ─────────────▶ leading ◀─┐ renewed
 *     ▲  ▲                       │ conflict, failed    │ │ └────┘
 *     │  └───────────────────────┘                     │ │
 *     ├──── deadline passed, taken, deleted ───────────┘ │
 *     └──── rests for 2 leases ◀── releasing ◀── resign ─┤
 *                       closed ◀── releasing ◀── release ┘
 * ```
 *
 * It keeps the rules of client-go's elector, and is stricter where a lease alone would not do:
 *
 * 1. Time comes first. Each step ends a reign whose deadline has passed, and gives up a request that is too old, before it
 *    looks at its input. An answer to a request that was given up is ignored.
 * 2. Only the steady clock counts. Wall times are written for people and never read: whether a lease is over is told
 *    by when it was last seen to *change* – another uid or resourceVersion – and that is when the answer came.
 * 3. A lease is free when it was released; when it is ours, by a write that was sent less than a renew deadline ago;
 *    or when it has not changed for its duration, and for ours, whoever holds it.
 * 4. A lease that is absent is created, held by nobody. That is no claim: it is led a lease later at the earliest, so the
 *    leader of one that was deleted has stopped, and no two leases of the same second are ever led.
 * 5. Every reign has a term of its own, newer than all that this elector has seen: (creation time, transitions), the
 *    transitions raised with each acquisition, also one from ourselves.
 * 6. A reign begins with the answer to a write that acquires, and never by reading our own name. Its deadline is counted from
 *    when the last successful write was *sent*: before that, nobody can have seen the lease as ours.
 * 7. What is over does not come back: another reign follows, with another term.
 *
 * While the steady clocks of two electors go right within 10 %, and the lease is at least 1.25 × the renew deadline, they
 * never lead at the same moment – whatever the network does, and whoever deletes the lease or edits its holder.
 *
 * Its limits. A lease does not fence: a process that stood still between its look at `leadsAt` and its command, or
 * whose steady clock did (a suspended machine), sends all the same. Hosts refuse it by its term; HAProxy cannot. Whoever
 * sets `leaseTransitions` back, or restores the API server from a backup, takes the order of terms away: then hosts refuse
 * the new leader until the lease is deleted, which makes a newer one. Replicas that are set to another duration than the
 * leader, while a config is rolled out, know its own by the record alone: when that is edited or deleted just then, two may
 * lead for a moment.
 *
 * @see https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
 */

import { ConfigError } from '../control/errors.ts';
import { isNewer, type Term } from '../scaler/term.ts';

export interface ElectorSettings {
  /** Of one process, never used again by another. */
  readonly identity: string;
  /** So long a lease that does not change is left to its holder. Whole seconds. */
  readonly leaseMs: number;
  /** So long after a write was sent its success lets us lead. */
  readonly renewDeadlineMs: number;
  /** Between two writes; at most that long between two reads. */
  readonly retryMs: number;
}

/** Passed into each step. */
export interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
  /** Drawn anew for each step, from 0 up to 1. */
  readonly chance: number;
}

/** The lease as the API server has it. */
export interface LeaseRecord {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAtSeconds: number;
  /** Empty: nobody. */
  readonly holder: string;
  readonly leaseSeconds: number | undefined;
  readonly transitions: number;
  /** By the holder's wall clock; for people only. */
  readonly acquiredAtMs: number | undefined;
}

/** What is written; the times are for people only. */
export interface LeaseContent {
  readonly holder: string;
  readonly leaseSeconds: number;
  readonly transitions: number;
  readonly acquiredAtMs: number | undefined;
  readonly renewedAtMs: number;
}

interface Sent {
  readonly id: number;
  /** Steady clock. */
  readonly sentAtMs: number;
}
interface ReadRequest extends Sent {
  readonly kind: 'read';
}
interface CreateRequest extends Sent {
  readonly kind: 'create';
  readonly content: LeaseContent;
}
interface ReplaceRequest extends Sent {
  readonly kind: 'replace';
  readonly purpose: 'acquire' | 'renew' | 'release';
  /** The API server refuses it when the lease is another one by then. */
  readonly uid: string;
  readonly resourceVersion: string;
  readonly content: LeaseContent;
}
export type LeaseRequest = ReadRequest | CreateRequest | ReplaceRequest;

export type LeaseAnswer =
  | { readonly kind: 'lease'; readonly lease: LeaseRecord }
  /** 404 */
  | { readonly kind: 'absent' }
  /** 409 */
  | { readonly kind: 'conflict' }
  /** Anything else. A write may have been carried out all the same, now or later. */
  | { readonly kind: 'failed' };

export type ElectorInput =
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: LeaseAnswer }
  /** The leader cannot work: another one may be able to. */
  | { readonly kind: 'resign' }
  /** The work has stopped, and the process ends. */
  | { readonly kind: 'release' };

export interface Reign {
  readonly term: Term;
  readonly uid: string;
  /** Nothing is sent from this moment on. Steady clock. */
  readonly untilMs: number;
}

export type LossReason = 'not-renewed' | 'taken' | 'deleted' | 'resigned' | 'released';

/** Why no reign can follow upon the lease that is there: its term would not be newer than one that was seen. */
export type BlockReason = 'lease-older-than-one-seen' | 'transitions-at-end';

type Seen =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'lease';
      readonly lease: LeaseRecord;
      /** When this version was first seen. */
      readonly changedAtMs: number;
      /** False after a conflict: it is to be read before anything is written. */
      readonly isCurrent: boolean;
    };

export interface ElectorState {
  /** To be sent or awaited; another one, or none, gives up the one before. */
  readonly request: LeaseRequest | undefined;
  readonly reign: Reign | undefined;
  /** Why the last reign ended. */
  readonly lost: LossReason | undefined;
  readonly seen: Seen;
  /** Of all that was ever seen. */
  readonly newestTerm: Term | undefined;
  /** The last write that was to make or keep the lease ours. */
  readonly claim:
    | { readonly uid: string; readonly transitions: number; readonly sentAtMs: number }
    | undefined;
  readonly leaving: 'resign' | 'release' | undefined;
  readonly releasesSent: number;
  readonly isClosed: boolean;
  readonly contendsFromMs: number;
  readonly nextReadAtMs: number;
  readonly nextWriteAtMs: number;
  readonly lastId: number;
  /** To be stepped then at the latest. */
  readonly wakeAtMs: number;
}

const MAX_JITTER = 1.2;
/**
 * Whoever follows sees a change so much sooner, and so much sooner after the last one it takes over: within a lease and
 * a retry, which client-go's one read in 1.2 retries does not reach.
 */
const READS_PER_RETRY = 2;
/** Shorter, a lease and the one that follows its deletion could be led in the same second, by the same term. */
const SHORTEST_LEASE_MS = 2_000;
/** No Rackfire holds a lease for longer; a record that says more was edited. */
const LONGEST_LEASE_MS = 60_000;
/** What a host takes. @see is_term in config/dom0/rackfire-dom0 */
const MOST_TRANSITIONS = 999_999_999;
/** As client-go writes it. */
const RELEASED_LEASE_SECONDS = 1;
const MOST_RELEASES = 2;

/** @throws ConfigError when the inequalities that all of this rests on do not hold. */
export function requireSettings({ leaseMs, renewDeadlineMs, retryMs }: ElectorSettings): void {
  if (leaseMs % 1000 !== 0 || leaseMs < SHORTEST_LEASE_MS || leaseMs > LONGEST_LEASE_MS) {
    throw new ConfigError(
      `a lease of ${leaseMs} ms cannot be held: whole seconds, ${SHORTEST_LEASE_MS / 1000} to ${LONGEST_LEASE_MS / 1000}`,
    );
  }
  if (!(retryMs > 0 && renewDeadlineMs > retryMs * MAX_JITTER && leaseMs > renewDeadlineMs)) {
    throw new ConfigError(
      `the lease (${leaseMs} ms) must be longer than the renew deadline (${renewDeadlineMs} ms), and that ` +
        `longer than ${MAX_JITTER} × the retry period (${retryMs} ms)`,
    );
  }
}

export function startElector(settings: ElectorSettings, moment: Moment): ElectorState {
  requireSettings(settings);
  const state: ElectorState = {
    request: undefined,
    reign: undefined,
    lost: undefined,
    seen: { kind: 'unknown' },
    newestTerm: undefined,
    claim: undefined,
    leaving: undefined,
    releasesSent: 0,
    isClosed: false,
    contendsFromMs: moment.steadyMs,
    nextReadAtMs: moment.steadyMs,
    nextWriteAtMs: moment.steadyMs,
    lastId: 0,
    wakeAtMs: moment.steadyMs,
  };
  return stepElector(settings, state, { kind: 'tick' }, moment);
}

export function stepElector(
  settings: ElectorSettings,
  state: ElectorState,
  input: ElectorInput,
  moment: Moment,
): ElectorState {
  const timely = passTime(settings, state, moment.steadyMs);
  const told = take(settings, timely, input, moment.steadyMs);
  const acting = act(settings, told, moment);
  return { ...acting, wakeAtMs: nextWake(settings, acting, moment.steadyMs) };
}

/** The term to act by at this moment; to be asked before each command, as a step may be overdue. */
export function leadsAt({ reign }: ElectorState, steadyMs: number): Term | undefined {
  return reign !== undefined && steadyMs < reign.untilMs ? reign.term : undefined;
}

/** Why the lease that was seen last is not contended for; `undefined` when it is. */
export function blockedBy({ seen, newestTerm }: ElectorState): BlockReason | undefined {
  if (seen.kind !== 'lease') {
    return undefined;
  }
  if (newestTerm !== undefined && newestTerm.createdAtSeconds > seen.lease.createdAtSeconds) {
    return 'lease-older-than-one-seen';
  }
  return nextTransitions(seen.lease, newestTerm) > MOST_TRANSITIONS
    ? 'transitions-at-end'
    : undefined;
}

function passTime(settings: ElectorSettings, state: ElectorState, nowMs: number): ElectorState {
  const { reign, request } = state;
  const ended =
    reign !== undefined && nowMs >= reign.untilMs ? endReign(state, 'not-renewed') : state;
  return request !== undefined && nowMs >= givenUpAtMs(settings, request)
    ? takeAnswer(settings, ended, request, { kind: 'failed' }, nowMs)
    : ended;
}

/** Two in a row may hang, and a third succeed before the deadline. */
function givenUpAtMs({ renewDeadlineMs }: ElectorSettings, { sentAtMs }: LeaseRequest): number {
  return sentAtMs + renewDeadlineMs / 3;
}

function take(
  settings: ElectorSettings,
  state: ElectorState,
  input: ElectorInput,
  nowMs: number,
): ElectorState {
  switch (input.kind) {
    case 'tick':
      return state;
    case 'answer':
      return state.request?.id === input.id
        ? takeAnswer(settings, state, state.request, input.answer, nowMs)
        : state;
    case 'resign':
      return state.reign === undefined
        ? state
        : {
            ...endReign(state, 'resigned'),
            leaving: state.leaving ?? 'resign',
            contendsFromMs: nowMs + 2 * settings.leaseMs,
          };
    case 'release':
      return { ...endReign(state, 'released'), leaving: 'release' };
  }
}

function endReign(state: ElectorState, lost: LossReason): ElectorState {
  return state.reign === undefined ? state : { ...state, reign: undefined, lost };
}

function takeAnswer(
  settings: ElectorSettings,
  state: ElectorState,
  request: LeaseRequest,
  answer: LeaseAnswer,
  nowMs: number,
): ElectorState {
  const before = { ...state, request: undefined };
  switch (answer.kind) {
    case 'lease': {
      const seen = see(before, answer.lease, nowMs);
      return judge(settings, seen, request, answer.lease, nowMs);
    }
    case 'absent':
      if (request.kind === 'create') {
        // The namespace is what is absent.
        return before;
      }
      return stopLeaving({ ...endReign(before, 'deleted'), seen: { kind: 'absent' } });
    case 'conflict':
      return doubtSeen(before);
    case 'failed':
      // Of a release or of what it needs to know: the lease ends by itself.
      return request.kind === 'read' || isRelease(request) ? stopLeaving(before) : before;
  }
}

/** Notes a version of the lease. */
function see(state: ElectorState, lease: LeaseRecord, nowMs: number): ElectorState {
  const { seen, newestTerm } = state;
  const isSame =
    seen.kind === 'lease' &&
    seen.lease.uid === lease.uid &&
    seen.lease.resourceVersion === lease.resourceVersion;
  const term = termOf(lease);
  return {
    ...state,
    seen: {
      kind: 'lease',
      lease,
      changedAtMs: isSame ? seen.changedAtMs : nowMs,
      isCurrent: true,
    },
    newestTerm: newestTerm === undefined || isNewer(term, newestTerm) ? term : newestTerm,
  };
}

function doubtSeen(state: ElectorState): ElectorState {
  const { seen } = state;
  return seen.kind === 'lease'
    ? { ...state, seen: { ...seen, isCurrent: false } }
    : { ...state, seen: { kind: 'unknown' } };
}

/** What follows for our reign from a lease that the API server has answered with. */
function judge(
  { identity, renewDeadlineMs }: ElectorSettings,
  state: ElectorState,
  request: LeaseRequest,
  lease: LeaseRecord,
  nowMs: number,
): ElectorState {
  const { reign, leaving } = state;
  const untilMs = request.sentAtMs + renewDeadlineMs;
  if (request.kind === 'read') {
    const isOwnReign =
      lease.holder === identity &&
      lease.uid === reign?.uid &&
      lease.transitions === reign.term.transitions;
    return isOwnReign ? state : endReign(state, 'taken');
  }
  if (request.kind === 'create') {
    return state;
  }
  switch (request.purpose) {
    case 'acquire':
      return leaving === undefined && nowMs < untilMs
        ? { ...state, reign: { term: termOf(lease), uid: lease.uid, untilMs }, lost: undefined }
        : state;
    case 'renew':
      return reign === undefined ? state : { ...state, reign: { ...reign, untilMs } };
    case 'release':
      return stopLeaving(state);
  }
}

function stopLeaving(state: ElectorState): ElectorState {
  return {
    ...state,
    leaving: undefined,
    releasesSent: 0,
    isClosed: state.isClosed || state.leaving === 'release',
  };
}

/** Sends what is due, if anything is. */
function act(settings: ElectorSettings, state: ElectorState, moment: Moment): ElectorState {
  const { request, leaving, reign, seen, nextReadAtMs, nextWriteAtMs } = state;
  const nowMs = moment.steadyMs;
  if (request !== undefined || state.isClosed) {
    return state;
  }
  if (leaving !== undefined) {
    return leave(settings, state, moment);
  }
  if (reign !== undefined && seen.kind === 'lease' && seen.isCurrent) {
    return nowMs >= nextWriteAtMs ? replace(settings, state, 'renew', moment) : state;
  }
  if (nowMs >= freeAtMs(settings, state, nowMs)) {
    return seen.kind === 'lease'
      ? replace(settings, state, 'acquire', moment)
      : create(settings, state, moment);
  }
  return nowMs >= nextReadAtMs ? read(settings, state, moment) : state;
}

/** Gives the lease away if it names us; twice at most, when something else changes it meanwhile. */
function leave(settings: ElectorSettings, state: ElectorState, moment: Moment): ElectorState {
  const { seen, releasesSent, nextReadAtMs } = state;
  const namesUs = seen.kind === 'lease' && seen.lease.holder === settings.identity;
  if (!namesUs || releasesSent >= MOST_RELEASES) {
    return act(settings, stopLeaving(state), moment);
  }
  if (seen.isCurrent) {
    return replace(settings, { ...state, releasesSent: releasesSent + 1 }, 'release', moment);
  }
  return moment.steadyMs >= nextReadAtMs ? read(settings, state, moment) : state;
}

/** From when on a follower may write, by what it knows; infinite when it has to read first. */
function freeAtMs(settings: ElectorSettings, state: ElectorState, nowMs: number): number {
  const { seen, contendsFromMs, nextWriteAtMs, reign } = state;
  const fromMs = Math.max(contendsFromMs, nextWriteAtMs);
  if (reign !== undefined || seen.kind === 'unknown') {
    return Number.POSITIVE_INFINITY;
  }
  if (seen.kind === 'absent') {
    return fromMs;
  }
  if (!seen.isCurrent || blockedBy(state) !== undefined) {
    return Number.POSITIVE_INFINITY;
  }
  if (isReleased(seen.lease) || isOurs(settings, state, nowMs)) {
    return fromMs;
  }
  return Math.max(fromMs, seen.changedAtMs + heldMs(settings, seen.lease));
}

function isReleased({ holder, leaseSeconds }: LeaseRecord): boolean {
  // Who clears the holder by hand does not make its leader stop.
  return holder === '' && leaseSeconds === RELEASED_LEASE_SECONDS;
}

/** A write of ours whose answer was lost, or the reign of which is just over: nobody else can lead yet. */
function isOurs(
  { identity, renewDeadlineMs }: ElectorSettings,
  { seen, claim }: ElectorState,
  nowMs: number,
): boolean {
  return (
    seen.kind === 'lease' &&
    claim !== undefined &&
    seen.lease.holder === identity &&
    seen.lease.uid === claim.uid &&
    seen.lease.transitions === claim.transitions &&
    nowMs < claim.sentAtMs + renewDeadlineMs
  );
}

/** How long a lease that does not change is its holder's: the longer one of what it says and what we are set to. */
function heldMs({ leaseMs }: ElectorSettings, { leaseSeconds = 0 }: LeaseRecord): number {
  return Math.max(leaseMs, Math.min(leaseSeconds * 1000, LONGEST_LEASE_MS));
}

function read({ retryMs }: ElectorSettings, state: ElectorState, moment: Moment): ElectorState {
  const { steadyMs: sentAtMs, chance } = moment;
  const id = state.lastId + 1;
  return {
    ...state,
    lastId: id,
    request: { kind: 'read', id, sentAtMs },
    nextReadAtMs: sentAtMs + (retryMs / READS_PER_RETRY) * (1 + (MAX_JITTER - 1) * chance),
  };
}

function create(settings: ElectorSettings, state: ElectorState, moment: Moment): ElectorState {
  const content: LeaseContent = {
    holder: '',
    leaseSeconds: settings.leaseMs / 1000,
    transitions: 0,
    acquiredAtMs: undefined,
    renewedAtMs: moment.wallMs,
  };
  const sent = nextSent(state, moment);
  return noteWrite(settings, state, { kind: 'create', ...sent, content });
}

function replace(
  settings: ElectorSettings,
  state: ElectorState,
  purpose: ReplaceRequest['purpose'],
  moment: Moment,
): ElectorState {
  const { seen, newestTerm } = state;
  if (seen.kind !== 'lease') {
    return state;
  }
  const { lease } = seen;
  const isGivenAway = purpose === 'release';
  const isAcquisition = purpose === 'acquire';
  const content: LeaseContent = {
    holder: isGivenAway ? '' : settings.identity,
    leaseSeconds: isGivenAway ? RELEASED_LEASE_SECONDS : settings.leaseMs / 1000,
    transitions: isAcquisition ? nextTransitions(lease, newestTerm) : lease.transitions,
    acquiredAtMs: isAcquisition ? moment.wallMs : lease.acquiredAtMs,
    renewedAtMs: moment.wallMs,
  };
  const { uid, resourceVersion } = lease;
  const sent = nextSent(state, moment);
  const { transitions } = content;
  const claim = isGivenAway ? state.claim : { uid, transitions, sentAtMs: sent.sentAtMs };
  return noteWrite(
    settings,
    { ...state, claim },
    { kind: 'replace', purpose, ...sent, uid, resourceVersion, content },
  );
}

function nextSent({ lastId }: ElectorState, { steadyMs: sentAtMs }: Moment): Sent {
  return { id: lastId + 1, sentAtMs };
}

function noteWrite(
  { retryMs }: ElectorSettings,
  state: ElectorState,
  request: CreateRequest | ReplaceRequest,
): ElectorState {
  return {
    ...state,
    request,
    lastId: request.id,
    nextWriteAtMs: request.sentAtMs + retryMs,
  };
}

function nextTransitions(
  { createdAtSeconds, transitions }: LeaseRecord,
  newestTerm: Term | undefined,
): number {
  const newest =
    newestTerm?.createdAtSeconds === createdAtSeconds ? newestTerm.transitions : transitions;
  return Math.max(transitions, newest) + 1;
}

function termOf({ createdAtSeconds, transitions }: LeaseRecord): Term {
  return { createdAtSeconds, transitions };
}

function isRelease(request: LeaseRequest): boolean {
  return request.kind === 'replace' && request.purpose === 'release';
}

function nextWake(settings: ElectorSettings, state: ElectorState, nowMs: number): number {
  const { request, reign, leaving, seen, nextReadAtMs, nextWriteAtMs, isClosed } = state;
  const deadlineMs = reign?.untilMs ?? Number.POSITIVE_INFINITY;
  if (request !== undefined) {
    return Math.min(deadlineMs, givenUpAtMs(settings, request));
  }
  if (isClosed) {
    return Number.POSITIVE_INFINITY;
  }
  if (leaving !== undefined) {
    return nextReadAtMs;
  }
  if (reign !== undefined) {
    const isCurrent = seen.kind === 'lease' && seen.isCurrent;
    return Math.min(deadlineMs, isCurrent ? nextWriteAtMs : nextReadAtMs);
  }
  return Math.min(nextReadAtMs, freeAtMs(settings, state, nowMs));
}
