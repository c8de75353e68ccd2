import { expect, test } from 'vitest';
import { createRackfire } from '../../bench/elasticity/rackfire.ts';
import { loadOf, simulate, slowLoadOf } from '../../bench/elasticity/simulate.ts';
import { NodeSpeeds, speedsOf } from '../../bench/elasticity/slowness.ts';
import { stormArrivals } from '../../bench/elasticity/storm.ts';
import { plainBoots } from '../../src/sim/physics.ts';

test('slow nodes are slow by half, for ten minutes, three times', () => {
  const speeds = [...speedsOf('slow', 3, 21_600)];
  expect(speeds.filter((speed) => speed === 0.5)).toHaveLength(1_800);
  const begins = speeds.filter((speed, at) => speed === 0.5 && speeds[at - 1] === 1);
  expect(begins).toHaveLength(3);
  expect([...speedsOf('cold', 3, 100)]).toEqual(Array.from({ length: 100 }, () => 1));
});

test('a node is worth half of one for its first 90 s, and the newest goes first', () => {
  const nodes = new NodeSpeeds('cold', 1, { length: 1_000, readyNodes: 2 });
  expect(nodes.warmNodes(0, 2)).toBe(2);
  expect(nodes.warmNodes(10, 4)).toBe(3);
  expect(nodes.warmNodes(99, 4)).toBe(3);
  expect(nodes.warmNodes(100, 4)).toBe(4);
  expect(nodes.warmNodes(101, 5)).toBe(4.5);
  expect(nodes.warmNodes(102, 4)).toBe(4);
});

test('of 40 nodes at 50 rps each, of which ten are cold, 250 slots are in use: 5 each, and 10 on a cold one', () => {
  const nodes = new NodeSpeeds('cold', 1, { length: 20_000, readyNodes: 40 });
  let sum = 0;
  for (let second = 0; second < 20_000; second += 1) {
    sum += nodes.drawUsedSlots(second, 2_000, { ready: 40, warm: 35 });
  }
  expect(sum / 20_000).toBeGreaterThan(247);
  expect(sum / 20_000).toBeLessThan(252);
});

test('while nodes are slow by half, twice as many are needed', () => {
  const arrivals = new Float64Array(21_600).fill(800);
  const { demand } = slowLoadOf(arrivals, 'slow', 3);
  const speeds = speedsOf('slow', 3, arrivals.length);
  const spell = speeds.indexOf(0.5);
  expect(loadOf(arrivals).demand[spell + 100]).toBe(10);
  expect(demand[spell + 100]).toBe(20);
  expect(demand[spell + 700]).toBe(10);
});

test('Rackfire makes up for nodes that are slow for ten minutes: few requests are dropped, or late', () => {
  const seed = 1_003;
  const load = slowLoadOf(stormArrivals(seed), 'slow', seed);
  const boots = plainBoots(45);
  const score = simulate(load, createRackfire(80, 45), { boots, seed, slowness: 'slow' });
  expect((score.dropped + score.late) / score.requests).toBeLessThan(LOST_SHARE);
});

/** By the queue alone, without what slots show, it is 8 %. */
const LOST_SHARE = 0.05;
