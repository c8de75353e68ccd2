import { describe, expect, test } from 'vitest';
import type { Sample, Signals } from '../../src/scaler/observation.ts';
import { type Recommendation, recommend } from '../../src/scaler/recommend.ts';
import { EMPTY_QUEUE, ok, rateOnlyTier, signalsOf, webTier } from './world.ts';

function recommended(changes: Partial<Signals>, ordered = 3, serving = 3): Recommendation {
  return recommend(webTier(), signalsOf(160, changes), {
    currentNodes: ordered,
    servingNodes: serving,
  });
}

const THREE = { currentNodes: 3, servingNodes: 3 };

function waiting(requests: number, servedRps: number): Partial<Signals> {
  return { requestRate: ok(0), queue: ok({ requests, servedRps }) };
}

describe('request rate', () => {
  test.each<[string, Sample<number>, number | undefined, boolean]>([
    ['an ok reading is believed', ok(240), 3, true],
    ['zero is a reading', ok(0), 0, true],
    [
      'a partial reading may ask, not let go',
      { status: 'partial', value: 240, why: 'reload' },
      3,
      false,
    ],
    [
      'a stale reading may ask, not let go',
      { status: 'stale', value: 240, ageMs: 9_000 },
      3,
      false,
    ],
    ['an absent reading says nothing', { status: 'absent', why: 'no answer' }, 0, false],
    ['NaN is absent', ok(Number.NaN), 0, false],
    ['a negative rate is absent', ok(-1), 0, false],
    ['an infinite rate is absent', ok(Number.POSITIVE_INFINITY), 0, false],
    ['a stale NaN is absent', { status: 'stale', value: Number.NaN, ageMs: 1 }, 0, false],
  ])('%s', (_, requestRate, needNodes, signalsKnown) => {
    // The empty queue states a need of 0, so an absent rate leaves exactly that.
    expect(recommended({ requestRate })).toMatchObject({ needNodes, signalsKnown });
  });

  test('the need is fractional', () => {
    expect(recommended({ requestRate: ok(100) }).needNodes).toBe(1.25);
  });

  test('nothing is needed or known when the only signal is absent', () => {
    const signals = signalsOf(0, { requestRate: { status: 'absent', why: 'no answer' } });

    expect(recommend(rateOnlyTier(), signals, THREE)).toEqual({
      needNodes: undefined,
      signalsKnown: false,
      advice: [{ signal: 'request-rate', status: 'absent', needNodes: undefined }],
    });
  });

  test('a signal that is not configured is not asked', () => {
    const signals = signalsOf(160, { queue: { status: 'absent', why: 'no answer' } });

    expect(recommend(rateOnlyTier(), signals, THREE)).toMatchObject({
      needNodes: 2,
      signalsKnown: true,
    });
  });
});

describe('queue', () => {
  test.each<[string, number, number, number]>([
    ['an empty one agrees to any scale-in', 0, 100, 0],
    ['an empty one of an idle site agrees, too', 0, 0, 0],
    ['one within the allowed wait keeps what is ordered', 9, 100, 3],
    ['one at exactly the allowed wait keeps what is ordered', 10, 100, 3],
    // 3 nodes serve 300 rps, 100 each; 100 requests in 10 s are 10 rps, a tenth of a node.
    ['one beyond it adds the nodes that clear it in 10 s', 100, 300, 3.1],
    ['a long one asks for many', 3_000, 300, 6],
    ['one that is not served at all asks for one more', 1, 0, 4],
    ['one that is not served at all asks for one more however long it is', 9_999, 0, 4],
  ])('%s', (_, requests, servedRps, needNodes) => {
    expect(recommended(waiting(requests, servedRps)).needNodes).toBeCloseTo(needNodes, 9);
  });

  test('one that grows because nodes do less than their target says asks for what arrives at the rate that they do', () => {
    // A cold cache: 3 nodes for 80 rps each serve 40. By their target 240 rps need 3.
    const changes = { requestRate: ok(200), queue: ok({ requests: 400, servedRps: 120 }) };
    expect(recommended(changes).needNodes).toBe(6);
    expect(recommended({ ...changes, requestRate: ok(180) }).needNodes).toBe(4.5 + 1);
  });

  test('where nodes do what they are rated for, what is foreseen has ordered what it needs, and it keeps that', () => {
    // 3 nodes for 80 rps each serve 100: nothing is wrong with them, there are too few.
    const signals = signalsOf(400, { queue: ok({ requests: 900, servedRps: 300 }) });
    const queueNeed = (nodeRps: number | undefined): number | undefined =>
      recommend(webTier(), signals, { ...THREE, foreseenNodes: 5, nodeRps }).advice[1]?.needNodes;
    expect(queueNeed(80)).toBe(3);
    expect(queueNeed(undefined)).toBeCloseTo((3 * (400 + 90)) / 300, 9);
    const slow = signalsOf(400, { queue: ok({ requests: 900, servedRps: 200 }) });
    expect(
      recommend(webTier(), slow, { ...THREE, foreseenNodes: 5, nodeRps: 80 }).advice[1]?.needNodes,
    ).toBe(6);
  });

  test('while ordered nodes are still coming, one beyond the allowed wait never asks for fewer than them', () => {
    // Measured on 2 nodes that serve: 2.1; but 6 are ordered, and a shorter queue keeps all of them.
    expect(recommended(waiting(20, 100), 6, 2).needNodes).toBe(6);
  });

  test('next to nothing served asks for at most twice as many nodes', () => {
    expect(recommended(waiting(50, 5e-324)).needNodes).toBe(6);
  });

  test('a stale one keeps what is ordered: what serves now is not what served when it was read', () => {
    const queue = {
      status: 'stale',
      value: { requests: 500, servedRps: 300 },
      ageMs: 9_000,
    } as const;
    expect(recommended({ requestRate: ok(0), queue }, 4, 6).needNodes).toBe(4);
    const empty = { ...queue, value: { requests: 0, servedRps: 300 } };
    expect(recommended({ requestRate: ok(0), queue: empty }, 4, 6).needNodes).toBe(0);
  });

  test('one that waits for nobody keeps what is ordered', () => {
    expect(recommended(waiting(500, 0), 2, 0).needNodes).toBe(2);
  });

  test.each<[string, Sample<{ readonly requests: number; readonly servedRps: number }>]>([
    ['NaN requests', ok({ requests: Number.NaN, servedRps: 1 })],
    ['a negative rate', ok({ requests: 0, servedRps: -1 })],
    ['an infinite rate', ok({ requests: 0, servedRps: Number.POSITIVE_INFINITY })],
    ['no answer', { status: 'absent', why: 'no answer' }],
  ])('with %s it says nothing, and lets nothing go', (_, queue) => {
    expect(recommended({ queue })).toMatchObject({
      needNodes: 2,
      signalsKnown: false,
      advice: [
        { signal: 'request-rate' },
        { signal: 'queue', status: 'absent', needNodes: undefined },
      ],
    });
  });
});

test('the signal that asks for most wins', () => {
  expect(recommended({ requestRate: ok(800), queue: EMPTY_QUEUE }).needNodes).toBe(10);
  expect(
    recommended({ requestRate: ok(80), queue: ok({ requests: 3_000, servedRps: 300 }) }).needNodes,
  ).toBe(6);
});

test('slots are no signal: without them nodes may go', () => {
  expect(recommended({ slots: { status: 'absent', why: 'no answer' } }).signalsKnown).toBe(true);
});
