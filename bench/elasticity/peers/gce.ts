import { RecentHighest } from '../recent.ts';
import type { Scaler } from '../scaler.ts';

const PERIOD_SECONDS = 10;
const STABILIZATION_SECONDS = 600;

/**
 * Google's managed instance groups: the size for the highest load of the last 10 min. How fresh their signal is
 * has not been published; it is taken for as fresh as the HPA's.
 *
 * @see https://cloud.google.com/compute/docs/autoscaler/understanding-autoscaler-decisions
 */
export function createManagedGroup(targetRps: number): Scaler {
  const recent = new RecentHighest(STABILIZATION_SECONDS);
  return (sight) => {
    if (sight.second % PERIOD_SECONDS !== 0) {
      return sight.ordered;
    }
    return recent.push(sight.second, Math.ceil(sight.meanRps(15, 5) / targetRps));
  };
}
