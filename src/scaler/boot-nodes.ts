/** New nodes: which numbers, on which hosts, and what stops the next. */

import type { ActionReason, BootAction } from './action.ts';
import { macOf, nodeName, type ScaledTier } from './cluster.ts';
import { isPresent, type Node } from './node-phase.ts';
import type { Observation, Term } from './observation.ts';
import { createPlacement, type Refusal } from './place.ts';

/** Why nodes that are needed cannot be booted. */
export type ShortfallReason = 'maximum' | 'addresses' | 'fleet-limit' | 'breaker' | 'no-host';

export interface Shortfall {
  readonly nodes: number;
  readonly why: ShortfallReason;
  readonly refusals: readonly Refusal[];
}

/** Boots on the lowest free numbers, as far as bounds, addresses, breakers and hosts allow. */
export function bootNodes(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
  wanted: number,
  reason: ActionReason,
): { readonly actions: readonly BootAction[]; readonly shortfall: Shortfall | undefined } {
  if (wanted === 0) {
    return { actions: [], shortfall: undefined };
  }
  const actions: BootAction[] = [];
  const ceiling = bootCeiling(tier, observation, nodes);
  const numbers = freeNumbers(tier, observation, nodes);
  const placement = createPlacement(observation.hosts, observation.concurrentBootsPerHost);
  let shortfall: Shortfall | undefined;
  while (actions.length < wanted && shortfall === undefined) {
    const left = wanted - actions.length;
    const number = numbers.next().value;
    if (actions.length >= ceiling.nodes) {
      shortfall = { nodes: left, why: ceiling.why, refusals: [] };
    } else if (number === undefined) {
      shortfall = { nodes: left, why: 'addresses', refusals: [] };
    } else {
      const place = placement.take(tier.size);
      if ('refusals' in place) {
        shortfall = { nodes: left, why: 'no-host', refusals: place.refusals };
      } else {
        actions.push(
          bootAction(tier, number, { reason, host: place.host, term: observation.term }),
        );
      }
    }
  }
  return { actions, shortfall: reason === 'needed' ? shortfall : undefined };
}

function bootAction(
  tier: ScaledTier,
  number: number,
  chosen: { readonly reason: ActionReason; readonly host: string; readonly term: Term },
): BootAction {
  const address = tier.addresses[number - 1] ?? '';
  return {
    kind: 'boot',
    node: nodeName(tier, number),
    number,
    reason: chosen.reason,
    term: chosen.term,
    host: chosen.host,
    address,
    mac: macOf(address),
  };
}

/**
 * How many boots the bounds allow.
 *
 * @see https://github.com/apache/cloudstack/issues/14185 for what happens when a state is not counted
 */
function bootCeiling(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
): { readonly nodes: number; readonly why: ShortfallReason } {
  if (observation.circuit === 'open') {
    return { nodes: 0, why: 'breaker' };
  }
  let existing = 0;
  let coming = 0;
  for (const node of nodes) {
    existing += isPresent(node) ? 1 : 0;
    coming += node.phase === 'booting' || node.phase === 'warming' ? 1 : 0;
  }
  const room = Math.max(0, tier.policy.maxNodes - existing);
  const fleetRoom = Math.max(0, observation.fleetRoom);
  const probes = coming > 0 ? 0 : 1;
  if (observation.circuit === 'half-open' && probes < Math.min(room, fleetRoom)) {
    return { nodes: probes, why: 'breaker' };
  }
  return fleetRoom < room
    ? { nodes: fleetRoom, why: 'fleet-limit' }
    : { nodes: room, why: 'maximum' };
}

/** Numbers that nothing holds: no domain, no operation, no rest after a failure, no server of an unseen tenant. */
function* freeNumbers(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
): Generator<number, undefined> {
  const held = new Set(observation.blockedNumbers);
  for (const node of nodes) {
    if (node.phase !== 'absent' || node.operation !== undefined) {
      held.add(node.number);
    }
  }
  for (let number = 1; number <= tier.addresses.length; number += 1) {
    if (!held.has(number)) {
      yield number;
    }
  }
  return undefined;
}
