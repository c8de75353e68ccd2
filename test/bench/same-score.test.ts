import { expect, test } from 'vitest';
import { z } from 'zod';
import { createRackfire } from '../../bench/elasticity/rackfire.ts';
import { simulate as score } from '../../bench/elasticity/simulate.ts';
import { RACKFIRE, RACKFIRE_TARGET } from '../../bench/elasticity/contenders.ts';
import { stormArrivals } from '../../bench/elasticity/storm.ts';
import { carryOut, makeLoad, STORM } from '../../bench/elasticity/task.ts';
import { readTrace } from '../../bench/elasticity/trace-load.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { coveringOptimum } from '../../src/sim/optimum.ts';
import { BOOTS_SEED, plainBoots } from '../../src/sim/physics.ts';
import { costRatio, PENALTIES } from '../../src/sim/score.ts';
import { simulate } from '../../src/sim/simulation.ts';
import { Folder, rackfire } from '../cli/rackfire.ts';
import { simulationOptions, SITE, tierOf } from '../sim/lab.ts';

const SEED = 1;
const BOOT_SECONDS = 45;

/** The bounds that the benchmark holds every scaler to. */
const CONFIG = SITE.replace('max: 100', 'max: 200').replace(
  '127.0.1.1-127.0.1.120',
  '127.0.1.1-127.0.1.210',
);
const tier = tierOf(CONFIG);

test.each([1, 4])(
  'on storm %i, the whole loop scores what the decisions alone score in the benchmark, within one percent',
  {
    timeout: 120_000,
  },
  async (storm) => {
    const load = makeLoad({ load: STORM, seed: storm }, new Map());
    const boots = plainBoots(BOOT_SECONDS);
    const decisions = score(load, createRackfire(80, BOOT_SECONDS), { boots, seed: SEED });
    const alone = costRatio(decisions, coveringOptimum(load.demand, BOOT_SECONDS), PENALTIES);
    const random = createRandom(SEED ^ BOOTS_SEED);
    const loop = await simulate(load.arrivals, simulationOptions({ tier, boots, random }));
    expect(loop.score.J).toBeGreaterThan(alone * 0.99);
    expect(loop.score.J).toBeLessThan(alone * 1.01);
  },
);

test.each([8, 'auto'] as const)(
  'and so it does where %s nodes stand by, with boots so long that a storm overtakes them',
  { timeout: 120_000 },
  async (nodes) => {
    const bootSeconds = 120;
    const load = makeLoad({ load: STORM, seed: 1 }, new Map());
    const boots = plainBoots(bootSeconds);
    const scaler = createRackfire(80, bootSeconds, nodes);
    const standbyNodes = nodes === 'auto' ? 0 : nodes;
    const decisions = score(load, scaler, { boots, seed: SEED, standbyNodes });
    const alone = costRatio(decisions, coveringOptimum(load.demand, bootSeconds), PENALTIES);
    const policy = { ...tier.policy, standby: { state: 'paused' as const, nodes } };
    const random = createRandom(SEED ^ BOOTS_SEED);
    const around = simulationOptions({ tier: { ...tier, policy }, boots, random });
    const loop = await simulate(load.arrivals, around);
    expect(loop.score.J / alone).toBeGreaterThan(0.99);
    expect(loop.score.J / alone).toBeLessThan(1.01);
  },
);

const Output = z.looseObject({ score: z.looseObject({ J: z.number() }) });

test('on a recorded trace, rackfire simulate says what the benchmark says, within one percent', {
  timeout: 120_000,
}, async () => {
  const seed = 2;
  const onset = stormArrivals(11).subarray(2_400, 6_000);
  const rows = [...onset].map((requests, second) => `${second},${requests}\n`);
  const csv = `second,rps\n${rows.join('')}`;
  const result = carryOut(
    {
      load: 'mine',
      group: 'other traces',
      seed,
      bootSeconds: BOOT_SECONDS,
      areBootsRough: false,
      entries: [{ contender: RACKFIRE, target: RACKFIRE_TARGET }],
    },
    new Map([['mine', readTrace(csv)]]),
  );
  const benched = costRatio(result.runs[0]!.score, result.coveringNodeSeconds, PENALTIES);
  await using folder = await Folder.create({ 'site.yaml': CONFIG, 'mine.csv': csv });
  const config = ['-c', folder.file('site.yaml'), '--trace', folder.file('mine.csv')];
  const boots = ['--seed', `${seed}`, '--boot-delay', `${BOOT_SECONDS}s`];
  const { stdout } = await rackfire('simulate', ...config, ...boots, '--json');
  const { score: simulated } = Output.parse(JSON.parse(stdout));
  expect(simulated.J / benched).toBeGreaterThan(0.99);
  expect(simulated.J / benched).toBeLessThan(1.01);
});
