import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  OutcomeUnknownError,
  ConflictError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../../src/control/errors.ts';
import {
  createEmbeddedHypervisor,
  type EmbeddedHypervisorOptions,
} from '../../src/embedded/hypervisor.ts';
import { findFreePorts } from '../../src/cli/demo/processes.ts';
import type { BootOrder } from '../../src/control/ports.ts';
import { bootOrder, hostOptions, killAll, never, nodesOf } from './test-host.ts';

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

describe('inspect', () => {
  test('shows totals without the reserve, and each domain with all of its marks', async () => {
    const { hypervisor } = host();
    const order = bootOrder('news-web-1');
    await hypervisor.create(order, never);

    expect(await hypervisor.inspect(never)).toEqual({
      memoryMiB: 3_072,
      vcpus: 8,
      diskMiB: 65_536,
      domains: [
        {
          name: 'news-web-1',
          uuid: order.uuid,
          state: 'running',
          bornMs: order.bornMs,
          imageVersion: '2026-11-01',
          memoryMiB: 512,
          vcpus: 1,
          diskMiB: 4_096,
        },
      ],
    });
  });

  test('shows a node of another installation with its own uuid, and never touches it', async () => {
    const { options, hypervisor } = host();
    const foreign = createEmbeddedHypervisor({ ...options, installation: 'foreign' });
    const order = bootOrder('news-web-1');
    await foreign.create(order, never);

    const { domains } = await hypervisor.inspect(never);
    expect(domains).toMatchObject([{ name: 'news-web-1', uuid: order.uuid }]);
    // Even with exactly its marks: the installation is part of who it is.
    await hypervisor.destroy(order, never);
    await expect(hypervisor.pause(order, never)).rejects.toThrow(PreconditionError);
    await expect(hypervisor.create(order, never)).rejects.toThrow(ConflictError);
    expect(nodesOf(options)).toMatchObject([{ installation: 'foreign', state: 'running' }]);
  });

  test('does not show the nodes of another host', async () => {
    const one = host();
    const other = host({ installation: one.options.installation });
    await one.hypervisor.create(bootOrder('news-web-1'), never);

    expect((await other.hypervisor.inspect(never)).domains).toEqual([]);
  });

  test('rejects when it is aborted', async () => {
    await expect(host().hypervisor.inspect(AbortSignal.abort())).rejects.toThrow(UnreachableError);
  });
});

describe('create', () => {
  test.each([
    ['at its address', (order: BootOrder) => order.address],
    ['at all addresses', () => '0.0.0.0'],
    ['at all addresses of IPv6, too', () => '::'],
  ])('is refused as a conflict when somebody listens %s, and starts nothing', async (_, at) => {
    const { options, hypervisor } = host();
    // A port of its own: at all addresses there, it would be in the way of other tests.
    const [port = 0] = await findFreePorts(1);
    const order = bootOrder('news-web-1', { port });
    const stranger = createServer().listen({ host: at(order), port });
    await once(stranger, 'listening');

    await expect(hypervisor.create(order, never)).rejects.toThrow(ConflictError);
    expect(nodesOf(options)).toEqual([]);

    stranger.close();
    await once(stranger, 'close');
    await hypervisor.create(order, never);
    expect(nodesOf(options)).toHaveLength(1);
  });

  test('twice with one order makes one node, also at the same time', async () => {
    const { options, hypervisor } = host();
    const order = bootOrder('news-web-1');

    await Promise.all([hypervisor.create(order, never), hypervisor.create(order, never)]);
    await hypervisor.create(order, never);

    expect(nodesOf(options)).toHaveLength(1);
  });

  test('is refused when another tenant has the name', async () => {
    const { options, hypervisor } = host();
    const first = bootOrder('news-web-1');
    await hypervisor.create(first, never);

    const next = bootOrder('news-web-1', { uuid: first.uuid });
    await expect(hypervisor.create(next, never)).rejects.toThrow(
      `news-web-1 is taken on ${options.host}: uuid ${first.uuid}, born ${first.bornMs}`,
    );
    expect(nodesOf(options)).toMatchObject([{ bornMs: first.bornMs }]);
  });

  test.each([
    { what: 'memoryMiB', change: { memoryMiB: 1_537 }, free: '1536 of 3072' },
    { what: 'vcpus', change: { vcpus: 6 }, free: '5 of 8' },
    { what: 'diskMiB', change: { diskMiB: 53_249 }, free: '53248 of 65536' },
  ] as const)('is refused when $what would be oversold by one', async ({ what, change, free }) => {
    const { options, hypervisor } = host();
    for (const name of ['news-web-1', 'news-web-2', 'news-web-3']) {
      await hypervisor.create(bootOrder(name), never);
    }
    const tooBig = bootOrder('news-web-4', change);
    const fits = { ...tooBig, [what]: tooBig[what] - 1 };

    await expect(hypervisor.create(tooBig, never)).rejects.toThrow(RefusedError);
    await expect(hypervisor.create(tooBig, never)).rejects.toThrow(`${free} free`);
    await hypervisor.create(fits, never);
    expect(nodesOf(options)).toHaveLength(4);
  });

  test('never oversells when many are ordered at once: six of eight fit', async () => {
    const { options, hypervisor } = host();

    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        hypervisor.create(bootOrder(`news-web-${index + 1}`), never),
      ),
    );

    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(6);
    expect(nodesOf(options)).toHaveLength(6);
  });

  test('is refused when the node dies at once', async () => {
    const { hypervisor, options } = host({
      behavior: { bootDelayMs: 0, serviceTimeMs: 0, slots: 10 },
    });

    const creation = hypervisor.create(bootOrder('news-web-1'), never);
    await expect(creation).rejects.toThrow(RefusedError);
    await expect(creation).rejects.toThrow('exit code 1');
    expect(nodesOf(options)).toEqual([]);
  });

  test('leaves the outcome open when it is aborted, and the next snapshot shows the node', async () => {
    const { hypervisor } = host();
    const abort = new AbortController();

    const creation = hypervisor.create(bootOrder('news-web-1'), abort.signal);
    abort.abort();

    await expect(creation).rejects.toThrow(OutcomeUnknownError);
    expect((await hypervisor.inspect(never)).domains).toHaveLength(1);
  });

  test('makes a node in a session of its own, without anything of its maker', async () => {
    const { hypervisor, options } = host();
    await hypervisor.create(bootOrder('news-web-1'), never);

    const { pid } = nodesOf(options)[0]!;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    const [, , group, session] = stat;
    expect([group, session]).toEqual([`${pid}`, `${pid}`]);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
  });
});
