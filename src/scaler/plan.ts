/**
 * Decision × observation → ordered actions with nothing left to choose.
 *
 * Order: back into rotation → wake → boot; then scale-in, and destroying last. A node with an action in
 * flight gets no other. A converged tier has an empty plan.
 */

import { macOf, type Mode, nodeName, type ScaledTier } from './cluster.ts';
import type { Decision } from './decide.ts';
import { isPresent, type Node } from './node-phase.ts';
import type { Observation, Term } from './observation.ts';
import { createPlacement, type Refusal } from './place.ts';

/** Why a node is let go, or why one comes. */
export type ActionReason =
  | 'needed'
  | 'not-needed'
  | 'standby'
  | 'sick'
  | 'boot-failed'
  | 'drain-deadline'
  | 'no-domain';

interface ActionBase {
  readonly node: string;
  readonly number: number;
  readonly reason: ActionReason;
  readonly term: Term;
}

/** An action on a domain that exists names its host and birth, so that it can never hit the next tenant. */
interface DomainAction extends ActionBase {
  readonly host: string;
  readonly bornMs: number;
}

export interface BootAction extends ActionBase {
  readonly kind: 'boot';
  readonly host: string;
  readonly address: string;
  readonly mac: string;
}

export type Action =
  | BootAction
  /** Servers only: into rotation; checks on, no traffic; out of rotation; into maintenance. */
  | (ActionBase & { readonly kind: 'admit' | 'warm' | 'drain' | 'park' })
  | (DomainAction & { readonly kind: 'wake' | 'pause' })
  /** `force`: sessions that are left are cut, because the drain's deadline has passed. */
  | (DomainAction & { readonly kind: 'destroy'; readonly force: boolean });

/** Why nodes that are needed cannot be booted. */
export type ShortfallReason = 'maximum' | 'addresses' | 'fleet-limit' | 'breaker' | 'no-host';

export interface Shortfall {
  readonly nodes: number;
  readonly why: ShortfallReason;
  readonly refusals: readonly Refusal[];
}

export interface Plan {
  readonly actions: readonly Action[];
  /** What is needed and cannot be had. */
  readonly shortfall: Shortfall | undefined;
  /**
   * So many nodes fail their checks at once that it is rather the network or a storm: none is replaced, and
   * none that works is let go.
   */
  readonly healingFrozen: boolean;
}

/** A node in service whose check has failed for so long is sick; before that, it is HAProxy's business alone. */
const SICK_AFTER_MS = 15_000;

/** More sick nodes than this share (and than one) are no sick nodes. */
const SICK_SHARE_MAX = 0.2;

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
  const actions: Action[] = [];
  const { term } = observation;
  let missing = decision.desiredNodes - fleet.serving.length;

  for (const node of fleet.outOfRotation.splice(0, Math.max(0, missing))) {
    actions.push(serverAction('admit', node, 'needed', term));
    missing -= 1;
  }
  for (const node of fleet.coming.splice(0, Math.max(0, missing))) {
    if (node.phase === 'warming' && node.parked && node.operation === undefined) {
      actions.push(serverAction('warm', node, 'needed', term));
    }
    missing -= 1;
  }
  for (const node of fleet.standby.splice(0, Math.max(0, missing))) {
    actions.push({ kind: 'wake', ...domainAction(node, 'needed', term) });
    missing -= 1;
  }

  // Beside those in service there is room for so many within the maximum.
  const standbyNodes = Math.min(
    tier.policy.standbyNodes,
    Math.max(0, tier.policy.maxNodes - decision.desiredNodes),
  );
  const standbyMissing =
    standbyNodes -
    fleet.standby.length -
    fleet.pausing.length -
    fleet.outOfRotation.length -
    fleet.coming.length;
  const calm = missing <= 0 && decision.signalsKnown;
  const wanted = Math.max(0, missing) + (calm ? Math.max(0, standbyMissing) : 0);
  const boots = bootNodes(tier, observation, nodes, wanted, missing > 0 ? 'needed' : 'standby');
  actions.push(...boots.actions);

  if (decision.signalsKnown && !fleet.healingFrozen) {
    const noRoom = boots.shortfall?.why === 'maximum';
    // Whatever is desired, the last one that serves stays.
    const keptNodes = Math.max(decision.desiredNodes, Math.min(1, tier.policy.minNodes));
    const excess = fleet.serving.filter((node) => node.serving).length - keptNodes;
    const need = { missing, excess, noRoom, standbyNodes };
    actions.push(...letGo(tier, observation, fleet, need));
  }
  for (const node of fleet.failed) {
    actions.push({ kind: 'destroy', ...domainAction(node, 'boot-failed', term), force: false });
  }
  const booked = new Set(boots.actions.map((action) => action.number));
  for (const node of fleet.ghosts) {
    if (!booked.has(node.number)) {
      actions.push(serverAction('park', node, 'no-domain', term));
    }
  }
  const destroysLast = [
    ...actions.filter((action) => action.kind !== 'destroy'),
    ...actions.filter((action) => action.kind === 'destroy'),
  ];
  return {
    actions: destroysLast,
    shortfall: boots.shortfall,
    healingFrozen: fleet.healingFrozen,
  };
}

