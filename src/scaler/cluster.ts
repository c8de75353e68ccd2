/** What a cluster is made of. These nouns are configuration: nothing here changes from tick to tick. */

import type { TierPolicy } from './policy.ts';

/** What Rackfire may do to a cluster; what it *would* do is decided and recorded in every mode. */
export type Mode = 'observe' | 'scale-out-only' | 'full';

/** What one node takes from its host. Hard amounts: nothing is ever oversold. */
export interface Size {
  readonly name: string;
  /** Its guest's memory and what the hypervisor needs for it. */
  readonly memoryMiB: number;
  /** What its guest has. */
  readonly guestMemoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** What a node boots from. */
export interface Image {
  readonly name: string;
  readonly version: string;
}

interface TierBase {
  readonly cluster: string;
  readonly name: string;
  readonly image: Image;
  readonly size: Size;
  /** Node number `n` (from 1) has `addresses[n - 1]`; the range is the hard ceiling of the tier. */
  readonly addresses: readonly string[];
}

/** A tier that Rackfire keeps at the size its traffic needs. */
export interface ScaledTier extends TierBase {
  readonly scaling: 'automatic';
  /** The HAProxy backend that holds one declared server per address. */
  readonly backend: string;
  /** Requests that one node works on at once, per balancer (of several with traffic, a share); HAProxy queues the rest. */
  readonly maxConnections: number;
  /** Where a node serves, and the path that says whether it can. */
  readonly health: { readonly path: string; readonly port: number; readonly intervalMs: number };
  /** Where the site is reached; undefined when somebody else wrote that section. */
  readonly frontend: { readonly bind: string; readonly queueTimeoutMs: number } | undefined;
  readonly policy: TierPolicy;
}

/** A tier that is part of the cluster, seen and counted, but never changed by Rackfire (a database). */
export interface FixedTier extends TierBase {
  readonly scaling: 'none';
  readonly nodes: number;
}

export type Tier = ScaledTier | FixedTier;

/** The web and database tiers that serve one site. */
export interface Cluster {
  readonly name: string;
  readonly mode: Mode;
  readonly tiers: readonly Tier[];
}

/** `cluster/tier`: the one way a tier is written in logs, metrics and commands. */
export function tierKey(tier: { readonly cluster: string; readonly name: string }): string {
  return `${tier.cluster}/${tier.name}`;
}

/** `cluster-tier-n`: a node's name, its domain's name and its HAProxy server's name. */
export function nodeName(
  tier: { readonly cluster: string; readonly name: string },
  number: number,
): string {
  return `${tier.cluster}-${tier.name}-${number}`;
}

/**
 * Reads a node's number out of its name.
 *
 * @returns `undefined` when the name is not one of this tier's; `web-03` is not a name of ours, because
 * it would be a second spelling of `web-3`.
 */
export function parseNodeNumber(
  tier: { readonly cluster: string; readonly name: string },
  name: string,
): number | undefined {
  const prefix = `${tier.cluster}-${tier.name}-`;
  if (!name.startsWith(prefix)) {
    return undefined;
  }
  const digits = name.slice(prefix.length);
  return /^[1-9][0-9]{0,5}$/.test(digits) ? Number(digits) : undefined;
}

/**
 * The MAC address that belongs to an IPv4 address: Xen's own prefix and the last three octets, so it is
 * a function of the node's number as everything else about its identity.
 *
 * @see https://wiki.xenproject.org/wiki/Xen_Networking for the prefix 00:16:3e
 */
export function macOf(address: string): string {
  const octets = address.split('.').slice(-3);
  return `00:16:3e:${octets.map((octet) => Number(octet).toString(16).padStart(2, '0')).join(':')}`;
}
