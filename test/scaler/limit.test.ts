import { describe, expect, test } from 'vitest';
import {
  type DesiredChange,
  exceedsTolerance,
  flapGuard,
  rememberChange,
  scaleInFloor,
  scaleOutCeiling,
  undercutsTolerance,
  wholeNodes,
} from '../../src/scaler/limit.ts';
import type { ScalingPolicy } from '../../src/scaler/policy.ts';
import { policyOf } from './world.ts';

const DOUBLE: ScalingPolicy = { kind: 'percent', percent: 100, periodMs: 15_000 };
const FOUR: ScalingPolicy = { kind: 'nodes', nodes: 4, periodMs: 15_000 };
const QUARTER: ScalingPolicy = { kind: 'percent', percent: 25, periodMs: 15_000 };

describe('wholeNodes', () => {
  test.each([
    ['240 rps at 80 are 3 nodes, not 4', 240 / 80, 3],
    ['241 rps at 80 are 4', 241 / 80, 4],
    ['0.3 at 0.1 are 3 although they divide to 2.9999999999999996', 0.3 / 0.1, 3],
    ['0.7 at 0.1 are 7 although they divide to 6.999999999999999', 0.7 / 0.1, 7],
    ['4.35 × 100 at 1 are 435 although they multiply to 434.99999999999994', 4.35 * 100, 435],
    ['1.1 × 3 at 1.1 are 3 although they divide to 3.0000000000000004', (1.1 * 3) / 1.1, 3],
    ['nothing is no node', 0, 0],
  ])('%s', (_, needNodes, nodes) => {
    expect(wholeNodes(needNodes)).toBe(nodes);
  });
});

describe('tolerance at a target of 80', () => {
  test.each<[string, number, number, number, boolean]>([
    ['168 rps on 2 nodes are exactly 5 % more, and tolerated', 168, 2, 0.05, false],
    ['168.1 rps on 2 nodes are more', 168.1, 2, 0.05, true],
    ['880 rps on 10 nodes are exactly 10 % more, and tolerated', 880, 10, 0.1, false],
    [
      '264 rps on 3 nodes are exactly 10 % more: 3.3 / 3 − 1 would be 0.10000000000000009',
      264,
      3,
      0.1,
      false,
    ],
    ['any rps on no nodes are more', 1, 0, 0.05, true],
    ['no rps on no nodes are not', 0, 0, 0.05, false],
    ['without tolerance the target itself is not more', 160, 2, 0, false],
    ['without tolerance a little more is', 160.01, 2, 0, true],
  ])('%s', (_, rps, nodes, tolerance, exceeds) => {
    expect(exceedsTolerance(rps / 80, nodes, tolerance)).toBe(exceeds);
  });

  test.each<[string, number, number, number, boolean]>([
    ['144 rps on 2 nodes are exactly 10 % less, and tolerated', 144, 2, 0.1, false],
    ['143.9 rps on 2 nodes are less', 143.9, 2, 0.1, true],
    ['216 rps on 3 nodes are exactly 10 % less', 216, 3, 0.1, false],
    ['no rps on no nodes are not less', 0, 0, 0.1, false],
  ])('%s', (_, rps, nodes, tolerance, undercuts) => {
    expect(undercutsTolerance(rps / 80, nodes, tolerance)).toBe(undercuts);
  });
});

describe('scaleOutCeiling', () => {
  const changes = (...entries: (readonly [atMs: number, nodes: number])[]): DesiredChange[] =>
    entries.map(([atMs, nodes]) => ({ atMs, nodes }));
  test.each<[string, number, readonly DesiredChange[], readonly ScalingPolicy[], number]>([
    ['no policy is no limit', 3, [], [], Number.POSITIVE_INFINITY],
    ['100 % doubles', 10, [], [DOUBLE], 20],
    ['four nodes are four nodes', 2, [], [FOUR], 6],
    ['the most generous counts: four, while the fleet is small', 2, [], [DOUBLE, FOUR], 6],
    ['the most generous counts: 100 %, once it is large', 10, [], [DOUBLE, FOUR], 20],
    ['a share is rounded up', 3, [], [{ kind: 'percent', percent: 50, periodMs: 15_000 }], 5],
    [
      'what came within the period is part of it: 6 started as 2',
      6,
      changes([20_000, 4]),
      [DOUBLE, FOUR],
      6,
    ],
    ['what came exactly a period ago is not', 6, changes([5_000, 4]), [DOUBLE, FOUR], 12],
    ['two steps within the period add up', 5, changes([18_000, 2], [19_000, 1]), [FOUR], 6],
    ['what went is no part of it', 6, changes([19_000, -4]), [FOUR], 10],
    [
      'the periods of policies are their own',
      6,
      changes([5_000, 4]),
      [{ ...FOUR, periodMs: 60_000 }],
      6,
    ],
    ['never below what is there', 2, changes([19_000, 9]), [FOUR], 2],
  ])('%s', (_, nodes, history, policies, ceiling) => {
    expect(scaleOutCeiling(nodes, history, policies, 20_000)).toBe(ceiling);
  });

  test('over time, as in HPA: 1 → 2 → 4 → 8 with 100 % per 15 s', () => {
    const policy = policyOf({ scaleOut: { tolerance: 0, policies: [DOUBLE] } });
    let nodes = 1;
    let history: readonly DesiredChange[] = [];
    const timeline: number[] = [];
    for (let second = 0; second <= 45; second += 5) {
      const atMs = second * 1_000;
      const next = scaleOutCeiling(nodes, history, policy.scaleOut.policies, atMs);
      history = rememberChange(history, { atMs, nodes: next - nodes }, policy);
      nodes = next;
      timeline.push(nodes);
    }

    expect(timeline).toEqual([2, 2, 2, 4, 4, 4, 8, 8, 8, 16]);
  });
});

