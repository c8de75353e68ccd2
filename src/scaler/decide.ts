/**
 * How many nodes a tier should have: the stages in order, each adding its reason.
 *
 * When rules disagree: unknown (nothing shrinks) → pause → hold → frozen by a schedule → minimums of
 * schedules and overrides → min and max → recommendation. The trace says which one won.
 */

import { type ScaledTier, tierKey } from './cluster.ts';
import { ENGINE } from './constants.ts';
import { foresee, type Foresight, type Outlook } from './foresee.ts';
import {
  type DesiredChange,
  exceedsTolerance,
  flapGuard,
  rememberChange,
  scaleInFloor,
  scaleOutCeiling,
  undercutsTolerance,
  wholeNodes,
} from './limit.ts';
import type { Node } from './node-phase.ts';
import type { WorkReading } from './node-rate.ts';
import { haveAllAnswered, type Observation, type Signals } from './observation.ts';
import type { Override } from './override.ts';
import type { TierPolicy } from './policy.ts';
import { type Bounds, boundsAt, mostNodes, type ScheduleWord } from './schedule.ts';
import { isRate, type Recommendation, recommend, type SignalAdvice } from './recommend.ts';
import { knowingWindowOf, type Peak, pushPeak, windowOf } from './stabilize.ts';
import { needBeside, runningWindow, soonAmong, soonNeed, standbyBeside } from './standby.ts';
import { timeToServeMs, wakeTimeMs } from './start-times.ts';

/** What one tick hands to the next. Small, JSON-serializable, and rebuilt from nothing without danger. */
export interface TierMemory {
  /**
   * Undefined until a signal has been heard: until then the world says what is there, tick after tick, since
   * hosts and balancers may not all have answered yet.
   */
  readonly desiredNodes: number | undefined;
  /** Since when every signal has been known without a gap; scale-in waits for a full window of that. */
  readonly knownSinceMs: number | undefined;
  readonly peaks: readonly Peak[];
  readonly changes: readonly DesiredChange[];
  /** What will be needed when a node that is ordered now serves; kept where standby nodes follow from it. */
  readonly aheadPeaks?: readonly Peak[];
  /** So many nodes the rate asked for before a boot would serve; kept where standby nodes follow from it. */
  readonly soonNodes?: number;
  /** The request rate when it was last read with several balancers, and those settled; left out before that. */
  readonly settledRps?: number;
  /** What the request rate did so far; left out until it has been read wholly and freshly. */
  readonly foresight?: Foresight;
}

/** A fresh start: holds scale-in for one window, and foresees nothing yet. */
export const EMPTY_MEMORY: TierMemory = {
  desiredNodes: undefined,
  knownSinceMs: undefined,
  peaks: [],
  changes: [],
};

/** Why the count is what it is; at once the log field and the metric label. */
export type DecisionReason =
  | 'recommended'
  | 'converged'
  | 'signals-unknown'
  | 'within-tolerance'
  | 'stabilizing'
  | 'scaling-policy'
  | 'flap-guard'
  | 'minimum'
  | 'maximum'
  | 'schedule'
  | 'override-minimum'
  | 'held'
  | 'paused';

/** What one stage made of the count. Stages that changed nothing and stopped nothing are left out. */
export interface StageTrace {
  readonly reason: DecisionReason;
  readonly fromNodes: number;
  readonly toNodes: number;
  /** The operator's word that it obeyed. */
  readonly override?: string;
  /** What of a schedule it obeyed. */
  readonly schedule?: ScheduleWord;
}

