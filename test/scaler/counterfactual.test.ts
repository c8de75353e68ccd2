import fc from 'fast-check';
import { assert, describe, expect, test } from 'vitest';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import {
  type Assumption,
  type Counterfactuals,
  type DecidedTick,
  findCounterfactuals,
} from '../../src/scaler/counterfactual.ts';
import { type Decision, decide, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { Observation, Signals } from '../../src/scaler/observation.ts';
import type { Override } from '../../src/scaler/override.ts';
import type { ScalingPolicy } from '../../src/scaler/policy.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { decidedTicks } from './random-ticks.ts';
import { SmallWorld } from './small-world.ts';
import {
  NOW_MS,
  observationOf,
  ok,
  PLAIN,
  policyOf,
  rateOnlyTier,
  serving,
  settledAt,
  signalsOf,
  UNKNOWN_SIGNALS,
  webTier,
} from './world.ts';

interface Situation {
  readonly desired?: number;
  readonly rps?: number;
  readonly changes?: Partial<Observation>;
  readonly overrides?: readonly Override[];
  readonly memory?: Partial<TierMemory>;
  readonly tier?: ScaledTier;
}

function decided(situation: Situation): DecidedTick {
  const { desired = 4, rps = 300, tier = webTier(), overrides = [] } = situation;
  const observation = observationOf({
    nodes: serving(desired),
    signals: signalsOf(rps),
    overrides,
    ...PLAIN,
    ...situation.changes,
  });
  const memory = settledAt(desired, situation.memory);
  return { tier, observation, memory, tick: tickTier(tier, 'full', observation, memory) };
}

function found(situation: Situation): Counterfactuals {
  return findCounterfactuals(decided(situation));
}

const said = { id: 'o1', reason: 'test' };
const never = { untilMs: Number.MAX_SAFE_INTEGER };
const pauseOf = (direction: 'in' | 'out' | 'all', untilMs = never.untilMs): Override => ({
  ...said,
  untilMs,
  kind: 'pause',
  direction,
});
const holdAt = (nodes: number, untilMs = never.untilMs): Override => ({
  ...said,
  untilMs,
  kind: 'hold',
  nodes,
});
const minimumOf = (nodes: number, untilMs = never.untilMs): Override => ({
  ...said,
  untilMs,
  kind: 'min',
  nodes,
});

const secondsLater = (seconds: number): number => NOW_MS + seconds * 1_000;

const twoPer15s: readonly ScalingPolicy[] = [{ kind: 'nodes', nodes: 2, periodMs: 15_000 }];

describe('scaling out, in this tick or those that follow', () => {
  test.each<[string, Situation, Counterfactuals['scaleOut']]>([
    [
      '2 nodes of 80 rps tolerate 5 % more, which is 168 rps',
      { desired: 2, rps: 160 },
      { when: 'from-rate', rps: 169, toNodes: 3, afterMs: 0 },
    ],
    [
      'the threshold does not depend on the rate as it is, here beyond it',
      { desired: 2, rps: 900 },
      { when: 'from-rate', rps: 169, toNodes: 3, afterMs: 0 },
    ],
    [
      'nor on whether it is known',
      { desired: 2, changes: { signals: UNKNOWN_SIGNALS } },
      { when: 'from-rate', rps: 169, toNodes: 3, afterMs: 0 },
    ],
    [
      'after a start nothing is tolerated',
      { desired: 2, rps: 160, memory: { desiredNodes: undefined } },
      { when: 'from-rate', rps: 161, toNodes: 3, afterMs: 0 },
    ],
    [
      'a minimum that an operator asks for is passed before anything happens',
      { desired: 6, rps: 160, overrides: [minimumOf(6)] },
      { when: 'from-rate', rps: 505, toNodes: 7, afterMs: 0 },
    ],
    [
      'a queue that asks for more does so at any rate',
      {
        rps: 300,
        changes: { signals: signalsOf(300, { queue: ok({ requests: 400, servedRps: 300 }) }) },
      },
      { when: 'at-any-rate', toNodes: 5, why: 'recommended' },
    ],
    [
      'a minimum is reached at any rate',
      { desired: 1, rps: 0 },
      { when: 'at-any-rate', toNodes: 2, why: 'minimum' },
    ],
    [
      'a hold, too, and it is named',
      { desired: 4, rps: 0, overrides: [holdAt(5)] },
      { when: 'at-any-rate', toNodes: 5, why: 'held', override: 'o1' },
    ],
    ['none at the maximum', { desired: 12, rps: 960 }, { when: 'never', why: 'maximum' }],
    [
      'none while paused',
      { overrides: [pauseOf('out')] },
      { when: 'never', why: 'paused', override: 'o1' },
    ],
    ['none while held', { overrides: [holdAt(4)] }, { when: 'never', why: 'held', override: 'o1' }],
    [
      'some a moment later, while the scaling policies are used up',
      {
        tier: webTier({ scaleOut: { tolerance: 0.05, policies: twoPer15s } }),
        memory: { changes: [{ atMs: NOW_MS - 14_999, nodes: 2 }] },
      },
      { when: 'from-rate', rps: 337, toNodes: 5, afterMs: 1_000 },
    ],
    [
      'some at once, when they are no longer',
      {
        tier: webTier({ scaleOut: { tolerance: 0.05, policies: twoPer15s } }),
        memory: { changes: [{ atMs: NOW_MS - 15_000, nodes: 2 }] },
      },
      { when: 'from-rate', rps: 337, toNodes: 5, afterMs: 0 },
    ],
    [
      'none of a tier that has no rate signal',
      {
        tier: { ...webTier(), policy: withoutRate() },
        changes: { signals: { ...UNKNOWN_SIGNALS, queue: signalsOf(0).queue } },
      },
      { when: 'never', why: 'recommended' },
    ],
  ])('%s', (_, situation, answer) => {
    expect(found(situation).scaleOut).toEqual(answer);
  });

  test.each([
    [80, 1, 337],
    [20, 1, 85],
    [19, 0.1, 79.9],
    [2, 0.1, 8.5],
    [1.9, 0.01, 7.99],
    [1_000_000, 1, 4_200_001],
  ])('a node for %d rps: steps of %d rps', (targetPerNodeRps, resolutionRps, rps) => {
    const tier = webTier({ requestRate: { targetPerNodeRps } });

    expect(found({ tier, rps: 0 })).toMatchObject({ resolutionRps, scaleOut: { rps } });
  });
});

function withoutRate(): ScaledTier['policy'] {
  const { requestRate: _, ...policy } = policyOf();
  return policy;
}

describe('scaling in, in the coming ticks', () => {
  const peakAgo = (seconds: number, needNodes: number): Partial<TierMemory> => ({
    peaks: [{ atMs: secondsLater(-seconds), needNodes }],
  });
  test.each<[string, Situation, Counterfactuals['scaleIn']]>([
    [
      'when the last high need has left the window: 30 s after this tick',
      { desired: 4, rps: 300 },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(30), toNodes: 3 },
    ],
    [
      'when an older high need has left it',
      { desired: 4, rps: 100, memory: peakAgo(20, 3.9) },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(10), toNodes: 3 },
    ],
    [
      '719 rps on 10 nodes: 720 are exactly 10 % less and tolerated',
      { desired: 10, rps: 800 },
      { when: 'up-to-rate', rps: 719, atMs: secondsLater(30), toNodes: 9 },
    ],
    [
      'when the signals have been known for a window',
      { desired: 4, rps: 100, memory: { knownSinceMs: secondsLater(-12) } },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(18), toNodes: 3 },
    ],
    [
      'when signals that are not known come back, and have been known for a window',
      { desired: 4, changes: { signals: UNKNOWN_SIGNALS } },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(31), toNodes: 3 },
    ],
    [
      'further, when a tick has just gone in',
      { desired: 8, rps: 500 },
      { when: 'up-to-rate', rps: 480, atMs: secondsLater(30), toNodes: 6 },
    ],
    [
      'further, as soon as the scaling policies allow it',
      {
        desired: 8,
        rps: 200,
        tier: webTier({
          scaleIn: { tolerance: 0.1, stabilizationWindowMs: 30_000, policies: twoPer15s },
        }),
      },
      { when: 'up-to-rate', rps: 400, atMs: secondsLater(15), toNodes: 5 },
    ],
    [
      'when a pause ends',
      { desired: 4, rps: 100, overrides: [pauseOf('in', secondsLater(300))] },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(300), toNodes: 3 },
    ],
    [
      'when a minimum ends, between two ticks',
      { desired: 6, rps: 100, overrides: [minimumOf(6, secondsLater(599.5))] },
      { when: 'up-to-rate', rps: 400, atMs: secondsLater(600), toNodes: 5 },
    ],
    [
      'when an override ends with the ten minutes',
      { desired: 4, rps: 100, overrides: [pauseOf('in', secondsLater(600))] },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(600), toNodes: 3 },
    ],
    [
      'not within ten minutes, when it ends later',
      { desired: 4, rps: 100, overrides: [pauseOf('in', secondsLater(600) + 1)] },
      { when: 'never', why: 'paused', override: 'o1' },
    ],
    ['never below the minimum', { desired: 2, rps: 100 }, { when: 'never', why: 'minimum' }],
    [
      'never below the minimum of an operator',
      { desired: 4, rps: 100, overrides: [minimumOf(4)] },
      { when: 'never', why: 'override-minimum', override: 'o1' },
    ],
    [
      'never while held',
      { overrides: [holdAt(4)] },
      { when: 'never', why: 'held', override: 'o1' },
    ],
    [
      'at any rate, above the maximum that was lowered',
      {
        desired: 12,
        rps: 900,
        tier: webTier({
          maxNodes: 8,
          scaleIn: { tolerance: 0.1, stabilizationWindowMs: 30_000, policies: twoPer15s },
        }),
      },
      { when: 'at-any-rate', atMs: secondsLater(15), toNodes: 8 },
    ],
    [
      'after a rate that was hardly one, with nothing in work: as if there will be nothing',
      {
        changes: {
          signals: signalsOf(0, {
            requestRate: { status: 'stale', value: 5e-324, ageMs: 9_000 },
            slots: ok({ used: 0, total: 40 }),
          }),
        },
      },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(31), toNodes: 3 },
    ],
    [
      'while requests wait: as if none did',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 9, servedRps: 300 }) }) } },
      { when: 'up-to-rate', rps: 240, atMs: secondsLater(30), toNodes: 3 },
    ],
    [
      'with all slots in use: as if the requests in work fell with the rate, 0.9 × 30 slots being 0.675 of the 40 now',
      { rps: 320, changes: { signals: signalsOf(320, { slots: ok({ used: 40, total: 40 }) }) } },
      { when: 'up-to-rate', rps: 216, atMs: secondsLater(30), toNodes: 3 },
    ],
  ])('%s', (_, situation, answer) => {
    expect(found(situation).scaleIn).toEqual(answer);
  });
});

