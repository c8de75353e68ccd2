/** HAProxy's socket with a gate before it: what is asked through it can be made to wait. */

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

const CATCH_DEADLINE_MS = 30_000;

/** Starts a gate that is open. @param path - Where Rackfire looks for HAProxy. */
export async function openGate(path: string, haproxyPath: string): Promise<SocketGate> {
  const gate = new SocketGate(path, haproxyPath);
  await gate.listen();
  return gate;
}

export class SocketGate implements AsyncDisposable {
  /** Every line that came to the gate. */
  readonly asked: string[] = [];
  readonly #path: string;
  readonly #haproxyPath: string;
  readonly #server: Server;
  #isStopped: (asked: string) => boolean = () => false;
  #opened = Promise.withResolvers<'passes' | 'is lost'>();
  #caught = Promise.withResolvers<void>();

  constructor(path: string, haproxyPath: string) {
    this.#path = path;
    this.#haproxyPath = haproxyPath;
    this.#server = createServer((client) => void this.#pass(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  /**
   * From now on what contains `words` waits at the gate.
   *
   * @returns Resolves when somebody waits. @throws Error when nobody does within 30 s.
   */
  async catch(words: string): Promise<void> {
    this.#isStopped = (asked) => asked.includes(words);
    this.#opened = Promise.withResolvers();
    this.#caught = Promise.withResolvers<void>();
    const { promise, reject } = this.#caught;
    const late = setTimeout(
      () => reject(new Error(`nobody asked HAProxy within 30 s: ${words}`)),
      CATCH_DEADLINE_MS,
    );
    try {
      await promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** Everything passes, also what has waited, and also when whoever asked it has gone. */
  open(): void {
    this.#isStopped = () => false;
    this.#opened.resolve('passes');
  }

  /** Everything passes but what has waited: whoever asked it has gone before HAProxy heard of it. */
  drop(): void {
    this.#isStopped = () => false;
    this.#opened.resolve('is lost');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open();
    this.#server.close();
    await rm(this.#path, { force: true });
  }

  async #pass(client: Socket): Promise<void> {
    // Who gives up waiting may do so at any moment.
    client.on('error', () => undefined);
    const [asked] = (await once(client, 'data')) as [Buffer];
    this.asked.push(asked.toString());
    if (this.#isStopped(asked.toString())) {
      const opened = this.#opened.promise;
      this.#caught.resolve();
      if ((await opened) === 'is lost') {
        client.destroy();
        return;
      }
    }
    const haproxy = connect({ path: this.#haproxyPath });
    haproxy.on('error', () => client.destroy());
    haproxy.write(asked);
    haproxy.pipe(client);
  }
}
