import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import { type Decision, decide, EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Observation, Signals } from '../../src/scaler/observation.ts';
import type { Override } from '../../src/scaler/override.ts';
import {
  domainOf,
  hostOf,
  NOW_MS,
  observationOf,
  ok,
  SILENT_SERVER,
  seen,
  serving,
  settledAt,
  serverOf,
  sightingOf,
  signalsOf,
  UNKNOWN_SIGNALS,
  webTier,
} from './world.ts';

interface Situation {
  readonly desired: number;
  readonly rps?: number;
  readonly signals?: Signals;
  readonly overrides?: readonly Override[];
}

const said = { id: 'o1', reason: 'test', untilMs: Number.MAX_SAFE_INTEGER };
const holdAt = (nodes: number): Override => ({ ...said, kind: 'hold', nodes });
const minimumOf = (nodes: number): Override => ({ ...said, kind: 'min', nodes });
const pauseOf = (direction: 'in' | 'out' | 'all'): Override => ({
  ...said,
  kind: 'pause',
  direction,
});

function decided(
  changes: Partial<Observation>,
  memory: TierMemory,
  tier = webTier(),
): { readonly decision: Decision; readonly memory: TierMemory } {
  const observation = observationOf(changes);
  return decide(tier, observation, deriveNodes(tier, observation), memory);
}

function settled(situation: Situation, tier = webTier()): Decision {
  return decided(
    {
      nodes: serving(situation.desired),
      signals: situation.signals ?? signalsOf(situation.rps ?? 0),
      overrides: situation.overrides ?? [],
    },
    settledAt(situation.desired),
    tier,
  ).decision;
}

/** Ticks once a second from `EMPTY_MEMORY` or the given one. */
function timeline(
  seconds: number,
  at: (second: number) => Partial<Observation>,
  start: TierMemory = EMPTY_MEMORY,
  tier = webTier(),
): readonly Decision[] {
  let memory = start;
  return Array.from({ length: seconds }, (_, second) => {
    const result = decided({ atMs: NOW_MS + second * 1_000, ...at(second) }, memory, tier);
    memory = result.memory;
    return result.decision;
  });
}

describe('the recommendation', () => {
  // The comment says what the number would be without the rule.
  test.each<[string, Situation, number, Decision['reason']]>([
    ['240 rps at 80 need 3', { desired: 2, rps: 240 }, 3, 'recommended'],
    [
      '168 rps on 2 nodes are exactly 5 % more and tolerated',
      { desired: 2, rps: 168 },
      2,
      'within-tolerance',
    ], // 3
    ['169 rps on 2 nodes are not', { desired: 2, rps: 169 }, 3, 'recommended'],
    ['160 rps on 2 nodes are what they are for', { desired: 2, rps: 160 }, 2, 'converged'],
    [
      '720 rps on 10 nodes are exactly 10 % less and tolerated',
      { desired: 10, rps: 720 },
      10,
      'within-tolerance',
    ], // 9
    ['719 rps on 10 nodes are not', { desired: 10, rps: 719 }, 9, 'recommended'],
    ['no load goes to the minimum', { desired: 5, rps: 0 }, 2, 'minimum'], // 0
    ['much load goes to the maximum', { desired: 5, rps: 8_000 }, 12, 'maximum'], // 100
    [
      'a queue keeps what is ordered',
      { desired: 5, signals: signalsOf(80, { queue: ok({ requests: 1, servedRps: 100 }) }) },
      5, // 2
      'converged',
    ],
    [
      'slots in use keep the nodes they are on',
      { desired: 5, signals: signalsOf(80, { slots: ok({ used: 28, total: 50 }) }) },
      4, // 1, and the minimum makes it 2
      'flap-guard',
    ],
    [
      'unknown slots keep nothing',
      {
        desired: 5,
        signals: signalsOf(240, {
          slots: { status: 'stale', value: { used: 50, total: 50 }, ageMs: 1 },
        }),
      },
      3,
      'recommended',
    ],
  ])('%s', (_, situation, desiredNodes, reason) => {
    expect(settled(situation)).toMatchObject({ desiredNodes, reason });
  });

  test('the direction follows from the change', () => {
    expect(settled({ desired: 2, rps: 240 }).direction).toBe('out');
    expect(settled({ desired: 4, rps: 240 }).direction).toBe('in');
    expect(settled({ desired: 3, rps: 240 }).direction).toBe('none');
  });
});

