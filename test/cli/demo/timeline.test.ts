import { describe, expect, test } from 'vitest';
import { drawChart } from '../../../src/cli/demo/chart.ts';
import { measureStorm, type Moment } from '../../../src/cli/demo/timeline.ts';

/** [second, intended rps, nodes in service, queued] */
type Row = readonly [number, number, number, number];

function timelineOf(...rows: readonly Row[]): readonly Moment[] {
  return rows.map(([atSeconds, intendedRps, nodesInService, queued]) => {
    return { atSeconds, intendedRps, nodesInService, queued };
  });
}

describe('measureStorm', () => {
  test.each<[string, readonly Row[], ReturnType<typeof measureStorm>]>([
    [
      'a site that is never short has no onset; exactly what is rated is enough',
      [
        [0, 160, 2, 0],
        [1, 100, 2, 0],
      ],
      { onsetSeconds: undefined, secondsToFirstNode: undefined, secondsToCatchUp: undefined },
    ],
    [
      'the onset is the start of the second, and everything counts from there',
      [
        [5.9, 160, 2, 0],
        [6.4, 170, 2, 0],
        [13.5, 400, 3, 90],
        [20, 240, 3, 10],
        [21.5, 240, 3, 0],
      ],
      { onsetSeconds: 6, secondsToFirstNode: 7.5, secondsToCatchUp: 15.5 },
    ],
    [
      'a storm that ends before any node came is caught up with by its end',
      [
        [1, 170, 2, 4],
        [2, 150, 2, 1],
        [3, 150, 2, 0],
      ],
      { onsetSeconds: 1, secondsToFirstNode: undefined, secondsToCatchUp: 2 },
    ],
    [
      'what never happened is undefined',
      [
        [1, 170, 2, 4],
        [2, 170, 2, 9],
      ],
      { onsetSeconds: 1, secondsToFirstNode: undefined, secondsToCatchUp: undefined },
    ],
  ])('%s', (_, rows, figures) => {
    expect(measureStorm(timelineOf(...rows), 80)).toEqual(figures);
  });
});

describe('drawChart', () => {
  test('draws the rate over the capacity, both to one scale', () => {
    const lines = drawChart(timelineOf([0, 80, 1, 0], [50, 960, 1, 0], [100, 80, 12, 0]), 80).split(
      '\n',
    );

    expect(lines[0]).toMatch(/^ {3}960 ┤ +•+█$/);
    expect(lines[11]).toMatch(/^ {7}┤•+█+•$/);
    expect(lines.join('')).toContain('100 s');
  });

  test('draws nothing of nothing', () => {
    expect(drawChart([], 80)).toBe('');
  });
});
