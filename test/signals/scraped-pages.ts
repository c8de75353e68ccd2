/** Pages of this process, and a real Prometheus that scrapes them each second. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Prometheus } from './prometheus.ts';

/** The page of the n-th scrape, from 1; undefined: it fails. */
export type PageOf = (scrape: number) => string | undefined;

export class ScrapedPages implements AsyncDisposable {
  /** Of the Prometheus. */
  readonly url: string;
  readonly #prometheus: Prometheus;
  readonly #server: Server;
  readonly #scrapes: Scrapes;

  private constructor(prometheus: Prometheus, server: Server, scrapes: Scrapes) {
    this.url = prometheus.url;
    this.#prometheus = prometheus;
    this.#server = server;
    this.#scrapes = scrapes;
  }

  static async start(pageOf: PageOf): Promise<ScrapedPages> {
    const scrapes = new Scrapes();
    const server = createServer((_, response) => {
      const page = pageOf(scrapes.add());
      response.writeHead(page === undefined ? 503 : 200, { 'content-type': 'text/plain' });
      response.end(page);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const prometheus = await Prometheus.start({ target: `127.0.0.1:${port}` });
    return new ScrapedPages(prometheus, server, scrapes);
  }

  /** When the n-th scrape came, by the wall clock. It has been stored when the next one comes: both are awaited. */
  async scraped(count: number): Promise<number> {
    await this.#scrapes.until(count + 1);
    return this.#scrapes.timeOf(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prometheus[Symbol.asyncDispose]();
    this.#server.closeAllConnections();
    this.#server.close();
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
