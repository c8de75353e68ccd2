import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { createAwakeClock } from '../../src/embedded/awake-clock.ts';
import { startLoad } from '../../src/embedded/load-generator.ts';
import { TestClock } from '../control/test-clock.ts';

test.each([
  { gapsMs: [50, 100, 7], passedMs: 157, standstillMs: 0 },
  { gapsMs: [50, 101, 7], passedMs: 157, standstillMs: 1 },
  { gapsMs: [2_000], passedMs: 100, standstillMs: 1_900 },
  { gapsMs: [2_000, 50, 600], passedMs: 250, standstillMs: 2_400 },
])('looks after $gapsMs ms see $passedMs ms pass', async ({ gapsMs, passedMs, standstillMs }) => {
  const clock = new TestClock();
  const awake = createAwakeClock(clock);
  const startedAtMs = awake.steadyMs();
  for (const ms of gapsMs) {
    await clock.step(ms);
    awake.steadyMs();
  }
  expect([awake.steadyMs() - startedAtMs, awake.standstillMs]).toEqual([passedMs, standstillMs]);
});

test('a load is not charged for what its own process stood still, but for all that its site did', async () => {
  const server = createServer((_, response) => {
    setTimeout(() => response.end(), 700);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;

  const { signal } = new AbortController();
  const url = `http://127.0.0.1:${port}/`;
  const run = startLoad({ url, rateAt: () => 200, durationMs: 400, seed: 1, signal });
  const startedAtMs = performance.now();
  while (performance.now() < startedAtMs + 2_000) {
    Math.sqrt(2);
  }
  await run.done;
  server.close();

  expect(run.ok).toBe(run.due);
  const { latencyMs } = run.latencies;
  expect(Math.min(...latencyMs)).toBeGreaterThanOrEqual(699);
  // Had the two seconds counted, even the last request, meant for 0.4 s, would have been sent 1.6 s late.
  expect(Math.min(...latencyMs)).toBeLessThan(2_000);
});
