/** The only file that knows every concrete class. */

import { isDeepStrictEqual } from 'node:util';
import { v5 as uuidV5 } from 'uuid';
import { suggestedMaxConnections, renderHaproxyConfig } from './balancer/haproxy/config-section.ts';
import { checkDataplane } from './balancer/dataplane/check-dataplane.ts';
import {
  createDataplaneBalancer,
  type DataplaneBalancer,
} from './balancer/dataplane/dataplane-balancer.ts';
import type { BalancerFinding } from './balancer/haproxy/findings.ts';
import { checkRuntime } from './balancer/runtime/check-runtime.ts';
import { createRuntimeBalancer } from './balancer/runtime/runtime-balancer.ts';
import type {
  BalancerConfig,
  Config,
  DataplaneBalancerConfig,
  EmbeddedHostConfig,
  HostConfig,
  LeadershipConfig,
  RoomConfig,
  XenHostConfig,
} from './config/config.ts';
import { readSchedule } from './config/read-schedule.ts';
import { keepRemoved } from './config/removed-clusters.ts';
import {
  readAuthorities,
  readCredentials,
  readPublicFile,
  readSecretFile,
} from './config/secret-file.ts';
import type { Clock } from './control/clock.ts';
import { Controller, type ControllerOptions, type Setup } from './control/controller.ts';
import { ConfigError } from './control/errors.ts';
import { OverrideBook } from './control/override-book.ts';
import type { Hypervisor, LoadBalancer } from './control/ports.ts';
import { createEmbeddedHypervisor } from './embedded/hypervisor.ts';
import { createFileLeadership } from './leader/file-lock.ts';
import { createLeaseLeadership } from './leader/lease-leadership.ts';
import { createSoloLeadership } from './leader/solo.ts';
import type { Contender, Standing } from './leader/standing.ts';
import { type Cluster, type ScaledTier, tierKey } from './scaler/cluster.ts';
import type { SimulationOptions } from './sim/simulation.ts';
import { checkXenHost, type HostFinding } from './xen/check-host.ts';
import type { XenHostOptions } from './xen/xen-host.ts';
import { createXenHypervisor } from './xen/xen-hypervisor.ts';

/** The root of the namespaces of installations; drawn once, never to be changed. */
const RACKFIRE_NAMESPACE = '7d9a1c0e-5b62-4f0b-9c41-2f6f0f0d5a11';

/** Debian's. Between HAProxy and its Data Plane API; Rackfire itself does not use it then. */
const USUAL_SOCKET_PATH = '/run/haproxy/admin.sock';

/** A guest has served nobody for a while when it is shut down; whoever needs longer is stuck. */
const SHUTDOWN_DEADLINE_SECONDS = 60;

/** The UUID of the domain of this name: a function of the installation, so that no database is needed. */
export function createUuidOf(installation: string): (name: string) => string {
  const namespace = uuidV5(installation, RACKFIRE_NAMESPACE);
  return (name) => uuidV5(name, namespace);
}

/**
 * Lets a controller look at the world once: nobody hears of it, no override is known to it, and nothing is left
 * open behind it.
 */
export async function dryRun(
  config: Config,
  clock: Clock,
  signal: AbortSignal,
): Promise<Controller> {
  const recorder = { record: () => undefined };
  const leadership = createSoloLeadership(clock);
  const overrides = new OverrideBook(clock, recorder);
  const setup = composeSetup(config, clock);
  const controller = composeController(config, setup, { clock, recorder, leadership, overrides });
  try {
    await controller.dryRun(signal);
    return controller;
  } finally {
    closePorts(setup.hypervisors.values());
  }
}

/** What a dry run has found, by `cluster/tier`. */
export type Look = Pick<Controller, 'ticks' | 'fixed' | 'unanswered'>;

/** As {@link dryRun}, and what another config would decide on what was seen, if it were in force: for the tiers that it scales. */
export async function dryRunOfTwo(
  { present, future }: { readonly present: Config; readonly future: Config },
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly present: Look; readonly future: Look }> {
  const recorder = { record: () => undefined };
  const leadership = createSoloLeadership(clock);
  const overrides = new OverrideBook(clock, recorder);
  const setup = composeSetup(present, clock);
  const next = recomposeSetup(future, clock, { config: present, setup });
  const around = { clock, recorder, leadership, overrides };
  const controller = composeController(present, setup, around);
  try {
    await controller.dryRun(signal);
    const { ticks, fixed, unanswered } = controller;
    const seen = { ticks: new Map(ticks), fixed: new Map(fixed), unanswered };
    await controller.dryRunAs(next, signal);
    const scaled = new Set(listScaledTiers(future).map(tierKey));
    const after = new Map([...controller.ticks].filter(([tier]) => scaled.has(tier)));
    return {
      present: seen,
      future: { ticks: after, fixed: controller.fixed, unanswered: controller.unanswered },
    };
  } finally {
    closePorts(setup.hypervisors.values());
    closePorts(next.hypervisors.values(), setup.hypervisors.values());
  }
}

