/** The config as the rest of the program sees it: checked, compiled, with units in its names. */

import type { Cluster } from '../scaler/cluster.ts';

export interface Config {
  /** The namespace of every UUID; two installations never see each other's domains. */
  readonly installation: string;
  readonly hosts: readonly HostConfig[];
  readonly balancers: readonly BalancerConfig[];
  readonly clusters: readonly Cluster[];
  readonly limits: LimitsConfig;
  /** The lock that says which Rackfire of this machine acts. */
  readonly leadership: { readonly path: string };
  readonly journal: JournalConfig;
  readonly http: HttpConfig;
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

/** A host whose nodes are local processes. */
export interface HostConfig {
  readonly name: string;
  readonly driver: 'embedded';
  readonly capacity: RoomConfig;
  readonly reserveMemoryMiB: number;
  readonly embedded: EmbeddedConfig;
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

export interface BalancerConfig {
  readonly name: string;
  readonly driver: 'runtime';
  /** Path of the worker's stats socket, level admin. */
  readonly socket: string;
  /** Path of the master's socket; tells for certain when the workers from before a reload are gone. */
  readonly masterSocket: string | undefined;
  /** HAProxy's `server-state-file`, which Rackfire keeps fresh. */
  readonly stateFile: string;
  /** HAProxy's `hard-stop-after`: without a master socket, old workers are taken to live this long. */
  readonly hardStopAfterMs: number;
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
