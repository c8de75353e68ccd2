/** The lab that these tests run in: `lab/xen/lab run` has brought it up and put this process into its network. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dom0 } from './dom0.ts';

const SCRIPT = fileURLToPath(new URL('../../lab/xen/lab', import.meta.url));

export interface Lab {
  /** Both hosts, `xen-1` and `xen-2`. */
  readonly hosts: readonly [Dom0, Dom0];
  readonly gateway: string;
  /** The folder with `rackfire` and `known_hosts`. */
  readonly keys: string;
}

interface LabStatus {
  readonly gateway: string;
  readonly keys: string;
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
}

/** @throws Error when the lab is not up. */
export function findLab(): Lab {
  const text = execFileSync(SCRIPT, ['status', '--json'], { encoding: 'utf8' });
  const { gateway, keys, hosts } = JSON.parse(text) as LabStatus;
  // OpenSSH's control sockets have short names at most.
  const folder = mkdtempSync(join(tmpdir(), 'rackfire-lab-'));
  const [one, two] = hosts.map((host) => new Dom0({ ...host, keys, folder }));
  if (one === undefined || two === undefined) {
    throw new Error('two lab hosts are needed: npm run test:xen brings them up');
  }
  return { gateway, keys, hosts: [one, two] };
}

/** Pulls the plug. */
export async function crashHost(host: Dom0): Promise<void> {
  await runLab('crash', host);
}

/** Plugs it in again; resolves when it is up. It has the disks it had, so marks and node disks are still there. */
export async function bootHost(host: Dom0): Promise<void> {
  await runLab('boot', host);
}

async function runLab(command: 'crash' | 'boot', { name }: Dom0): Promise<void> {
  const child = spawn(SCRIPT, [command, name.replace('xen-', '')], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) {
    throw new Error(`lab ${command} ${name} ended with ${code}`);
  }
}
