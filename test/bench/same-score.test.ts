import { expect, test } from 'vitest';
import { createRackfire } from '../../bench/elasticity/rackfire.ts';
import { simulate as score } from '../../bench/elasticity/simulate.ts';
import { makeLoad, STORM } from '../../bench/elasticity/task.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { coveringOptimum } from '../../src/sim/optimum.ts';
import { BOOTS_SEED, plainBoots } from '../../src/sim/physics.ts';
import { costRatio, PENALTIES } from '../../src/sim/score.ts';
import { simulate } from '../../src/sim/simulation.ts';
import { simulationOptions, SITE, tierOf } from '../sim/lab.ts';

const SEED = 1;
const BOOT_SECONDS = 45;

/** The bounds that the benchmark holds every scaler to. */
const tier = tierOf(
  SITE.replace('max: 100', 'max: 200').replace('127.0.1.1-127.0.1.120', '127.0.1.1-127.0.1.210'),
);

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
