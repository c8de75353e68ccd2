/** Counterfactuals in sentences. */

import {
  type Assumption,
  type Change,
  type Counterfactuals,
  type Obstacle,
  TICK_MS,
} from './counterfactual.ts';
import { type ExplainInput, nameOverride } from './explain-input.ts';
import { whyNoRoom } from './explain-plan.ts';
import { boundsOf, describeScheduled } from './explain-schedules.ts';
import type { Override } from './override.ts';
import { counted, inDigitsBeside, inTime, withDecimals } from './wording.ts';

/** What would have to be otherwise: for more nodes, for fewer, and for those that found no room. */
export function describeWhatIf(input: ExplainInput, found: Counterfactuals): readonly string[] {
  const sentences = [
    describeScaleOut(input, found),
    ...describeStays(input, found),
    describeScaleIn(input, found),
  ];
  if (found.blocked !== undefined) {
    const { nodes } = found.blocked;
    sentences.push(`Would add ${nodes} more, but ${whyNoRoom(input, found.blocked)}.`);
  }
  return sentences;
}

function describeScaleOut(input: ExplainInput, found: Counterfactuals): string {
  const { scaleOut, resolutionRps, ifRateStays } = found;
  switch (scaleOut.when) {
    case 'at-any-rate':
      return `Would scale out to ${counted(scaleOut.toNodes, 'node')} or more, whatever the rate: ${whyOut(input, scaleOut)}.`;
    case 'never':
      return `Would not scale out now, whatever the rate: ${whyNot(input, scaleOut)}.`;
    case 'from-rate':
  }
  const when =
    scaleOut.afterMs === 0
      ? `at ${exactRate(found, scaleOut.rps)}`
      : `within ${inTime(scaleOut.afterMs)} if the rate were ${exactRate(found, scaleOut.rps)} from now on`;
  const would = `Would scale out to ${counted(scaleOut.toNodes, 'node')} ${when}`;
  if (ifRateStays === undefined) {
    return `${would}; the rate is not known.`;
  }
  if (input.tick.decision.direction !== 'out') {
    return `${would}; ${nowAt(input)} ${rateBeside(found, scaleOut.rps)}.`;
  }
  const most = scaleOut.rps - resolutionRps;
  return `Would not have scaled out at ${exactRate(found, most)} or less; ${nowAt(input)} ${rateBeside(found, most)}.`;
}

function nowAt({ observation }: ExplainInput): string {
  return observation.signals.requestRate.status === 'ok' ? 'the rate is' : 'the last known rate is';
}

/** The next changes at the rate as it is. */
function describeStays(input: ExplainInput, found: Counterfactuals): readonly string[] {
  const { ifRateStays } = found;
  if (ifRateStays === undefined) {
    return [];
  }
  const { rps, scaleOut, scaleIn } = ifRateStays;
  const threshold = found.scaleIn.when === 'up-to-rate' ? found.scaleIn.rps : rps;
  const stays = `the rate stays at ${rateBeside(found, threshold)}`;
  const sentences: string[] = [];
  if (scaleOut !== undefined) {
    const further = input.tick.decision.direction === 'out' ? ' further,' : '';
    sentences.push(
      `Would scale out${further} to ${counted(scaleOut.toNodes, 'node')} ${momentOf(input, scaleOut)}${provided(found, stays)}.`,
    );
  }
  if (scaleIn !== undefined) {
    sentences.push(
      `Would scale in${furtherIn(input)} to ${counted(scaleIn.toNodes, 'node')} ${momentOf(input, scaleIn)}${provided(found, stays)}.`,
    );
  }
  return sentences;
}

function describeScaleIn(input: ExplainInput, found: Counterfactuals): string {
  const { scaleIn, ifRateStays, horizonMs } = found;
  const { direction } = input.tick.decision;
  if (scaleIn.when === 'never') {
    const further = direction === 'in' ? ' further' : '';
    return `Would not scale in${further} within ${inTime(horizonMs)}, whatever the rate: ${whyNot(input, scaleIn)}.`;
  }
  const nodes = counted(scaleIn.toNodes, 'node');
  const would = `Would scale in${furtherIn(input)} to ${nodes} ${momentOf(input, scaleIn)}`;
  if (scaleIn.when === 'at-any-rate') {
    return `${would}, whatever the rate${provided(found)}.`;
  }
  const rate = `the rate were ${exactRate(found, scaleIn.rps)} from now on`;
  const work = ifRateStays === undefined ? undefined : 'the requests in work followed it';
  return `${would}${provided(found, rate, work)}; at more it would not.`;
}

