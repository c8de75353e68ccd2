/** The only file that knows every concrete class. */

import { isDeepStrictEqual } from 'node:util';
import { v5 as uuidV5 } from 'uuid';
import { suggestedMaxConnections, renderHaproxyConfig } from './balancer/haproxy/config-section.ts';
import { createRuntimeBalancer } from './balancer/runtime/runtime-balancer.ts';
import type { BalancerConfig, Config, HostConfig } from './config/config.ts';
import { keepRemoved } from './config/removed-clusters.ts';
import type { Clock } from './control/clock.ts';
import { Controller, type ControllerOptions, type Setup } from './control/controller.ts';
import { OverrideBook } from './control/override-book.ts';
import type { Hypervisor, LoadBalancer } from './control/ports.ts';
import { createEmbeddedHypervisor } from './embedded/hypervisor.ts';
import { createSoloLeadership } from './leader/solo.ts';
import type { Cluster, ScaledTier } from './scaler/cluster.ts';

/** The root of the namespaces of installations; drawn once, never to be changed. */
const RACKFIRE_NAMESPACE = '7d9a1c0e-5b62-4f0b-9c41-2f6f0f0d5a11';

/** The UUID of the domain of this name: a function of the installation, so that no database is needed. */
export function createUuidOf(installation: string): (name: string) => string {
  const namespace = uuidV5(installation, RACKFIRE_NAMESPACE);
  return (name) => uuidV5(name, namespace);
}

/** A controller for a dry run: nobody hears of what it does, and no override is known to it. */
export function composeDryController(config: Config, clock: Clock): Controller {
  const recorder = { record: () => undefined };
  const leadership = createSoloLeadership(clock);
  const overrides = new OverrideBook(clock, recorder);
  const setup = composeSetup(config, clock);
  return composeController(config, setup, { clock, recorder, leadership, overrides });
}

/** Everything that scales, as the config says. */
export function composeController(
  { installation }: Config,
  setup: Setup,
  around: Pick<ControllerOptions, 'clock' | 'recorder' | 'leadership' | 'overrides'>,
): Controller {
  return new Controller({ ...around, setup, uuidOf: createUuidOf(installation) });
}

/** All that a config says of the world. */
export function composeSetup(config: Config, clock: Clock): Setup {
  return {
    clusters: config.clusters,
    limits: config.limits,
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
    const known = previous.config.hosts.find((one) => isDeepStrictEqual(one, host));
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
    hypervisors: new Map(hypervisors.map((port) => [port.host, port])),
    balancers,
  };
}

export function composeHypervisors(config: Config, clock: Clock): readonly Hypervisor[] {
  return config.hosts.map((host) => composeHypervisor(config, host, clock));
}

function composeHypervisor({ installation }: Config, host: HostConfig, clock: Clock): Hypervisor {
  if (host.driver === 'xen') {
    throw new Error('not yet');
  }
  const { name, capacity, reserveMemoryMiB, embedded } = host;
  return createEmbeddedHypervisor({
    host: name,
    installation,
    capacity,
    reserveMemoryMiB,
    behavior: embedded,
    clock,
  });
}

export function composeBalancer(
  { clusters }: { readonly clusters: readonly Cluster[] },
  balancer: BalancerConfig,
  clock: Clock,
): LoadBalancer {
  return createRuntimeBalancer({
    name: balancer.name,
    socketPath: balancer.socket,
    masterSocketPath: balancer.masterSocket,
    stateFilePath: balancer.stateFile,
    hardStopAfterMs: balancer.hardStopAfterMs,
    backends: listBackends(clusters),
    clock,
  });
}

/** The HAProxy config that one balancer needs for all scaled tiers. */
export function composeHaproxyConfig(config: Config, balancer: BalancerConfig): string {
  return renderHaproxyConfig({
    tiers: listScaledTiers(config),
    socketPath: balancer.socket,
    stateFilePath: balancer.stateFile,
    hardStopAfterMs: balancer.hardStopAfterMs,
    maxConnections: suggestedMaxConnections,
  });
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
