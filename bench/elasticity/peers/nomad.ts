import type { Scaler } from '../scaler.ts';

const PERIOD_SECONDS = 10;
const COOLDOWN_SECONDS = 300;
const PRECISION = 0.01;

/**
 * Nomad's autoscaler with the `target-value` strategy: evaluated every 10 s, unless instances are still
 * starting; 5 min of cooldown after every action.
 *
 * @see plugins/builtin/strategy/target-value/plugin/plugin.go of hashicorp/nomad-autoscaler
 */
export function createNomad(targetRps: number): Scaler {
  let coolUntil = 0;
  return (sight) => {
    const { second, ready, ordered } = sight;
    if (second % PERIOD_SECONDS !== 0 || second < coolUntil || ready < ordered) {
      return ordered;
    }
    const count = targetValueCount(sight.meanRps(15, 5) / ordered, targetRps, ordered);
    if (count !== ordered) {
      coolUntil = second + COOLDOWN_SECONDS;
    }
    return count;
  };
}

/** `Run` of the strategy: nothing within 1 % of the target, else in proportion, rounded up. */
export function targetValueCount(metric: number, target: number, count: number): number {
  const factor = metric / target;
  const isClose = factor >= 1 - PRECISION && factor <= 1 + PRECISION;
  return isClose ? count : Math.ceil(count * factor);
}
