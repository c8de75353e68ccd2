/** Three Rackfires of one site that contend for one Lease, and all that they have done. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Term } from '../../src/scaler/term.ts';
import type { LogLine, ServiceProcess } from '../weather/service-process.ts';
import type { WeatherSite } from '../weather/weather-site.ts';
import { type ApiServer, until } from './api-server.ts';
import { Link, SocketTap } from './network.ts';

/** Whether all of it runs as long and as often as the numbers ask for. */
export const isFull = process.env['RACKFIRE_KUBERNETES_FULL'] === '1';

export const TIMINGS = isFull
  ? { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }
  : { leaseMs: 5_000, renewDeadlineMs: 3_000, retryMs: 500 };
/** From when a leader is struck until another one leads. */
export const TAKEOVER_MS = TIMINGS.leaseMs + 2_000;
export const LEADS = 'leads from now on';
export const LOST = 'leadership is lost';
export const LEASE_PATH = '/apis/coordination.k8s.io/v1/namespaces/rackfire/leases/rackfire';
const REPLICAS = 3;
/** What was sent before a loss may be read here a bit after it; the next leader begins much later. */
const ON_ITS_WAY_MS = 500;
/** Whoever leads goes on to write into the fence file. */
const LOCKED_MS = 5_000;

/** As far as it is changed for each replica. */
interface WrittenSite {
  readonly hosts: readonly { readonly embedded: Record<string, unknown> }[];
  readonly balancers: readonly Record<string, unknown>[];
  [section: string]: unknown;
}

export class Replica {
  readonly number: number;
  readonly configFile: string;
  readonly url: string;
  readonly kubeconfig: string;
  /** Its way to the API server. */
  readonly link: Link;
  /** Its way to HAProxy. */
  readonly tap: SocketTap;
  /** The process that runs now, or ran last. */
  service: ServiceProcess;
  /** All that have run. */
  readonly services: ServiceProcess[] = [];

  constructor(
    parts: Pick<Replica, 'number' | 'configFile' | 'url' | 'kubeconfig' | 'link' | 'tap'>,
    service: ServiceProcess,
  ) {
    this.number = parts.number;
    this.configFile = parts.configFile;
    this.url = parts.url;
    this.kubeconfig = parts.kubeconfig;
    this.link = parts.link;
    this.tap = parts.tap;
    this.service = service;
    this.services.push(service);
  }

  /** By its own log; its process may have ended or be stopped. */
  get leads(): boolean {
    const last = this.service.lines.findLast(({ msg }) => msg === LEADS || msg === LOST);
    return this.service.isRunning && last?.msg === LEADS;
  }
}

export class Replicas implements AsyncDisposable {
  readonly site: WeatherSite;
  readonly all: Replica[] = [];
  readonly #api: ApiServer;
  readonly #fenceFile: string;

  private constructor(site: WeatherSite, api: ApiServer) {
    this.site = site;
    this.#api = api;
    this.#fenceFile = join(site.folder, 'fence.db');
  }

