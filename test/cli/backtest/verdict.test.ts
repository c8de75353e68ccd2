import { expect, test } from 'vitest';
import { countFlaps, type Figures } from '../../../src/cli/backtest/replay.ts';
import { listWorse } from '../../../src/cli/backtest/verdict.ts';

function figuresOf(changes: Partial<Figures>): Figures {
  return {
    requests: 1_000_000,
    dropped: 100,
    late: 1_000,
    underProvisionedMinutes: 3,
    nodeHours: 110,
    optimumNodeHours: 100,
    changes: 20,
    flaps: 1,
    boots: 10,
    J: 1.2,
    ...changes,
  };
}

test.each<readonly [situation: string, changes: Partial<Figures>, worse: readonly string[]]>([
  ['the same', {}, []],
  ['better in all', { dropped: 0, J: 1.1 }, []],
  ['a hundredth of a percent more drops', { dropped: 200 }, []],
  ['more drops than that', { dropped: 201 }, ['dropped']],
  ['more drops, but so many fewer nodes that J is better', { dropped: 900, J: 1 }, ['dropped']],
  ['1 % more J', { J: 1.2 * 1.01 }, []],
  ['more J than that', { J: 1.2121 }, ['J']],
  ['no drops, bought with too many nodes', { dropped: 0, nodeHours: 200, J: 2 }, ['J']],
  ['more drops and more J', { dropped: 900, J: 1.3 }, ['dropped', 'J']],
  ['more changes, flaps and boots alone', { changes: 99, flaps: 50, boots: 99 }, []],
])('worse than another config: %s', (_, changes, worse) => {
  expect(listWorse(figuresOf(changes), figuresOf({}))).toEqual(worse);
});

test.each<
  readonly [
    situation: string,
    counts: readonly (readonly [second: number, nodes: number])[],
    n: number,
  ]
>([
  ['nothing changes', [], 0],
  [
    'out and in',
    [
      [10, 4],
      [60, 2],
    ],
    0,
  ],
  [
    'in and out again at once',
    [
      [10, 4],
      [60, 3],
      [61, 4],
    ],
    1,
  ],
  [
    'in and out again after five minutes',
    [
      [10, 4],
      [60, 3],
      [360, 4],
    ],
    1,
  ],
  [
    'in and out again later',
    [
      [10, 4],
      [60, 3],
      [361, 4],
    ],
    0,
  ],
  [
    'in, and out in two steps',
    [
      [10, 4],
      [60, 3],
      [61, 4],
      [62, 6],
    ],
    1,
  ],
  [
    'in in two steps, and out',
    [
      [10, 4],
      [60, 3],
      [200, 2],
      [400, 4],
    ],
    1,
  ],
  [
    'in, out, in, out',
    [
      [10, 4],
      [60, 3],
      [70, 4],
      [80, 3],
      [90, 4],
    ],
    2,
  ],
])('a flap is what grows again soon after it was let go: %s', (_, counts, flaps) => {
  const changes = counts.map(([second, toNodes], index) => {
    return { second, fromNodes: counts[index - 1]?.[1] ?? 2, toNodes, reason: 'rate' as never };
  });
  expect(countFlaps(changes)).toBe(flaps);
});
