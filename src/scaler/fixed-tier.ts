/** Tiers with `scaling: none`: seen, counted against their hosts, watched and shown; never changed. */

import { type FixedTier, nodeName } from './cluster.ts';
import type { NodePhase } from './node-phase.ts';
import type { DomainSighting } from './observation.ts';

export interface FixedNode {
  readonly name: string;
  readonly host: string | undefined;
  readonly phase: Extract<
    NodePhase,
    'in-service' | 'booting' | 'standby' | 'stopping' | 'unknown' | 'conflict' | 'absent'
  >;
}

/**
 * The nodes that should be there – the lowest numbers – and any other that is.
 *
 * @param sightings - Domains by number.
 */
export function deriveFixedNodes(
  tier: FixedTier,
  sightings: ReadonlyMap<number, readonly DomainSighting[]>,
): readonly FixedNode[] {
  const numbers = new Set(sightings.keys());
  for (let number = 1; number <= tier.nodes; number += 1) {
    numbers.add(number);
  }
  return [...numbers]
    .toSorted((one, other) => one - other)
    .map((number) => {
      const domains = sightings.get(number) ?? [];
      return {
        name: nodeName(tier, number),
        host: domains[0]?.host,
        phase: phaseOfFixed(domains),
      };
    });
}

function phaseOfFixed([domain, second]: readonly DomainSighting[]): FixedNode['phase'] {
  if (domain === undefined) {
    return 'absent';
  }
  if (second !== undefined || domain.mark === 'foreign') {
    return 'conflict';
  }
  if (!domain.fresh) {
    return 'unknown';
  }
  switch (domain.state) {
    case 'running':
      return 'in-service';
    case 'being-made':
      return 'booting';
    case 'paused':
    case 'saved':
      return 'standby';
    case 'stopping':
      return 'stopping';
    case 'residue':
      return 'absent';
  }
}
