/** A lab host as its administrator sees it: by a key of its own, not through the wrapper, not through Rackfire's eyes. */

import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What a command on a host came to. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @see look.py */
export interface Domain {
  readonly id: number;
  readonly name: string;
  readonly uuid: string;
  readonly memoryMiB: number;
  /** One that is being made is paused, too. */
  readonly state: 'running' | 'paused' | 'shutdown' | 'crashed' | 'dying';
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
const LOOK = readFileSync(new URL('./look.py', import.meta.url), 'utf8');
/** With Xen's own modules. */
const PYTHON = 'PYTHONPATH=$(echo /usr/lib/xen-*/lib/python) python3 -';
const LOOK_PAUSE_S = 0.5;

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
  async run(command: string, input = ''): Promise<Ending> {
    return await end('ssh', [...this.#sshOptions('admin'), command], input);
  }

  /** The same, for what has to succeed. @returns What it printed. @throws Error with what it complained about. */
  async must(command: string, input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, input);
    if (code !== 0) {
      throw new Error(`${this.name}: ${command}: exit ${code}: ${stderr}`);
    }
    return stdout;
  }

  /** A request to the wrapper, by Rackfire's key. */
  async request(request: string): Promise<Ending> {
    return await end('ssh', [...this.#sshOptions('rackfire'), request]);
  }

  /** Looks at it again and again, as long as it is there and the signal is not aborted. */
  async *looks(signal: AbortSignal): AsyncGenerator<HostLook, void, void> {
    // A connection of its own: the shared one would keep it alive.
    const options = [...this.#sshOptions('admin'), '-S', 'none', '-o', 'ServerAliveInterval=5'];
    const child = spawn('ssh', [...options, `${PYTHON} ${LOOK_PAUSE_S}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
    });
    // Aborted, or not there: either way there is nothing to look at.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    child.stdin.end(LOOK);
    for await (const line of createInterface(child.stdout)) {
      yield JSON.parse(line) as HostLook;
    }
  }

  async look(): Promise<HostLook> {
    return JSON.parse(await this.must(PYTHON, LOOK)) as HostLook;
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

async function end(command: string, args: readonly string[], input = ''): Promise<Ending> {
  return await new Promise((resolve, reject) => {
    const options = { timeout: COMMAND_DEADLINE_MS, maxBuffer: 8 << 20 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null || typeof error.code === 'number') {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      } else {
        reject(new Error(`${command} ${args.at(-1)} did not end by itself`, { cause: error }));
      }
    }).stdin?.end(input);
  });
}
