/** A lab host as its administrator sees it: by a key of its own, not through the wrapper, not through Rackfire's eyes. */

import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a command on a host came to. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of `xl list -v`. */
export interface Domain {
  readonly id: number;
  readonly name: string;
  readonly memoryMiB: number;
  /** `r-----`, `--p---`, … */
  readonly state: string;
  readonly uuid: string;
}

/** A host at one moment. */
export interface HostLook {
  readonly freeMemoryMiB: number;
  /** Without dom0 itself. */
  readonly domains: readonly Domain[];
}

export interface Dom0Options {
  readonly name: string;
  readonly address: string;
  /** The folder with `admin`, `rackfire` and `known_hosts`. */
  readonly keys: string;
  /** For the sockets of shared connections: a new one takes an emulated host two seconds. */
  readonly folder: string;
}

const COMMAND_DEADLINE_MS = 120_000;
/** Between two looks: each costs an emulated host a few tenths of a second. */
const LOOK_PAUSE_S = 2;

export class Dom0 {
  readonly name: string;
  readonly address: string;
  readonly #options: Dom0Options;

  constructor(options: Dom0Options) {
    this.name = options.name;
    this.address = options.address;
    this.#options = options;
  }

  /** As root, by the administrator's key. */
  async run(command: string): Promise<Ending> {
    return await end('ssh', [...this.#sshOptions('admin'), command]);
  }

  /** The same, for what has to succeed. @returns What it printed. @throws Error with what it complained about. */
  async must(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code !== 0) {
      throw new Error(`${this.name}: ${command}: exit ${code}: ${stderr}`);
    }
    return stdout;
  }

  /** A request to the wrapper, by Rackfire's key. */
  async request(request: string): Promise<Ending> {
    return await end('ssh', [...this.#sshOptions('rackfire'), request]);
  }

  /** Looks at it every few seconds, as long as it is there and the signal is not aborted. */
  async *looks(signal: AbortSignal): AsyncGenerator<HostLook, void, void> {
    const loop = `while echo look; do xl list -v; xl info | grep ^free_memory; echo seen; sleep ${LOOK_PAUSE_S}; done`;
    // A connection of its own: the shared one would keep it alive.
    const options = [...this.#sshOptions('admin'), '-S', 'none', '-o', 'ServerAliveInterval=5'];
    const child = spawn('ssh', [...options, loop], { stdio: ['ignore', 'pipe', 'ignore'], signal });
    // Aborted, or not there: either way there is nothing to look at.
    child.on('error', () => undefined);
    let lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      if (line === 'look') {
        lines = [];
      } else if (line === 'seen') {
        yield parseLook(lines);
      } else {
        lines.push(line);
      }
    }
  }

  async look(): Promise<HostLook> {
    return parseLook((await this.must('xl list -v; xl info | grep ^free_memory')).split('\n'));
  }

  /** Everything on it that is made for nodes and for nothing else, in words; what is of `kept` nodes is not. */
  async residue(kept: readonly string[]): Promise<readonly string[]> {
    const found = await this.must(`
      xl list | tail -n +2 | grep -v ^Domain-0
      lvs --noheadings -o lv_name vg0 | grep rackfire
      ls -A /srv/rackfire/disks /srv/rackfire/saved /var/lib/rackfire/nodes /run/rackfire/reservations
      ls /sys/class/net | grep vif
      losetup --list --noheadings -O BACK-FILE
      true`);
    const { domains } = await this.look();
    const words = kept.flatMap((name) => {
      const id = domains.find((domain) => domain.name === name)?.id;
      return [name, ...(id === undefined ? [] : [`vif${id}.`])];
    });
    return found
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.endsWith(':'))
      .filter((line) => !words.some((word) => line.includes(word)))
      .map((line) => `${this.name}: ${line}`);
  }

  /** Whatever is on it goes at once, as after a test that failed half-way. */
  async wipe(): Promise<void> {
    await this.must(`
      xl list | awk 'NR > 1 && $1 != "Domain-0" { print $(NF - 4) }' | while read -r id; do xl destroy "$id"; done
      while [ "$(xl list | wc -l)" -gt 2 ]; do sleep 0.5; done
      for volume in $(lvs --noheadings -o lv_name vg0 | grep rackfire); do lvremove -q -y "vg0/$volume"; done
      rm -f /srv/rackfire/disks/* /srv/rackfire/saved/* /var/lib/rackfire/nodes/* /run/rackfire/reservations/*
      true`);
  }

  #sshOptions(key: 'admin' | 'rackfire'): string[] {
    const { keys, folder, address } = this.#options;
    const options = [
      'BatchMode=yes',
      'LogLevel=ERROR',
      'ConnectTimeout=20',
      `UserKnownHostsFile=${keys}/known_hosts`,
      'StrictHostKeyChecking=yes',
      'ControlMaster=auto',
      'ControlPersist=30',
      `ControlPath=${folder}/${this.name}-${key}`,
    ];
    return ['-i', `${keys}/${key}`, ...options.flatMap((one) => ['-o', one]), `root@${address}`];
  }
}

function parseLook(lines: readonly string[]): HostLook {
  const domains: Domain[] = [];
  let freeMemoryMiB = Number.NaN;
  for (const line of lines) {
    const [, free] = /^free_memory *: ([0-9]+)/.exec(line) ?? [];
    if (free !== undefined) {
      freeMemoryMiB = Number(free);
    }
    // Name ID Mem VCPUs State Time(s) UUID …
    const row = /^(\S+) +([0-9]+) +([0-9]+) +[0-9]+ +(\S+) +[0-9.]+ +([0-9a-f-]{36})/.exec(line);
    const [, name = '', id, memoryMiB, state = '', uuid = ''] = row ?? [];
    if (row !== null && name !== 'Domain-0') {
      domains.push({ id: Number(id), name, memoryMiB: Number(memoryMiB), state, uuid });
    }
  }
  return { freeMemoryMiB, domains };
}

async function end(command: string, args: readonly string[]): Promise<Ending> {
  return await new Promise((resolve, reject) => {
    const options = { timeout: COMMAND_DEADLINE_MS, maxBuffer: 8 << 20 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null || typeof error.code === 'number') {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      } else {
        reject(new Error(`${command} ${args.at(-1)} did not end by itself`, { cause: error }));
      }
    }).stdin?.end();
  });
}
