import { readFileSync } from 'node:fs';
import { onTestFinished, vi } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import type { BootOrder, DomainRef } from '../../src/control/ports.ts';
import { createXenHypervisor, type XenHypervisor } from '../../src/xen/xen-hypervisor.ts';
import type { XenHostOptions } from '../../src/xen/xen-host.ts';
import { answer, type CommandHandler, TestSshServer } from './ssh-server.ts';

export const never = new AbortController().signal;

const recordedInfo = readFileSync(
  new URL('../fixtures/xl/4.17.5-info.txt', import.meta.url),
  'utf8',
);

const head = 'Name                                        ID   Mem VCPUs\tState\tTime(s)\n';
const dom0 = 'Domain-0                                     0  1024     2     r-----     448.6\n';

/** A UUID that tells the name it belongs to. */
export function uuidOf(name: string): string {
  const hex = Buffer.from(name).toString('hex').padEnd(12, '0').slice(-12);
  return `00000000-0000-5000-8000-${hex}`;
}

/** A guest as Xen shows it. */
export interface Guest {
  readonly name: string;
  readonly domid?: number;
  readonly memoryMiB?: number;
  readonly vcpus?: number;
  readonly flags?: string;
  readonly uuid?: string;
  /** Its command line; that of a node of ours by default, and none at all for `undefined`. */
  readonly cmdline?: string | undefined;
}

export const marks =
  'rackfire.installation=news rackfire.born=1795501400000 rackfire.image=site@2026-11-01 rackfire.hash=00';

/** What `inspect` prints of a host with these guests, and `lines` of its own. */
export function inspectText(
  lines: readonly string[],
  guests: readonly Guest[] = [],
  installation = 'news',
): string {
  const numbered = guests.map((guest, index) => ({ domid: index + 1, ...guest }));
  const rows = numbered.map(
    ({ name, domid, memoryMiB = 512, vcpus = 1, flags = '-b----' }) =>
      `${name.padEnd(40)} ${domid} ${memoryMiB} ${vcpus}     ${flags}       5.0\n`,
  );
  const configs = numbered
    .filter((guest) => !('cmdline' in guest) || guest.cmdline !== undefined)
    .map(({ name, domid, uuid = uuidOf(name), cmdline = `root=/dev/xvda ${marks}` }) => ({
      domid,
      config: { c_info: { name, uuid, domid: 4_294_967_295 }, b_info: { cmdline } },
    }));
  return [
    'rackfire-dom0 1\ntime 1795501405\n',
    `installation ${installation}\n`,
    ...lines.map((line) => `${line}\n`),
    'free-disk 81920\n',
    `== xl info\n${recordedInfo}`,
    `== xl list\n${head}${dom0}${rows.join('')}`,
    `== xl list -l\n${JSON.stringify(configs, undefined, 4)}\n`,
    '== end\n',
  ].join('');
}

/** The mark of a node as `inspect` prints it. */
export function nodeLine(name: string): string {
  return `node ${name} ${uuidOf(name)} 1795501400000 site@2026-11-01 512 1 4096`;
}

/** Answers by the first word of a command; anything else is a mistake of the test. */
export function byVerb(
  answers: Readonly<Record<string, string | { code: number; stderr: string } | CommandHandler>>,
): CommandHandler {
  return (command, channel) => {
    const found = answers[command.split(' ')[0] ?? ''];
    if (typeof found === 'function') {
      found(command, channel);
    } else if (typeof found === 'object') {
      answer(channel, found);
    } else {
      answer(channel, found === undefined ? { code: 99 } : { stdout: found });
    }
  };
}

export function refuse(code: number, word: string): { code: number; stderr: string } {
  return { code, stderr: `rackfire-dom0: ${word}: so it is\n` };
}

export function optionsFor(
  server: TestSshServer,
  change: Partial<XenHostOptions> = {},
): XenHostOptions {
  return {
    host: 'xen-1',
    installation: 'news',
    uuidOf,
    connection: server.settings,
    reserveMemoryMiB: 64,
    vcpusPerCpu: 4,
    images: new Map([
      [
        'site',
        {
          version: '2026-11-01',
          disk: { file: '/srv/images/site.img' },
          kernel: '/srv/images/vmlinuz',
          ramdisk: '/srv/images/initrd',
          type: 'pv',
        },
      ],
    ]),
    network: { bridge: 'xenbr0', addressing: 'kernel', gateway: '10.77.0.254', prefixLength: 24 },
    shutdownDeadlineSeconds: 60,
    clock: createSystemClock(),
    ...change,
  };
}

/** A host that answers by script, and the hypervisor that drives it. */
export async function startHost(
  handler: CommandHandler,
  change: Partial<XenHostOptions> = {},
): Promise<{ server: TestSshServer; hypervisor: XenHypervisor }> {
  const server = await TestSshServer.start(handler);
  const hypervisor = createXenHypervisor(optionsFor(server, change));
  onTestFinished(async () => {
    hypervisor.close();
    await server[Symbol.asyncDispose]();
  });
  return { server, hypervisor };
}

const term = { createdAtSeconds: 1_795_500_000, transitions: 3 };

export function bootOrder(name: string, change: Partial<BootOrder> = {}): BootOrder {
  return {
    name,
    uuid: uuidOf(name),
    bornMs: 1_795_501_400_000,
    address: '10.77.0.103',
    port: 80,
    mac: '00:16:3e:4d:00:67',
    imageName: 'site',
    imageVersion: '2026-11-01',
    memoryMiB: 512,
    vcpus: 1,
    diskMiB: 4_096,
    term,
    ...change,
  };
}

export function domainRef(name: string): DomainRef {
  return { name, uuid: uuidOf(name), bornMs: 1_795_501_400_000, term };
}

/** Waits until `isSo` neither throws nor rejects; a busy machine has time enough. */
export function eventually<T>(isSo: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(isSo, { timeout: 20_000, interval: 10 });
}

/** Why it is rejected; a success fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  const result = await work.then(
    () => new Error('it was no failure'),
    (error: unknown) => error,
  );
  return result as Error;
}
