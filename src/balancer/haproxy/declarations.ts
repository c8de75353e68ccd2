/** Which servers a backend is to have. */

import { nodeName, type ScaledTier } from '../../scaler/cluster.ts';

/** A server that a backend is to have. */
export interface ServerDeclaration {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** One server for each address of the tier's range, in its order. */
export function listDeclarations(tier: ScaledTier): readonly ServerDeclaration[] {
  return tier.addresses.map((address, index) => ({
    name: nodeName(tier, index + 1),
    address,
    port: tier.health.port,
  }));
}
