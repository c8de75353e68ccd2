/** Any tick that a journal may hold: a tier, what was seen, what was remembered, and what became of it. */

import fc from 'fast-check';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import type { DecidedTick } from '../../src/scaler/counterfactual.ts';
import { EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import type {
  HostSighting,
  NodeSighting,
  Observation,
  Sample,
  Signals,
} from '../../src/scaler/observation.ts';
import type { Override } from '../../src/scaler/override.ts';
import type { ScalingPolicy } from '../../src/scaler/policy.ts';
import type { ScheduleSighting } from '../../src/scaler/schedule.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import {
  EACH_MORNING,
  hostOf,
  NOW_MS,
  observationOf,
  ok,
  policyOf,
  seen,
  webTier,
} from './world.ts';

const scalingPolicies: fc.Arbitrary<readonly ScalingPolicy[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('percent' as const),
      percent: fc.constantFrom(10, 25, 100),
      periodMs: fc.constantFrom(15_000, 60_000),
    }),
    fc.record({
      kind: fc.constant('nodes' as const),
      nodes: fc.integer({ min: 1, max: 4 }),
      periodMs: fc.constantFrom(15_000, 60_000, 3_600_000),
    }),
  ),
  { maxLength: 2 },
);

const tiers: fc.Arbitrary<ScaledTier> = fc
  .record({
    minNodes: fc.integer({ min: 1, max: 3 }),
    moreNodes: fc.nat(9),
    target: fc.constantFrom(80, 80, 33.3, 7, 0.4),
    outTolerance: fc.constantFrom(0, 0.05, 0.1),
    inTolerance: fc.constantFrom(0, 0.1, 0.2),
    outPolicies: scalingPolicies,
    inPolicies: scalingPolicies,
    stabilizationWindowMs: fc.constantFrom('auto' as const, 0, 30_000, 300_000, 7_200_000),
    hasQueue: fc.boolean(),
  })
  .map(({ target, hasQueue, ...given }) => {
    const policy = policyOf({
      minNodes: given.minNodes,
      maxNodes: given.minNodes + given.moreNodes,
      requestRate: { targetPerNodeRps: target },
      scaleOut: { tolerance: given.outTolerance, policies: given.outPolicies },
      scaleIn: {
        tolerance: given.inTolerance,
        stabilizationWindowMs: given.stabilizationWindowMs,
        policies: given.inPolicies,
      },
    });
    const { queue: _, ...withoutQueue } = policy;
    return { ...webTier(), policy: hasQueue ? policy : withoutQueue };
  });

function sampleOf<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Sample<T>> {
  return fc.oneof(
    { arbitrary: value.map((one) => ok(one)), weight: 8 },
    {
      arbitrary: value.map((one) => ({ status: 'partial' as const, value: one, why: 'reload' })),
      weight: 1,
    },
    { arbitrary: fc.constant({ status: 'absent' as const, why: 'no answer' }), weight: 1 },
  );
}

const signals: fc.Arbitrary<Signals> = fc.record({
  requestRate: sampleOf(
    fc.oneof(
      fc.double({ min: 0, max: 1_200, noNaN: true }),
      fc.constantFrom(0, 80, 168, Number.NaN),
    ),
  ),
  queue: sampleOf(
    fc.record({
      requests: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(500)),
      servedRps: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1_200, noNaN: true })),
    }),
  ),
  slots: sampleOf(fc.record({ used: fc.nat(120), total: fc.nat(120) })),
});

const moments = fc.oneof(
  fc.integer({ min: 1, max: 120_000 }),
  fc.constantFrom(1_000, 60_000, 3_599_999, 3_600_000, 3_600_001, 9_000_000),
);

const overrides: fc.Arbitrary<readonly Override[]> = fc
  .array(
    fc
      .tuple(
        moments,
        fc.oneof(
          fc.record({
            kind: fc.constant('pause' as const),
            direction: fc.constantFrom('in', 'out', 'all'),
          }),
          fc.record({ kind: fc.constantFrom('hold', 'min'), nodes: fc.nat(14) }),
          fc.record({
            kind: fc.constantFrom('protect', 'drain'),
            number: fc.integer({ min: 1, max: 12 }),
            bornMs: fc.constantFrom(1_000, 2_000),
          }),
        ),
      )
      .map(([leftMs, word]) => ({ reason: 'test', ...word, untilMs: NOW_MS + leftMs })),
    { maxLength: 2 },
  )
  .map((given) => given.map((one, index) => ({ ...one, id: `o${index + 1}` })));

