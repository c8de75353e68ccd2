/** From the form that people write to the form that the program computes with. Nothing is checked here. */

import type { Cluster, Size, Tier } from '../scaler/cluster.ts';
import { memoryOnXenMiB } from '../scaler/guest-memory.ts';
import type { ScalingPolicy, TierPolicy } from '../scaler/policy.ts';
import type { Schedule } from '../scaler/schedule.ts';
import { acceptedRange, listAddresses } from './addresses.ts';
import type {
  BalancerConfig,
  Config,
  HostConfig,
  HttpConfig,
  ImageConfig,
  LeadershipConfig,
  RoomConfig,
} from './config.ts';
import type { WrittenBalancer } from './balancer-schema.ts';
import type { WrittenHost } from './host-schema.ts';
import type { WrittenLeadership } from './leadership-schema.ts';
import type { WrittenConfig } from './schema.ts';
import type { WrittenTier } from './tier-schema.ts';
import { parseAmountMiB, parseDurationMs } from './units.ts';

type WrittenScaledTier = Extract<WrittenTier, { scaling: 'automatic' }>;
type WrittenRoom = WrittenConfig['sizes'][string];

/** Compiles a config that the schema has accepted and that has no contradictions. */
export function compile(written: WrittenConfig): Config {
  const { limits } = written;
  return {
    installation: written.installation,
    hosts: written.hosts.map(compileHost),
    balancers: written.balancers.map(compileBalancer),
    clusters: written.clusters.map((cluster) => compileCluster(cluster, written)),
    network: written.network,
    images: compileImages(written.images),
    placement: written.placement,
    limits: {
      maxNodes: limits.maxNodes,
      concurrentBootsPerHost: limits.concurrentBootsPerHost,
      breaker: {
        failures: limits.breaker.failures,
        windowMs: parseDurationMs(limits.breaker.window),
        openMs: parseDurationMs(limits.breaker.open),
      },
    },
    leadership: compileLeadership(written.leadership),
    journal: {
      path: written.journal.path,
      retentionMs: parseDurationMs(written.journal.retention),
      maxBytes: parseAmountMiB(written.journal.maxSize) * 2 ** 20,
    },
    http: compileHttp(written.http),
  };
}

export function compileHttp({ listen, tokenFile }: WrittenConfig['http']): HttpConfig {
  const [host = '', port] = listen.split(':');
  return { host, port: Number(port), tokenFile };
}

/** What one node takes of its host, and what its guest has of that. All hosts of a config have one driver. */
export function compileSize(
  name: string,
  { sizes, hosts }: Pick<WrittenConfig, 'sizes' | 'hosts'>,
): Size | undefined {
  const written = sizes[name];
  if (written === undefined) {
    return undefined;
  }
  const room = compileRoom(written);
  const guestMemoryMiB = room.memoryMiB;
  const memoryMiB = hosts.some(({ driver }) => driver === 'xen')
    ? memoryOnXenMiB(guestMemoryMiB, room.vcpus)
    : guestMemoryMiB;
  return { name, ...room, memoryMiB, guestMemoryMiB };
}

/** Compiles what a node or a host has. */
export function compileRoom(written: WrittenRoom): RoomConfig {
  return {
    memoryMiB: parseAmountMiB(written.memory),
    vcpus: written.vcpus,
    diskMiB: parseAmountMiB(written.disk),
  };
}

/** Compiles what says who leads. */
function compileLeadership(written: WrittenLeadership): LeadershipConfig {
  if (written.driver === 'file') {
    return { driver: 'file', path: written.path };
  }
  const { namespace, name, leaseDuration, renewDeadline, retryPeriod } = written;
  return {
    driver: 'kubernetes',
    namespace,
    name,
    leaseMs: parseDurationMs(leaseDuration),
    renewDeadlineMs: parseDurationMs(renewDeadline),
    retryMs: parseDurationMs(retryPeriod),
  };
}

function compileHost(host: WrittenHost): HostConfig {
  const base = {
    name: host.name,
    failureDomain: host.failureDomain ?? host.name,
    reserveMemoryMiB: parseAmountMiB(host.reserve.memory),
  };
  if (host.driver === 'embedded') {
    return {
      ...base,
      driver: 'embedded',
      capacity: compileRoom(host.capacity),
      embedded: {
        bootDelayMs: parseDurationMs(host.embedded.bootDelay),
        serviceTimeMs: parseDurationMs(host.embedded.serviceTime),
        slots: host.embedded.slots,
      },
      fenceFile: host.embedded.fenceFile,
    };
  }
  const { user, keyFile, knownHostsFile } = host.ssh;
  return {
    ...base,
    driver: 'xen',
    ...splitHostAddress(host),
    user,
    keyFile,
    knownHostsFile,
    vcpusPerCpu: host.vcpusPerCpu,
  };
}

/** A port in the address goes before `ssh.port`. */
export function splitHostAddress({
  address: written,
  ssh,
}: Pick<Extract<WrittenHost, { driver: 'xen' }>, 'address' | 'ssh'>): {
  readonly address: string;
  readonly port: number;
} {
  const [address = '', port] = written.split(':');
  return { address, port: port === undefined ? ssh.port : Number(port) };
}