describe('who wins', () => {
  const unknown = { signals: UNKNOWN_SIGNALS };
  test.each<[string, Situation, number, Decision['reason']]>([
    [
      'unknown holds, where the minimum would be 2',
      { desired: 5, ...unknown },
      5,
      'signals-unknown',
    ],
    [
      'unknown wins over a hold that lets go',
      { desired: 5, ...unknown, overrides: [holdAt(3)] },
      5,
      'signals-unknown',
    ],
    ['unknown wins over the maximum', { desired: 14, ...unknown }, 14, 'signals-unknown'],
    [
      'unknown allows a hold that asks for more',
      { desired: 5, ...unknown, overrides: [holdAt(8)] },
      8,
      'held',
    ],
    ['unknown allows a minimum', { desired: 1, ...unknown }, 2, 'minimum'],
    [
      'a partial rate may ask for more',
      {
        desired: 3,
        signals: signalsOf(0, { requestRate: { status: 'partial', value: 400, why: 'reload' } }),
      },
      5,
      'recommended',
    ],
    [
      'a partial rate lets nothing go, where an ok one would go to 2',
      {
        desired: 3,
        signals: signalsOf(0, { requestRate: { status: 'partial', value: 0, why: 'reload' } }),
      },
      3,
      'signals-unknown',
    ],
    [
      'unknown beside a pause changes nothing',
      { desired: 5, ...unknown, overrides: [pauseOf('all')] },
      5,
      'signals-unknown',
    ],
    [
      'a pause wins over a hold that asks for more',
      { desired: 5, rps: 400, overrides: [holdAt(8), pauseOf('all')] },
      5,
      'paused',
    ],
    [
      'a pause wins over a hold that lets go',
      { desired: 5, rps: 400, overrides: [pauseOf('all'), holdAt(3)] },
      5,
      'paused',
    ],
    [
      'a pause of in keeps, where the load would let go',
      { desired: 5, rps: 160, overrides: [pauseOf('in')] },
      5,
      'paused',
    ],
    [
      'a pause of in lets out',
      { desired: 5, rps: 480, overrides: [pauseOf('in')] },
      6,
      'recommended',
    ],
    [
      'a pause of out keeps, where the load asks for 9',
      { desired: 5, rps: 720, overrides: [pauseOf('out')] },
      5,
      'paused',
    ],
    [
      'a pause of out lets go',
      { desired: 5, rps: 160, overrides: [pauseOf('out')] },
      2,
      'recommended',
    ],
    [
      'a pause of all wins over the minimum',
      { desired: 1, rps: 0, overrides: [pauseOf('all')] },
      1,
      'paused',
    ],
    [
      'a hold wins over the load that asks for more',
      { desired: 5, rps: 720, overrides: [holdAt(5)] },
      5,
      'held',
    ],
    [
      'a hold wins over the load that asks for less',
      { desired: 5, rps: 0, overrides: [holdAt(4)] },
      4,
      'held',
    ],
    ['a hold wins over the minimum', { desired: 5, rps: 400, overrides: [holdAt(1)] }, 1, 'held'],
    [
      'a hold wins over an override minimum',
      { desired: 5, rps: 400, overrides: [holdAt(3), minimumOf(8)] },
      3,
      'held',
    ],
    [
      'a hold stays within the maximum',
      { desired: 5, rps: 400, overrides: [holdAt(99)] },
      12,
      'held',
    ],
    [
      'a hold of none keeps one: the site is not switched off by it',
      { desired: 5, rps: 400, overrides: [holdAt(0)] },
      1,
      'held',
    ],
    [
      'an override minimum wins over the load',
      { desired: 5, rps: 0, overrides: [minimumOf(6)] },
      6,
      'override-minimum',
    ],
    [
      'the higher of two override minimums counts',
      { desired: 5, rps: 0, overrides: [minimumOf(7), minimumOf(6)] },
      7,
      'override-minimum',
    ],
    [
      'an override minimum below the minimum is none',
      { desired: 2, rps: 0, overrides: [minimumOf(1)] },
      2,
      'minimum',
    ],
    [
      'an override minimum stays within the maximum',
      { desired: 5, rps: 0, overrides: [minimumOf(99)] },
      12,
      'maximum',
    ],
  ])('%s', (_, situation, desiredNodes, reason) => {
    expect(settled(situation)).toMatchObject({ desiredNodes, reason });
  });
});

