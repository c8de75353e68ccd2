/**
 * Knative's pod autoscaler on requests per second: a look every 2 s at a stable window of 60 s and a panic
 * window of 6 s. It begins in panic, so that a restart scales nothing in.
 *
 * @see pkg/autoscaler/scaling/autoscaler.go of knative/serving
 */

import type { Scaler } from '../scaler.ts';

const PERIOD_SECONDS = 2;
const STABLE_SECONDS = 60;
const PANIC_SECONDS = 6;
const PANIC_THRESHOLD = 2;

export interface KnativeRates {
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
}

/** The defaults of `config-autoscaler`. */
const DEFAULT_RATES: KnativeRates = { maxScaleUpRate: 1_000, maxScaleDownRate: 2 };

export function createKnative(targetRps: number): Scaler {
  let autoscaler: KnativeAutoscaler | undefined;
  return (sight) => {
    if (sight.second % PERIOD_SECONDS !== 0) {
      return sight.ordered;
    }
    autoscaler ??= new KnativeAutoscaler(targetRps, sight.ready > 1 ? sight.ready : undefined);
    return autoscaler.scale(sight.second, {
      stable: sight.meanRps(STABLE_SECONDS, 0),
      panic: sight.meanRps(PANIC_SECONDS, 0),
      ready: sight.ready,
    });
  };
}

export class KnativeAutoscaler {
  readonly #target: number;
  readonly #rates: KnativeRates;
  /** Since when there is panic, or since it was last justified. */
  #panicSecond: number | undefined;
  #maxPanicPods = 0;

  /** @param panicPods - Pods to begin with in panic; left out, it begins calm. */
  constructor(target: number, panicPods?: number, rates: KnativeRates = DEFAULT_RATES) {
    this.#target = target;
    this.#rates = rates;
    this.#panicSecond = panicPods === undefined ? undefined : 0;
    this.#maxPanicPods = panicPods ?? 0;
  }

  /** `Scale` of the original: the pods that there should be. */
  scale(
    second: number,
    observed: { readonly stable: number; readonly panic: number; readonly ready: number },
  ): number {
    const ready = Math.max(1, observed.ready);
    const highest = Math.ceil(this.#rates.maxScaleUpRate * ready);
    const lowest = Math.floor(ready / this.#rates.maxScaleDownRate);
    const bound = (pods: number): number => Math.min(Math.max(pods, lowest), highest);
    const panicPods = Math.ceil(observed.panic / this.#target);
    const stable = bound(Math.ceil(observed.stable / this.#target));

    if (panicPods / ready >= PANIC_THRESHOLD) {
      this.#panicSecond = second;
    } else if (this.#panicSecond !== undefined && this.#panicSecond + STABLE_SECONDS < second) {
      this.#panicSecond = undefined;
      this.#maxPanicPods = 0;
    }
    if (this.#panicSecond === undefined) {
      return stable;
    }
    // In panic nothing is scaled in.
    this.#maxPanicPods = Math.max(this.#maxPanicPods, stable, bound(panicPods));
    return this.#maxPanicPods;
  }
}
