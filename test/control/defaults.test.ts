/** The whole loop as it is by default: a config that says nothing but target, minimum and maximum. */

import { expect, test } from 'vitest';
import { SITE, tierOf } from '../sim/lab.ts';
import { startLab } from './lab.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

test('after a cold start and a calm, a storm gets its nodes ahead, and they go when it has passed', async () => {
  await using lab = startLab({ tier: tierOf(SITE), nodes: 2, rps: 0 });
  const ticks = () => lab.log.of('tier-ticked').map(({ tick }) => tick.decision);
  const storms = () => ticks().filter(({ outlook }) => outlook?.storm !== undefined);

  // Nobody comes, then everybody: no storm, and nothing is ordered that the rate does not need.
  await lab.clock.step(10 * SECOND);
  lab.world.rps = 120;
  await lab.clock.step(5 * MINUTE);
  expect(storms()).toEqual([]);
  expect(lab.inService()).toBe(2);
  expect(lab.world.callsOf('create').length).toBeLessThanOrEqual(1);

  // 40 rps more each second up to 920: more is ordered than what has come needs.
  const ordered: boolean[] = [];
  for (let second = 1; second <= 20; second += 1) {
    lab.world.rps = 120 + 40 * second;
    await lab.clock.step(SECOND);
    ordered.push((ticks().at(-1)?.desiredNodes ?? 0) > lab.world.rps / 80 + 2);
  }
  expect(ordered).toContain(true);
  expect(storms().length).toBeGreaterThan(0);
  await lab.clock.stepUntil(() => lab.inService() >= 12, MINUTE);

  // What was ordered too much is let go of; what serves stays as long as it is needed.
  await lab.clock.step(3 * MINUTE);
  expect(lab.inService()).toBeGreaterThanOrEqual(12);
  expect(lab.inService()).toBeLessThanOrEqual(14);

  lab.world.rps = 120;
  await lab.clock.stepUntil(() => lab.inService() === 2, 5 * MINUTE);
  await lab.clock.step(5 * MINUTE);
  expect(ticks().at(-1)).toMatchObject({ desiredNodes: 2 });
  expect(ticks().at(-1)?.outlook?.storm).toBeUndefined();
  expect(lab.log.of('action-ended').filter(({ error }) => error !== undefined)).toEqual([]);
});
