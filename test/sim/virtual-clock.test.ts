import { expect, test } from 'vitest';
import { VirtualClock } from '../../src/sim/virtual-clock.ts';

const never = new AbortController().signal;

test('sleepers wake in the order of their times, those of one time in the order in which they fell asleep', async () => {
  const clock = new VirtualClock(0);
  const woken: string[] = [];
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms, never);
    woken.push(`${name} at ${clock.nowMs}`);
  };
  const all = Promise.all([sleep('late', 20), sleep('first', 10), sleep('second', 10)]);
  await clock.advanceTo(9);
  expect(woken).toEqual([]);
  await clock.advanceTo(20);
  await all;
  expect(woken).toEqual(['first at 10', 'second at 10', 'late at 20']);
});

test('what follows from one sleeper happens before the next one wakes, also a sleep that ends sooner', async () => {
  const clock = new VirtualClock(0);
  const woken: string[] = [];
  const chain = async (): Promise<void> => {
    await clock.sleep(10, never);
    await Promise.resolve();
    woken.push('chain');
    await clock.sleep(5, never);
    woken.push(`chain at ${clock.nowMs}`);
  };
  const other = async (): Promise<void> => {
    await clock.sleep(10, never);
    woken.push('other');
    await clock.sleep(10, never);
    woken.push(`other at ${clock.nowMs}`);
  };
  const all = Promise.all([chain(), other()]);
  await clock.advanceTo(100);
  await all;
  expect(woken).toEqual(['chain', 'other', 'chain at 15', 'other at 20']);
});

test('a sleep that is aborted ends at once with the reason, and another one is not disturbed', async () => {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const slept = clock.sleep(10, stop.signal);
  const other = clock.sleep(20, never).then(() => clock.nowMs);
  stop.abort(new Error('not needed any more'));
  await expect(slept).rejects.toThrow('not needed any more');
  await expect(clock.sleep(1, stop.signal)).rejects.toThrow('not needed any more');
  await clock.advanceTo(20);
  expect(await other).toBe(20);
});

test('each look at the steady clock is later than the one before, and none of them shifts a sleep', async () => {
  const clock = new VirtualClock(1_000);
  const looks = Array.from({ length: 1_000 }, () => clock.steadyMs());
  expect(new Set(looks).size).toBe(1_000);
  expect(looks).toEqual(looks.toSorted((one, other) => one - other));
  // Rounded, as a tick has it, all of them are the same moment.
  expect(new Set(looks.map(Math.round))).toEqual(new Set([1_000]));
  const slept = clock.sleep(1_000, never).then(() => clock.nowMs);
  await clock.advanceTo(5_000);
  expect(await slept).toBe(2_000);
});