/** Images without disk or kernel are those of nodes that are not made by Rackfire, or not on Xen. */
function compileImages(images: WrittenConfig['images']): readonly ImageConfig[] {
  return Object.entries(images).flatMap(([name, { version, type, disk, kernel, ramdisk }]) =>
    disk === undefined || kernel === undefined
      ? []
      : [
          {
            name,
            version,
            type,
            disk: compileDisk(disk),
            kernel,
            ...(ramdisk === undefined ? {} : { ramdisk }),
          },
        ],
  );
}

/** The schema lets exactly one of the two through. */
function compileDisk({
  file = '',
  lvmThin,
}: NonNullable<WrittenConfig['images'][string]['disk']>): ImageConfig['disk'] {
  return lvmThin === undefined ? { file } : { thin: lvmThin };
}

function compileBalancer(balancer: WrittenBalancer): BalancerConfig {
  const base = {
    name: balancer.name,
    hardStopAfterMs: parseDurationMs(balancer.hardStopAfter),
  };
  if (balancer.driver === 'dataplane') {
    const { driver, url, credentialsFile, tls = {} } = balancer;
    const { caFile, certFile, keyFile } = tls;
    return {
      ...base,
      driver,
      url: new URL(url).origin,
      credentialsFile,
      tls: {
        ...(caFile === undefined ? {} : { caFile }),
        ...(certFile === undefined || keyFile === undefined ? {} : { certFile, keyFile }),
      },
    };
  }
  const { driver, socket, masterSocket, stateFile } = balancer;
  return { ...base, driver, socket, masterSocket, stateFile };
}

function compileCluster(
  cluster: WrittenConfig['clusters'][number],
  written: WrittenConfig,
): Cluster {
  return {
    name: cluster.name,
    mode: cluster.mode,
    tiers: Object.entries(cluster.tiers).map(([name, tier]) =>
      compileTier({ cluster: cluster.name, name }, tier, written),
    ),
  };
}

function compileTier(
  identity: { readonly cluster: string; readonly name: string },
  tier: WrittenTier,
  written: WrittenConfig,
): Tier {
  const image = written.images[tier.image];
  const size = compileSize(tier.size, written);
  if (image === undefined || size === undefined) {
    throw new RangeError(`unknown image ${tier.image} or size ${tier.size}`);
  }
  const base = {
    ...identity,
    image: { name: tier.image, version: image.version },
    size,
    addresses: listAddresses(acceptedRange(tier.addresses)),
  };
  if (tier.scaling === 'none') {
    return { ...base, scaling: 'none', nodes: tier.nodes };
  }
  return {
    ...base,
    scaling: 'automatic',
    backend: tier.backend,
    maxConnections: tier.maxConnections,
    health: {
      path: tier.health.path,
      port: tier.health.port,
      intervalMs: parseDurationMs(tier.health.interval),
    },
    frontend: tier.frontend && {
      bind: tier.frontend.bind,
      queueTimeoutMs: parseDurationMs(tier.frontend.queueTimeout),
    },
    policy: compilePolicy(tier),
  };
}

function compilePolicy(tier: WrittenScaledTier): TierPolicy {
  return {
    minNodes: tier.nodes.min,
    maxNodes: tier.nodes.max,
    requestRate: { targetPerNodeRps: tier.signals.requestRate.targetPerNode },
    queue: { maxWaitMs: parseDurationMs(tier.signals.queue.maxWait) },
    looksAhead: tier.storm.enabled,
    scaleOut: {
      tolerance: tier.scaleOut.tolerance,
      policies: tier.scaleOut.policies.flatMap(compileScalingPolicy),
    },
    scaleIn: {
      tolerance: tier.scaleIn.tolerance,
      stabilizationWindowMs: durationOrAutoMs(tier.scaleIn.stabilizationWindow),
      policies: tier.scaleIn.policies.flatMap(compileScalingPolicy),
    },
    standby: tier.standby,
    drainDeadlineMs: parseDurationMs(tier.drain.deadline),
    bootDeadlineMs: durationOrAutoMs(tier.boot.deadline),
    ...(tier.schedules.length > 0 ? { schedules: tier.schedules.map(compileSchedule) } : {}),
  };
}

function compileSchedule({
  cron,
  duration,
  timeZone,
  nodes: { min, max } = {},
  freeze,
}: WrittenScaledTier['schedules'][number]): Schedule {
  return {
    cron,
    durationMs: parseDurationMs(duration),
    timeZone,
    ...(min === undefined ? {} : { minNodes: min }),
    ...(max === undefined ? {} : { maxNodes: max }),
    ...(freeze === undefined ? {} : { freeze }),
  };
}

function durationOrAutoMs(written: string): number | 'auto' {
  return written === 'auto' ? 'auto' : parseDurationMs(written);
}

/** The schema lets exactly one of the two through. */
function compileScalingPolicy({
  percent,
  nodes,
  per,
}: WrittenScaledTier['scaleOut']['policies'][number]): readonly ScalingPolicy[] {
  const periodMs = parseDurationMs(per);
  return [
    ...(percent === undefined ? [] : [{ kind: 'percent', percent, periodMs } as const]),
    ...(nodes === undefined ? [] : [{ kind: 'nodes', nodes, periodMs } as const]),
  ];
}
