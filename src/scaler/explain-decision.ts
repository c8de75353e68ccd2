/** Stages → count: what each one compared, and what that did, in sentences with its numbers. */

import type { StageTrace } from './decide.ts';
import { type ExplainInput, nameOverride } from './explain-input.ts';
import { boundsOf, describeScheduled } from './explain-schedules.ts';
import { describeTop, needText } from './explain-signals.ts';
import {
  type DesiredChange,
  exceedsTolerance,
  scaleInFloor,
  scaleOutCeiling,
  undercutsTolerance,
  wholeNodes,
} from './limit.ts';
import type { ScalingPolicy } from './policy.ts';
import { knowingWindowOf } from './stabilize.ts';
import {
  agree,
  capitalized,
  counted,
  inDigits,
  inDigitsApart,
  inNodes,
  inPercent,
  inTime,
  withDecimals,
} from './wording.ts';

/** What one stage did to the count, or kept it from. */
export function describeStage(input: ExplainInput, stage: StageTrace): string {
  return capitalized(stageSentence(input, stage));
}

function stageSentence(input: ExplainInput, stage: StageTrace): string {
  const { minNodes } = input.tier.policy;
  const { maxNodes } = boundsOf(input);
  const instead = `${stage.toNodes} instead of ${stage.fromNodes}`;
  switch (stage.reason) {
    case 'recommended':
      return describeRecommended(input, stage);
    case 'converged':
      return `${describeConverged(input)}.`;
    case 'within-tolerance':
      return describeTolerated(input);
    case 'stabilizing':
      return describeStabilizing(input);
    case 'signals-unknown':
      return describeUnknown(input, stage);
    case 'flap-guard':
      return describeFlapGuard(input, stage);
    case 'minimum':
      return `The minimum is ${counted(minNodes, 'node')}: ${instead}.`;
    case 'maximum':
      return `The maximum is ${counted(maxNodes, 'node')}: ${instead}.`;
    case 'scaling-policy':
      return describeScalingPolicies(input, stage);
    case 'schedule':
      return `${describeScheduled(input, stage.schedule)}: ${instead}.`;
    case 'override-minimum':
    case 'held':
    case 'paused':
      return `${obeyed(input, stage)}: ${instead}.`;
  }
}

/** The decision in one clause, for the headline: what asked for it, and what had the last word. */
export function describeCause(input: ExplainInput): string {
  const { decision } = input.tick;
  const last = decision.stages.at(-1);
  switch (decision.reason) {
    case 'recommended':
      return describeDemand(input);
    case 'converged':
      return `${describeDemand(input)}, and ${describeConverged(input)}`;
    case 'within-tolerance':
      return `${describeDemand(input)}, which is within the tolerance`;
    case 'stabilizing':
      return `${describeDemand(input)}, but ${describeHold(input)}`;
    case 'signals-unknown':
      return 'not every signal is known, and unknown never lets nodes go';
    default: {
      const asked = last === undefined ? undefined : askedBefore(input, last);
      const limit = last === undefined ? decision.reason : describeLimit(input, last);
      return asked === undefined ? limit : `${asked}, but ${limit}`;
    }
  }
}

/** What had moved the count the other way before the last stage limited that. */
function askedBefore(input: ExplainInput, last: StageTrace): string | undefined {
  if (last.reason === 'held' || last.reason === 'paused') {
    return undefined;
  }
  const isRaise = last.toNodes > last.fromNodes;
  const before = input.tick.decision.stages.findLast(({ fromNodes, toNodes }) =>
    isRaise ? toNodes < fromNodes : toNodes > fromNodes,
  );
  if (before === undefined) {
    return undefined;
  }
  return before.reason === 'recommended' ? describeDemand(input) : describeLimit(input, before);
}

function describeLimit(input: ExplainInput, stage: StageTrace): string {
  const { minNodes } = input.tier.policy;
  const { maxNodes } = boundsOf(input);
  switch (stage.reason) {
    case 'minimum':
      return `the minimum is ${minNodes}`;
    case 'maximum':
      return `the maximum is ${maxNodes}`;
    case 'schedule':
      return describeScheduled(input, stage.schedule);
    case 'flap-guard':
      return 'the requests in work need more';
    case 'scaling-policy':
      return `the scaling policies allow no ${slowsScaleOut(stage) ? 'more' : 'fewer'} now`;
    default:
      return obeyed(input, stage);
  }
}