/** What the mode lets through. In `scale-out-only`, of all destruction only that of nodes that never served. */
export function allowedIn(mode: Mode, actions: readonly Action[]): readonly Action[] {
  switch (mode) {
    case 'observe':
      return [];
    case 'full':
      return actions;
    case 'scale-out-only':
      return actions.filter(
        ({ kind, reason }) =>
          (kind !== 'drain' && kind !== 'pause' && kind !== 'destroy') || reason === 'boot-failed',
      );
  }
}

interface Fleet {
  /** In rotation, or about to be; a sick node only while healing is frozen. */
  readonly serving: Node[];
  readonly sick: Node[];
  readonly outOfRotation: Node[];
  readonly coming: Node[];
  readonly standby: Node[];
  /** On their way to standby: counted as such, but not to be woken or destroyed yet. */
  readonly pausing: Node[];
  readonly failed: Node[];
  /** A server out of maintenance with nothing behind it. */
  readonly ghosts: Node[];
  readonly healingFrozen: boolean;
}

/** Sorts nodes by what they are good for, lowest number first: the lowest numbers are the steady ones. */
function sortFleet(nodes: readonly Node[]): Fleet {
  const fleet = {
    serving: [] as Node[],
    sick: [] as Node[],
    outOfRotation: [] as Node[],
    coming: [] as Node[],
    standby: [] as Node[],
    pausing: [] as Node[],
    failed: [] as Node[],
    ghosts: [] as Node[],
  };
  for (const node of nodes) {
    shelfOf(node, fleet)?.push(node);
  }
  const inService = fleet.serving.length + fleet.sick.length;
  // What runs already is nearer to serving than what boots.
  fleet.coming.sort(
    (one, other) => Number(one.phase === 'booting') - Number(other.phase === 'booting'),
  );
  const healingFrozen = fleet.sick.length > Math.max(1, SICK_SHARE_MAX * inService);
  if (healingFrozen) {
    fleet.serving.push(...fleet.sick.splice(0));
    fleet.serving.sort((one, other) => one.number - other.number);
  }
  return { ...fleet, healingFrozen };
}

function shelfOf(node: Node, fleet: Omit<Fleet, 'healingFrozen'>): Node[] | undefined {
  switch (node.phase) {
    case 'in-service':
      if (node.operation === 'drain') {
        // Out of rotation in a moment, and back sooner than anything could be booted; unless it is sick.
        return node.sickForMs > 0 ? undefined : fleet.coming;
      }
      return node.sickForMs >= SICK_AFTER_MS ? fleet.sick : fleet.serving;
    case 'unknown':
      return node.serving && node.operation !== 'drain' ? fleet.serving : undefined;
    case 'out-of-rotation':
      if (node.operation === 'admit') {
        return fleet.serving;
      }
      // Its boot, wake or drain is over, and only its end has not been seen yet: nothing to be replaced.
      return node.operation === undefined ? fleet.outOfRotation : fleet.coming;
    case 'booting':
    case 'warming':
      return fleet.coming;
    case 'standby':
      return node.operation === undefined ? fleet.standby : fleet.pausing;
    case 'failed':
      return node.operation === undefined ? fleet.failed : undefined;
    case 'absent':
      return node.operation === undefined && !node.parked ? fleet.ghosts : undefined;
    case 'stopping':
    case 'conflict':
      return undefined;
  }
}