describe('the trace', () => {
  test('says what each stage made of the count, and who had the last word', () => {
    const tier = webTier({
      scaleOut: { tolerance: 0.05, policies: [{ kind: 'nodes', nodes: 4, periodMs: 15_000 }] },
    });
    const decision = settled({ desired: 2, rps: 1_600, overrides: [minimumOf(3)] }, tier);

    expect(decision.stages).toEqual([
      { reason: 'recommended', fromNodes: 2, toNodes: 20 },
      { reason: 'maximum', fromNodes: 20, toNodes: 12 },
      { reason: 'scaling-policy', fromNodes: 12, toNodes: 6 },
    ]);
    expect(decision).toMatchObject({ desiredNodes: 6, reason: 'scaling-policy', direction: 'out' });
  });

  test('names a stage that stopped a change from happening', () => {
    expect(settled({ desired: 2, rps: 168 }).stages).toEqual([
      { reason: 'within-tolerance', fromNodes: 2, toNodes: 2 },
    ]);
  });

  test('carries the need, the peak, the window and what each signal advised', () => {
    expect(settled({ desired: 4, rps: 240 })).toMatchObject({
      tier: 'news/web',
      atMs: NOW_MS,
      currentNodes: 4,
      needNodes: 3,
      peakNodes: 3,
      windowMs: 30_000,
      signalsKnown: true,
      advice: [
        { signal: 'request-rate', status: 'ok', needNodes: 3 },
        { signal: 'queue', status: 'ok', needNodes: 0 },
      ],
    });
  });

  test('has neither need nor peak when no signal states one', () => {
    expect(settled({ desired: 4, signals: UNKNOWN_SIGNALS })).toMatchObject({
      needNodes: undefined,
      peakNodes: undefined,
      signalsKnown: false,
    });
  });
});

describe('a fresh start', () => {
  test('holds scale-in for a full window, and lets go right after', () => {
    const desired = timeline(40, () => ({ nodes: serving(6), signals: signalsOf(140) })).map(
      ({ desiredNodes }) => desiredNodes,
    );

    expect(desired.slice(0, 30).every((nodes) => nodes === 6)).toBe(true);
    expect(desired[30]).toBe(2);
  });

  test('says that it stabilizes', () => {
    const [first] = timeline(1, () => ({ nodes: serving(6), signals: signalsOf(160) }));

    expect(first).toMatchObject({ currentNodes: 6, desiredNodes: 6, reason: 'stabilizing' });
  });

  test('goes out at once, beyond tolerance and scaling policies: nobody was there to tolerate anything', () => {
    const tier = webTier({
      scaleOut: { tolerance: 0.5, policies: [{ kind: 'nodes', nodes: 1, periodMs: 15_000 }] },
    });

    expect(
      decided({ nodes: serving(6), signals: signalsOf(640) }, EMPTY_MEMORY, tier).decision,
    ).toMatchObject({ desiredNodes: 8, reason: 'recommended' });
  });

  test.each<[string, readonly NodeSighting[], number]>([
    [
      'nodes in service, sick ones among them',
      [seen.inService(1), seen.sick(2), seen.inService(3)],
      3,
    ],
    ['nodes on their way', [seen.booting(1), seen.warming(2), seen.parked(3)], 3],
    [
      'nodes in a drain, which is taken back rather than guessed',
      [seen.inService(1), seen.outOfRotation(2), seen.outOfRotation(3)],
      3,
    ],
    [
      'nodes on a lost host that HAProxy reports up',
      [seen.lostButUp(1), seen.lostButUp(2), seen.lostButUp(3)],
      3,
    ],
    [
      'no nodes on a lost host that HAProxy reports down',
      [seen.inService(1), seen.inService(2), seen.inService(3), seen.lost(4)],
      3,
    ],
    [
      'no server of old states that is up as far as a balancer knows: every host has answered, and none has it',
      [...serving(3), sightingOf(6, [], [serverOf()]), sightingOf(7, [], [serverOf()])],
      3,
    ],
    [
      'no standby, failed, stopping nodes, conflicts or ghosts',
      [
        seen.inService(1),
        seen.inService(2),
        seen.inService(3),
        seen.standby(4),
        seen.failed(5),
        seen.stopping(6),
        seen.conflict(7),
        seen.ghost(8),
      ],
      3,
    ],
    [
      'running nodes while the balancer is silent: otherwise its first answer would find all but two not needed',
      [1, 2, 3].map((number) => sightingOf(number, [domainOf()], [SILENT_SERVER])),
      3,
    ],
  ])('counts %s', (_, nodes, currentNodes) => {
    expect(decided({ nodes, signals: UNKNOWN_SIGNALS }, EMPTY_MEMORY).decision).toMatchObject({
      currentNodes,
      desiredNodes: currentNodes,
    });
  });

  test('counts what a balancer takes for up while a host has never answered: it may be there', () => {
    const hosts = [hostOf('xen-a'), hostOf('xen-b', { everAnswered: false })];
    const nodes = [...serving(3), sightingOf(6, [], [serverOf()])];

    expect(
      decided({ nodes, hosts, signals: UNKNOWN_SIGNALS }, EMPTY_MEMORY).decision,
    ).toMatchObject({ currentNodes: 4, desiredNodes: 4 });
  });
});

