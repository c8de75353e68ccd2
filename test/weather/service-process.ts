/** One Rackfire, as a process that may be killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Meddling } from './meddled-service.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const MEDDLED = fileURLToPath(new URL('./meddled-service.ts', import.meta.url));

/** One line of the log. */
export interface LogLine {
  readonly level: number;
  /** Wall clock, milliseconds. */
  readonly time: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A message, or what has to be true of the line. */
export type LineMatch = string | ((line: LogLine) => boolean);

const TOLD_DEADLINE_MS = 30_000;

export class ServiceProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #lines: LogLine[] = [];
  /** What is no log line: crashes, complaints about the config. */
  readonly #noise: string[] = [];
  #onLine: (() => void)[] = [];

  /**
   * @param meddling - Starts the meddled service; by default it is `rackfire run`.
   * @param environment - Beside what this process has.
   */
  constructor(
    configFile: string,
    meddling?: Meddling,
    environment: Readonly<Record<string, string>> = {},
  ) {
    const env = { ...process.env, ...environment };
    this.#child =
      meddling === undefined
        ? spawn(process.execPath, [MAIN, 'run', '-c', configFile], {
            stdio: ['ignore', 'pipe', 'pipe'],
            env,
          })
        : spawn(process.execPath, [MEDDLED, configFile, JSON.stringify(meddling)], {
            stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
            env,
          });
    this.#exited = once(this.#child, 'close').then(() => this.#wake());
    this.#collect(this.#child.stdout);
    this.#collect(this.#child.stderr);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** All that was logged so far. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** All lines so far that match. */
  found(match: LineMatch): readonly LogLine[] {
    return this.#lines.filter((line) => isMatch(line, match));
  }

  /**
   * Waits for a line.
   *
   * @param since - Only lines from this index on count; `service.lines.length` is now.
   * @returns The first line that matches.
   * @throws Error when the service ends, or that time passes, without one.
   */
  async told(match: LineMatch, since = 0, withinMs = TOLD_DEADLINE_MS): Promise<LogLine> {
    const what = typeof match === 'string' ? JSON.stringify(match) : String(match);
    const deadline = AbortSignal.timeout(withinMs);
    const onDeadline = (): void => this.#wake();
    deadline.addEventListener('abort', onDeadline, { once: true });
    try {
      for (;;) {
        const line = this.#lines.slice(since).find((one) => isMatch(one, match));
        if (line !== undefined) {
          return line;
        }
        if (!this.isRunning || deadline.aborted) {
          const why = deadline.aborted ? `within ${withinMs / 1_000} s` : 'before it ended';
          throw new Error(`Rackfire did not log ${what} ${why}`);
        }
        await this.#nextLine();
      }
    } finally {
      deadline.removeEventListener('abort', onDeadline);
    }
  }

  /** Tells a meddled service what to do otherwise from now on. */
  meddle(change: Meddling): void {
    this.#child.send(change);
  }

  /** SIGTERM; resolves when it has ended. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }

  /** SIGKILL; resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Resolves when it has ended, by itself or by whatever else. */
  async ended(): Promise<void> {
    await this.#exited;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The last lines, for people. */
  tail(count: number): string {
    const lines = this.#lines.map((line) => JSON.stringify(line));
    const end = this.isRunning ? 'runs' : `ended, ${this.#child.signalCode ?? this.exitCode}`;
    return [`pid ${this.pid}, ${end}`, ...lines.slice(-count), ...this.#noise.slice(-count)].join(
      '\n',
    );
  }

  /** Its whole output, for a file. */
  output(): string {
    return [...this.#lines.map((line) => JSON.stringify(line)), ...this.#noise, ''].join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #collect(stream: NodeJS.ReadableStream | null): void {
    if (stream !== null) {
      createInterface(stream).on('line', (line) => this.#read(line));
    }
  }

  #read(line: string): void {
    if (line.startsWith('{"level"')) {
      this.#lines.push(JSON.parse(line) as LogLine);
    } else {
      this.#noise.push(line);
    }
    this.#wake();
  }

  async #nextLine(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onLine.push(resolve);
    await promise;
  }

  #wake(): void {
    for (const resolve of this.#onLine.splice(0)) {
      resolve();
    }
  }
}

function isMatch(line: LogLine, match: LineMatch): boolean {
  return typeof match === 'string' ? line.msg === match : match(line);
}
