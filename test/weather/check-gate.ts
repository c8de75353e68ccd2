/** Stands between HAProxy's checks and the nodes, and lets no check through where a row wants it. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { NODE_PORT } from './site-config.ts';

/** In each site's subnet, an address that nobody else has. */
const GATE_HOST_NUMBER = 4;
const FIRST_GATE_PORT = 9_000;

/** Visitors' requests go to the nodes as ever; their checks come through here. */
export class CheckGate implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #held = new Set<number>();
  /** Connections that wait at a closed gate, by node number. */
  readonly #waiting: { readonly number: number; readonly pass: () => void }[] = [];

  /** Sends the checks of each declared server this way. @param text - HAProxy's config. */
  install(text: string): string {
    return text.replaceAll(
      /^ +server \S+-([0-9]+) (([0-9.]+)\.[0-9]+):[0-9]+/gm,
      (line, number: string, address: string, subnet: string) => {
        const host = `${subnet}.${GATE_HOST_NUMBER}`;
        const port = FIRST_GATE_PORT + Number(number);
        this.#listen(Number(number), address, { host, port });
        return `${line} addr ${host} port ${port}`;
      },
    );
  }

  /** Its checks are not answered from now on. */
  hold(number: number): void {
    this.#held.add(number);
  }

  /** Its checks are answered again, also those that have waited. */
  release(number: number): void {
    this.#held.delete(number);
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.number === number) {
        waiting.pass();
      } else {
        this.#waiting.push(waiting);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.map(async (server) => {
        await new Promise((resolve) => {
          server.close(resolve);
        });
      }),
    );
  }

  #listen(number: number, address: string, at: { readonly host: string; readonly port: number }) {
    const server = createServer((check) => {
      check.on('error', () => undefined);
      const pass = (): void => forward(check, address);
      if (this.#held.has(number)) {
        this.#waiting.push({ number, pass });
      } else {
        pass();
      }
    });
    server.listen(at);
    // A site that could not be started must not keep the test runner from ending.
    server.unref();
    this.#servers.push(server);
  }
}

/** HAProxy may have given up long since, and the node may not listen yet. */
function forward(check: Socket, address: string): void {
  const node = connect({ host: address, port: NODE_PORT });
  node.on('error', () => check.destroy());
  check.on('close', () => node.destroy());
  node.pipe(check);
  check.pipe(node);
}