  /** Starts them on a Lease that is not there yet; resolves when one of them leads. */
  static async start(site: WeatherSite, api: ApiServer): Promise<Replicas> {
    await api.ask('DELETE', LEASE_PATH);
    const replicas = new Replicas(site, api);
    await Promise.all(Array.from({ length: REPLICAS }, (_, index) => replicas.#add(index + 1)));
    await replicas.leader();
    return replicas;
  }

  /** Waits until exactly one says that it leads. */
  async leader(): Promise<Replica> {
    await until('one replica leads', () => this.all.filter(({ leads }) => leads).length === 1);
    return this.all.find(({ leads }) => leads)!;
  }

  /**
   * Waits until another one than `before` leads.
   *
   * @param since - The lines that each had logged before; those do not count.
   */
  async successor(
    before: Replica,
    since: ReadonlyMap<Replica, number>,
  ): Promise<{ readonly replica: Replica; readonly line: LogLine }> {
    const others = this.all.filter((one) => one !== before);
    return await Promise.any(
      others.map(async (replica) => ({
        replica,
        line: await replica.service.told(LEADS, since.get(replica), 4 * TAKEOVER_MS),
      })),
    );
  }

  /** How much each has logged. */
  get now(): ReadonlyMap<Replica, number> {
    return new Map(this.all.map((replica) => [replica, replica.service.lines.length]));
  }

  /** Another process in the place of one that has ended. */
  async restart(replica: Replica): Promise<void> {
    replica.service = await this.#run(replica.configFile, replica.kubeconfig);
    replica.services.push(replica.service);
  }

  /** Nobody was obeyed after a newer leader, on a host or at HAProxy. To be called at the end of a row. */
  expectOneActor(): void {
    const owners = new Map<string, number>();
    const newestOf = new Map<string, Term>();
    const orders = this.#readOrders();
    for (const { host, verb, node, pid, ...term } of orders) {
      const what = `${verb} ${node} on ${host} by pid ${pid}, term ${format(term)}`;
      const owner = owners.get(format(term)) ?? pid;
      owners.set(format(term), owner);
      expect(owner, `${what}: the term is that of another one`).toBe(pid);
      const newest = newestOf.get(host) ?? term;
      expect(isOlder(term, newest), `${what}: after term ${format(newest)}`).toBe(false);
      newestOf.set(host, term);
    }
    expect(
      orders.filter(({ verb }) => verb === 'create'),
      'boots',
    ).not.toEqual([]);
    this.#expectOneVoice();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { link, tap } of this.all) {
      await link[Symbol.asyncDispose]();
      await tap[Symbol.asyncDispose]();
    }
  }

  /** What HAProxy was told came from one after the other, each while it led by its own word. */
  #expectOneVoice(): void {
    const told = this.all
      .flatMap((replica) => replica.tap.commands.map((command) => ({ ...command, replica })))
      .toSorted((one, other) => one.atMs - other.atMs);
    let newest: Term = { createdAtSeconds: 0, transitions: 0 };
    for (const { atMs, command, replica } of told) {
      const line = replica.services
        .flatMap(({ lines }) => lines)
        .findLast(
          ({ msg, time }) =>
            (msg === LEADS && time <= atMs) || (msg === LOST && time <= atMs - ON_ITS_WAY_MS),
        );
      const what = `${command} of replica ${replica.number} at ${atMs}`;
      expect(line?.msg, `${what}, which did not lead`).toBe(LEADS);
      const term = line?.['term'] as Term;
      expect(isOlder(term, newest), `${what}: after term ${format(newest)}`).toBe(false);
      newest = term;
    }
    expect(told, 'what HAProxy was told').not.toEqual([]);
  }

  #readOrders(): readonly (Term & {
    readonly host: string;
    readonly verb: string;
    readonly node: string;
    readonly pid: number;
  })[] {
    const database = new DatabaseSync(this.#fenceFile, { readOnly: true, timeout: LOCKED_MS });
    try {
      return database
        .prepare(
          `SELECT host, verb, node, pid, created_at_seconds AS createdAtSeconds, transitions
           FROM orders ORDER BY host, rowid`,
        )
        .all() as never;
    } finally {
      database.close();
    }
  }

  async #add(number: number): Promise<void> {
    const { site } = this;
    const link = await Link.open(this.#api.port);
    const tap = await SocketTap.open(
      join(site.folder, `admin-${number}.sock`),
      site.haproxy.socketPath,
    );
    const url = `${site.place.subnet}.${100 + number}:9500`;
    const configFile = join(site.folder, `replica-${number}.yaml`);
    const journal = join(site.folder, `journal-${number}.db`);
    site.otherJournals.push(journal);
    await writeFile(configFile, await this.#render({ number, listen: url, journal }));
    const kubeconfig = await this.#api.writeKubeconfig(
      `${site.place.id}-${number}`,
      'rackfire',
      link.port,
    );
    const service = await this.#run(configFile, kubeconfig);
    const parts = { number, configFile, url: `http://${url}`, kubeconfig, link, tap };
    this.all.push(new Replica(parts, service));
  }

  async #render(own: {
    readonly number: number;
    readonly listen: string;
    readonly journal: string;
  }): Promise<string> {
    const written = parse(await readFile(this.site.configFile, 'utf8')) as WrittenSite;
    for (const host of written.hosts) {
      host.embedded['fenceFile'] = this.#fenceFile;
    }
    for (const balancer of written.balancers) {
      balancer['socket'] = join(this.site.folder, `admin-${own.number}.sock`);
    }
    written['leadership'] = {
      driver: 'kubernetes',
      leaseDuration: `${TIMINGS.leaseMs}ms`,
      renewDeadline: `${TIMINGS.renewDeadlineMs}ms`,
      retryPeriod: `${TIMINGS.retryMs}ms`,
    };
    written['journal'] = { path: own.journal };
    const tokenFile = join(this.site.folder, 'token');
    await writeFile(tokenFile, 'token-of-an-operator\n', { mode: 0o600 });
    written['http'] = { listen: own.listen, tokenFile };
    return stringify(written);
  }

  async #run(configFile: string, kubeconfig: string): Promise<ServiceProcess> {
    return await this.site.startService(undefined, configFile, { KUBECONFIG: kubeconfig });
  }
}

function isOlder(one: Term, other: Term): boolean {
  return one.createdAtSeconds === other.createdAtSeconds
    ? one.transitions < other.transitions
    : one.createdAtSeconds < other.createdAtSeconds;
}

function format({ createdAtSeconds, transitions }: Term): string {
  return `${createdAtSeconds}.${transitions}`;
}
