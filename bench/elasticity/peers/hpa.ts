/**
 * Kubernetes' HorizontalPodAutoscaler with its defaults: a look every 15 s, tolerance 0.1, scale-out by at most
 * max(+100 %, +4) per 15 s, scale-in to the highest recommendation of 5 min.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ and
 *   pkg/controller/podautoscaler/{horizontal,replica_calculator}.go of kubernetes/kubernetes
 */

import { RecentHighest } from '../recent.ts';
import type { Scaler } from '../scaler.ts';

const PERIOD_SECONDS = 15;
const STABILIZATION_SECONDS = 300;
const TOLERANCE = 0.1;

/** An external metric with an AverageValue, as KEDA makes one of it. */
export function createHpaOnRate(
  targetRps: number,
  { windowSeconds }: { readonly windowSeconds: number },
): Scaler {
  return behaveLikeHpa((sight) =>
    replicasForRate(sight.meanRps(windowSeconds, 5), targetRps, sight.ordered),
  );
}

/** CPU utilization, a mean of 60 s that is 30 s old; a node at its saturation uses 100 %. */
export function createHpaOnCpu(targetUse: number): Scaler {
  return behaveLikeHpa((sight) => {
    const { ready, ordered } = sight;
    return replicasForUse(sight.meanUse(60, 30) / targetUse, ready, ordered);
  });
}

/** `GetExternalPerPodMetricReplicas`: kept within the tolerance, else rounded up. */
export function replicasForRate(rps: number, targetRps: number, replicas: number): number {
  const isTolerated = Math.abs(rps - targetRps * replicas) <= TOLERANCE * targetRps * replicas;
  return isTolerated ? replicas : Math.ceil(rps / targetRps);
}

/**
 * `GetResourceReplicas`: pods that are not ready yet are left out, but count as unused where the others ask for
 * more; what would turn the direction around changes nothing.
 *
 * @param ratio - Use of the pods that are ready, as a multiple of the target.
 */
export function replicasForUse(ratio: number, ready: number, replicas: number): number {
  if (ready === replicas || ratio <= 1) {
    return Math.abs(1 - ratio) <= TOLERANCE ? replicas : Math.ceil(ratio * ready);
  }
  const withUnready = (ratio * ready) / replicas;
  if (Math.abs(1 - withUnready) <= TOLERANCE || withUnready < 1) {
    return replicas;
  }
  return Math.ceil(withUnready * replicas);
}

/** The default `behavior` of both directions. */
function behaveLikeHpa(recommend: Scaler): Scaler {
  const recent = new RecentHighest(STABILIZATION_SECONDS);
  return (sight) => {
    const { second, ordered } = sight;
    if (second % PERIOD_SECONDS !== 0) {
      return ordered;
    }
    const wanted = recommend(sight);
    const highest = recent.push(second, wanted);
    return wanted > ordered ? Math.min(wanted, scaleUpLimit(ordered)) : Math.min(ordered, highest);
  };
}

/** 100 % or 4 pods per 15 s, whichever is more. */
export function scaleUpLimit(replicas: number): number {
  return Math.max(2 * replicas, replicas + 4);
}
