/**
 * A site on one Xen host: an HAProxy, a dom0 where the real wrapper drives a simulated Xen, its SSH server in this
 * process, any number of Rackfires, and guests that answer for as long as their domain runs.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { Server as LockServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerChannel } from 'ssh2';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import {
  closePorts,
  composeBalancer,
  composeHaproxyConfig,
  composeHypervisors,
  createUuidOf,
  listScaledTiers,
} from '../../src/compose.ts';
import type { Config, RuntimeBalancerConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { createSystemClock } from '../../src/control/clock.ts';
import type { BootOrder } from '../../src/control/ports.ts';
import { macOf, nodeName, type ScaledTier } from '../../src/scaler/cluster.ts';
import { type HaproxyRig, startHaproxy } from '../balancer/haproxy-rig.ts';
import { createDom0, type Dom0 } from '../dom0/dom0.ts';
import { viewHaproxy } from '../weather/haproxy-view.ts';
import { ServiceProcess } from '../weather/service-process.ts';
import { openGate, type SocketGate } from '../weather/socket-gate.ts';
import { takeSubnet } from '../weather/weather-site.ts';
import { TestSshServer } from './ssh-server.ts';

export interface WrappedPlan {
  readonly minNodes: number;
  readonly maxNodes: number;
  /** In service when the test begins. */
  readonly startNodes: number;
}

/** In the conf of the simulated dom0. */
const INSTALLATION = 'acme';
const NODE_PORT = 8080;
const FIRST_NODE_ADDRESS = 11;
const SPARE_ADDRESSES = 4;
const OPERATOR_TERM = { createdAtSeconds: 0, transitions: 0 };
const SETUP_DEADLINE_MS = 20_000;
const LOOK_INTERVAL_MS = 20;
const VIEW_INTERVAL_MS = 50;
const UNTIL_DEADLINE_MS = 40_000;
const TAIL_LINES = 25;

interface Domain {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** What becomes of a command: it is lost on the way, its answer is, or neither. */
export type Fate = 'carried out' | 'lost' | 'not answered';

interface Place {
  readonly folder: string;
  readonly subnet: string;
}

interface Parts extends Place {
  readonly plan: WrappedPlan;
  readonly config: Config;
  readonly dom0: Dom0;
  readonly ssh: TestSshServer;
  readonly haproxy: HaproxyRig;
  readonly gate: SocketGate;
  readonly lock: LockServer;
}

export class WrappedSite implements AsyncDisposable {
  readonly dom0: Dom0;
  readonly ssh: TestSshServer;
  /** Between Rackfire and HAProxy. */
  readonly gate: SocketGate;
  readonly tier: ScaledTier;
  /** Names of guests whose health check fails. */
  readonly unhealthy = new Set<string>();
  /** What must never happen and did. */
  readonly violations = new Set<string>();
  /** Says what becomes of a command; asked once when it comes, and `onCarriedOut` when the wrapper has ended. */
  onCommand: (command: string) => Fate = () => 'carried out';
  onCarriedOut: (command: string) => void = () => undefined;
  readonly #parts: Parts;
  readonly #services: ServiceProcess[] = [];
  readonly #guests = new Map<string, Server>();
  readonly #watching: NodeJS.Timeout;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.dom0 = parts.dom0;
    this.ssh = parts.ssh;
    this.gate = parts.gate;
    this.tier = tierOf(parts.config);
    parts.ssh.handler = (command, channel) => this.#carryOut(command, channel);
    this.#watching = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  nodeName(number: number): string {
    return nodeName(this.tier, number);
  }