export interface Decision {
  /** `cluster/tier`. */
  readonly tier: string;
  readonly atMs: number;
  readonly currentNodes: number;
  readonly desiredNodes: number;
  /** So many of those are needed before a boot would serve: for them, nodes that stand by are woken. */
  readonly soonNodes: number;
  /** To be kept ready beside those, as far as the maximum leaves room. */
  readonly standbyNodes: number;
  readonly direction: 'out' | 'in' | 'none';
  /** Of the stage that had the last word. */
  readonly reason: DecisionReason;
  /** Every signal is known now: the plan may let nodes go. */
  readonly signalsKnown: boolean;
  readonly advice: readonly SignalAdvice[];
  /** Fractional; the latest, and the highest of the stabilization window. */
  readonly needNodes: number | undefined;
  readonly peakNodes: number | undefined;
  readonly windowMs: number;
  readonly stages: readonly StageTrace[];
  /** What is foreseen of the rate; left out while it is not known wholly and freshly. */
  readonly outlook?: Outlook;
}

/**
 * Decides one tier for one tick.
 *
 * @param nodes - The tier's nodes as derived from the same observation.
 * @returns The decision with its whole trace, and the memory for the next tick. Same input, same result.
 */
export function decide(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
  memory: TierMemory,
): { readonly decision: Decision; readonly memory: TierMemory } {
  const { policy } = tier;
  const { atMs } = observation;
  const servingNodes = countServing(nodes);
  const presentNodes = countPresent(nodes, observation);
  const currentNodes = memory.desiredNodes ?? presentNodes;
  const { stabilizationWindowMs } = policy.scaleIn;
  const calmMs = windowOf(stabilizationWindowMs, undefined, observation.bootTimeMs);
  const settled = areBalancersSettled(observation, calmMs);
  const seen = settled
    ? lookAhead(tier, observation, memory.foresight, { servingNodes, currentNodes })
    : undefined;
  const outlook = seen?.outlook;
  const aheadMs = windowOf(stabilizationWindowMs, outlook, observation.bootTimeMs);
  const standbyNodes = policy.standby.nodes;
  const ownNodes = presentNodes + countStandby(nodes);
  const spareBeside = (orderedNodes: number): number => Math.max(0, ownNodes - orderedNodes);
  const windowMs = runningWindow(standbyNodes, aheadMs);
  const recommendation = recommend(tier, observation.signals, {
    currentNodes,
    servingNodes,
    foreseenNodes: outlook && needBeside(standbyNodes, spareBeside(currentNodes), outlook),
    nodeRps: outlook?.nodeRps,
    floorRps: settled ? undefined : memory.settledRps,
  });
  const peaks =
    recommendation.needNodes === undefined
      ? memory.peaks
      : pushPeak(memory.peaks, { atMs, needNodes: recommendation.needNodes }, windowMs);
  const knownSinceMs = recommendation.signalsKnown ? (memory.knownSinceMs ?? atMs) : undefined;
  const knownForMs = knownSinceMs === undefined ? -1 : atMs - knownSinceMs;
  const windowFull =
    knownForMs >= knowingWindowOf(stabilizationWindowMs, windowMs, observation.bootTimeMs);

  const stages = new Stages(currentNodes);
  followRecommendation(
    stages,
    { tier, observation, recommendation, peaks, windowFull, servingNodes },
    memory,
  );
  const bounds = boundsAt(policy, observation);
  obeyBounds(stages, policy, bounds, observation.overrides);
  limitChange(stages, { policy, bounds, memory, observation });
  if (bounds.frozenBy !== undefined) {
    stages.raiseTo(currentNodes, 'schedule', { schedule: 'freeze' });
  }
  obeyOperator(stages, bounds, observation.overrides);
  if (!recommendation.signalsKnown) {
    stages.raiseTo(currentNodes, 'signals-unknown');
  }

  const desiredNodes = stages.nodes;
  const soonByRate = soonNeed(standbyNodes, recommendation, outlook, memory.soonNodes);
  const { aheadPeaks = [] } = memory;
  const ahead =
    outlook === undefined || standbyNodes !== 'auto'
      ? aheadPeaks
      : pushPeak(aheadPeaks, { atMs, needNodes: outlook.readyNodes }, aheadMs);
  const changes = rememberChange(
    memory.changes,
    { atMs, nodes: desiredNodes - currentNodes },
    policy,
  );
  return {
    decision: {
      tier: tierKey(tier),
      atMs,
      currentNodes,
      desiredNodes,
      soonNodes:
        soonByRate === undefined
          ? desiredNodes
          : soonAmong(desiredNodes, {
              needNodes: soonByRate,
              minNodes: bounds.minNodes,
              policy,
              observation,
            }),
      standbyNodes: standbyBeside(standbyNodes, desiredNodes, {
        spareNodes: spareBeside(desiredNodes),
        aheadPeaks: ahead,
        mayLetGo: windowFull && bounds.frozenBy === undefined,
        overrides: observation.overrides,
      }),
      direction: directionOf(desiredNodes - currentNodes),
      reason: stages.reason,
      signalsKnown: recommendation.signalsKnown,
      advice: recommendation.advice,
      needNodes: recommendation.needNodes,
      peakNodes: recommendation.needNodes === undefined ? undefined : peaks[0]?.needNodes,
      windowMs,
      stages: stages.trace,
      ...(outlook === undefined ? {} : { outlook }),
    },
    memory: {
      // Nothing heard yet: what is there will be counted again, rather than this guess be held against it.
      desiredNodes:
        recommendation.needNodes === undefined && memory.desiredNodes === undefined
          ? undefined
          : desiredNodes,
      knownSinceMs,
      peaks,
      changes,
      ...settledRateOf(observation, memory, settled),
      ...(ahead.length === 0 ? {} : { aheadPeaks: ahead }),
      ...(soonByRate === undefined ? {} : { soonNodes: soonByRate }),
      ...foresightOf(seen?.foresight ?? memory.foresight),
    },
  };
}

