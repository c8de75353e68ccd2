/**
 * Scalers of the literature, in steps of one minute, as far as the text of each paper and the comparison of
 * Ali-Eldin et al. determine them.
 *
 * @see https://github.com/ahmedaley/Autoscalers for the code of that comparison
 */

import { autoregressionNext, polynomialAt } from '../regression.ts';
import type { Scaler, Sight } from '../scaler.ts';

const STEP_SECONDS = 60;

/** Decides once a minute on the minute's mean rate, in whole nodes' worth of it. */
function eachMinute(
  targetRps: number,
  decide: (minute: { readonly needNodes: number; readonly load: number }, sight: Sight) => number,
): Scaler {
  return (sight) => {
    if (sight.second % STEP_SECONDS !== 0) {
      return sight.ordered;
    }
    const load = sight.meanRps(STEP_SECONDS, 0) / targetRps;
    return decide({ needNodes: Math.ceil(load), load }, sight);
  };
}

/**
 * React: 20 % more than is missing; 20 % above the need when 10 % too many are there.
 *
 * @see Chieu et al., Dynamic scaling of web applications in a virtualized cloud, ICEBE 2009
 */
export function createReact(targetRps: number): Scaler {
  return eachMinute(targetRps, ({ needNodes, load }, { ordered }) =>
    reactNodes(load, needNodes, ordered),
  );
}

export function reactNodes(load: number, needNodes: number, nodes: number): number {
  if (needNodes > nodes) {
    return nodes + Math.floor((needNodes - nodes) * 1.2);
  }
  return 1.1 * load < nodes ? Math.ceil(needNodes * 1.2) : nodes;
}

/**
 * Adapt: the gap between load and capacity, times how the present capacity compares to the average one; a
 * quarter of that downwards; at a shortage at once 10 % more than is needed.
 *
 * @see Ali-Eldin, Tordsson and Elmroth, An adaptive hybrid elasticity controller, NOMS 2012
 */
export function createAdapt(targetRps: number): Scaler {
  const controller = new AdaptController();
  return eachMinute(targetRps, ({ needNodes }, { ordered }) =>
    controller.decide(needNodes, ordered),
  );
}

export class AdaptController {
  #minutes = 0;
  #nodeMinutes = 0;
  #owed = 0;

