/** One elector, answer by answer. */

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/control/errors.ts';
import {
  blockedBy,
  type ElectorInput,
  type ElectorState,
  type LeaseAnswer,
  type LeaseContent,
  type LeaseRecord,
  leadsAt,
  requireSettings,
  startElector,
  stepElector,
} from '../../src/leader/elector.ts';
import { Election } from './election.ts';

const SETTINGS = { identity: 'me', leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };
const OTHERS: LeaseRecord = {
  uid: 'one',
  resourceVersion: '7',
  createdAtSeconds: 1_000,
  holder: 'another',
  leaseSeconds: 15,
  transitions: 4,
  acquiredAtMs: undefined,
};

/** An elector whose every question the test answers itself. */
class Asked {
  state: ElectorState;
  nowMs = 1_000_000;
  #versions = 100;

  constructor() {
    this.state = startElector(SETTINGS, this.#moment());
  }

  #moment() {
    return { steadyMs: this.nowMs, wallMs: 0, chance: 0.5 };
  }

  take(input: ElectorInput): this {
    this.state = stepElector(SETTINGS, this.state, input, this.#moment());
    return this;
  }

  answer(answer: LeaseAnswer): this {
    return this.take({ kind: 'answer', id: this.state.request?.id ?? -1, answer });
  }

  sees(lease: LeaseRecord): this {
    return this.answer({ kind: 'lease', lease });
  }

  /** The write that is outstanding is carried out. */
  writes(): this {
    const { request } = this.state;
    if (request === undefined || request.kind === 'read') {
      throw new Error(`nothing is written: ${JSON.stringify(request)}`);
    }
    this.#versions += 1;
    const { renewedAtMs: _, ...content } = request.content;
    const uid = request.kind === 'create' ? 'made' : request.uid;
    const createdAtSeconds = uid === 'made' ? 2_000 : OTHERS.createdAtSeconds;
    return this.sees({
      ...content,
      uid,
      createdAtSeconds,
      resourceVersion: String(this.#versions),
    });
  }

  /** Steps whenever it wants to be stepped. */
  until(atMs: number): this {
    while (this.state.wakeAtMs <= atMs) {
      this.nowMs = this.state.wakeAtMs;
      this.take({ kind: 'tick' });
      if (this.state.request !== undefined) {
        return this;
      }
    }
    this.nowMs = atMs;
    return this;
  }

  /** As `until`, where what it reads meanwhile is what it has seen. */
  untilWrite(atMs: number): this {
    while (this.until(atMs).asks === 'read') {
      const { seen } = this.state;
      this.answer(
        seen.kind === 'lease' ? { kind: 'lease', lease: seen.lease } : { kind: 'absent' },
      );
    }
    return this;
  }

  get asks(): string | undefined {
    const { request } = this.state;
    return request?.kind === 'replace' ? request.purpose : request?.kind;
  }

  get writing(): LeaseContent | undefined {
    const { request } = this.state;
    return request === undefined || request.kind === 'read' ? undefined : request.content;
  }

  get term() {
    return leadsAt(this.state, this.nowMs);
  }
}

/** It leads by term 1000.5. */
function leader(): Asked {
  const asked = new Asked().sees({ ...OTHERS, holder: '', leaseSeconds: 1 });
  return asked.writes();
}

describe('settings', () => {
  test.each([
    [15_000, 10_000, 2_000, true],
    [5_000, 3_000, 500, true],
    // The lease is not longer than the deadline, and the deadline not longer than 1.2 × the retry period.
    [10_000, 10_000, 2_000, false],
    [15_000, 2_400, 2_000, false],
    [15_000, 2_401, 2_000, true],
    [15_000, 10_000, 0, false],
    // Not whole seconds, too long, and too short to tell two leases of one second apart.
    [15_500, 10_000, 2_000, false],
    [60_000, 10_000, 2_000, true],
    [61_000, 10_000, 2_000, false],
    [2_000, 1_000, 500, true],
    [1_000, 800, 500, false],
  ])('lease %d, renew deadline %d, retry %d: %s', (leaseMs, renewDeadlineMs, retryMs, isGood) => {
    const require = (): void =>
      requireSettings({ identity: 'me', leaseMs, renewDeadlineMs, retryMs });
    if (isGood) {
      expect(require).not.toThrow();
    } else {
      expect(require).toThrow(ConfigError);
    }
  });
});

test('a lease of another one is left alone for its duration, counted from when it was first seen so', () => {
  const asked = new Asked().sees(OTHERS);
  const seenMs = asked.nowMs;
  while (asked.nowMs < seenMs + 14_999) {
    expect(asked.until(seenMs + 14_999).asks).not.toBe('acquire');
    asked.sees(OTHERS);
  }
  expect(asked.until(seenMs + 15_000).asks).toBe('acquire');
  expect(asked.writing).toMatchObject({ holder: 'me', leaseSeconds: 15, transitions: 5 });
  asked.writes();
  expect(asked.term).toEqual({ createdAtSeconds: 1_000, transitions: 5 });
});

test('it leads for a renew deadline from when the write was sent, and says no at that moment, unasked', () => {
  const asked = new Asked().sees({ ...OTHERS, holder: '', leaseSeconds: 1 });
  const sentMs = asked.nowMs;
  asked.nowMs += 3_000;
  asked.writes();
  asked.nowMs = sentMs + 9_999;
  expect(asked.term).toEqual({ createdAtSeconds: 1_000, transitions: 5 });
  asked.nowMs += 1;
  expect(asked.term).toBeUndefined();
  asked.take({ kind: 'tick' });
  expect(asked.state).toMatchObject({ reign: undefined, lost: 'not-renewed' });
});

test('an answer that comes when its request was given up is not looked at', () => {
  const asked = new Asked().sees({ ...OTHERS, holder: '', leaseSeconds: 1 });
  const id = asked.state.request!.id;
  asked.nowMs += 3_334;
  const lease = { ...OTHERS, holder: 'me', transitions: 5, resourceVersion: '8' };
  asked.take({ kind: 'answer', id, answer: { kind: 'lease', lease } });
  expect(asked.term).toBeUndefined();
});

test('an acquisition whose answer was lost is known again by the next look, and another term is taken at once', () => {
  const asked = new Asked().sees({ ...OTHERS, holder: '', leaseSeconds: 1 });
  asked.answer({ kind: 'failed' });
  expect(asked.untilWrite(asked.nowMs + 2_000).asks).toBe('acquire');
  asked.answer({ kind: 'conflict' });
  expect(asked.until(asked.nowMs + 3_000).asks).toBe('read');
  asked.sees({ ...OTHERS, holder: 'me', transitions: 5, resourceVersion: '8' });
  expect(asked.term).toBeUndefined();
  expect(asked.untilWrite(asked.nowMs + 2_000).asks).toBe('acquire');
  expect(asked.writes().term).toEqual({ createdAtSeconds: 1_000, transitions: 6 });
});

test('our own name from long ago is as good as that of another one', () => {
  const asked = new Asked().sees({ ...OTHERS, holder: 'me' });
  const seenMs = asked.nowMs;
  while (asked.nowMs < seenMs + 14_999) {
    expect(asked.until(seenMs + 14_999).asks).not.toBe('acquire');
    asked.sees({ ...OTHERS, holder: 'me' });
  }
});

describe('when the lease is not there', () => {
  test('it is made, held by nobody, and led a lease later', () => {
    const asked = new Asked().answer({ kind: 'absent' });
    expect(asked.asks).toBe('create');
    expect(asked.writing).toMatchObject({ holder: '', leaseSeconds: 15, transitions: 0 });
    const made = { ...OTHERS, uid: 'made', createdAtSeconds: 2_000, holder: '', transitions: 0 };
    asked.sees(made);
    const madeMs = asked.nowMs;
    while (asked.nowMs < madeMs + 14_999) {
      expect(asked.until(madeMs + 14_999).asks).not.toBe('acquire');
      asked.sees(made);
    }
    asked.until(madeMs + 15_000);
    expect(asked.writes().term).toEqual({ createdAtSeconds: 2_000, transitions: 1 });
  });

  test('while its leader renews it, that one stops at once', () => {
    const asked = leader();
    expect(asked.until(asked.nowMs + 2_000).asks).toBe('renew');
    asked.answer({ kind: 'absent' });
    expect(asked.state).toMatchObject({ reign: undefined, lost: 'deleted' });
  });

  test('because its namespace is not there, it is tried again after a while', () => {
    const asked = new Asked().answer({ kind: 'absent' }).answer({ kind: 'absent' });
    expect(asked.state.request).toBeUndefined();
    expect(asked.untilWrite(asked.nowMs + 2_100).asks).toBe('create');
  });
});

describe('a leader whose lease was changed', () => {
  const conflicted = (): Asked => {
    const asked = leader();
    asked.until(asked.nowMs + 2_000).answer({ kind: 'conflict' });
    expect(asked.until(asked.nowMs + 1_000).asks).toBe('read');
    return asked;
  };
  const mine = { ...OTHERS, holder: 'me', transitions: 5, resourceVersion: '200' };

  test('in what does not matter goes on, with the new version', () => {
    const asked = conflicted().sees(mine);
    expect(asked.term).toEqual({ createdAtSeconds: 1_000, transitions: 5 });
    expect(asked.until(asked.nowMs + 2_000).state.request).toMatchObject({
      purpose: 'renew',
      resourceVersion: '200',
    });
  });

  test.each<[string, Partial<LeaseRecord>]>([
    ['holder', { holder: 'a stranger' }],
    ['transitions', { transitions: 6 }],
    ['uid', { uid: 'two' }],
  ])('in its %s stops at once', (_, change) => {
    const asked = conflicted().sees({ ...mine, ...change });
    expect(asked.state).toMatchObject({ reign: undefined, lost: 'taken' });
  });
});

describe('no newer term can be had', () => {
  test('from a lease that is older than one seen before', () => {
    const asked = leader();
    asked.until(asked.nowMs + 2_000).answer({ kind: 'absent' });
    asked.until(asked.nowMs + 3_000);
    asked.sees({ ...OTHERS, uid: 'restored', createdAtSeconds: 999, transitions: 50, holder: '' });
    expect(blockedBy(asked.state)).toBe('lease-older-than-one-seen');
    for (let looks = 0; looks < 20; looks += 1) {
      expect(asked.until(asked.nowMs + 3_000).asks).toBe('read');
      asked.answer({ kind: 'failed' });
    }
  });

  test('when transitions are at the end of what a host takes', () => {
    const released = { ...OTHERS, holder: '', leaseSeconds: 1 };
    const last = new Asked().sees({ ...released, transitions: 999_999_998 });
    expect(last.writes().term?.transitions).toBe(999_999_999);
    const beyond = new Asked().sees({ ...released, transitions: 999_999_999 });
    expect(beyond.asks).toBeUndefined();
    expect(blockedBy(beyond.state)).toBe('transitions-at-end');
  });

  test('and where transitions were set back, the newest seen counts', () => {
    const asked = leader();
    asked.until(asked.nowMs + 2_000).answer({ kind: 'conflict' });
    asked.until(asked.nowMs + 1_000);
    asked.sees({ ...OTHERS, resourceVersion: '9', holder: '', leaseSeconds: 1, transitions: 0 });
    asked.untilWrite(asked.nowMs + 2_000);
    expect(asked.writing?.transitions).toBe(6);
  });
});

describe('leaving', () => {
  test('the lease is given away when a renewal that is under way has ended', () => {
    const asked = leader();
    asked.until(asked.nowMs + 2_000).take({ kind: 'release' });
    expect(asked.term).toBeUndefined();
    expect(asked.asks).toBe('renew');
    expect(asked.writes().asks).toBe('release');
    expect(asked.writing).toMatchObject({ holder: '', leaseSeconds: 1, transitions: 5 });
    expect(asked.writes().state).toMatchObject({ isClosed: true, request: undefined });
  });

  test('an acquisition that is under way begins no reign any more, and is given away', () => {
    const asked = new Asked().sees({ ...OTHERS, holder: '', leaseSeconds: 1 });
    expect(asked.asks).toBe('acquire');
    asked.take({ kind: 'release' }).writes();
    expect(asked.term).toBeUndefined();
    expect(asked.asks).toBe('release');
    expect(asked.writes().state).toMatchObject({ isClosed: true, lost: undefined });
  });

  test('a release that meets another change is looked at and tried once more, and then no more', () => {
    const asked = leader().take({ kind: 'release' });
    asked.answer({ kind: 'conflict' });
    expect(asked.until(asked.nowMs + 3_000).asks).toBe('read');
    asked.sees({ ...OTHERS, holder: 'me', transitions: 5, resourceVersion: '300' });
    expect(asked.state.request).toMatchObject({ purpose: 'release', resourceVersion: '300' });
    asked.answer({ kind: 'conflict' });
    expect(asked.state).toMatchObject({ isClosed: true, request: undefined });
  });

  test('a follower has nothing to give away, and asks nothing any more', () => {
    const asked = new Asked().sees(OTHERS).take({ kind: 'release' });
    expect(asked.state).toMatchObject({
      isClosed: true,
      request: undefined,
      wakeAtMs: Number.POSITIVE_INFINITY,
    });
  });

  test('who resigns gives the lease away, and does not take it back for two leases', () => {
    const asked = leader().take({ kind: 'resign' });
    const resignedMs = asked.nowMs;
    expect(asked.state.lost).toBe('resigned');
    const released = { ...OTHERS, holder: '', leaseSeconds: 1, transitions: 5 };
    asked.sees({ ...released, resourceVersion: '300' });
    while (asked.nowMs < resignedMs + 29_999) {
      expect(asked.until(resignedMs + 29_999).asks).not.toBe('acquire');
      asked.answer({ kind: 'failed' });
    }
    expect(asked.until(resignedMs + 30_000).asks).toBe('acquire');
    expect(asked.writes().term?.transitions).toBe(6);
  });
});

test('of a leader that leaves, another one takes over within a retry', () => {
  const election = new Election(1);
  const [one] = ['a', 'b'].map((identity) =>
    election.start({ identity, settings: SETTINGS, rate: 1, wallOffsetMs: 0 }),
  );
  election.runUntil(60_000, () => election.leaders.length > 0);
  const [leaving] = election.leaders;
  leaving!.take({ kind: 'release' });
  const sinceMs = election.nowMs;
  election.runUntil(sinceMs + 60_000, () => election.leaders.length > 0);
  expect(election.leaders.map(({ identity }) => identity)).toEqual([leaving === one ? 'b' : 'a']);
  expect(election.nowMs - sinceMs).toBeLessThan(SETTINGS.retryMs + 200);
});
