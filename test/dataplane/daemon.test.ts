/** What a daemon does beside answering: its file, its reloads, its transactions, and what it does not see. */

import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import {
  type Daemon,
  type DaemonOptions,
  type GenerationName,
  realDaemonOf,
  startDaemon,
} from '../balancer/dataplane/daemon-rig.ts';
import { type HaproxyRig, type RigPaths, startHaproxy } from '../balancer/haproxy-rig.ts';
import { ask as askHaproxy } from '../../src/balancer/runtime/socket.ts';
import { never } from '../balancer/runtime/lab.ts';
import { until } from '../balancer/site.ts';
import { type Answer, ask, configured, running, services } from './api.ts';

const generations = ['v2', 'v3'] as const;

describe.each(generations)('a daemon of %s', (generation) => {
  const runsOn = realDaemonOf(generation) ?? 'the stand-in';
  const s2 = { name: 's2', address: '127.0.0.1', port: 2 };

  describe(`on ${runsOn}`, () => {
    test('shows its own generation alone', async () => {
      await using bench = await Bench.start(generation);
      const other = generation === 'v2' ? 'v3' : 'v2';
      expect(await bench.say('GET', `/${generation}/info`)).toMatchObject({ status: 200 });
      expect(await bench.say('GET', `/${other}/info`)).toMatchObject({ status: 404 });
    });

    test('writes the file with a version and a checksum, and names its defaults', async () => {
      await using bench = await Bench.start(generation);
      await bench.put(s2, { maintenance: 'disabled' });
      const text = await bench.readConfig();
      expect(text).toMatch(/^# _md5hash=[0-9a-f]{32}\n# _version=2\n/);
      expect(text).toMatch(/^defaults unnamed_defaults_1$/m);
      expect(text).toMatch(/^backend web from unnamed_defaults_1$/m);
      expect(text).toMatch(/^ {2}server s1 127.0.0.1:1$/m);
      expect(text).toMatch(/^ {2}server s2 127.0.0.1:2 enabled$/m);
    });

    test('takes an edit by hand for a version of its own', async () => {
      await using bench = await Bench.start(generation);
      await bench.put(s2, { maintenance: 'disabled' });
      const text = await bench.readConfig();
      await writeFile(bench.haproxy.configPath, text.replace('maxconn 100', 'maxconn 101'));
      await until(
        () => bench.version(),
        (version) => version === 3,
      );
      await bench.put(s2, { maintenance: 'enabled' });
      expect(await bench.readConfig()).toContain('maxconn 101');
    });

    test('tells HAProxy only what the file said differently before', async () => {
      await using bench = await Bench.start(generation);
      await bench.put(s2, { maintenance: 'disabled' });
      await bench.say('PUT', running(generation, '/s2', 'web'), { admin_state: 'drain' });
      await bench.put(s2, { maintenance: 'disabled' });
      // Drain (8) is still there.
      expect(await bench.adminBits('s2')).toBe(8 + 4);
    });

    test('takes a drained server whose line had "disabled" for one in maintenance', async () => {
      await using bench = await Bench.start(generation);
      const path = running(generation, '/s2', 'web');
      await bench.say('PUT', path, { admin_state: 'drain' });
      expect(await bench.say('PUT', path, { admin_state: 'maint' })).toMatchObject({ status: 200 });
      expect(await bench.adminBits('s2')).toBe(8 + 4);
    });

    test('makes one reload of many changes', async () => {
      await using bench = await Bench.start(generation, { reloadDelayMs: 3_000 });
      const first = await bench.put(s2, { maintenance: 'enabled', maxconn: 5 });
      const second = await bench.put(s2, { maintenance: 'enabled', maxconn: 6 });
      expect([first.status, second.status]).toEqual([202, 202]);
      const [id = '', secondId] = [first, second].map(
        ({ headers }) => headers.get('Reload-ID') ?? '',
      );
      expect(secondId).toBe(id);
      await bench.reloaded(id);
      // It counts as done a moment before the new worker runs.
      await until(
        () => bench.haproxy.log().match(/Loading success/g)?.length,
        (loads) => loads === 2,
      );
    });

    test('refuses more transactions than may be open', async () => {
      await using bench = await Bench.start(generation, { maxOpenTransactions: 2 });
      const path = services(generation, '/transactions?version=1');
      const statuses = [];
      for (let open = 0; open < 3; open += 1) {
        statuses.push((await bench.say('POST', path)).status);
      }
      expect(statuses).toEqual([201, 201, 429]);
    });

    test('has a transaction of before it was killed, and forgets it when another is put in force', async () => {
      await using bench = await Bench.start(generation);
      const root = services(generation, '/transactions');
      const list = async (status: string): Promise<unknown> =>
        (await bench.say('GET', `${root}?status=${status}`)).body;
      await bench.say('POST', `${root}?version=1`);
      await bench.daemon.stop();
      await bench.daemon.start();
      expect(await list('in_progress')).toMatchObject([{ _version: 1, status: 'in_progress' }]);

      const { body } = await bench.say('POST', `${root}?version=1`);
      await bench.say('PUT', `${root}/${(body as { id: string }).id}`);
      expect(await list('in_progress')).toEqual([]);
      expect(await list('outdated')).toHaveLength(1);
    });

    test('sees no servers when it was given the socket of the master', async () => {
      await using bench = await Bench.start(generation, { isGivenMasterSocket: true });
      const servers = await bench.say('GET', running(generation, '', 'web'));
      expect(servers).toMatchObject(
        generation === 'v2' ? { status: 200, body: [] } : { status: 404 },
      );
      const { body } = await bench.say('GET', services(generation, '/stats/native'));
      expect(JSON.stringify(body)).not.toContain('"stats":');
      expect(await bench.put(s2, { maintenance: 'disabled' })).toMatchObject({ status: 200 });
    });
  });

  test.runIf(runsOn === 'the stand-in')(
    'puts the last good file back when a reload fails',
    async () => {
      await using bench = await Bench.start(generation);
      const faults = bench.daemon.faults ?? expect.fail('the stand-in has faults');
      faults.reloadFailsWith = 'Job for haproxy.service failed';
      const { headers } = await bench.put(s2, { maintenance: 'enabled', maxconn: 5 });
      expect(await bench.reloaded(headers.get('Reload-ID') ?? '')).toMatchObject({
        status: 'failed',
        response: 'Job for haproxy.service failed',
      });
      expect(await bench.readConfig()).not.toContain('maxconn 5');
    },
  );
});

/** A daemon beside a HAProxy with two servers, `s1` and, declared `disabled`, `s2`; neither has a node. */
class Bench implements AsyncDisposable {
  readonly haproxy: HaproxyRig;
  readonly daemon: Daemon;

  private constructor(haproxy: HaproxyRig, daemon: Daemon) {
    this.haproxy = haproxy;
    this.daemon = daemon;
  }

  static async start(
    generation: GenerationName,
    options: Partial<DaemonOptions> = {},
  ): Promise<Bench> {
    const haproxy = await startHaproxy(renderConfig);
    try {
      return new Bench(haproxy, await startDaemon({ generation, haproxy, ...options }));
    } catch (error) {
      await haproxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  async say(method: string, path: string, body?: unknown): Promise<Answer> {
    return await ask(this.daemon, { method, path, body });
  }

  /** Replaces a server on the present version. */
  async put(server: { readonly name: string }, fields: object): Promise<Answer> {
    const path = configured(
      this.daemon.generation,
      `/${server.name}`,
      `version=${await this.version()}`,
      'web',
    );
    return await this.say('PUT', path, { ...server, ...fields });
  }

  async version(): Promise<number> {
    const path = services(this.daemon.generation, '/configuration/version');
    return Number((await this.say('GET', path)).body);
  }

  /** The reload's answer when it is over. */
  async reloaded(id: string): Promise<object> {
    const path = services(this.daemon.generation, `/reloads/${id}`);
    return await until(
      async () => (await this.say('GET', path)).body as { readonly status: string },
      ({ status }) => status !== 'in_progress',
    );
  }

  async readConfig(): Promise<string> {
    return await readFile(this.haproxy.configPath, 'utf8');
  }

  /** @see src/balancer/haproxy/server-states.ts for what they mean. */
  async adminBits(server: string): Promise<number> {
    const text = await askHaproxy(this.haproxy.socketPath, ['show servers state web'], never);
    const line = text.split('\n').find((one) => one.split(' ')[3] === server) ?? '';
    return Number(line.split(' ')[6]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.haproxy[Symbol.asyncDispose]();
  }
}

function renderConfig({ socketPath }: RigPaths): string {
  return `global
  maxconn 100
  stats socket ${socketPath} level admin expose-fd listeners
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
backend web
  default-server check
  server s1 127.0.0.1:1
  server s2 127.0.0.1:2 disabled
`;
}
