/** The only file that knows every concrete class. */

import { v5 as uuidV5 } from 'uuid';
import { suggestedMaxConnections, renderHaproxyConfig } from './balancer/haproxy/config-section.ts';
import { createRuntimeBalancer } from './balancer/runtime/runtime-balancer.ts';
import type { BalancerConfig, Config } from './config/config.ts';
import type { Clock } from './control/clock.ts';
import { Controller, type ControllerOptions, type Setup } from './control/controller.ts';
import { OverrideBook } from './control/override-book.ts';
import type { Hypervisor, LoadBalancer } from './control/ports.ts';
import { createEmbeddedHypervisor } from './embedded/hypervisor.ts';
import { createSoloLeadership } from './leader/solo.ts';
import type { ScaledTier } from './scaler/cluster.ts';

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
  return composeController(config, { clock, recorder, leadership, overrides });
}

/** Everything that scales, as the config says. */
export function composeController(
  config: Config,
  around: Pick<ControllerOptions, 'clock' | 'recorder' | 'leadership' | 'overrides'>,
): Controller {
  return new Controller({
    ...around,
    setup: composeSetup(config, around.clock),
    uuidOf: createUuidOf(config.installation),
  });
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

export function composeHypervisors(config: Config, clock: Clock): readonly Hypervisor[] {
  return config.hosts.map(({ name, capacity, reserveMemoryMiB, embedded }) =>
    createEmbeddedHypervisor({
      host: name,
      installation: config.installation,
      capacity,
      reserveMemoryMiB,
      behavior: embedded,
      clock,
    }),
  );
}

export function composeBalancer(
  config: Config,
  balancer: BalancerConfig,
  clock: Clock,
): LoadBalancer {
  return createRuntimeBalancer({
    name: balancer.name,
    socketPath: balancer.socket,
    masterSocketPath: balancer.masterSocket,
    stateFilePath: balancer.stateFile,
    hardStopAfterMs: balancer.hardStopAfterMs,
    backends: listScaledTiers(config).map((tier) => tier.backend),
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

export function listScaledTiers(config: Config): readonly ScaledTier[] {
  return config.clusters.flatMap(({ tiers }) =>
    tiers.filter((tier) => tier.scaling === 'automatic'),
  );
}
