/** The tiers of a config and where they stand in it. */

import { type AddressRange, acceptedRange } from './addresses.ts';
import type { Path } from './problems.ts';
import type { WrittenConfig } from './schema.ts';
import type { WrittenTier } from './tier-schema.ts';

export interface PlacedTier {
  readonly cluster: string;
  readonly name: string;
  readonly tier: WrittenTier;
  readonly range: AddressRange;
  readonly path: Path;
}

export function placeTiers(written: WrittenConfig): readonly PlacedTier[] {
  return written.clusters.flatMap((cluster, index) =>
    Object.entries(cluster.tiers).map(([name, tier]) => ({
      cluster: cluster.name,
      name,
      tier,
      range: acceptedRange(tier.addresses),
      path: ['clusters', index, 'tiers', name],
    })),
  );
}
