/** Clusters that a reload took out of the config: paused, never destroyed. */

import { type Cluster, nodeName, type Tier } from '../scaler/cluster.ts';

/**
 * Adds the tiers that the new config has no more, in mode `observe`: still seen and shown, and nothing is done
 * to them until they are written again or the service ends. A tier whose addresses, backend or node names the
 * new config gives to another one is not kept: what is there is the other one's now.
 *
 * @param previous - What is in force, earlier removals included.
 */
export function keepRemoved(
  previous: readonly Cluster[],
  next: readonly Cluster[],
): readonly Cluster[] {
  const tiers = next.flatMap((cluster) => cluster.tiers);
  // Tier `c` of cluster `a-b` has the same ones as tier `b-c` of cluster `a`.
  const names = new Set(tiers.map((tier) => nodeName(tier, 1)));
  const addresses = new Set(tiers.flatMap((tier) => tier.addresses));
  const backends = new Set(tiers.map(backendOf));
  const isFree = (tier: Tier): boolean =>
    !names.has(nodeName(tier, 1)) &&
    !tier.addresses.some((address) => addresses.has(address)) &&
    (tier.scaling === 'none' || !backends.has(tier.backend));
  const removed = previous
    .map((cluster): Cluster => {
      return { name: cluster.name, mode: 'observe', tiers: cluster.tiers.filter(isFree) };
    })
    .filter((cluster) => cluster.tiers.length > 0);
  return [...next, ...removed];
}

function backendOf(tier: Tier): string | undefined {
  return tier.scaling === 'automatic' ? tier.backend : undefined;
}
