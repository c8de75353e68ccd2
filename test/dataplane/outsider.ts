/** Somebody else who uses the same daemon, and keeps to its rules. */

import { createSystemClock } from '../../src/control/clock.ts';
import type { Daemon } from '../balancer/dataplane/daemon-rig.ts';
import { type Answer, ask, configured, services } from './api.ts';

const everyMs = 200;
/** One write in so many needs a reload. */
const writesPerReload = 12;

type Fields = Readonly<Record<string, unknown>>;

export class Outsider implements AsyncDisposable {
  /** What it has written last, by server. */
  readonly written = new Map<string, Fields>();
  /** How often somebody else was quicker. */
  conflicts = 0;
  /** How often the daemon had to reload HAProxy for what it wrote. */
  reloads = 0;
  writes = 0;
  readonly #daemon: Daemon;
  readonly #servers: readonly string[];
  readonly #end = new AbortController();
  readonly #done: Promise<void>;

  /** Writes a weight into one of the servers' lines each 200 ms, and now and then a limit. */
  constructor(daemon: Daemon, servers: readonly string[]) {
    this.#daemon = daemon;
    this.#servers = servers;
    this.#done = this.#work();
    // Told at the end, to whom it is disposed by.
    this.#done.catch(() => undefined);
  }

  /** Finishes what it is at. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async #work(): Promise<void> {
    const clock = createSystemClock();
    while (!this.#end.signal.aborted) {
      this.writes += 1;
      const server = this.#servers[this.writes % this.#servers.length] ?? '';
      await this.#write(
        server,
        this.writes % writesPerReload === 0
          ? { maxconn: 20 + this.writes }
          : { weight: 1 + (this.writes % 50) },
      );
      await clock.sleep(everyMs, this.#end.signal).catch(() => undefined);
    }
  }

  async #write(server: string, change: Fields): Promise<void> {
    const { generation } = this.#daemon;
    for (;;) {
      const version = await this.#get(services(generation, '/configuration/version'));
      const answer = await this.#get(configured(generation, `/${server}`));
      const fields = generation === 'v2' && isFields(answer) ? answer['data'] : answer;
      const { status, body } = await ask(this.#daemon, {
        method: 'PUT',
        path: configured(generation, `/${server}`, `version=${String(version)}`),
        body: isFields(fields) ? { ...fields, ...change } : undefined,
      });
      if (status === 200 || status === 202) {
        this.written.set(server, { ...this.written.get(server), ...change });
        this.reloads += status === 202 ? 1 : 0;
        return;
      }
      if (status !== 409) {
        throw new Error(`the outsider was answered ${status}: ${JSON.stringify(body)}`);
      }
      this.conflicts += 1;
    }
  }

  async #get(path: string): Promise<Answer['body']> {
    const { status, body } = await ask(this.#daemon, { method: 'GET', path });
    if (status !== 200) {
      throw new Error(`the outsider asked ${path} and was answered ${status}`);
    }
    return body;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
