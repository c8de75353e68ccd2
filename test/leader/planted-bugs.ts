/**
 * Electors that break one rule each, as small changes of the machine's text. They were written from the rules at the head
 * of `src/leader/elector.ts`, by somebody who has not read the schedules that have to find them.
 */

export interface PlantedBug {
  readonly name: string;
  /** The rule that it breaks, in the machine's words. */
  readonly breaks: string;
  /** Stands in the machine's text exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'judges the holder by the times that it wrote, against its own wall clock',
    breaks: 'only the steady clock counts; wall times are written for people and never read',
    find: 'if (nowMs >= freeAtMs(settings, state, nowMs)) {',
    replace: `const { acquiredAtMs = Infinity } = seen.lease ?? {};
  const isOver = seen.isCurrent && reign === undefined && moment.wallMs >= acquiredAtMs + settings.leaseMs;
  if (isOver || nowMs >= freeAtMs(settings, state, nowMs)) {`,
  },
  {
    name: 'answers a conflict by reading the newest version and writing over that',
    breaks: 'a lease is not free until it has not changed for its duration',
    find: 'changedAtMs: isSame ? seen.changedAtMs : nowMs,',
    replace: `changedAtMs: isSame || (seen.kind === 'lease' && !seen.isCurrent) ? seen.changedAtMs : nowMs,`,
  },
  {
    name: 'leads past its deadline until it is stepped again',
    breaks: 'nothing is sent from the deadline on, also when a step is overdue',
    find: 'return reign !== undefined && steadyMs < reign.untilMs ? reign.term : undefined;',
    replace: 'return reign?.term;',
  },
  {
    name: 'counts its deadline from when the answer came',
    breaks: 'the deadline is counted from when the last successful write was sent',
    find: 'const untilMs = request.sentAtMs + renewDeadlineMs;',
    replace: 'const untilMs = nowMs + renewDeadlineMs;',
  },
  {
    name: 'takes a renewal whose answer was lost for a success',
    breaks: 'only a successful write moves the deadline',
    find: `return request.kind === 'read' || isRelease(request) ? stopLeaving(before) : before;`,
    replace: `if (request.purpose === 'renew' && before.reign !== undefined) {
        return { ...before, reign: { ...before.reign, untilMs: nowMs + settings.renewDeadlineMs } };
      }
      return request.kind === 'read' || isRelease(request) ? stopLeaving(before) : before;`,
  },
  {
    name: 'has a term without the creation time of its lease',
    breaks:
      'a term is (creation time, transitions): a lease that was deleted and made anew is newer',
    find: 'return { createdAtSeconds, transitions };',
    replace: 'return { createdAtSeconds: 0, transitions };',
  },
  {
    name: 'raises the transitions only when the lease passes from one holder to another',
    breaks: 'every reign has a term of its own, also one that follows upon a release or our own',
    find: 'transitions: isAcquisition ? nextTransitions(lease, newestTerm) : lease.transitions,',
    replace: `transitions: isAcquisition && !['', settings.identity].includes(lease.holder)
      ? nextTransitions(lease, newestTerm)
      : lease.transitions,`,
  },
  {
    name: 'gives the lease away while it leads on',
    breaks: 'a release ends the reign before it is sent',
    find: `return { ...endReign(state, 'released'), leaving: 'release' };`,
    replace: `return { ...state, leaving: 'release' };`,
  },
  {
    name: 'takes the lease back as soon as it has resigned',
    breaks: 'who has resigned rests for two leases',
    find: 'contendsFromMs: nowMs + 2 * settings.leaseMs,',
    replace: 'contendsFromMs: nowMs,',
  },
  {
    name: 'leads the lease that it has just made',
    breaks: 'making the lease is no claim: it is led a lease later at the earliest',
    find: `if (request.kind === 'create') {
    return state;`,
    replace: `if (request.kind === 'create') {
    return { ...state, reign: { term: termOf(lease), uid: lease.uid, untilMs }, lost: undefined };`,
  },
  {
    name: 'forgets the newest term that it has seen',
    breaks:
      'a term is newer than all that this elector has seen, also when somebody sets them back',
    find: `const newest =
    newestTerm?.createdAtSeconds === createdAtSeconds ? newestTerm.transitions : transitions;`,
    replace: 'const newest = newestTerm === undefined ? 0 : transitions;',
  },
  {
    name: 'leads a lease that is older than one it has seen',
    breaks: 'a lease that was made before the newest one seen gives no newer term',
    find: `if (newestTerm !== undefined && newestTerm.createdAtSeconds > seen.lease.createdAtSeconds) {
    return 'lease-older-than-one-seen';
  }`,
    replace: '',
  },
  {
    name: 'begins a reign by an acquisition that is answered while it leaves',
    breaks: 'who was told to end leads no more, whatever is answered later',
    find: 'return leaving === undefined && nowMs < untilMs',
    replace: 'return nowMs < untilMs',
  },
];