const schedules: fc.Arbitrary<readonly ScheduleSighting[]> = fc.array(
  fc
    .record(
      {
        minNodes: fc.integer({ min: 1, max: 14 }),
        maxNodes: fc.integer({ min: 3, max: 14 }),
        freeze: fc.constant('scale-in' as const),
        untilMs: moments.map((leftMs) => NOW_MS + leftMs),
        fromMs: moments.map((leftMs) => NOW_MS + 9_000_000 + leftMs),
      },
      { requiredKeys: [] },
    )
    .map((words) => ({ ...EACH_MORNING, ...words })),
  { maxLength: 2 },
);

const sightings: fc.Arbitrary<readonly NodeSighting[]> = fc
  .array(
    fc.constantFrom(
      'inService',
      'inService',
      'inService',
      'warming',
      'sick',
      'outOfRotation',
      'standby',
      'booting',
      'failed',
      'lost',
      'conflict',
      'ghost',
      'parked' as const,
    ),
    { maxLength: 12 },
  )
  .map((kinds) => kinds.map((kind, index) => seen[kind](index + 1)));

const memories: fc.Arbitrary<TierMemory> = fc.oneof(
  { arbitrary: fc.constant(EMPTY_MEMORY), weight: 1 },
  {
    arbitrary: fc.record({
      desiredNodes: fc.nat(13),
      knownSinceMs: fc.constantFrom(0, NOW_MS - 10_000, undefined),
      peaks: fc
        .array(fc.double({ min: 0, max: 14, noNaN: true }), { maxLength: 4 })
        .map((needs) =>
          needs
            .toSorted((one, other) => other - one)
            .map((needNodes, index) => ({ atMs: NOW_MS - 28_000 + index * 7_000, needNodes })),
        ),
      changes: fc
        .array(
          fc.integer({ min: -4, max: 4 }).filter((nodes) => nodes !== 0),
          { maxLength: 3 },
        )
        .map((changes) =>
          changes.map((nodes, index) => ({ atMs: NOW_MS - 50_000 + index * 23_000, nodes })),
        ),
    }),
    weight: 6,
  },
);

const hosts: fc.Arbitrary<readonly HostSighting[]> = fc
  .array(
    fc
      .record({
        reachable: fc.constantFrom(true, true, false),
        freeMemoryMiB: fc.constantFrom(-300, 0, 212, 1_200, 8_192),
        freeVcpus: fc.constantFrom(16, 16, 1, 0),
        freeDiskMiB: fc.constantFrom(65_536, 65_536, 100),
        startsInFlight: fc.nat(2),
        circuit: fc.constantFrom('closed', 'closed', 'half-open', 'open'),
      })
      .map((room) => hostOf('xen', room)),
    { maxLength: 3 },
  )
  .map((some) => some.map((host, index) => ({ ...host, name: `xen-${index}` })));

const surroundings: fc.Arbitrary<Partial<Observation>> = fc.record({
  hosts,
  oldWorkers: fc.constantFrom(false, false, true),
  circuit: fc.constantFrom('closed', 'closed', 'half-open', 'open'),
  fleetRoom: fc.constantFrom(100, 100, 2, 0, -1),
  concurrentBootsPerHost: fc.integer({ min: 1, max: 3 }),
  bootTimeMs: fc.constantFrom(undefined, 5_000, 60_000),
});

/** Ticks of a tier of up to 12 nodes in all kinds of weather. */
export const decidedTicks: fc.Arbitrary<DecidedTick> = fc
  .tuple(tiers, signals, sightings, memories, overrides, surroundings, schedules)
  .map(([tier, heard, nodes, memory, given, around, planned]) => {
    const seenThen = { ...around, signals: heard, nodes, overrides: given };
    const observation = observationOf({ ...seenThen, schedules: planned });
    return { tier, observation, memory, tick: tickTier(tier, 'full', observation, memory) };
  });
