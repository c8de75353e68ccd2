/** A little data center of a row's own: a config, an HAProxy, nodes, any number of Rackfires, visitors. */

import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  composeBalancer,
  composeHaproxyConfig,
  createUuidOf,
  listScaledTiers,
} from '../../src/compose.ts';
import type { Config, RuntimeBalancerConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { createSystemClock } from '../../src/control/clock.ts';
import {
  createEmbeddedHypervisor,
  type EmbeddedHypervisorOptions,
} from '../../src/embedded/hypervisor.ts';
import { type NodeProcess, readNodeProcesses } from '../../src/embedded/process-table.ts';
import { macOf, nodeName, type ScaledTier } from '../../src/scaler/cluster.ts';
import { type HaproxyRig, type RigPaths, startHaproxy } from '../balancer/haproxy-rig.ts';
import type { Meddling } from './meddled-service.ts';
import { ServiceProcess } from './service-process.ts';
import { NODE_PORT, renderConfig, type SitePlace, type SitePlan } from './site-config.ts';
import { type View, Watch } from './watch.ts';
import { WeatherLoad } from './weather-load.ts';

/** Rows act before any Rackfire runs, so their term is older than all. */
const OPERATOR_TERM = { createdAtSeconds: 0, transitions: 0 };
const UNTIL_DEADLINE_S = 30;
const END_DEADLINE_MS = 10_000;
/** The port that says that a subnet is taken; its first address has nothing else. */
const LOCK_PORT = 7_999;

/** What is to be booted by hand, over what the tier's own node of that number would be. */
export interface HandMade {
  readonly installation?: string;
  readonly uuid?: string;
  readonly name?: string;
  /** Position in the config's list; by default the hosts take turns. */
  readonly host?: number;
  readonly fault?: EmbeddedHypervisorOptions['behavior']['fault'] | undefined;
}

/** One HAProxy of the site, where visitors reach it, and who watches it. */
export interface Balancer {
  readonly haproxy: HaproxyRig;
  readonly url: string;
  readonly watch: Watch;
}

export class WeatherSite implements AsyncDisposable {
  readonly plan: SitePlan;
  readonly place: SitePlace;
  readonly config: Config;
  readonly tier: ScaledTier;
  readonly haproxy: HaproxyRig;
  readonly url: string;
  readonly watch: Watch;
  /** The first is `haproxy`; of a pair, the second is `lb-b`. */
  readonly balancers: readonly Balancer[];
  /** What the row's Rackfires remember, where that is not the config's one journal. */
  readonly otherJournals: string[] = [];
  readonly #lock: Server;
  readonly #services: ServiceProcess[] = [];
  readonly #loads: WeatherLoad[] = [];
  /** Nodes of other installations. */
  readonly #foreignPids = new Set<number>();
  #keepsFolder = false;

  constructor(parts: {
    readonly plan: SitePlan;
    readonly place: SitePlace;
    readonly config: Config;
    readonly haproxies: readonly HaproxyRig[];
    readonly lock: Server;
  }) {
    this.plan = parts.plan;
    this.place = parts.place;
    this.config = parts.config;
    this.#lock = parts.lock;
    this.tier = scaledTierOf(parts.config);
    const { tier } = this;
    this.balancers = parts.haproxies.map((haproxy, index) => ({
      haproxy,
      url: `http://${bindOf(tier, parts.place, index)}/`,
      watch: new Watch({
        tier,
        installation: parts.config.installation,
        haproxy: {
          socketPath: haproxy.socketPath,
          masterSocketPath: haproxy.masterSocketPath,
          backend: tier.backend,
        },
      }),
    }));
    const [first] = this.balancers;
    if (first === undefined) {
      throw new Error('a weather site has at least one HAProxy');
    }
    this.url = first.url;
    this.haproxy = first.haproxy;
    this.watch = first.watch;
  }

  get folder(): string {
    return this.place.folder;
  }

  get configFile(): string {
    return join(this.folder, 'rackfire.yaml');
  }

  get services(): readonly ServiceProcess[] {
    return this.#services;
  }

  get loads(): readonly WeatherLoad[] {
    return this.#loads;
  }

  nodeName(number: number): string {
    return nodeName(this.tier, number);
  }

  /**
   * Starts a Rackfire; resolves when it has said so, before its first tick.
   *
   * @param meddling - Meddles with its ports and its clock; also `{}`, for `service.meddle` later.
   * @param configFile - By default the site's own.
   * @param environment - Beside what this process has.
   */
  async startService(
    meddling?: Meddling,
    configFile: string = this.configFile,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ServiceProcess> {
    for (const { watch } of this.balancers) {
      watch.takeForeignServersAsTheyAre();
    }
    const service = new ServiceProcess(configFile, meddling, environment);
    this.#services.push(service);
    await service.told('started');
    return service;
  }

  /** Visitors come from now on. @param options.mayFail - The row itself judges who fails. */
  load(
    rps: number,
    options: { readonly mayFail?: boolean; readonly url?: string } = {},
  ): WeatherLoad {
    const load = new WeatherLoad(options.url ?? this.url, rps, options);
    this.#loads.push(load);
    return load;
  }

  /** Rackfire's config with some of the plan changed. */
  renderConfig(change: Partial<SitePlan>): string {
    return renderConfig({ ...this.plan, ...change }, this.place);
  }

  /** Writes Rackfire's config anew, with some of the plan changed. */
  async rewriteConfig(change: Partial<SitePlan>): Promise<void> {
    await writeFile(this.configFile, this.renderConfig(change));
  }

  /** Boots a node by hand, without a boot delay; resolves when its process runs. */
  async bootNode(number: number, made: HandMade = {}): Promise<NodeProcess> {
    const installation = made.installation ?? this.config.installation;
    const hosts = this.config.hosts;
    const host = hosts[made.host ?? number % hosts.length];
    const address = this.tier.addresses[number - 1];
    if (host?.driver !== 'embedded' || address === undefined) {
      throw new RangeError(`there is no such embedded host, or no address for node ${number}`);
    }
    const hypervisor = createEmbeddedHypervisor({
      host: host.name,
      installation,
      capacity: host.capacity,
      reserveMemoryMiB: host.reserveMemoryMiB,
      behavior: {
        ...host.embedded,
        bootDelayMs: 0,
        ...(made.fault === undefined ? {} : { fault: made.fault }),
      },
      clock: createSystemClock(),
    });
    const name = made.name ?? this.nodeName(number);
    const uuid = made.uuid ?? createUuidOf(installation)(name);
    const order = {
      name,
      uuid,
      bornMs: Date.now(),
      address,
      port: NODE_PORT,
      mac: macOf(address),
      imageName: this.tier.image.name,
      imageVersion: this.tier.image.version,
      memoryMiB: this.tier.size.memoryMiB,
      vcpus: this.tier.size.vcpus,
      diskMiB: this.tier.size.diskMiB,
      term: OPERATOR_TERM,
    };
    await hypervisor.create(order, AbortSignal.timeout(END_DEADLINE_MS));
    const node = readNodeProcesses().find(
      (one) => one.installation === installation && one.uuid === uuid && one.host === host.name,
    );
    if (node === undefined) {
      throw new Error(`${name} ended as soon as it had been booted`);
    }
    if (installation !== this.config.installation) {
      this.#foreignPids.add(node.pid);
    }
    return node;
  }

  /** Boots by hand what only looks like a node of ours; from now on it must stay as it is. */
  async bootForeignNode(number: number, made: HandMade): Promise<NodeProcess> {
    const node = await this.bootNode(number, made);
    for (const { watch } of this.balancers) {
      watch.protect(node);
    }
    return node;
  }

  /** Its owner ends what {@link bootForeignNode} booted. */
  endForeignNode(node: NodeProcess): void {
    for (const { watch } of this.balancers) {
      watch.release(node);
    }
    kill(node.pid);
  }

  /** The tier's node of this name now. @throws Error when there is none. */
  node(name: string): NodeProcess {
    const node = this.ownNodes().find((one) => one.name === name);
    if (node === undefined) {
      throw new Error(`there is no node ${name}`);
    }
    return node;
  }

  /** Signals a node as the weather does; what follows from it is not Rackfire's act. */
  strike(node: NodeProcess, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    for (const { watch } of this.balancers) {
      watch.excuse(node);
    }
    process.kill(node.pid, signal);
  }

  ownNodes(): readonly NodeProcess[] {
    const { installation } = this.config;
    return readNodeProcesses().filter((node) => node.installation === installation);
  }

  /** Waits for a view that is as hoped, by default of the first HAProxy. @throws Error after 30 s, with its last view. */
  async until(
    what: string,
    isSo: (view: View) => boolean,
    watch: Watch = this.watch,
  ): Promise<View> {
    const deadlineMs = performance.now() + UNTIL_DEADLINE_S * 1_000;
    const late = Promise.withResolvers<never>();
    // HAProxy may be silent, and then there are no views.
    const timer = setTimeout(() => {
      late.reject(new Error(`not within ${UNTIL_DEADLINE_S} s: ${what}\n${this.describe()}`));
    }, deadlineMs - performance.now());
    const views = watch.views();
    try {
      for (;;) {
        const { value: view, done } = await Promise.race([views.next(), late.promise]);
        if (done === true) {
          throw new Error(`the watch has ended before: ${what}`);
        }
        if (isSo(view)) {
          return view;
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets the weather last so long, while HAProxy answers. */
  async lasts(ms: number): Promise<void> {
    const startMs = this.watch.latest?.atMs ?? 0;
    for await (const { atMs } of this.watch.views()) {
      if (atMs >= startMs + ms) {
        break;
      }
    }
  }

  /** Waits for exactly so many nodes in service, and nothing else anywhere. */
  async untilConverged(nodes: number): Promise<View> {
    return await this.until(
      `${nodes} nodes in service and nothing else`,
      (view) => view.inService.length === nodes && leftoversOf(view).length === 0,
    );
  }

  /** Waits until all that exists is in service; where no Rackfire runs to see to it, it has to be so already. */
  async untilNothingLeftOver(): Promise<void> {
    const view = await this.until(
      'nothing is left over',
      (one) => leftoversOf(one).length === 0 || !this.#services.some(({ isRunning }) => isRunning),
    );
    expect(leftoversOf(view), 'left over').toEqual([]);
  }

  /** What must never happen and did, as any HAProxy shows it. */
  get violations(): readonly string[] {
    return this.balancers.flatMap(({ watch }) => watch.violations);
  }

  /** The site in a few words. */
  describe(): string {
    return this.balancers.map(({ watch }) => this.#describe(watch.latest)).join('\n');
  }

  #describe(view: View | undefined): string {
    if (view === undefined) {
      return 'HAProxy has not answered yet';
    }
    const servers = [...view.servers]
      .filter(([, { admin }]) => admin !== 'maint')
      .map(([name, { admin, status, sessions }]) => `${name} ${admin} ${status} ${sessions}`);
    const nodes = view.nodes.map(({ name, state, pid }) => `${name} ${state} ${pid}`);
    return [
      `at ${(view.atMs / 1_000).toFixed(2)} s of the watch, HAProxy ${view.epoch}, ${view.oldWorkerPids.length} old workers, ${view.queued} queued`,
      `servers out of maintenance: ${servers.join(', ')}`,
      `nodes: ${nodes.join(', ')}`,
      `leftovers: ${leftoversOf(view).join(', ') || 'none'}`,
    ].join('\n');
  }

  /** Keeps the folder, with everybody's log in it. @returns Where. */
  async keepFolder(): Promise<string> {
    this.#keepsFolder = true;
    for (const { haproxy } of this.balancers) {
      await writeFile(join(haproxy.folder, 'haproxy.log'), haproxy.log());
    }
    for (const [index, service] of this.#services.entries()) {
      await writeFile(join(this.folder, `rackfire-${index + 1}.log`), service.output());
    }
    return this.folder;
  }

  /**
   * Ends everything by its pid: visitors, Rackfires, nodes, HAProxy.
   *
   * @throws Error when something is still there afterwards, or when the watch failed.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.cut()));
    await Promise.all(this.#services.map((service) => service.kill()));
    const watched = await Promise.allSettled(
      this.balancers.map(({ watch }) => watch[Symbol.asyncDispose]()),
    );
    const left = await this.#endNodes();
    await Promise.all(this.balancers.map(({ haproxy }) => haproxy[Symbol.asyncDispose]()));
    this.#lock.close();
    if (!this.#keepsFolder) {
      await rm(this.folder, { recursive: true, force: true });
    }
    for (const one of watched) {
      if (one.status === 'rejected') {
        throw new Error('the watch failed', { cause: one.reason });
      }
    }
    if (left.length > 0) {
      throw new Error(`nodes are still there: ${left.map(({ pid }) => pid).join(', ')}`);
    }
  }

  async #endNodes(): Promise<readonly NodeProcess[]> {
    const clock = createSystemClock();
    const deadline = AbortSignal.timeout(END_DEADLINE_MS);
    const { installation } = this.config;
    for (;;) {
      const left = readNodeProcesses().filter(
        (node) => node.installation === installation || this.#foreignPids.has(node.pid),
      );
      if (left.length === 0 || deadline.aborted) {
        return left;
      }
      for (const { pid } of left) {
        kill(pid);
      }
      await clock.sleep(20, deadline).catch(() => undefined);
    }
  }
}

/** Domains and servers beside those in service, in words. */
function leftoversOf(view: View): readonly string[] {
  const inService = new Set(view.inService);
  const nodes = view.nodes
    .filter(({ name }) => !inService.has(name))
    .map(({ name, state }) => `node ${name} ${state}`);
  const servers = [...view.servers]
    .filter(([name, { admin }]) => admin !== 'maint' && !inService.has(name))
    .map(([name, { status }]) => `server ${name} ${status}`);
  return [...nodes, ...servers];
}

/** Starts a site with its first nodes in service and no Rackfire yet. */
export async function startSite(plan: SitePlan): Promise<WeatherSite> {
  const { lock, subnet } = await takeSubnet();
  // HAProxy's sockets have short names at most, so the folder is not below a long TMPDIR of a test runner.
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-weather-'));
  const place = { folder, subnet, id: randomBytes(4).toString('hex') };
  const text = renderConfig(plan, place);
  await writeFile(join(folder, 'rackfire.yaml'), text);
  const { config } = parseConfig(text, 'rackfire.yaml');
  const edit = plan.editHaproxyConfig ?? ((written: string): string => written);
  const haproxies: HaproxyRig[] = [];
  for (const index of config.balancers.keys()) {
    const balancer = balancerOf(config, index);
    const home = index === 0 ? folder : join(folder, 'b');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'server-state'), '');
    const render = ({ socketPath: socket }: RigPaths): string =>
      edit(composeHaproxyConfig(config, { ...balancer, socket })).replace(
        bindOf(scaledTierOf(config), place, 0),
        bindOf(scaledTierOf(config), place, index),
      );
    haproxies.push(await startHaproxy(render, home));
  }
  const site = new WeatherSite({ plan, place, config, haproxies, lock });
  try {
    await admitFirstNodes(site, plan.startNodes ?? plan.minNodes);
    return site;
  } catch (error) {
    await site[Symbol.asyncDispose]();
    throw error;
  }
}

/** What an operator boots and admits by hand before the first Rackfire is started. */
async function admitFirstNodes(site: WeatherSite, nodes: number): Promise<void> {
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  for (const number of numbers) {
    await site.bootNode(number, { fault: site.plan.startFault });
  }
  for (const [index, { haproxy, watch }] of site.balancers.entries()) {
    const config = { ...balancerOf(site.config, index), socket: haproxy.socketPath };
    const balancer = composeBalancer(site.config, config, createSystemClock());
    await balancer.setServers(
      numbers.map((number) => ({
        backend: site.tier.backend,
        server: site.nodeName(number),
        to: 'ready',
        requires: 'none',
      })),
      AbortSignal.timeout(END_DEADLINE_MS),
    );
    watch.start();
  }
  for (const { watch } of site.balancers) {
    await site.until(
      'the first nodes serve',
      ({ servers }) =>
        [...servers.values()].filter(({ status }) => status === 'UP').length === nodes,
      watch,
    );
  }
}

/**
 * Takes 256 addresses of loopback, where nobody else's are: not those of the demo (127.20 to 127.219), not
 * those of another row that runs at the same time. A listening socket says that they are taken, so they are
 * free again however this process ends.
 */
export async function takeSubnet(): Promise<{ readonly lock: Server; readonly subnet: string }> {
  for (;;) {
    const subnet = `127.${randomInt(220, 254)}.${randomInt(0, 256)}`;
    const lock = createServer();
    lock.listen(LOCK_PORT, `${subnet}.1`);
    try {
      await once(lock, 'listening');
      lock.unref();
      return { lock, subnet };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
        throw error;
      }
    }
  }
}

function scaledTierOf(config: Config): ScaledTier {
  const [tier] = listScaledTiers(config);
  if (tier === undefined) {
    throw new Error('the config of a weather site has no scaled tier');
  }
  return tier;
}

/** Each HAProxy of a site listens at an address of its own. */
function bindOf(tier: ScaledTier, { subnet }: SitePlace, index: number): string {
  const bind = tier.frontend?.bind ?? '';
  return index === 0 ? bind : bind.replace(/^[^:]*/, `${subnet}.4`);
}

function balancerOf(config: Config, index: number): RuntimeBalancerConfig {
  const balancer = config.balancers[index];
  if (balancer?.driver !== 'runtime') {
    throw new Error(`the config of a weather site has no balancer ${index + 1} by its socket`);
  }
  return balancer;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
