/** The config of the demo's Rackfire, as an operator would write it. */

import type { BalancerConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/units.ts';
import { CREDENTIALS_FILE, SOCKET } from './dataplane-daemon.ts';

export interface DemoPlan {
  readonly driver: BalancerConfig['driver'];
  /** Nodes that run before the load begins. */
  readonly startNodes: number;
  readonly minNodes: number;
  readonly maxNodes: number;
  readonly targetPerNodeRps: number;
  readonly bootDelayMs: number;
}

export interface DemoPorts {
  readonly site: number;
  readonly http: number;
  /** Of the Data Plane API. */
  readonly daemon: number;
}

/** Slots, service time and checks leave a node at 100 rps; it is rated for 80. */
export const NODE = { slots: 10, serviceTime: '100ms', port: 8080 };

/** Numbers that rest after a failure must not leave the tier without addresses. */
const SPARE_ADDRESSES = 8;

export function renderConfig(plan: DemoPlan, folder: string, ports: DemoPorts): string {
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
${renderDriver(plan, folder, ports)}
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
leadership: { path: ${folder}/leader }
journal: { path: ${folder}/journal.db }
# At an address of its own: at 127.0.0.1, a visitor's connection may have taken the port meanwhile.
http: { listen: "${subnet}.1:${ports.http}", tokenFile: ${folder}/token }
`;
}

function renderDriver({ driver }: DemoPlan, folder: string, { daemon }: DemoPorts): string {
  return driver === 'dataplane'
    ? `    driver: dataplane
    url: http://127.0.0.1:${daemon}
    credentialsFile: ${folder}/${CREDENTIALS_FILE}`
    : `    driver: runtime
    socket: ${folder}/${SOCKET}
    masterSocket: ${folder}/master.sock
    stateFile: ${folder}/server-state`;
}
