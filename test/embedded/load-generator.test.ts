import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import { drawArrivals } from '../../src/embedded/arrivals.ts';
import { type LoadOptions, type LoadRun, startLoad } from '../../src/embedded/load-generator.ts';
import { until } from '../balancer/site.ts';
import { TestClock } from '../control/test-clock.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function site(
  listener: RequestListener,
): Promise<{ server: Server; url: string; connections: () => number }> {
  const server = createServer(listener);
  servers.push(server);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { server, url: `http://127.0.0.1:${port}/`, connections: () => connections };
}

function load(url: string, change: Partial<LoadOptions> = {}): LoadRun {
  return startLoad({
    url,
    rateAt: () => 200,
    durationMs: 500,
    seed: 1,
    signal: new AbortController().signal,
    ...change,
  });
}

/** Lets time pass, each millisecond when all that was sent before it has been answered. */
async function pass(clock: TestClock, run: LoadRun, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1) {
    await clock.step(1);
    await until(
      () => run.inFlight,
      (count) => count === 0,
    );
  }
}

function expectWhole(run: LoadRun): void {
  expect(run.ok + run.failed + run.cancelled).toBe(run.due);
  expect(run.inFlight).toBe(0);
  expect(run.latencies.length).toBe(run.due);
  const failures = [...run.failures.values()].reduce((sum, group) => sum + group.count, 0);
  expect(failures).toBe(run.failed);
}

