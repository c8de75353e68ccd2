import { expect, test } from 'vitest';
import { createRandom } from '../../src/embedded/random.ts';
import {
  type BootModel,
  drawBoot,
  Fleet,
  FluidQueue,
  plainBoots,
  roughBoots,
} from '../../src/sim/physics.ts';

/** Every boot takes the same time. */
const EVEN: BootModel = { medianSeconds: 10, sigma: 0, stragglers: 0, failures: 0 };

function runQueue(arrivals: readonly number[], capacity: number): readonly FluidQueue[] {
  const queue = new FluidQueue();
  return arrivals.map((requests) => {
    queue.step(requests, capacity);
    return Object.assign(new FluidQueue(), queue);
  });
}

test('requests within the capacity are served in their second, and nobody waits', () => {
  const [only] = runQueue([200], 200);
  expect(only).toMatchObject({ served: 200, dropped: 0, waiting: 0, waitSeconds: 0 });
});

test('what exceeds the capacity waits, and is served first in the next second', () => {
  const [first, second] = runQueue([300, 100], 200);
  expect(first).toMatchObject({ served: 200, dropped: 0, waiting: 100, waitSeconds: 0.5 });
  expect(second).toMatchObject({ served: 200, dropped: 0, waiting: 0, waitSeconds: 0 });
});

test('at an overload for long, what exceeds the capacity is dropped after five seconds in the queue', () => {
  const seconds = runQueue(
    Array.from({ length: 30 }, () => 300),
    200,
  );
  expect(seconds.slice(0, 5).map(({ dropped }) => dropped)).toEqual([0, 0, 0, 0, 0]);
  expect(seconds.at(-1)).toMatchObject({ served: 200, dropped: 100 });
  expect(seconds.at(-1)?.waitSeconds).toBeLessThanOrEqual(5 * 1.5);
});

test('a burst that the nodes can serve within five seconds loses nothing', () => {
  const seconds = runQueue([1_100, 0, 0, 0, 0, 0, 0], 200);
  expect(seconds.reduce((sum, { served }) => sum + served, 0)).toBe(1_100);
  expect(seconds.reduce((sum, { dropped }) => sum + dropped, 0)).toBe(0);
});

test('of a burst that takes longer, only what has waited for five seconds is lost', () => {
  const seconds = runQueue([1_500, 0, 0, 0, 0, 0, 0], 200);
  expect(seconds.reduce((sum, { served }) => sum + served, 0)).toBe(1_200);
  expect(seconds[5]).toMatchObject({ dropped: 300, waiting: 0 });
});

test('requests are neither made nor forgotten, whatever comes', () => {
  const random = createRandom(3);
  const queue = new FluidQueue();
  let inside = 0;
  for (let second = 0; second < 2_000; second += 1) {
    const arrivals = Math.floor(random() * 900);
    queue.step(arrivals, Math.floor(random() * 8) * 100);
    inside += arrivals - queue.served - queue.dropped;
    expect(inside).toBeCloseTo(queue.waiting, 3);
  }
});

test('boots have the median that was asked for, never less than 0.6 of it, and the spread of sigma 0.25', () => {
  const random = createRandom(1);
  const boots = Array.from({ length: 20_000 }, () => drawBoot(plainBoots(45), random));
  const sorted = boots.map(({ seconds }) => seconds).toSorted((one, other) => one - other);
  expect(sorted[10_000]).toBeCloseTo(45, 0);
  expect(sorted[0]).toBe(27);
  expect((sorted[16_829] ?? 0) / 45).toBeCloseTo(Math.exp(0.25), 1);
  expect(boots.some(({ fails }) => fails)).toBe(false);
});

test('rough boots have 2 % stragglers of four times the median, and 1 % fail', () => {
  const random = createRandom(1);
  const boots = Array.from({ length: 20_000 }, () => drawBoot(roughBoots(45), random));
  expect(boots.filter(({ seconds }) => seconds === 180).length / 20_000).toBeCloseTo(0.02, 2);
  expect(boots.filter(({ fails }) => fails).length / 20_000).toBeCloseTo(0.01, 2);
});