/** Everything that scales, as the config says. */
export function composeController(
  { installation }: Config,
  setup: Setup,
  around: Pick<ControllerOptions, 'clock' | 'recorder' | 'leadership' | 'overrides'>,
): Controller {
  return new Controller({ ...around, setup, readSchedule, uuidOf: createUuidOf(installation) });
}

/**
 * Contends for what the config names.
 *
 * @throws ConfigError when the lock cannot be used.
 */
export function composeContender(
  leadership: LeadershipConfig,
  around: {
    readonly clock: Clock;
    readonly onChange: (standing: Standing) => void;
    readonly onTrouble: (why: string | undefined) => void;
  },
): Contender {
  const { clock, onChange } = around;
  return leadership.driver === 'file'
    ? createFileLeadership({ clock, onChange, path: leadership.path })
    : createLeaseLeadership({ ...around, ...leadership });
}

/** All that a config says of the world. */
export function composeSetup(config: Config, clock: Clock): Setup {
  return {
    clusters: config.clusters,
    limits: config.limits,
    placement: describePlacement(config),
    hypervisors: new Map(composeHypervisors(config, clock).map((port) => [port.host, port])),
    balancers: config.balancers.map((balancer) => composeBalancer(config, balancer, clock)),
  };
}

/** The same for a config that follows another: what did not change stays the same object. */
export function recomposeSetup(
  config: Config,
  clock: Clock,
  previous: { readonly config: Config; readonly setup: Setup },
): Setup {
  const clusters = keepRemoved(previous.setup.clusters, config.clusters);
  // In whatever order: a cluster that was removed stands behind the others.
  const sameBackends = isDeepStrictEqual(
    new Set(listBackends(clusters)),
    new Set(listBackends(previous.setup.clusters)),
  );
  const hypervisors = config.hosts.map((host) => {
    const known = previous.config.hosts.find((one) =>
      isDeepStrictEqual(partsOf(previous.config, one), partsOf(config, host)),
    );
    const port = known && previous.setup.hypervisors.get(known.name);
    return port ?? composeHypervisor(config, host, clock);
  });
  const balancers = config.balancers.map((balancer) => {
    const known = previous.config.balancers.find((one) => isDeepStrictEqual(one, balancer));
    const port = previous.setup.balancers.find(({ name }) => name === known?.name);
    return sameBackends && port !== undefined
      ? port
      : composeBalancer({ clusters }, balancer, clock);
  });
  return {
    clusters,
    limits: config.limits,
    placement: describePlacement(config),
    hypervisors: new Map(hypervisors.map((port) => [port.host, port])),
    balancers,
  };
}

function describePlacement({ hosts, placement }: Config): NonNullable<Setup['placement']> {
  return {
    hostFailuresToTolerate: placement.hostFailuresToTolerate,
    failureDomains: new Map(hosts.map(({ name, failureDomain }) => [name, failureDomain])),
  };
}

/** Ends the connections of the ports that another setup has no more, or of all. */
export function closePorts(ports: Iterable<Hypervisor>, keep: Iterable<Hypervisor> = []): void {
  const kept = new Set(keep);
  for (const port of ports) {
    if (!kept.has(port)) {
      port.close?.();
    }
  }
}

/** All of the config that the port of a host is made from. */
function partsOf({ images, network }: Config, host: HostConfig): readonly unknown[] {
  return host.driver === 'xen' ? [host, images, network] : [host];
}

export function composeHypervisors(config: Config, clock: Clock): readonly Hypervisor[] {
  return config.hosts.map((host) => composeHypervisor(config, host, clock));
}

function composeHypervisor(config: Config, host: HostConfig, clock: Clock): Hypervisor {
  if (host.driver === 'xen') {
    return createXenHypervisor(describeXenHost(config, host, clock));
  }
  const { name, capacity, reserveMemoryMiB, embedded, fenceFile } = host;
  return createEmbeddedHypervisor({
    host: name,
    installation: config.installation,
    capacity,
    reserveMemoryMiB,
    behavior: embedded,
    fenceFile,
    clock,
  });
}

/** What `rackfire host check` finds out about a dom0; changes nothing there. */
export async function checkHost(
  config: Config,
  host: XenHostConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  return await checkXenHost(describeXenHost(config, host, clock), signal);
}

