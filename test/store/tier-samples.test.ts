import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Observation } from '../../src/scaler/observation.ts';
import { DamagedJournalError } from '../../src/store/problems.ts';
import {
  SAMPLE_STATUSES,
  SampleChunk,
  type SampleColumns,
  SampleReader,
  sampleRow,
} from '../../src/store/tier-samples.ts';
import { ok, seen, settledAt } from '../scaler/world.ts';
import { tickOf, WALL_MS } from './rig.ts';

const ALWAYS = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

const STATUSES = ['ok', 'partial', 'stale', 'absent'] as const;

interface Given {
  readonly gapMs: number;
  readonly rps: number;
  readonly rateStatus: (typeof STATUSES)[number];
  readonly requests: number;
  readonly servedRps: number;
  readonly queueStatus: (typeof STATUSES)[number];
  readonly used: number;
  readonly slots: boolean;
  readonly desiredNodes: number;
}

const amounts = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.integer({ min: 0, max: 500 }),
  fc.constantFrom(0, -0, 0.005, 1e15, Number.NaN, Number.POSITIVE_INFINITY, -3),
);

const given: fc.Arbitrary<Given> = fc.record({
  gapMs: fc.oneof(fc.integer({ min: 900, max: 1_100 }), fc.integer({ min: 0, max: 5_000 })),
  rps: amounts,
  rateStatus: fc.constantFrom(...STATUSES),
  requests: fc.nat(100_000),
  servedRps: amounts,
  queueStatus: fc.constantFrom(...STATUSES),
  used: fc.nat(10_000),
  slots: fc.boolean(),
  desiredNodes: fc.integer({ min: 1, max: 12 }),
});

function sampleOf<T>(status: Given['rateStatus'], value: T) {
  switch (status) {
    case 'ok':
      return { status, value };
    case 'partial':
      return { status, value, why: 'reload' };
    case 'stale':
      return { status, value, ageMs: 4_000 };
    case 'absent':
      return { status, why: 'no answer' };
  }
}

function observed(one: Given): Partial<Observation> {
  return {
    signals: {
      requestRate: sampleOf(one.rateStatus, one.rps),
      queue: sampleOf(one.queueStatus, { requests: one.requests, servedRps: one.servedRps }),
      slots: one.slots ? ok({ used: one.used, total: 40 }) : { status: 'absent', why: 'none' },
    },
    nodes: [seen.inService(1), seen.inService(2), seen.warming(3), seen.failed(4)],
  };
}

function read(chunks: readonly SampleChunk[], range = ALWAYS): SampleColumns {
  const count = chunks.reduce((total, chunk) => total + chunk.count, 0);
  const reader = new SampleReader(count, range);
  for (const chunk of chunks) {
    reader.add(chunk.pack().bytes);
  }
  return reader.columns();
}

/** Nothing real comes near; what is larger is kept as this. */
const LARGEST = 2 ** 51 / 100;

/** What a number is kept as: not at all, or to a hundredth. */
function expectKept(kept: number | undefined, real: number, isHeard: boolean): void {
  const value = Math.min(LARGEST, real);
  if (isHeard && Number.isFinite(real)) {
    // Half a hundredth, and what the halving itself loses of large numbers.
    expect(Math.abs((kept ?? Number.NaN) - value)).toBeLessThanOrEqual(0.005_001 + value * 1e-15);
  } else {
    expect(kept).toBeNaN();
  }
}

