/** One tier, one tick: everything between an observation and the actions, in the order it happens. */

import { checkPlan } from './check-plan.ts';
import type { Mode, ScaledTier } from './cluster.ts';
import { type Decision, decide, type TierMemory } from './decide.ts';
import { deriveNodes, type Node } from './node-phase.ts';
import type { Observation } from './observation.ts';
import type { Action } from './action.ts';
import { boundsAt } from './schedule.ts';
import { allowedIn, type Plan, plan } from './plan.ts';

export interface TierTick {
  readonly nodes: readonly Node[];
  readonly decision: Decision;
  /** What should be done, in every mode. */
  readonly plan: Plan;
  /** What the mode lets through; empty when the plan has a finding. */
  readonly actions: readonly Action[];
  /** Defects of the plan itself; none of it is carried out then. */
  readonly findings: readonly string[];
  readonly memory: TierMemory;
}

/** Derives, decides and plans. Live, in a dry run and in simulation the same. */
export function tickTier(
  tier: ScaledTier,
  mode: Mode,
  observation: Observation,
  memory: TierMemory,
): TierTick {
  const nodes = deriveNodes(tier, observation);
  const { decision, memory: remembered } = decide(tier, observation, nodes, memory);
  const bounded = withMaximumOf(tier, observation);
  const planned = plan(bounded, decision, observation, nodes);
  const findings =
    planned.actions.length === 0
      ? []
      : checkPlan(bounded, decision.desiredNodes, nodes, planned.actions);
  return {
    nodes,
    decision,
    plan: planned,
    actions: findings.length === 0 ? allowedIn(mode, planned.actions) : [],
    findings,
    memory: remembered,
  };
}

/** What comes has room within the maximum of this tick. The base, which other hosts have room for, is the tier's own. */
function withMaximumOf(tier: ScaledTier, observation: Observation): ScaledTier {
  if (observation.schedules === undefined) {
    return tier;
  }
  const { maxNodes } = boundsAt(tier.policy, observation);
  return { ...tier, policy: { ...tier.policy, maxNodes } };
}
