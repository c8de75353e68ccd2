/** Servers that are not on every balancer what their node is: all are compared at each tick, traffic or not. */

import { type Action, type RepairAction, takesAway } from './action.ts';
import type { Node } from './node-phase.ts';
import type { AdminState, CheckState, Observation } from './observation.ts';
import { findExclusion } from './override.ts';

/** One server on one balancer that answers. */
export interface Drift {
  readonly node: string;
  readonly number: number;
  readonly balancer: string;
  readonly from: AdminState;
  readonly wanted: AdminState;
  /** What it can be set to now; undefined while its check has still to pass there. */
  readonly next: AdminState | undefined;
  /** A repair of this node is under way, of this server or another one. */
  readonly isUnderWay: boolean;
  /** Its balancer is excluded: it is repaired, and nothing waits for it. */
  readonly isExcluded: boolean;
}

/** Nodes with another action in flight are left out: what is shown of them may be older than that. */
export function findDrift(nodes: readonly Node[], observation: Observation): readonly Drift[] {
  const drifts: Drift[] = [];
  for (const { number, servers: all } of observation.nodes) {
    const servers = all.filter((server) => server.answered);
    if (servers.every(({ admin }) => admin === servers[0]?.admin)) {
      continue;
    }
    const node = nodes.find((one) => one.number === number);
    const isUnderWay = node?.operation === 'repair';
    if (node === undefined || (node.operation !== undefined && !isUnderWay)) {
      continue;
    }
    const wanted = wantedOf(node, observation);
    for (const { balancer, admin, check } of servers) {
      if (wanted !== undefined && admin !== wanted) {
        const isExcluded = findExclusion(observation.overrides, balancer) !== undefined;
        const next = nextTowards(wanted, admin, check);
        drifts.push({
          node: node.name,
          number,
          balancer,
          from: admin,
          wanted,
          next,
          isUnderWay,
          isExcluded,
        });
      }
    }
  }
  return drifts;
}

/** What all balancers should have, where they differ. */
function wantedOf(node: Node, { hosts }: Observation): AdminState | undefined {
  switch (node.phase) {
    case 'in-service':
      return 'ready';
    case 'booting':
    case 'warming':
    case 'out-of-rotation':
      return node.parked ? 'maint' : 'drain';
    case 'absent':
    case 'standby':
      return 'maint';
    case 'unknown':
      // No host has it: what is in rotation there is what a balancer remembers of a node that is gone.
      return node.host === undefined && hosts.every(({ reachable }) => reachable)
        ? 'maint'
        : undefined;
    case 'conflict':
    case 'failed':
    case 'residue':
    case 'stopping':
      return undefined;
  }
}

/** Into rotation only after its check has passed there, and in maintenance nothing is checked. */
function nextTowards(
  wanted: AdminState,
  admin: AdminState,
  check: CheckState,
): AdminState | undefined {
  if (wanted !== 'ready') {
    return wanted;
  }
  if (admin === 'maint') {
    return 'drain';
  }
  return check === 'passed' ? 'ready' : undefined;
}

/**
 * Repairs first: nothing is taken away while a balancer that counts has yet to be told what the others know.
 * A node that has an action anyway is set on all of them by that.
 */
export function repairFirst(
  drifts: readonly Drift[],
  actions: readonly Action[],
  { term }: Observation,
): readonly Action[] {
  const planned = new Set(actions.map(({ number }) => number));
  const open = drifts
    .filter(({ number, next }) => next !== undefined && !planned.has(number))
    .toSorted((one, other) => Number(one.isExcluded) - Number(other.isExcluded));
  const isBlocking = open.some(({ isExcluded }) => !isExcluded);
  // One balancer of a node at a time, as one action of it.
  const repairs = new Map<number, RepairAction>();
  for (const { node, number, balancer, next, isUnderWay } of open) {
    if (next !== undefined && !isUnderWay && !repairs.has(number)) {
      const reason = 'drift';
      repairs.set(number, { kind: 'repair', node, number, balancer, to: next, reason, term });
    }
  }
  const others = isBlocking ? actions.filter((action) => !takesAway(action)) : actions;
  return [...repairs.values(), ...others];
}
