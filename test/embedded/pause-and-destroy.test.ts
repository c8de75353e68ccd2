import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { OutcomeUnknownError, PreconditionError } from '../../src/control/errors.ts';
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

function host(change: Partial<EmbeddedHypervisorOptions> = {}): {
  options: EmbeddedHypervisorOptions;
  hypervisor: ReturnType<typeof createEmbeddedHypervisor>;
} {
  const options = hostOptions(change);
  used.push(options);
  return { options, hypervisor: createEmbeddedHypervisor(options) };
}

afterEach(() => {
  for (const options of used.splice(0)) {
    killAll(options);
  }
});

describe('pause and wake', () => {
  test('freeze a node that serves, and let it serve on; both twice', async () => {
    const { hypervisor, options } = host();
    const order = bootOrder('news-web-1');
    const neighbor = bootOrder('news-web-2');
    await hypervisor.create(order, never);
    await hypervisor.create(neighbor, never);
    await untilAnswers(order);
    await untilAnswers(neighbor);

    await hypervisor.pause(order, never);
    await hypervisor.pause(order, never);
    const { domains } = await hypervisor.inspect(never);
    expect(domains.find((domain) => domain.name === order.name)?.state).toBe('paused');
    let answered = false;
    const answer = get(order, '/').then((result) => {
      answered = true;
      return result;
    });
    // While its neighbor answers twenty times, nothing may come of it.
    for (let round = 0; round < 20; round += 1) {
      await get(neighbor, '/');
    }
    expect(answered).toBe(false);

    await hypervisor.wake(order, never);
    await hypervisor.wake(order, never);
    expect(nodesOf(options).find((node) => node.name === order.name)?.state).toBe('running');
    expect((await answer).status).toBe(200);
  });

  test('are preconditions that fail when this tenant is not there', async () => {
    const { hypervisor, options } = host();
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);

    for (const other of [
      { ...order, bornMs: order.bornMs - 1 },
      { ...order, uuid: randomUUID() },
      { ...order, name: 'news-web-2' },
    ]) {
      await expect(hypervisor.pause(other, never)).rejects.toThrow(PreconditionError);
      await expect(hypervisor.wake(other, never)).rejects.toThrow(PreconditionError);
    }
    expect(nodesOf(options)).toMatchObject([{ state: 'running' }]);
  });
});

describe('destroy', () => {
  test('of what is not there is a success', async () => {
    await expect(
      host().hypervisor.destroy(bootOrder('news-web-1'), never),
    ).resolves.toBeUndefined();
  });

  test('never touches another tenant of the name', async () => {
    const { hypervisor, options } = host();
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);
    await untilAnswers(order);

    await hypervisor.destroy({ ...order, bornMs: order.bornMs + 1 }, never);
    await hypervisor.destroy({ ...order, uuid: randomUUID() }, never);

    expect(nodesOf(options)).toMatchObject([{ name: 'news-web-1', state: 'running' }]);
    expect((await get(order, '/')).status).toBe(200);
  });

  test('lets a node end what it serves', async () => {
    const { hypervisor, options } = host({
      behavior: { bootDelayMs: 0, serviceTimeMs: 400, slots: 10 },
    });
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);
    await untilAnswers(order);
    const answer = get(order, '/');
    await get(order, '/health');

    await hypervisor.destroy(order, never);

    expect((await answer).status).toBe(200);
    expect(nodesOf(options)).toEqual([]);
  });

  test.each(['booting', 'paused'] as const)('of a %s node is immediate', async (state) => {
    const bootDelayMs = state === 'booting' ? 60_000 : 0;
    const { hypervisor, options } = host({
      behavior: { bootDelayMs, serviceTimeMs: 20, slots: 10 },
    });
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);
    if (state === 'paused') {
      await untilAnswers(order);
      await hypervisor.pause(order, never);
    }

    const startMs = performance.now();
    await hypervisor.destroy(order, never);

    // Long before it would be killed for not ending.
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(nodesOf(options)).toEqual([]);
  });

  test('leaves the outcome open when it is aborted, while the node still stops by itself', async () => {
    const { hypervisor, options } = host({
      behavior: { bootDelayMs: 0, serviceTimeMs: 500, slots: 10 },
    });
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);
    await untilAnswers(order);
    const answer = get(order, '/');
    await get(order, '/health');
    const abort = new AbortController();

    const destruction = hypervisor.destroy(order, abort.signal);
    abort.abort();

    await expect(destruction).rejects.toThrow(OutcomeUnknownError);
    expect((await answer).status).toBe(200);
    await vi.waitFor(() => expect(nodesOf(options)).toEqual([]), soon);
  });

  test('kills a node that is still not done at the deadline', async () => {
    const { options } = host({ behavior: { bootDelayMs: 0, serviceTimeMs: 25_000, slots: 10 } });
    const { clock } = options;
    // Deadlines come a hundred times as early for whoever reads this clock.
    const fast = { ...clock, steadyMs: () => clock.steadyMs() * 100 };
    const hypervisor = createEmbeddedHypervisor({ ...options, clock: fast });
    const order = bootOrder('news-web-1');
    await createEmbeddedHypervisor(options).create(order, never);
    await untilAnswers(order);
    const cutOff = expect(get(order, '/')).rejects.toThrow('socket hang up');
    await get(order, '/health');

    await hypervisor.destroy(order, never);

    expect(nodesOf(options)).toEqual([]);
    await cutOff;
  });

  test('leaves no zombie of a node that this process made', async () => {
    const { hypervisor, options } = host();
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);
    const { pid } = nodesOf(options)[0]!;

    await hypervisor.destroy(order, never);

    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), soon);
  });
});

test('a node outlives a maker that is killed, and the next one finds it and ends it', async () => {
  const { hypervisor, options } = host();
  const order = bootOrder('news-web-1');
  const maker = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('creator.ts', import.meta.url)),
      JSON.stringify(options),
      JSON.stringify(order),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(maker.stdout, 'data');

  maker.kill('SIGKILL');
  await once(maker, 'exit');

  expect(await untilAnswers(order)).toMatchObject({ status: 200, node: 'news-web-1' });
  expect((await hypervisor.inspect(never)).domains).toMatchObject([{ uuid: order.uuid }]);
  await hypervisor.create(order, never);
  await hypervisor.pause(order, never);
  await hypervisor.wake(order, never);
  await hypervisor.destroy(order, never);
  expect(nodesOf(options)).toEqual([]);
});
