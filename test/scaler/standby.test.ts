import { describe, expect, test } from 'vitest';
import { type Decision, decide, EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { Observation, QueueReading, Sample } from '../../src/scaler/observation.ts';
import type { OverrideWord } from '../../src/scaler/override.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import {
  held,
  NOW_MS,
  observationOf,
  ok,
  PLAIN,
  policyOf,
  seen,
  serving,
  settledAt,
  signalsOf,
  UNKNOWN_SIGNALS,
  webTier,
} from './world.ts';

/** A second of a tier with 2 on standby, where 4 of at least 2 nodes serve and 160 rps need 2. */
function secondOf(
  changes: Partial<Observation>,
  memory: TierMemory,
  policy: TierPolicy = policyOf({ standby: { state: 'paused', nodes: 2 } }),
): ReturnType<typeof decide> {
  const tier = { ...webTier(), policy };
  const nodes = [...serving(4), seen.standby(5), seen.standby(6)];
  const observation = observationOf({ nodes, ...changes });
  return decide(tier, observation, deriveNodes(tier, observation), memory);
}

/** 4 nodes were needed 10 s ago, which the window of 30 s remembers. */
const HELD_UP = settledAt(4, { peaks: [{ atMs: NOW_MS - 10_000, needNodes: 4 }] });

const word = (said: OverrideWord): Partial<Observation> => ({
  overrides: [{ ...said, id: 'o1', reason: 'test', untilMs: 1e12 }],
});

const queued = (queue: Sample<QueueReading>): Partial<Observation> => ({
  signals: signalsOf(160, { queue }),
});

describe('of a count that is kept, is needed soon', () => {
  test.each<[string, Partial<Observation>, number]>([
    ['by the window: what the rate asks for', {}, 2],
    ['while nothing is foreseen: what the rate asks for now', PLAIN, 2],
    ['while no signal is known: what the minimum asks for', { signals: UNKNOWN_SIGNALS }, 2],
    [
      'while the rate is read in part: what that asks for',
      {
        signals: {
          ...signalsOf(160),
          requestRate: { status: 'partial', value: 240, why: 'lb-b is silent' },
        },
      },
      3,
    ],
    [
      'by a queue that is short: what the rate asks for',
      queued(ok({ requests: 5, servedRps: 160 })),
      2,
    ],
    ['by a pause: what the rate asks for', word({ kind: 'pause', direction: 'in' }), 2],
    ['by a freeze: what the rate asks for', { schedules: [held({ freeze: 'scale-in' })] }, 2],
    ['by a minimum of a schedule: all', { schedules: [held({ minNodes: 4 })] }, 4],
    ['by an operator who wants at least as many: all', word({ kind: 'min', nodes: 4 }), 4],
    ['by an operator who wants so many: all', word({ kind: 'hold', nodes: 4 }), 4],
    ['while requests wait for too long: all', queued(ok({ requests: 300, servedRps: 320 })), 4],
    [
      'while requests wait for too long at the balancer that answers: all',
      queued({
        status: 'partial',
        value: { requests: 300, servedRps: 320 },
        why: 'lb-b is silent',
      }),
      4,
    ],
  ])('%s', (_, changes, soonNodes) => {
    const { decision } = secondOf(changes, HELD_UP);
    expect(decision).toMatchObject({ desiredNodes: 4, soonNodes });
  });
});

test('what was needed soon when the rate was last known is needed soon until it is known again', () => {
  const before = secondOf({ signals: signalsOf(240) }, HELD_UP);
  expect(before.decision.soonNodes).toBe(3);
  const unknown = secondOf({ signals: UNKNOWN_SIGNALS }, before.memory);
  expect(unknown.decision.soonNodes).toBe(3);
  const known = secondOf({ atMs: NOW_MS + 60_000, signals: signalsOf(80) }, unknown.memory);
  expect(known.decision.soonNodes).toBe(2);
});

test('where all that is ordered ahead stands by, all that runs is needed soon', () => {
  const auto = policyOf({ standby: { state: 'paused', nodes: 'auto' } });
  const { decision } = secondOf({ signals: UNKNOWN_SIGNALS }, HELD_UP, auto);
  expect(decision).toMatchObject({ desiredNodes: 4, soonNodes: 4 });
});

test('where no rate is read nothing is ordered ahead, and all is needed soon', () => {
  const { requestRate: _, ...policy } = policyOf({ standby: { state: 'paused', nodes: 2 } });
  const { decision } = secondOf({}, HELD_UP, policy);
  expect(decision).toMatchObject({ desiredNodes: 4, soonNodes: 4 });
});

/** The rate rises by 8 rps a second; more are foreseen for when a boot serves than there stand by. */
function rise(changes: Partial<Observation>): Decision {
  let memory = EMPTY_MEMORY;
  for (let second = 0; ; second += 1) {
    const signals = signalsOf(160 + 8 * second);
    const around = { ...changes, atMs: NOW_MS + second * 1_000, signals, bootTimeMs: 60_000 };
    const decided = secondOf(around, memory);
    if (decided.decision.desiredNodes === 6) {
      return decided.decision;
    }
    memory = decided.memory;
  }
}

test('what is only foreseen is not needed soon, unless a minimum asks for as many', () => {
  expect(rise({}).soonNodes).toBeLessThan(6);
  expect(rise(word({ kind: 'min', nodes: 5 })).soonNodes).toBe(5);
});
