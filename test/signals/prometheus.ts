/** A real Prometheus, of Debian's package, that scrapes pages of this process each second. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The page of the n-th scrape, from 1; undefined: it fails. */
export type PageOf = (scrape: number) => string | undefined;

const READY_DEADLINE_MS = 20_000;

export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #server: Server;
  readonly #directory: string;
  readonly #scrapes: Scrapes;

  private constructor(parts: {
    readonly url: string;
    readonly child: ChildProcess;
    readonly server: Server;
    readonly directory: string;
    readonly scrapes: Scrapes;
  }) {
    this.url = parts.url;
    this.#child = parts.child;
    this.#server = parts.server;
    this.#directory = parts.directory;
    this.#scrapes = parts.scrapes;
  }

  static async start(pageOf: PageOf): Promise<Prometheus> {
    const scrapes = new Scrapes();
    const server = createServer((_, response) => {
      const page = pageOf(scrapes.add());
      response.writeHead(page === undefined ? 503 : 200, { 'content-type': 'text/plain' });
      response.end(page);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const directory = await mkdtemp(join(tmpdir(), 'rackfire-prometheus-'));
    const config = join(directory, 'prometheus.yml');
    await writeFile(
      config,
      `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - { job_name: site, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }
`,
    );
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ];
    const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const url = await readAddress(child);
    return new Prometheus({ url, child, server, directory, scrapes });
  }

  /** When the n-th scrape came, by the wall clock. It has been stored when the next one comes: both are awaited. */
  async scraped(count: number): Promise<number> {
    await this.#scrapes.until(count + 1);
    return this.#scrapes.timeOf(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

class Scrapes {
  readonly #timesMs: number[] = [];
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;

  add(): number {
    const count = this.#timesMs.push(Date.now());
    if (count === this.#awaited?.count) {
      this.#awaited.resolve();
    }
    return count;
  }

  timeOf(count: number): number {
    return this.#timesMs[count - 1] ?? Number.NaN;
  }

  async until(count: number): Promise<void> {
    if (this.#timesMs.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#awaited = { count, resolve };
      await promise;
    }
  }
}

/** The system chooses the port; its log says which one, and that it is ready after that. */
async function readAddress(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  let url: string | undefined;
  const lines = createInterface({ input: child.stderr! });
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_DEADLINE_MS);
  child.on('error', (error) => {
    said.push(`${String(error)}: scripts/setup installs it`);
    lines.close();
  });
  try {
    for await (const line of lines) {
      said.push(line);
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? [];
      url ??= address && `http://${address}`;
      if (url !== undefined && line.includes('Server is ready')) {
        // What it says later must not fill the pipe.
        child.stderr?.resume();
        return url;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`Prometheus did not start: ${said.join('\n')}`);
}
