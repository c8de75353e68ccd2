/** The API over a real controller in a simulated world, in virtual time. */

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { ConfigKeeper } from '../../src/config/config-keeper.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { readSchedule } from '../../src/config/read-schedule.ts';
import { keepRemoved } from '../../src/config/removed-clusters.ts';
import { Controller, type Setup } from '../../src/control/controller.ts';
import type { ControlEvent, GivenOverride } from '../../src/control/events.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import { startHttp } from '../../src/http/server.ts';
import type { HolderView } from '../../src/leader/standing.ts';
import type { ServiceView } from '../../src/http/service-view.ts';
import { type Cluster, type ScaledTier, tierKey } from '../../src/scaler/cluster.ts';
import { createEventLog } from '../../src/telemetry/event-log.ts';
import { EventFeed } from '../../src/telemetry/event-feed.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TelemetryRecorder } from '../../src/telemetry/recorder.ts';
import { SimulatedWorld } from '../control/simulated-world.ts';
import { uuidOf } from '../control/site.ts';
import { TestClock } from '../control/test-clock.ts';
import { MemoryJournal } from './memory-journal.ts';

export const TOKEN = 'a-token-for-these-tests';

/** Two tiers that are scaled, one that is watched; 80 rps per node. */
function renderConfig(tokenFile: string): string {
  return `installation: example
hosts:
  - { name: local-a, driver: embedded, capacity: { memory: 8GiB, vcpus: 16, disk: 100GiB } }
  - { name: local-b, driver: embedded, capacity: { memory: 8GiB, vcpus: 16, disk: 100GiB } }
balancers:
  - { name: lb-a, driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state }
sizes:
  small: { memory: 512MiB, vcpus: 1, disk: 4GiB }
images:
  drupal-web: { version: "1" }
  mysql: { version: "8" }
clusters:
  - name: news
    tiers:
      db: { scaling: none, image: mysql, size: small, nodes: 1, addresses: 127.0.2.10-127.0.2.11 }
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 8 }
        addresses: 127.0.1.20-127.0.1.51
        backend: news-web
        signals: { requestRate: { targetPerNode: 80 } }
        # What is asked here is how a need is told, by numbers that follow from the rate by hand. The default, to look
        # ahead, is what test/control/defaults.test.ts and test/sim run.
        storm: { enabled: false }
http: { listen: "127.0.0.1:9500", tokenFile: ${tokenFile} }
`;
}

/** Adds a second balancer to the config. */
export function withSecondBalancer(text: string): string {
  const second =
    '  - { name: lb-b, driver: runtime, socket: /run/b.sock, stateFile: /var/lib/haproxy/b }';
  return text.replace('sizes:\n', `${second}\nsizes:\n`);
}

export interface ApiLabOptions {
  readonly nodes?: number;
  readonly rps?: number;
  readonly editConfig?: (text: string) => string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Undefined when it is not JSON. */
  readonly json: unknown;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Knows how many follow. */
class CountingFeed extends EventFeed {
  followers = 0;

  override follow(follower: Parameters<EventFeed['follow']>[0]): () => void {
    const unfollow = super.follow(follower);
    this.followers += 1;
    return () => {
      this.followers -= 1;
      unfollow();
    };
  }
}

export class ApiLab implements ServiceView, AsyncDisposable {
  readonly version = '9.8.7';
  readonly clock = new TestClock();
  readonly startedAtMs = this.clock.wallMs();
  readonly registry = new Registry();
  readonly feed = new CountingFeed();
  readonly world: SimulatedWorld;
  readonly tier: ScaledTier;
  readonly overrides: OverrideBook;
  readonly controller: Controller;
  readonly keeper: ConfigKeeper;
  readonly folder: string;
  readonly configText: string;
  readonly journalPart = new MemoryJournal(() => this.clock.wallMs());
  journal: MemoryJournal | undefined = this.journalPart;
  holder: HolderView = {
    name: 'pid 4711 on other-host',
    isThis: false,
    sinceMs: this.startedAtMs,
  };
  trouble: string | undefined;
  #clusters: readonly Cluster[];
  #server: Server | undefined;
  #stop = new AbortController();
  #run: Promise<void> | undefined;
  port = 0;

