import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLatencyRecord } from '../../src/embedded/latency-record.ts';

describe('percentile', () => {
  const record = createLatencyRecord();
  for (let index = 0; index < 5_000; index += 1) {
    const place = record.add(index);
    // Every tenth has failed; before 2,500 ms each takes 10 ms, from then on 500 ms.
    if (index % 10 !== 0) {
      record.succeed(place, index < 2_500 ? 10 : 500);
    }
  }

  test.each([
    { fromMs: 0, toMs: 2_500, share: 0.99, latencyMs: 10 },
    { fromMs: 0, toMs: 2_502, share: 1, latencyMs: 500 },
    { fromMs: 2_500, toMs: 5_000, share: 0.01, latencyMs: 500 },
    { fromMs: 0, toMs: 5_000, share: 0.5, latencyMs: 10 },
    { fromMs: 0, toMs: 5_000, share: 0.51, latencyMs: 500 },
    { fromMs: 20, toMs: 21, share: 0.5, latencyMs: undefined },
    { fromMs: 9_000, toMs: 9_999, share: 0.5, latencyMs: undefined },
  ])('$share of [$fromMs, $toMs) is $latencyMs', ({ fromMs, toMs, share, latencyMs }) => {
    expect(record.percentile(fromMs, toMs, share)).toBe(latencyMs);
  });

  test('is the smallest latency that so many do not exceed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (latenciesMs, share) => {
          const one = createLatencyRecord();
          for (const [atMs, latencyMs] of latenciesMs.entries()) {
            one.succeed(one.add(atMs), latencyMs);
          }
          const found = one.percentile(0, latenciesMs.length, share)!;
          const notAbove = latenciesMs.filter((latencyMs) => latencyMs <= found).length;
          const below = latenciesMs.filter((latencyMs) => latencyMs < found).length;
          expect(notAbove).toBeGreaterThanOrEqual(share * latenciesMs.length - 1e-9);
          expect(below).toBeLessThan(share * latenciesMs.length);
        },
      ),
    );
  });
});
