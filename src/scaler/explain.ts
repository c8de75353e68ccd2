/**
 * Why a tier did, or did not, scale: one tick in sentences with numbers, and what would have to be otherwise.
 *
 * The sentences say what the trace of the tick says, and read only what the tick read; so a tick of last week
 * explains itself as it would have then.
 */

import { type Counterfactuals, findCounterfactuals } from './counterfactual.ts';
import type { DecisionReason } from './decide.ts';
import { describeCause, describeStage } from './explain-decision.ts';
import type { ExplainInput } from './explain-input.ts';
import {
  describeActions,
  describeAsked,
  describeBalancers,
  describeFrozen,
  describeHeldBack,
  describeKept,
  describeNodes,
  describeShortfall,
  describeStarts,
} from './explain-plan.ts';
import { describeOutlook, type OutlookStage } from './explain-outlook.ts';
import { describeSchedules } from './explain-schedules.ts';
import { describeNeed, describeSignals } from './explain-signals.ts';
import { counted } from './wording.ts';
import { describeWhatIf } from './what-if.ts';

export type ExplainStage =
  | 'signal'
  | OutlookStage
  | 'need'
  | 'schedules'
  /** A stage of the decision goes by its reason. */
  | DecisionReason
  | 'nodes'
  | 'balancers'
  | 'healing-frozen'
  | 'shortfall'
  | 'protected'
  | 'asked'
  | 'action'
  | 'held-back';

export interface ExplainStep {
  readonly stage: ExplainStage;
  /** One sentence or a few. */
  readonly text: string;
}

/** Plain JSON. */
export interface Explanation {
  /** `cluster/tier`. */
  readonly tier: string;
  readonly atMs: number;
  readonly headline: string;
  /** In the order in which it was thought and done: each stage that did or stopped something. */
  readonly steps: readonly ExplainStep[];
  readonly counterfactuals: Counterfactuals;
  /** The same in sentences. */
  readonly whatIf: readonly string[];
}

/** Explains a kept tick. Same input, same sentences. */
export function explain(input: ExplainInput): Explanation {
  const { decision } = input.tick;
  const counterfactuals = findCounterfactuals(input);
  return {
    tier: decision.tier,
    atMs: decision.atMs,
    headline: describeHeadline(input),
    steps: [...explainDecision(input), ...explainPlan(input)],
    counterfactuals,
    whatIf: describeWhatIf(input, counterfactuals),
  };
}

function describeHeadline(input: ExplainInput): string {
  const { tick, mode } = input;
  const { tier, direction, currentNodes, desiredNodes } = tick.decision;
  const isHeld = mode === 'observe' || (mode === 'scale-out-only' && direction === 'in');
  const change = `from ${currentNodes} to ${counted(desiredNodes, 'node')}`;
  const verb =
    direction === 'none'
      ? `stays at ${counted(desiredNodes, 'node')}`
      : isHeld
        ? `would scale ${direction} ${change}, were the mode not ${mode}`
        : `scales ${direction} ${change}`;
  const { shortfall, healingFrozen } = tick.plan;
  const missing =
    shortfall === undefined
      ? ''
      : `; ${counted(shortfall.nodes, 'more node')} cannot be booted${shortfall.why === 'concurrent-boots' ? ' yet' : ''}`;
  const frozen =
    healingFrozen && direction === 'in'
      ? '; none that works goes while so many fail their checks'
      : '';
  return `${tier} ${verb}: ${describeCause(input)}${missing}${frozen}.`;
}

function explainDecision(input: ExplainInput): readonly ExplainStep[] {
  const { stages } = input.tick.decision;
  return [
    ...describeSignals(input).map(step('signal')),
    ...describeOutlook(input),
    ...describeNeed(input).map(step('need')),
    ...describeSchedules(input).map(step('schedules')),
    ...stages.map((stage) => step(stage.reason)(describeStage(input, stage))),
  ];
}

function explainPlan(input: ExplainInput): readonly ExplainStep[] {
  const { actions, plan } = input.tick;
  const done = describeActions(input, actions, 'is').map((text) => `${text}.`);
  const isIdle = plan.actions.length === 0;
  return [
    ...describeNodes(input).map(step('nodes')),
    ...describeStarts(input).map(step('nodes')),
    ...describeBalancers(input).map(step('balancers')),
    ...describeFrozen(input).map(step('healing-frozen')),
    ...describeShortfall(input).map(step('shortfall')),
    ...describeKept(input).map(step('protected')),
    ...describeAsked(input).map(step('asked')),
    ...(isIdle ? ['Nothing is done in this tick.'] : done).map(step('action')),
    ...describeHeldBack(input).map(step('held-back')),
  ];
}

function step(stage: ExplainStage): (text: string) => ExplainStep {
  return (text) => ({ stage, text });
}
