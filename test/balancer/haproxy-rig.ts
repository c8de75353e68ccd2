/** Real HAProxies in master-worker mode for tests, on loopback, in a folder of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listWorkers } from '../../src/balancer/runtime/workers.ts';
import { until } from './site.ts';

export interface RigPaths {
  readonly folder: string;
  readonly socketPath: string;
  readonly masterSocketPath: string;
  readonly stateFilePath: string;
  readonly configPath: string;
}

export interface HaproxyRig extends RigPaths, AsyncDisposable {
  readonly masterPid: number;
  /** Worker pids that were started and have not been seen to end; the newest last. */
  workerPids(): readonly number[];
  /** Everything HAProxy wrote. */
  log(): string;
  /** SIGUSR2; resolves when the new worker runs. Old workers may still serve. */
  reload(): Promise<void>;
  /** Ends the master and all workers at once, as a crash would. The folder stays until disposal. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the config and the state file as they are then. */
  start(): Promise<void>;
}

/**
 * Starts `haproxy -W`; resolves when it listens.
 *
 * @param render - Makes the config; it must put the `stats socket` at `socketPath`.
 * @param folder - Where to live; it stays the caller's. By default one of its own, gone at disposal.
 */
export async function startHaproxy(
  render: (paths: RigPaths) => string,
  folder?: string,
): Promise<HaproxyRig> {
  // HAProxy's sockets have short names at most, so the folder is not below a long TMPDIR of a test runner.
  const home = folder ?? (await mkdtemp(join(tmpdir(), 'rackfire-haproxy-')));
  const paths: RigPaths = {
    folder: home,
    socketPath: join(home, 'admin.sock'),
    masterSocketPath: join(home, 'master.sock'),
    stateFilePath: join(home, 'server-state'),
    configPath: join(home, 'haproxy.cfg'),
  };
  await writeFile(paths.configPath, render(paths));
  const rig = new Rig(paths, folder === undefined);
  try {
    await rig.start();
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
  return rig;
}

class Rig implements HaproxyRig {
  readonly folder: string;
  readonly socketPath: string;
  readonly masterSocketPath: string;
  readonly stateFilePath: string;
  readonly configPath: string;
  readonly #ownsFolder: boolean;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  readonly #lines: string[] = [];
  readonly #workers = new Set<number>();
  #loads = 0;
  #reloads = 0;
  #onChange: (() => void)[] = [];

  constructor(paths: RigPaths, ownsFolder: boolean) {
    this.folder = paths.folder;
    this.socketPath = paths.socketPath;
    this.masterSocketPath = paths.masterSocketPath;
    this.stateFilePath = paths.stateFilePath;
    this.configPath = paths.configPath;
    this.#ownsFolder = ownsFolder;
  }

  async start(): Promise<void> {
    this.#workers.clear();
    this.#loads = 0;
    this.#reloads = 0;
    const child = spawn('haproxy', ['-W', '-S', this.masterSocketPath, '-f', this.configPath], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.#exited = once(child, 'close').then(() => this.#changed());
    createInterface(child.stderr).on('line', (line) => this.#read(line));
    await this.#loaded(1);
  }

  get masterPid(): number {
    return this.#child?.pid ?? 0;
  }

  workerPids(): readonly number[] {
    return [...this.#workers];
  }

  log(): string {
    return this.#lines.join('\n');
  }

  async reload(): Promise<void> {
    this.#reloads += 1;
    const loads = 1 + this.#reloads;
    this.#child?.kill('SIGUSR2');
    await this.#loaded(loads);
  }

  async kill(): Promise<void> {
    // The master does not end its workers when it is killed itself, so each is ended by its own pid.
    this.#child?.kill('SIGKILL');
    for (const pid of this.#workers) {
      endProcess(pid);
    }
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRunning) {
      await this.kill();
    }
    if (this.#ownsFolder) {
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  get #isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Resolves after the master has announced its n-th successful load, and answers: right after it, it
   * executes itself again and for a moment nobody listens at its socket.
   */
  async #loaded(loads: number): Promise<void> {
    while (this.#loads < loads) {
      if (!this.#isRunning) {
        throw new Error(`haproxy ended:\n${this.log()}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onChange.push(resolve);
      await promise;
    }
    await until(
      () => listWorkers(this.masterSocketPath, AbortSignal.timeout(1_000)).catch(() => undefined),
      (list) => list?.currentPids[0] === this.workerPids().at(-1),
    );
  }

  #read(line: string): void {
    this.#lines.push(line);
    const [, started] = /New worker \(([0-9]+)\) forked/.exec(line) ?? [];
    if (started !== undefined) {
      this.#workers.add(Number(started));
    }
    const [, ended] = /(?:worker|Worker) \(([0-9]+)\) exited/.exec(line) ?? [];
    if (ended !== undefined) {
      this.#workers.delete(Number(ended));
    }
    if (line.includes('Loading success.')) {
      this.#loads += 1;
    }
    this.#changed();
  }

  #changed(): void {
    const waiting = this.#onChange;
    this.#onChange = [];
    for (const resolve of waiting) {
      resolve();
    }
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
