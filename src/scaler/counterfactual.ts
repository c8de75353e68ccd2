/**
 * What would have to be otherwise for the count to change. Every answer is found by deciding again with other
 * input, never by a formula of its own, so that it holds for whatever `decide` does.
 */

import type { ScaledTier } from './cluster.ts';
import { type Decision, type DecisionReason, decide, type TierMemory } from './decide.ts';
import { deriveNodes } from './node-phase.ts';
import type { Shortfall } from './boot-nodes.ts';
import type { Observation, Sample, Signals } from './observation.ts';
import type { TierTick } from './tick.ts';

/** Coming ticks are taken to be so far apart: every moment that is stated is one of theirs. */
export const TICK_MS = 1_000;

/** So far ahead is looked, 600 decisions for one rate: by then a rate that stays has been taken for what it is. */
const HORIZON_MS = 600_000;

/**
 * So far ahead it is looked for a scale-out. What a tick foresees depends on the ticks before it, and hardly ever on
 * itself alone; but a rise that shows only after minutes is none to be told of.
 */
const RISE_HORIZON_MS = 120_000;

/** No rate beyond so many steps is looked at; it is more than any tier's maximum can serve. */
const MOST_STEPS = 2 ** 40;

/** A change of the count. */
export interface Change {
  readonly atMs: number;
  readonly toNodes: number;
}

/** The stage that keeps the count from changing, or changes it whatever the rate. */
export interface Obstacle {
  readonly why: DecisionReason;
  readonly override?: string;
}

/**
 * This very tick, had it seen another rate; and where it did not go out, those that follow, were that rate to stay.
 */
export type ScaleOutAnswer =
  /** At this rate and above, so long after this tick or sooner; at one step less it would not. */
  | {
      readonly when: 'from-rate';
      readonly rps: number;
      readonly toNodes: number;
      readonly afterMs: number;
    }
  | ({ readonly when: 'at-any-rate'; readonly toNodes: number } & Obstacle)
  | ({ readonly when: 'never' } & Obstacle);

/** The coming ticks, at a rate that stays. */
export type ScaleInAnswer =
  /** At this rate the count falls at that moment; at less within the horizon, too; at one step more it does not. */
  | ({ readonly when: 'up-to-rate'; readonly rps: number } & Change)
  | ({ readonly when: 'at-any-rate' } & Change)
  | ({ readonly when: 'never' } & Obstacle);

/** What the coming ticks were taken to see where it is not what this tick saw. */
export type Assumption =
  /** Not every signal is known now. */
  | 'signals-known'
  /** Requests wait now. */
  | 'queue-empty'
  /** Requests in work rise and fall with the rate. */
  | 'work-follows-rate'
  /** It is not known how many requests are in work, so no node is kept for them. */
  | 'work-unknown';

export interface Counterfactuals {
  /** Rates were tried in steps of so much. */
  readonly resolutionRps: number;
  readonly horizonMs: number;
  readonly scaleOut: ScaleOutAnswer;
  readonly scaleIn: ScaleInAnswer;
  /** The next changes at the rate as it is; undefined while it is not known. */
  readonly ifRateStays:
    | {
        readonly rps: number;
        readonly scaleOut: Change | undefined;
        readonly scaleIn: Change | undefined;
      }
    | undefined;
  /** Of all that is said about coming ticks. */
  readonly assumes: readonly Assumption[];
  /** Nodes that this tick would have added, had there been room. */
  readonly blocked: Shortfall | undefined;
}

/** What a tick saw, what it started from, and what became of it: all that is kept of one. */
export interface DecidedTick {
  readonly tier: ScaledTier;
  readonly observation: Observation;
  /** From before the tick. */
  readonly memory: TierMemory;
  readonly tick: TierTick;
}

/**
 * Scaling out is asked of this tick and, where it did not go out, of those that follow, everything but the rate as
 * it was. Scaling in is asked of the ticks that
 * follow, a second apart: nodes as they are, overrides until they end, nothing waiting, and requests in work
 * in proportion to the rate.
 *
 * Rates are found by halving, so it takes a few dozen replays of at most 600 decisions each: less than 0.1 s.
 */
