/** A web server that is no node of ours, at an address where one is expected. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_PORT } from './site-config.ts';

/** As a node's. */
const SERVICE_MS = 200;
const LISTEN_DEADLINE_MS = 5_000;
const RETRY_MS = 2;

export class Stranger implements AsyncDisposable {
  readonly #server: Server;
  #visits = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      request.resume();
      if (request.url === '/health') {
        response.end('ok\n');
      } else {
        this.#visits += 1;
        setTimeout(() => response.end('who are you?\n'), SERVICE_MS);
      }
    });
  }

  /** Listens at a node's port of this address, as soon as whoever does so now is gone. */
  static async at(address: string): Promise<Stranger> {
    const stranger = new Stranger();
    const deadlineMs = performance.now() + LISTEN_DEADLINE_MS;
    for (;;) {
      try {
        stranger.#server.listen(NODE_PORT, address);
        await once(stranger.#server, 'listening');
        return stranger;
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || performance.now() > deadlineMs) {
          throw error;
        }
        await sleep(RETRY_MS);
      }
    }
  }

  /** Requests that were no checks. */
  get visits(): number {
    return this.#visits;
  }

  /** Nobody has ended it. */
  get isListening(): boolean {
    return this.#server.listening;
  }

  /** Goes as a process does that is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, 'close');
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
  }
}
