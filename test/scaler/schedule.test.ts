import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, decide, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { Observation } from '../../src/scaler/observation.ts';
import type { TierWord } from '../../src/scaler/override.ts';
import { boundsAt, type Schedule, type ScheduleSighting } from '../../src/scaler/schedule.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { decidedTicks } from './random-ticks.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import {
  EACH_MORNING,
  held,
  NOW_MS,
  observationOf,
  PLAIN,
  policyOf,
  seen,
  serving,
  settledAt,
  signalsOf,
  UNKNOWN_SIGNALS,
  webTier,
} from './world.ts';

const MINUTE_MS = 60_000;

function begins(afterMs: number, words: Partial<Schedule>): ScheduleSighting {
  return { ...EACH_MORNING, ...words, fromMs: NOW_MS + afterMs };
}

/** Boots take 20 s; two hosts boot 16 at once each. */
function boundsOf(schedules: readonly ScheduleSighting[], changes: Partial<Observation> = {}) {
  const { minNodes, maxNodes } = boundsAt(policyOf(), observationOf({ schedules, ...changes }));
  return [minNodes, maxNodes];
}

describe('the bounds of 2 to 12 nodes', () => {
  test.each<[string, readonly ScheduleSighting[], readonly [number, number]]>([
    ['without a schedule', [], [2, 12]],
    ['in a window with a higher minimum', [held({ minNodes: 5 })], [5, 12]],
    ['in a window with a lower one, which says nothing', [held({ minNodes: 1 })], [2, 12]],
    [
      'in two windows: the highest minimum',
      [held({ minNodes: 5 }), held({ minNodes: 4 })],
      [5, 12],
    ],
    ['in a window with a lower maximum', [held({ maxNodes: 6 })], [2, 6]],
    ['in a window with a higher one', [held({ maxNodes: 20 })], [2, 20]],
    ['in two: the highest maximum', [held({ maxNodes: 6 }), held({ maxNodes: 8 })], [2, 8]],
    [
      'where one asks for more than another allows: a minimum is kept',
      [held({ maxNodes: 6 }), held({ minNodes: 8 })],
      [8, 8],
    ],
    ['40 s before a minimum: twice a boot', [begins(40_000, { minNodes: 5 })], [5, 12]],
    ['a moment earlier', [begins(40_001, { minNodes: 5 })], [2, 12]],
    [
      'long before a minimum that was ordered when boots seemed to take longer',
      [{ ...begins(600_000, { minNodes: 5 }), isOrdered: true }],
      [5, 12],
    ],
    ['40 s before a maximum, which goes by the clock', [begins(40_000, { maxNodes: 6 })], [2, 12]],
    [
      'ahead of a minimum that only its own maximum allows',
      [begins(40_000, { minNodes: 15, maxNodes: 20 })],
      [15, 15],
    ],
    [
      'a minimum that ends while its next window is ahead',
      [{ ...held({ minNodes: 5 }), untilMs: NOW_MS, fromMs: NOW_MS + 30_000 }],
      [5, 12],
    ],
    ['at the end of a window', [{ ...held({ minNodes: 5 }), untilMs: NOW_MS }], [2, 12]],
    ['of a schedule that never comes again', [{ ...EACH_MORNING, minNodes: 5 }], [2, 12]],
  ])('%s', (_, schedules, expected) => {
    expect(boundsOf(schedules)).toEqual(expected);
  });

  test('hosts boot only so many at once: a round for each four beyond the two that run anyway, and one for those that are late', () => {
    const changes = { concurrentBootsPerHost: 2 };
    for (const [minNodes, leadMs] of [
      [6, 40_000],
      [7, 60_000],
      [10, 60_000],
      [11, 80_000],
    ] as const) {
      expect(boundsOf([begins(leadMs, { minNodes })], changes)).toEqual([minNodes, 12]);
      expect(boundsOf([begins(leadMs + 1, { minNodes })], changes)).toEqual([2, 12]);
    }
  });

  test('nodes that run beyond the tier’s own minimum may have gone by then: they count as boots, too', () => {
    const changes = { concurrentBootsPerHost: 2, nodes: serving(10) };
    expect(boundsOf([begins(80_000, { minNodes: 11 })], changes)).toEqual([11, 12]);
  });

  test('no boot has been measured: each may take until its deadline, 2 min here', () => {
    const changes = { bootTimeMs: undefined };
    expect(boundsOf([begins(4 * MINUTE_MS, { minNodes: 5 })], changes)).toEqual([5, 12]);
    expect(boundsOf([begins(4 * MINUTE_MS + 1, { minNodes: 5 })], changes)).toEqual([2, 12]);
  });
});

interface Situation {
  readonly desired: number;
  readonly rps: number;
  readonly schedules: readonly ScheduleSighting[];
  readonly says?: TierWord;
  readonly policy?: Partial<TierPolicy>;
  readonly changes?: Partial<Observation>;
}

function decided({ desired, rps, schedules, says, policy, changes }: Situation): Decision {
  const tier = webTier(policy);
  const given = { id: 'o1', reason: 'test', untilMs: Number.MAX_SAFE_INTEGER };
  const observation = observationOf({
    ...PLAIN,
    nodes: serving(desired),
    signals: signalsOf(rps),
    schedules,
    overrides: says === undefined ? [] : [{ ...given, ...says }],
    ...changes,
  });
  const nodes = deriveNodes(tier, observation);
  return decide(tier, observation, nodes, settledAt(desired)).decision;
}

const freeze = held({ freeze: 'scale-in' });

