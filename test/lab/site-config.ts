/** The config of a lab site's Rackfire, and what the lab's guests are. */

import { stringify } from 'yaml';
import type { Lab } from './lab.ts';

/** What a scenario asks of its site. Durations are written as in the config. */
export interface SitePlan {
  readonly minNodes: number;
  readonly maxNodes: number;
  /** Pages a second that a node is rated for. @see measure.ts */
  readonly targetRps: number;
  /** Which hosts, by index; by default both. */
  readonly hosts?: readonly HostPlan[];
  readonly golden?: 'file' | 'thin';
  /** Laid over the tier `web`, key by key, as in the config file. */
  readonly tier?: Readonly<Record<string, unknown>>;
  /** Laid over the whole file. */
  readonly file?: Readonly<Record<string, unknown>>;
}

export interface HostPlan {
  /** 0 is `xen-1`. */
  readonly index: 0 | 1;
  /** Memory that nodes never get. */
  readonly reserveMiB?: number;
  /** Where Rackfire reaches its sshd, if a scenario stands in between; a known_hosts that fits. */
  readonly through?: { readonly port: number; readonly knownHostsFile: string };
}

/** The lab's name in `lab/xen/dom0.conf`. */
export const INSTALLATION = 'lab';
const CLUSTER = 'shop';
export const NODE_MIB = 128;
export const NODE_DISK_MIB = 64;
const NODE_PORT = 80;
export const IMAGES = '/srv/rackfire/images';
export const GOLDEN_FILE = `${IMAGES}/web.img`;
const GOLDEN_VOLUME = 'vg0/web';
export const KERNEL = `${IMAGES}/vmlinuz`;
export const RAMDISK = `${IMAGES}/initrd`;
export const DEFAULT_RESERVE_MIB = 64;
/** A page takes a second, so a node can serve twice what it is rated for. */
const SLOTS_PER_TARGET_RPS = 2;
const BIND = '127.0.0.1:8080';

export function hostsOf(plan: SitePlan): readonly HostPlan[] {
  return plan.hosts ?? [{ index: 0 }, { index: 1 }];
}

export function renderConfig(plan: SitePlan, lab: Lab, folder: string): string {
  return stringify({
    installation: INSTALLATION,
    hosts: hostsOf(plan).map((host) => renderHost(host, lab)),
    network: { bridge: 'xenbr0', gateway: lab.gateway, prefixLength: 24 },
    balancers: [
      {
        name: 'lb',
        driver: 'runtime',
        socket: `${folder}/admin.sock`,
        masterSocket: `${folder}/master.sock`,
        stateFile: `${folder}/server-state`,
      },
    ],
    sizes: { small: { memory: `${NODE_MIB}MiB`, vcpus: 1, disk: `${NODE_DISK_MIB}MiB` } },
    images: {
      web: {
        version: '1',
        disk: plan.golden === 'thin' ? { lvmThin: GOLDEN_VOLUME } : { file: GOLDEN_FILE },
        kernel: KERNEL,
        ramdisk: RAMDISK,
      },
    },
    clusters: [{ name: CLUSTER, tiers: { web: { ...renderTier(plan), ...plan.tier } } }],
    // An emulated host has one CPU for its guests and for making more of them.
    limits: { concurrentBootsPerHost: 1 },
    leadership: { path: `${folder}/leader` },
    journal: { path: `${folder}/journal.db` },
    http: { listen: '127.0.0.1:9500' },
    ...plan.file,
  });
}

function renderHost({ index, reserveMiB, through }: HostPlan, lab: Lab): object {
  const { name, address } = lab.hosts[index];
  return {
    name,
    driver: 'xen',
    address: through === undefined ? address : '127.0.0.1',
    failureDomain: `rack-${index + 1}`,
    ssh: {
      user: 'root',
      port: through?.port ?? 22,
      keyFile: `${lab.keys}/rackfire`,
      knownHostsFile: through?.knownHostsFile ?? `${lab.keys}/known_hosts`,
    },
    reserve: { memory: `${reserveMiB ?? DEFAULT_RESERVE_MIB}MiB` },
    vcpusPerCpu: 16,
  };
}

function renderTier(plan: SitePlan): Readonly<Record<string, unknown>> {
  return {
    image: 'web',
    size: 'small',
    nodes: { min: plan.minNodes, max: plan.maxNodes },
    addresses: '10.77.0.101-10.77.0.120',
    // An emulated guest takes its time, and who has to wait for one must not be turned away.
    frontend: { bind: BIND, queueTimeout: '180s' },
    backend: 'shop-web',
    maxConnections: Math.ceil(SLOTS_PER_TARGET_RPS * plan.targetRps),
    health: { path: '/healthz', port: NODE_PORT },
    signals: { requestRate: { targetPerNode: plan.targetRps }, queue: { maxWait: '1s' } },
    scaleOut: { policies: [{ nodes: 4, per: '15s' }] },
    scaleIn: { stabilizationWindow: '15s', policies: [{ nodes: 4, per: '5s' }] },
    drain: { deadline: '60s' },
    boot: { deadline: '180s' },
  };
}
