/** The demo's own little data center: a config, an HAProxy, a Rackfire, and the end of all of them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  composeBalancer,
  composeHaproxyConfig,
  composeHypervisors,
  createUuidOf,
  listScaledTiers,
} from '../../compose.ts';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load-config.ts';
import { formatDuration } from '../../config/units.ts';
import { createSystemClock } from '../../control/clock.ts';
import { UnreachableError } from '../../control/errors.ts';
import type { Hypervisor, LoadBalancer } from '../../control/ports.ts';
import { macOf, nodeName, type ScaledTier } from '../../scaler/cluster.ts';
import type { Term } from '../../scaler/observation.ts';

export interface DemoPlan {
  /** Nodes that run before the load begins. */
  readonly startNodes: number;
  readonly minNodes: number;
  readonly maxNodes: number;
  readonly targetPerNodeRps: number;
  readonly bootDelayMs: number;
}

export interface DemoWorld {
  readonly folder: string;
  readonly configFile: string;
  readonly url: string;
  readonly tier: ScaledTier;
  readonly balancer: LoadBalancer;
  readonly hypervisors: readonly Hypervisor[];
  readonly haproxy: ChildProcess;
  /** The Rackfire that the demo started; when it has ended, somebody may have started another. */
  readonly service: ChildProcess;
  /** Ends everything. @returns What was still there afterwards. */
  tearDown(): Promise<readonly string[]>;
}

/** Slots, service time and checks leave a node at 100 rps; it is rated for 80. */
const NODE = { slots: 10, serviceTime: '100ms', port: 8080 };

/** Numbers that rest after a failure must not leave the tier without addresses. */
const SPARE_ADDRESSES = 8;

const END_DEADLINE_MS = 15_000;

/** The demo acts before any Rackfire runs, so its term is older than all. */
const OPERATOR_TERM: Term = { createdAtSeconds: 0, transitions: 0 };

export async function buildWorld(plan: DemoPlan): Promise<DemoWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-demo-'));
  const [sitePort, httpPort] = await findFreePorts(2);
  const configFile = join(folder, 'rackfire.yaml');
  await writeFile(
    configFile,
    renderConfig(plan, folder, { site: sitePort ?? 0, http: httpPort ?? 0 }),
  );
  const { config } = await loadConfig(configFile);
  const [tier] = listScaledTiers(config);
  const [balancerConfig] = config.balancers;
  if (tier === undefined || balancerConfig === undefined) {
    throw new Error('the config of the demo has no tier or no balancer');
  }
  const haproxyFile = join(folder, 'haproxy.cfg');
  await writeFile(haproxyFile, composeHaproxyConfig(config, balancerConfig));
  await writeFile(balancerConfig.stateFile, '');

  const clock = createSystemClock();
  const hypervisors = composeHypervisors(config, clock);
  const balancer = composeBalancer(config, balancerConfig, clock);
  const processes: ChildProcess[] = [];
  const tearDown = async (): Promise<readonly string[]> =>
    tearDownWorld({ haproxyFile, configFile, config, hypervisors, processes });
  try {
    const haproxy = start(
      'haproxy',
      ['-W', '-S', join(folder, 'master.sock'), '-f', haproxyFile],
      folder,
    );
    processes.push(haproxy);
    await waitForBalancer(balancer, haproxy);
    await bootFirstNodes(plan, config, hypervisors);
    const main = process.argv[1] ?? '';
    const service = start(process.execPath, [main, 'run', '-c', configFile], folder);
    processes.push(service);
    return {
      folder,
      configFile,
      url: `http://127.0.0.1:${sitePort}/`,
      tier,
      balancer,
      hypervisors,
      haproxy,
      service,
      tearDown,
    };
  } catch (error) {
    await tearDown();
    throw error;
  }
}

function renderConfig(
  plan: DemoPlan,
  folder: string,
  ports: { readonly site: number; readonly http: number },
): string {
  // Another demo may run beside this one: hosts and addresses are this one's own.
  const id = folder.slice(-6).toLowerCase();
  const subnet = `127.${(process.pid % 200) + 20}.${(Math.floor(process.pid / 200) % 250) + 1}`;
  const perHost = Math.ceil(plan.maxNodes / 2) + 2;
  const host = (name: string): string =>
    `  - name: ${name}
    driver: embedded
    capacity: { memory: ${perHost * 512}MiB, vcpus: ${perHost}, disk: ${perHost * 4}GiB }
    embedded: { bootDelay: ${formatDuration(plan.bootDelayMs)}, serviceTime: ${NODE.serviceTime}, slots: ${NODE.slots} }`;
  return `# Made by \`rackfire demo\`; gone when it ends.
installation: demo-${id}
hosts:
${host(`host-a-${id}`)}
${host(`host-b-${id}`)}
balancers:
  - name: lb
    driver: runtime
    socket: ${folder}/admin.sock
    masterSocket: ${folder}/master.sock
    stateFile: ${folder}/server-state
sizes: { small: { memory: 512MiB, vcpus: 1, disk: 4GiB } }
images: { drupal-web: { version: "1" }, mysql: { version: "8" } }
clusters:
  - name: news
    tiers:
      db: { scaling: none, nodes: 1, image: mysql, size: small, addresses: ${subnet}.5 }
      web:
        image: drupal-web
        size: small
        nodes: { min: ${plan.minNodes}, max: ${plan.maxNodes} }
        addresses: ${subnet}.11-${subnet}.${10 + plan.maxNodes + SPARE_ADDRESSES}
        frontend: { bind: "127.0.0.1:${ports.site}", queueTimeout: 60s }
        backend: news-web
        maxConnections: ${NODE.slots}
        health: { path: /health, port: ${NODE.port}, interval: 1s }
        signals: { requestRate: { targetPerNode: ${plan.targetPerNodeRps} } }
        # A demo has no patience: half of the nodes may go every 15 s once the traffic has fallen.
        scaleIn: { policies: [{ percent: 50, per: 15s }] }
http: { listen: "127.0.0.1:${ports.http}" }
`;
}