describe('a decision', () => {
  test.each<[string, Situation, number, Decision['reason']]>([
    [
      'goes to a minimum at once',
      { desired: 2, rps: 100, schedules: [held({ minNodes: 9 })] },
      9,
      'schedule',
    ],
    [
      'goes to a minimum at once, whatever the scaling policies allow',
      {
        desired: 2,
        rps: 100,
        schedules: [held({ minNodes: 9 })],
        policy: {
          scaleOut: { tolerance: 0, policies: [{ kind: 'nodes', nodes: 1, periodMs: 15_000 }] },
        },
      },
      9,
      'schedule',
    ],
    [
      'is not below it, whatever the load',
      { desired: 9, rps: 100, schedules: [held({ minNodes: 6 })] },
      6,
      'schedule',
    ],
    [
      'follows the load above it',
      { desired: 6, rps: 800, schedules: [held({ minNodes: 6 })] },
      10,
      'recommended',
    ],
    [
      'is not above a maximum',
      { desired: 5, rps: 8_000, schedules: [held({ maxNodes: 20 })] },
      20,
      'schedule',
    ],
    [
      'comes down to a maximum that begins',
      { desired: 10, rps: 800, schedules: [held({ maxNodes: 6 })] },
      6,
      'schedule',
    ],
    [
      'but not while signals are unknown',
      {
        desired: 10,
        rps: 0,
        schedules: [held({ maxNodes: 6 })],
        changes: { signals: UNKNOWN_SIGNALS },
      },
      10,
      'signals-unknown',
    ],
    ['lets no node go in a freeze', { desired: 9, rps: 100, schedules: [freeze] }, 9, 'schedule'],
    [
      'lets none go for a maximum either, while it is frozen',
      { desired: 9, rps: 100, schedules: [freeze, held({ maxNodes: 6 })] },
      9,
      'schedule',
    ],
    ['goes out in a freeze', { desired: 5, rps: 640, schedules: [freeze] }, 8, 'recommended'],
    [
      'obeys an operator who wants fewer, frozen or not',
      { desired: 9, rps: 100, schedules: [freeze], says: { kind: 'hold', nodes: 4 } },
      4,
      'held',
    ],
    [
      'obeys an operator who wants fewer than a schedule',
      {
        desired: 9,
        rps: 100,
        schedules: [held({ minNodes: 6 })],
        says: { kind: 'hold', nodes: 3 },
      },
      3,
      'held',
    ],
    [
      'obeys an operator within the maximum of a schedule',
      {
        desired: 5,
        rps: 400,
        schedules: [held({ maxNodes: 20 })],
        says: { kind: 'hold', nodes: 15 },
      },
      15,
      'held',
    ],
    [
      'obeys a pause while a minimum asks for more',
      {
        desired: 3,
        rps: 100,
        schedules: [held({ minNodes: 6 })],
        says: { kind: 'pause', direction: 'out' },
      },
      3,
      'paused',
    ],
    [
      'takes the higher one of two minimums, the operator’s here',
      { desired: 2, rps: 100, schedules: [held({ minNodes: 6 })], says: { kind: 'min', nodes: 7 } },
      7,
      'override-minimum',
    ],
  ])('%s', (_, situation, desiredNodes, reason) => {
    expect(decided(situation)).toMatchObject({ desiredNodes, reason });
  });

  test('a freeze keeps what stands by, too', () => {
    const tier = webTier({ standby: { state: 'paused', nodes: 'auto' } });
    const nodes = [...serving(2), seen.standby(3), seen.standby(4)];
    const standbyIn = (schedules: readonly ScheduleSighting[]): number => {
      const observation = observationOf({ ...PLAIN, nodes, signals: signalsOf(80), schedules });
      const memory = settledAt(2);
      return tickTier(tier, 'full', observation, memory).decision.standbyNodes;
    };
    expect([standbyIn([]), standbyIn([freeze])]).toEqual([0, 2]);
  });

  test('boots fill a maximum that is higher for a while', () => {
    const schedules = [held({ minNodes: 14, maxNodes: 20 })];
    const observation = observationOf({ ...PLAIN, nodes: serving(12), schedules });
    const { actions, findings } = tickTier(webTier(), 'full', observation, settledAt(12));
    expect(findings).toEqual([]);
    expect(actions.map(({ kind, number }) => `${kind} ${number}`)).toEqual(['boot 13', 'boot 14']);
  });
});

describe('whatever was seen', () => {
  test('the count is within the bounds of the tick, unless an operator, a freeze or the unknown keeps it', () => {
    fc.assert(
      fc.property(decidedTicks, ({ tier, observation, tick: { decision } }) => {
        const { minNodes, maxNodes, frozenBy } = boundsAt(tier.policy, observation);
        const { currentNodes, desiredNodes, signalsKnown } = decision;
        fc.pre(observation.overrides.length === 0);
        expect(desiredNodes).toBeGreaterThanOrEqual(minNodes);
        const isKept = frozenBy !== undefined || !signalsKnown;
        const hasPolicies = tier.policy.scaleIn.policies.length > 0;
        expect(desiredNodes).toBeLessThanOrEqual(
          isKept || hasPolicies ? Math.max(maxNodes, currentNodes) : maxNodes,
        );
        if (frozenBy !== undefined) {
          expect(desiredNodes).toBeGreaterThanOrEqual(currentNodes);
        }
      }),
    );
  });

  test('what is kept of a tick decides the same again', () => {
    fc.assert(
      fc.property(decidedTicks, ({ tier, observation, memory, tick }) => {
        const kept = JSON.parse(JSON.stringify({ observation, memory })) as {
          observation: Observation;
          memory: TierMemory;
        };
        fc.pre(JSON.stringify(kept) === JSON.stringify({ observation, memory }));
        expect(tickTier(tier, 'full', kept.observation, kept.memory)).toEqual(tick);
      }),
    );
  });
});
