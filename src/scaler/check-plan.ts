/** The whole plan is checked before its first step: a mistake in planning must not become a destroyed node. */

import { type Action, takesAway } from './action.ts';
import type { ScaledTier } from './cluster.ts';
import { isPresent, type Node } from './node-phase.ts';

/**
 * @param desiredNodes - What the decision wants in service: no drain may leave fewer that serve.
 * @returns What is wrong, empty when nothing is. A plan with a finding is a defect in Rackfire: carry out
 * none of it.
 */
export function checkPlan(
  tier: ScaledTier,
  desiredNodes: number,
  nodes: readonly Node[],
  actions: readonly Action[],
): readonly string[] {
  const findings: string[] = [];
  const byNumber = new Map(nodes.map((node) => [node.number, node]));
  const seen = new Set<number>();
  let drains = 0;
  let boots = 0;
  for (const action of actions) {
    if (seen.has(action.number)) {
      findings.push(`${action.node} has more than one action`);
    }
    seen.add(action.number);
    const node = byNumber.get(action.number);
    if (node?.operation !== undefined) {
      findings.push(`${action.kind} ${action.node}: ${node.operation} is still under way`);
    }
    if (node?.protectedBy !== undefined && takesAway(action)) {
      findings.push(`${action.kind} ${action.node}: it is protected`);
    }
    drains += action.kind === 'drain' && node?.serving === true ? 1 : 0;
    boots += action.kind === 'boot' ? 1 : 0;
    findings.push(...checkAction(tier, node, action));
  }
  const serving = nodes.filter((node) => node.serving).length;
  const kept = Math.max(desiredNodes, Math.min(1, tier.policy.minNodes));
  if (drains > 0 && serving - drains < kept) {
    findings.push(`${drains} drains would leave ${serving - drains} nodes in service, not ${kept}`);
  }
  const domains = nodes.filter(isPresent).length;
  if (boots > 0 && domains + boots > tier.policy.maxNodes) {
    findings.push(
      `${boots} boots beside ${domains} nodes exceed the maximum ${tier.policy.maxNodes}`,
    );
  }
  return findings;
}

function checkAction(tier: ScaledTier, node: Node | undefined, action: Action): readonly string[] {
  const wrong = (why: string): readonly string[] => [`${action.kind} ${action.node}: ${why}`];
  switch (action.kind) {
    case 'boot':
      if (node !== undefined && node.phase !== 'absent') {
        return wrong(`the number is held by a node that is ${node.phase}`);
      }
      return tier.addresses[action.number - 1] === action.address ? [] : wrong('not its address');
    case 'destroy':
    case 'pause':
    case 'save':
    case 'wake':
      if (node === undefined || node.host !== action.host || node.bornMs !== action.bornMs) {
        return wrong('not the tenant that was seen');
      }
      if (action.kind !== 'wake' && node.phase === 'in-service') {
        return wrong('it is in service');
      }
      return [];
    case 'admit':
      return node?.phase === 'out-of-rotation' ? [] : wrong('its check has not passed');
    case 'warm':
    case 'drain':
    case 'park':
    case 'repair':
      return node === undefined ? wrong('nobody has seen it') : [];
  }
}
