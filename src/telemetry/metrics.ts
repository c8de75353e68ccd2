/** Metrics that events feed. What is read of the service at each scrape is in `state-metrics.ts`. */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import {
  HOST_METRICS,
  type MetricDefinition,
  SERVICE_METRICS,
  SOURCE_METRICS,
  TIER_METRICS,
} from './catalog.ts';

/** Every metric that is counted or observed when something happens, registered once. */
export function createMetrics(registry: Registry) {
  return {
    buildInfo: createGauge(registry, SERVICE_METRICS.buildInfo),
    leader: createGauge(registry, SERVICE_METRICS.leader),
    leaderTransitions: createCounter(registry, SERVICE_METRICS.leaderTransitions),
    configOk: createGauge(registry, SERVICE_METRICS.configOk),
    configReloads: createCounter(registry, SERVICE_METRICS.configReloads),
    journalOk: createGauge(registry, SERVICE_METRICS.journalOk),
    logLines: createCounter(registry, SERVICE_METRICS.logLines),
    tickDuration: createHistogram(registry, SERVICE_METRICS.tickDuration),
    decisions: createCounter(registry, SERVICE_METRICS.decisions),
    timeToServe: createHistogram(registry, SERVICE_METRICS.timeToServe),
    phaseDuration: createHistogram(registry, SERVICE_METRICS.phaseDuration),
    actionDuration: createHistogram(registry, SERVICE_METRICS.actionDuration),
    scaleDecisions: createCounter(registry, TIER_METRICS.scaleDecisions),
    lastScaleDecision: createGauge(registry, TIER_METRICS.lastScaleDecision),
    scaleReversals: createCounter(registry, TIER_METRICS.scaleReversals),
    forcedDrains: createCounter(registry, TIER_METRICS.forcedDrains),
    boots: createCounter(registry, HOST_METRICS.boots),
    sourceUp: createGauge(registry, SOURCE_METRICS.up),
    lastAskDuration: createGauge(registry, SOURCE_METRICS.lastAskDuration),
    askDuration: createHistogram(registry, SOURCE_METRICS.askDuration),
    balancerRestarts: createCounter(registry, SOURCE_METRICS.balancerRestarts),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

type LabelOf<D extends MetricDefinition> = keyof D['labels'] & string;

export type LabelValues<D extends MetricDefinition> = Partial<Record<LabelOf<D>, string>>;

/** @param collect - Called at each scrape, before the values are read. */
export function createGauge<D extends MetricDefinition>(
  registry: Registry,
  definition: D,
  collect?: () => void,
): Gauge<LabelOf<D>> {
  return new Gauge({ ...describe(registry, definition), ...(collect && { collect }) });
}

/** @param collect - As of a gauge. */
export function createCounter<D extends MetricDefinition>(
  registry: Registry,
  definition: D,
  collect?: () => void,
): Counter<LabelOf<D>> {
  return new Counter({ ...describe(registry, definition), ...(collect && { collect }) });
}

function createHistogram<D extends MetricDefinition & { readonly buckets: readonly number[] }>(
  registry: Registry,
  definition: D,
): Histogram<LabelOf<D>> {
  const { buckets } = definition;
  const histogram = new Histogram({ ...describe(registry, definition), buckets: [...buckets] });
  // A series that is not there before its first value hides that one from `increase`.
  for (const labels of combinationsOf(definition)) {
    histogram.zero(labels);
  }
  return histogram;
}

/** Every combination of the values of closed sets; none where a label has names of the config. */
export function combinationsOf<D extends MetricDefinition>({
  labels,
}: D): readonly LabelValues<D>[] {
  let combinations: readonly LabelValues<D>[] = [{}];
  for (const [label, values] of Object.entries<readonly string[] | string>(labels)) {
    const closed = typeof values === 'string' ? [] : values;
    combinations = combinations.flatMap((others) =>
      closed.map((value) => ({ ...others, [label]: value })),
    );
  }
  return combinations;
}

function describe<D extends MetricDefinition>(registry: Registry, { name, help, labels }: D) {
  return { name, help, labelNames: Object.keys(labels) as LabelOf<D>[], registers: [registry] };
}