test('what was seen before any signal was heard is not remembered: hosts and balancers may not have answered yet', () => {
  const [first, second] = timeline(2, (tick) =>
    tick === 0
      ? { nodes: [], signals: UNKNOWN_SIGNALS, overrides: [pauseOf('all')] }
      : { nodes: serving(6), signals: signalsOf(160), overrides: [pauseOf('all')] },
  );

  expect(first).toMatchObject({ currentNodes: 0, desiredNodes: 0 });
  expect(second).toMatchObject({ currentNodes: 6, desiredNodes: 6 });
});

describe('the window', () => {
  test('starts anew after a gap in the signals', () => {
    const desired = timeline(80, (second) => ({
      nodes: serving(6),
      signals: second === 20 ? UNKNOWN_SIGNALS : signalsOf(140),
    })).map(({ desiredNodes }) => desiredNodes);

    // Without the gap it would be 2 at second 30.
    expect(desired.indexOf(2)).toBe(51);
  });

  test('keeps the highest need: one busy second in it keeps the nodes', () => {
    const { requestRate, queue } = signalsOf(140);
    const busy = signalsOf(140, { queue: ok({ requests: 1, servedRps: 140 }) });
    const desired = timeline(
      60,
      (second) => ({
        nodes: serving(6),
        signals: second === 10 ? busy : signalsOf(140, { requestRate, queue }),
        overrides: second <= 10 ? [minimumOf(5)] : [],
      }),
      settledAt(6),
    ).map(({ desiredNodes }) => desiredNodes);

    // A request that waits asks to keep the five nodes that are ordered then.
    expect(desired[0]).toBe(5);
    expect(desired[39]).toBe(5);
    expect(desired[40]).toBe(2);
  });

  test('of `auto` is the measured boot time after a start', () => {
    const tier = webTier({
      scaleIn: { tolerance: 0.1, stabilizationWindowMs: 'auto', policies: [] },
    });
    const desired = timeline(
      60,
      () => ({ nodes: serving(6), signals: signalsOf(140), bootTimeMs: 45_000 }),
      EMPTY_MEMORY,
      tier,
    ).map(({ desiredNodes }) => desiredNodes);

    expect(desired.indexOf(2)).toBe(45);
  });
});

describe('speed', () => {
  test('out follows the policies second by second: 2 → 6 → 12', () => {
    const tier = webTier({
      scaleOut: {
        tolerance: 0.05,
        policies: [
          { kind: 'percent', percent: 100, periodMs: 15_000 },
          { kind: 'nodes', nodes: 4, periodMs: 15_000 },
        ],
      },
    });
    const desired = timeline(32, () => ({ signals: signalsOf(8_000) }), settledAt(2), tier).map(
      ({ desiredNodes }) => desiredNodes,
    );

    expect(desired.slice(0, 15).every((nodes) => nodes === 6)).toBe(true);
    expect(desired.slice(15).every((nodes) => nodes === 12)).toBe(true);
  });

  test('in follows the policies second by second: 10 → 8 → 6 → 5 → 4 → 3 → 2', () => {
    const tier = webTier({
      scaleIn: {
        tolerance: 0.1,
        stabilizationWindowMs: 0,
        policies: [{ kind: 'percent', percent: 25, periodMs: 15_000 }],
      },
    });
    const desired = timeline(91, () => ({ signals: signalsOf(0) }), settledAt(10), tier).map(
      ({ desiredNodes }) => desiredNodes,
    );

    expect([0, 15, 30, 45, 60, 75, 90].map((second) => desired[second])).toEqual([
      8, 6, 5, 4, 3, 2, 2,
    ]);
  });

  test('does not bind a minimum, which is reached at once', () => {
    const tier = webTier({
      minNodes: 8,
      scaleOut: { tolerance: 0.05, policies: [{ kind: 'nodes', nodes: 1, periodMs: 15_000 }] },
    });

    expect(decided({ signals: signalsOf(0) }, settledAt(2), tier).decision.desiredNodes).toBe(8);
  });

  test('does not bind an operator who holds', () => {
    const tier = webTier({
      scaleOut: { tolerance: 0.05, policies: [{ kind: 'nodes', nodes: 1, periodMs: 15_000 }] },
    });

    expect(decided({ overrides: [holdAt(9)] }, settledAt(2), tier).decision.desiredNodes).toBe(9);
  });

  test('in at a lowered maximum is bound, too', () => {
    const tier = webTier({
      maxNodes: 4,
      scaleIn: {
        tolerance: 0.1,
        stabilizationWindowMs: 0,
        policies: [{ kind: 'nodes', nodes: 1, periodMs: 15_000 }],
      },
    });

    expect(decided({ signals: signalsOf(800) }, settledAt(10), tier).decision).toMatchObject({
      desiredNodes: 9,
      reason: 'scaling-policy',
    });
  });
});