/** Starts a program in a session of its own, so that Ctrl-C reaches the demo alone, which then ends it in order. */
function start(command: string, args: readonly string[], folder: string): ChildProcess {
  const log = createWriteStream(
    join(folder, `${command === 'haproxy' ? 'haproxy' : 'rackfire'}.log`),
  );
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.on('error', () => undefined);
  return child;
}

async function waitForBalancer(balancer: LoadBalancer, haproxy: ChildProcess): Promise<void> {
  const clock = createSystemClock();
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  for (;;) {
    if (haproxy.pid === undefined || haproxy.exitCode !== null) {
      throw new UnreachableError(
        'haproxy does not start; is it installed? scripts/setup installs it',
      );
    }
    try {
      await balancer.inspect(deadline);
      return;
    } catch (error) {
      if (!(error instanceof UnreachableError) || deadline.aborted) {
        throw error;
      }
      await clock.sleep(50, deadline);
    }
  }
}

/** The database, which Rackfire only watches, and what an operator boots before a busy hour. */
async function bootFirstNodes(
  plan: DemoPlan,
  config: Config,
  hypervisors: readonly Hypervisor[],
): Promise<void> {
  const uuidOf = createUuidOf(config.installation);
  for (const tier of config.clusters.flatMap(({ tiers }) => tiers)) {
    const nodes = tier.scaling === 'none' ? tier.nodes : plan.startNodes;
    for (let number = 1; number <= nodes; number += 1) {
      const name = nodeName(tier, number);
      const address = tier.addresses[number - 1] ?? '';
      const order = {
        name,
        uuid: uuidOf(name),
        bornMs: Date.now(),
        address,
        port: NODE.port,
        mac: macOf(address),
        imageName: tier.image.name,
        imageVersion: tier.image.version,
        memoryMiB: tier.size.memoryMiB,
        vcpus: tier.size.vcpus,
        diskMiB: tier.size.diskMiB,
        term: OPERATOR_TERM,
      };
      const host = hypervisors[number % hypervisors.length];
      await host?.create(order, AbortSignal.timeout(END_DEADLINE_MS));
    }
  }
}

interface Remains {
  readonly haproxyFile: string;
  readonly configFile: string;
  readonly config: Config;
  readonly hypervisors: readonly Hypervisor[];
  readonly processes: readonly ChildProcess[];
}

/**
 * Ends, in this order: every Rackfire that runs on the demo's config, whoever started it, or it would boot
 * what is destroyed; the nodes; HAProxy.
 */
async function tearDownWorld(remains: Remains): Promise<readonly string[]> {
  const { haproxyFile, configFile, config, hypervisors, processes } = remains;
  const isService = (args: readonly string[]): boolean =>
    args.includes('run') && args.includes(configFile);
  for (const pid of await findProcesses(isService)) {
    endProcess(pid, 'SIGTERM');
  }
  await waitUntilGone(isService);
  for (const hypervisor of hypervisors) {
    const signal = AbortSignal.timeout(END_DEADLINE_MS);
    const { domains } = await hypervisor.inspect(signal);
    await Promise.all(
      domains.map((domain) => hypervisor.destroy({ ...domain, term: OPERATOR_TERM }, signal)),
    );
  }
  for (const child of processes) {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      endProcess(child.pid, 'SIGTERM');
    }
  }
  const nodeMark = `--rackfire-installation=${config.installation}`;
  const left = await waitUntilGone(
    (args) => args.includes(nodeMark) || args.includes(haproxyFile) || isService(args),
  );
  for (const pid of left) {
    endProcess(pid, 'SIGKILL');
  }
  return left.map((pid) => `process ${pid}`);
}

/** Removes the demo's folder; kept when something went wrong, for its logs. */
export async function removeFolder(world: DemoWorld): Promise<void> {
  await rm(world.folder, { recursive: true, force: true });
}

type IsOurs = (args: readonly string[]) => boolean;

/** Processes, other than this one, that are the demo's by their arguments. */
async function findProcesses(isOurs: IsOurs): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && pid !== process.pid) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (isOurs(line.split('\0'))) {
        found.push(pid);
      }
    }
  }
  return found;
}

async function waitUntilGone(isOurs: IsOurs): Promise<readonly number[]> {
  const clock = createSystemClock();
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  let left = await findProcesses(isOurs);
  while (left.length > 0 && !deadline.aborted) {
    await clock.sleep(100, deadline).catch(() => undefined);
    left = await findProcesses(isOurs);
  }
  return left;
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    ports.push(typeof address === 'object' && address !== null ? address.port : 0);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
