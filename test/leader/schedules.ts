/** What befalls three electors, drawn from a seed, and what must hold all the same. */

import type { ElectorSettings } from '../../src/leader/elector.ts';
import { Election, GOOD_LINK, type Link, type Machine, type Replica } from './election.ts';

type Timing = Omit<ElectorSettings, 'identity'>;

const TIMINGS: readonly Timing[] = [
  { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
  { leaseMs: 5_000, renewDeadlineMs: 3_000, retryMs: 500 },
];
/** Within which steady clocks go right. */
const DRIFT = 0.1;
const DISTURBED_MS = 120_000;
/** Of answers, timers and the like, while all is well: some ten round trips. */
const SLACK_MS = 500;

/** What may befall them, and what ends it again. */
type Mishap = (election: Election, replica: Replica) => (() => void) | undefined;

function relink(change: Partial<Link>): Mishap {
  return (_, replica) => {
    replica.link = { ...GOOD_LINK, ...change };
    return () => {
      replica.link = GOOD_LINK;
    };
  };
}

function stop(isClockStill: boolean): Mishap {
  return (election, replica) => {
    if (replica.isStopped) {
      return undefined;
    }
    const isStill = isClockStill && election.mayClocksStand;
    election.isTimeTrusted &&= !isStill;
    replica.stop(isStill);
    return () => replica.resume();
  };
}

const MISHAPS: readonly (readonly [weight: number, mishap: Mishap])[] = [
  [3, relink({ refuseRatio: 1 })],
  [3, relink({ lossRatio: 1 })],
  [3, relink({ lossRatio: 0.3 })],
  [2, relink({ lossRatio: 0.2, lateRatio: 0.2 })],
  [2, relink({ delayMs: [200, 2_500] })],
  [1, relink({ delayMs: [7_000, 9_000] })],
  [5, stop(false)],
  [2, stop(true)],
  [
    2,
    (election) => {
      election.isApiUp = false;
      return () => {
        election.isApiUp = true;
      };
    },
  ],
  [
    3,
    (election, replica) => {
      replica.wallOffsetMs += election.between(-4_000_000, 4_000_000);
      return undefined;
    },
  ],
  [
    1,
    (election) => {
      election.api.offsetMs += election.between(0, 100_000);
      return undefined;
    },
  ],
  [2, deleteLease],
  [1, edit({ holder: 'a stranger' })],
  [1, clearHolder],
  [1, editDuration(2)],
  [1, editDuration(1_000_000)],
  [1, editDuration(undefined)],
  // Its labels.
  [1, edit({})],
  [
    1,
    ({ api }) => {
      api.edit({ transitions: (api.lease?.transitions ?? 0) + 100 });
      return undefined;
    },
  ],
  [
    1,
    // Set back by hand.
    breakOrder(({ api }) => api.edit({ transitions: 0 })),
  ],
  [
    1,
    // Deleted and made anew, with the API server's clock set back meanwhile.
    breakOrder((election) => {
      election.api.offsetMs -= election.between(2_000, 100_000);
      deleteLease(election);
    }),
  ],
  [
    2,
    (election) => {
      election.nextAcquirerIsTold = election.pick(['release', 'resign']);
      return undefined;
    },
  ],
  [
    2,
    (election) => {
      // Whoever leads, cannot work.
      const [leader] = election.leaders;
      leader?.take({ kind: 'resign' });
      return undefined;
    },
  ],
  [
    2,
    (_, replica) => {
      if (!replica.isStopped) {
        replica.tell('release');
      }
      return undefined;
    },
  ],
  [
    2,
    (election, replica) => {
      replica.isDead = true;
      comeBack(election, replica);
      return undefined;
    },
  ],
];

function edit(change: Parameters<Election['api']['edit']>[0]): Mishap {
  return ({ api }) => {
    api.edit(change);
    return undefined;
  };
}

/** Takes the order of terms away; in the schedules that are chosen for it. */
function breakOrder(change: (election: Election) => void): Mishap {
  return (election) => {
    if (election.mayOrderBreak) {
      election.isOrderTrusted = false;
      change(election);
    }
    return undefined;
  };
}

/** With a duration of 1 s it would be what a release writes. */
function clearHolder({ api }: Election): undefined {
  if (api.lease?.leaseSeconds !== 1) {
    api.edit({ holder: '' });
  }
}

/** Where they are set to others, the duration in the record is all that they know of the holder's. */
function haveOneDuration({ running }: Election): boolean {
  return new Set(running.map(({ settings }) => settings.leaseMs)).size === 1;
}

function editDuration(leaseSeconds: number | undefined): Mishap {
  return (election) => {
    if (haveOneDuration(election)) {
      election.api.edit({ leaseSeconds });
    }
    return undefined;
  };
}

function deleteLease(election: Election): undefined {
  election.isTimeTrusted &&= haveOneDuration(election);
  election.api.lease = undefined;
}

/** A process that has ended is followed by one of another identity. */
function comeBack(election: Election, { identity, settings }: Replica): void {
  election.after(election.between(100, 20_000), () => {
    const [name, incarnation = '1'] = identity.split('.');
    start(election, `${name}.${Number(incarnation) + 1}`, settings);
  });
}

function start(election: Election, identity: string, settings: Timing): Replica {
  return election.start({
    identity,
    settings,
    rate: election.between(1 - DRIFT, 1 + DRIFT),
    wallOffsetMs: election.between(0, 2_000_000_000_000),
  });
}

function disturb(election: Election): void {
  const everyMs = election.pick([500, 2_000, 6_000, 20_000]);
  const total = MISHAPS.reduce((sum, [weight]) => sum + weight, 0);
  const next = (): void => {
    let drawn = election.chance() * total;
    const [, mishap] = MISHAPS.find(([weight]) => (drawn -= weight) < 0)!;
    const { running, leaders } = election;
    // What befalls the leader matters most.
    const replica = election.chance() < 0.5 ? leaders[0] : election.pick(running);
    const end = replica && mishap(election, replica);
    if (end !== undefined) {
      election.after(election.between(100, election.pick([3_000, 40_000])), end);
    }
    const waitMs = election.between(0, 2 * everyMs);
    if (election.nowMs + waitMs < DISTURBED_MS) {
      election.after(waitMs, next);
    }
  };
  election.after(election.between(0, 40_000), next);
}

/** As the manual says: the API server's clock is put right, and then the lease is deleted, so that the next one is newer. */
function restoreOrder(election: Election): void {
  if (!election.isOrderTrusted) {
    election.api.offsetMs = election.api.latestOffsetMs;
    election.api.lease = undefined;
    election.isOrderTrusted = true;
  }
}

/** From now on all is well: what hung is cut off, so that nobody waits for an answer that never comes. */
function heal(election: Election): void {
  election.isApiUp = true;
  election.nextAcquirerIsTold = undefined;
  restoreOrder(election);
  for (const replica of election.running) {
    replica.link = GOOD_LINK;
    if (replica.isStopped) {
      replica.resume();
    }
    const { request } = replica.state;
    if (request !== undefined) {
      replica.take({ kind: 'answer', id: request.id, answer: { kind: 'failed' } });
    }
  }
}

/**
 * One schedule; the same seed, the same course.
 *
 * @param wallFactor - Makes wall clocks others, and nothing else.
 * @param machine - What is tried.
 * @throws When a promise was broken.
 */
export function play(seed: number, wallFactor?: number, machine?: Machine): Election {
  const election = new Election(seed, wallFactor, machine);
  election.mayClocksStand = election.chance() < 0.4;
  election.mayOrderBreak = election.chance() < 0.3;
  election.onEnd = (replica) => comeBack(election, replica);
  const timing = election.pick(TIMINGS);
  for (const name of ['a', 'b', 'c']) {
    // As while a config is rolled out.
    const own = election.chance() < 0.1 ? election.pick(TIMINGS) : timing;
    start(election, name, own);
  }
  disturb(election);
  // The last mishaps and restarts are over by then.
  election.runUntil(DISTURBED_MS + 41_000);
  heal(election);
  expectLeader(election);
  // Who led before may have believed so a bit longer than it should have: see whose clock stood still.
  election.runUntil(election.nowMs + 12_000);
  expectLeader(election);
  expectCalm(election);
  election.checkHosts();
  return election;
}

/** @throws When nobody leads within a lease and a retry. */
function expectLeader(election: Election): void {
  const longest = Math.max(...election.running.map(({ settings }) => settings.leaseMs));
  const retryMs = Math.max(...election.running.map(({ settings }) => settings.retryMs));
  const restMs = Math.min(
    ...election.running.map(({ state, steadyMs }) => Math.max(0, state.contendsFromMs - steadyMs)),
  );
  // A number that was edited into the record makes all wait for a minute at most.
  const written = Math.min((election.api.lease?.leaseSeconds ?? 0) * 1_000, 60_000);
  const waitMs = Math.max(longest, written) + retryMs;
  const withinMs = (restMs + waitMs) / (1 - DRIFT) + SLACK_MS;
  const startMs = election.nowMs;
  election.runUntil(startMs + withinMs, () => election.leaders.length > 0);
  if (election.leaders.length === 0) {
    throw new Error(`nobody leads ${withinMs} ms after ${startMs} ms, when all was well again`);
  }
}

/** @throws When somebody else leads while nothing happens, or when the hosts do not boot what the leader orders. */
function expectCalm(election: Election): void {
  const startMs = election.nowMs;
  const [leader, ...others] = election.leaders;
  if (leader === undefined || others.length > 0) {
    throw new Error(`${election.leaders.length} lead, and all is well`);
  }
  const { reign } = leader;
  const bootedBefore = election.hosts.map(({ accepted }) => accepted.length);
  election.runUntil(startMs + 60_000);
  if (!election.leaders.includes(leader) || leader.reign !== reign) {
    throw new Error(`${reign} does not lead any more, though all is well`);
  }
  for (const [index, { accepted }] of election.hosts.entries()) {
    const boots = accepted.slice(bootedBefore[index]).filter(({ verb }) => verb === 'create');
    if (!boots.some((boot) => boot.reign === reign)) {
      throw new Error(`a host boots nothing for ${reign}`);
    }
  }
}
