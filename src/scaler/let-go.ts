/** Everything that makes a tier smaller, in the order in which it is allowed to happen. */

import { type Action, type ActionReason, domainAction, serverAction } from './action.ts';
import type { ScaledTier } from './cluster.ts';
import { type Fleet, isPausedInRotation, isSick } from './fleet.ts';
import type { Node } from './node-phase.ts';
import type { Observation } from './observation.ts';
import type { Term } from './term.ts';

export interface Need {
  /** Nodes that really serve, beyond those desired: only so many may be drained. */
  readonly excess: number;
  /** What is missing cannot be booted. */
  readonly noRoom: boolean;
  /** Nodes to be kept paused or saved. */
  readonly standbyNodes: number;
}

/** Everything that makes the fleet smaller. Only called while every signal is known. */
export function letGo(
  tier: ScaledTier,
  observation: Observation,
  fleet: Fleet,
  need: Need,
): readonly Action[] {
  const { policy } = tier;
  const { term } = observation;
  const actions: Action[] = [];

  // The highest numbers go first, so that 1…min are the steady ones. A node on an unknown host stays, and
  // one whose check has just begun to fail is no reason to let one go that works. One that something is just
  // being done to goes in its turn, and not a lower number in its place.
  const surplus = fleet.serving.filter((node) => node.phase === 'in-service');
  for (const node of chooseLast(surplus, need.excess).filter(isFree)) {
    actions.push(serverAction('drain', node, 'not-needed', term));
  }
  actions.push(...removeSick(observation, fleet, need, term));
  if (isReplaced(fleet, need)) {
    for (const node of fleet.asked.filter(isFree)) {
      actions.push(serverAction('drain', node, 'asked', term));
    }
  }

  // Nodes that run and are not needed: as many as are wanted become standby, the others go.
  const rest = policy.standby.state === 'saved' ? 'save' : 'pause';
  let standbyWanted = need.standbyNodes - fleet.standby.length - fleet.pausing.length;
  for (const node of fleet.outOfRotation) {
    if (standbyWanted > 0) {
      standbyWanted -= 1;
      if (node.quiet && !(rest === 'save' && node.saveRefused)) {
        actions.push({ kind: rest, ...domainAction(node, 'standby', term) });
      }
    } else {
      actions.push(...destroyWhenQuiet(node, 'not-needed', policy.drainDeadlineMs, term));
    }
  }
  for (const node of fleet.coming) {
    if (standbyWanted > 0) {
      standbyWanted -= 1;
      if (node.phase === 'warming' && node.parked && isFree(node)) {
        actions.push(serverAction('warm', node, 'standby', term));
      }
    } else if (isFree(node)) {
      actions.push(...destroyWhenQuiet(node, 'not-needed', policy.drainDeadlineMs, term));
    }
  }
  for (const node of fleet.leaving.filter(isFree)) {
    const why = node.drainAskedBy === undefined ? 'sick' : 'asked';
    actions.push(...destroyWhenQuiet(node, why, policy.drainDeadlineMs, term));
  }
  const standbyKept = Math.max(0, need.standbyNodes - fleet.pausing.length);
  for (const node of fleet.standby.slice(standbyKept).toReversed()) {
    if (!isPausedInRotation(node)) {
      actions.push(...destroyWhenQuiet(node, 'not-needed', policy.drainDeadlineMs, term));
    } else if (need.excess >= 0) {
      // Its visitors get the time that every drain gives.
      actions.push(serverAction('drain', node, 'not-needed', term));
    }
  }
  return actions;
}

/**
 * The last ones, and in the place of each protected one the next that is not. The protected ones are chosen,
 * too, so that the plan can say whom it kept.
 */
function chooseLast(candidates: readonly Node[], count: number): readonly Node[] {
  const last = (nodes: readonly Node[]): readonly Node[] =>
    nodes.slice(Math.max(0, nodes.length - Math.max(0, count)));
  const chosen = new Set(last(candidates.filter((node) => node.protectedBy === undefined)));
  for (const node of last(candidates)) {
    if (node.protectedBy !== undefined) {
      chosen.add(node);
    }
  }
  return [...chosen].toSorted((one, other) => other.number - one.number);
}

/** As many as are desired serve without those that are to go. */
function isReplaced(fleet: Fleet, need: Need): boolean {
  return need.excess >= 0 && fleet.serving.length > 0;
}

/**
 * One sick node at a time, replaced before it is removed, and never while a queue says that everybody is
 * slow. Where there is no room for the replacement, the sick one has to go first.
 */
function removeSick(
  observation: Observation,
  fleet: Fleet,
  need: Need,
  term: Term,
): readonly Action[] {
  const queue = observation.signals.queue;
  const calm = queue.status === 'ok' && queue.value.requests === 0;
  const replaced = isReplaced(fleet, need);
  // Once replaced, those that were asked to go do so anyway.
  const sick = replaced ? fleet.sick : [...fleet.sick, ...fleet.asked.filter(isSick)];
  const isAlone = fleet.coming.length + fleet.outOfRotation.length + fleet.leaving.length === 0;
  const mayGo = need.noRoom || (replaced && isAlone);
  return calm && mayGo
    ? chooseLast(sick, 1)
        .filter(isFree)
        .map((node) => serverAction('drain', node, 'sick', term))
    : [];
}

function destroyWhenQuiet(
  node: Node,
  why: ActionReason,
  drainDeadlineMs: number,
  term: Term,
): readonly Action[] {
  // A deadline says how long sessions may keep a node, not that unknown ones may be cut.
  const overdue = node.sessionsKnown && node.phaseAgeMs > drainDeadlineMs;
  if (!node.quiet && !overdue) {
    return [];
  }
  const reason = node.quiet ? why : 'drain-deadline';
  return [{ kind: 'destroy', ...domainAction(node, reason, term), force: !node.quiet }];
}

function isFree(node: Node): boolean {
  return node.operation === undefined;
}
