import { describe, expect, test } from 'vitest';
import {
  type BreakerState,
  CLOSED_BREAKER,
  circuitAt,
  recentFailures,
  recordFailure,
} from '../../src/scaler/breaker.ts';
import type { Circuit } from '../../src/scaler/observation.ts';

const POLICY = { failures: 3, windowMs: 600_000, openMs: 300_000 };

function after(failuresAtMs: readonly number[]): BreakerState {
  return failuresAtMs.reduce<BreakerState>(
    (state, atMs) => recordFailure(state, POLICY, atMs),
    CLOSED_BREAKER,
  );
}

describe('the arrows of the drawing', () => {
  test.each<[string, readonly number[], number, Circuit]>([
    ['no failure leaves it closed', [], 0, 'closed'],
    ['two of three leave it closed', [0, 1_000], 1_000, 'closed'],
    ['three within the window open it', [0, 1_000, 2_000], 2_000, 'open'],
    ['three, the first just within the window, open it', [1, 1_000, 600_000], 600_000, 'open'],
    ['three, the first exactly a window old, do not', [0, 1_000, 600_000], 600_000, 'closed'],
    ['it is open until its time is over', [0, 1_000, 2_000], 301_999, 'open'],
    ['then one may try', [0, 1_000, 2_000], 302_000, 'half-open'],
    ['a probe that fails opens it again', [0, 1_000, 2_000, 400_000], 400_000, 'open'],
    ['for the full time', [0, 1_000, 2_000, 400_000], 699_999, 'open'],
    [
      'a probe that fails after the window is enough by itself',
      [0, 1_000, 2_000, 9_000_000],
      9_000_000,
      'open',
    ],
    ['after which one may try again', [0, 1_000, 2_000, 9_000_000], 9_300_000, 'half-open'],
  ])('%s', (_, failuresAtMs, atMs, circuit) => {
    expect(circuitAt(after(failuresAtMs), POLICY, atMs)).toBe(circuit);
  });
});

test('it remembers no more failures than it needs', () => {
  expect(after([1, 2, 3, 4, 5, 6, 7]).failuresAtMs).toEqual([5, 6, 7]);
});

test('failures older than the window do not count', () => {
  expect(recentFailures(after([0, 400_000]), POLICY, 700_000)).toEqual([400_000]);
});
