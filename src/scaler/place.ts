/** Which host takes the next node: filters that say why not, then where its loss would hurt least. */

import type { Size } from './cluster.ts';
import { addToBase, findUncovered, type LossRoom, providesForLoss } from './host-loss.ts';
import type { Node, NodePhase } from './node-phase.ts';
import type { HostSighting, Observation } from './observation.ts';
import { findHostDrain } from './override.ts';

/** Why a host does not take a node. */
export type HostRefusal =
  | 'unreachable'
  | 'not-fenced'
  | 'draining'
  | 'breaker'
  | 'concurrent-boots'
  | 'memory'
  | 'vcpus'
  | 'disk'
  | 'host-failure';

export interface Refusal {
  readonly host: string;
  readonly why: HostRefusal;
  /** What is free there of the thing that lacks; undefined where it is not an amount. */
  readonly free: number | undefined;
  /** The host whose base nodes would fit nowhere any more, were it lost: with `host-failure` only. */
  readonly uncovered?: string;
}

/** What a node is in its tier, as far as the loss of a host is concerned. */
export interface Role {
  /** It may take room that the base nodes of a lost host would need, because it is needed for the minimum. */
  readonly isNeededForMinimum: boolean;
  /** Its number makes it one of the base nodes. */
  readonly joinsBase: boolean;
  /** Where the base node runs that it takes the place of, if any. */
  readonly leavesBaseOn?: string | undefined;
}

/** Room on hosts while one plan fills it; made anew for each plan. */
export interface Placement {
  /** Takes room for one node. @returns The host, or why no host takes it. */
  take(
    size: Size,
    role: Role,
  ): { readonly host: string } | { readonly refusals: readonly Refusal[] };
  /** Takes what a saved node needs to wake: its disk is there. @returns False when its host has no room. */
  takeForWake(host: string, size: Size, role: Role): boolean;
  /** A boot beside it would slow the wake down, which is what visitors wait for; so it counts as one. */
  countWake(host: string): void;
}

interface Room extends LossRoom {
  readonly sighting: HostSighting;
  readonly isDraining: boolean;
  /** What would be lost together; hosts of one failure domain share it. */
  readonly domain: Spread;
  base: LossRoom['base'];
  memoryMiB: number;
  vcpus: number;
  diskMiB: number;
  starts: number;
  /** Of the tier that is placed, here. */
  nodes: number;
}

/** Nodes of the tier that is placed, in one failure domain. */
interface Spread {
  nodes: number;
}

/** What is known of hosts, and what an operator and the config say of them. */
export type HostsView = Pick<
  Observation,
  'hosts' | 'overrides' | 'concurrentBootsPerHost' | 'hostFailuresToTolerate'
>;

/** @param nodes - Of the tier that is placed: it is spread over failure domains and hosts. */
export function createPlacement(view: HostsView, nodes: readonly Node[]): Placement {
  // Most ticks place nothing.
  let made: Rooms | undefined;
  const rooms = (): Rooms => {
    made ??= new Rooms(view, nodes);
    return made;
  };
  return {
    take: (size, role) => rooms().take(size, role),
    takeForWake: (host, size, role) => rooms().takeForWake(host, size, role),
    countWake: (host) => rooms().countWake(host),
  };
}

class Rooms {
  readonly #rooms: readonly Room[];
  readonly #concurrentBoots: number;
  readonly #providesForLoss: boolean;