function fleetOf(boots: BootModel, standbyNodes = 0): Fleet {
  return new Fleet({ boots, random: createRandom(1), readyNodes: 2, standbyNodes });
}

test('a node that is ordered costs from its order on, and serves after its boot', () => {
  const fleet = fleetOf(EVEN);
  fleet.order(5, 0);
  expect(fleet).toMatchObject({ ready: 2, ordered: 5, cost: 5 });
  fleet.advance(9);
  expect(fleet.ready).toBe(2);
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 5, ordered: 5, bootTimes: [10, 10, 10] });
});

test('scale-in cancels what boots, the newest first, and then drains', () => {
  const fleet = fleetOf(EVEN);
  fleet.order(3, 0);
  fleet.order(4, 5);
  fleet.order(3, 6);
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 3, ordered: 3 });
  fleet.order(2, 11);
  expect(fleet).toMatchObject({ ready: 2, ordered: 2, cost: 2 });
});

test('a boot that failed is repeated, and is paid for until it is seen to have failed', () => {
  const fleet = fleetOf({ ...EVEN, failures: 1 });
  fleet.order(3, 0);
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 2, ordered: 3, cost: 3, bootTimes: [] });
  fleet.advance(20);
  expect(fleet).toMatchObject({ ready: 2, ordered: 3 });
});

test('standby nodes cost a quarter, wake in two seconds, and are replaced', () => {
  const fleet = fleetOf(EVEN, 2);
  expect(fleet).toMatchObject({ paused: 2, cost: 2.5 });
  fleet.order(3, 0);
  expect(fleet).toMatchObject({ ordered: 3, paused: 1, cost: 3 + 0.25 + 1 });
  fleet.advance(2);
  expect(fleet).toMatchObject({ ready: 3, paused: 1, bootTimes: [] });
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 3, paused: 2, cost: 3.5 });
});

test('what boots for standby is taken before more is booted, and what is drained becomes standby', () => {
  const fleet = fleetOf(EVEN, 1);
  fleet.order(3, 0);
  fleet.order(4, 5);
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 4, ordered: 4 });
  fleet.order(2, 11);
  expect(fleet).toMatchObject({ ready: 2, paused: 1 });
});

test('standby is woken for what is needed soon, and what boots already stands by in its place', () => {
  const fleet = fleetOf(EVEN, 2);
  fleet.order(5, 0, 2, 2);
  expect(fleet).toMatchObject({ ready: 2, ordered: 5, paused: 2 });
  fleet.order(5, 5, 2, 4);
  expect(fleet).toMatchObject({ ready: 2, ordered: 5, paused: 0 });
  // Two woken, and one of the three that boot; the other two stand by later.
  fleet.advance(7);
  expect(fleet).toMatchObject({ ready: 4, paused: 0 });
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 5, paused: 2, pausedSoon: 0 });
});

test('what boots is let go before what is being woken', () => {
  const fleet = fleetOf(EVEN, 2);
  fleet.order(4, 0, 2, 2);
  fleet.order(5, 5, 2, 3);
  fleet.order(3, 6, 1, 3);
  fleet.advance(7);
  expect(fleet).toMatchObject({ ready: 3, ordered: 3, paused: 1, pausedSoon: 0 });
});

test('of what boots, the nearest stands by and the newest is cancelled', () => {
  const fleet = fleetOf(EVEN);
  fleet.order(3, 0);
  fleet.order(4, 5);
  fleet.order(2, 6, 1);
  fleet.advance(10);
  expect(fleet).toMatchObject({ ready: 2, paused: 1, pausedSoon: 0 });
});

test('one that is being woken and not needed any more stands by again', () => {
  const fleet = fleetOf(EVEN, 1);
  fleet.order(3, 0);
  fleet.order(2, 1);
  expect(fleet).toMatchObject({ ready: 2, ordered: 2, paused: 1, pausedSoon: 0 });
});
