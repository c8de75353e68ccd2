/** One tier behind one real HAProxy, as both suites of real servers need it. */

import { Agent } from 'node:http';
import { renderHaproxyConfig } from '../../../src/balancer/haproxy/config-section.ts';
import {
  createRuntimeBalancer,
  type RuntimeBalancerOptions,
} from '../../../src/balancer/runtime/runtime-balancer.ts';
import { createSystemClock } from '../../../src/control/clock.ts';
import type { LoadBalancer, ServerChange, ServerReport } from '../../../src/control/ports.ts';
import type { Sample } from '../../../src/scaler/observation.ts';
import type { HaproxyRig, RigPaths } from '../haproxy-rig.ts';
import { findFreePorts } from '../../../src/cli/demo/processes.ts';
import { get, makeTier } from '../site.ts';

export const never = new AbortController().signal;

export interface Ports {
  readonly frontPort: number;
  readonly nodePort: number;
}

export async function pickPorts(): Promise<Ports> {
  const [frontPort = 0, nodePort = 0] = await findFreePorts(2);
  return { frontPort, nodePort };
}

/** One tier of which the first `minNodes` are in rotation at first. */
export function configFor(
  ports: Ports,
  options: {
    readonly maxConnections?: number;
    readonly nodes?: number;
    readonly minNodes?: number;
    readonly intervalMs?: number;
  } = {},
): (paths: RigPaths) => string {
  const { nodes = 3, minNodes = 1 } = options;
  const tier = makeTier({ ...options, nodes, minNodes, ...ports });
  return (paths) =>
    renderHaproxyConfig({ tiers: [tier], hardStopAfterMs: 60_000, maxConnections: 500, ...paths });
}

export function balancerOf(
  rig: HaproxyRig,
  changed: Partial<RuntimeBalancerOptions> = {},
): LoadBalancer {
  return createRuntimeBalancer({
    name: 'lb-a',
    socketPath: rig.socketPath,
    masterSocketPath: rig.masterSocketPath,
    stateFilePath: rig.stateFilePath,
    hardStopAfterMs: 60_000,
    backends: ['news-web'],
    clock: createSystemClock(),
    ...changed,
  });
}

export function change(
  node: number,
  to: ServerChange['to'],
  requires: ServerChange['requires'] = 'none',
): ServerChange {
  return { backend: 'news-web', server: `news-web-${node}`, to, requires };
}

export async function see(balancer: LoadBalancer, node: number): Promise<ServerReport | undefined> {
  const snapshot = await balancer.inspect(never);
  return snapshot.backends
    .get('news-web')
    ?.servers.find((server) => server.name === `news-web-${node}`);
}

export function hasPassed(server: ServerReport | undefined): boolean {
  return server?.check === 'passed';
}

/** A request on a connection of its own. */
export function openRequest(port: number): Promise<number> {
  return get(port, new Agent());
}

/** @returns `undefined` when there is no reading. */
export function valueOf(sample: Sample<number> | undefined): number | undefined {
  return sample === undefined || sample.status === 'absent' ? undefined : sample.value;
}