  /** Starts `rackfire run`; resolves when it has said so, before its first tick. */
  async startService(): Promise<ServiceProcess> {
    const service = new ServiceProcess(join(this.#parts.folder, 'rackfire.yaml'));
    this.#services.push(service);
    await service.told('started');
    return service;
  }

  /** Boots and admits by hand, before any Rackfire runs; all other servers are put into maintenance. */
  async admitFirstNodes(): Promise<void> {
    const { config, plan } = this.#parts;
    const { backend, addresses } = this.tier;
    const clock = createSystemClock();
    const deadline = AbortSignal.timeout(SETUP_DEADLINE_MS);
    const hypervisors = composeHypervisors(config, clock);
    for (let number = 1; number <= plan.startNodes; number += 1) {
      await hypervisors[0]?.create(this.#orderOf(number), deadline);
    }
    closePorts(hypervisors);
    const balancer = composeBalancer(config, balancerOf(config), clock);
    await balancer.setServers(
      addresses.map((_address, index) => ({
        backend,
        server: this.nodeName(index + 1),
        to: index < plan.startNodes ? 'ready' : 'maint',
        requires: 'none',
      })),
      deadline,
    );
    const first = addresses.slice(0, plan.startNodes).map((_, index) => this.nodeName(index + 1));
    await this.untilInService(first);
  }

  /** Waits until exactly these nodes serve, and there is no other domain, and no other server is half-way. */
  async untilInService(names: readonly string[]): Promise<void> {
    await this.#until(`in service: ${names.join(' ')}`, async () => {
      const { servers } = await this.#view();
      const inService = [...servers]
        .filter(([, { admin, status }]) => admin === 'ready' && status.startsWith('UP'))
        .map(([name]) => name);
      const others = [...servers]
        .filter(([name, { admin }]) => admin !== 'maint' && !inService.includes(name))
        .map(([name, { status }]) => `${name} ${status}`);
      const domains = this.domains().map(({ name }) => name);
      return isSame(inService, names) && isSame(domains, names) && others.length === 0;
    });
  }

  /** How many nodes serve, when exactly so many do. @returns Their names. */
  async untilConverged(nodes: number): Promise<readonly string[]> {
    let names: readonly string[] = [];
    await this.#until(`${nodes} nodes in service and nothing else`, async () => {
      names = this.domains().map(({ name }) => name);
      const { servers } = await this.#view();
      return (
        names.length === nodes &&
        [...servers].every(([name, { admin, status }]) =>
          names.includes(name) ? admin === 'ready' && status.startsWith('UP') : admin === 'maint',
        )
      );
    });
    return names.toSorted();
  }

  /** Waits until marks, disks and files are those of these nodes and nothing is under way. */
  async untilNothingLeftBut(names: readonly string[]): Promise<void> {
    const expected = [
      ...names.map((name) => `disks/${name}.img`),
      ...names.map((name) => `state/nodes/${name}`),
    ];
    await this.#until('nothing is left over', async () =>
      isSame(await this.dom0.leftovers(), expected),
    );
  }

  /** Resolves when a question that comes from now on has been answered: Rackfire has seen what is now. */
  async nextLook(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { onCommand, onCarriedOut } = this;
    let isAsked = false;
    this.onCommand = (command) => {
      isAsked ||= command === 'inspect';
      return onCommand(command);
    };
    this.onCarriedOut = (command) => {
      onCarriedOut(command);
      if (isAsked && command === 'inspect') {
        resolve();
      }
    };
    await promise;
  }

  /** Everything of the wrapper that runs now ends, as by a power cut. */
  cutPower(): void {
    this.dom0.killRequests();
  }

  /** Orders of this verb that have come. */
  orders(verb: string): readonly string[] {
    return this.ssh.commands.filter((command) => command.startsWith(`${verb} `));
  }

  /** Those of now; one that is just being changed is left out. */
  domains(): readonly Domain[] {
    const folder = this.dom0.path('xen/domains');
    return readdirSync(folder).flatMap((id) => {
      const [name = '', , , , state = ''] = readIfThere(join(folder, id, 'row'))
        .trim()
        .split(' ');
      return state === '' ? [] : [{ id, name, state }];
    });
  }

  /** How many domains have ever been made, or tried to be made, at Xen. */
  async domainsMade(): Promise<number> {
    return Number(await readFile(this.dom0.path('xen/next-id'), 'utf8')) - 1;
  }

  /** What is there of a node, in words. */
  async remains(name: string): Promise<string> {
    const files = await this.dom0.leftovers();
    const found = [
      ['half a mark', `state/nodes/${name}.new`],
      ['mark', `state/nodes/${name}`],
      ['half a disk', `disks/${name}.img.part`],
      ['disk', `disks/${name}.img`],
    ] as const;
    return [
      ...found.flatMap(([word, file]) => (files.includes(file) ? [word] : [])),
      ...this.domains().flatMap((domain) => (domain.name === name ? ['domain'] : [])),
    ].join(', ');
  }

  /** The site in a few words. */
  async describe(): Promise<string> {
    const servers = await this.#view().then(
      (view) => [...view.servers].map(([name, { admin, status }]) => `${name} ${admin} ${status}`),
      (error: unknown) => [String(error)],
    );
    return [
      `servers: ${servers.join(', ')}`,
      `domains: ${this.domains()
        .map(({ id, name, state }) => `${id} ${name} ${state}`)
        .join(', ')}`,
      `left: ${(await this.dom0.leftovers()).join(', ')}`,
      `commands: ${this.ssh.commands.map((command) => command.slice(0, 40)).join('; ')}`,
      ...this.#services.map(
        (service, index) => `Rackfire ${index + 1}: ${service.tail(TAIL_LINES)}`,
      ),
    ].join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#services.map((service) => service.kill()));
    clearInterval(this.#watching);
    await this.gate[Symbol.asyncDispose]();
    await this.#parts.haproxy[Symbol.asyncDispose]();
    await this.ssh[Symbol.asyncDispose]();
    this.cutPower();
    for (const guest of this.#guests.values()) {
      close(guest);
    }
    this.#parts.lock.close();
    await rm(this.#parts.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    try {
      await vi.waitFor(
        async () => {
          if (!(await isSo())) {
            throw new Error(`not yet: ${what}`);
          }
        },
        { timeout: UNTIL_DEADLINE_MS, interval: VIEW_INTERVAL_MS },
      );
    } catch (error) {
      throw new Error(`not within ${UNTIL_DEADLINE_MS / 1_000} s: ${what}`, { cause: error });
    }
  }

  async #view(): ReturnType<typeof viewHaproxy> {
    const { socketPath, masterSocketPath } = this.#parts.haproxy;
    const { backend } = this.tier;
    const address = { socketPath, masterSocketPath, backend };
    return await viewHaproxy(address, AbortSignal.timeout(SETUP_DEADLINE_MS));
  }

  #orderOf(number: number): BootOrder {
    const { image, size, addresses } = this.tier;
    const name = this.nodeName(number);
    const address = addresses[number - 1] ?? '';
    return {
      name,
      uuid: createUuidOf(INSTALLATION)(name),
      bornMs: Date.now(),
      address,
      port: NODE_PORT,
      mac: macOf(address),
      imageName: image.name,
      imageVersion: image.version,
      memoryMiB: size.memoryMiB,
      vcpus: size.vcpus,
      diskMiB: size.diskMiB,
      term: OPERATOR_TERM,
    };
  }

  /** Runs the real wrapper for each command, as sshd does; it goes on when the connection is lost. */
  #carryOut(command: string, channel: ServerChannel): void {
    const fate = this.onCommand(command);
    if (fate === 'lost') {
      return;
    }
    const child = this.dom0.spawn(command);
    child.stdin.end();
    if (fate === 'not answered') {
      child.stdout.resume();
      child.stderr.resume();
    } else {
      child.stdout.pipe(channel, { end: false });
      child.stderr.pipe(channel.stderr, { end: false });
    }
    child.on('close', (code) => {
      if (fate === 'carried out') {
        channel.exit(code ?? 255);
        channel.end();
      }
      this.onCarriedOut(command);
    });
  }

  /** Guests begin and end to answer with their domains; and what must never be is noted. */
  #look(): void {
    const domains = this.domains();
    const names = domains.map(({ name }) => name);
    for (const name of names.filter((one, index) => names.indexOf(one) !== index)) {
      this.violations.add(`two domains are called ${name}`);
    }
    const { maxNodes } = this.#parts.plan;
    if (names.length > maxNodes) {
      this.violations.add(`more domains than ${maxNodes}: ${names.join(', ')}`);
    }
    // Neither paused nor shut down, crashed or dying.
    const running = new Map(
      domains.filter(({ state }) => !/[pscd]/.test(state)).map((domain) => [domain.id, domain]),
    );
    for (const [id, guest] of this.#guests) {
      if (!running.has(id)) {
        this.#guests.delete(id);
        close(guest);
      }
    }
    for (const [id, { name }] of running) {
      if (!this.#guests.has(id)) {
        this.#guests.set(id, this.#startGuest(name));
      }
    }
  }

  #startGuest(name: string): Server {
    const guest = createServer((_request, response) => {
      response.writeHead(this.unhealthy.has(name) ? 503 : 200).end();
    });
    const number = Number(name.slice(name.lastIndexOf('-') + 1));
    const address = this.tier.addresses[number - 1];
    guest.on('error', (error) => this.violations.add(`${name} cannot listen: ${error.message}`));
    guest.listen(NODE_PORT, address);
    return guest;
  }
}

