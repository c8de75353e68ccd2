import { expect, test } from 'vitest';
import { findReservation } from '../../../src/cli/demo/summary.ts';

test('figures are to be believed while no more than one of a hundred requests was sent late', () => {
  const longestDelayMs = 2_345;
  expect(findReservation({ due: 0, late: 0, longestDelayMs: 0 })).toBeUndefined();
  expect(findReservation({ due: 1_000, late: 10, longestDelayMs })).toBeUndefined();
  expect(findReservation({ due: 1_000, late: 11, longestDelayMs })).toBe(
    'this machine was too busy, so do not believe the figures: 11 of 1000 requests were sent more than 0.1 s late, one of them 2.35 s',
  );
});
