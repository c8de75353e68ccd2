/** What a command line means by CLUSTER[/TIER]. */

import { StatusAnswer } from '../http/status-answer.ts';
import type { ServiceClient } from './service-client.ts';

/**
 * The tiers that are meant: one, or all scaled ones of a cluster.
 *
 * @throws Error when the cluster has none. Whether a tier exists, the service says.
 */
export async function listScaledTiers(
  client: ServiceClient,
  name: string,
): Promise<readonly string[]> {
  if (name.includes('/')) {
    return [name];
  }
  const { value: status } = await client.get('/api/v1/status', StatusAnswer);
  const cluster = status.clusters.find((one) => one.name === name);
  if (cluster === undefined) {
    const names = status.clusters.map((one) => one.name).join(', ');
    throw new Error(`there is no cluster ${name}; there is ${names}`);
  }
  const tiers = cluster.tiers.filter(({ scaling, removed }) => scaling === 'automatic' && !removed);
  if (tiers.length === 0) {
    throw new Error(`cluster ${name} has no tier that is scaled`);
  }
  return tiers.map(({ tier }) => tier);
}
