/** What embedded hosts have room for, as the config says it; Xen hosts say it themselves. */

import type { ScaledTier, Size } from '../scaler/cluster.ts';
import { type BaseLoad, fill, largestFirst } from '../scaler/host-loss.ts';
import { mostNodes } from '../scaler/schedule.ts';
import type { Config, EmbeddedHostConfig, RoomConfig } from './config.ts';

/** How many nodes of the tier fit beside what the others have at least; undefined where hosts do not say here what they have. */
export function roomOnEmbeddedHosts(config: Config, tier: ScaledTier): number | undefined {
  const hosts = embeddedHosts(config);
  if (hosts.length === 0) {
    return undefined;
  }
  const others = config.clusters
    .flatMap(({ tiers }) => tiers)
    .flatMap((other) =>
      other.scaling === 'none' || other === tier ? [] : [loadOf(other.size, other.policy.minNodes)],
    );
  const { rooms } = fillAll(hosts.map(roomOf), [...fixedLoads(config), ...others]);
  const wanted = loadOf(tier.size, mostNodes(tier.policy));
  return wanted.nodes - countNodes(fillAll(rooms, [wanted]).left);
}

export function fixedLoads({ clusters }: Config): readonly BaseLoad[] {
  return clusters
    .flatMap(({ tiers }) => tiers)
    .flatMap((tier) => (tier.scaling === 'none' ? [loadOf(tier.size, tier.nodes)] : []));
}

/** First fit, the largest first. */
export function fillAll(
  rooms: readonly RoomConfig[],
  loads: readonly BaseLoad[],
): { readonly rooms: readonly RoomConfig[]; readonly left: readonly BaseLoad[] } {
  let left = largestFirst(loads);
  const filled = rooms.map((room) => {
    const result = fill(room, left);
    left = result.left;
    return result.room;
  });
  return { rooms: filled, left };
}

export function loadOf({ memoryMiB, vcpus, diskMiB }: Size, nodes: number): BaseLoad {
  return { memoryMiB, vcpus, diskMiB, nodes };
}

export function countNodes(loads: readonly BaseLoad[]): number {
  return loads.reduce((sum, { nodes }) => sum + nodes, 0);
}

export function roomOf({ capacity, reserveMemoryMiB }: EmbeddedHostConfig): RoomConfig {
  return { ...capacity, memoryMiB: capacity.memoryMiB - reserveMemoryMiB };
}

export function embeddedHosts({ hosts }: Config): readonly EmbeddedHostConfig[] {
  return hosts.filter((host) => host.driver === 'embedded');
}
