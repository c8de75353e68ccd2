import { expect, test } from 'vitest';
import { costRatio, PENALTIES, type Second, Scorer } from '../../src/sim/score.ts';

const CALM: Second = {
  arrivals: 160,
  demand: 2,
  supply: 2,
  served: 160,
  dropped: 0,
  waitSeconds: 0,
  cost: 2,
};

function scoreOf(seconds: readonly Partial<Second>[]): Scorer['score'] {
  const scorer = new Scorer();
  for (const second of seconds) {
    scorer.add({ ...CALM, ...second });
  }
  return scorer.score;
}

test('a run that has what it needs costs its nodes alone', () => {
  const score = scoreOf([{}, {}, {}]);
  expect(score).toMatchObject({ nodeSeconds: 6, dropped: 0, late: 0, shortages: 0 });
  expect(costRatio(score, 6, PENALTIES)).toBe(1);
});

test.each([
  ['supply is below demand', { demand: 3 }, 160],
  ['a request waits for more than 0.3 s', { waitSeconds: 0.31 }, 160],
  ['a request waits for 0.3 s', { waitSeconds: 0.3 }, 0],
])('what is served while %s: late or not', (_, second, late) => {
  expect(scoreOf([second]).late).toBe(late);
});

test('drops and late requests cost ten and two node-seconds per 80 of them', () => {
  const run = { nodeSeconds: 100, dropped: 80, late: 160 };
  expect(costRatio(run, 100, PENALTIES)).toBe((100 + 10 + 4) / 100);
});

test('the longest run of drops, and the shortages with their lengths', () => {
  const drop = { dropped: 1 };
  const short = { demand: 3 };
  const score = scoreOf([
    drop,
    {},
    drop,
    drop,
    drop,
    {},
    short,
    short,
    {},
    short,
    short,
    short,
    short,
  ]);
  expect(score).toMatchObject({
    longestDropRun: 3,
    shortages: 2,
    longestShortage: 4,
    meanShortage: 3,
  });
});

test('accuracy and share of time of both errors, as the SPEC research group defines them', () => {
  const { spec } = scoreOf([
    { demand: 4, supply: 3 },
    { demand: 4, supply: 2 },
    { demand: 2, supply: 3 },
    { demand: 2, supply: 2 },
  ]);
  expect(spec).toMatchObject({
    underAccuracy: (100 * (1 / 4 + 2 / 4)) / 4,
    overAccuracy: (100 * (1 / 2)) / 4,
    underTime: 50,
    overTime: 25,
  });
  // Supply went 3, 2, 3, 2 and demand 4, 4, 2, 2: three unit changes against two.
  expect(spec.jitterPerHour).toBe(3_600 * (1 / 4));
});

test('a sample of 15 s in which supply moves against demand is unstable', () => {
  const rising = Array.from({ length: 31 }, (_, second) => ({
    demand: 2 + Math.floor(second / 15),
    supply: second >= 15 ? 3 : 2,
  }));
  // Both rise at 15 s; at 30 s only demand does.
  expect(scoreOf(rising).spec.instability).toBe(50);
});
