/** The demo's own little data center: a config, an HAProxy, a Rackfire, and the end of all of them. */

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  composeBalancer,
  composeHaproxyConfig,
  composeHypervisors,
  createUuidOf,
  listScaledTiers,
} from '../../compose.ts';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load-config.ts';
import { createSystemClock } from '../../control/clock.ts';
import { UnreachableError } from '../../control/errors.ts';
import type { Hypervisor, LoadBalancer } from '../../control/ports.ts';
import { macOf, nodeName, type ScaledTier } from '../../scaler/cluster.ts';
import type { Term } from '../../scaler/term.ts';
import {
  daemonFileIn,
  findDaemon,
  SOCKET,
  startDaemon,
  writeCredentials,
} from './dataplane-daemon.ts';
import {
  END_DEADLINE_MS,
  endProcess,
  findFreePorts,
  findProcesses,
  start,
  waitUntilGone,
} from './processes.ts';
import { type DemoPlan, NODE, renderConfig } from './render-config.ts';

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

/** The demo acts before any Rackfire runs, so its term is older than all. */
const OPERATOR_TERM: Term = { createdAtSeconds: 0, transitions: 0 };

export async function buildWorld(plan: DemoPlan): Promise<DemoWorld> {
  const program = plan.driver === 'dataplane' ? findDaemon() : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-demo-'));
  const [sitePort = 0, httpPort = 0, daemonPort = 0] = await findFreePorts(3);
  const configFile = join(folder, 'rackfire.yaml');
  await writeFile(join(folder, 'token'), randomBytes(24).toString('hex'), { mode: 0o600 });
  if (program !== undefined) {
    await writeCredentials(folder);
  }
  const ports = { site: sitePort, http: httpPort, daemon: daemonPort };
  await writeFile(configFile, renderConfig(plan, folder, ports));
  const { config } = await loadConfig(configFile);
  const [tier] = listScaledTiers(config);
  const [balancerConfig] = config.balancers;
  if (tier === undefined || balancerConfig === undefined) {
    throw new Error('the config of the demo has no tier or no balancer');
  }
  const haproxyFile = join(folder, 'haproxy.cfg');
  const socket = join(folder, SOCKET);
  await writeFile(haproxyFile, composeHaproxyConfig(config, balancerConfig, socket));
  if (balancerConfig.driver === 'runtime') {
    await writeFile(balancerConfig.stateFile, '');
  }

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
      join(folder, 'haproxy.log'),
    );
    processes.push(haproxy);
    if (program !== undefined) {
      const order = { program, folder, haproxyFile, haproxy, port: daemonPort };
      processes.push(await startDaemon(order));
    }
    await waitForBalancer(balancer, processes, folder);
    await bootFirstNodes(plan, config, hypervisors);
    const main = process.argv[1] ?? '';
    const log = join(folder, 'rackfire.log');
    const service = start(process.execPath, [main, 'run', '-c', configFile], log);
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

async function waitForBalancer(
  balancer: LoadBalancer,
  [haproxy, daemon]: readonly ChildProcess[],
  folder: string,
): Promise<void> {
  const clock = createSystemClock();
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  for (;;) {
    if (hasEnded(haproxy)) {
      throw new UnreachableError(
        `haproxy does not start; is it installed (scripts/setup)? Its log is in ${folder}`,
      );
    }
    if (daemon !== undefined && hasEnded(daemon)) {
      throw new UnreachableError(
        `the Data Plane API's daemon does not start; its log is in ${folder}`,
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

function hasEnded(child: ChildProcess | undefined): boolean {
  return child?.pid === undefined || child.exitCode !== null || child.signalCode !== null;
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
    (args) =>
      args.includes(nodeMark) ||
      args.includes(haproxyFile) ||
      args.includes(daemonFileIn(dirname(haproxyFile))) ||
      isService(args),
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