/** Starts a site with its first nodes in service and no Rackfire yet. */
export async function startWrappedSite(plan: WrappedPlan): Promise<WrappedSite> {
  const { lock, subnet } = await takeSubnet();
  // HAProxy's sockets have short names at most, so the folder is not below a long TMPDIR of a test runner.
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-steps-'));
  await mkdir(join(folder, 'dom0'));
  const dom0 = await createDom0(join(folder, 'dom0'), 'dash');
  const ssh = await TestSshServer.start(() => undefined);
  const text = renderConfig(plan, { folder, subnet }, { dom0, ssh });
  await writeFile(join(folder, 'rackfire.yaml'), text);
  await writeFile(join(folder, 'server-state'), '');
  const { config } = parseConfig(text, 'rackfire.yaml');
  const haproxy = await startHaproxy(
    ({ socketPath }) => composeHaproxyConfig(config, { ...balancerOf(config), socket: socketPath }),
    folder,
  );
  const gate = await openGate(join(folder, 'gate.sock'), haproxy.socketPath);
  const site = new WrappedSite({ plan, folder, subnet, config, dom0, ssh, haproxy, gate, lock });
  try {
    await site.admitFirstNodes();
    return site;
  } catch (error) {
    const story = await site.describe();
    await site[Symbol.asyncDispose]();
    throw new Error(`the site could not be set up\n${story}`, { cause: error });
  }
}