describe('at the rate as it is', () => {
  test.each<[string, Situation, Counterfactuals['ifRateStays']]>([
    [
      'nothing changes any more',
      { rps: 300 },
      { rps: 300, scaleOut: undefined, scaleIn: undefined },
    ],
    [
      'it goes in when the last high need has left the window',
      { rps: 200, memory: { peaks: [{ atMs: secondsLater(-20), needNodes: 3.9 }] } },
      { rps: 200, scaleOut: undefined, scaleIn: { atMs: secondsLater(10), toNodes: 3 } },
    ],
    [
      'it goes out further when the scaling policies allow it',
      { rps: 900, tier: webTier({ scaleOut: { tolerance: 0.05, policies: twoPer15s } }) },
      { rps: 900, scaleOut: { atMs: secondsLater(15), toNodes: 8 }, scaleIn: undefined },
    ],
    [
      'it goes out when a pause ends',
      { rps: 900, overrides: [pauseOf('all', secondsLater(60))] },
      { rps: 900, scaleOut: { atMs: secondsLater(60), toNodes: 12 }, scaleIn: undefined },
    ],
    [
      'it goes out when one pause ends, and in when a hold does',
      { rps: 150, overrides: [pauseOf('out', secondsLater(60)), holdAt(7, secondsLater(120))] },
      {
        rps: 150,
        scaleOut: { atMs: secondsLater(60), toNodes: 7 },
        scaleIn: { atMs: secondsLater(120), toNodes: 2 },
      },
    ],
    [
      'a rate that is stale is taken to be heard again',
      {
        changes: {
          signals: signalsOf(0, { requestRate: { status: 'stale', value: 160, ageMs: 9_000 } }),
        },
      },
      { rps: 160, scaleOut: undefined, scaleIn: { atMs: secondsLater(31), toNodes: 2 } },
    ],
    ['nobody knows, while it is not known', { changes: { signals: UNKNOWN_SIGNALS } }, undefined],
    [
      'nobody knows, while its reading is none',
      { changes: { signals: signalsOf(Number.NaN) } },
      undefined,
    ],
  ])('%s', (_, situation, answer) => {
    expect(found(situation).ifRateStays).toEqual(answer);
  });
});

