/** Amazon EC2 Auto Scaling: policies that CloudWatch alarms start. */

import type { Scaler, Sight } from '../scaler.ts';

export interface TargetTrackingOptions {
  /** The length of one data point, and how long after its end it can be seen. */
  readonly periodSeconds: number;
  readonly delaySeconds: number;
  /** Scale-in begins when the metric stays below this share of the target. */
  readonly lowMark: number;
}

const HIGH_POINTS = 3;
const LOW_SECONDS = 15 * 60;

/**
 * Target tracking on requests per target: out when 3 of 3 data points exceed the target, in when all of 15 min
 * are below the low mark. Instances that warm up are no part of the metric, but of what is ordered, and
 * while there are any nothing is scaled in.
 *
 * @see https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
 */
export function createTargetTracking(targetRps: number, options: TargetTrackingOptions): Scaler {
  const { periodSeconds, delaySeconds, lowMark } = options;
  let above = 0;
  let below = 0;
  return (sight) => {
    const { second, ordered } = sight;
    if (second % periodSeconds !== 0) {
      return ordered;
    }
    const rpsPerNode = sight.meanRpsPerNode(periodSeconds, delaySeconds);
    above = rpsPerNode > targetRps ? above + 1 : 0;
    below = rpsPerNode < lowMark * targetRps ? below + 1 : 0;
    const warm = warmCapacity(sight, periodSeconds, delaySeconds);
    const wanted = trackTarget(rpsPerNode, targetRps, warm);
    if (above >= HIGH_POINTS) {
      return Math.max(ordered, wanted);
    }
    const mayScaleIn = below * periodSeconds >= LOW_SECONDS && warm >= ordered;
    return mayScaleIn ? Math.min(ordered, wanted) : ordered;
  };
}

/**
 * Instances whose warm-up is over: those that the data point at hand was measured on. Its purpose is just that
 * a metric is never multiplied by instances that it does not know yet.
 *
 * @see https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-default-instance-warmup.html
 */
function warmCapacity(sight: Sight, periodSeconds: number, delaySeconds: number): number {
  const rps = sight.meanRps(periodSeconds, delaySeconds);
  return rps === 0 ? sight.ready : rps / sight.meanRpsPerNode(periodSeconds, delaySeconds);
}

/** In proportion to the metric, rounded up. */
export function trackTarget(metric: number, target: number, capacity: number): number {
  return Math.ceil((capacity * metric) / target - 1e-9);
}

/** The marks of a step policy, in percent of the CPU. */
export interface Steps {
  readonly outPercent: number;
  readonly farOutPercent: number;
  readonly inPercent: number;
  readonly farInPercent: number;
}

/** The example of the documentation. */
export const DOCUMENTED_STEPS: Steps = {
  outPercent: 60,
  farOutPercent: 70,
  inPercent: 40,
  farInPercent: 30,
};

/**
 * Step scaling on CPU use of one minute: ±10 % beyond the first mark, ±30 % beyond the second. A breach while
 * instances warm up orders only what they do not cover.
 *
 * @param shiftPercent - Moves all four marks of the documentation's example.
 * @see https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
 */
export function createStepScaling(shiftPercent: number): Scaler {
  const steps: Steps = {
    outPercent: DOCUMENTED_STEPS.outPercent + shiftPercent,
    farOutPercent: DOCUMENTED_STEPS.farOutPercent + shiftPercent,
    inPercent: DOCUMENTED_STEPS.inPercent + shiftPercent,
    farInPercent: DOCUMENTED_STEPS.farInPercent + shiftPercent,
  };
  return (sight) => {
    const { second, ordered } = sight;
    if (second % 60 !== 0) {
      return ordered;
    }
    const warm = Math.round(warmCapacity(sight, 60, 60));
    const change = stepChange(100 * sight.meanUse(60, 60), warm, steps);
    if (change > 0) {
      return Math.max(ordered, warm + change);
    }
    return warm === ordered ? ordered + change : ordered;
  };
}

/** Instances to add: percentages above one are rounded down, and those below count as one. */
export function stepChange(usePercent: number, capacity: number, steps: Steps): number {
  if (usePercent >= steps.outPercent) {
    return roundStep(capacity * (usePercent >= steps.farOutPercent ? 0.3 : 0.1));
  }
  if (usePercent <= steps.inPercent) {
    return -roundStep(capacity * (usePercent <= steps.farInPercent ? 0.3 : 0.1));
  }
  return 0;
}

function roundStep(instances: number): number {
  return instances > 1 ? Math.floor(instances + 1e-9) : 1;
}
