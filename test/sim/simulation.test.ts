import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BootModel, plainBoots, roughBoots } from '../../src/sim/physics.ts';
import { simulate, type Simulation } from '../../src/sim/simulation.ts';
import { load, SITE, simulationOptions, STORM, tierOf } from './lab.ts';

/** Every boot takes exactly 20 s. */
const EVEN: BootModel = { medianSeconds: 20, sigma: 0, stragglers: 0, failures: 0 };

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) {
    total += value;
  }
  return total;
}

test('a storm of ten times the traffic gets its nodes, and they go when it has passed', async () => {
  const run = await simulate(STORM, simulationOptions());
  expect(run.inService[0]).toBe(2);
  expect(run.inService[500]).toBeGreaterThanOrEqual(13);
  expect(run.inService.at(-1)).toBe(2);
  expect(run.ordered.at(-1)).toBe(2);
  expect(run.score.J).toBeGreaterThan(1);
  expect(run.score.J).toBeLessThan(2);
});

test('a steady load within two nodes is served by two, and nothing changes', async () => {
  const run = await simulate(load([100, 600]), simulationOptions());
  expect(new Set(run.inService)).toEqual(new Set([2]));
  expect(run.changes).toEqual([]);
  expect(run.score).toMatchObject({
    J: 1,
    nodeSeconds: 1_200,
    served: 60_000,
    dropped: 0,
    late: 0,
  });
});

test('the first minute says how many nodes there are at the start, within the bounds', async () => {
  const first = async (rps: number): Promise<number | undefined> =>
    (await simulate(load([rps, 2]), simulationOptions())).inService[0];
  expect(await first(0)).toBe(2);
  expect(await first(800)).toBe(10);
  expect(await first(801)).toBe(11);
  expect(await first(20_000)).toBe(100);
});

test('a node that is ordered serves from its boot on, and costs from its order on', async () => {
  const run = await simulate(load([100, 60], [400, 120]), simulationOptions({ boots: EVEN }));
  const ordered = run.ordered.findIndex((nodes) => nodes > 2);
  const served = run.inService.findIndex((nodes) => nodes > 2);
  // The rise is seen at the end of its first second.
  expect(ordered).toBe(61);
  expect(served).toBe(ordered + 20);
  expect(run.boots[0]).toEqual({ orderedAt: ordered, readyAt: served });
});

test('every request is served, dropped or waiting, second by second', async () => {
  const rates = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(rates, async (rps) => {
      const arrivals = load(...rps.map((one) => [one, 5] as const));
      const run = await simulate(arrivals, simulationOptions());
      const { served, dropped } = run.score;
      expect(served + dropped + (run.waiting.at(-1) ?? 0)).toBeCloseTo(sum(arrivals), 3);
      expect(sum(run.dropped)).toBeCloseTo(dropped, 6);
    }),
    { numRuns: 8 },
  );
});

test('same load, same seed: the same run; another seed, other boots', async () => {
  const [one, same, other] = await Promise.all([
    simulate(STORM, simulationOptions()),
    simulate(STORM, simulationOptions()),
    simulate(STORM, simulationOptions({ seed: 2 })),
  ]);
  expect(same).toEqual(one);
  expect(other.boots).not.toEqual(one.boots);
});

test('no stage sees the future: whatever comes after, up to then everything is the same', async () => {
  const pieces = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 1, max: 60 })),
    { minLength: 2, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 60, max: 500 }), async (parts, cut) => {
      const whole = load([200, 60], ...parts);
      const known = whole.subarray(0, cut);
      const [seen, both] = await Promise.all([
        simulate(known, simulationOptions()),
        simulate(whole, simulationOptions()),
      ]);
      const upTo = ({ inService, ordered, waiting }: Simulation) => ({
        inService: inService.subarray(0, known.length),
        ordered: ordered.subarray(0, known.length),
        waiting: waiting.subarray(0, known.length),
      });
      expect(upTo(both)).toEqual(upTo(seen));
      expect(both.changes.filter(({ second }) => second < known.length)).toEqual(seen.changes);
    }),
    { numRuns: 8 },
  );
});

