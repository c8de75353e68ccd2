import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createEmbeddedHypervisor,
  type EmbeddedHypervisorOptions,
} from '../../src/embedded/hypervisor.ts';
import {
  bootOrder,
  get,
  hostOptions,
  killAll,
  never,
  nodesOf,
  soon,
  untilAnswers,
} from './test-host.ts';

const used: EmbeddedHypervisorOptions[] = [];

afterEach(() => {
  for (const options of used.splice(0)) {
    killAll(options);
  }
});

async function boot(
  behavior: Partial<EmbeddedHypervisorOptions['behavior']>,
): Promise<{ options: EmbeddedHypervisorOptions; order: ReturnType<typeof bootOrder> }> {
  const options = hostOptions({
    behavior: { bootDelayMs: 0, serviceTimeMs: 20, slots: 10, ...behavior },
  });
  used.push(options);
  const order = bootOrder('news-web-1');
  await createEmbeddedHypervisor(options).create(order, never);
  return { options, order };
}

describe('a node', () => {
  test('does not listen before its boot delay is over, and then answers', async () => {
    const startMs = performance.now();
    const { order } = await boot({ bootDelayMs: 3_000 });

    await expect(get(order, '/health')).rejects.toThrow('ECONNREFUSED');
    const answer = await untilAnswers(order);

    expect(answer).toMatchObject({ status: 200, node: 'news-web-1' });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(2_990);
  });

  test('holds a request for its service time', async () => {
    const { order } = await boot({ serviceTimeMs: 150 });
    await untilAnswers(order);

    const answer = await get(order, '/page');

    expect(answer).toMatchObject({ status: 200, node: 'news-web-1' });
    expect(answer.tookMs).toBeGreaterThanOrEqual(149);
  });

  test('saturates at slots per service time: of 30 requests at once ten are answered after each 1.5 s', async () => {
    const { order } = await boot({ serviceTimeMs: 1_500, slots: 10 });
    await untilAnswers(order);

    const startMs = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const { status } = await get(order, '/');
        return { status, atMs: performance.now() - startMs };
      }),
    );

    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const endsMs = answers.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    // None of a round comes before the one before it is through: that would take another slot.
    expect(endsMs[0]).toBeGreaterThan(1_490);
    expect(endsMs[10]).toBeGreaterThan(2_990);
    expect(endsMs[20]).toBeGreaterThan(4_490);
    // With a slot less the last of each round would come with the next one.
    expect(endsMs[9]).toBeLessThan(2_990);
    expect(endsMs[19]).toBeLessThan(4_490);
  });

  test('answers health checks at once while every slot is taken', async () => {
    const { order } = await boot({ serviceTimeMs: 2_000, slots: 1 });
    await untilAnswers(order);

    let isServed = false;
    const page = get(order, '/').finally(() => {
      isServed = true;
    });
    const health = await get(order, '/health');

    expect(health.status).toBe(200);
    expect(isServed).toBe(false);
    expect((await page).status).toBe(200);
  });

  test('with the fault health-takes-slot answers health checks in their turn', async () => {
    const { order } = await boot({ serviceTimeMs: 300, slots: 1, fault: 'health-takes-slot' });
    await untilAnswers(order);

    const answers = await Promise.all([get(order, '/'), get(order, '/health')]);

    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    // Whichever came second.
    expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeGreaterThan(590);
  });

  test('answers a slow request after the time it asks for, and has its slots for others meanwhile', async () => {
    const { order } = await boot({ serviceTimeMs: 20, slots: 1 });
    await untilAnswers(order);

    const slow = get(order, '/slow?ms=800');
    const page = await get(order, '/');
    const answer = await slow;

    expect(page.tookMs).toBeLessThan(answer.tookMs);
    expect(answer).toMatchObject({ status: 200, node: 'news-web-1' });
    expect(answer.tookMs).toBeGreaterThanOrEqual(799);
  });

  test('gives the slot of a client that went away while it waited to the next one', async () => {
    const { order } = await boot({ serviceTimeMs: 400, slots: 1 });
    await untilAnswers(order);

    const first = get(order, '/first');
    const impatient = Array.from({ length: 10 }, () =>
      request({ host: order.address, port: order.port, agent: false })
        .on('error', () => {})
        .end(),
    );
    await get(order, '/health');
    for (const one of impatient) {
      one.destroy();
    }
    const last = await get(order, '/last');
    await first;

    // With the ten served, too, it would be 4.8 s.
    expect(last.tookMs).toBeLessThan(3_000);
  });

  test('keeps an idle connection for longer than HAProxy does', async () => {
    const { order } = await boot({});
    await untilAnswers(order);
    const agent = new Agent({ keepAlive: true });

    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    request({ host: order.address, port: order.port, agent }, (response) => {
      resolve(response.headers['keep-alive']?.toString());
      response.resume();
    }).end();

    expect(await promise).toBe('timeout=75');
    agent.destroy();
  });

  test('told to stop, ends what it serves and what waits there, takes nothing new, and exits', async () => {
    const { options, order } = await boot({ serviceTimeMs: 1_500, slots: 1 });
    await untilAnswers(order);

    const serving = get(order, '/serving');
    const waiting = get(order, '/waiting');
    await get(order, '/health');
    process.kill(nodesOf(options)[0]!.pid, 'SIGTERM');
    await vi.waitFor(() => expect(nodesOf(options)[0]?.state).toBe('stopping'), soon);

    await expect(get(order, '/late')).rejects.toThrow('ECONNREFUSED');
    expect(await serving).toMatchObject({ status: 200, keptAlive: false });
    expect(await waiting).toMatchObject({ status: 200, keptAlive: false });
    await vi.waitFor(() => expect(nodesOf(options)).toEqual([]), soon);
  });

  test.each([
    { fault: 'never-healthy' as const, later: 503 },
    { fault: '503-for-ms:2000' as const, later: 200 },
  ])('with the fault $fault is unhealthy at first and then answers $later', async (row) => {
    const { order } = await boot({ fault: row.fault });

    expect((await untilAnswers(order)).status).toBe(503);
    expect((await get(order, '/')).status).toBe(200);
    await vi.waitFor(
      async () => expect((await get(order, '/health')).status).toBe(row.later),
      soon,
    );
  });

  test('whose address comes into use while it boots is gone: the host does not have it any more', async () => {
    const { options, order } = await boot({ bootDelayMs: 3_000 });
    const stranger = createServer().listen({ host: order.address, port: order.port });
    await once(stranger, 'listening');
    expect(nodesOf(options).map((node) => node.name)).toEqual(['news-web-1']);

    await vi.waitFor(() => expect(nodesOf(options)).toEqual([]), soon);
    stranger.close();
  });
});
