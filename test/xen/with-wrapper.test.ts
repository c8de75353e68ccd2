import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  ConflictError,
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
} from '../../src/control/errors.ts';
import type { HostSnapshot } from '../../src/control/ports.ts';
import { checkXenHost } from '../../src/xen/check-host.ts';
import { createDom0, type Dom0 } from '../dom0/dom0.ts';
import { bootOrder, domainRef, failureOf, never, optionsFor, startHost } from './scripted-host.ts';
import type { CommandHandler } from './ssh-server.ts';

/** Runs the real wrapper for each command, as sshd does. */
function handlerOf(dom0: Dom0): CommandHandler {
  return (command, channel) => {
    const child = dom0.spawn(command);
    child.stdin.end();
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    child.on('close', (code) => {
      channel.exit(code ?? 255);
      channel.end();
    });
  };
}

async function startDom0() {
  const folder = mkdtempSync(join(tmpdir(), 'rackfire-join-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const dom0 = await createDom0(folder, 'dash');
  const images = join(folder, 'images');
  const change = {
    installation: 'acme',
    images: new Map([
      [
        'site',
        {
          version: '2026-11-01',
          disk: { file: join(images, 'web.img') },
          kernel: join(images, 'vmlinuz'),
          ramdisk: join(images, 'initrd'),
          type: 'pv' as const,
        },
      ],
    ]),
  };
  const host = await startHost(handlerOf(dom0), change);
  return { ...host, options: optionsFor(host.server, change) };
}

const web3 = 'news-web-3';

function stateOf(snapshot: HostSnapshot): string {
  return snapshot.domains.map(({ name, state }) => `${name} ${state}`).join(', ');
}

function freeMemoryOf({ memoryMiB, domains }: HostSnapshot): number {
  return domains.reduce((free, domain) => free - domain.memoryMiB, memoryMiB);
}

test('A node goes through its life on a host that the real wrapper drives', async () => {
  const { hypervisor } = await startDom0();
  const before = await hypervisor.inspect(never);
  const look = async (): Promise<string> => stateOf(await hypervisor.inspect(never));

  await hypervisor.create(bootOrder(web3), never);
  await hypervisor.create(bootOrder(web3), never);
  const running = await hypervisor.inspect(never);
  expect(running.domains).toMatchObject([
    {
      ...bornOf(web3),
      state: 'running',
      imageVersion: '2026-11-01',
      memoryMiB: 523, // 512, and what Xen keeps for it
      diskMiB: 4096,
    },
  ]);
  expect(freeMemoryOf(before) - freeMemoryOf(running)).toBeGreaterThanOrEqual(512);

  await hypervisor.pause(domainRef(web3), never);
  expect(await look()).toBe(`${web3} paused`);
  await hypervisor.wake(domainRef(web3), never);
  expect(await look()).toBe(`${web3} running`);
  await hypervisor.save(domainRef(web3), never);
  const saved = await hypervisor.inspect(never);
  expect(stateOf(saved)).toBe(`${web3} saved`);
  expect(freeMemoryOf(saved)).toBe(freeMemoryOf(before));
  await hypervisor.wake(domainRef(web3), never);
  expect(await look()).toBe(`${web3} running`);

  await hypervisor.destroy(domainRef(web3), never);
  await hypervisor.destroy(domainRef(web3), never);
  // The disk of the machine that runs this test is in use by others, too.
  const { diskMiB: _disk, ...after } = await hypervisor.inspect(never);
  expect(before).toMatchObject(after);
});

function bornOf(name: string): { name: string; uuid: string; bornMs: number } {
  const { uuid, bornMs } = domainRef(name);
  return { name, uuid, bornMs };
}

test('What the real wrapper refuses has the class of its consequence', async () => {
  const { hypervisor } = await startDom0();
  await hypervisor.create(bootOrder(web3), never);
  const other = { address: '10.77.0.104', mac: '00:16:3e:4d:00:68' };

  const tooLarge = bootOrder('news-web-4', { ...other, memoryMiB: 9_999 });
  expect(await failureOf(hypervisor.create(tooLarge, never))).toBeInstanceOf(RefusedError);
  const taken = bootOrder('news-web-4');
  expect(await failureOf(hypervisor.create(taken, never))).toBeInstanceOf(ConflictError);
  const older = bootOrder('news-web-4', {
    ...other,
    term: { createdAtSeconds: 5, transitions: 9 },
  });
  expect(await failureOf(hypervisor.create(older, never))).toBeInstanceOf(PreconditionError);
  const absent = domainRef('news-web-9');
  expect(await failureOf(hypervisor.pause(absent, never))).toBeInstanceOf(PreconditionError);
});

test('The connection is cut during create: the guest that comes up anyway is adopted, not doubled', async () => {
  const { server, hypervisor } = await startDom0();
  const carryOut = server.handler;
  server.handler = (command, channel) => {
    carryOut(command, channel);
    if (command.startsWith('create')) {
      server.reset();
    }
  };

  const failure = await failureOf(hypervisor.create(bootOrder(web3), never));
  expect(failure).toBeInstanceOf(OutcomeUnknownError);
  server.handler = carryOut;

  await vi.waitFor(
    async () => expect(stateOf(await hypervisor.inspect(never))).toBe(`${web3} running`),
    { timeout: 20_000 },
  );
  await hypervisor.create(bootOrder(web3), never);
  expect((await hypervisor.inspect(never)).domains).toMatchObject([bornOf(web3)]);
});

test('A dom0 in order has nothing bad found', async () => {
  const { options } = await startDom0();

  const findings = await checkXenHost(options, never);

  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(findings.map(({ name }) => name)).toContain('site@2026-11-01 ramdisk');
});
