import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type DemoResult, findReservation } from '../../../src/cli/demo/summary.ts';

const RESULT: Omit<DemoResult, 'failures'> = {
  summary: {
    failedRequests: 0,
    totalRequests: 1_000,
    peakNodes: 2,
    finalNodes: 2,
    secondsToFirstNode: null,
    secondsToCatchUp: null,
    p99OnsetSeconds: null,
    p99AfterSeconds: null,
    leftovers: 0,
  },
  ok: true,
  timeline: [],
  ratedPerNodeRps: 80,
  leftovers: [],
  reservation: 'this machine was too busy',
  keptFolder: undefined,
};

/** The last two lines, both streams read as one. */
async function lastTold(isJson: boolean): Promise<readonly string[]> {
  const module = new URL('../../../src/cli/demo/summary.ts', import.meta.url).href;
  const program = `
    import { tellResult } from ${JSON.stringify(module)};
    tellResult({ ...${JSON.stringify(RESULT)}, failures: new Map() }, ${isJson});
  `;
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'exec "$0" --input-type=module --eval "$1" 2>&1',
    process.execPath,
    program,
  ]);
  return stdout.trimEnd().split('\n').slice(-2);
}

test('figures are to be believed while no more than one of a hundred requests was sent late', () => {
  const longestDelayMs = 2_345;
  expect(findReservation({ due: 0, late: 0, longestDelayMs: 0 })).toBeUndefined();
  expect(findReservation({ due: 1_000, late: 10, longestDelayMs })).toBeUndefined();
  expect(findReservation({ due: 1_000, late: 11, longestDelayMs })).toBe(
    'this machine was too busy, so do not believe the figures: 11 of 1000 requests were sent more than 0.1 s late, one of them 2.35 s',
  );
});

test('that the machine was too busy is said to a person last, and to a script before the object', async () => {
  expect(await lastTold(false)).toEqual(['leftovers           0', RESULT.reservation]);
  expect(await lastTold(true)).toEqual([RESULT.reservation, JSON.stringify(RESULT.summary)]);
});