/**
 * The same balancers have answered for a window. Until then the visitors of one that is gone may be on their way
 * to another: what they were together before counts, unless there are more by now, and nothing is foreseen.
 */
function areBalancersSettled(
  { atMs, balancersChangedAtMs }: Observation,
  windowMs: number,
): boolean {
  return balancersChangedAtMs === undefined || atMs - balancersChangedAtMs >= windowMs;
}

/** Takes the rate in, and looks as far ahead as a boot takes; only where the rate is known wholly and freshly. */
function lookAhead(
  tier: ScaledTier,
  observation: Observation,
  before: Foresight | undefined,
  { servingNodes, currentNodes }: { readonly servingNodes: number; readonly currentNodes: number },
): { readonly foresight: Foresight; readonly outlook: Outlook } | undefined {
  const { requestRate: policy, standby, looksAhead } = tier.policy;
  const { requestRate } = observation.signals;
  if (
    !looksAhead ||
    policy === undefined ||
    requestRate.status !== 'ok' ||
    !isRate(requestRate.value)
  ) {
    return undefined;
  }
  const { atMs } = observation;
  // A counter that jumped reads as any number: what exceeds all that may ever serve says nothing more by how much.
  const mostRps = ENGINE.mostLoad * mostNodes(tier.policy) * policy.targetPerNodeRps;
  const { foresight, outlook } = foresee(
    before,
    { atMs, rps: Math.min(requestRate.value, mostRps) },
    {
      targetPerNodeRps: policy.targetPerNodeRps,
      timeToServeMs: timeToServeMs(observation),
      timeToWakeMs: standby.nodes === 0 ? 0 : wakeTimeMs(tier, observation),
      servingNodes,
      orderedNodes: currentNodes,
      ...workOf(observation.signals),
    },
  );
  const isNews = before === undefined || atMs - before.atMs >= ENGINE.newsAfterSeconds * 1_000;
  return { foresight: isNews ? foresight : before, outlook };
}

/** Requests at work, where it is known wholly and freshly how many those are, and how fast they end. */
function workOf({ queue, slots }: Signals): { readonly work?: WorkReading } {
  if (queue.status !== 'ok' || slots.status !== 'ok') {
    return {};
  }
  const { used: usedSlots, total: totalSlots } = slots.value;
  return { work: { servedRps: queue.value.servedRps, usedSlots, totalSlots } };
}