test('boots take the median that was said, and none less than 0.6 of it', async () => {
  const waves = load(
    [100, 60],
    ...Array.from(
      { length: 20 },
      () =>
        [
          [2_400, 120],
          [100, 240],
        ] as const,
    ).flat(),
  );
  const { boots } = await simulate(waves, simulationOptions());
  const times = boots
    .map(({ orderedAt, readyAt }) => readyAt - orderedAt)
    .toSorted((a, b) => a - b);
  expect(times.length).toBeGreaterThan(60);
  expect(times[times.length >>> 1]).toBeGreaterThan(18);
  expect(times[times.length >>> 1]).toBeLessThan(22);
  expect(times[0]).toBeGreaterThanOrEqual(12);
});

test('a boot that is cancelled costs until then, and is no boot that took so long', async () => {
  const tier = tierOf(SITE);
  const scaleIn = { ...tier.policy.scaleIn, stabilizationWindowMs: 10_000 };
  const options = simulationOptions({
    tier: { ...tier, policy: { ...tier.policy, scaleIn } },
    boots: { ...EVEN, medianSeconds: 100 },
  });
  const run = await simulate(load([100, 60], [240, 10], [100, 200]), options);
  expect(Math.max(...run.ordered)).toBeGreaterThan(2);
  expect(run.score.nodeSeconds).toBe(run.ordered.reduce((total, nodes) => total + nodes, 0));
  expect(Math.max(...run.ordered.slice(100))).toBe(2);
  expect(Math.max(...run.inService)).toBe(2);
  expect(run.boots).toEqual([]);
});

test('boots that take longer than the deadline of the config are awaited all the same', async () => {
  const run = await simulate(
    load([100, 60], [800, 900]),
    simulationOptions({ boots: { ...EVEN, medianSeconds: 300 } }),
  );
  expect(run.inService.at(-1)).toBeGreaterThanOrEqual(10);
  expect(run.boots.every(({ orderedAt, readyAt }) => readyAt - orderedAt === 300)).toBe(true);
});

test('with stragglers and failed boots, the loop repeats what failed, and the storm gets its nodes', async () => {
  const boots = { ...roughBoots(20), failures: 0.2 };
  const run = await simulate(load([100, 60], [1_000, 900]), simulationOptions({ boots }));
  expect(Math.max(...run.inService)).toBeGreaterThanOrEqual(13);
});

test('a standby node serves two seconds after it is needed, and costs a quarter until then', async () => {
  const tier = tierOf(SITE);
  const standby = { state: 'paused', nodes: 2 } as const;
  const options = simulationOptions({
    tier: { ...tier, policy: { ...tier.policy, standby } },
    boots: EVEN,
  });
  const run = await simulate(load([100, 60], [240, 200]), options);
  expect(run.ordered[0]).toBe(2.5);
  const served = run.inService.findIndex((nodes) => nodes > 2);
  expect(served).toBe(63);
});

test('a site of one node, and one of more than the benchmark has, are measured by what they need', async () => {
  const tier = tierOf(SITE);
  const single = { ...tier, policy: { ...tier.policy, minNodes: 1 } };
  const bounds = { minNodes: 1, maxNodes: 300 };
  const one = await simulate(load([40, 300]), simulationOptions({ tier: single, bounds }));
  expect(new Set(one.inService)).toEqual(new Set([1]));
  expect(one.score).toMatchObject({ J: 1, late: 0 });
  const many = await simulate(load([80 * 250, 60]), simulationOptions({ bounds }));
  expect(many.demand[30]).toBe(250);
});

test('hosts have the room that is said, and no node more', async () => {
  const room = { memoryMiB: 5 * 512, vcpus: 100, diskMiB: 1e6 };
  const hosts = [{ name: 'local-a', room, failureDomain: 'local-a' }];
  const run = await simulate(STORM, simulationOptions({ hosts }));
  expect(Math.max(...run.ordered)).toBe(5);
  expect(run.score.dropped).toBeGreaterThan(0);
});

test('10,000 requests a second at two nodes: the others are dropped, and the loop goes on', async () => {
  const tier = tierOf(SITE);
  const narrow = { ...tier, policy: { ...tier.policy, maxNodes: 2 } };
  const run = await simulate(load([100, 60], [10_000, 60]), simulationOptions({ tier: narrow }));
  expect(Math.max(...run.inService)).toBe(2);
  expect(run.dropped.at(-1)).toBeCloseTo(9_800, 6);
});

test('an hour is simulated in a few seconds of one core', async () => {
  const before = process.cpuUsage();
  await simulate(load([800, 3_600]), simulationOptions({ boots: plainBoots(45) }));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(10);
});