export function findCounterfactuals(decided: DecidedTick): Counterfactuals {
  const rates = rateSteps(decided.tier);
  const rps = soundRate(decided.observation.signals.requestRate);
  return {
    resolutionRps: rates.rpsOf(1),
    horizonMs: HORIZON_MS,
    scaleOut: answerScaleOut(decided, rates),
    scaleIn: answerScaleIn(decided, rates),
    ifRateStays: rps === undefined ? undefined : { rps, ...firstChanges(decided, rps) },
    assumes: assumptionsOf(decided),
    blocked: decided.tick.plan.shortfall,
  };
}

/** Rates as whole numbers of steps, so that none is lost by rounding. */
interface RateSteps {
  readonly rpsOf: (steps: number) => number;
  /** What so many nodes are for: about where a threshold will be. */
  readonly stepsFor: (nodes: number) => number;
}

/** Steps of 1 rps; of a tenth, a hundredth … where a node serves fewer than 20, 2 … of them. */
function rateSteps(tier: ScaledTier): RateSteps {
  const target = tier.policy.requestRate?.targetPerNodeRps ?? 1;
  const decimals = Math.max(0, Math.ceil(-Math.log10(target / 20)));
  const stepsPerRps = 10 ** decimals;
  return {
    rpsOf: (steps) => steps / stepsPerRps,
    stepsFor: (nodes) => Math.max(1, Math.ceil(nodes * target * stepsPerRps)),
  };
}

/** The reading, unless it is none: what is not known now cannot stay as it is. */
function soundRate(sample: Sample<number>): number | undefined {
  return sample.status !== 'absent' && Number.isFinite(sample.value) && sample.value >= 0
    ? sample.value
    : undefined;
}

function answerScaleOut(decided: DecidedTick, rates: RateSteps): ScaleOutAnswer {
  const { currentNodes, direction, atMs } = decided.tick.decision;
  const horizonMs = direction === 'out' ? 0 : RISE_HORIZON_MS;
  /** The first of these ticks that is beyond the count; the last of them, when none is. */
  const at = (steps: number): Decision => {
    let latest = decided.tick.decision;
    for (latest of replayWith(decided, rates.rpsOf(steps), atMs + horizonMs)) {
      if (latest.desiredNodes > currentNodes) {
        break;
      }
    }
    return latest;
  };
  const first = firstStep(
    (steps) => at(steps).desiredNodes > currentNodes,
    rates.stepsFor(currentNodes),
  );
  if (first === undefined) {
    return { when: 'never', ...obstacleOf(at(MOST_STEPS), 'down') };
  }
  const decision = at(first);
  const toNodes = decision.desiredNodes;
  return first === 0
    ? { when: 'at-any-rate', toNodes, ...obstacleOf(decision, 'up') }
    : { when: 'from-rate', rps: rates.rpsOf(first), toNodes, afterMs: decision.atMs - atMs };
}

/** Decides this tick again, and those that follow, everything but the rate as this one saw it. */
function* replayWith(
  { tier, observation, memory: before }: DecidedTick,
  rps: number,
  untilMs: number,
): Generator<Decision, void> {
  const signals = { ...observation.signals, requestRate: { status: 'ok', value: rps } as const };
  const nodes = deriveNodes(tier, observation);
  let memory = before;
  for (let { atMs } = observation; atMs <= untilMs; atMs += TICK_MS) {
    const again = decide(tier, { ...observation, atMs, signals }, nodes, memory);
    memory = again.memory;
    yield again.decision;
  }
}

function answerScaleIn(decided: DecidedTick, rates: RateSteps): ScaleInAnswer {
  const at = (steps: number): Change | undefined =>
    firstChanges(decided, rates.rpsOf(steps)).scaleIn;
  const likely = rates.stepsFor(decided.tick.decision.desiredNodes);
  const tooMuch = firstStep((steps) => at(steps) === undefined, likely);
  const most = tooMuch === undefined ? MOST_STEPS : tooMuch - 1;
  const change = most < 0 ? undefined : at(most);
  if (change === undefined) {
    let last = decided.tick.decision;
    for (const decision of replay(decided, 0)) {
      last = decision;
    }
    return { when: 'never', ...obstacleOf(last, 'up') };
  }
  return tooMuch === undefined
    ? { when: 'at-any-rate', ...change }
    : { when: 'up-to-rate', rps: rates.rpsOf(most), ...change };
}