  constructor(view: HostsView, nodes: readonly Node[]) {
    this.#concurrentBoots = view.concurrentBootsPerHost;
    const domains = new Map<string, Spread>();
    this.#rooms = view.hosts.map((sighting) => {
      const isDraining = findHostDrain(view.overrides, sighting.name) !== undefined;
      return {
        sighting,
        name: sighting.name,
        isDraining,
        isReachable: sighting.reachable,
        isUsable: sighting.reachable && !isDraining,
        domain: domainOf(sighting, domains),
        base: sighting.base ?? [],
        memoryMiB: sighting.freeMemoryMiB,
        vcpus: sighting.freeVcpus,
        diskMiB: sighting.freeDiskMiB,
        starts: sighting.startsInFlight,
        nodes: 0,
      };
    });
    this.#providesForLoss = providesForLoss(view.hostFailuresToTolerate ?? 0, this.#rooms);
    for (const node of nodes) {
      const room = GONE_OR_GOING.has(node.phase) ? undefined : this.#find(node.host);
      if (room !== undefined) {
        count(room);
      }
    }
  }

  take(size: Size, role: Role): { readonly host: string } | { readonly refusals: Refusal[] } {
    const unprovided = new Map<Room, Refusal>();
    for (;;) {
      const room = this.#best(size, unprovided);
      if (room === undefined) {
        return { refusals: this.#refusals(size, unprovided) };
      }
      const uncovered = this.#tryIn(room, size, role, size.diskMiB);
      if (uncovered === undefined) {
        room.starts += 1;
        count(room);
        return { host: room.name };
      }
      const refusal = { host: room.name, why: 'host-failure', free: undefined, uncovered } as const;
      unprovided.set(room, refusal);
    }
  }

  /** The first in order of those that do not refuse, without sorting the others: it nearly always takes the node. */
  #best(size: Size, except: ReadonlyMap<Room, Refusal>): Room | undefined {
    let first: Room | undefined;
    for (const room of this.#rooms) {
      const isOpen =
        refuse(room, size, this.#concurrentBoots) === undefined &&
        (except.size === 0 || !except.has(room));
      if (isOpen && (first === undefined || compare(room, first) < 0)) {
        first = room;
      }
    }
    return first;
  }

  /** In the order of the config, as everywhere. */
  #refusals(size: Size, unprovided: ReadonlyMap<Room, Refusal>): Refusal[] {
    return this.#rooms.flatMap((room) => {
      const refusal = refuse(room, size, this.#concurrentBoots);
      return refusal === undefined ? (unprovided.get(room) ?? []) : { host: room.name, ...refusal };
    });
  }

  takeForWake(host: string, size: Size, role: Role): boolean {
    const room = this.#find(host);
    return (
      room !== undefined &&
      room.memoryMiB >= size.memoryMiB &&
      room.vcpus >= size.vcpus &&
      this.#tryIn(room, size, role, 0) === undefined
    );
  }

  countWake(host: string): void {
    const room = this.#find(host);
    if (room !== undefined) {
      room.starts += 1;
    }
  }

  /** Takes the room unless then a host could not be lost any more. @returns That host. */
  #tryIn(room: Room, size: Size, role: Role, diskMiB: number): string | undefined {
    const left = role.joinsBase ? this.#find(role.leavesBaseOn) : undefined;
    const before = { base: room.base, leftBase: left?.base };
    room.memoryMiB -= size.memoryMiB;
    room.vcpus -= size.vcpus;
    room.diskMiB -= diskMiB;
    if (left !== undefined) {
      left.base = addToBase(left.base, size, -1);
    }
    if (role.joinsBase) {
      room.base = addToBase(room.base, size, 1);
    }
    if (role.isNeededForMinimum || !this.#providesForLoss) {
      return undefined;
    }
    const uncovered = findUncovered(this.#rooms);
    if (uncovered !== undefined) {
      room.memoryMiB += size.memoryMiB;
      room.vcpus += size.vcpus;
      room.diskMiB += diskMiB;
      room.base = before.base;
      if (left !== undefined) {
        left.base = before.leftBase ?? left.base;
      }
    }
    return uncovered;
  }

  #find(host: string | undefined): Room | undefined {
    return this.#rooms.find(({ name }) => name === host);
  }
}

/** Nodes in these phases are no reason to put another one elsewhere. */
const GONE_OR_GOING: ReadonlySet<NodePhase> = new Set(['absent', 'stopping', 'failed', 'residue']);

function domainOf({ failureDomain, name }: HostSighting, domains: Map<string, Spread>): Spread {
  const domain = domains.get(failureDomain ?? name);
  if (domain !== undefined) {
    return domain;
  }
  const first = { nodes: 0 };
  domains.set(failureDomain ?? name, first);
  return first;
}

function count(room: Room): void {
  room.nodes += 1;
  room.domain.nodes += 1;
}

/**
 * A host that failed lately comes last; then where the fewest nodes of the tier would be lost with their
 * failure domain, and with their host; then the one with most memory left; then by name, so that plans repeat.
 */
function compare(one: Room, other: Room): number {
  return (
    one.sighting.recentFailures - other.sighting.recentFailures ||
    one.domain.nodes - other.domain.nodes ||
    one.nodes - other.nodes ||
    other.memoryMiB - one.memoryMiB ||
    (one.name < other.name ? -1 : 1)
  );
}

function refuse(
  room: Room,
  size: Size,
  concurrentBoots: number,
): Omit<Refusal, 'host'> | undefined {
  if (!room.sighting.reachable) {
    return { why: 'unreachable', free: undefined };
  }
  if (room.sighting.fenced === false) {
    return { why: 'not-fenced', free: undefined };
  }
  if (room.isDraining) {
    return { why: 'draining', free: undefined };
  }
  const { circuit } = room.sighting;
  if (circuit === 'open' || (circuit === 'half-open' && room.starts > 0)) {
    return { why: 'breaker', free: undefined };
  }
  if (room.starts >= concurrentBoots) {
    return { why: 'concurrent-boots', free: 0 };
  }
  if (room.memoryMiB < size.memoryMiB) {
    return { why: 'memory', free: room.memoryMiB };
  }
  if (room.vcpus < size.vcpus) {
    return { why: 'vcpus', free: room.vcpus };
  }
  return room.diskMiB < size.diskMiB ? { why: 'disk', free: room.diskMiB } : undefined;
}