function foresightOf(foresight: Foresight | undefined): Pick<TierMemory, 'foresight'> {
  return foresight === undefined ? {} : { foresight };
}

function settledRateOf(
  { balancers = [], signals: { requestRate } }: Observation,
  { settledRps }: TierMemory,
  settled: boolean,
): Pick<TierMemory, 'settledRps'> {
  const isRead = requestRate.status === 'ok' || requestRate.status === 'partial';
  const isNews = settled && balancers.length > 1 && isRead && isRate(requestRate.value);
  const rps = isNews ? requestRate.value : settledRps;
  return rps === undefined ? {} : { settledRps: rps };
}

/** Nodes that serve or are held to serve; what a queue's own rate was measured on. */
function countServing(nodes: readonly Node[]): number {
  let count = 0;
  for (const node of nodes) {
    count += node.serving ? 1 : 0;
  }
  return count;
}

/** Nodes that stand by, or come to. */
function countStandby(nodes: readonly Node[]): number {
  let count = 0;
  for (const node of nodes) {
    count += node.phase === 'standby' && !node.wakeRefused ? 1 : 0;
  }
  return count;
}

/**
 * All that serves, is on its way, or was being drained: on a fresh start a drain is taken back rather than guessed.
 * A server that a balancer takes for up counts as long as a host that has not answered yet may have its node; once
 * all have, there is none: the balancer came back with old states, and its checks say so a little later.
 */
function countPresent(nodes: readonly Node[], { hosts }: Observation): number {
  const hostsComplete = haveAllAnswered(hosts);
  let count = 0;
  for (const { phase, serving, host } of nodes) {
    const coming = phase === 'booting' || phase === 'warming' || phase === 'out-of-rotation';
    const hidden = phase === 'unknown' && serving && !(hostsComplete && host === undefined);
    count += coming || phase === 'in-service' || hidden ? 1 : 0;
  }
  return count;
}

function directionOf(change: number): Decision['direction'] {
  return change === 0 ? 'none' : change > 0 ? 'out' : 'in';
}

interface Inputs {
  readonly tier: ScaledTier;
  readonly observation: Observation;
  readonly recommendation: Recommendation;
  readonly peaks: readonly Peak[];
  readonly windowFull: boolean;
  readonly servingNodes: number;
}

/** Recommendation, tolerance, stabilization, flap guard. */
function followRecommendation(stages: Stages, inputs: Inputs, memory: TierMemory): void {
  const { tier, recommendation, peaks, windowFull } = inputs;
  const { needNodes } = recommendation;
  const { policy } = tier;
  const current = stages.nodes;
  if (needNodes === undefined) {
    stages.note('signals-unknown');
    return;
  }
  const latest = wholeNodes(needNodes);
  if (latest > current) {
    // A fleet of none has nothing to tolerate a share of; and after a fresh start, so has nobody yet.
    const tolerated = !exceedsTolerance(needNodes, current, policy.scaleOut.tolerance);
    if (tolerated && memory.desiredNodes !== undefined) {
      stages.note('within-tolerance');
    } else {
      stages.raiseTo(latest, 'recommended');
    }
    return;
  }

  const { tolerance } = policy.scaleIn;
  if (latest === current || !undercutsTolerance(needNodes, current, tolerance)) {
    stages.note(latest === current ? 'converged' : 'within-tolerance');
    return;
  }
  const peakNodes = peaks[0]?.needNodes ?? needNodes;
  const wanted = wholeNodes(peakNodes);
  if (!windowFull || wanted >= current || !undercutsTolerance(peakNodes, current, tolerance)) {
    stages.note(recommendation.signalsKnown ? 'stabilizing' : 'signals-unknown');
    return;
  }
  stages.lowerTo(wanted, 'recommended');
  const slots = inputs.observation.signals.slots;
  if (slots.status === 'ok') {
    stages.raiseTo(flapGuard(wanted, current, slots.value, inputs.servingNodes), 'flap-guard');
  }
}

