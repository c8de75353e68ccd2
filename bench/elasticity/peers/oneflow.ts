import type { Scaler } from '../scaler.ts';

/** `autoscaler_interval` of OneFlow's server. */
const PERIOD_SECONDS = 90;
const COOLDOWN_SECONDS = 300;
const PERIOD_NUMBER = 3;
/** No document names marks; scale-in at 60 % of the mark for scale-out leaves room for one step. */
const LOW_MARK = 0.6;

/**
 * OpenNebula's OneFlow: two elasticity policies, `CHANGE` by +2 and by −1, each triggered when its expression
 * was true three times in a row; nothing else while the service scales or cools down.
 *
 * @see `scale_attributes?` in src/flow/lib/models/role.rb of OpenNebula/one
 */
export function createOneFlow(targetRps: number): Scaler {
  let coolUntil = 0;
  let high = 0;
  let low = 0;
  return (sight) => {
    const { second, ready, ordered } = sight;
    if (second % PERIOD_SECONDS !== 0 || second < coolUntil || ready < ordered) {
      return ordered;
    }
    const rpsPerNode = sight.meanRpsPerNode(60, 30);
    high = rpsPerNode > targetRps ? high + 1 : 0;
    low = rpsPerNode < LOW_MARK * targetRps ? low + 1 : 0;
    if (high < PERIOD_NUMBER && low < PERIOD_NUMBER) {
      return ordered;
    }
    coolUntil = second + COOLDOWN_SECONDS;
    return high >= PERIOD_NUMBER ? ordered + 2 : ordered - 1;
  };
}
