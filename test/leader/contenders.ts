/** Contenders for leases, each a process of its own, as only other processes feel a lock. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Standing } from '../../src/leader/standing.ts';
import type { Holder } from '../../src/leader/lease-file.ts';
import type { Term } from '../../src/scaler/term.ts';

const program = fileURLToPath(new URL('./contender.ts', import.meta.url));

/** What a contender says. */
type Report = { readonly atMs: number } & (
  | { readonly event: 'ready' | 'closed' }
  | { readonly event: 'standing'; readonly standing: Standing }
  | {
      readonly event: 'started';
      readonly as: 'leader' | 'follower';
      readonly holder: Holder | undefined;
    }
  | { readonly event: 'term'; readonly term: Term | null; readonly lastLedMs: number }
  | { readonly event: 'failed'; readonly message: string }
);

type Event = Report['event'];
type ReportOf<E extends Event> = Extract<Report, { readonly event: E }>;

export class Contender implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #reports: Report[] = [];
  readonly #ended: Promise<unknown>;
  #said = Promise.withResolvers<void>();

  /** @param user - The user id to run as; only root may say one. */
  constructor(user?: number) {
    const args = user === undefined ? [program] : [program, String(user)];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'close');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#reports.push(JSON.parse(line) as Report);
      this.#said.resolve();
      this.#said = Promise.withResolvers();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get reports(): readonly Report[] {
    return this.#reports;
  }

  /** From now on only what it says next counts. */
  async open(path: string): Promise<void> {
    await this.heard('ready');
    this.#reports.splice(1);
    this.#child.stdin.write(`open ${path}\n`);
  }

  async close(): Promise<void> {
    this.#child.stdin.write('close\n');
    await this.heard('closed');
  }

  /** A report like this, once it has come. @throws Error after 20 s, with all that was said. */
  async heard<E extends Event>(
    event: E,
    isMeant: (report: ReportOf<E>) => boolean = () => true,
  ): Promise<ReportOf<E>> {
    const deadline = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => deadline.resolve('late'), 20_000);
    try {
      for (;;) {
        const found = this.#reports.find(
          (report): report is ReportOf<E> =>
            report.event === event && isMeant(report as ReportOf<E>),
        );
        if (found !== undefined) {
          return found;
        }
        if ((await Promise.race([this.#said.promise, deadline.promise])) === 'late') {
          throw new Error(`no ${event} within 20 s: ${JSON.stringify(this.#reports)}`);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** The term that it leads by, once it does. */
  async leads(): Promise<Term> {
    const { term } = await this.heard('term', (report) => report.term !== null);
    return term!;
  }

  /** It knows that this process leads. */
  async follows(pid: number): Promise<void> {
    await this.heard(
      'standing',
      ({ standing }) =>
        standing.kind === 'follower' &&
        standing.holder !== undefined &&
        'pid' in standing.holder &&
        standing.holder.pid === pid,
    );
  }

  /** The milliseconds in which it would have acted, by what its `term()` said. */
  get reigns(): readonly (readonly [fromMs: number, toMs: number])[] {
    const turns = this.#reports.filter((report) => report.event === 'term');
    return turns.flatMap(({ term, atMs }, index): (readonly [number, number])[] =>
      term === null ? [] : [[atMs, turns[index + 1]?.lastLedMs ?? Number.POSITIVE_INFINITY]],
    );
  }

  /** As a crash: no chance to give anything back. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A folder of the test's own. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'rackfire-leader-')));
  }

  /** The path of the lease file, when no other name is said. */
  file(name = 'leader'): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
