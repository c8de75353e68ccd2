/** Stands between Rackfire and HAProxy's stats socket, and lets through what the weather lets through. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `gone`: nobody listens there. `hanging`: a connection is accepted and never answered. `cut`: HAProxy does
 * what it was told, and a part of its answer is lost, at first the second half. `garbage`: something answers
 * that is not HAProxy. `wrapping`: counters begin at 0 again and again, without a reload.
 */
export type SocketWeather = 'clear' | 'gone' | 'hanging' | 'cut' | 'garbage' | 'wrapping';

/** How much of an answer is left, in turn: within the first table, within each of the others, without its end. */
const CUTS = [0.5, 0.7, 0.9, 0.99];
/** In turn; the last one has as many parts as an answer to Rackfire's question. */
const GARBAGE = [
  'HTTP/1.1 400 Bad Request\r\n\r\n',
  '\u0000\u0007\n\n\n\n\n',
  '\nName: HAProxy\n\n# pxname,svname,\n\n1\n# \n\n',
];
/** Less than a site has in two seconds, so that each other reading or so is smaller than the one before. */
const WRAP_AT = 100;

export class SocketProxy implements AsyncDisposable {
  readonly #path: string;
  readonly #target: string;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  #weather: SocketWeather = 'gone';
  /** Answers given in this weather. */
  #answers = 0;

  private constructor(path: string, target: string) {
    this.#path = path;
    this.#target = target;
  }

  /** @param target - HAProxy's own socket. */
  static async start(path: string, target: string): Promise<SocketProxy> {
    const proxy = new SocketProxy(path, target);
    await proxy.turn('clear');
    return proxy;
  }

  /**
   * From now on. Who has asked already is answered as in the weather before, unless it hangs: to break a question off
   * would be a weather of its own, and whether there is one just then is chance.
   */
  async turn(weather: SocketWeather): Promise<void> {
    await this.#untilNobodyAsks();
    this.#weather = weather;
    this.#answers = 0;
    if (weather === 'gone') {
      const closed = this.#server && once(this.#server, 'close');
      this.#server?.close();
      this.#server = undefined;
      await closed;
    } else if (this.#server === undefined) {
      this.#server = createServer((client) => this.#serve(client));
      this.#server.listen(this.#path);
      await once(this.#server, 'listening');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn('gone');
  }

  async #untilNobodyAsks(): Promise<void> {
    for (const socket of this.#open) {
      if (this.#weather === 'hanging') {
        socket.destroy();
      }
      await new Promise((resolve) => {
        socket.once('close', resolve);
      });
    }
  }

  #serve(client: Socket): void {
    this.#keep(client);
    switch (this.#weather) {
      case 'gone':
        client.destroy();
        return;
      case 'hanging':
        client.resume();
        return;
      case 'garbage':
        client.once('data', () => client.end(this.#nextOf(GARBAGE) ?? ''));
        return;
      case 'clear':
      case 'cut':
      case 'wrapping':
        this.#forward(client);
    }
  }

  #forward(client: Socket): void {
    const weather = this.#weather;
    const haproxy = connect({ path: this.#target });
    this.#keep(haproxy);
    const chunks: Buffer[] = [];
    client.on('data', (line) => haproxy.write(line));
    client.on('close', () => haproxy.destroy());
    haproxy.on('data', (chunk) => chunks.push(chunk));
    haproxy.on('close', () => {
      const answer = Buffer.concat(chunks).toString('utf8');
      client.end(this.#spoil(answer, weather));
    });
  }

  #spoil(answer: string, weather: SocketWeather): string {
    if (weather === 'cut') {
      return answer.slice(0, answer.length * (this.#nextOf(CUTS) ?? 0));
    }
    return weather === 'wrapping' ? wrapCounters(answer) : answer;
  }

  #nextOf<T>(list: readonly T[]): T | undefined {
    this.#answers += 1;
    return list[(this.#answers - 1) % list.length];
  }

  /** Whatever breaks, breaks both sides, as it would without anybody in between. */
  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#open.delete(socket));
  }
}

/** Takes the requests of each backend modulo a small number, in `show stat`. */
function wrapCounters(answer: string): string {
  let position = -1;
  return answer
    .split('\n')
    .map((line) => {
      const fields = line.split(',');
      if (line.startsWith('# pxname,')) {
        position = fields.indexOf('stot');
      } else if (fields[1] === 'BACKEND') {
        fields[position] = String(Number(fields[position]) % WRAP_AT);
      }
      return fields.join(',');
    })
    .join('\n');
}
