import { expect, test } from 'vitest';
import { BackendMeter } from '../../../src/balancer/haproxy/reports.ts';

/** What a meter reports of these readings, one a second: `[epoch, 5xx since the worker began, answers]`. */
function meter(readings: readonly (readonly [string, number, number])[]) {
  const backend = new BackendMeter();
  return readings.map(([epoch, failedTotal, answersTotal], index) =>
    backend.report(
      {
        stats: {
          queued: 0,
          arrivalsTotal: answersTotal,
          answersTotal,
          failedTotal,
          responseTimeMs: 40,
          servers: new Map(),
        },
        states: new Map(),
        restored: new Set(),
      },
      epoch,
      index * 1_000,
    ),
  );
}

test.each([
  ['what failed before the first reading is not ours', [['1', 7, 9]], [0]],
  [
    'growth counts',
    [
      ['1', 7, 9],
      ['1', 9, 20],
      ['1', 9, 21],
    ],
    [0, 2, 2],
  ],
  [
    'a worker after a reload counts from 0',
    [
      ['1', 7, 9],
      ['1', 9, 9],
      ['2', 3, 5],
    ],
    [0, 2, 5],
  ],
  [
    'also when it has failed more often than the one before',
    [
      ['1', 2, 9],
      ['2', 5, 9],
    ],
    [0, 5],
  ],
  [
    'so do counters that somebody has cleared',
    [
      ['1', 7, 9],
      ['1', 1, 9],
      ['1', 2, 9],
    ],
    [0, 1, 2],
  ],
] as const)('failed answers: %s', (_, readings, expected) => {
  expect(meter(readings).map(({ failedResponses }) => failedResponses)).toEqual(expected);
});

test('a worker that has answered nobody has no response time, rather than 0', () => {
  const times = meter([
    ['1', 0, 0],
    ['1', 0, 3],
  ]).map(({ responseTimeMs }) => responseTimeMs);
  expect(times).toEqual([undefined, 40]);
});
