/** Runs the commands as their users do: as processes. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A service, or a command, that runs. */
export class RunningCommand implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  #stdout = '';
  #stderr = '';

  constructor(...args: readonly string[]) {
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A test runner on a terminal asks for colors; nobody sees them here.
      env: { ...process.env, FORCE_COLOR: undefined },
    });
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr += chunk;
    });
    this.outcome = once(child, 'close').then(([code]: (number | null)[]) => ({
      code: code ?? null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** The log line with this message, once it has been written. */
  async told(msg: string): Promise<unknown> {
    for (;;) {
      const line = this.#stdout.split('\n').find((one) => one.includes(`"msg":"${msg}"`));
      if (line !== undefined) {
        return JSON.parse(line);
      }
      await once(this.child.stdout!, 'data');
    }
  }

  /** All that it has printed so far, once it has printed this. @throws After 20 s. */
  async printed(part: string): Promise<string> {
    return await heard(this.child.stdout!, () => this.#stdout, part);
  }

  /** The same of its complaints. */
  async complained(part: string): Promise<string> {
    return await heard(this.child.stderr!, () => this.#stderr, part);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.outcome;
  }
}

async function heard(stream: Readable, textOf: () => string, part: string): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  while (!textOf().includes(part)) {
    await once(stream, 'data', { signal });
  }
  return textOf();
}

/** Runs a command to its end. */
export async function rackfire(...args: readonly string[]): Promise<Outcome> {
  await using command = new RunningCommand(...args);
  return await command.outcome;
}

/** A folder of the test's own, with files in it. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(files: Readonly<Record<string, string>> = {}): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), 'rackfire-cli-')));
    for (const [name, content] of Object.entries(files)) {
      await writeFile(folder.file(name), content);
    }
    return folder;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
