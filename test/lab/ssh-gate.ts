/** Stands between Rackfire and a host's sshd, and cuts their connections when a scenario wants it. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

const SSH_PORT = 22;

export class SshGate implements AsyncDisposable {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(address: string) {
    this.#server = createServer((rackfire) => {
      const sshd = connect({ host: address, port: SSH_PORT });
      for (const socket of [rackfire, sshd]) {
        this.#open.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#open.delete(socket);
          rackfire.destroy();
          sshd.destroy();
        });
      }
      rackfire.pipe(sshd);
      sshd.pipe(rackfire);
    });
  }

  /** @param port - Of loopback. @param address - Of the host. */
  static async open(port: number, address: string): Promise<SshGate> {
    const gate = new SshGate(address);
    gate.#server.listen(port, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  /** Ends all connections without a word. @returns How many there were. */
  cut(): number {
    const count = this.#open.size / 2;
    for (const socket of this.#open) {
      socket.resetAndDestroy();
    }
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