describe('scaleInFloor', () => {
  test.each<[string, number, readonly DesiredChange[], readonly ScalingPolicy[], number]>([
    ['no policy is no limit', 10, [], [], 0],
    ['25 % of 10 are 2.5, rounded down: without rounding down it would be 7', 10, [], [QUARTER], 8],
    [
      '25 % of 3 are less than one, and one may go: rounded down alone nobody ever would',
      3,
      [],
      [QUARTER],
      2,
    ],
    ['25 % of 8 are exactly 2', 8, [], [QUARTER], 6],
    [
      '7 % of 100 are 7 although they multiply to 7.000000000000001',
      100,
      [],
      [{ ...QUARTER, percent: 7 }],
      93,
    ],
    [
      '29 % of 100 are 29 although they multiply to 28.999999999999996',
      100,
      [],
      [{ ...QUARTER, percent: 29 }],
      71,
    ],
    [
      'what went within the period is part of it: 8 started as 10',
      8,
      [{ atMs: 19_000, nodes: -2 }],
      [QUARTER],
      8,
    ],
    ['what went exactly a period ago is not', 8, [{ atMs: 5_000, nodes: -2 }], [QUARTER], 6],
    ['what came is no part of it', 10, [{ atMs: 19_000, nodes: 4 }], [FOUR], 6],
    ['the most generous counts', 20, [], [QUARTER, FOUR], 15],
  ])('%s', (_, nodes, history, policies, floor) => {
    expect(scaleInFloor(nodes, history, policies, 20_000)).toBe(floor);
  });
});

describe('rememberChange', () => {
  const policy = policyOf({
    scaleOut: { tolerance: 0, policies: [FOUR] },
    scaleIn: {
      tolerance: 0,
      stabilizationWindowMs: 0,
      policies: [{ ...QUARTER, periodMs: 60_000 }],
    },
  });
  test.each<[string, readonly DesiredChange[], DesiredChange, readonly DesiredChange[]]>([
    ['no change is not kept', [], { atMs: 1_000, nodes: 0 }, []],
    ['a change is', [], { atMs: 1_000, nodes: 2 }, [{ atMs: 1_000, nodes: 2 }]],
    [
      'one as old as the longest period is dropped, even without a new one',
      [{ atMs: 1_000, nodes: 2 }],
      { atMs: 61_000, nodes: 0 },
      [],
    ],
    [
      'a younger one stays',
      [{ atMs: 1_001, nodes: 2 }],
      { atMs: 61_000, nodes: -1 },
      [
        { atMs: 1_001, nodes: 2 },
        { atMs: 61_000, nodes: -1 },
      ],
    ],
  ])('%s', (_, history, latest, kept) => {
    expect(rememberChange(history, latest, policy)).toEqual(kept);
  });
});

describe('flapGuard', () => {
  test.each<[string, Parameters<typeof flapGuard>, number]>([
    ['lets go what is not needed', [2, 5, { used: 6, total: 50 }, 5], 2],
    // 5 nodes of 10 slots, 27 in use: 3 nodes have 30, of which 27 are exactly nine tenths.
    ['lets slots be used up to nine tenths', [2, 5, { used: 27, total: 50 }, 5], 3],
    ['keeps one more when they would be more than that', [2, 5, { used: 28, total: 50 }, 5], 4],
    ['keeps all when all slots are in use', [2, 5, { used: 50, total: 50 }, 5], 5],
    ['asks no slots when nobody serves', [2, 5, { used: 50, total: 50 }, 0], 2],
    ['never asks for more than there are', [5, 5, { used: 50, total: 50 }, 5], 5],
  ])('%s', (_, given, nodes) => {
    expect(flapGuard(...given)).toBe(nodes);
  });
});
