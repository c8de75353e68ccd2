import { describe, expect, test } from 'vitest';
import type { Outlook } from '../../src/scaler/foresee.ts';
import { type Peak, pushPeak, windowOf } from '../../src/scaler/stabilize.ts';

const WINDOW_MS = 30_000;

function highestAfter(needs: readonly (readonly [seconds: number, needNodes: number])[]): number {
  let peaks: readonly Peak[] = [];
  for (const [seconds, needNodes] of needs) {
    peaks = pushPeak(peaks, { atMs: seconds * 1_000, needNodes }, WINDOW_MS);
  }
  return peaks[0]!.needNodes;
}

describe('pushPeak', () => {
  test.each<[string, readonly (readonly [number, number])[], number]>([
    ['the first need is the highest', [[0, 5]], 5],
    [
      'a quiet sample does not lower it',
      [
        [0, 5],
        [1, 2],
      ],
      5,
    ],
    [
      'a higher one raises it at once',
      [
        [0, 5],
        [1, 9],
      ],
      9,
    ],
    [
      'just before the window ends the old one still counts',
      [
        [0, 5],
        [29.999, 2],
      ],
      5,
    ],
    [
      'exactly a window later it does not: without the window it would be 2 at once',
      [
        [0, 5],
        [30, 2],
      ],
      2,
    ],
    [
      'the second highest takes over when the highest leaves',
      [
        [0, 9],
        [10, 5],
        [20, 2],
        [35, 1],
      ],
      5,
    ],
    [
      'an equal need renews itself',
      [
        [0, 5],
        [20, 5],
        [40, 1],
      ],
      5,
    ],
  ])('%s', (_, needs, highest) => {
    expect(highestAfter(needs)).toBe(highest);
  });

  test('keeps only what can still become the highest', () => {
    let peaks: readonly Peak[] = [];
    for (let second = 0; second < 1_000; second += 1) {
      peaks = pushPeak(peaks, { atMs: second * 1_000, needNodes: second % 3 }, WINDOW_MS);
    }

    expect(peaks.length).toBeLessThanOrEqual(3);
  });

  test('a load that falls for long is remembered in 65 needs, and none of them is let go too early', () => {
    const windowMs = 600_000;
    let peaks: readonly Peak[] = [];
    for (let atMs = 0; atMs <= 1_200_000; atMs += 250) {
      peaks = pushPeak(peaks, { atMs, needNodes: 1e6 - atMs }, windowMs);
      const exact = 1e6 - Math.max(0, atMs - windowMs + 250);
      expect(peaks[0]!.needNodes).toBeGreaterThanOrEqual(exact);
      expect(peaks[0]!.needNodes).toBeLessThanOrEqual(exact + windowMs / 64);
      expect(peaks.length).toBeLessThanOrEqual(65);
    }
  });
});

describe('windowOf', () => {
  const outlook = { holdMs: 20_000 };
  type Foreseen = Pick<Outlook, 'holdMs'> | undefined;
  test.each<[string, number | 'auto', Foreseen, number | undefined, number]>([
    ['a configured one is taken as it is', 5_000, outlook, 90_000, 5_000],
    ['zero is a window', 0, outlook, 90_000, 0],
    ['auto is what the outlook holds for', 'auto', outlook, 90_000, 20_000],
    ['auto is 30 s before the first boot', 'auto', undefined, undefined, 30_000],
    ['auto is 30 s while boots are quick', 'auto', undefined, 4_000, 30_000],
    ['auto is the boot time once that is longer', 'auto', undefined, 45_000, 45_000],
  ])('%s', (_, configured, foreseen, bootTimeMs, windowMs) => {
    expect(windowOf(configured, foreseen, bootTimeMs)).toBe(windowMs);
  });
});
