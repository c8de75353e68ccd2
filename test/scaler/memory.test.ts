/** What one tick hands to the next stays sound, whatever is read, however long and however unevenly. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, decide, EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { Observation, QueueReading, Sample } from '../../src/scaler/observation.ts';
import { findNonFinite } from './finite.ts';
import { EMPTY_QUEUE, NOW_MS, observationOf, ok, seen, webTier } from './world.ts';

/** As long as it takes a site to have everything happen to it once. */
const TICKS = 200;
const MEMORY_MAX_BYTES = 20 * 1_024;

/** A sequence that breaks a rule is told as it was found: to shorten hundreds of ticks takes longer than a gate has. */
const AS_FOUND = { endOnFailure: true };

const tiers = fc
  .record({
    minNodes: fc.integer({ min: 1, max: 3 }),
    maxNodes: fc.constantFrom(3, 12, 32),
    targetPerNodeRps: fc.constantFrom(80, 0.4, 1e6),
    stabilizationWindowMs: fc.constantFrom('auto' as const, 'auto' as const, 0, 600_000),
    tolerance: fc.constantFrom(0, 0.1),
    standbyNodes: fc.constantFrom(0, 0, 2),
  })
  .map(({ targetPerNodeRps, stabilizationWindowMs, tolerance, standbyNodes, ...bounds }) =>
    webTier({
      ...bounds,
      requestRate: { targetPerNodeRps },
      scaleOut: { tolerance, policies: [] },
      scaleIn: { tolerance, stabilizationWindowMs, policies: [] },
      standby: { state: 'paused', nodes: standbyNodes },
    }),
  );

/** Two balancers that answer within a millisecond, a busy loop, a quiet one, one that was stopped for an hour. */
const spans = fc.constantFrom(0, 1, 250, 1_000, 1_000, 1_000, 1_020, 4_000, 3_600_000);

/** A counter of 64 bits that wraps is the most that anybody can read. */
const rates = fc.oneof(
  { arbitrary: fc.double({ min: 0, max: 4_000, noNaN: true }), weight: 8 },
  {
    arbitrary: fc.constantFrom(0, 0, 5e-324, 1.8e19, Number.NaN, -1, Number.POSITIVE_INFINITY),
    weight: 2,
  },
);
const queues = fc.oneof(
  { arbitrary: fc.constant({ requests: 0, servedRps: 100 }), weight: 4 },
  {
    arbitrary: fc.record({
      requests: fc.oneof(fc.nat(9_000), fc.constantFrom(1.8e19, Number.NaN, -1)),
      servedRps: rates,
    }),
    weight: 1,
  },
);

function sampleOf<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Sample<T>> {
  return fc.oneof(
    { arbitrary: value.map((one) => ok(one)), weight: 8 },
    {
      arbitrary: value.map((one) => ({ status: 'partial' as const, value: one, why: 'reload' })),
      weight: 1,
    },
    {
      arbitrary: value.map((one) => ({ status: 'stale' as const, value: one, ageMs: 9_000 })),
      weight: 1,
    },
    { arbitrary: fc.constant({ status: 'absent' as const, why: 'no answer' }), weight: 1 },
  );
}

interface Reading {
  readonly spanMs: number;
  readonly requestRate: Sample<number>;
  readonly queue: Sample<QueueReading>;
  readonly serving: number;
  readonly booting: number;
  readonly standby: number;
  readonly bootTimeMs: number | undefined;
}

const readings: fc.Arbitrary<Reading> = fc.record({
  spanMs: spans,
  requestRate: sampleOf(rates),
  queue: sampleOf(queues),
  serving: fc.nat(12),
  booting: fc.nat(3),
  standby: fc.nat(2),
  bootTimeMs: fc.constantFrom(undefined, 0, 2_000, 45_000, 45_000, 300_000),
});

function observe(atMs: number, reading: Reading): Observation {
  const { serving, booting, standby, requestRate, queue, bootTimeMs } = reading;
  const kinds = [
    ...Array.from({ length: serving }, () => seen.inService),
    ...Array.from({ length: booting }, () => seen.booting),
    ...Array.from({ length: standby }, () => seen.standby),
  ];
  return observationOf({
    atMs,
    bootTimeMs,
    signals: { requestRate, queue, slots: ok({ used: 3 * serving, total: 10 * serving }) },
    nodes: kinds.map((kind, index) => kind(index + 1)),
  });
}