/** Minimum, maximum, and minimums that a schedule or an operator asks for; an operator's stay within the maximum. */
function obeyBounds(
  stages: Stages,
  policy: TierPolicy,
  { minNodes, maxNodes, maxBy }: Bounds,
  overrides: readonly Override[],
): void {
  stages.raiseTo(policy.minNodes, 'minimum');
  stages.raiseTo(minNodes, 'schedule', { schedule: 'minimum' });
  for (const override of overrides) {
    if (override.kind === 'min') {
      stages.raiseTo(override.nodes, 'override-minimum', { override: override.id });
    }
  }
  if (maxBy === undefined) {
    stages.lowerTo(maxNodes, 'maximum');
  } else {
    stages.lowerTo(maxNodes, 'schedule', { schedule: 'maximum' });
  }
}

/** Scaling policies bound the speed of both directions; a minimum is reached at once. */
function limitChange(
  stages: Stages,
  {
    policy: { scaleOut, scaleIn },
    bounds: { minNodes },
    memory,
    observation: { atMs, overrides },
  }: {
    readonly policy: TierPolicy;
    readonly bounds: Bounds;
    readonly memory: TierMemory;
    readonly observation: Observation;
  },
): void {
  const current = stages.startNodes;
  if (stages.nodes > current && memory.desiredNodes !== undefined) {
    const minimums = overrides.filter((one) => one.kind === 'min').map((one) => one.nodes);
    const ceiling = scaleOutCeiling(current, memory.changes, scaleOut.policies, atMs);
    stages.lowerTo(Math.max(ceiling, minNodes, ...minimums), 'scaling-policy');
  } else if (stages.nodes < current) {
    stages.raiseTo(scaleInFloor(current, memory.changes, scaleIn.policies, atMs), 'scaling-policy');
  }
}

/** Hold, then pause, which wins: an operator's word is the last but for the unknown and the maximum. */
function obeyOperator(stages: Stages, bounds: Bounds, overrides: readonly Override[]): void {
  for (const override of overrides) {
    if (override.kind === 'hold') {
      // Never the last one: who wants the site off takes it off at HAProxy.
      const atLeast = Math.min(1, bounds.minNodes);
      const held = Math.min(Math.max(override.nodes, atLeast), bounds.maxNodes);
      stages.raiseTo(held, 'held', { override: override.id });
      stages.lowerTo(held, 'held', { override: override.id });
    }
  }
  for (const override of overrides) {
    if (override.kind !== 'pause') {
      continue;
    }
    if (override.direction !== 'in') {
      stages.lowerTo(stages.startNodes, 'paused', { override: override.id });
    }
    if (override.direction !== 'out') {
      stages.raiseTo(stages.startNodes, 'paused', { override: override.id });
    }
  }
}

type Obeyed = Pick<StageTrace, 'override' | 'schedule'>;

/** The count on its way through the stages. */
class Stages {
  readonly startNodes: number;
  readonly trace: StageTrace[] = [];
  nodes: number;
  reason: DecisionReason = 'converged';

  constructor(currentNodes: number) {
    this.startNodes = currentNodes;
    this.nodes = currentNodes;
  }

  /** A stage that stopped a change from happening. */
  note(reason: DecisionReason): void {
    this.reason = reason;
    this.trace.push({ reason, fromNodes: this.nodes, toNodes: this.nodes });
  }

  raiseTo(nodes: number, reason: DecisionReason, obeyed?: Obeyed): void {
    if (nodes > this.nodes) {
      this.#move(nodes, reason, obeyed);
    }
  }

  lowerTo(nodes: number, reason: DecisionReason, obeyed?: Obeyed): void {
    if (nodes < this.nodes) {
      this.#move(nodes, reason, obeyed);
    }
  }

  #move(nodes: number, reason: DecisionReason, obeyed?: Obeyed): void {
    this.trace.push({ reason, fromNodes: this.nodes, toNodes: nodes, ...obeyed });
    this.nodes = nodes;
    this.reason = reason;
  }
}