test.each<[string, Signals, readonly Assumption[]]>([
  ['nothing when everything is known, nothing waits and nothing is in work', signalsOf(300), []],
  ['that signals are known', UNKNOWN_SIGNALS, ['signals-known', 'work-unknown']],
  [
    'that nothing waits',
    signalsOf(300, { queue: ok({ requests: 1, servedRps: 300 }) }),
    ['queue-empty'],
  ],
  [
    'that the requests in work follow the rate',
    signalsOf(300, { slots: ok({ used: 1, total: 40 }) }),
    ['work-follows-rate'],
  ],
  [
    'nothing of requests in work while nothing arrives',
    signalsOf(0, { slots: ok({ used: 1, total: 40 }) }),
    [],
  ],
])('of the coming ticks is assumed %s', (_, signals, assumes) => {
  expect(found({ changes: { signals } }).assumes).toEqual(assumes);
});

test('a tier that does not look at its queue assumes nothing of it', () => {
  const signals = signalsOf(300, { queue: ok({ requests: 1, servedRps: 300 }) });

  expect(found({ tier: rateOnlyTier(), changes: { signals } }).assumes).toEqual([]);
});

/** The rules again, as plainly as they can be said: every tick of ten minutes is decided. */
function* comingTicks({ tier, observation, tick }: DecidedTick, rps: number): Generator<Decision> {
  const { requestRate, slots } = observation.signals;
  const now = requestRate.status === 'absent' ? Number.NaN : requestRate.value;
  const share = now > 0 && now < Number.POSITIVE_INFINITY ? rps / now : 1;
  let signals: Signals = {
    requestRate: ok(rps),
    queue: ok({ requests: 0, servedRps: rps }),
    slots,
  };
  if (slots.status === 'ok') {
    const { used, total } = slots.value;
    const most = Math.max(used, total);
    const wanted = used === 0 ? 0 : used * share;
    const isFull = wanted > most;
    signals = {
      ...signals,
      queue: ok({ requests: 0, servedRps: isFull ? (rps * most) / wanted : rps }),
      slots: ok({ used: isFull ? most : wanted, total }),
    };
  }
  let { memory } = tick;
  for (let second = 1; second <= 600; second += 1) {
    const atMs = observation.atMs + second * 1_000;
    const overrides = observation.overrides.filter(({ untilMs }) => untilMs > atMs);
    const ahead = { ...observation, atMs, signals, overrides };
    const result = decide(tier, ahead, deriveNodes(tier, ahead), memory);
    memory = result.memory;
    yield result.decision;
  }
}

