import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../control/clock.ts';
import { OutcomeUnknownError, PreconditionError, RefusedError } from '../control/errors.ts';
import { isAlive, isSameProcess, readNodeProcess, type NodeProcess } from './process-table.ts';

/** The program of a node, beside this file: `.ts` as checked out, `.js` as built. */
const SITE_FILE = fileURLToPath(new URL(`./site${extname(import.meta.url)}`, import.meta.url));

/**
 * A small heap, so that a dozen nodes are no burden: a node holds a few requests and their sockets. Measured
 * on Node 24 as `.js`: 40 ms to start, 60 MiB resident (45 of them the program, which all nodes share), some
 * 70 MiB under load. As `.ts` it is 65 ms, 77 and 92 MiB, because Node brings its type stripper. Fewer
 * threads or no compiler saved nothing and cost time.
 */
const NODE_FLAGS = ['--max-old-space-size=32', '--max-semi-space-size=1'];

/** A node's program runs within 0.1 s; on a machine in a storm it may take much longer. */
const START_DEADLINE_MS = 10_000;
/** Signals that the kernel carries out itself take microseconds; this is a machine that gasps for air. */
const SIGNAL_DEADLINE_MS = 5_000;
/**
 * A node that has been told to stop ends what it serves within 30 s (the longest that a client waits for an
 * answer) and then exits by itself; five seconds later it is not going to any more.
 */
const STOP_DEADLINE_MS = 35_000;
const POLL_MS = 5;
/** After half a second it is a matter of requests that end, not of a start or a signal. */
const SLOW_POLL_AFTER_MS = 500;
const SLOW_POLL_MS = 50;

/**
 * Starts a node. When this returns (not: when its promise resolves), the node is in the process table:
 * `spawn` waits until the new program has replaced the copy of this one. So whoever looks, books and starts
 * without an `await` in between cannot be overtaken by somebody else in this process.
 *
 * @param args - The marks and the behavior, as site.ts reads them.
 * @returns Resolves when the node's program runs.
 * @throws RefusedError when it ends at once. OutcomeUnknownError when aborted, or when it takes too long.
 */
export async function startNode(
  name: string,
  args: readonly string[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const child = spawnSite(name, args);
  let death: string | undefined;
  child.once('error', (error) => {
    death = error.message;
  });
  // Node waits for its children by itself for as long as it lives: no zombie is left.
  child.once('exit', (code, killedBy) => {
    death = `it ended at once, ${code === null ? `by ${killedBy}` : `exit code ${code}`}`;
  });
  child.unref();

  const { pid } = child;
  const started = await until(clock, signal, START_DEADLINE_MS, name, () => {
    if (death !== undefined) {
      throw new RefusedError(`${name} could not be started: ${death}`);
    }
    return pid !== undefined && readNodeProcess(pid)?.started === true;
  });
  if (!started) {
    throw new OutcomeUnknownError(
      `${name}, pid ${pid}, does not run after ${START_DEADLINE_MS} ms`,
    );
  }
}

function spawnSite(name: string, args: readonly string[]): ChildProcess {
  try {
    // Nothing of this process is handed on: a session, a directory, an option or a pipe that a node shared
    // with its maker would end it together with its maker, or change it.
    return spawn(process.execPath, [...NODE_FLAGS, SITE_FILE, ...args], {
      detached: true,
      stdio: 'ignore',
      cwd: '/',
      env: {},
    });
  } catch (cause) {
    throw new RefusedError(`${name} could not be started`, { cause });
  }
}

/**
 * Stops a node's process where it is, memory and sockets kept.
 *
 * @throws PreconditionError when it ends instead. OutcomeUnknownError when aborted, or without effect.
 */
export async function freezeNode(
  node: NodeProcess,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await signalUntil(node, 'SIGSTOP', 'paused', clock, signal);
}

/**
 * Lets a frozen node run on.
 *
 * @throws PreconditionError when it ends instead. OutcomeUnknownError when aborted, or without effect.
 */
export async function thawNode(
  node: NodeProcess,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await signalUntil(node, 'SIGCONT', 'running', clock, signal);
}

/**
 * Ends a node: it finishes what it serves; one that still boots ends at once; one that does not end is
 * killed at the deadline.
 *
 * @throws OutcomeUnknownError when aborted, or when not even a kill ends it.
 */
export async function stopNode(
  node: NodeProcess,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const hasEnded = (): boolean => !isAlive(node);

  sendSignal(node, 'SIGTERM');
  // A frozen node hears nothing. This order, so that it does not wake up to serve.
  sendSignal(node, 'SIGCONT');
  if (await until(clock, signal, STOP_DEADLINE_MS, node.name, hasEnded)) {
    return;
  }
  sendSignal(node, 'SIGKILL');
  if (!(await until(clock, signal, SIGNAL_DEADLINE_MS, node.name, hasEnded))) {
    throw new OutcomeUnknownError(`${node.name}, pid ${node.pid}, does not end`);
  }
}

/** @throws OutcomeUnknownError when the signal is aborted. */
export function stopIfAborted(signal: AbortSignal, what: string): void {
  if (signal.aborted) {
    throw new OutcomeUnknownError(`${what}: aborted before its outcome was seen`, {
      cause: signal.reason,
    });
  }
}

async function signalUntil(
  node: NodeProcess,
  name: 'SIGSTOP' | 'SIGCONT',
  wanted: NodeProcess['state'],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  sendSignal(node, name);
  const reached = await until(clock, signal, SIGNAL_DEADLINE_MS, node.name, () => {
    const now = readNodeProcess(node.pid);
    if (now === undefined || !isSameProcess(now, node)) {
      throw new PreconditionError(`${node.name} ended while it was to be ${wanted}`);
    }
    return now.state === wanted;
  });
  if (!reached) {
    throw new OutcomeUnknownError(`${node.name}, pid ${node.pid}, is still not ${wanted}`);
  }
}

/** Signals exactly this process, or nobody: that it has ended in the meantime is for the caller to see. */
function sendSignal(node: NodeProcess, name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGKILL'): void {
  const now = readNodeProcess(node.pid);
  if (now === undefined || !isSameProcess(now, node)) {
    return;
  }
  try {
    process.kill(node.pid, name);
  } catch (cause) {
    if (isAlive(node)) {
      throw new RefusedError(`${name} to ${node.name}, pid ${node.pid}`, { cause });
    }
  }
}

/**
 * Asks until it is so. The kernel tells only a parent about a process, and these may have had another one.
 *
 * @returns False when it was not so by the deadline.
 * @throws OutcomeUnknownError when the signal is aborted first.
 */
async function until(
  clock: Clock,
  signal: AbortSignal,
  deadlineMs: number,
  what: string,
  isSo: () => boolean,
): Promise<boolean> {
  const startMs = clock.steadyMs();
  while (!isSo()) {
    const waitedMs = clock.steadyMs() - startMs;
    if (waitedMs >= deadlineMs) {
      return false;
    }
    try {
      await clock.sleep(waitedMs < SLOW_POLL_AFTER_MS ? POLL_MS : SLOW_POLL_MS, signal);
    } catch (error) {
      stopIfAborted(signal, what);
      throw error;
    }
  }
  return true;
}
