/** Three electors, clocks that drift and step, a lossy API: a thousand times in virtual time. */

import { expect, test } from 'vitest';
import { play } from './schedules.ts';

const SCHEDULES = 1_000;

test('of three electors no two are ever obeyed, whatever befalls them; and one leads when all is well again', {
  timeout: 120_000,
}, () => {
  const broken: string[] = [];
  let untrusted = 0;
  let reigns = 0;
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    try {
      const election = play(seed);
      untrusted += election.isTimeTrusted ? 0 : 1;
      reigns += election.reignCount;
    } catch (error) {
      broken.push(`seed ${seed}: ${String(error)}`);
    }
  }
  expect(broken).toEqual([]);
  // Schedules in which nothing happens would show nothing.
  expect(reigns).toBeGreaterThan(4 * SCHEDULES);
  expect(untrusted).toBeGreaterThan(SCHEDULES / 10);
  expect(untrusted).toBeLessThan(SCHEDULES / 1.2);
});

test('wall clocks change nothing: other ones, the same course', { timeout: 60_000 }, () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const [one, other] = [play(seed), play(seed, -0.5)];
    expect(other.requests).toEqual(one.requests);
  }
});