/** Boots on the lowest free numbers, as far as bounds, addresses, breakers and hosts allow. */
function bootNodes(
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

interface Need {
  /** Nodes still missing when all that come are there; negative when too many serve. */
  readonly missing: number;
  /** Nodes that really serve, beyond those desired: only so many may be drained. */
  readonly excess: number;
  /** The maximum leaves no room for one more. */
  readonly noRoom: boolean;
  /** Nodes to be kept paused. */
  readonly standbyNodes: number;
}

/** Everything that makes the fleet smaller. Only called while every signal is known. */
function letGo(
  tier: ScaledTier,
  observation: Observation,
  fleet: Fleet,
  need: Need,
): readonly Action[] {
  const { policy } = tier;
  const { term } = observation;
  const actions: Action[] = [];

  // The highest numbers go first, so that 1…min are the steady ones. A node on an unknown host stays, and
  // one whose check has just begun to fail is no reason to let one go that works.
  const surplus = fleet.serving.filter((node) => node.phase === 'in-service' && !isBusy(node));
  for (const node of surplus
    .slice(Math.max(0, surplus.length - Math.max(0, need.excess)))
    .toReversed()) {
    actions.push(serverAction('drain', node, 'not-needed', term));
  }
  actions.push(...removeSick(observation, fleet, need, term));

  // Nodes that run and are not needed: as many as are wanted become standby, the others go.
  let standbyWanted = need.standbyNodes - fleet.standby.length - fleet.pausing.length;
  for (const node of fleet.outOfRotation) {
    if (standbyWanted > 0) {
      standbyWanted -= 1;
      if (node.quiet) {
        actions.push({ kind: 'pause', ...domainAction(node, 'standby', term) });
      }
    } else {
      actions.push(...destroyWhenQuiet(node, policy.drainDeadlineMs, term));
    }
  }
  for (const node of fleet.coming) {
    if (standbyWanted > 0) {
      standbyWanted -= 1;
      if (node.phase === 'warming' && node.parked && !isBusy(node)) {
        actions.push(serverAction('warm', node, 'standby', term));
      }
    } else if (!isBusy(node)) {
      actions.push(...destroyWhenQuiet(node, policy.drainDeadlineMs, term));
    }
  }
  const standbyKept = Math.max(0, need.standbyNodes - fleet.pausing.length);
  for (const node of fleet.standby.slice(standbyKept).toReversed()) {
    actions.push(...destroyWhenQuiet(node, policy.drainDeadlineMs, term));
  }
  return actions;
}

/**
 * One sick node at a time, replaced before it is removed, and never while a queue says that everybody is
 * slow. Where the maximum leaves no room for the replacement, the sick one has to go first.
 */
function removeSick(
  observation: Observation,
  fleet: Fleet,
  need: Need,
  term: Term,
): readonly Action[] {
  const queue = observation.signals.queue;
  const calm = queue.status === 'ok' && queue.value.requests === 0;
  const sickest = fleet.sick.at(-1);
  const mayGo = need.noRoom || (need.missing <= 0 && fleet.serving.length > 0);
  if (sickest === undefined || isBusy(sickest) || !calm || !mayGo) {
    return [];
  }
  return [serverAction('drain', sickest, 'sick', term)];
}

function destroyWhenQuiet(node: Node, drainDeadlineMs: number, term: Term): readonly Action[] {
  // A deadline says how long sessions may keep a node, not that unknown ones may be cut.
  const overdue = node.sessionsKnown && node.phaseAgeMs > drainDeadlineMs;
  if (!node.quiet && !overdue) {
    return [];
  }
  const reason: ActionReason = node.quiet ? 'not-needed' : 'drain-deadline';
  return [{ kind: 'destroy', ...domainAction(node, reason, term), force: !node.quiet }];
}

function isBusy(node: Node): boolean {
  return node.operation !== undefined;
}

function serverAction<K extends 'admit' | 'warm' | 'drain' | 'park'>(
  kind: K,
  node: Node,
  reason: ActionReason,
  term: Term,
): ActionBase & { readonly kind: K } {
  return { kind, node: node.name, number: node.number, reason, term };
}

function domainAction(node: Node, reason: ActionReason, term: Term): DomainAction {
  return {
    node: node.name,
    number: node.number,
    reason,
    term,
    host: node.host ?? '',
    bornMs: node.bornMs,
  };
}