/** @throws ConfigError when there is no network, which the config's checks do not let happen. */
function describeXenHost(
  { installation, images, network }: Config,
  host: XenHostConfig,
  clock: Clock,
): XenHostOptions {
  if (network === undefined) {
    throw new ConfigError(`guests of host ${host.name} need a network`);
  }
  const { address, port, user, keyFile, knownHostsFile } = host;
  return {
    host: host.name,
    installation,
    uuidOf: createUuidOf(installation),
    connection: { address, port, user, keyFile, knownHostsFile },
    reserveMemoryMiB: host.reserveMemoryMiB,
    vcpusPerCpu: host.vcpusPerCpu,
    images: new Map(images.map(({ name, ...image }) => [name, image])),
    network,
    shutdownDeadlineSeconds: SHUTDOWN_DEADLINE_SECONDS,
    clock,
  };
}

export function composeBalancer(
  { clusters }: { readonly clusters: readonly Cluster[] },
  balancer: BalancerConfig,
  clock: Clock,
): LoadBalancer {
  if (balancer.driver === 'dataplane') {
    return composeDataplaneBalancer({ clusters }, balancer, clock);
  }
  const { name, hardStopAfterMs } = balancer;
  return createRuntimeBalancer({
    name,
    hardStopAfterMs,
    backends: listBackends(clusters),
    clock,
    socketPath: balancer.socket,
    masterSocketPath: balancer.masterSocket,
    stateFilePath: balancer.stateFile,
  });
}

/** @throws ConfigError when a file that the config names cannot be used. */
export function composeDataplaneBalancer(
  { clusters }: { readonly clusters: readonly Cluster[] },
  balancer: DataplaneBalancerConfig,
  clock: Clock,
): DataplaneBalancer {
  const { name, hardStopAfterMs } = balancer;
  const backends = listBackends(clusters);
  const secrets = readDataplaneSecrets(balancer);
  return createDataplaneBalancer({ name, hardStopAfterMs, backends, clock, ...secrets });
}

/** What `rackfire check --online` finds out about a balancer; changes nothing there. */
export async function checkBalancer(
  config: Config,
  balancer: BalancerConfig,
  signal: AbortSignal,
): Promise<readonly BalancerFinding[]> {
  const tiers = listScaledTiers(config);
  if (balancer.driver === 'runtime') {
    const { socket, masterSocket, stateFile } = balancer;
    return await checkRuntime(
      { socketPath: socket, masterSocketPath: masterSocket, stateFilePath: stateFile, tiers },
      signal,
    );
  }
  const { name, hardStopAfterMs } = balancer;
  const secrets = readDataplaneSecrets(balancer);
  return await checkDataplane({ ...secrets, name, tiers, hardStopAfterMs }, signal);
}

/** Where a daemon is and what it is shown. @throws ConfigError when a file cannot be used. */
function readDataplaneSecrets({ url, credentialsFile, tls }: DataplaneBalancerConfig) {
  const { caFile, certFile, keyFile } = tls;
  return {
    url,
    ...readCredentials(credentialsFile),
    tls: {
      ca: caFile && readAuthorities(caFile),
      cert: certFile && readPublicFile(certFile, 'certificate'),
      key: keyFile && readSecretFile(keyFile, 'private key', 'make a new key'),
    },
  };
}

/** The HAProxy config that one balancer needs for all scaled tiers. */
export function composeHaproxyConfig(
  config: Config,
  balancer: BalancerConfig,
  daemonSocketPath = USUAL_SOCKET_PATH,
): string {
  const isRuntime = balancer.driver === 'runtime';
  return renderHaproxyConfig({
    tiers: listScaledTiers(config),
    socketPath: isRuntime ? balancer.socket : daemonSocketPath,
    stateFilePath: isRuntime ? balancer.stateFile : undefined,
    hardStopAfterMs: balancer.hardStopAfterMs,
    maxConnections: suggestedMaxConnections,
  });
}

/** What a simulation takes from a config: nothing that it names is opened. What a Xen host has, only it knows. */
export function describeSimulation(
  { hosts, limits, placement }: Config,
  tier: ScaledTier,
): Pick<
  SimulationOptions,
  'tier' | 'hosts' | 'limits' | 'hostFailuresToTolerate' | 'readSchedule'
> {
  return {
    tier,
    readSchedule,
    hosts: hosts.map((host) => ({
      name: host.name,
      failureDomain: host.failureDomain,
      room: host.driver === 'embedded' ? roomOf(host) : undefined,
    })),
    limits,
    hostFailuresToTolerate: placement.hostFailuresToTolerate,
  };
}

function roomOf({ capacity, reserveMemoryMiB }: EmbeddedHostConfig): RoomConfig {
  return { ...capacity, memoryMiB: Math.max(0, capacity.memoryMiB - reserveMemoryMiB) };
}

export function listScaledTiers({
  clusters,
}: {
  readonly clusters: readonly Cluster[];
}): readonly ScaledTier[] {
  return clusters.flatMap(({ tiers }) => tiers.filter((tier) => tier.scaling === 'automatic'));
}

function listBackends(clusters: readonly Cluster[]): readonly string[] {
  return listScaledTiers({ clusters }).map(({ backend }) => backend);
}
