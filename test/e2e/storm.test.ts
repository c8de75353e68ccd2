import { expect, test } from 'vitest';
import { DemoProcess } from './demo-process.ts';

test('the demo absorbs its storm without a failed request and goes back to the minimum', {
  timeout: 200_000,
}, async () => {
  const startedAtMs = performance.now();
  const demo = new DemoProcess();
  const summary = await demo.summary();

  expect(summary.failedRequests, demo.log()).toBe(0);
  expect(summary.totalRequests).toBeGreaterThan(40_000);
  expect(summary.peakNodes).toBeGreaterThanOrEqual(8);
  expect(summary.finalNodes).toBe(2);
  expect(summary.secondsToFirstNode).toBeLessThanOrEqual(5 + 3);
  expect(summary.secondsToCatchUp).toBeLessThanOrEqual(45);
  expect(summary.p99OnsetSeconds).toBeLessThanOrEqual(15);
  expect(summary.p99AfterSeconds).toBeLessThanOrEqual(0.5);
  expect(summary.leftovers).toBe(0);
  expect(demo.exitCode).toBe(0);
  expect(performance.now() - startedAtMs).toBeLessThanOrEqual(180_000);
});
