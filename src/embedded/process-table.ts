/**
 * Embedded nodes as the kernel shows them. A node's marks are its command line, so any process that can
 * read /proc finds it again: nothing is remembered between two readings. Linux only.
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { BootOrder, DomainReport } from '../control/ports.ts';

/** A node process: the domain's marks, and what tells this process from a later one with the same pid. */
export interface NodeProcess extends DomainReport {
  readonly pid: number;
  /** Clock ticks from the machine's boot to the start of the process; with the pid, its identity. */
  readonly startTicks: number;
  readonly installation: string;
  readonly host: string;
  /** False until its program runs: before that a wrong argument or a missing file may still end it. */
  readonly started: boolean;
}

/** What one line of /proc/PID/stat says of a process. */
interface ProcessStat {
  readonly command: string;
  /** `T` stopped by a signal, `Z` or `X` dead; the others run, sleep or wait. */
  readonly state: string;
  readonly startTicks: number;
}

/** The command names that a node gives itself. @see site.ts */
const COMMAND_SERVING = 'rackfire-node';
const COMMAND_STOPPING = 'rackfire-stop';

/**
 * The arguments that make a process a node of ours, found again by {@link readNodeProcesses}.
 *
 * @param installation - The namespace; another installation's nodes are foreign, whatever their names.
 * @param host - The embedded host that the node belongs to.
 */
export function formatMarks(installation: string, host: string, order: BootOrder): string[] {
  return [
    `--rackfire-installation=${installation}`,
    `--rackfire-host=${host}`,
    `--rackfire-name=${order.name}`,
    `--rackfire-uuid=${order.uuid}`,
    `--rackfire-born=${order.bornMs}`,
    `--rackfire-image=${order.imageVersion}`,
    `--rackfire-memory-mib=${order.memoryMiB}`,
    `--rackfire-vcpus=${order.vcpus}`,
    `--rackfire-disk-mib=${order.diskMiB}`,
  ];
}

/**
 * Every embedded node on this machine, of every installation. Dead ones that nobody has waited for yet
 * (zombies) are gone already: they hold no memory and serve nothing.
 *
 * Synchronous on purpose: /proc is memory, a process costs some 10 µs, and a reader that cannot be
 * interrupted sees what it started itself a line earlier.
 *
 * @throws Error when this machine has no /proc.
 */
export function readNodeProcesses(): NodeProcess[] {
  const found: NodeProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    if (/^[0-9]+$/.test(entry)) {
      const node = readNodeProcess(Number(entry));
      if (node !== undefined) {
        found.push(node);
      }
    }
  }
  return found;
}

/** The node that has this pid now; `undefined` when there is none, or it is no node. */
export function readNodeProcess(pid: number): NodeProcess | undefined {
  const commandLine = readProcFile(pid, 'cmdline');
  // The cheap question first: nearly all processes of a machine are not nodes.
  if (!commandLine?.includes('\0--rackfire-installation=')) {
    return undefined;
  }
  const stat = readStat(pid);
  return stat === undefined ? undefined : parseNodeProcess(pid, commandLine, stat);
}

/** True until the process has ended, even when its parent has not yet asked how. */
export function isAlive(process: NodeProcess): boolean {
  return readStat(process.pid)?.startTicks === process.startTicks;
}

/** Exactly this process, seen again: its pid was not handed to another one in the meantime. */
export function isSameProcess(a: NodeProcess, b: NodeProcess): boolean {
  return (
    a.pid === b.pid &&
    a.startTicks === b.startTicks &&
    a.installation === b.installation &&
    a.host === b.host &&
    isSameTenant(a, b)
  );
}

/** The same tenant of a name, by all of its marks; not the one before or after it. */
export function isSameTenant(
  a: { readonly name: string; readonly uuid: string; readonly bornMs: number },
  b: { readonly name: string; readonly uuid: string; readonly bornMs: number },
): boolean {
  return a.name === b.name && a.uuid === b.uuid && a.bornMs === b.bornMs;
}

/**
 * Reads a node out of its command line.
 *
 * @param commandLine - The arguments, each ended by a NUL, as /proc/PID/cmdline has them.
 * @returns `undefined` when a mark is missing, or when they are not a site's own arguments: an editor or
 *   a `grep` that has them on its command line must not be taken for a node.
 */
export function parseNodeProcess(
  pid: number,
  commandLine: string,
  stat: ProcessStat,
): NodeProcess | undefined {
  const words = commandLine.split('\0');
  const first = words.findIndex((word) => word.startsWith('--rackfire-'));
  if (first < 0 || !/(?:^|\/)site\.[jt]s$/.test(words[first - 1] ?? '')) {
    return undefined;
  }
  const marks = new Map<string, string>();
  for (const word of words.slice(first)) {
    const equals = word.indexOf('=');
    marks.set(word.slice(0, equals), word.slice(equals + 1));
  }
  const text = (mark: string): string => marks.get(`--rackfire-${mark}`) ?? '';
  // A missing number becomes NaN rather than 0, so that it fails the test below.
  const amount = (mark: string): number => Number(text(mark) || Number.NaN);

  const node: NodeProcess = {
    pid,
    startTicks: stat.startTicks,
    started: stat.command === COMMAND_SERVING || stat.command === COMMAND_STOPPING,
    installation: text('installation'),
    host: text('host'),
    name: text('name'),
    uuid: text('uuid'),
    state: parseState(stat),
    bornMs: amount('born'),
    imageVersion: text('image'),
    memoryMiB: amount('memory-mib'),
    vcpus: amount('vcpus'),
    diskMiB: amount('disk-mib'),
  };
  const complete =
    [node.installation, node.host, node.name, node.uuid].every((mark) => mark !== '') &&
    [node.bornMs, node.memoryMiB, node.vcpus, node.diskMiB].every((mark) => mark >= 0);
  return complete ? node : undefined;
}

function parseState(stat: ProcessStat): NodeProcess['state'] {
  if (stat.command === COMMAND_STOPPING) {
    return 'stopping';
  }
  return stat.state === 'T' ? 'paused' : 'running';
}

function readStat(pid: number): ProcessStat | undefined {
  const line = readProcFile(pid, 'stat');
  return line === undefined ? undefined : parseStat(line);
}

/**
 * Reads /proc/PID/stat.
 *
 * @returns `undefined` for a dead process.
 * @see proc_pid_stat(5): the name is in parentheses and may contain any character, so what follows it is
 *   counted from the last closing one; the state is field 3, the start time field 22.
 */
export function parseStat(line: string): ProcessStat | undefined {
  const nameEnd = line.lastIndexOf(')');
  const fields = line.slice(nameEnd + 2).split(' ');
  const state = fields[0] ?? '';
  const startTicks = Number(fields[19]);
  if (nameEnd < 0 || !Number.isFinite(startTicks) || state === 'Z' || state === 'X') {
    return undefined;
  }
  return { command: line.slice(line.indexOf('(') + 1, nameEnd), state, startTicks };
}

/** `undefined` when the process ended before or while it was read (ENOENT, ESRCH), or is not ours to read. */
function readProcFile(pid: number, file: 'cmdline' | 'stat'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