interface FirstFall {
  readonly atMs: number;
  readonly toNodes: number;
}

function firstFall(record: DecidedTick, rps: number): FirstFall | undefined {
  for (const { atMs, desiredNodes } of comingTicks(record, rps)) {
    if (desiredNodes < record.tick.decision.desiredNodes) {
      return { atMs, toNodes: desiredNodes };
    }
  }
  return undefined;
}

/** This tick again, had it seen that rate, and the two minutes after it, were that rate to stay. */
function* ticksAt({ tier, observation, memory, tick }: DecidedTick, rps: number) {
  const signals = { ...observation.signals, requestRate: ok(rps) };
  const seconds = tick.decision.direction === 'out' ? 0 : 120;
  let before = memory;
  for (let second = 0; second <= seconds; second += 1) {
    const atMs = observation.atMs + second * 1_000;
    const again = tickTier(tier, 'full', { ...observation, atMs, signals }, before);
    before = again.memory;
    yield again.decision;
  }
}

function firstRise(record: DecidedTick, rps: number): Decision | undefined {
  const { currentNodes } = record.tick.decision;
  return [...ticksAt(record, rps)].find(({ desiredNodes }) => desiredNodes > currentNodes);
}

function reasonsOf(decision: Decision | undefined): readonly (string | undefined)[] {
  return [decision?.reason, ...(decision?.stages ?? []).map((stage) => stage.reason)];
}

