/** A site on the lab's real hosts: a config, an HAProxy, any number of Rackfires, visitors; all in the lab's network. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeHaproxyConfig, createUuidOf, listScaledTiers } from '../../src/compose.ts';
import type { Config, RuntimeBalancerConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { nodeName, type ScaledTier } from '../../src/scaler/cluster.ts';
import { type HaproxyRig, startHaproxy } from '../balancer/haproxy-rig.ts';
import { ServiceProcess } from '../weather/service-process.ts';
import { WeatherLoad } from '../weather/weather-load.ts';
import type { Dom0 } from './dom0.ts';
import type { Lab } from './lab.ts';
import {
  DEFAULT_RESERVE_MIB,
  hostsOf,
  INSTALLATION,
  renderConfig,
  type SitePlan,
} from './site-config.ts';
import { type View, Watch } from './watch.ts';

/** Two emulated hosts on two cores, busy with a create each, were seen to take a minute and a half. */
export const PATIENCE_MS = 240_000;
/** Longer than HAProxy lets anybody wait. */
const VISITOR_TIMEOUT_MS = 200_000;

export interface SiteParts {
  readonly plan: SitePlan;
  readonly lab: Lab;
  readonly folder: string;
  readonly config: Config;
  readonly haproxy: HaproxyRig;
}

export class LabSite implements AsyncDisposable {
  readonly plan: SitePlan;
  /** Those of the lab that are its own. */
  readonly hosts: readonly Dom0[];
  readonly folder: string;
  readonly tier: ScaledTier;
  readonly haproxy: HaproxyRig;
  readonly watch: Watch;
  readonly #services: ServiceProcess[] = [];
  readonly #loads: WeatherLoad[] = [];
  #keepsFolder = false;

  constructor({ plan, lab, folder, config, haproxy }: SiteParts) {
    this.plan = plan;
    this.folder = folder;
    this.haproxy = haproxy;
    const [tier] = listScaledTiers(config);
    if (tier === undefined) {
      throw new Error('the config of a lab site has no scaled tier');
    }
    this.tier = tier;
    const { socketPath, masterSocketPath } = haproxy;
    const hosts = hostsOf(plan).map(({ index, reserveMiB = DEFAULT_RESERVE_MIB }) => {
      return { dom0: lab.hosts[index], reserveMiB };
    });
    this.hosts = hosts.map(({ dom0 }) => dom0);
    this.watch = new Watch({
      haproxy: { socketPath, masterSocketPath, backend: tier.backend },
      hosts,
      maxNodes: plan.maxNodes,
    });
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

  uuidOf(name: string): string {
    return createUuidOf(INSTALLATION)(name);
  }

  addressOf(name: string): string {
    const number = Number(name.slice(name.lastIndexOf('-') + 1));
    return this.tier.addresses[number - 1] ?? '';
  }

  /** Starts a Rackfire; resolves when it has said so, before its first tick. */
  async startService(): Promise<ServiceProcess> {
    const service = new ServiceProcess(join(this.folder, 'rackfire.yaml'));
    this.#services.push(service);
    await service.told('started');
    return service;
  }

  /** Visitors come from now on, and want a page. @param options.mayFail - The scenario judges who fails. */
  load(rps: number, options: { readonly mayFail?: boolean } = {}): WeatherLoad {
    const url = `http://${this.tier.frontend?.bind}/page`;
    const load = new WeatherLoad(url, rps, { ...options, timeoutMs: VISITOR_TIMEOUT_MS });
    this.#loads.push(load);
    return load;
  }

  /** Waits for a view that is as hoped. @throws Error after {@link PATIENCE_MS}, with the last view. */
  async until(what: string, isSo: (view: View) => boolean): Promise<View> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`not within ${PATIENCE_MS / 1_000} s: ${what}\n${this.describe()}`));
    }, PATIENCE_MS);
    const views = this.watch.views();
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

  /** Lets it go on for so long. */
  async lasts(ms: number): Promise<void> {
    const startMs = performance.now();
    await this.until(`${ms} ms have passed`, () => performance.now() >= startMs + ms);
  }

  /** Waits for exactly so many nodes in service, so many asleep, and nothing else anywhere. */
  async untilConverged(nodes: number, asleep = 0): Promise<View> {
    return await this.until(
      `${nodes} nodes in service, ${asleep} asleep, and nothing else`,
      (view) => view.inService.length === nodes && isConverged(view, asleep),
    );
  }

  /** The site in a few words. */
  describe(): string {
    const view = this.watch.latest;
    if (view === undefined) {
      return 'HAProxy has not answered yet';
    }
    const servers = [...view.servers]
      .filter(([, { admin }]) => admin !== 'maint')
      .map(([name, { admin, status, sessions }]) => `${name} ${admin} ${status} ${sessions}`);
    const hosts = [...view.hosts].map(([host, { freeMemoryMiB, domains }]) => {
      const list = domains.map(({ name, state, memoryMiB }) => `${name} ${state} ${memoryMiB}`);
      return `${host}: ${freeMemoryMiB} MiB free, ${list.join(', ')}`;
    });
    return [
      `${view.queued} queued; servers out of maintenance: ${servers.join(', ')}`,
      ...hosts,
    ].join('\n');
  }

  /** Keeps the folder, with everybody's log in it. @returns Where. */
  async keepFolder(): Promise<string> {
    this.#keepsFolder = true;
    await writeFile(join(this.folder, 'haproxy.log'), this.haproxy.log());
    for (const [index, service] of this.#services.entries()) {
      await writeFile(join(this.folder, `rackfire-${index + 1}.log`), service.output());
    }
    return this.folder;
  }

  /** Ends everything: visitors, Rackfires, HAProxy, and whatever is left on the hosts. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.cut()));
    await Promise.all(this.#services.map((service) => service.kill()));
    const [watched] = await Promise.allSettled([this.watch[Symbol.asyncDispose]()]);
    await this.haproxy[Symbol.asyncDispose]();
    await Promise.all(this.hosts.map((host) => host.wipe()));
    if (!this.#keepsFolder) {
      await rm(this.folder, { recursive: true, force: true });
    }
    if (watched.status === 'rejected') {
      throw new Error('the watch failed', { cause: watched.reason });
    }
  }
}

/** Every domain serves or sleeps, and no server is half-way. Who is saved is no domain. */
function isConverged({ servers, domains, inService }: View, asleep: number): boolean {
  const paused = domains.filter(({ state }) => state === 'paused');
  const others = domains.filter(({ name }) => !inService.includes(name));
  return (
    paused.length === others.length &&
    paused.length <= asleep &&
    inService.every((name) => domains.some((domain) => domain.name === name)) &&
    [...servers].every(([name, { admin }]) => admin === 'maint' || inService.includes(name))
  );
}

/** Starts a site without any node and without Rackfire. */
export async function startSite(plan: SitePlan, lab: Lab): Promise<LabSite> {
  // HAProxy's sockets have short names at most, so the folder is not below a long TMPDIR of a test runner.
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-xen-'));
  const text = renderConfig(plan, lab, folder);
  await writeFile(join(folder, 'rackfire.yaml'), text);
  await writeFile(join(folder, 'server-state'), '');
  const { config } = parseConfig(text, 'rackfire.yaml');
  const [balancer] = config.balancers as readonly [RuntimeBalancerConfig];
  const haproxy = await startHaproxy(
    ({ socketPath }) => composeHaproxyConfig(config, { ...balancer, socket: socketPath }),
    folder,
  );
  const site = new LabSite({ plan, lab, folder, config, haproxy });
  site.watch.start();
  return site;
}