/** What asked for the change: the need now and, for fewer nodes, the highest of the window. */
function describeDemand(input: ExplainInput): string {
  const { needNodes, peakNodes, currentNodes, windowMs, stages } = input.tick.decision;
  const top = describeTop(input);
  const lowers = stages.some(
    ({ reason, fromNodes, toNodes }) => reason === 'recommended' && toNodes < fromNodes,
  );
  if (
    !lowers ||
    windowMs === 0 ||
    needNodes === undefined ||
    peakNodes === undefined ||
    wholeNodes(needNodes) >= currentNodes
  ) {
    return top;
  }
  const [need, peak] = [inNodes(needNodes), inNodes(peakNodes)];
  const most =
    need === peak ? 'no more were' : `no more than ${peak} ${agree(Number(peak), 'was', 'were')}`;
  return `${top}, and ${most} needed in the last ${inTime(windowMs)}`;
}

function describeConverged({ tick }: ExplainInput): string {
  const { needNodes = 0, currentNodes } = tick.decision;
  const isWhole = inNodes(needNodes) === String(currentNodes);
  return `${isWhole ? 'that' : 'that, rounded up,'} is what is wanted already: ${currentNodes}`;
}

function describeRecommended(input: ExplainInput, { fromNodes, toNodes }: StageTrace): string {
  const { scaleOut, scaleIn } = input.tier.policy;
  const { needNodes = 0, peakNodes = needNodes, windowMs } = input.tick.decision;
  const recommended = `${toNodes} ${agree(toNodes, 'is', 'are')} recommended`;
  if (toNodes > fromNodes) {
    const [need, bound] = inDigitsApart(needNodes, fromNodes * (1 + scaleOut.tolerance));
    return exceedsTolerance(needNodes, fromNodes, scaleOut.tolerance)
      ? `${need} is more than ${fromNodes} by more than the tolerated ${inPercent(scaleOut.tolerance)} (up to ${bound}): ${recommended}.`
      : `After a start nothing is tolerated: ${recommended}.`;
  }
  const [peak, bound] = inDigitsApart(peakNodes, fromNodes * (1 - scaleIn.tolerance));
  const what = windowMs > 0 ? `The highest need of the last ${inTime(windowMs)}, ${peak},` : peak;
  return `${what} is less than ${fromNodes} by more than the tolerated ${inPercent(scaleIn.tolerance)} (down to ${bound}): ${recommended}.`;
}

function describeTolerated({ tier, tick }: ExplainInput): string {
  const { scaleOut, scaleIn } = tier.policy;
  const { needNodes = 0, currentNodes } = tick.decision;
  const isMore = needNodes > currentNodes;
  const { tolerance } = isMore ? scaleOut : scaleIn;
  const edge = currentNodes * (isMore ? 1 + tolerance : 1 - tolerance);
  const [need, bound] = inDigitsApart(needNodes, edge);
  return `${need} is ${isMore ? 'more' : 'less'} than ${currentNodes}, but within the tolerated ${inPercent(tolerance)} (${isMore ? 'up' : 'down'} to ${bound}): ${currentNodes} ${agree(currentNodes, 'stays', 'stay')}.`;
}

function describeStabilizing(input: ExplainInput): string {
  const { needNodes = 0, currentNodes, windowMs } = input.tick.decision;
  const { tolerance } = input.tier.policy.scaleIn;
  const bound = withDecimals(currentNodes * (1 - tolerance), 3);
  return `${needText(needNodes)} would do now, but scale-in waits until the need has been less than ${currentNodes} by more than the tolerated ${inPercent(tolerance)}, less than ${bound}, for ${inTime(windowMs)}: ${describeHold(input)}.`;
}

/** What the window still waits for: that its last high need leaves it, or that it is full. */
function describeHold({ tier, observation, tick, formatTime }: ExplainInput): string {
  const { atMs, windowMs, currentNodes } = tick.decision;
  const { knownSinceMs, peaks } = tick.memory;
  const { tolerance, stabilizationWindowMs } = tier.policy.scaleIn;
  const holds: string[] = [];
  const last = peaks.findLast(
    (peak) => !undercutsTolerance(peak.needNodes, currentNodes, tolerance),
  );
  if (last !== undefined) {
    const need = needText(last.needNodes);
    const until = formatTime(last.atMs + windowMs);
    holds.push(
      `${need} ${was(need)} needed at ${formatTime(last.atMs)}, which counts until ${until}`,
    );
  }
  const knowingMs = knowingWindowOf(stabilizationWindowMs, windowMs, observation.bootTimeMs);
  if (knownSinceMs !== undefined && atMs - knownSinceMs < knowingMs) {
    const full = formatTime(knownSinceMs + knowingMs);
    holds.push(
      `the signals have been known without a gap since ${formatTime(knownSinceMs)}, which is long enough at ${full}`,
    );
  }
  return holds.length === 0 ? `the window of ${inTime(windowMs)} holds it` : holds.join('; and ');
}