function furtherIn({ tick }: ExplainInput): string {
  return tick.decision.direction === 'in' ? ' further,' : '';
}

/** What is said of a tier bears on its count; what is said of nodes and hosts does not. */
const COUNTING_WORDS: ReadonlySet<Override['kind']> = new Set(['pause', 'hold', 'min']);

/** `at 14:30:00`, and which override has ended right before that. */
function momentOf(input: ExplainInput, { atMs }: Change): string {
  const ended = input.observation.overrides.find(
    ({ kind, untilMs }) => COUNTING_WORDS.has(kind) && untilMs <= atMs && untilMs > atMs - TICK_MS,
  );
  const after = ended === undefined ? '' : ` (when override ${ended.id} has ended)`;
  return `at ${input.formatTime(atMs)}${after}`;
}

/** The conditions of a sentence, and those that the coming ticks were taken to fulfill. */
function provided({ assumes }: Counterfactuals, rate?: string, work?: string): string {
  const taken: Readonly<Record<Assumption, string | undefined>> = {
    'signals-known': 'every signal is known from now on',
    'queue-empty': 'nothing waits any more',
    'work-follows-rate': work,
    'work-unknown': undefined,
  };
  const conditions = [rate, ...assumes.map((assumption) => taken[assumption])].filter(
    (condition) => condition !== undefined,
  );
  const comma = rate === undefined ? ',' : '';
  const aside = assumes.includes('work-unknown')
    ? ', leaving aside how many requests are in work then'
    : '';
  return conditions.length === 0 ? aside : `${comma} if ${conditions.join(', and ')}${aside}`;
}

function decimalsOf({ resolutionRps }: Counterfactuals): number {
  return Math.max(0, Math.round(-Math.log10(resolutionRps)));
}

/** A rate that was found, with all its decimals. */
function exactRate(found: Counterfactuals, rps: number): string {
  return `${withDecimals(rps, decimalsOf(found))} rps`;
}

/** The rate as it is, told apart from one that was found. */
function rateBeside(found: Counterfactuals, rps: number): string {
  return `${inDigitsBeside(found.ifRateStays?.rps ?? rps, rps, decimalsOf(found))} rps`;
}

/** Why the count rises though nothing arrives. */
function whyOut(input: ExplainInput, obstacle: Obstacle): string {
  const { advice, currentNodes } = input.tick.decision;
  const queue = advice.find(({ signal }) => signal === 'queue');
  switch (obstacle.why) {
    case 'minimum':
    case 'schedule':
    case 'override-minimum':
    case 'held':
      return whyNot(input, obstacle);
    default:
      return (queue?.needNodes ?? 0) > currentNodes
        ? 'the queue alone asks for that'
        : 'it does not depend on the rate';
  }
}

/** What keeps the count where it is. */
function whyNot(input: ExplainInput, { why, override }: Obstacle): string {
  const { policy } = input.tier;
  if (policy.requestRate === undefined) {
    return 'the rate is no signal of this tier';
  }
  const who = override === undefined ? 'an override' : nameOverride(input, override);
  switch (why) {
    case 'minimum':
      return `the minimum is ${counted(policy.minNodes, 'node')}`;
    case 'maximum':
      return `the maximum is ${counted(boundsOf(input).maxNodes, 'node')}`;
    case 'schedule':
      return describeScheduled(input);
    case 'scaling-policy':
      return 'the scaling policies allow no more change';
    case 'override-minimum':
      return `${who} asks for more`;
    case 'held':
      return `${who} holds the count`;
    case 'paused':
      return `${who} pauses that`;
    case 'flap-guard':
      return 'the requests in work need the nodes';
    case 'stabilizing':
      return 'the window is not over by then';
    case 'signals-unknown':
      return 'not every signal is known';
    case 'recommended':
    case 'converged':
    case 'within-tolerance':
      return 'the need does not depend on it';
  }
}