  decide(needNodes: number, nodes: number): number {
    this.#minutes += 1;
    this.#nodeMinutes += nodes;
    const gain = nodes / (this.#nodeMinutes / this.#minutes);
    const change = gain * (needNodes - nodes);
    this.#owed += change < 0 ? change / 4 : change;
    const whole = Math.trunc(this.#owed);
    this.#owed -= whole;
    if (whole < 0) {
      return Math.max(nodes + whole, needNodes);
    }
    return needNodes > nodes ? Math.ceil(1.1 * needNodes) + whole : nodes;
  }
}

const HOUR_MINUTES = 60;
const HIST_SAMPLES = 730;

/**
 * Hist: the 90th percentile of what this hour of the day has needed so far, less the mean error of the last
 * 5 min; when most of the last 10 min were short, 5 % more than is needed.
 *
 * @see Urgaonkar et al., Agile dynamic provisioning of multi-tier Internet applications, TAAS 3(1), 2008
 */
export function createHist(targetRps: number): Scaler {
  const hours = new Map<number, number[]>();
  const errors: number[] = [];
  return eachMinute(targetRps, ({ needNodes, load }, { second, ordered }) => {
    const hour = Math.floor(second / STEP_SECONDS / HOUR_MINUTES) % 24;
    const histogram = hours.get(hour) ?? [];
    hours.set(hour, histogram);
    errors.push(ordered - needNodes);
    errors.splice(0, errors.length - 10);
    const isShort = errors.filter((error) => error < 0).length > 5;
    const wanted = isShort
      ? Math.ceil(1.05 * load)
      : Math.round((percentile90(histogram) ?? ordered) - meanOf(errors.slice(-5)));
    if (isShort) {
      errors.length = 0;
    }
    histogram.push(needNodes);
    histogram.splice(0, histogram.length - HIST_SAMPLES);
    return wanted;
  });
}

const REG_SAMPLES = 60;

/**
 * Reg: 5 % more than is needed at a shortage; otherwise down to 20 % above a quadratic regression of the last
 * hour, and never up.
 *
 * @see Iqbal et al., Adaptive resource provisioning for read intensive multi-tier applications, FGCS 27(6), 2011
 */
export function createReg(targetRps: number): Scaler {
  const needs: number[] = [];
  return eachMinute(targetRps, ({ needNodes, load }, { ordered }) => {
    needs.push(needNodes);
    needs.splice(0, needs.length - REG_SAMPLES);
    if (needNodes >= ordered) {
      return load > ordered ? Math.ceil(1.05 * load) : ordered;
    }
    const predicted = Math.ceil(polynomialAt(needs, 2, needs.length - 1));
    return predicted > 0 ? Math.min(ordered, Math.ceil(1.2 * predicted)) : ordered;
  });
}

const CONPAAS_SAMPLES = 20;

/**
 * ConPaaS: of an autoregression, a line and Holt's smoothing over 20 samples the one that was closest a minute
 * ago forecasts the next minute.
 *
 * @see Fernandez, Pierre and Kielmann, Autoscaling web applications in heterogeneous cloud infrastructures, IC2E 2014
 */
export function createConPaas(targetRps: number): Scaler {
  const samples: number[] = [];
  let forecasts: readonly number[] = [];
  return eachMinute(targetRps, ({ load, needNodes }) => {
    samples.push(load);
    samples.splice(0, samples.length - CONPAAS_SAMPLES);
    if (samples.length < CONPAAS_SAMPLES) {
      return needNodes;
    }
    const best = closestTo(forecasts, load);
    forecasts = [
      autoregressionNext(samples, 2),
      polynomialAt(samples, 1, samples.length),
      holtNext(samples),
    ];
    return Math.ceil(Math.max(0, forecasts[best] ?? load));
  });
}

function closestTo(forecasts: readonly number[], value: number): number {
  let best = 0;
  for (const [index, forecast] of forecasts.entries()) {
    if (Math.abs(forecast - value) < Math.abs((forecasts[best] ?? 0) - value)) {
      best = index;
    }
  }
  return best;
}

/** Holt's double exponential smoothing, one step ahead. */
function holtNext(values: readonly number[]): number {
  let level = values[0] ?? 0;
  let trend = (values[1] ?? level) - level;
  for (const value of values.slice(1)) {
    const before = level;
    level = 0.6 * value + 0.4 * (level + trend);
    trend = 0.3 * (level - before) + 0.7 * trend;
  }
  return level + trend;
}

const CHAMELEON_SAMPLES = 20;
/** Use of the upper mark at which a reactive rule takes over downwards: 0.6 of 0.8. */
const CHAMELEON_LOW = 0.75;

/**
 * After Chameleon: a plan from a forecast two minutes ahead – a line over 20 min here, since there is no
 * history of days – and a reactive rule at two marks of utilization that may only raise it.
 *
 * @see Bauer, Herbst, Spinner, Ali-Eldin and Kounev, Chameleon, TPDS 30(4), 2019
 */
export function createChameleonLike(targetRps: number): Scaler {
  const samples: number[] = [];
  return eachMinute(targetRps, ({ load, needNodes }, { ordered }) => {
    samples.push(load);
    samples.splice(0, samples.length - CHAMELEON_SAMPLES);
    const ahead =
      samples.length < 3
        ? load
        : Math.max(
            polynomialAt(samples, 1, samples.length),
            polynomialAt(samples, 1, samples.length + 1),
          );
    const planned = Math.ceil(Math.max(0, ahead));
    const isCalm = load >= CHAMELEON_LOW * ordered && load <= ordered;
    return Math.max(planned, isCalm ? ordered : needNodes);
  });
}

function percentile90(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * 0.9)];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