/** The first ticks at which the count rises above, or falls below, what this tick made of it. */
function firstChanges(
  decided: DecidedTick,
  rps: number,
): { readonly scaleOut: Change | undefined; readonly scaleIn: Change | undefined } {
  const nowNodes = decided.tick.decision.desiredNodes;
  let scaleOut: Change | undefined;
  for (const { atMs, desiredNodes } of replay(decided, rps)) {
    if (desiredNodes < nowNodes) {
      return { scaleOut, scaleIn: { atMs, toNodes: desiredNodes } };
    }
    if (desiredNodes > nowNodes) {
      scaleOut ??= { atMs, toNodes: desiredNodes };
    }
  }
  return { scaleOut, scaleIn: undefined };
}

/** Decides the coming ticks at one rate. */
function* replay(decided: DecidedTick, rps: number): Generator<Decision, void> {
  const { tier, observation } = decided;
  const signals = signalsAt(observation.signals, rps);
  const endMs = observation.atMs + HORIZON_MS;
  let { overrides } = observation;
  let nodes = deriveNodes(tier, observation);
  let { memory } = decided.tick;
  for (let atMs = observation.atMs + TICK_MS; atMs <= endMs; atMs += TICK_MS) {
    if (overrides.some(({ untilMs }) => untilMs <= atMs)) {
      const endsBy = atMs;
      overrides = overrides.filter(({ untilMs }) => untilMs > endsBy);
      nodes = deriveNodes(tier, { ...observation, overrides });
    }
    const ahead = decide(tier, { ...observation, atMs, signals, overrides }, nodes, memory);
    memory = ahead.memory;
    yield ahead.decision;
  }
}

/** Everything known and nothing waiting; requests in work in proportion to the rate, within the slots, and as slow as now. */
function signalsAt({ requestRate, slots }: Signals, rps: number): Signals {
  const nowRps = soundRate(requestRate);
  const share = nowRps === undefined || nowRps === 0 ? 1 : rps / nowRps;
  // A rate that is hardly one makes the share infinite, and 0 × infinity is no number.
  const wanted = slots.status === 'ok' && slots.value.used > 0 ? slots.value.used * share : 0;
  const used =
    slots.status === 'ok' ? Math.min(wanted, Math.max(slots.value.total, slots.value.used)) : 0;
  const servedRps = wanted === used ? rps : (rps * used) / wanted;
  return {
    requestRate: { status: 'ok', value: rps },
    queue: { status: 'ok', value: { requests: 0, servedRps } },
    slots:
      slots.status === 'ok' ? { status: 'ok', value: { used, total: slots.value.total } } : slots,
  };
}

function assumptionsOf({ tier, observation, tick }: DecidedTick): readonly Assumption[] {
  const { requestRate, queue, slots } = observation.signals;
  const assumes: Assumption[] = [];
  if (!tick.decision.signalsKnown) {
    assumes.push('signals-known');
  }
  if (tier.policy.queue !== undefined && queue.status !== 'absent' && queue.value.requests > 0) {
    assumes.push('queue-empty');
  }
  if (slots.status !== 'ok') {
    assumes.push('work-unknown');
  } else if (slots.value.used > 0 && (soundRate(requestRate) ?? 0) > 0) {
    assumes.push('work-follows-rate');
  }
  return assumes;
}

/** The last stage that took the count this way, or kept it; the one with the last word when none did. */
function obstacleOf({ reason, stages }: Decision, way: 'up' | 'down'): Obstacle {
  const stage =
    stages.findLast(({ fromNodes, toNodes }) =>
      way === 'up' ? toNodes > fromNodes : toNodes < fromNodes,
    ) ?? stages.at(-1);
  const why = stage?.reason ?? reason;
  return stage?.override === undefined ? { why } : { why, override: stage.override };
}

/**
 * The smallest number of steps for which it is so, given that it is so for all above it, too.
 *
 * @param likely - Where to look first, from 1.
 * @returns Undefined when it is so for none.
 */
function firstStep(isSo: (steps: number) => boolean, likely: number): number | undefined {
  if (isSo(0)) {
    return 0;
  }
  if (!isSo(MOST_STEPS)) {
    return undefined;
  }
  let below = 0;
  let above = Math.min(likely, MOST_STEPS);
  while (above < MOST_STEPS && !isSo(above)) {
    below = above;
    above = Math.min(2 * above, MOST_STEPS);
  }
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (isSo(middle)) {
      above = middle;
    } else {
      below = middle;
    }
  }
  return above;
}
