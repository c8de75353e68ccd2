/** Processes of the demo: started, found again by their arguments, ended. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createSystemClock } from '../../control/clock.ts';

/** What does not end within this time is left over. */
export const END_DEADLINE_MS = 15_000;

/** Starts a program in a session of its own, so that Ctrl-C reaches the demo alone, which then ends it in order. */
export function start(command: string, args: readonly string[], logFile: string): ChildProcess {
  const log = createWriteStream(logFile);
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.on('error', () => undefined);
  return child;
}

export type IsOurs = (args: readonly string[]) => boolean;

/** Processes, other than this one, that are the demo's by their arguments. */
export async function findProcesses(isOurs: IsOurs): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && pid !== process.pid) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (isOurs(line.split('\0'))) {
        found.push(pid);
      }
    }
  }
  return found;
}

export async function waitUntilGone(isOurs: IsOurs): Promise<readonly number[]> {
  const clock = createSystemClock();
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  let left = await findProcesses(isOurs);
  while (left.length > 0 && !deadline.aborted) {
    await clock.sleep(100, deadline).catch(() => undefined);
    left = await findProcesses(isOurs);
  }
  return left;
}

export function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Ports of loopback that nobody listens on now. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  // All are held open until the last one is found, so that none is found twice.
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    ports.push(typeof address === 'object' && address !== null ? address.port : 0);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
