/** What Prometheus is told. Labels come from closed sets and from names in the config. */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Every metric of the service, registered once. */
export function createMetrics(registry: Registry) {
  const registers = [registry];
  const tier = ['cluster', 'tier'] as const;
  return {
    buildInfo: new Gauge({
      name: 'rackfire_build_info',
      help: 'Always 1; the label says which version runs.',
      labelNames: ['version'] as const,
      registers,
    }),
    nodes: new Gauge({
      name: 'rackfire_nodes',
      help: 'Nodes by derived phase.',
      labelNames: [...tier, 'phase'] as const,
      registers,
    }),
    desiredNodes: new Gauge({
      name: 'rackfire_nodes_desired',
      help: 'Nodes that the last decision wants in service.',
      labelNames: tier,
      registers,
    }),
    minNodes: new Gauge({
      name: 'rackfire_nodes_min',
      help: 'Minimum in force: of the config, or of a schedule.',
      labelNames: tier,
      registers,
    }),
    maxNodes: new Gauge({
      name: 'rackfire_nodes_max',
      help: 'Maximum in force: of the config, or of a schedule.',
      labelNames: tier,
      registers,
    }),
    neededNodes: new Gauge({
      name: 'rackfire_nodes_needed',
      help: 'Fractional need that the signals state, before any limit.',
      labelNames: tier,
      registers,
    }),
    missingNodes: new Gauge({
      name: 'rackfire_nodes_missing',
      help: 'Nodes that are wanted and cannot be booted, by reason.',
      labelNames: [...tier, 'reason'] as const,
      registers,
    }),
    requestsPerSecond: new Gauge({
      name: 'rackfire_request_rate_rps',
      help: 'Requests that arrive per second, summed over balancers.',
      labelNames: tier,
      registers,
    }),
    forecastRps: new Gauge({
      name: 'rackfire_request_rate_forecast_rps',
      help: 'The rate that is foreseen for when a node that is ordered now serves.',
      labelNames: tier,
      registers,
    }),
    storm: new Gauge({
      name: 'rackfire_storm',
      help: '1 while a storm is detected, and nodes are ordered ahead of it.',
      labelNames: tier,
      registers,
    }),
    queuedRequests: new Gauge({
      name: 'rackfire_queued_requests',
      help: 'Requests that wait at the balancers.',
      labelNames: tier,
      registers,
    }),
    usedSlots: new Gauge({
      name: 'rackfire_slots_used_ratio',
      help: 'Share of the connection slots of serving nodes that is in use.',
      labelNames: tier,
      registers,
    }),
    signalUp: new Gauge({
      name: 'rackfire_signal_ok',
      help: '1 while the signal may let nodes go; 0 while it is partial, stale or absent.',
      labelNames: [...tier, 'signal'] as const,
      registers,
    }),
    decisions: new Counter({
      name: 'rackfire_decisions_total',
      help: 'Decisions by direction and by the reason that had the last word.',
      labelNames: [...tier, 'direction', 'reason'] as const,
      registers,
    }),
    actions: new Counter({
      name: 'rackfire_actions_total',
      help: 'Actions carried out, by kind and result.',
      labelNames: [...tier, 'kind', 'result'] as const,
      registers,
    }),
    boots: new Counter({
      name: 'rackfire_boots_total',
      help: 'Boots that ended, by host and result.',
      labelNames: ['host', 'result'] as const,
      registers,
    }),
    timeToServe: new Histogram({
      name: 'rackfire_time_to_serve_seconds',
      help: 'Time from the order of a node to its first passed check, by how it came.',
      labelNames: ['start'],
      buckets: [1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 240, 480],
      registers,
    }),
    sourceUp: new Gauge({
      name: 'rackfire_source_up',
      help: '1 while the host or balancer answers.',
      labelNames: ['kind', 'name'] as const,
      registers,
    }),
    balancerRestarts: new Counter({
      name: 'rackfire_balancer_restarts_total',
      help: 'Reloads and restarts of a balancer that were noticed.',
      labelNames: ['balancer'] as const,
      registers,
    }),
    balancerInSync: new Gauge({
      name: 'rackfire_balancer_in_sync',
      help: "1 while the balancer answers and has all of the tier's servers as the other balancers have them.",
      labelNames: [...tier, 'balancer'] as const,
      registers,
    }),
    leader: new Gauge({
      name: 'rackfire_leader',
      help: '1 while this process leads: only then does it act.',
      registers,
    }),
    configUp: new Gauge({
      name: 'rackfire_config_ok',
      help: '1 while the config file is what is in force; 0 while it was refused and the last good one stays.',
      registers,
    }),
    configReloads: new Counter({
      name: 'rackfire_config_reloads_total',
      help: 'Reloads of the config, by result.',
      labelNames: ['result'] as const,
      registers,
    }),
    journalUp: new Gauge({
      name: 'rackfire_journal_ok',
      help: '1 while the journal is written; 0 while what happens is not kept.',
      registers,
    }),
    overrides: new Gauge({
      name: 'rackfire_overrides',
      help: 'Overrides in force, by kind.',
      labelNames: [...tier, 'kind'] as const,
      registers,
    }),
    tickSeconds: new Histogram({
      name: 'rackfire_tick_duration_seconds',
      help: 'Time that one tick of one cluster takes, without waiting for anything.',
      buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** Those that each tick sets for its tier. */
export function tierGauges(metrics: Metrics) {
  const { nodes, desiredNodes, minNodes, maxNodes, neededNodes, missingNodes } = metrics;
  const {
    requestsPerSecond,
    forecastRps,
    storm,
    queuedRequests,
    usedSlots,
    signalUp,
    overrides,
    balancerInSync,
  } = metrics;
  return [
    nodes,
    desiredNodes,
    minNodes,
    maxNodes,
    neededNodes,
    missingNodes,
    requestsPerSecond,
    forecastRps,
    storm,
    queuedRequests,
    usedSlots,
    signalUp,
    overrides,
    balancerInSync,
  ];
}
