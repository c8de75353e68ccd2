/** A tier under load: real nodes, a real HAProxy, a daemon beside it, and Rackfire's balancer in front of that. */

import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { parseServerStates } from '../../src/balancer/haproxy/server-states.ts';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { type LoadRun, startLoad } from '../../src/embedded/load-generator.ts';
import type { AdminState } from '../../src/scaler/observation.ts';
import type { DaemonOptions, GenerationName } from '../balancer/dataplane/daemon-rig.ts';
import { type DaemonSite, startDaemonSite } from '../balancer/dataplane/daemon-site.ts';
import { HaproxyFile } from '../balancer/dataplane/stand-in/haproxy-file.ts';
import { change, never } from '../balancer/runtime/lab.ts';
import { until, WebNode } from '../balancer/site.ts';

const RATE_RPS = 60;
const SERVICE_MS = 10;
/** The first one serves from the start. */
const NODES = 6;

export class LoadedSite implements AsyncDisposable {
  readonly site: DaemonSite;
  readonly #nodes: readonly WebNode[];
  readonly #endOfLoad = new AbortController();
  #load: LoadRun | undefined;

  private constructor(site: DaemonSite, nodes: readonly WebNode[]) {
    this.site = site;
    this.#nodes = nodes;
  }

  /** Resolves when the first users have been answered. */
  static async start(
    generation: GenerationName,
    options: Partial<DaemonOptions> = {},
  ): Promise<LoadedSite> {
    const site = await startDaemonSite(generation, options);
    const nodes = await Promise.all(
      Array.from({ length: NODES }, async (_, index) => {
        const node = await WebNode.start(`127.0.0.${index + 2}`, site.ports.nodePort);
        node.serviceMs = SERVICE_MS;
        return node;
      }),
    );
    const loaded = new LoadedSite(site, nodes);
    // HAProxy was there before its first node was.
    await loaded.#see([1], 'passed');
    await loaded.#startLoad();
    return loaded;
  }

  /** Brings nodes into rotation as Rackfire does: into DRAIN, where they are checked, then ready. */
  async admit(numbers: readonly number[]): Promise<void> {
    await this.set(numbers, 'drain');
    await this.#see(numbers, 'passed');
    await this.set(numbers, 'ready', 'check-passed');
  }

  /** Takes nodes out of rotation as Rackfire does: into DRAIN, and when they are quiet into MAINT. */
  async retire(numbers: readonly number[]): Promise<void> {
    await this.set(numbers, 'drain');
    await this.set(numbers, 'maint', 'quiet');
  }

  /** Asks tick by tick until it is so, as Rackfire does: others may have come in between. */
  async set(
    numbers: readonly number[],
    to: AdminState,
    requires: 'none' | 'check-passed' | 'quiet' = 'none',
  ): Promise<void> {
    const changes = numbers.map((number) => change(number, to, requires));
    await until(
      () => this.site.balancer.setServers(changes, never).then(() => 'set', String),
      (answer) => answer === 'set',
    );
  }

  /** What the balancer answers to a question that must fail: the text of its error. */
  async failureOf(question: Promise<unknown>): Promise<string> {
    const { password } = this.site.daemon;
    const text = await question.then(
      () => 'no error',
      (error: unknown) => String(error),
    );
    expect(text).not.toContain(password);
    return text;
  }

  /** What HAProxy says and what is in its file, of the servers of both. */
  async readBothSides(): Promise<{ readonly running: object; readonly declared: object }> {
    const { socketPath, configPath } = this.site.rig;
    const states = parseServerStates(await ask(socketPath, ['show servers state'], never));
    const servers = HaproxyFile.parse(await readFile(configPath, 'utf8')).servers('news-web');
    return {
      running: Object.fromEntries(
        [...(states.get('news-web') ?? [])].map(([name, { admin, address, port }]) => [
          name,
          { admin, address, port },
        ]),
      ),
      declared: Object.fromEntries(
        servers.map(({ name, maintenance, address, port }) => [
          name,
          { admin: maintenance === 'enabled' ? 'maint' : 'ready', address, port },
        ]),
      ),
    };
  }

  /** Ends the load and counts: every request that was sent has been answered well. */
  async expectNobodyHurt(): Promise<void> {
    this.#endOfLoad.abort();
    await this.#load?.done;
    expect(Object.fromEntries(this.#load?.failures ?? [])).toEqual({});
    expect(this.#load).toMatchObject({ failed: 0 });
    expect(this.#load?.ok).toBeGreaterThan(RATE_RPS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endOfLoad.abort();
    await this.#load?.done;
    await this.site[Symbol.asyncDispose]();
    await this.site.rig[Symbol.asyncDispose]();
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()));
  }

  async #startLoad(): Promise<void> {
    const load = startLoad({
      url: `http://127.0.0.1:${this.site.ports.frontPort}/`,
      rateAt: () => RATE_RPS,
      durationMs: 600_000,
      seed: 1,
      signal: this.#endOfLoad.signal,
    });
    this.#load = load;
    await until(
      () => load.ok,
      (answers) => answers > 0,
    );
  }

  async #see(numbers: readonly number[], check: string): Promise<void> {
    const names = numbers.map((number) => `news-web-${number}`);
    await until(
      async () => {
        const snapshot = await this.site.balancer.inspect(never).catch(() => undefined);
        return snapshot?.backends.get('news-web')?.servers ?? [];
      },
      (servers) =>
        names.every((name) => servers.find((server) => server.name === name)?.check === check),
    );
  }
}
