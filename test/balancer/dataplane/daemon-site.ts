/** One tier behind a real HAProxy that a daemon keeps, the door before it, and the balancer in front. */

import {
  createDataplaneBalancer,
  type DataplaneBalancer,
  type DataplaneBalancerOptions,
} from '../../../src/balancer/dataplane/dataplane-balancer.ts';
import { createSystemClock } from '../../../src/control/clock.ts';
import { NODES } from '../contract.ts';
import { type HaproxyRig, startHaproxy } from '../haproxy-rig.ts';
import { MAX_CONNECTIONS } from '../real-site.ts';
import { configFor, pickPorts, type Ports } from '../runtime/lab.ts';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon-rig.ts';
import { type HttpGate, openHttpGate } from './http-gate.ts';

export interface DaemonSite extends AsyncDisposable {
  readonly rig: HaproxyRig;
  readonly ports: Ports;
  readonly daemon: Daemon;
  readonly gate: HttpGate;
  readonly balancer: DataplaneBalancer;
}

/** HAProxy stays at its disposal: `rig` has its own. */
export async function startDaemonSite(
  generation: 'v2' | 'v3',
  options: Partial<
    DaemonOptions &
      Pick<DataplaneBalancerOptions, 'hardStopAfterMs'> & { readonly maxConnections: number }
  > = {},
): Promise<DaemonSite> {
  const { maxConnections = MAX_CONNECTIONS } = options;
  const ports = await pickPorts();
  const render = configFor(ports, { nodes: NODES, maxConnections });
  const rig = await startHaproxy((paths) =>
    // The daemon's file keeps the states: a state file beside it would be another opinion.
    render(paths).replaceAll(/^.*(server-state-file|load-server-state-from-file).*\n/gm, ''),
  );
  const daemon = await startDaemon({ generation, haproxy: rig, ...options });
  const gate = await openHttpGate(daemon.url);
  const balancer = balancerOf(gate.url, daemon, options);
  return {
    rig,
    ports,
    daemon,
    gate,
    balancer,
    [Symbol.asyncDispose]: async () => {
      await gate[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

export function balancerOf(
  url: string,
  { username, password }: Pick<Daemon, 'username' | 'password'>,
  changed: Partial<DataplaneBalancerOptions> = {},
): DataplaneBalancer {
  const { hardStopAfterMs = 1_000 } = changed;
  return createDataplaneBalancer({
    name: 'lb-a',
    url,
    username,
    password,
    hardStopAfterMs,
    backends: ['news-web'],
    clock: createSystemClock(),
    ...changed,
  });
}