function expectScaleOutToBeTrue(record: DecidedTick, { scaleOut, resolutionRps }: Counterfactuals) {
  const { policy } = record.tier;
  const scheduled = (record.observation.schedules ?? []).flatMap(
    ({ minNodes = 0, maxNodes = 0 }) => {
      return [minNodes, maxNodes];
    },
  );
  const mostNodes = Math.max(policy.maxNodes, ...scheduled);
  const highest = 2 * mostNodes * (policy.requestRate?.targetPerNodeRps ?? 1);
  switch (scaleOut.when) {
    case 'from-rate':
      expect(firstRise(record, scaleOut.rps)).toMatchObject({
        atMs: record.observation.atMs + scaleOut.afterMs,
        desiredNodes: scaleOut.toNodes,
      });
      expect(firstRise(record, scaleOut.rps - resolutionRps)).toBeUndefined();
      return;
    case 'at-any-rate':
      for (const rps of [0, highest / 3, highest]) {
        expect(firstRise(record, rps)).toBeDefined();
      }
      expect(firstRise(record, 0)?.desiredNodes).toBe(scaleOut.toNodes);
      expect(reasonsOf(firstRise(record, 0))).toContain(scaleOut.why);
      return;
    case 'never':
      for (const rps of [0, highest / 3, highest]) {
        expect(firstRise(record, rps)).toBeUndefined();
      }
      expect(reasonsOf([...ticksAt(record, highest)].at(-1))).toContain(scaleOut.why);
  }
}

/** @param share - Of the rate that is stated: any lower one has to do, too. */
function expectScaleInToBeTrue(
  record: DecidedTick,
  { scaleIn, resolutionRps }: Counterfactuals,
  share: number,
) {
  if (scaleIn.when === 'never') {
    expect(firstFall(record, 0)).toBeUndefined();
    expect(firstFall(record, share * 900)).toBeUndefined();
    return;
  }
  const { when: _, atMs, toNodes } = scaleIn;
  const rps = scaleIn.when === 'up-to-rate' ? scaleIn.rps : 100_000;
  expect(firstFall(record, rps)).toEqual({ atMs, toNodes });
  if (scaleIn.when === 'up-to-rate') {
    expect(firstFall(record, rps + resolutionRps)).toBeUndefined();
  }
  expect(firstFall(record, rps * share), `at ${rps * share} rps`).toBeDefined();
}

function expectStayingToBeTrue(record: DecidedTick, { ifRateStays }: Counterfactuals) {
  if (ifRateStays === undefined) {
    return;
  }
  const { rps, scaleIn, scaleOut } = ifRateStays;
  const nowNodes = record.tick.decision.desiredNodes;
  let rise: FirstFall | undefined;
  for (const { atMs, desiredNodes } of comingTicks(record, rps)) {
    if (desiredNodes < nowNodes) {
      expect(scaleIn).toEqual({ atMs, toNodes: desiredNodes });
      expect(scaleOut).toEqual(rise);
      return;
    }
    if (desiredNodes > nowNodes) {
      rise ??= { atMs, toNodes: desiredNodes };
    }
  }
  expect({ scaleIn, scaleOut }).toEqual({ scaleIn: undefined, scaleOut: rise });
}

describe('just past what is stated the decision changes, and not before', () => {
  test('by the rate of this tick', () => {
    fc.assert(
      fc.property(decidedTicks, (record) => {
        expectScaleOutToBeTrue(record, findCounterfactuals(record));
      }),
      { numRuns: 60 },
    );
  });

  test('by the rate and the time of the coming ones', () => {
    fc.assert(
      fc.property(decidedTicks, fc.double({ min: 0, max: 1, noNaN: true }), (record, share) => {
        const answers = findCounterfactuals(record);

        expectScaleInToBeTrue(record, answers, share);
        expectStayingToBeTrue(record, answers);
      }),
      { numRuns: 60 },
    );
  });
});

