/**
 * Decision × observation → ordered actions with nothing left to choose.
 *
 * Order: repairs → back into rotation → wake → boot; then scale-in, and destroying last. A node with an action in
 * flight gets no other. A converged tier has an empty plan.
 */

import { type Action, domainAction, serverAction, takesAway } from './action.ts';
import { Base, bootNodes, type Shortfall } from './boot-nodes.ts';
import { bringIn } from './bring-in.ts';
import type { Mode, ScaledTier } from './cluster.ts';
import type { Decision } from './decide.ts';
import { type Drift, findDrift, repairFirst } from './drift.ts';
import { type Fleet, sortFleet } from './fleet.ts';
import { letGo } from './let-go.ts';
import type { Node } from './node-phase.ts';
import { createPlacement } from './place.ts';
import type { Observation } from './observation.ts';

export interface Plan {
  readonly actions: readonly Action[];
  /** What is needed and cannot be had. */
  readonly shortfall: Shortfall | undefined;
  /** So many on standby are left for what is needed sooner than what is booted; left out where there is none. */
  readonly leftNodes?: number;
  /**
   * So many nodes fail their checks at once that it is rather the network or a storm: none is replaced, and
   * none that works is let go.
   */
  readonly healingFrozen: boolean;
  /** Nodes that would be let go now, were they not protected. */
  readonly kept: readonly { readonly node: string; readonly override: string }[];
  /** Servers that are not the same on every balancer that answers; left out where there is none. */
  readonly drift?: readonly Drift[];
}

/**
 * Plans one tier for one tick.
 *
 * @param nodes - Derived from `observation`, by number.
 * @returns All that the decision asks for, as far as there is room; `allowedIn` says what a mode lets through.
 */
export function plan(
  tier: ScaledTier,
  decision: Decision,
  observation: Observation,
  nodes: readonly Node[],
): Plan {
  const fleet = sortFleet(nodes);
  const { term } = observation;
  const frozen = findFrozen(observation, nodes);
  const around = {
    tier,
    observation,
    nodes,
    placement: createPlacement(observation, nodes),
    base: new Base(tier, observation.nodes, nodes),
  };
  const standbyNodes = standbyTarget(tier, decision);
  const missingAtFirst = {
    nodes: decision.desiredNodes - fleet.serving.length,
    soonNodes: decision.soonNodes - fleet.serving.length,
  };
  const incoming = bringIn(fleet, missingAtFirst, standbyNodes, around, frozen);
  const { missing, leftNodes } = incoming;

  const calm = missing <= 0 && decision.signalsKnown;
  const standbyMissing = calm ? standbyNodes - countTowardsStandby(fleet) : 0;
  const wanted = Math.max(0, missing) + Math.max(0, standbyMissing);
  const boots = bootNodes(around, wanted, missing > 0 ? 'needed' : 'standby');

  const mayShrink = decision.signalsKnown && !fleet.healingFrozen;
  const need = {
    excess: countExcess(tier, decision, fleet),
    noRoom: boots.shortfall !== undefined && boots.shortfall.why !== 'breaker',
    standbyNodes,
  };
  const outgoing = mayShrink ? letGo(tier, observation, fleet, need) : [];
  const broken = [
    ...fleet.failed.map((node) => domainAction(node, 'boot-failed', term)),
    ...fleet.residues.map((node) => domainAction(node, 'residue', term)),
  ].map((action): Action => ({ kind: 'destroy', ...action, force: false }));
  const booked = new Set(boots.actions.map((action) => action.number));
  const parked = fleet.ghosts
    .filter((node) => !booked.has(node.number))
    .map((node) => serverAction('park', node, 'no-domain', term));

  const { free, kept } = spareProtected(
    [...outgoing, ...broken].filter((action) => !frozen.has(action.number)),
    nodes,
  );
  const drift = findDrift(nodes, observation);
  const planned = [...incoming.actions, ...boots.actions, ...free, ...parked];
  const actions = repairFirst(drift, planned, observation);
  return {
    actions: [
      ...actions.filter((action) => action.kind !== 'destroy'),
      ...actions.filter((action) => action.kind === 'destroy'),
    ],
    shortfall: boots.shortfall,
    ...(missing > 0 && leftNodes > 0 && boots.actions.length > 0 ? { leftNodes } : {}),
    healingFrozen: fleet.healingFrozen,
    kept,
    ...(drift.length > 0 ? { drift } : {}),
  };
}

/** Numbers on hosts that may still take orders of whoever led before: nothing there is woken or taken away. */
function findFrozen({ hosts }: Observation, nodes: readonly Node[]): ReadonlySet<number> {
  const unfenced = new Set(hosts.filter(({ fenced }) => fenced === false).map(({ name }) => name));
  return new Set(nodes.filter(({ host = '' }) => unfenced.has(host)).map(({ number }) => number));
}

/** Takes out what would drain, pause or destroy a protected node. */
function spareProtected(
  actions: readonly Action[],
  nodes: readonly Node[],
): { readonly free: readonly Action[]; readonly kept: Plan['kept'] } {
  const protections = new Map(nodes.map((node) => [node.number, node.protectedBy]));
  const free: Action[] = [];
  const kept: Plan['kept'][number][] = [];
  for (const action of actions) {
    const override = takesAway(action) ? protections.get(action.number) : undefined;
    if (override === undefined) {
      free.push(action);
    } else {
      kept.push({ node: action.node, override });
    }
  }
  return { free, kept };
}

/** Nodes to be kept ready: beside those in service there is only so much room within the maximum. */
function standbyTarget(tier: ScaledTier, decision: Decision): number {
  const room = Math.max(0, tier.policy.maxNodes - decision.desiredNodes);
  return Math.min(decision.standbyNodes, room);
}

/** What is standby, or becomes it because nobody needs it. */
function countTowardsStandby(fleet: Fleet): number {
  const { standby, pausing, outOfRotation, coming } = fleet;
  return standby.length + pausing.length + outOfRotation.length + coming.length;
}

/** Nodes that really serve, at every balancer, beyond those desired. Whatever is desired, the last one stays. */
function countExcess(tier: ScaledTier, decision: Decision, fleet: Fleet): number {
  const keptNodes = Math.max(decision.desiredNodes, Math.min(1, tier.policy.minNodes));
  return fleet.serving.filter((node) => node.servingOnAll).length - keptNodes;
}

/** What the mode lets through: `scale-out-only` takes nothing away, not even a boot that failed. */
export function allowedIn(mode: Mode, actions: readonly Action[]): readonly Action[] {
  switch (mode) {
    case 'observe':
      return [];
    case 'full':
      return actions;
    case 'scale-out-only':
      return actions.filter((action) => !takesAway(action));
  }
}