function was(need: string): string {
  return need === '1 node' ? 'was' : 'were';
}

function describeUnknown({ tick }: ExplainInput, { fromNodes, toNodes }: StageTrace): string {
  const stays = `${toNodes} ${agree(toNodes, 'stays', 'stay')}`;
  if (fromNodes < toNodes) {
    return `${UNKNOWN}: ${stays}, instead of ${fromNodes}.`;
  }
  return tick.decision.needNodes === undefined
    ? `No signal says how many nodes are needed: ${stays}.`
    : `${UNKNOWN}: ${stays}.`;
}

const UNKNOWN = 'Not every signal is known, and unknown never lets nodes go';

function describeFlapGuard(input: ExplainInput, { fromNodes, toNodes }: StageTrace): string {
  const { slots } = input.observation.signals;
  const kept = `${toNodes} instead of ${fromNodes}`;
  const servingNodes = input.tick.nodes.filter((node) => node.serving).length;
  if (slots.status === 'absent' || servingNodes === 0) {
    return `The requests in work would crowd fewer nodes: ${kept}.`;
  }
  const { used, total } = slots.value;
  const room = (total / servingNodes) * fromNodes;
  const share = room > 0 ? `${inPercent(used / room)} of the slots` : 'all the slots and more';
  return `${counted(used, 'request')} ${agree(used, 'is', 'are')} in work on ${total} slots, and would take ${share} of ${counted(fromNodes, 'node')}: ${kept}.`;
}

function describeScalingPolicies(input: ExplainInput, stage: StageTrace): string {
  const { fromNodes, toNodes } = stage;
  const { tier, memory, tick, observation } = input;
  const { currentNodes } = tick.decision;
  const out = slowsScaleOut(stage);
  const { policies } = out ? tier.policy.scaleOut : tier.policy.scaleIn;
  const allow = out ? scaleOutCeiling : scaleInFloor;
  const each = policies.map((policy) => {
    const allowed = allow(currentNodes, memory.changes, [policy], observation.atMs);
    const used = changedWithin(memory.changes, policy.periodMs, observation.atMs, out);
    const before = used === 0 ? '' : ` (${used} ${out ? 'came' : 'went'} in that time)`;
    return `${policyText(policy, out)} allows ${allowed}${before}`;
  });
  const limit = allow(currentNodes, memory.changes, policies, observation.atMs);
  const beyond = toNodes === limit ? '' : ', beyond which a minimum is reached at once';
  return `The scaling policies allow no ${out ? 'more' : 'fewer'} than ${limit} now${beyond}: ${toNodes} instead of ${fromNodes}. ${capitalized(each.join('; '))}.`;
}

/** A limit of scaling out lowers the count; one of scaling in raises it. */
function slowsScaleOut({ fromNodes, toNodes }: StageTrace): boolean {
  return toNodes < fromNodes;
}

function policyText(policy: ScalingPolicy, out: boolean): string {
  const amount =
    policy.kind === 'percent' ? `${inDigits(policy.percent)} %` : counted(policy.nodes, 'node');
  return `${amount} ${out ? 'more' : 'fewer'} per ${inTime(policy.periodMs)}`;
}

function changedWithin(
  changes: readonly DesiredChange[],
  periodMs: number,
  atMs: number,
  out: boolean,
): number {
  let total = 0;
  for (const change of changes) {
    if (change.atMs > atMs - periodMs && change.nodes > 0 === out) {
      total += Math.abs(change.nodes);
    }
  }
  return total;
}

/** What an override made of the count; `override o1 (…) holds it at 5 nodes`. */
function obeyed(input: ExplainInput, { reason, fromNodes, toNodes, override }: StageTrace): string {
  const who = override === undefined ? 'an override' : nameOverride(input, override);
  const word = input.observation.overrides.find(({ id }) => id === override);
  switch (reason) {
    case 'override-minimum':
      return `${who} asks for at least ${counted(toNodes, 'node')}`;
    case 'held': {
      const asked = word?.kind === 'hold' && word.nodes !== toNodes ? ', within its bounds' : '';
      const nodes = word?.kind === 'hold' ? word.nodes : toNodes;
      return `${who} holds it at ${counted(nodes, 'node')}${asked}`;
    }
    default:
      return `${who} pauses scaling ${toNodes < fromNodes ? 'out' : 'in'}`;
  }
}
