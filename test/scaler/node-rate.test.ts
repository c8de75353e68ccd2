import { expect, test } from 'vitest';
import {
  advanceWork,
  NO_WORK,
  nodeRpsOf,
  type Work,
  type WorkReading,
} from '../../src/scaler/node-rate.ts';
import { createNormal } from './noisy-load.ts';

const AT_80 = { servingNodes: 10, seconds: 1 };

/** Ten nodes of ten slots, `rps` each, requests of so many seconds. */
function reading(
  rps: number,
  serviceSeconds: number,
  changes: Partial<WorkReading> = {},
): WorkReading {
  return { servedRps: 10 * rps, usedSlots: 10 * rps * serviceSeconds, totalSlots: 100, ...changes };
}

function after(seconds: number, latest: WorkReading | undefined, before: Work = NO_WORK): Work {
  let work = before;
  for (let second = 0; second < seconds; second += 1) {
    work = advanceWork(work, latest, AT_80);
  }
  return work;
}

test.each<[string, number, number, number]>([
  ['requests as quick as the target needs', 80, 0.1, 80],
  ['next to nobody there', 1, 0.1, 80],
  ['a target that takes exactly nine tenths of the slots', 40, 0.1125, 80],
  ['requests that take twice as long', 40, 0.2, 40],
  ['half of the nodes cold', 40, 0.15, 0.8 / 0.015],
  ['requests that take ten times as long: half of the target and no less', 8, 1, 40],
  ['more slots used than there are', 80, 1, 64],
])('with %s, a node of 10 slots is taken to serve so much', (_, rps, serviceSeconds, expected) => {
  expect(nodeRpsOf(after(60, reading(rps, serviceSeconds)), 80, 1)).toBeCloseTo(expected, 9);
});

test('nothing seen yet, the target counts', () => {
  expect(nodeRpsOf(NO_WORK, 80, 1)).toBe(80);
});

test.each<[string, WorkReading | undefined, number]>([
  ['no slots are known', undefined, 10],
  ['HAProxy limits no server', reading(80, 0.1, { totalSlots: 0 }), 10],
  ['nothing ends: everything hangs', reading(0, 0.1, { usedSlots: 100 }), 10],
  ['nobody serves', reading(80, 0.1), 0],
])('a reading says nothing when %s', (_, latest, servingNodes) => {
  const before = after(30, reading(40, 0.2));
  expect(advanceWork(before, latest, { servingNodes, seconds: 1 })).toEqual(before);
});

test('nodes that become slow are known within ten seconds, and so are those that are quick again', () => {
  const healthy = after(600, reading(60, 0.1));
  const slow = after(10, reading(50, 0.2, { usedSlots: 100 }), healthy);
  expect(nodeRpsOf(slow, 80, 4)).toBeLessThan(55);
  expect(nodeRpsOf(after(30, reading(60, 0.1), slow), 80, 4)).toBe(80);
});

test('slots that waver like page views of five requests are taken for slow nodes next to never', () => {
  const normal = createNormal(7);
  let work = NO_WORK;
  let slow = 0;
  for (let second = 0; second < 20_000; second += 1) {
    // Two nodes: 12 of 20 slots in use, and at a moment 12 ± 10.
    const usedSlots = Math.min(20, Math.max(0, 12 + Math.sqrt(9 * 12) * normal()));
    work = advanceWork(
      work,
      { servedRps: 120, usedSlots, totalSlots: 20 },
      { servingNodes: 2, seconds: 1 },
    );
    slow += nodeRpsOf(work, 80, 9) < 80 ? 1 : 0;
  }
  expect(slow).toBeLessThan(20);
});

test('after a gap a reading weighs as its seconds', () => {
  const before = after(60, reading(80, 0.1));
  const once = advanceWork(before, reading(40, 0.2), { servingNodes: 10, seconds: 3 });
  const thrice = after(3, reading(40, 0.2), before);
  expect(once.usedShare).toBeCloseTo(thrice.usedShare, 9);
  expect(once.servedPerNodeRps).toBeCloseTo(thrice.servedPerNodeRps, 9);
});