  private constructor(folder: string, text: string, options: ApiLabOptions) {
    this.folder = folder;
    this.configText = text;
    const loaded = parseConfig(text, this.configFile);
    const tier = loaded.config.clusters
      .flatMap(({ tiers }) => tiers)
      .find((one) => one.scaling === 'automatic');
    this.tier = tier!;
    this.#clusters = loaded.config.clusters;
    const balancers = loaded.config.balancers.map(({ name }) => name);
    const names = { hosts: ['local-a', 'local-b'], balancers };
    this.world = new SimulatedWorld(this.clock, this.tier, names);
    this.world.populate(options.nodes ?? 2);
    this.world.rps = options.rps ?? 100;
    const nowhere = {
      error: () => undefined,
      warn: () => undefined,
      info: () => undefined,
      debug: () => undefined,
    };
    const log = createEventLog(nowhere, this.clock, (record) => {
      this.feed.append(record);
      this.journal?.appendEvent(record);
    });
    const telemetry = new TelemetryRecorder(log, createMetrics(this.registry));
    const recorder = {
      record: (event: ControlEvent) => {
        telemetry.record(event);
        if (event.type === 'tier-ticked') {
          this.journal?.appendTick(event);
        }
      },
    };
    this.overrides = new OverrideBook(this.clock, recorder);
    this.controller = new Controller({
      setup: this.#setupOf(loaded.config),
      leadership: this.world.lease,
      overrides: this.overrides,
      readSchedule,
      uuidOf,
      clock: this.clock,
      recorder,
    });
    this.keeper = new ConfigKeeper({
      file: this.configFile,
      loaded,
      apply: ({ config }) => {
        this.#clusters = keepRemoved(this.#clusters, config.clusters);
        this.controller.reconfigure(this.#setupOf(config));
      },
      onReload: () => undefined,
      clock: this.clock,
    });
  }

  static async start(options: ApiLabOptions = {}): Promise<ApiLab> {
    const folder = await mkdtemp(join(tmpdir(), 'rackfire-api-'));
    const edit = options.editConfig ?? ((text: string) => text);
    const text = edit(renderConfig(join(folder, 'token')));
    const lab = new ApiLab(folder, text, options);
    await writeFile(lab.configFile, text);
    await writeFile(lab.tokenFile, `${TOKEN}\n`, { mode: 0o600 });
    const { controller, registry } = lab;
    const address = { host: '127.0.0.1', port: 0 };
    const { server, port } = await startHttp({ ...address, controller, registry, service: lab });
    lab.#server = server;
    lab.port = port;
    lab.#run = controller.run(lab.#stop.signal);
    return lab;
  }

  /** … and lets it find its feet. */
  static async startSettled(options: ApiLabOptions = {}): Promise<ApiLab> {
    const lab = await ApiLab.start(options);
    await lab.clock.step(5_000);
    return lab;
  }

  get configFile(): string {
    return join(this.folder, 'site.yaml');
  }

  get tokenFile(): string {
    return join(this.folder, 'token');
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get leadership() {
    return {
      term: () => this.world.lease.held,
      holder: () => this.holder,
      driver: 'file' as const,
      trouble: this.trouble,
    };
  }

  get removedTiers(): readonly string[] {
    const keys = (clusters: readonly Cluster[]) =>
      clusters.flatMap(({ tiers }) => tiers.map(tierKey));
    const inConfig = new Set(keys(this.keeper.current.config.clusters));
    return keys(this.#clusters).filter((key) => !inConfig.has(key));
  }

  readonly defects: unknown[] = [];

  sayDefect(error: unknown): void {
    this.defects.push(error);
  }

  async giveOverride(
    tier: string | undefined,
    word: GivenOverride['word'],
    said: { readonly reason: string; readonly durationMs: number },
  ) {
    const given = this.overrides.give(tier, word, said);
    const kept = await this.journal?.saveOverride(given).then(
      () => true,
      () => false,
    );
    return { given, kept: kept ?? false };
  }

  async withdrawOverride(id: string): Promise<boolean> {
    return this.overrides.withdraw(id);
  }

  /** As any client may: nothing is added but the length of the body. */
  async ask(asked: Asked): Promise<Answer> {
    const { method = 'GET', path, headers = {}, body } = asked;
    const isChunked = 'transfer-encoding' in headers;
    const length =
      body === undefined || isChunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      headers: { ...length, ...headers },
      agent: false,
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString();
    return { status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) };
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask({ path, headers });
  }

  /** With the token. */
  write(method: 'POST' | 'DELETE', path: string, value?: unknown): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
    };
    return this.ask({
      method,
      path,
      headers,
      ...(value === undefined ? {} : { body: JSON.stringify(value) }),
    });
  }

  /** As when the service ends; the next one listens at once. */
  cutConnections(): void {
    this.#server?.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped by the test'));
    let hasEnded = false;
    const ended = this.#run?.finally(() => {
      hasEnded = true;
    });
    await this.clock.stepUntil(() => hasEnded || ended === undefined, 120_000);
    await ended?.catch(() => undefined);
    if (this.#server !== undefined) {
      this.#server.close();
      this.#server.closeAllConnections();
      await once(this.#server, 'close');
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  #setupOf({ limits }: Config): Setup {
    return {
      clusters: this.#clusters,
      limits,
      hypervisors: new Map(this.world.hosts.map((host) => [host.host, host])),
      balancers: this.world.balancers,
    };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
