import { expect, test } from 'vitest';
import type { GivenOverride } from '../../src/control/events.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type { Node, NodePhase } from '../../src/scaler/node-phase.ts';
import { EventLog } from './event-log.ts';
import { makeTier } from './site.ts';
import { TestClock } from './test-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const web = makeTier();
const cache = makeTier({}, { name: 'cache' });

const PAUSE = { kind: 'pause', direction: 'in' } as const;
const PROTECT = { kind: 'protect', number: 3, bornMs: 7 } as const;

/** An operator's desk in one process. */
class Desk {
  readonly clock: TestClock;
  readonly log = new EventLog();
  readonly book: OverrideBook;

  constructor(clock = new TestClock()) {
    this.clock = clock;
    this.book = new OverrideBook(clock, this.log);
  }

  pause(minutes: number, tier = 'news/web'): GivenOverride {
    return this.book.give(tier, PAUSE, { reason: 'sale', durationMs: minutes * MINUTE });
  }

  protect(bornMs: number, tier = 'news/web'): GivenOverride {
    return this.book.give(tier, { ...PROTECT, bornMs }, { reason: 'debug', durationMs: HOUR });
  }

  get inForce(): readonly string[] {
    return this.book.all().map(({ id }) => id);
  }

  /** `why id`, in order. */
  get ends(): readonly string[] {
    return this.log.of('override-ended').map(({ given, why }) => `${why} ${given.id}`);
  }
}

/** The same machine after a restart: the wall clock goes on, the steady one may start anywhere. */
function restart({ clock, book }: Desk, downMs = 0, jumpMs = 0): Desk {
  const kept = book.all();
  const next = new TestClock();
  next.jumpWall(clock.wallMs() + downMs + jumpMs - next.wallMs());
  const desk = new Desk(next);
  desk.book.restore(kept);
  return desk;
}

function nodeOf(number: number, bornMs: number, phase: NodePhase = 'in-service'): Node {
  return {
    name: `news-web-${number}`,
    number,
    phase,
    host: 'host-a',
    bornMs,
    serving: true,
    servingOnAll: true,
    sickForMs: 0,
    sessionsKnown: true,
    quiet: false,
    parked: false,
    phaseAgeMs: 0,
    leaving: false,
    isSaved: false,
    wakeRefused: false,
    saveRefused: false,
    protectedBy: undefined,
    drainAskedBy: undefined,
    operation: undefined,
  };
}

test('what is given holds at once: with an id, its reason, and the times that people read', () => {
  const { book, clock, log } = new Desk();
  const given = book.give('news/web', PAUSE, { reason: 'sale', durationMs: HOUR });
  expect(given).toEqual({
    id: 'o1',
    tier: 'news/web',
    word: PAUSE,
    reason: 'sale',
    givenAtMs: clock.wallMs(),
    expiresAtMs: clock.wallMs() + HOUR,
  });
  expect(book.all()).toEqual([given]);
  expect(log.events).toEqual([{ type: 'override-given', given }]);
});

test('the core sees those of its tier alone, the oldest first, with steady times', () => {
  const desk = new Desk();
  desk.pause(10);
  desk.pause(20, 'news/cache');
  desk.protect(7);
  const nowMs = desk.clock.steadyMs();
  expect(desk.book.ofTier(web)).toEqual([
    { ...PAUSE, id: 'o1', reason: 'sale', untilMs: nowMs + 10 * MINUTE },
    { ...PROTECT, id: 'o3', reason: 'debug', untilMs: nowMs + HOUR },
  ]);
  expect(desk.book.ofTier(cache).map(({ id }) => id)).toEqual(['o2']);
  expect(desk.book.ofTier(makeTier({}, { name: 'none' }))).toEqual([]);
});

test('an excluded balancer is one for every tier, also after a restart, and no longer than was said', async () => {
  const word = { kind: 'exclude-balancer', balancer: 'lb-b' } as const;
  const before = new Desk();
  before.book.give(undefined, word, { reason: 'new disk', durationMs: HOUR });
  const desk = restart(before, 10 * MINUTE);
  for (const said of [desk.book.ofTier(web), desk.book.ofTier(cache), desk.book.ofAllTiers()]) {
    expect(said).toMatchObject([{ ...word, id: 'o1', reason: 'new disk' }]);
  }
  await desk.clock.step(50 * MINUTE);
  expect(desk.book.ofAllTiers()).toEqual([]);
});

test('it holds to its last millisecond, then ends by itself and says so once', async () => {
  const desk = new Desk();
  desk.pause(10);
  desk.pause(30);
  await desk.clock.step(10 * MINUTE - 1);
  expect(desk.inForce).toEqual(['o1', 'o2']);
  await desk.clock.step(1);
  expect(desk.book.ofTier(web).map(({ id }) => id)).toEqual(['o2']);
  expect(desk.inForce).toEqual(['o2']);
  expect(desk.ends).toEqual(['expired o1']);
});

