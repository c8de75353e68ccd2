/** Which host takes the next node: filters that say why not, then the least loaded. */

import type { Size } from './cluster.ts';
import type { HostSighting } from './observation.ts';

/** Why a host does not take a node. */
export type HostRefusal =
  | 'unreachable'
  | 'breaker'
  | 'concurrent-boots'
  | 'memory'
  | 'vcpus'
  | 'disk';

export interface Refusal {
  readonly host: string;
  readonly why: HostRefusal;
  /** What is free there of the thing that lacks; undefined where it is not an amount. */
  readonly free: number | undefined;
}

/** Room on hosts while one plan fills it; made anew for each plan. */
export interface Placement {
  /** Takes room for one node. @returns The host, or why no host takes it. */
  take(size: Size): { readonly host: string } | { readonly refusals: readonly Refusal[] };
}

interface Room {
  readonly sighting: HostSighting;
  memoryMiB: number;
  vcpus: number;
  diskMiB: number;
  boots: number;
}

/** @param concurrentBootsPerHost - Boots that one host works on at once, those in flight included. */
export function createPlacement(
  hosts: readonly HostSighting[],
  concurrentBootsPerHost: number,
): Placement {
  const rooms: Room[] = hosts.map((sighting) => ({
    sighting,
    memoryMiB: sighting.freeMemoryMiB,
    vcpus: sighting.freeVcpus,
    diskMiB: sighting.freeDiskMiB,
    boots: sighting.bootsInFlight,
  }));
  return {
    take(size) {
      const refusals: Refusal[] = [];
      let best: Room | undefined;
      for (const room of rooms) {
        const refusal = refuse(room, size, concurrentBootsPerHost);
        if (refusal !== undefined) {
          refusals.push({ host: room.sighting.name, ...refusal });
        } else if (best === undefined || comesBefore(room, best)) {
          best = room;
        }
      }
      if (best === undefined) {
        return { refusals };
      }
      best.memoryMiB -= size.memoryMiB;
      best.vcpus -= size.vcpus;
      best.diskMiB -= size.diskMiB;
      best.boots += 1;
      return { host: best.sighting.name };
    },
  };
}

function refuse(
  room: Room,
  size: Size,
  concurrentBoots: number,
): Omit<Refusal, 'host'> | undefined {
  if (!room.sighting.reachable) {
    return { why: 'unreachable', free: undefined };
  }
  const { circuit } = room.sighting;
  if (circuit === 'open' || (circuit === 'half-open' && room.boots > 0)) {
    return { why: 'breaker', free: undefined };
  }
  if (room.boots >= concurrentBoots) {
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

/** A host that failed lately comes last; then the one with most memory left; then by name, so that plans repeat. */
function comesBefore(one: Room, other: Room): boolean {
  const failures = one.sighting.recentFailures - other.sighting.recentFailures;
  if (failures !== 0) {
    return failures < 0;
  }
  if (one.memoryMiB !== other.memoryMiB) {
    return one.memoryMiB > other.memoryMiB;
  }
  return one.sighting.name < other.sighting.name;
}