describe('a load', () => {
  test('sends each drawn request once, over few connections', async () => {
    let served = 0;
    const { url, connections } = await site((_, response) => {
      served += 1;
      response.end('ok');
    });
    const clock = new TestClock();

    const run = load(url, { clock });
    expect(run.intendedRps).toBe(200);
    await pass(clock, run, 550);
    await run.done;

    const drawn = [...drawArrivals(() => 200, 500, 1)];
    expect(run).toMatchObject({ due: drawn.length, sent: drawn.length, ok: drawn.length });
    expect([...run.latencies.intendedMs]).toEqual(drawn);
    expect(served).toBe(drawn.length);
    expect(connections()).toBeLessThan(drawn.length / 2);
    expect(run.intendedRps).toBe(0);
    expectWhole(run);
  });

  test('does not wait for answers: all requests are under way before the first answer', async () => {
    const release = Promise.withResolvers<void>();
    let asked = 0;
    const expected = [...drawArrivals(() => 200, 500, 1)].length;
    const { url } = await site((_, response) => {
      asked += 1;
      void release.promise.then(() => response.end());
    });
    const clock = new TestClock();

    const run = load(url, { clock });
    await clock.step(500);
    await until(
      () => asked,
      (count) => count === expected,
    );
    expect(run).toMatchObject({ inFlight: expected, ok: 0 });
    release.resolve();
    await pass(clock, run, 50);
    await run.done;

    expect(run.ok).toBe(expected);
    // Each latency counts from the instant it was meant for: the first waited for the last.
    const lastMs = run.latencies.intendedMs.at(-1) ?? 0;
    const firstMs = run.latencies.intendedMs[0] ?? 0;
    expect(run.latencies.latencyMs[0]).toBeGreaterThanOrEqual(lastMs - firstMs);
    expect(run.latencies.percentile(0, lastMs / 2, 0.5)).toBeGreaterThan(
      run.latencies.percentile(lastMs / 2, 501, 0.5) ?? Number.POSITIVE_INFINITY,
    );
  });

  test('charges its own lateness to the requests, and gives up those that are past their limit', async () => {
    const { url } = await site((_, response) => response.end());
    const run = load(url, { durationMs: 400, timeoutMs: 200, clock: createSystemClock() });

    // The event loop stands still, as on a starved machine, from the start until 400 ms are over; this clock goes on.
    const startedAtMs = performance.now();
    while (performance.now() < startedAtMs + 400) {
      Math.sqrt(2);
    }
    await run.done;

    const intendedMs = [...run.latencies.intendedMs];
    const given = run.failures.get('not-sent')?.count ?? 0;
    expect(given).toBeGreaterThanOrEqual(intendedMs.filter((atMs) => atMs < 200).length);
    expect(run.due).toBe([...drawArrivals(() => 200, 400, 1)].length);
    for (const [place, atMs] of intendedMs.entries()) {
      const latencyMs = run.latencies.latencyMs[place] ?? Number.NaN;
      expect(Number.isNaN(latencyMs) || latencyMs >= 400 - atMs).toBe(true);
    }
    expectWhole(run);
  });

  test.each([301, 404, 500, 503])('counts a %d as failed, by its status', async (status) => {
    const { url } = await site((_, response) => response.writeHead(status).end('no'));
    const run = load(url, { durationMs: 100 });
    await run.done;

    expect(run.ok).toBe(0);
    expect(run.failures.get('status')).toMatchObject({ count: run.due });
    expect(run.failures.get('status')?.samples[0]?.message).toContain(`${status} `);
    expect(run.latencies.percentile(0, 1_000, 0.99)).toBeUndefined();
    expectWhole(run);
  });

  test('counts a connection that is reset as failed and never sends the request again', async () => {
    let asked = 0;
    const { url } = await site((request, response) => {
      asked += 1;
      if (asked % 2 === 0) {
        request.socket.resetAndDestroy();
      } else {
        response.end();
      }
    });
    const run = load(url);
    await run.done;

    expect(asked).toBe(run.due);
    expect(run.failures.get('connection')?.count).toBe(Math.floor(asked / 2));
    expect(run.failures.get('connection')?.samples[0]?.message).toContain('ECONNRESET');
    expect(run.failures.get('connection')?.samples.length).toBeLessThanOrEqual(20);
    expectWhole(run);
  });

  test('counts an answer that breaks off in its body as failed', async () => {
    const { url } = await site((request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => request.socket.destroy());
    });
    const run = load(url, { durationMs: 100 });
    await run.done;

    expect(run.failures.get('connection')?.count).toBe(run.due);
    expectWhole(run);
  });

  test('counts a server that is not there as failed', async () => {
    const { server, url } = await site((_, response) => response.end());
    server.close();
    await once(server, 'close');
    const run = load(url, { durationMs: 100 });
    await run.done;

    expect(run.failures.get('connection')?.count).toBe(run.due);
    expect(run.failures.get('connection')?.samples[0]?.message).toContain('ECONNREFUSED');
    expectWhole(run);
  });

  test('counts an answer after the limit as failed, and waits no longer for it', async () => {
    const { url } = await site(() => {});
    const clock = new TestClock();
    const run = load(url, { clock, durationMs: 200, timeoutMs: 300 });
    await clock.step(600);
    await run.done;

    expect(run.failures.get('timeout')?.count).toBe(run.due);
    expectWhole(run);
  });

  test('waits for stragglers within the limit', async () => {
    const { url } = await site((_, response) => setTimeout(() => response.end(), 600));
    const run = load(url, { durationMs: 100 });
    await run.done;

    expect(run.ok).toBe(run.due);
    expect(run.latencies.percentile(0, 100, 0.01)).toBeGreaterThanOrEqual(599);
  });

  test('counts what it has no socket for as not sent', async () => {
    const release = Promise.withResolvers<void>();
    const { url } = await site((_, response) => {
      void release.promise.then(() => response.end());
    });
    const expected = [...drawArrivals(() => 200, 500, 1)].length;
    const run = load(url, { maxOpenSockets: 5 });
    await until(
      () => run.due,
      (count) => count === expected,
    );
    release.resolve();
    await run.done;

    expect(run).toMatchObject({ sent: 5, ok: 5, failed: run.due - 5 });
    expect(run.failures.get('not-sent')?.count).toBe(run.due - 5);
    expectWhole(run);
  });

  test('respects Connection: close, without a failure', async () => {
    const { url, connections } = await site((_, response) => {
      response.setHeader('connection', 'close').end('bye');
    });
    const run = load(url);
    await run.done;

    expect(run.ok).toBe(run.due);
    expect(connections()).toBe(run.due);
  });

  test('drops a socket that nobody uses before the server would, and then opens another', async () => {
    const { server, url, connections } = await site((_, response) => response.end());
    server.keepAliveTimeout = 60_000;
    let open = 0;
    server.on('connection', (socket) => {
      open += 1;
      socket.on('close', () => {
        open -= 1;
      });
    });
    const clock = new TestClock();
    // Two bursts with a pause between them.
    const run = load(url, {
      clock,
      rateAt: (seconds) => (seconds < 0.1 || seconds >= 0.9 ? 200 : 0),
      durationMs: 1_000,
      idleSocketMs: 200,
    });
    await pass(clock, run, 100);
    await until(
      () => open,
      (count) => count === 0,
    );
    const before = connections();
    await pass(clock, run, 950);
    await run.done;

    expect(run.ok).toBe(run.due);
    expect(before).toBeGreaterThan(0);
    expect(connections()).toBeGreaterThan(before);
  });

  test('ends at once when it is aborted; what is under way is cancelled, not failed', async () => {
    const abort = new AbortController();
    let asked = 0;
    const { url } = await site(() => {
      asked += 1;
      if (asked === 20) {
        abort.abort();
      }
    });
    const run = load(url, { durationMs: 60_000, signal: abort.signal });
    await run.done;

    expect(run.failed).toBe(0);
    expect(run.cancelled).toBe(run.due);
    expect(run.due).toBeGreaterThanOrEqual(20);
    expectWhole(run);
  });

  test('shows the answers of the last whole second', async () => {
    const { url } = await site((_, response) => response.end());
    const clock = new TestClock();
    const run = load(url, { clock, durationMs: 1_300 });
    await pass(clock, run, 1_350);
    await run.done;

    // Each is sent with the next whole millisecond, and answered before another one begins.
    const inFirstSecond = run.latencies.intendedMs.filter((atMs) => atMs <= 999).length;
    expect(run.lastSecond.answers).toBe(inFirstSecond);
    expect(run.lastSecond.answers).toBeLessThan(run.due);
    expect(run.lastSecond.p99Ms).toBeGreaterThanOrEqual(run.lastSecond.p50Ms ?? Number.NaN);
  });

  test('says what is wrong with the curve', async () => {
    const { url } = await site((_, response) => response.end());
    const run = load(url, { rateAt: (seconds) => (seconds < 0.05 ? 100 : Number.NaN) });

    await expect(run.done).rejects.toThrow(RangeError);
    expect(run.inFlight).toBe(0);
  });

  test('refuses an address that it cannot ask', () => {
    expect(() => load('https://127.0.0.1/')).toThrow('http:');
  });
});
