/** A dom0 in a folder: the real rackfire-dom0, and a simulated Xen and LVM made after recorded output. */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { vi } from 'vitest';

/** The wrapper itself. */
const wrapperPath = resolve(import.meta.dirname, '../../config/dom0/rackfire-dom0');
const fakes = resolve(import.meta.dirname, 'fake');

/** The shells that the wrapper has to run under, by name. */
export const shells = {
  dash: ['dash'],
  'busybox sh': ['busybox', 'sh'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Shell = keyof typeof shells;

export interface Dom0Answer {
  /** -1 when it was killed. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FakeDomain {
  readonly name: string;
  readonly uuid: string;
  readonly memoryMiB?: number;
  /** As in `xl list`. */
  readonly state?: string;
  readonly cmdline?: string;
  readonly disk?: string;
  readonly mac?: string;
  readonly ip?: string;
  /** Xen has it, and xl no config of it. */
  readonly isHalfMade?: boolean;
}

export interface Dom0Options {
  /** Of the host; dom0 has 768 MiB of it. */
  readonly totalMiB?: number;
  readonly volumeGroup?: boolean;
}

/** Each of those who wait at a point takes a line. */
const MOST_HELD = 16;

/** A point at which requests wait. */
export interface Hold {
  /** Resolves when somebody waits. */
  reached(): Promise<void>;
  /** Nobody waits here any more. */
  release(): Promise<void>;
  /** Lets go who waits, up to the next time that somebody comes by. */
  next(): Promise<void>;
  /** Who has waited was killed. */
  forget(): Promise<void>;
}

const ordinaryCommands = ['cp', 'mv', 'rm', 'truncate'];
const lvmCommands = ['lvcreate', 'lvextend', 'lvremove', 'lvs', 'blockdev', 'dmsetup'];

/** Makes a dom0 without guests. `folder` must be empty and is the caller's to remove. */
export async function createDom0(
  folder: string,
  shell: Shell,
  { totalMiB = 2_048, volumeGroup = false }: Dom0Options = {},
): Promise<Dom0> {
  const dom0 = new Dom0(folder, shell);
  const folders = [
    'bin',
    'images',
    'disks',
    'saved',
    'state',
    'run',
    'sys/class/net/xenbr0',
    'sys/block',
  ];
  const xenFolders = ['domains', 'hold', 'fail', 'dev/vg0'];
  await Promise.all(
    [...folders, ...xenFolders.map((name) => `xen/${name}`)].map((name) =>
      mkdir(join(folder, name), { recursive: true }),
    ),
  );
  const links = [
    ['xl', 'xl'],
    ['losetup', 'losetup'],
    ...ordinaryCommands.map((name) => [name, 'command']),
    ...lvmCommands.map((name) => [name, 'lvm']),
  ] as const;
  await Promise.all([
    ...links.map(([name = '', target = '']) =>
      symlink(join(fakes, target), join(folder, 'bin', name)),
    ),
    symlink(join(fakes, 'points.sh'), join(folder, 'xen/points.sh')),
    writeFile(join(folder, 'xen/total-mib'), `${totalMiB}\n`),
    writeFile(join(folder, 'xen/dom0-mib'), '768\n'),
    writeFile(join(folder, 'xen/pool-mib'), '4096\n'),
    writeFile(join(folder, 'xen/next-id'), '1\n'),
    writeFile(join(folder, 'xen/dev/vg0/img-web'), 'golden volume'),
    writeFile(join(folder, 'images/web.img'), 'golden image'),
    writeFile(join(folder, 'images/vmlinuz'), 'kernel'),
    writeFile(join(folder, 'images/initrd'), 'ramdisk'),
    writeFile(dom0.confPath, confOf(folder, volumeGroup)),
  ]);
  return dom0;
}

function confOf(folder: string, volumeGroup: boolean): string {
  return `INSTALLATION=acme
IMAGE_DIRS="/nowhere ${folder}/images"
DISK_DIR=${folder}/disks
SAVE_DIR=${folder}/saved
VOLUME_GROUP=${volumeGroup ? 'vg0' : ''}
BRIDGES="xenbr0 xenbr1"
STATE_DIR=${folder}/state
RUN_DIR=${folder}/run
SYSFS=${folder}/sys
DEV_DIR=${folder}/xen/dev
POLL_SECONDS=0.02
PATH=${folder}/bin:/usr/bin:/bin
export FAKE_XEN=${folder}/xen
`;
}

export class Dom0 {
  readonly folder: string;
  readonly confPath: string;
  readonly #argv: readonly string[];
  readonly #children: ChildProcessWithoutNullStreams[] = [];

  constructor(folder: string, shell: Shell) {
    this.folder = folder;
    this.confPath = join(folder, 'dom0.conf');
    this.#argv = [...shells[shell], wrapperPath, this.confPath];
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** Starts one request, as sshd does, in a process group of its own; `undefined` is lost on the way, as by sudo. */
  spawn(request: string | undefined): ChildProcessWithoutNullStreams {
    const [command = '', ...args] = this.#argv;
    const child = spawn(command, args, {
      cwd: '/',
      detached: true,
      env: { PATH: process.env['PATH'], SSH_ORIGINAL_COMMAND: request },
    });
    this.#children.push(child);
    return child;
  }

  /** Ends the requests that still run, as after a test that failed while it held one. */
  killRequests(): void {
    for (const { pid, exitCode, signalCode } of this.#children) {
      if (pid !== undefined && exitCode === null && signalCode === null) {
        process.kill(-pid, 'SIGKILL');
      }
    }
  }

  /** Carries out one request, to its end. */
  async run(request: string | undefined, stdin: string | Buffer = ''): Promise<Dom0Answer> {
    const child = this.spawn(request);
    // It closes its standard input before all of it is written.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    return answerOf(child);
  }

  /** Puts a guest there that nobody asked the wrapper for. */
  async addDomain(domain: FakeDomain): Promise<string> {
    const id = (await this.#readXen('next-id')).trim();
    await writeFile(this.path('xen/next-id'), `${Number(id) + 1}\n`);
    const folder = this.path('xen/domains', id);
    await mkdir(folder);
    const { name, uuid, memoryMiB = 128, state = '-b----' } = domain;
    await writeFile(join(folder, 'row'), `${name} ${uuid} ${memoryMiB} 1 ${state}\n`);
    if (domain.isHalfMade !== true) {
      await writeFile(join(folder, 'long'), longOf(domain));
    }
    return id;
  }

  /** The numbers, names and states of all guests. */
  async domains(): Promise<{ id: string; name: string; state: string }[]> {
    const ids = await readdir(this.path('xen/domains'));
    return Promise.all(
      ids.map(async (id) => {
        const [name = '', , , , state = ''] = (await this.#readXen(`domains/${id}/row`))
          .trim()
          .split(' ');
        return { id, name, state };
      }),
    );
  }

  /** Attaches `file`, in the kernel's words, to a loop device. */
  async attachLoop(loop: string, file: string): Promise<void> {
    const folder = this.path('sys/block', loop, 'loop');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'backing_file'), `${file}\n`);
  }

  /** The loop devices that have a file, sorted. */
  async loops(): Promise<string[]> {
    const loops = await this.#list('sys/block');
    return loops.filter((loop) => existsSync(this.path('sys/block', loop, 'loop'))).toSorted();
  }

  /** Everything of nodes but their domains, sorted. What is never there, and what always is, is left out. */
  async leftovers(): Promise<string[]> {
    const places = ['state/nodes', 'disks', 'saved', 'run/reservations', 'run/work', 'xen/dev/vg0'];
    const found = await Promise.all(
      places.map(async (place) =>
        (await this.#list(place))
          .filter((name) => place !== 'xen/dev/vg0' || name.startsWith('rackfire-'))
          .map((name) => `${place}/${name}`),
      ),
    );
    const operations = await Promise.all(
      (await this.#list('run/operations')).map(async (name) => {
        const { size } = await stat(this.path('run/operations', name));
        return size === 0 ? [] : [`run/operations/${name}`];
      }),
    );
    return [...found.flat(), ...operations.flat()].toSorted((a, b) => a.localeCompare(b));
  }

  /** Lets a command fail whenever it comes by `point`, in recorded words. */
  async fail(point: string, exitCode: number, stderr: string): Promise<void> {
    await writeFile(this.path('xen/fail', point), `${exitCode}\n${stderr}`);
  }

  async mend(point: string): Promise<void> {
    await rm(this.path('xen/fail', point));
  }

  /** Switches a property of the simulated Xen: see test/dom0/fake/xl. */
  async set(name: 'deaf' | 'no-monitor' | 'slow-to-die'): Promise<void> {
    await writeFile(this.path('xen', name), '');
  }

  /** Holds whoever comes by `point` until it is released. */
  hold(point: string): Hold {
    const fifo = this.path('xen/hold', point);
    const held = this.path('xen', `held-${point}`);
    const letGo = async (): Promise<void> => {
      await rm(held);
      await writeFile(`${fifo}.released`, '\n'.repeat(MOST_HELD));
      await rm(`${fifo}.released`);
    };
    execFileSync('mkfifo', [fifo]);
    return {
      reached: () =>
        vi.waitFor(
          () => {
            if (!existsSync(held)) {
              throw new Error(`nobody has come by ${point}`);
            }
          },
          { timeout: 20_000, interval: 5 },
        ),
      release: async () => {
        // Under another name, so that nobody else comes to wait meanwhile.
        await rename(fifo, `${fifo}.released`);
        await letGo();
      },
      next: async () => {
        await rename(fifo, `${fifo}.released`);
        execFileSync('mkfifo', [fifo]);
        await letGo();
      },
      forget: async () => {
        await rm(fifo);
        await rm(held);
      },
    };
  }

  /** Kills everything of a request at its `count`th point, as a power cut would. */
  async killAt(count: number): Promise<void> {
    await rm(this.path('xen/points'), { force: true });
    await writeFile(this.path('xen/kill-at'), `${count}\n`);
  }

  /** And waits for who was killed: the script may have ended while a command beside it still had its lock. */
  async killNoMore(): Promise<void> {
    for (const name of await this.#list('run/operations')) {
      execFileSync('flock', ['-w', '20', this.path('run/operations', name), 'true']);
    }
    await rm(this.path('xen/kill-at'), { force: true });
    await rm(this.path('xen/points'), { force: true });
  }

  /** The points that were passed since `killNoMore`. */
  async points(): Promise<string[]> {
    return (await this.#readXen('points')).trim().split('\n');
  }

  /** Lets who is about to take a node's lock come by `lock-node`. */
  async watchNodeLocks(): Promise<void> {
    await symlink(join(fakes, 'flock'), this.path('bin/flock'));
  }

  async removeCommand(name: string): Promise<void> {
    await rm(this.path('bin', name));
  }

  async #list(place: string): Promise<string[]> {
    return existsSync(this.path(place)) ? readdir(this.path(place)) : [];
  }

  #readXen(name: string): Promise<string> {
    return readFile(this.path('xen', name), 'utf8');
  }
}

async function answerOf(child: ChildProcessWithoutNullStreams): Promise<Dom0Answer> {
  const ended = new Promise<number>((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code) => {
      done(code ?? -1);
    });
  });
  const [exitCode, stdout, stderr] = await Promise.all([
    ended,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr };
}

function longOf(domain: FakeDomain): string {
  const { name, uuid, cmdline = 'root=/dev/xvda', disk = '/srv/other.img' } = domain;
  const { mac = '00:16:3e:ff:ff:ff', ip } = domain;
  return `        "config": {
            "c_info": {
                "type": "pv",
                "name": "${name}",
                "domid": 4294967295,
                "uuid": "${uuid}"
            },
            "b_info": {
                "sched_params": {
                    "sched": "credit2"
                },
                "cmdline": "${cmdline}",
                "type.pv": {

                }
            },
            "disks": [
                {
                    "pdev_path": "${disk}",
                    "vdev": "xvda"
                }
            ],
            "nics": [
                {
                    "devid": 0,
                    "mac": "${mac}",
${ip === undefined ? '' : `                    "ip": "${ip}",\n`}                    "bridge": "xenbr0"
                }
            ]
        }
`;
}
