/** Tiers and nodes by their names. */

import type { TierTicked } from '../control/events.ts';
import { parseNodeNumber, type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { Node } from '../scaler/node-phase.ts';
import { ApiError } from './api-error.ts';
import type { ServiceView } from './service-view.ts';

/** So many names fit into a message. */
const MAX_NAMES = 20;

/** The tier as the config has it. @throws ApiError when it has no such tier that is scaled. */
export function findConfiguredTier(service: ServiceView, key: string): ScaledTier {
  const tiers = service.keeper.current.config.clusters.flatMap((cluster) => cluster.tiers);
  for (const tier of tiers) {
    if (tier.scaling === 'automatic' && tierKey(tier) === key) {
      return tier;
    }
  }
  if (service.removedTiers.includes(key)) {
    throw new ApiError(
      'unknown-tier',
      `${key} is not in the config any more: it is seen, and nothing is done to it`,
    );
  }
  return refuseTier(service, key);
}

/** @returns The key. @throws ApiError when no such tier is, or lately was, scaled. */
export function requireScaledTier(service: ServiceView, key: string): string {
  return service.controller.ticks.has(key) ? key : tierKey(findConfiguredTier(service, key));
}

function refuseTier({ controller, keeper }: ServiceView, key: string): never {
  if (controller.fixed.has(key)) {
    throw new ApiError(
      'unknown-tier',
      `${key} is only watched (scaling: none), so nothing is decided for it`,
    );
  }
  const keys = keeper.current.config.clusters.flatMap((cluster) =>
    cluster.tiers.filter(({ scaling }) => scaling === 'automatic').map(tierKey),
  );
  throw new ApiError('unknown-tier', `there is no tier ${key}; there ${name(keys)}`);
}

/**
 * The present tenant of a node's name.
 *
 * @throws ApiError when there is none, or when it is not certain enough which one it is to say something of it.
 */
export function findTenant(
  service: ServiceView,
  nodeName: string,
): { readonly tier: ScaledTier; readonly node: Node } {
  const ticked = findTickOf(service, nodeName);
  const node = ticked?.tick.nodes.find(({ name: one }) => one === nodeName);
  if (ticked === undefined || node === undefined || node.phase === 'absent') {
    const names = [...service.controller.ticks.values()].flatMap(({ tick }) =>
      tick.nodes.filter(({ phase }) => phase !== 'absent').map((one) => one.name),
    );
    throw new ApiError('unknown-node', `there is no node ${nodeName} now; there ${name(names)}`);
  }
  const why = whyUnfit(node);
  if (why !== undefined) {
    throw new ApiError('node-unfit', `${nodeName} ${why}`);
  }
  return { tier: findConfiguredTier(service, tierKey(ticked.tier)), node };
}

function findTickOf({ controller }: ServiceView, nodeName: string): TierTicked | undefined {
  for (const ticked of controller.ticks.values()) {
    if (parseNodeNumber(ticked.tier, nodeName) !== undefined) {
      return ticked;
    }
  }
  return undefined;
}

function whyUnfit({ phase, host, bornMs }: Node): string | undefined {
  switch (phase) {
    case 'unknown':
      return host === undefined
        ? 'is not known now: its host or its balancer does not answer; `rackfire status` says which'
        : `is not known now: ${host} or its balancer does not answer; try again when it does`;
    case 'conflict':
      return 'is in conflict: something else goes by its name or answers at its address, and is left alone';
    case 'stopping':
      return 'is being destroyed already';
    default:
      return bornMs === 0 ? 'is only being made; try again in a few seconds' : undefined;
  }
}

function name(names: readonly string[]): string {
  if (names.length === 0) {
    return 'is none';
  }
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `${names.length === 1 ? 'is' : 'are'} ${names.slice(0, MAX_NAMES).join(', ')}${more}`;
}
