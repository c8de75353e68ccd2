/** The config of a weather site's Rackfire: small nodes and short times, so that a storm fits into seconds. */

import { stringify } from 'yaml';
import type { EmbeddedHypervisorOptions } from '../../src/embedded/hypervisor.ts';

/** What a row asks of its site. Durations are written as in the config; rows rely on the defaults below. */
export interface SitePlan {
  readonly minNodes: number;
  readonly maxNodes: number;
  /** In service when the row begins, booted and admitted by the operator; by default `minNodes`. */
  readonly startNodes?: number;
  /** What those suffer from; what Rackfire boots does not. */
  readonly startFault?: EmbeddedHypervisorOptions['behavior']['fault'];
  /** One entry for each host, `host-a`, `host-b` and so on; by default two without peculiarities. */
  readonly hosts?: readonly HostPlan[];
  /** Laid over the tier `web`, key by key, as in the config file. */
  readonly tier?: Readonly<Record<string, unknown>>;
  /** As in the config file. */
  readonly limits?: Readonly<Record<string, unknown>>;
  /** Laid over the whole file, for what the other keys do not reach. */
  readonly file?: Readonly<Record<string, unknown>>;
  /**
   * Rackfire's stats socket, a name in the site's folder, where it is not to be HAProxy's own: the row puts
   * something in between. (The invariants are always watched at HAProxy's own.)
   */
  readonly socketName?: string;
  /** Another HAProxy beside the first, `lb-b`, with an address, sockets and a state file of its own. */
  readonly isPair?: boolean;
  /** What the operator adds to HAProxy's config by hand. */
  readonly editHaproxyConfig?: (text: string) => string;
}

export interface HostPlan {
  /** How its nodes behave, over {@link NODE}. */
  readonly embedded?: Partial<typeof NODE>;
  /** How many nodes have room on it; by default half of the maximum and two. */
  readonly roomForNodes?: number;
}

/** Where a site lives. */
export interface SitePlace {
  readonly folder: string;
  /** Part of the names of installation and hosts, so that sites do not see each other. */
  readonly id: string;
  /** A /24 of 127.0.0.0/8 of its own. */
  readonly subnet: string;
}

/** Slots and service time leave a node at 40 rps; it is rated for {@link TARGET_RPS}. */
export const NODE = { bootDelay: '1s', serviceTime: '200ms', slots: 8 };
export const TARGET_RPS = 30;
export const NODE_PORT = 8080;

/** Numbers that rest after a failure must not leave the tier without addresses. */
const SPARE_ADDRESSES = 8;
const FIRST_NODE_ADDRESS = 11;

export function renderConfig(plan: SitePlan, { folder, id, subnet }: SitePlace): string {
  const hosts = plan.hosts ?? [{}, {}];
  const usualRoom = Math.ceil(plan.maxNodes / 2) + 2;
  return stringify({
    installation: `weather-${id}`,
    hosts: hosts.map(({ embedded, roomForNodes = usualRoom }, index) => ({
      name: `host-${'abcdefgh'.charAt(index)}-${id}`,
      driver: 'embedded',
      capacity: {
        memory: `${roomForNodes * 512}MiB`,
        vcpus: roomForNodes,
        disk: `${roomForNodes * 4}GiB`,
      },
      embedded: { ...NODE, ...embedded },
    })),
    balancers: [
      {
        name: 'lb',
        driver: 'runtime',
        socket: `${folder}/${plan.socketName ?? 'admin.sock'}`,
        masterSocket: `${folder}/master.sock`,
        stateFile: `${folder}/server-state`,
      },
      ...(plan.isPair === true ? [renderSecondBalancer(folder)] : []),
    ],
    sizes: { small: { memory: '512MiB', vcpus: 1, disk: '4GiB' } },
    images: { 'drupal-web': { version: '1' } },
    clusters: [{ name: 'news', tiers: { web: { ...renderTier(plan, subnet), ...plan.tier } } }],
    ...(plan.limits === undefined ? {} : { limits: plan.limits }),
    leadership: { path: `${folder}/leader` },
    journal: { path: `${folder}/journal.db` },
    http: { listen: `${subnet}.3:9500` },
    ...plan.file,
  });
}

function renderSecondBalancer(folder: string): Readonly<Record<string, unknown>> {
  return {
    name: 'lb-b',
    driver: 'runtime',
    socket: `${folder}/b/admin.sock`,
    masterSocket: `${folder}/b/master.sock`,
    stateFile: `${folder}/b/server-state`,
  };
}

function renderTier(plan: SitePlan, subnet: string): Readonly<Record<string, unknown>> {
  const lastAddress = FIRST_NODE_ADDRESS + plan.maxNodes + SPARE_ADDRESSES - 1;
  return {
    image: 'drupal-web',
    size: 'small',
    nodes: { min: plan.minNodes, max: plan.maxNodes },
    addresses: `${subnet}.${FIRST_NODE_ADDRESS}-${subnet}.${lastAddress}`,
    // Longer than any row waits for help: a request fails for a better reason than impatience.
    frontend: { bind: `${subnet}.2:8080`, queueTimeout: '30s' },
    backend: 'news-web',
    maxConnections: NODE.slots,
    health: { path: '/health', port: NODE_PORT, interval: '500ms' },
    signals: { requestRate: { targetPerNode: TARGET_RPS } },
    scaleOut: {
      policies: [
        { percent: 100, per: '5s' },
        { nodes: 4, per: '5s' },
      ],
    },
    scaleIn: { stabilizationWindow: '3s', policies: [{ percent: 50, per: '2s' }] },
    boot: { deadline: '8s' },
  };
}
