import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { DemoResult } from '../../../src/cli/demo/summary.ts';

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
    standstillSeconds: 0,
    leftovers: 0,
  },
  ok: true,
  timeline: [],
  ratedPerNodeRps: 80,
  leftovers: [],
  keptFolder: undefined,
};

async function lastTold(isJson: boolean, standstillSeconds: number): Promise<string | undefined> {
  const module = new URL('../../../src/cli/demo/summary.ts', import.meta.url).href;
  const result = { ...RESULT, summary: { ...RESULT.summary, standstillSeconds } };
  const program = `
    import { tellResult } from ${JSON.stringify(module)};
    tellResult({ ...${JSON.stringify(result)}, failures: new Map() }, ${isJson});
  `;
  const args = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trimEnd().split('\n').at(-1);
}

test('that the machine stood still is said to a person last, unless it was less than a tenth of a second', async () => {
  expect(await lastTold(false, 2.345)).toBe(
    'this machine stood still for 2.35 s in all: the figures leave that out, and are too good if only this demo did',
  );
  expect(await lastTold(false, 0.1)).toMatch(/^this machine stood still for 0.10 s/);
  expect(await lastTold(false, 0.099)).toBe('leftovers           0');
});

test('to a script it is one figure of the object on the last line', async () => {
  const { summary } = RESULT;
  expect(JSON.parse((await lastTold(true, 2.345)) ?? '')).toEqual({
    ...summary,
    standstillSeconds: 2.345,
  });
});
