/** `rackfire demo` as a user runs it: a process that prints lines, which a test may meddle with. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { until } from '../balancer/site.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const Summary = z.strictObject({
  failedRequests: z.number(),
  totalRequests: z.number(),
  peakNodes: z.number(),
  finalNodes: z.number(),
  secondsToFirstNode: z.number().nullable(),
  secondsToCatchUp: z.number().nullable(),
  p99OnsetSeconds: z.number().nullable(),
  p99AfterSeconds: z.number().nullable(),
  standstillSeconds: z.number(),
  leftovers: z.number(),
});

export type Summary = z.output<typeof Summary>;

/** One line of progress. */
export interface Progress {
  readonly atSeconds: number;
  readonly nodes: number;
}

export interface DemoOptions {
  readonly args?: readonly string[];
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export class DemoProcess {
  readonly #child: ChildProcess;
  readonly #stderr: string[] = [];
  readonly #stdout: string[] = [];
  readonly #exited: Promise<unknown>;
  #onLine: (() => void)[] = [];

  constructor({ args = [], env = {} }: DemoOptions = {}) {
    this.#child = spawn(process.execPath, [MAIN, 'demo', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#exited = once(this.#child, 'close').then(() => this.#wake());
    this.#collect(this.#child.stderr, this.#stderr);
    this.#collect(this.#child.stdout, this.#stdout);
  }

  /** Waits until a line, of progress for the most part, is what was asked for. */
  async until(isReached: (progress: Progress, line: string) => boolean): Promise<void> {
    while (!this.#stderr.some((line) => isReached(parseProgress(line), line))) {
      await this.#nextLine();
    }
  }

  /** A pid or path that the demo printed. */
  printed(pattern: RegExp): string {
    const match = pattern.exec(this.#stderr.join('\n'))?.[1];
    if (match === undefined) {
      throw new Error(`the demo did not print ${pattern}:\n${this.log()}`);
    }
    return match;
  }

  /** The object on the last line. */
  async summary(): Promise<Summary> {
    await this.#exited;
    const last = this.#stdout.at(-1);
    if (last === undefined) {
      throw new Error(`the demo printed no summary:\n${this.log()}`);
    }
    return Summary.parse(JSON.parse(last));
  }

  /** Every line of progress so far. */
  get progress(): readonly Progress[] {
    return this.#stderr.map(parseProgress).filter(({ nodes }) => !Number.isNaN(nodes));
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  log(): string {
    return this.#stderr.join('\n');
  }

  /** As on a machine that has no time for it; what it has started goes on. */
  async standStill(forMs: number): Promise<void> {
    const startedAtMs = performance.now();
    this.#child.kill('SIGSTOP');
    try {
      await until(
        () => performance.now() - startedAtMs,
        (passedMs) => passedMs >= forMs,
      );
    } finally {
      this.#child.kill('SIGCONT');
    }
  }

  /** Ctrl-C, and once more by who cannot wait; the demo tears its world down. */
  async interruptTwice(): Promise<void> {
    this.#child.kill('SIGINT');
    await this.until((_, line) => line === 'tearing down');
    this.#child.kill('SIGINT');
    await this.#exited;
  }

  #collect(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (stream !== null) {
      createInterface(stream).on('line', (line) => {
        lines.push(line);
        this.#wake();
      });
    }
  }

  async #nextLine(): Promise<void> {
    if (this.#child.exitCode !== null) {
      throw new Error(`the demo has ended:\n${this.log()}`);
    }
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

/** Starts the service on a config that a demo printed, as its user would after a crash. */
export function startService(configFile: string): ChildProcess {
  return spawn(process.execPath, [MAIN, 'run', '-c', configFile], { stdio: 'ignore' });
}

function parseProgress(line: string): Progress {
  const [, seconds, nodes] = /^ *([0-9]+) s .* ([0-9]+) nodes/.exec(line) ?? [];
  return { atSeconds: Number(seconds ?? Number.NaN), nodes: Number(nodes ?? Number.NaN) };
}
