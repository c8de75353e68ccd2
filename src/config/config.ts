/** The config as the rest of the program sees it: checked, compiled, with units in its names. */

import type { Cluster } from '../scaler/cluster.ts';

export interface Config {
  /** The namespace of every UUID; two installations never see each other's domains. */
  readonly installation: string;
  readonly hosts: readonly HostConfig[];
  readonly balancers: readonly BalancerConfig[];
  readonly clusters: readonly Cluster[];
  /** Undefined where no host needs one. */
  readonly network: NetworkConfig | undefined;
  /** Those that a guest can boot from. */
  readonly images: readonly ImageConfig[];
  readonly placement: { readonly hostFailuresToTolerate: number };
  readonly limits: LimitsConfig;
  readonly leadership: LeadershipConfig;
  readonly journal: JournalConfig;
  readonly http: HttpConfig;
}

/** What says which of several Rackfires acts. */
export type LeadershipConfig = FileLeadershipConfig | KubernetesLeadershipConfig;

/** A lock of this machine. */
export interface FileLeadershipConfig {
  readonly driver: 'file';
  readonly path: string;
}

/** A Lease of Kubernetes' API. */
export interface KubernetesLeadershipConfig {
  readonly driver: 'kubernetes';
  readonly namespace: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

/** Where and how long things are remembered. */
export interface JournalConfig {
  readonly path: string;
  readonly retentionMs: number;
  readonly maxBytes: number;
}

/** Loopback address of health, metrics and the API. */
export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  /** Without it nothing can be changed by the API. */
  readonly tokenFile: string | undefined;
}

export type HostConfig = EmbeddedHostConfig | XenHostConfig;

interface HostBase {
  readonly name: string;
  /** Hosts with the same one fail together. */
  readonly failureDomain: string;
  readonly reserveMemoryMiB: number;
}

/** A host whose nodes are local processes. */
export interface EmbeddedHostConfig extends HostBase {
  readonly driver: 'embedded';
  readonly capacity: RoomConfig;
  readonly embedded: EmbeddedConfig;
  /** Where the host notes terms and orders, if several Rackfires share it. */
  readonly fenceFile: string | undefined;
}

/** A host whose nodes are Xen guests, driven over SSH; what it has, it says itself. */
export interface XenHostConfig extends HostBase {
  readonly driver: 'xen';
  /** IPv4 address or host name of the dom0. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly keyFile: string;
  readonly knownHostsFile: string;
  /** vCPUs sold for each physical CPU; 1 is hard. */
  readonly vcpusPerCpu: number;
}

/** What guests of Xen hosts are connected to. */
export interface NetworkConfig {
  readonly bridge: string;
  /** `kernel`: a guest gets its address by its kernel's command line. */
  readonly addressing: 'kernel' | 'dhcp';
  readonly gateway: string;
  readonly prefixLength: number;
}

/** What a guest boots from; paths and volumes are those of the dom0. */
export interface ImageConfig {
  readonly name: string;
  readonly version: string;
  readonly type: 'pv' | 'pvh';
  /** The golden image: a file, or a thin volume `group/volume`. */
  readonly disk: { readonly file: string } | { readonly thin: string };
  readonly kernel: string;
  readonly ramdisk?: string;
}

export interface RoomConfig {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** How an embedded node behaves. */
export interface EmbeddedConfig {
  readonly bootDelayMs: number;
  readonly serviceTimeMs: number;
  /** Requests that a node works on at once; further ones wait in the node. */
  readonly slots: number;
}

export type BalancerConfig = RuntimeBalancerConfig | DataplaneBalancerConfig;

interface BalancerBase {
  readonly name: string;
  /** HAProxy's `hard-stop-after`: where nobody can be asked, old workers are taken to live this long. */
  readonly hardStopAfterMs: number;
}

/** An HAProxy that is driven by its stats socket. */
export interface RuntimeBalancerConfig extends BalancerBase {
  readonly driver: 'runtime';
  /** Path of the worker's stats socket, level admin. */
  readonly socket: string;
  /** Path of the master's socket; tells for certain when the workers from before a reload are gone. */
  readonly masterSocket: string | undefined;
  /** HAProxy's `server-state-file`, which Rackfire keeps fresh. */
  readonly stateFile: string;
}

/** An HAProxy that is driven by its Data Plane API. */
export interface DataplaneBalancerConfig extends BalancerBase {
  readonly driver: 'dataplane';
  /** Scheme, host and port alone: `https://10.0.0.5:5555`. */
  readonly url: string;
  /** One line `user:password`; read when the port is made. */
  readonly credentialsFile: string;
  readonly tls: TlsConfig;
}

/** PEM files. Certificate and key are both there, or neither is. */
export interface TlsConfig {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface LimitsConfig {
  readonly maxNodes: number;
  readonly concurrentBootsPerHost: number;
  readonly breaker: {
    readonly failures: number;
    readonly windowMs: number;
    readonly openMs: number;
  };
}
