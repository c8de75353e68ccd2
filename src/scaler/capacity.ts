/** How many more nodes of each size fit, now and with any one host down, and what stops the next. */

import type { Size } from './cluster.ts';
import { fill, largestFirst } from './host-loss.ts';
import type { HostSighting, Observation } from './observation.ts';
import { createPlacement, type Refusal } from './place.ts';

export interface CapacityInput
  extends Pick<Observation, 'hosts' | 'overrides' | 'hostFailuresToTolerate' | 'fleetRoom'> {
  readonly sizes: readonly Size[];
}

/** Where nodes beyond the minimum would go, placed as in a storm. */
export interface Fit {
  /** In all. */
  readonly nodes: number;
  readonly hosts: readonly { readonly host: string; readonly nodes: number }[];
  /** What stops the next one. */
  readonly next: {
    readonly why: 'fleet-limit' | 'no-host' | 'looked-no-further';
    readonly refusals: readonly Refusal[];
  };
}

/** How many more nodes fit, in short. */
export interface Headroom {
  readonly sizes: readonly { readonly size: Size; readonly nodes: number }[];
  /** The base nodes of any one host would fit on the others; undefined where that is not provided for. */
  readonly isLossCovered: boolean | undefined;
}

export interface SizeCapacity {
  readonly size: Size;
  readonly now: Fit;
  /** With the host down whose loss leaves the least; undefined where there is only one host that answers. */
  readonly oneHostDown:
    | (Fit & {
        readonly host: string;
        /** Its base nodes would fit on the others. When not, nothing else does. */
        readonly isCovered: boolean;
      })
    | undefined;
}

/** More of them are only `that many or more`. */
const LOOKED_FOR_NODES = 10_000;

/**
 * Breakers and the number of boots at once are left aside, because they pass; reserves are not part of what
 * hosts say is free, drains and silent hosts are heeded, and what the base of a lost host needs is kept.
 */
export function measureCapacity(input: CapacityInput): readonly SizeCapacity[] {
  return input.sizes.map((size) => ({
    size,
    now: fit(input, size),
    oneHostDown: worstLoss(input, size),
  }));
}

/** @param mostNodes - More than so many of a size are not looked for. */
export function measureHeadroom(input: CapacityInput, mostNodes: number): Headroom {
  const losable = input.hosts.filter(({ reachable }) => reachable);
  const isProvidedFor = (input.hostFailuresToTolerate ?? 0) > 0 && losable.length > 1;
  return {
    sizes: input.sizes.map((size) => ({ size, nodes: fit(input, size, mostNodes).nodes })),
    isLossCovered: isProvidedFor
      ? losable.every((host) => withoutHost(input, host).isCovered)
      : undefined,
  };
}

function fit(input: CapacityInput, size: Size, mostNodes = LOOKED_FOR_NODES): Fit {
  const hosts = input.hosts.map((host) => ({
    ...host,
    circuit: 'closed' as const,
    recentFailures: 0,
    startsInFlight: 0,
  }));
  const view = { ...input, hosts, concurrentBootsPerHost: Number.POSITIVE_INFINITY };
  const placement = createPlacement(view, []);
  const placed = new Map(hosts.map(({ name }) => [name, 0]));
  const done = (why: Fit['next']['why'], refusals: readonly Refusal[] = []): Fit => ({
    nodes: [...placed.values()].reduce((sum, nodes) => sum + nodes, 0),
    hosts: [...placed].map(([host, nodes]) => ({ host, nodes })),
    next: { why, refusals },
  });
  for (let nodes = 0; nodes < mostNodes; nodes += 1) {
    if (nodes >= input.fleetRoom) {
      return done('fleet-limit');
    }
    const taken = placement.take(size, { isNeededForMinimum: false, joinsBase: false });
    if ('refusals' in taken) {
      return done('no-host', taken.refusals);
    }
    placed.set(taken.host, (placed.get(taken.host) ?? 0) + 1);
  }
  return done('looked-no-further');
}

/** Each host in turn is taken away, and its base nodes are put on the others first. */
function worstLoss(input: CapacityInput, size: Size): SizeCapacity['oneHostDown'] {
  const losable = input.hosts.filter(({ reachable }) => reachable);
  if (losable.length < 2) {
    return undefined;
  }
  let worst: SizeCapacity['oneHostDown'];
  for (const lost of losable) {
    const { hosts, isCovered } = withoutHost(input, lost);
    // Where not even the base fits, there is nothing to look for.
    const left = fit({ ...input, hosts, fleetRoom: isCovered ? input.fleetRoom : 0 }, size);
    if (worst === undefined || left.nodes < worst.nodes || (!isCovered && worst.isCovered)) {
      worst = { ...left, host: lost.name, isCovered };
    }
  }
  return worst;
}

function withoutHost(
  { hosts, overrides }: CapacityInput,
  lost: HostSighting,
): { readonly hosts: readonly HostSighting[]; readonly isCovered: boolean } {
  let loads = largestFirst(lost.base ?? []);
  const after = hosts.map((host): HostSighting => {
    const isDrained = overrides.some((one) => one.kind === 'drain-host' && one.host === host.name);
    if (host === lost) {
      return { ...host, reachable: false };
    }
    if (!host.reachable || isDrained) {
      return host;
    }
    const before = {
      memoryMiB: host.freeMemoryMiB,
      vcpus: host.freeVcpus,
      diskMiB: host.freeDiskMiB,
    };
    const filled = fill(before, loads);
    loads = filled.left;
    return {
      ...host,
      freeMemoryMiB: filled.room.memoryMiB,
      freeVcpus: filled.room.vcpus,
      freeDiskMiB: filled.room.diskMiB,
      base: [...(host.base ?? []), ...filled.placed],
    };
  });
  return { hosts: after, isCovered: loads.length === 0 };
}