type Tier = ReturnType<typeof webTier>;

/** Decides tick after tick, and shows each decision with the memory that it leaves. */
function decideAll(
  tier: Tier,
  given: readonly Reading[],
  look: (decision: Decision, memory: TierMemory, redo: () => unknown) => void,
): TierMemory {
  let atMs = NOW_MS;
  let memory = EMPTY_MEMORY;
  for (const reading of given) {
    atMs += reading.spanMs;
    const observation = observe(atMs, reading);
    const nodes = deriveNodes(tier, observation);
    const before = memory;
    const decided = decide(tier, observation, nodes, before);
    memory = decided.memory;
    look(decided.decision, memory, () => {
      const read = JSON.parse(JSON.stringify(before)) as TierMemory;
      return decide(tier, observation, nodes, read);
    });
  }
  return memory;
}

describe('whatever is read', () => {
  const sequences = fc.array(readings, { minLength: 1, maxLength: TICKS, size: 'max' });

  test('counts are whole and within bounds, no number is none, and what is unknown lets nobody go', () => {
    fc.assert(
      fc.property(tiers, sequences, (tier, given) => {
        const { minNodes, maxNodes } = tier.policy;
        decideAll(tier, given, (decision, memory) => {
          const { desiredNodes, currentNodes, signalsKnown } = decision;
          expect(Number.isInteger(desiredNodes)).toBe(true);
          // What is there may be outside of them, and what is unknown changes nothing.
          expect(desiredNodes).toBeGreaterThanOrEqual(Math.min(minNodes, currentNodes));
          expect(desiredNodes).toBeLessThanOrEqual(Math.max(maxNodes, currentNodes));
          expect(signalsKnown || desiredNodes >= Math.min(currentNodes, maxNodes)).toBe(true);
          expect(findNonFinite({ decision, memory })).toBeUndefined();
        });
      }),
      { numRuns: 60, ...AS_FOUND },
    );
  });

  test('a memory that was written and read again decides the same, and is never large', () => {
    fc.assert(
      fc.property(tiers, sequences, (tier, given) => {
        decideAll(tier, given, (decision, memory, redo) => {
          expect(redo()).toEqual({ decision, memory });
          expect(JSON.stringify(memory).length).toBeLessThan(MEMORY_MAX_BYTES);
        });
      }),
      { numRuns: 30, ...AS_FOUND },
    );
  });

  test('once readings are sound again, an hour of them leaves less than half a node of what was read before', () => {
    const calm = Array.from({ length: 3_600 }, (): Reading => {
      return {
        spanMs: 1_000,
        requestRate: ok(80 * 5 - 40),
        queue: EMPTY_QUEUE,
        serving: 5,
        booting: 0,
        standby: 0,
        bootTimeMs: 45_000,
      };
    });
    const tier = webTier({
      maxNodes: 32,
      scaleIn: { tolerance: 0, stabilizationWindowMs: 'auto', policies: [] },
    });
    const needAfter = (given: readonly Reading[]): number => {
      let needNodes = Number.NaN;
      decideAll(tier, [...given, ...calm], (decision) => {
        needNodes = decision.needNodes ?? Number.NaN;
      });
      return needNodes;
    };
    const freshNodes = needAfter([]);
    fc.assert(
      fc.property(sequences, (given) => {
        expect(Math.abs(needAfter(given) - freshNodes)).toBeLessThan(0.5);
      }),
      { numRuns: 6, ...AS_FOUND },
    );
  });
});

test('a load that falls for hours from a great storm is remembered in less than 20 KiB', () => {
  const tier = webTier({
    maxNodes: 32,
    scaleIn: { tolerance: 0, stabilizationWindowMs: 'auto', policies: [] },
  });
  const falling = Array.from({ length: 4 * 3_600 }, (_, tick): Reading => {
    const rps = 2_400 * Math.exp(-tick / 4_000);
    return {
      spanMs: 250,
      requestRate: ok(rps),
      queue: EMPTY_QUEUE,
      serving: Math.ceil(rps / 80),
      booting: 0,
      standby: 0,
      bootTimeMs: 300_000,
    };
  });
  let largest = 0;
  decideAll(tier, falling, (_, memory) => {
    largest = Math.max(largest, JSON.stringify(memory).length);
  });
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(MEMORY_MAX_BYTES);
});