test('the tick of any tier ends what has expired, also of a tier that is gone', async () => {
  const desk = new Desk();
  desk.pause(10, 'news/gone');
  await desk.clock.step(10 * MINUTE);
  expect(desk.book.ofTier(web)).toEqual([]);
  expect(desk.ends).toEqual(['expired o1']);
});

test.each([
  { jump: 'forward', jumpMs: HOUR },
  { jump: 'back', jumpMs: -HOUR },
])('the wall clock jumps $jump an hour: it ends when it was meant to', async ({ jumpMs }) => {
  const desk = new Desk();
  desk.pause(10);
  desk.clock.jumpWall(jumpMs);
  expect(desk.inForce).toEqual(['o1']);
  await desk.clock.step(10 * MINUTE - 1);
  expect(desk.inForce).toEqual(['o1']);
  await desk.clock.step(1);
  expect(desk.inForce).toEqual([]);
});

test('over a restart, what is left of it by the wall clock counts', async () => {
  const before = new Desk();
  const given = before.pause(10);
  await before.clock.step(3 * MINUTE);
  const after = restart(before, 4 * MINUTE);
  expect(after.book.all()).toEqual([given]);
  const [override] = after.book.ofTier(web);
  expect(override?.untilMs).toBe(after.clock.steadyMs() + 3 * MINUTE);
  await after.clock.step(3 * MINUTE - 1);
  expect(after.inForce).toEqual(['o1']);
  await after.clock.step(1);
  expect(after.inForce).toEqual([]);
});

test('what expired while nobody ran is left out', async () => {
  const before = new Desk();
  before.pause(10);
  before.pause(20);
  const after = restart(before, 10 * MINUTE);
  expect(after.inForce).toEqual(['o2']);
  expect(after.log.events).toEqual([]);
  expect(restart(before, 20 * MINUTE).inForce).toEqual([]);
});

test('a clock that was set back over a restart makes nothing last longer than it was meant to', async () => {
  const before = new Desk();
  before.pause(10);
  const after = restart(before, MINUTE, -HOUR);
  await after.clock.step(10 * MINUTE - 1);
  expect(after.inForce).toEqual(['o1']);
  await after.clock.step(1);
  expect(after.inForce).toEqual([]);
});

test('to be taken back is not to be given: nobody hears of it again', () => {
  const before = new Desk();
  before.pause(10);
  expect(restart(before).log.events).toEqual([]);
});

test('ids go on after a restart, also after those that have expired meanwhile', () => {
  const before = new Desk();
  before.pause(30);
  before.pause(5);
  const after = restart(before, 10 * MINUTE);
  expect(after.inForce).toEqual(['o1']);
  expect(after.pause(10).id).toBe('o3');
});

test('an id of another form is kept and does not stop the count', () => {
  const kept = { ...new Desk().pause(10), id: 'by-hand' };
  const desk = new Desk();
  desk.book.restore([kept]);
  expect(desk.pause(10).id).toBe('o1');
  expect(desk.inForce).toEqual(['by-hand', 'o1']);
});

test('what is withdrawn is over at once, and cannot be withdrawn again', () => {
  const desk = new Desk();
  const given = desk.pause(10);
  desk.pause(10);
  expect(desk.book.withdraw('o1')).toBe(true);
  expect(desk.inForce).toEqual(['o2']);
  expect(desk.log.of('override-ended')).toEqual([
    { type: 'override-ended', given, why: 'withdrawn' },
  ]);
  expect(desk.book.withdraw('o1')).toBe(false);
});

test('what nobody gave, or what has expired, cannot be withdrawn', async () => {
  const desk = new Desk();
  expect(desk.book.withdraw('o1')).toBe(false);
  expect(desk.log.events).toEqual([]);
  desk.pause(10);
  await desk.clock.step(10 * MINUTE);
  expect(desk.book.withdraw('o1')).toBe(false);
  expect(desk.ends).toEqual(['expired o1']);
});

test('what was said of a node ends with it: the next tenant of its number is another node', () => {
  const desk = new Desk();
  desk.protect(7);
  desk.pause(10);
  desk.book.forgetGone(web, [nodeOf(2, 5), nodeOf(3, 7)]);
  expect(desk.inForce).toEqual(['o1', 'o2']);
  desk.book.forgetGone(web, [nodeOf(2, 7), nodeOf(3, 8)]);
  expect(desk.inForce).toEqual(['o2']);
  expect(desk.ends).toEqual(['node-gone o1']);
});

test('what was said of a node ends when there is no node of its number', () => {
  const desk = new Desk();
  desk.protect(7);
  desk.book.forgetGone(web, []);
  expect(desk.ends).toEqual(['node-gone o1']);
});

test('the nodes of one tier say nothing about those of another', () => {
  const desk = new Desk();
  desk.protect(7, 'news/cache');
  desk.book.forgetGone(web, []);
  expect(desk.inForce).toEqual(['o1']);
});

test('while two domains have one name, the node that is meant may be either of them', () => {
  const desk = new Desk();
  desk.protect(7);
  desk.book.forgetGone(web, [nodeOf(3, 8, 'conflict')]);
  expect(desk.inForce).toEqual(['o1']);
});
