/** Processes of the demo: started, found again by their arguments, ended. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
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

/** Linux takes the ports of outgoing connections, and of whoever listens on any, from 32768 up. */
const HIGHEST_OWN_PORT = 32_767;
const LOWEST_OWN_PORT = 20_000;
const MAX_TRIES = 1_000;

/**
 * Ports of loopback that nobody listens on now, and that no connection is given before they are used, or while a
 * service that listened there is started again. @throws Error when none is found.
 */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = new Map<number, Server>();
  // All are held open until the last one is found, so that none is found twice.
  for (let tries = 0; servers.size < count && tries < MAX_TRIES; tries += 1) {
    const port = randomInt(LOWEST_OWN_PORT, HIGHEST_OWN_PORT + 1);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) {
      servers.set(port, server);
    }
  }
  for (const server of servers.values()) {
    server.close();
    await once(server, 'close');
  }
  if (servers.size < count) {
    throw new Error(`no free port from ${LOWEST_OWN_PORT} to ${HIGHEST_OWN_PORT} of 127.0.0.1`);
  }
  return [...servers.keys()];
}
