import { expect, test } from 'vitest';
import { WallWatch } from '../../src/control/wall-watch.ts';
import { TestClock } from './test-clock.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

test('without a jump, an age is the time since the birth', async () => {
  const clock = new TestClock();
  const wall = new WallWatch(clock);
  const bornMs = clock.wallMs() - 5 * MINUTE_MS;
  await clock.step(MINUTE_MS);
  expect(wall.check()).toBe(0);
  expect(wall.ageMs(bornMs)).toBe(6 * MINUTE_MS);
});

test.each([
  { aheadMs: 2_000, ageMs: 0 },
  { aheadMs: 2_001, ageMs: MINUTE_MS },
  { aheadMs: HOUR_MS, ageMs: MINUTE_MS },
])(
  'a birth $aheadMs ms in the future, because the clock was set back before the start: a minute later its age is $ageMs ms',
  async ({ aheadMs, ageMs }) => {
    const clock = new TestClock();
    const wall = new WallWatch(clock);
    await clock.step(MINUTE_MS);
    wall.check();
    expect(wall.ageMs(clock.wallMs() + aheadMs)).toBe(ageMs);
  },
);

test.each([
  { ms: 2_000, said: 0 },
  { ms: 2_001, said: 2_001 },
  { ms: -2_000, said: 0 },
  { ms: -2_001, said: -2_001 },
])('a step of the wall clock by $ms ms is said as $said, once', ({ ms, said }) => {
  const clock = new TestClock();
  const wall = new WallWatch(clock);
  clock.jumpWall(ms);
  expect([wall.check(), wall.check()]).toEqual([said, 0]);
});

test('after a jump of an hour forward, nothing is an hour older: ages restart', async () => {
  const clock = new TestClock();
  const wall = new WallWatch(clock);
  const bornMs = clock.wallMs() - MINUTE_MS;
  clock.jumpWall(HOUR_MS);
  wall.check();
  expect(wall.ageMs(bornMs)).toBe(0);
  await clock.step(MINUTE_MS);
  wall.check();
  expect(wall.ageMs(bornMs)).toBe(MINUTE_MS);
});

test('after a jump of an hour back, ages restart, too, instead of standing still for an hour', async () => {
  const clock = new TestClock();
  const wall = new WallWatch(clock);
  const bornMs = clock.wallMs() - MINUTE_MS;
  clock.jumpWall(-HOUR_MS);
  wall.check();
  expect(wall.ageMs(bornMs)).toBe(0);
  await clock.step(2 * MINUTE_MS);
  wall.check();
  expect(wall.ageMs(bornMs)).toBe(2 * MINUTE_MS);
});

test.each([HOUR_MS, -HOUR_MS])('a node born after a jump by %i ms has its own age', async (ms) => {
  const clock = new TestClock();
  const wall = new WallWatch(clock);
  clock.jumpWall(ms);
  wall.check();
  await clock.step(MINUTE_MS);
  const bornMs = clock.wallMs();
  await clock.step(MINUTE_MS);
  expect(wall.ageMs(bornMs)).toBe(MINUTE_MS);
});
