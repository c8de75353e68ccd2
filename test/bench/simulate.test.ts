import { expect, test } from 'vitest';
import { CONTENDERS, RACKFIRE } from '../../bench/elasticity/contenders.ts';
import { createForesight, createPerfectSenses } from '../../bench/elasticity/baselines.ts';
import type { Orderer } from '../../bench/elasticity/scaler.ts';
import { type Load, loadOf, simulate } from '../../bench/elasticity/simulate.ts';
import { stormArrivals } from '../../bench/elasticity/storm.ts';
import { coveringOptimum, pricedOptimum } from '../../src/sim/optimum.ts';
import { plainBoots, roughBoots } from '../../src/sim/physics.ts';
import { costRatio, PENALTIES } from '../../src/sim/score.ts';

const BOOT_SECONDS = 45;
const BLIND = CONTENDERS.filter(({ kind }) => kind !== 'seer');

/** All that a scaler said, and whether it saw anything else than in another run. */
function ordersOf(load: Load, scaler: Orderer): readonly ReturnType<Orderer>[] {
  const orders: ReturnType<Orderer>[] = [];
  const recorded: Orderer = (sight) => {
    const nodes = scaler(sight);
    orders.push(nodes);
    return nodes;
  };
  simulate(load, recorded, { boots: plainBoots(BOOT_SECONDS), seed: 1 });
  return orders;
}

test.each(BLIND)('$name decides the same up to a second, whatever comes after it', (contender) => {
  const whole = stormArrivals(1);
  const cutAt = 3_600;
  const [target = 80] = contender.targets;
  const [asItWas, ...changed] = [whole, cut(whole, cutAt, 9_000), cut(whole, cutAt, 0)].map(
    (arrivals) => {
      const load = loadOf(arrivals);
      const { demand } = load;
      return ordersOf(load, contender.create(target, { bootSeconds: BOOT_SECONDS, demand }));
    },
  );
  for (const orders of changed) {
    // What is decided at the cut has seen all seconds before it.
    expect(orders.slice(0, cutAt + 1)).toEqual(asItWas?.slice(0, cutAt + 1));
    expect(orders).not.toEqual(asItWas);
  }
});

/** Another future from a second on: a wall of requests, or none at all. */
function cut(arrivals: Float64Array, atSecond: number, rps: number): Float64Array {
  return arrivals.map((requests, second) => (second < atSecond ? requests : rps));
}

test.each(BLIND)('$name has the same score in every run of one seed', (contender) => {
  const load = loadOf(stormArrivals(2));
  const scores = [1, 2].map(() => {
    const scaler = contender.create(72, { bootSeconds: BOOT_SECONDS, demand: load.demand });
    return simulate(load, scaler, { boots: roughBoots(BOOT_SECONDS), seed: 3 });
  });
  expect(scores[1]).toEqual(scores[0]);
});

test('a scaler cannot leave the bounds', () => {
  const load = loadOf(new Float64Array(200).fill(500));
  const greedy = simulate(load, () => 10_000, { boots: plainBoots(5), seed: 1 });
  expect(greedy.nodeSeconds).toBe(200 * 200);
  const stingy = simulate(load, () => 0, { boots: plainBoots(5), seed: 1 });
  expect(stingy.nodeSeconds).toBe(200 * 2);
});

test('with boots that are all alike, foresight of one boot costs no more than the covering optimum', () => {
  const load = loadOf(stormArrivals(1));
  const boots = { ...plainBoots(BOOT_SECONDS), sigma: 0 };
  const run = simulate(load, createForesight(load.demand, BOOT_SECONDS), { boots, seed: 1 });
  const optimum = coveringOptimum(load.demand, BOOT_SECONDS);
  expect(run).toMatchObject({ dropped: 0, shortages: 0 });
  // A clump of page views may exceed for a second what the mean of 15 s asks for.
  expect(run.late / run.requests).toBeLessThan(0.001);
  // The optimum begins with the nodes of the first second, a run with those of the first minute.
  expect(run.nodeSeconds / optimum).toBeGreaterThan(0.999);
  expect(run.nodeSeconds / optimum).toBeLessThan(1.005);
});

test('nobody who has to boot nodes costs less than the priced optimum', () => {
  const load = loadOf(stormArrivals(1));
  const priced = pricedOptimum(load.arrivals, load.demand, {
    bootSeconds: BOOT_SECONDS,
    penalties: PENALTIES,
  });
  const options = { boots: { ...plainBoots(BOOT_SECONDS), sigma: 0 }, seed: 1 };
  for (const scaler of [
    createForesight(load.demand, BOOT_SECONDS),
    createPerfectSenses(load.demand),
    ...BLIND.map(({ create }) => create(72, { bootSeconds: BOOT_SECONDS, demand: load.demand })),
  ]) {
    const run = simulate(load, scaler, options);
    expect(costRatio(run, priced, PENALTIES)).toBeGreaterThanOrEqual(1);
  }
});

test('perfect senses without foresight are late by a boot at each rise, so that they cost more', () => {
  const load = loadOf(stormArrivals(1));
  const options = { boots: plainBoots(BOOT_SECONDS), seed: 1 };
  const blind = simulate(load, createPerfectSenses(load.demand), options);
  const seeing = simulate(load, createForesight(load.demand, 63), options);
  const optimum = coveringOptimum(load.demand, BOOT_SECONDS);
  expect(costRatio(seeing, optimum, PENALTIES)).toBeLessThan(1.03);
  expect(costRatio(blind, optimum, PENALTIES)).toBeGreaterThan(1.2);
});

test('Rackfire runs in it as it is configured by default: it follows a storm out and in again', () => {
  const load = loadOf(stormArrivals(1));
  const rackfire = CONTENDERS.find(({ name }) => name === RACKFIRE);
  const orders = ordersOf(
    load,
    rackfire?.create(80, { bootSeconds: BOOT_SECONDS, demand: load.demand }) ?? (() => 0),
  );
  const counts = orders.map((order) => (typeof order === 'number' ? order : order.nodes));
  const peak = load.demand.reduce((high, nodes) => Math.max(high, nodes), 0);
  expect(Math.max(...counts)).toBeGreaterThanOrEqual(peak);
  expect(counts.at(-1)).toBeLessThan(peak / 3);
});