describe('in a storm that is lived through', () => {
  const tier = webTier(
    {
      scaleOut: {
        tolerance: 0.05,
        policies: [
          { kind: 'percent', percent: 100, periodMs: 15_000 },
          { kind: 'nodes', nodes: 4, periodMs: 15_000 },
        ],
      },
      scaleIn: {
        tolerance: 0.1,
        stabilizationWindowMs: 'auto',
        policies: [{ kind: 'percent', percent: 25, periodMs: 15_000 }],
      },
    },
    16,
  );
  const PROMISED_UNTIL_S = 230;

  /** 100 rps, from second 60 on up to 700, from second 120 on down to 100; an operator wants 5 for a while. */
  function stormRps(second: number): number {
    const up = Math.min(600, Math.max(0, (second - 60) * 45));
    const down = Math.min(600, Math.max(0, (second - 120) * 30));
    return 100 + up - down + (second % 7);
  }

  function begin(): SmallWorld {
    const world = new SmallWorld(tier, [
      { name: 'xen-a', nodes: 8, reachable: true, everAnswered: true },
      { name: 'xen-b', nodes: 8, reachable: true, everAnswered: true },
    ]);
    for (const number of [1, 2]) {
      world.addGuest({ number, host: 'xen-a' });
      world.addServer(number, 'ready', 'passed', 3);
    }
    return world;
  }

  function tickAt(world: SmallWorld, startMs: number, rps: number): DecidedTick {
    const untilMs = startMs + PROMISED_UNTIL_S * 1_000;
    world.overrides = world.nowMs < untilMs ? [minimumOf(5, untilMs)] : [];
    world.signals = signalsOf(rps);
    const observation = world.observe();
    const { memory } = world;
    return { tier, observation, memory, tick: world.tick() };
  }

  /** Lives through the storm until a second, and then with a rate that stays. */
  function live(until: number, rps: number, seconds: number): readonly DecidedTick[] {
    const world = begin();
    const startMs = world.nowMs;
    return Array.from({ length: until + seconds }, (_, second) =>
      tickAt(world, startMs, second < until ? stormRps(second) : rps),
    );
  }

  const storm = live(300, 0, 0);

  test('it comes and goes', () => {
    const desired = storm.map(({ tick }) => tick.decision.desiredNodes);

    // 700 rps need nine; while the rate rises, more are ordered ahead.
    expect(Math.max(...desired)).toBe(12);
    expect(desired.at(-1)).toBe(2);
  });

  // While it rises and requests suffer, the need follows the nodes that serve, too: that was not asked.
  test.each([20, 59, 70, 100, 121, 135, 150, 180, 229, 245])(
    'at second %d it goes in as was said, and not at one step more',
    (second) => {
      const record = storm[second]!;
      const { scaleIn, resolutionRps } = findCounterfactuals(record);
      if (scaleIn.when === 'never') {
        expect(record.tick.decision.desiredNodes).toBe(tier.policy.minNodes);
        return;
      }
      assert(scaleIn.when === 'up-to-rate');
      const nowNodes = record.tick.decision.desiredNodes;
      const fallIn = (rps: number): FirstFall | undefined =>
        live(second + 1, rps, 600)
          .slice(second + 1)
          .map(({ tick }) => ({ atMs: tick.decision.atMs, toNodes: tick.decision.desiredNodes }))
          .find(({ toNodes }) => toNodes < nowNodes);

      expect(fallIn(scaleIn.rps)).toEqual({ atMs: scaleIn.atMs, toNodes: scaleIn.toNodes });
      expect(fallIn(scaleIn.rps + resolutionRps)).toBeUndefined();
    },
  );

  test('at any second it goes out at the rate that was said, and not at one step less', () => {
    for (const record of storm.filter((_, second) => second % 3 === 0)) {
      expectScaleOutToBeTrue(record, findCounterfactuals(record));
    }
  });

  test('what is kept of a tick decides it again', () => {
    for (const record of storm.filter((_, second) => second % 10 === 0)) {
      const kept = JSON.parse(JSON.stringify(record)) as DecidedTick;
      const again = tickTier(kept.tier, 'full', kept.observation, kept.memory);

      expect(again.decision).toEqual(record.tick.decision);
      expect(findCounterfactuals(kept)).toEqual(findCounterfactuals(record));
    }
  });
});
