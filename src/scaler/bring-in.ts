/** What is needed and there already, or on its way: the counterpart of `letGo`. */

import { type Action, domainAction, serverAction } from './action.ts';
import type { BootSurroundings } from './boot-nodes.ts';
import type { Fleet } from './fleet.ts';
import type { Node } from './node-phase.ts';
import { quickestFirst, soonerThanStandby } from './start-times.ts';

/** Of those desired. */
interface Missing {
  readonly nodes: number;
  /** So many of them are needed before a boot would serve. */
  readonly soonNodes: number;
}

/**
 * Takes what is needed off the fleet's shelves: back into rotation; what will serve in a moment; standby, as far as it
 * is needed soon; what boots; and standby that is not to be kept. Standby is woken the quickest first. What boots
 * and finds its place taken stands by when it is there.
 *
 * @returns The actions for it; how many nodes are still missing, negative when too many serve; and how many on
 * standby are left for what is needed sooner than what is missing.
 */
export function bringIn(
  fleet: Fleet,
  missingAtFirst: Missing,
  standbyNodes: number,
  { tier, observation, placement, base }: BootSurroundings,
  frozen: ReadonlySet<number>,
): { readonly actions: readonly Action[]; readonly missing: number; readonly leftNodes: number } {
  const actions: Action[] = [];
  const { term } = observation;
  let missing = missingAtFirst.nodes;
  const takeComing = (coming: readonly Node[]): void => {
    for (const node of coming.slice(0, Math.max(0, missing))) {
      fleet.coming.splice(fleet.coming.indexOf(node), 1);
      if (node.phase === 'warming' && node.parked && node.operation === undefined) {
        actions.push(serverAction('warm', node, 'needed', term));
      }
      missing -= 1;
    }
  };
  // What is saved takes memory again. Where there is none, it stays, and another one is booted elsewhere.
  const hasRoomToWake = (node: Node): boolean =>
    !node.isSaved || placement.takeForWake(node.host ?? '', tier.size, base.roleOfWake);
  const wake = (most: number): void => {
    let left = Math.min(most, missing);
    for (const node of left > 0 ? quickestFirst(tier, observation, fleet.standby) : []) {
      if (left > 0 && !frozen.has(node.number) && hasRoomToWake(node)) {
        fleet.standby.splice(fleet.standby.indexOf(node), 1);
        placement.countWake(node.host ?? '');
        actions.push({ kind: 'wake', ...domainAction(node, 'needed', term) });
        base.woke();
        missing -= 1;
        left -= 1;
      }
    }
  };
  for (const node of fleet.outOfRotation.splice(0, Math.max(0, missing))) {
    actions.push(serverAction('admit', node, 'needed', term));
    missing -= 1;
  }
  takeComing(soonerThanStandby(tier, observation, fleet));
  const soonMissing = (): number => missingAtFirst.soonNodes - (missingAtFirst.nodes - missing);
  wake(soonMissing());
  const allSoonComes = soonMissing() <= 0;
  takeComing([...fleet.coming]);
  wake(fleet.standby.length - standbyNodes);
  return { actions, missing, leftNodes: allSoonComes ? fleet.standby.length : 0 };
}
