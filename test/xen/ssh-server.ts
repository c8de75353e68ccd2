import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server as TcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ServerChannel } from 'ssh2';
import type { SshSettings } from '../../src/xen/ssh-connection.ts';

/**
 * Carries a command out, as a forced command would: writes to `channel` and `channel.stderr`, and ends with
 * `channel.exit(code)` and `channel.end()`. One that does neither hangs.
 */
export type CommandHandler = (command: string, channel: ServerChannel) => void;

/** A key pair in OpenSSH's format. */
export interface KeyPair {
  readonly private: string;
  readonly public: string;
}

/**
 * ECDSA, so that a host can have keys of two types. Of the Ed25519 keys that ssh2 makes, three in a thousand are
 * malformed for itself and for OpenSSH.
 */
export function generateKey(type: 'ed25519' | 'ecdsa' = 'ed25519'): KeyPair {
  for (let left = 10; left > 0; left -= 1) {
    const pair =
      type === 'ed25519'
        ? ssh2.utils.generateKeyPairSync('ed25519')
        : ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) {
      return pair;
    }
  }
  throw new Error('ssh2 made no usable key');
}

/** Answers at once and ends. */
export function answer(
  channel: ServerChannel,
  { stdout = '', stderr = '', code = 0 }: { stdout?: string; stderr?: string; code?: number },
): void {
  channel.stderr.write(stderr);
  channel.write(stdout);
  channel.exit(code);
  channel.end();
}

/** A real SSH server of this process, whose faults a test switches on and off. */
export class TestSshServer implements AsyncDisposable {
  /** Of the client: its key, and the known_hosts with this server's first key. */
  readonly directory = mkdtempSync(join(tmpdir(), 'rackfire-ssh-'));
  readonly hostKeys: readonly KeyPair[];
  readonly clientKey = generateKey();
  /** Every command that came, in order. */
  readonly commands: string[] = [];
  /** Connections that were taken since the start. */
  connections = 0;
  handler: CommandHandler;
  refusesAuth = false;
  refusesSessions = false;
  refusesCommands = false;
  /** Cuts the connection when a command has come, before a word is said about it. */
  cutsAtCommands: 'by a reset' | 'by hanging up' | 'not' = 'not';
  /** New connections get no word until `releaseHandshakes`. */
  holdsHandshakes = false;
  #tcp: TcpServer | undefined;
  #port = 0;
  readonly #ssh: ssh2.Server;
  readonly #sockets = new Set<Socket>();
  #held: Socket[] = [];

  static async start(
    handler: CommandHandler,
    hostKeys: readonly KeyPair[] = [generateKey()],
  ): Promise<TestSshServer> {
    const server = new TestSshServer(handler, hostKeys);
    await server.listen();
    writeFileSync(server.settings.keyFile, server.clientKey.private, { mode: 0o600 });
    server.writeKnownHosts(`[127.0.0.1]:${server.#port} ${hostKeys[0]?.public}\n`);
    return server;
  }

  private constructor(handler: CommandHandler, hostKeys: readonly KeyPair[]) {
    this.handler = handler;
    this.hostKeys = hostKeys;
    this.#ssh = new ssh2.Server({ hostKeys: hostKeys.map((key) => key.private) }, (client) =>
      this.#serve(client),
    );
  }

  get settings(): SshSettings {
    return {
      address: '127.0.0.1',
      port: this.#port,
      user: 'rackfire',
      keyFile: join(this.directory, 'key'),
      knownHostsFile: join(this.directory, 'known_hosts'),
    };
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  writeKnownHosts(text: string): void {
    writeFileSync(this.settings.knownHostsFile, text);
  }

  /** Opens the port; again the same one after `stopListening`. */
  async listen(): Promise<void> {
    this.#tcp = createServer({ noDelay: true }, (socket) => this.#take(socket)).listen(
      this.#port,
      '127.0.0.1',
    );
    await once(this.#tcp, 'listening');
    this.#port = (this.#tcp.address() as AddressInfo).port;
  }

  /** Refuses new connections; those that are open stay. */
  stopListening(): void {
    this.#tcp?.close();
  }

  /** Cuts every connection without a word, as a host does that loses its power. */
  reset(): void {
    for (const socket of this.#sockets) {
      socket.resetAndDestroy();
    }
  }

  /** Ends every connection properly, as a sshd does that is stopped. */
  hangUp(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  /** Hears nothing any more and says nothing, as a host whose kernel hangs: keep-alives get no answer. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.pause();
    }
  }

  releaseHandshakes(): void {
    this.holdsHandshakes = false;
    const held = this.#held;
    this.#held = [];
    for (const socket of held) {
      this.#ssh.injectSocket(socket);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopListening();
    this.reset();
    rmSync(this.directory, { recursive: true });
    await Promise.resolve();
  }

  #take(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    if (this.holdsHandshakes) {
      this.#held.push(socket);
    } else {
      this.#ssh.injectSocket(socket);
    }
  }

  #serve(client: ssh2.Connection): void {
    const clientKey = ssh2.utils.parseKey(this.clientKey.public);
    if (clientKey instanceof Error) {
      throw clientKey;
    }
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      const isKnown =
        context.method === 'publickey' && context.key.data.equals(clientKey.getPublicSSH());
      if (isKnown && !this.refusesAuth) {
        context.accept();
      } else {
        context.reject(['publickey']);
      }
    });
    client.on('session', (accept, reject) => {
      if (this.refusesSessions) {
        reject();
        return;
      }
      accept().on('exec', (acceptExec, rejectExec, { command }) => {
        if (this.refusesCommands) {
          rejectExec();
          return;
        }
        if (this.cutsAtCommands !== 'not') {
          this.commands.push(command);
          if (this.cutsAtCommands === 'by a reset') {
            this.reset();
          } else {
            this.hangUp();
          }
          return;
        }
        const channel = acceptExec();
        channel.on('error', () => undefined);
        this.commands.push(command);
        this.handler(command, channel);
      });
    });
  }
}