describe('samples', () => {
  test('come back as they were, rates and needs to a hundredth, the rest exactly', () => {
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: 40 }), (all) => {
        const chunk = new SampleChunk();
        const times: number[] = [];
        const ticks = all.map((one) => {
          times.push((times.at(-1) ?? WALL_MS) + one.gapMs);
          const ticked = tickOf(observed(one), settledAt(one.desiredNodes));
          expect(chunk.add(sampleRow(ticked, times.at(-1) ?? 0))).toBe(true);
          return ticked;
        });

        const columns = read([chunk]);

        expect([...columns.atMs]).toEqual(times);
        all.forEach((one, at) => {
          const { decision } = ticks[at]!.tick;
          const rateHeard = one.rateStatus !== 'absent' && Number.isFinite(one.rps);
          const queueHeard = one.queueStatus !== 'absent' && Number.isFinite(one.servedRps);
          expectKept(columns.requestRps[at], one.rps, rateHeard);
          expectKept(columns.servedRps[at], one.servedRps, queueHeard);
          expectKept(columns.needNodes[at], decision.needNodes ?? Number.NaN, true);
          expect(columns.waitingRequests[at]).toBe(queueHeard ? one.requests : Number.NaN);
          expect(columns.usedSlots[at]).toBe(one.slots ? one.used : Number.NaN);
          expect(columns.totalSlots[at]).toBe(one.slots ? 40 : Number.NaN);
          expect(columns.desiredNodes[at]).toBe(decision.desiredNodes);
          expect([
            columns.inServiceNodes[at],
            columns.comingNodes[at],
            columns.otherNodes[at],
          ]).toEqual([2, 1, 1]);
          expect(SAMPLE_STATUSES[columns.rateStatus[at]!]).toBe(
            rateHeard ? one.rateStatus : 'absent',
          );
          expect(SAMPLE_STATUSES[columns.queueStatus[at]!]).toBe(
            queueHeard ? one.queueStatus : 'absent',
          );
        });
      }),
      { numRuns: 300 },
    );
  });

  test('of several chunks follow one another, without those outside of the time asked for', () => {
    const chunks = [new SampleChunk(), new SampleChunk()];
    for (const second of Array.from({ length: 20 }, (_, index) => index)) {
      chunks[second < 10 ? 0 : 1]?.add(sampleRow(tickOf(), WALL_MS + second * 1_000));
    }

    const columns = read(chunks, { fromMs: WALL_MS + 8_000, untilMs: WALL_MS + 11_000 });

    const seconds = [...columns.atMs].map((atMs) => (atMs - WALL_MS) / 1_000);
    expect(seconds).toEqual([8, 9, 10, 11]);
    expect([...columns.requestRps]).toEqual([160, 160, 160, 160]);
    expect(columns.rateStatus).toHaveLength(4);
  });

  test.each([
    ['after four minutes', 240, (second: number) => WALL_MS + second * 1_000],
    ['after a pause', 3, (second: number) => WALL_MS + second * 1_000 + (second < 3 ? 0 : 4_001)],
    ['when the clock was set back', 3, (second: number) => WALL_MS + (second < 3 ? second : 1)],
  ])('begin a new chunk %s', (_situation, fits, timeOf) => {
    const chunk = new SampleChunk();
    let second = 0;
    while (chunk.add(sampleRow(tickOf(), timeOf(second)))) {
      second += 1;
    }

    expect(chunk.count).toBe(fits);
    expect(second).toBe(fits);
  });

  test('of traffic with noise cost less than five bytes a second', () => {
    const chunk = new SampleChunk();
    for (let second = 0; second < 240; second += 1) {
      // Whatever repeats only after long looks like chance to whoever compresses it.
      const arrivals = 450 + ((second * second * 7_919) % 61);
      const rps = (arrivals * 1_000) / (1_000 + ((second * 37) % 17));
      const ticked = tickOf({
        signals: {
          requestRate: ok(rps),
          queue: ok({ requests: 0, servedRps: rps + (second % 3) }),
          slots: ok({ used: 20 + (arrivals % 7), total: 60 }),
        },
      });
      chunk.add(sampleRow(ticked, WALL_MS + second * 1_000 + ((second * 13) % 5)));
    }

    expect(chunk.pack().bytes.length / 240).toBeLessThan(5);
  });

  test('whose bytes are not those that were written are refused', () => {
    const chunk = new SampleChunk();
    chunk.add(sampleRow(tickOf(), WALL_MS));
    const { bytes } = chunk.pack();

    for (const at of bytes.keys()) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 4;

      expect(() => new SampleReader(1, ALWAYS).add(damaged)).toThrow(DamagedJournalError);
    }
  });
});
