/** What stands between one replica and others: a way to the API server, and one to HAProxy's socket. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** `cut`: nothing passes and nobody says so, as behind a firewall. `refused`: nobody listens. */
export type Way = 'open' | 'cut' | 'refused' | { readonly delayAnswersMs: number };

/** Lets connections through, to a port of 127.0.0.1, as far as its way is open. */
export class Link implements AsyncDisposable {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #way: Way = 'open';

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async open(targetPort: number): Promise<Link> {
    const link = new Link(targetPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on, for whoever is connected, too. */
  turn(way: Way): void {
    this.#way = way;
    if (way === 'refused') {
      this.#cutAll();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#cutAll();
    await closed;
  }

  #serve(client: Socket): void {
    if (this.#way === 'refused') {
      client.destroy();
      return;
    }
    const server = connect(this.#targetPort, '127.0.0.1');
    this.#keep(client, server);
    this.#keep(server, client);
    client.on('data', (chunk) => this.#pass(chunk, server, 0));
    server.on('data', (chunk) => {
      const delayMs = typeof this.#way === 'object' ? this.#way.delayAnswersMs : 0;
      this.#pass(chunk, client, delayMs);
    });
  }

  #pass(chunk: Buffer, to: Socket, delayMs: number): void {
    const write = (): void => {
      // What is on its way when a line is cut does not arrive.
      if (this.#way !== 'cut' && to.writable) {
        to.write(chunk);
      }
    };
    if (delayMs === 0) {
      write();
    } else {
      setTimeout(write, delayMs).unref();
    }
  }

  #keep(socket: Socket, peer: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      peer.destroy();
    });
  }

  #cutAll(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}

/** A command that changes something at HAProxy, as one replica has sent it. */
export interface BalancerCommand {
  readonly atMs: number;
  readonly command: string;
}

/** HAProxy's stats socket, as one replica reaches it: what it tells HAProxy is noted. */
export class SocketTap implements AsyncDisposable {
  readonly commands: BalancerCommand[] = [];
  readonly #server: Server;
  readonly #path: string;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, target: string) {
    this.#path = path;
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async open(path: string, target: string): Promise<SocketTap> {
    const tap = new SocketTap(path, target);
    await tap.listen();
    return tap;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  /** Nobody listens there any more, until {@link listen}. */
  async close(): Promise<void> {
    if (!this.#server.listening) {
      return;
    }
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #serve(client: Socket): void {
    const haproxy = connect({ path: this.#target });
    for (const [socket, peer] of [
      [client, haproxy],
      [haproxy, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        peer.end();
      });
    }
    client.on('data', (chunk: Buffer) => {
      this.#note(chunk.toString('utf8'));
      haproxy.write(chunk);
    });
    haproxy.on('data', (chunk) => client.write(chunk));
  }

  #note(sent: string): void {
    const atMs = Date.now();
    for (const command of sent.split(/[;\n]/).map((one) => one.trim())) {
      // `set severity-output` is of the connection alone.
      if (/^(?:set server|enable|disable|add|del|clear) /.test(command)) {
        this.commands.push({ atMs, command });
      }
    }
  }
}
