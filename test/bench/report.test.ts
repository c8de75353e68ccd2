import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { CONTENDERS, RACKFIRE, RACKFIRE_TARGET } from '../../bench/elasticity/contenders.ts';
import { groupOf, planRest, planSweep, planVariants, QUICK } from '../../bench/elasticity/plan.ts';
import { printReport } from '../../bench/elasticity/print.ts';
import { reportOn } from '../../bench/elasticity/report.ts';
import {
  geometricMean,
  quantile,
  regretInterval,
  regretRatioInterval,
} from '../../bench/elasticity/statistics.ts';
import { carryOut } from '../../bench/elasticity/task.ts';

test('means and quantiles', () => {
  expect(geometricMean([1, 4])).toBe(2);
  expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(quantile([5, 1, 4, 2, 3], 1)).toBe(5);
  expect(quantile([5, 1, 4, 2, 3], 0.9)).toBe(5);
});

test('the interval of a regret holds the regret, and is a point where all loads are alike', () => {
  expect(regretInterval([[1.2, 1.2, 1.2]])).toEqual({
    low: expect.closeTo(0.2, 9) as unknown,
    high: expect.closeTo(0.2, 9) as unknown,
  });
  const { low, high } = regretInterval([[1.1, 1.2, 1.3, 1.4, 1.2, 1.3]]);
  expect(low).toBeLessThan(0.24);
  expect(high).toBeGreaterThan(0.26);
});

test('the interval of a ratio is paired: half the regret on each load is half in every resample', () => {
  const theirs = [
    [1.1, 1.9, 1.4, 1.2],
    [1.3, 1.31],
  ];
  const same = regretRatioInterval(theirs, theirs);
  expect(same).toEqual({ low: 1, high: 1 });
  // Unpaired, loads as different as these would spread it from 0.2 to 1.3.
  const ours = theirs.map((stratum) => stratum.map((ratio) => Math.sqrt(ratio)));
  const { low, high } = regretRatioInterval(ours, theirs);
  expect(low).toBeGreaterThan(0.4);
  expect(high).toBeLessThan(0.5);
});

test.each([
  ['storm', 'storms'],
  ['wc98_0625_0626_1s', 'match days'],
  ['nab_tweets_GOOG_5m', 'real spikes'],
  ['nasa_0713_1s', 'real spikes'],
  ['nab_elb_request_count_5m', 'noisy days'],
  ['our-own-site', 'other traces'],
])('the load %s belongs to the %s', (load, group) => {
  expect(groupOf(load)).toBe(group);
});

test('a report of two storms has everybody in it, and Rackfire at what a node is rated for', () => {
  const extent = { ...QUICK, storms: 2, targets: new Set([72, RACKFIRE_TARGET, 1]) };
  const sweep = planSweep(extent, []).map((task) => carryOut(task, new Map()));
  expect(planRest(extent, [], sweep)).toEqual([]);
  expect(planVariants(extent, [])).toEqual([]);
  const report = reportOn(sweep, [], []);
  const names = report.standings.map(({ contender }) => contender);
  expect(names.toSorted()).toEqual(CONTENDERS.map(({ name }) => name).toSorted());
  expect(report.standings.find(({ contender }) => contender === RACKFIRE)?.target).toBe(80);
  const [claim] = report.claims;
  const regretOf = (name: string | undefined): number =>
    report.standings.find(({ contender }) => contender === name)?.groups.storms?.bestRegret ?? 0;
  const peers = report.standings.filter(({ kind }) => kind === 'peer');
  const best = Math.min(...peers.map(({ contender }) => regretOf(contender)));
  expect(regretOf(claim?.against)).toBe(best);
  const printed = printReport(report);
  for (const name of names) {
    expect(printed).toContain(name);
  }
  expect(printed).not.toContain('NaN');
});

test('a seed that a target was not run on is no reason to call it the best of a group', () => {
  const one = carryOut(
    {
      load: 'storm',
      group: 'storms',
      seed: 1,
      bootSeconds: 45,
      areBootsRough: false,
      entries: CONTENDERS.flatMap(({ name, targets }) =>
        targets
          .filter((target) => [1, 76, 80].includes(target))
          .map((target) => ({ contender: name, target })),
      ),
    },
    new Map(),
  );
  const kept = new Set(one.runs.filter(({ target }) => target === 80 || target === 1));
  const more = { ...one, seed: 2, runs: [...kept] };
  const report = reportOn([one], [more], []);
  const storms = report.standings.flatMap(({ kind, groups }) =>
    kind === 'peer' && groups.storms !== undefined ? [groups.storms] : [],
  );
  expect(storms.length).toBeGreaterThan(10);
  expect(new Set(storms.map(({ bestTarget }) => bestTarget))).toEqual(new Set([80]));
});

async function runBench(
  ...options: readonly string[]
): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, ['bench/elasticity/main.ts', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  const said = await text(child.stderr);
  const [code] = (await exit) as [number | null];
  return { code, said };
}

test('a wrong option, an empty folder and a file that is no trace are said, each with what was expected', async () => {
  await expect(runBench('--seeds', '3')).resolves.toMatchObject({
    code: 2,
    said: expect.stringContaining('usage: npm run bench:elasticity') as unknown,
  });
  const folder = await mkdtemp(join(tmpdir(), 'traces-'));
  try {
    await expect(runBench('--traces', folder)).resolves.toMatchObject({
      code: 2,
      said: expect.stringContaining(`${folder} has no traces`) as unknown,
    });
    await writeFile(join(folder, 'mine.csv'), 'time,load\n1,2\n');
    const { said } = await runBench('--traces', folder);
    expect(said).toContain(`${join(folder, 'mine.csv')}: line 1: expected the header second,rps`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('every bench that package.json names is there', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  expect(scripts['bench:elasticity']).toBe('node bench/elasticity/main.ts');
});
