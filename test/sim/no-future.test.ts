/** No stage sees the future: whatever comes after a moment, up to it every tick is the same. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawClumped } from '../../bench/elasticity/chance.ts';
import { createRackfire } from '../../bench/elasticity/rackfire.ts';
import { loadOf, simulate as score } from '../../bench/elasticity/simulate.ts';
import { stormArrivals } from '../../bench/elasticity/storm.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { plainBoots, roughBoots } from '../../src/sim/physics.ts';
import { load, SITE, tierOf } from './lab.ts';
import { playWeathered, type WeatheredOptions, type WeatheredRun } from './weathered-run.ts';

/** A generated storm from some minutes before its onset on. */
const storms = fc
  .record({
    seed: fc.integer({ min: 1, max: 5_000 }),
    leadSeconds: fc.integer({ min: 0, max: 300 }),
  })
  .map(({ seed, leadSeconds }) => {
    const onset = 45 * 60 - leadSeconds;
    return stormArrivals(seed).subarray(onset, onset + 900);
  });

/** What somebody recorded: hills, noise that clumps, a spike now and then, minutes of nothing. */
const traces = fc
  .record({
    seed: fc.nat(1_000_000),
    baseRps: fc.integer({ min: 1, max: 900 }),
    swing: fc.double({ min: 0, max: 1, noNaN: true }),
    periodSeconds: fc.integer({ min: 60, max: 2_000 }),
    clump: fc.constantFrom(1, 3, 10),
    silentFrom: fc.option(fc.integer({ min: 0, max: 800 })),
  })
  .map(({ seed, baseRps, swing, periodSeconds, clump, silentFrom }) => {
    const random = createRandom(seed);
    let spike = 1;
    return Float64Array.from({ length: 900 }, (_, second) => {
      spike = random() < 0.005 ? 1 + 6 * random() : 1 + (spike - 1) * 0.98;
      const hill = 1 + swing * Math.sin((2 * Math.PI * second) / periodSeconds);
      const isSilent = silentFrom !== null && second >= silentFrom && second < silentFrom + 90;
      return isSilent ? 0 : drawClumped(baseRps * hill * spike, clump, random);
    });
  });

const pieces = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 120 })), {
    minLength: 4,
    maxLength: 14,
  })
  .map((parts) => load([200, 60], ...parts, [200, 900]).subarray(0, 900));

const situations = fc.record({
  arrivals: fc.oneof(storms, traces, pieces),
  cut: fc.integer({ min: 60, max: 890 }),
  /** What comes instead of what came: a wall of requests, nothing, or the end. */
  future: fc.constantFrom(9_000, 0, undefined),
  boots: fc.constantFrom(plainBoots(45), roughBoots(20), { ...roughBoots(5), failures: 0.2 }),
  standby: fc.constantFrom(0, 0, 2),
  seed: fc.nat(1_000),
  nodes: fc.integer({ min: 2, max: 12 }),
});

/** All that was decided by a moment, what it rests on, what was remembered and what was ordered. */
function decidedBy(run: WeatheredRun, second: number): readonly string[] {
  return run.ticks
    .filter((tick) => run.secondOf(tick) <= second)
    .map(({ observation, tick }) => {
      const { decision, memory, actions } = tick;
      return JSON.stringify({ signals: observation.signals, decision, memory, actions });
    });
}

test('of a load that is cut, the whole loop has decided, remembered and ordered the same up to there', {
  timeout: 120_000,
}, async () => {
  const tier = tierOf(SITE);
  await fc.assert(
    fc.asyncProperty(situations, async ({ arrivals, cut, future, standby, ...around }) => {
      const policy = { ...tier.policy, standby: { state: 'paused' as const, nodes: standby } };
      const options: WeatheredOptions = { ...around, tier: { ...tier, policy } };
      const known = arrivals.subarray(0, cut);
      const other =
        future === undefined
          ? known
          : arrivals.map((requests, second) => (second < cut ? requests : future));
      const [whole, changed] = await Promise.all([
        playWeathered(arrivals, options),
        playWeathered(other, options),
      ]);
      // The last tick of a load that ends is made by the loop that ends.
      const until = future === undefined ? cut - 1 : cut;
      const decided = decidedBy(whole, until);
      expect(decided.length).toBeGreaterThanOrEqual(until);
      expect(decidedBy(changed, until)).toEqual(decided);
      expect(changed.inService.slice(0, cut)).toEqual(whole.inService.slice(0, cut));
    }),
    { numRuns: 8 },
  );
});

test('in 20 storms of the benchmark, the decisions are the same up to any second, whatever comes after it', () => {
  const bootSeconds = 45;
  for (let seed = 1; seed <= 20; seed += 1) {
    const whole = stormArrivals(seed);
    const cut = 2_700 + seed * 311;
    const ordersOf = (arrivals: Float64Array): readonly unknown[] => {
      const orders: unknown[] = [];
      const rackfire = createRackfire(80, bootSeconds);
      const recorded: typeof rackfire = (sight) => {
        const order = rackfire(sight);
        orders.push(order);
        return order;
      };
      score(loadOf(arrivals), recorded, { boots: roughBoots(bootSeconds), seed });
      return orders.slice(0, cut + 1);
    };
    const after = (rps: number): Float64Array =>
      whole.map((requests, second) => (second < cut ? requests : rps));
    const asItWas = ordersOf(whole.subarray(0, cut + 600));
    expect(asItWas).toHaveLength(cut + 1);
    expect(ordersOf(after(9_000).subarray(0, cut + 600))).toEqual(asItWas);
    expect(ordersOf(after(0).subarray(0, cut + 600))).toEqual(asItWas);
  }
});