function renderConfig(
  { minNodes, maxNodes }: WrappedPlan,
  { folder, subnet }: Place,
  { dom0, ssh }: { readonly dom0: Dom0; readonly ssh: TestSshServer },
): string {
  const { address, port, user, keyFile, knownHostsFile } = ssh.settings;
  const lastAddress = FIRST_NODE_ADDRESS + maxNodes + SPARE_ADDRESSES - 1;
  return stringify({
    installation: INSTALLATION,
    hosts: [
      {
        name: 'xen-1',
        driver: 'xen',
        address,
        ssh: { user, port, keyFile, knownHostsFile },
        vcpusPerCpu: 8,
      },
    ],
    network: { bridge: 'xenbr0', gateway: `${subnet}.254`, prefixLength: 24 },
    balancers: [
      {
        name: 'lb',
        driver: 'runtime',
        socket: join(folder, 'gate.sock'),
        masterSocket: join(folder, 'master.sock'),
        stateFile: join(folder, 'server-state'),
      },
    ],
    sizes: { small: { memory: '128MiB', vcpus: 1, disk: '16MiB' } },
    images: {
      web: {
        version: '1',
        disk: { file: dom0.path('images/web.img') },
        kernel: dom0.path('images/vmlinuz'),
      },
    },
    clusters: [
      {
        name: 'news',
        tiers: {
          web: {
            image: 'web',
            size: 'small',
            nodes: { min: minNodes, max: maxNodes },
            addresses: `${subnet}.${FIRST_NODE_ADDRESS}-${subnet}.${lastAddress}`,
            frontend: { bind: `${subnet}.2:8080` },
            backend: 'news-web',
            health: { path: '/health', port: NODE_PORT, interval: '300ms' },
            signals: { requestRate: { targetPerNode: 30 } },
            scaleIn: { stabilizationWindow: '1s', policies: [{ nodes: 1, per: '1s' }] },
            boot: { deadline: '60s' },
          },
        },
      },
    ],
    limits: { breaker: { failures: 3, window: '10m', open: '5m' } },
    leadership: { path: join(folder, 'leader') },
    journal: { path: join(folder, 'journal.db') },
    http: { listen: `${subnet}.3:9500` },
  });
}

function tierOf(config: Config): ScaledTier {
  const [tier] = listScaledTiers(config);
  if (tier === undefined) {
    throw new Error('the config has no scaled tier');
  }
  return tier;
}

function balancerOf(config: Config): RuntimeBalancerConfig {
  const [balancer] = config.balancers;
  if (balancer?.driver !== 'runtime') {
    throw new Error('the config has no balancer by its socket');
  }
  return balancer;
}

function close(guest: Server): void {
  guest.close();
  guest.closeAllConnections();
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.toSorted().join(' ') === other.toSorted().join(' ');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
