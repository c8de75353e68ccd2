/** A tier's nodes, sorted by what they are good for now. */

import type { Node, NodePhase } from './node-phase.ts';

/** A node in service whose check has failed for so long is sick; before that, it is HAProxy's business alone. */
const SICK_AFTER_MS = 15_000;

/** More nodes whose check fails than this share (and than one) are no sick nodes. */
const SICK_SHARE_MAX = 0.2;

export interface Fleet {
  /** In rotation, or about to be; a sick node only while healing is frozen. */
  readonly serving: Node[];
  readonly sick: Node[];
  /** In rotation, and an operator asked to drain them; also while that is under way. */
  readonly asked: Node[];
  readonly outOfRotation: Node[];
  readonly coming: Node[];
  readonly standby: Node[];
  /** On their way to standby: counted as such, but not to be woken or destroyed yet. */
  readonly pausing: Node[];
  readonly failed: Node[];
  /** What interrupted boots and teardowns left. */
  readonly residues: Node[];
  /** Drained because they were sick and still failing, or not in rotation and asked to go. */
  readonly leaving: Node[];
  /** A server out of maintenance with nothing behind it. */
  readonly ghosts: Node[];
  readonly healingFrozen: boolean;
}

/** Sorts nodes by what they are good for, lowest number first: the lowest numbers are the steady ones. */
export function sortFleet(nodes: readonly Node[]): Fleet {
  const fleet = {
    serving: [] as Node[],
    sick: [] as Node[],
    asked: [] as Node[],
    outOfRotation: [] as Node[],
    coming: [] as Node[],
    standby: [] as Node[],
    pausing: [] as Node[],
    failed: [] as Node[],
    residues: [] as Node[],
    leaving: [] as Node[],
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
  // Whoever began to fail a moment ago counts, too: otherwise those who fail one after the other would be
  // taken for one sick node each time.
  const failing = fleet.sick.length + fleet.serving.filter(({ sickForMs }) => sickForMs > 0).length;
  const healingFrozen = fleet.sick.length > 0 && failing > Math.max(1, SICK_SHARE_MAX * inService);
  if (healingFrozen) {
    fleet.serving.push(...fleet.sick.splice(0));
    fleet.serving.sort((one, other) => one.number - other.number);
  }
  return { ...fleet, healingFrozen };
}

/** Phases in which a node can be let go because somebody asked; in the others it is as any other. */
const ASKABLE: ReadonlySet<NodePhase> = new Set([
  'in-service',
  'out-of-rotation',
  'booting',
  'warming',
  'standby',
  // Drained, its check has failed for long since: it goes as it was asked to, and not as a failed boot.
  'failed',
]);

function shelfOfAsked(node: Node, fleet: Omit<Fleet, 'healingFrozen'>): Node[] {
  return node.phase === 'in-service' || isPausedInRotation(node) ? fleet.asked : fleet.leaving;
}

/** Somebody paused it by hand: HAProxy may still send it visitors. */
export function isPausedInRotation(node: Node): boolean {
  return node.phase === 'standby' && (node.serving || node.sickForMs > 0);
}

/** In rotation, and its check has failed for so long that it is no longer HAProxy's business alone. */
export function isSick(node: Node): boolean {
  return node.sickForMs >= SICK_AFTER_MS;
}

function shelfOf(node: Node, fleet: Omit<Fleet, 'healingFrozen'>): Node[] | undefined {
  if (node.drainAskedBy !== undefined && ASKABLE.has(node.phase)) {
    return shelfOfAsked(node, fleet);
  }
  switch (node.phase) {
    case 'in-service':
      if (node.operation === 'drain') {
        // Out of rotation in a moment, and back sooner than anything could be booted; unless it is sick.
        return node.sickForMs > 0 ? undefined : fleet.coming;
      }
      return isSick(node) ? fleet.sick : fleet.serving;
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
      return node.leaving ? fleet.leaving : fleet.coming;
    case 'standby':
      if (node.wakeRefused) {
        return undefined;
      }
      return node.operation === undefined ? fleet.standby : fleet.pausing;
    case 'failed':
      if (node.leaving) {
        return fleet.leaving;
      }
      return node.operation === undefined ? fleet.failed : undefined;
    case 'absent':
      return node.operation === undefined && !node.parked ? fleet.ghosts : undefined;
    case 'residue':
      return node.operation === undefined ? fleet.residues : undefined;
    case 'stopping':
    case 'conflict':
      return undefined;
  }
}