describe('while other balancers answer than a moment ago', () => {
  const two = ['lb-a', 'lb-b'].map((name) => ({ name, answers: true }));
  const changed = { balancers: two, balancersChangedAtMs: NOW_MS };
  /** Three nodes at 240 rps, settled, and then the set changes and so much arrives; the window is 30 s. */
  const after = (seconds: number, rps: number): Decision => {
    const nodes = serving(3);
    const { memory } = decided(
      { atMs: NOW_MS - 1_000, nodes, signals: signalsOf(240), balancers: two },
      settledAt(3),
    );
    const atMs = NOW_MS + seconds * 1_000;
    return decided({ atMs, nodes, signals: signalsOf(rps), ...changed }, memory).decision;
  };

  test.each<[string, number, number, number | undefined, number]>([
    ['half of it is a calm that is none', 0, 120, 240, 3],
    ['the same is the same', 5, 240, undefined, 3],
    ['more is more', 5, 400, undefined, 5],
    ['it holds until the window is over', 29.999, 120, 240, 3],
    ['and then no longer', 30, 120, undefined, 1.55],
  ])('%s', (_, seconds, rps, heldRps, needNodes) => {
    const { needNodes: found, advice } = after(seconds, rps);
    expect(found).toBeCloseTo(needNodes, 2);
    expect(advice[0]?.heldRps).toBe(heldRps);
  });

  test('what is read meanwhile does not count as what they were together before', () => {
    const decisions = timeline(
      3,
      (second) => ({
        nodes: serving(5),
        signals: signalsOf([240, 400, 120][second] ?? 0),
        balancers: two,
        ...(second === 0 ? {} : { balancersChangedAtMs: NOW_MS + 1_000 }),
      }),
      settledAt(5),
    );
    expect(decisions.map(({ needNodes }) => needNodes)).toEqual([3, 5, 3]);
  });

  test('where nothing is read, nothing is held against it', () => {
    const signals = { ...signalsOf(0), requestRate: UNKNOWN_SIGNALS.requestRate };
    const memory = settledAt(3, { settledRps: 240 });
    const { decision } = decided({ signals, nodes: serving(3), ...changed }, memory);
    expect(decision.advice[0]).toEqual({
      signal: 'request-rate',
      status: 'absent',
      needNodes: undefined,
    });
  });
});

describe('a reading that is nonsense', () => {
  const tier = webTier();
  /** A calm of 480 rps that wavers, and what is read in the 301st second instead. */
  const decisionsWith = (reading: number): readonly Decision[] =>
    timeline(
      420,
      (second) => ({
        nodes: serving(7),
        signals: signalsOf(second === 300 ? reading : 480 + 20 * Math.sin(second * second)),
      }),
      EMPTY_MEMORY,
      tier,
    );
  const mostRps = ENGINE.mostLoad * 12 * 80;

  test.each([1.8e19, Number.MAX_VALUE])('%d rps are no more than what is far too much', (rps) => {
    const [absurd, most] = [decisionsWith(rps), decisionsWith(mostRps)];
    expect(absurd.slice(301)).toEqual(most.slice(301));
    expect(absurd[300]?.desiredNodes).toBe(12);
  });

  test('a minute after one, what is ordered is what would be ordered without', () => {
    const ordered = (reading: number): readonly number[] =>
      decisionsWith(reading)
        .slice(360)
        .map(({ desiredNodes }) => desiredNodes);
    expect(ordered(1.8e19)).toEqual(ordered(480));
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1])(
    '%d rps are not learned from',
    (rps) => {
      const { memory } = decided({ signals: signalsOf(560) }, settledAt(7));
      const later = { atMs: NOW_MS + 1_000, signals: signalsOf(rps) };
      const { decision, memory: after } = decided(later, memory);
      expect(after.foresight).toEqual(memory.foresight);
      expect(decision).toMatchObject({ desiredNodes: 7, reason: 'signals-unknown' });
      expect(decision.outlook).toBeUndefined();
    },
  );
});
