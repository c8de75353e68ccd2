/**
 * Every metric of the service: what it says, and what its labels can be. The page `docs/metrics.md` is made from this.
 *
 * Names of the config are an open set, but a bounded one; every other label is a closed set. A histogram has neither
 * cluster nor tier, because each of its series stands a dozen times.
 */

import type { SourceKind } from '../control/events.ts';
import type { ShortfallReason } from '../scaler/boot-nodes.ts';
import type { Decision, DecisionReason } from '../scaler/decide.ts';
import type { FixedNode } from '../scaler/fixed-tier.ts';
import type { NodePhase } from '../scaler/node-phase.ts';
import type { ActionKind, StartKind } from '../scaler/observation.ts';
import type { Override } from '../scaler/override.ts';
import type { SignalName } from '../scaler/recommend.ts';

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  /** The values of each label, or what they are where the config has them. */
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  /** Of a histogram: upper bounds, in its unit. */
  readonly buckets?: readonly number[];
}

/** The compiler sees to it that none is left out. */
function allOf<T extends string>(set: Readonly<Record<T, true>>): readonly T[] {
  return Object.keys(set).filter((key): key is T => key in set);
}

export const NODE_PHASES = allOf<Exclude<NodePhase, 'absent'>>({
  booting: true,
  warming: true,
  'out-of-rotation': true,
  'in-service': true,
  stopping: true,
  failed: true,
  standby: true,
  unknown: true,
  conflict: true,
  residue: true,
});

/** Of a tier that is only watched, these have a series without a node in them, too. */
export const FIXED_NODE_PHASES = [
  'in-service',
  'unknown',
  'conflict',
] as const satisfies readonly FixedNode['phase'][];

/** Phases that a node leaves by itself, or is taken out of. */
export const PASSING_PHASES = [
  'booting',
  'warming',
  'out-of-rotation',
  'stopping',
] as const satisfies readonly NodePhase[];

export const DECISION_REASONS = allOf<DecisionReason>({
  recommended: true,
  converged: true,
  'signals-unknown': true,
  'within-tolerance': true,
  stabilizing: true,
  'scaling-policy': true,
  'flap-guard': true,
  minimum: true,
  maximum: true,
  schedule: true,
  'override-minimum': true,
  held: true,
  paused: true,
});

/** But for what comes by itself. */
export const SHORTFALL_REASONS = allOf<Exclude<ShortfallReason, 'concurrent-boots'>>({
  maximum: true,
  addresses: true,
  'fleet-limit': true,
  breaker: true,
  'no-host': true,
});

export const OVERRIDE_KINDS = allOf<Override['kind']>({
  pause: true,
  hold: true,
  min: true,
  protect: true,
  drain: true,
  'drain-host': true,
  'exclude-balancer': true,
});

const DIRECTIONS = allOf<Decision['direction']>({ out: true, in: true, none: true });
const SIGNALS = allOf<SignalName>({ 'request-rate': true, queue: true });
const SOURCE_KINDS = allOf<SourceKind>({ host: true, balancer: true });
const START_KINDS = allOf<StartKind>({ cold: true, saved: true, paused: true });
const ACTION_KINDS = allOf<ActionKind>({
  admit: true,
  warm: true,
  wake: true,
  boot: true,
  drain: true,
  pause: true,
  save: true,
  park: true,
  repair: true,
  destroy: true,
});

const TIER = { cluster: 'a cluster', tier: 'a tier of it' } as const;
const HOST = { host: 'a host' } as const;
const BALANCER = { balancer: 'a balancer' } as const;

export const TIER_METRICS = {
  nodes: {
    type: 'gauge',
    name: 'rackfire_nodes',
    help: 'Nodes by phase. Of a tier that is only watched: in-service, unknown, conflict, and the others while a node is in one.',
    labels: { ...TIER, phase: NODE_PHASES },
  },
  desired: {
    type: 'gauge',
    name: 'rackfire_nodes_desired',
    help: 'Nodes that the last decision wants in service.',
    labels: TIER,
  },
  needed: {
    type: 'gauge',
    name: 'rackfire_nodes_needed',
    help: 'Nodes that the signals ask for, a fraction, before any limit; NaN while they say nothing.',
    labels: TIER,
  },
  min: {
    type: 'gauge',
    name: 'rackfire_nodes_min',
    help: 'Minimum in force: of the config, or of a schedule.',
    labels: TIER,
  },
  max: {
    type: 'gauge',
    name: 'rackfire_nodes_max',
    help: 'Maximum in force: of the config, or of a schedule.',
    labels: TIER,
  },
  standbyTarget: {
    type: 'gauge',
    name: 'rackfire_nodes_standby_target',
    help: 'Standby nodes that are wanted beside those in service.',
    labels: TIER,
  },
  missing: {
    type: 'gauge',
    name: 'rackfire_nodes_missing',
    help: 'Nodes that are wanted and cannot be booted, by what stops the next one; those that only wait for the boots before them are not among them.',
    labels: { ...TIER, reason: SHORTFALL_REASONS },
  },
  overdue: {
    type: 'gauge',
    name: 'rackfire_nodes_overdue',
    help: 'Nodes that have been neither in service nor standby for longer than the deadlines of boot and drain and 4 min together.',
    labels: TIER,
  },
  requestRate: {
    type: 'gauge',
    name: 'rackfire_request_rate_rps',
    help: 'Requests that arrive per second, summed over balancers; NaN while unknown.',
    labels: TIER,
  },
  forecastRate: {
    type: 'gauge',
    name: 'rackfire_request_rate_forecast_rps',
    help: 'The rate that is foreseen for when a node that is ordered now serves; NaN while unknown.',
    labels: TIER,
  },
  storm: {
    type: 'gauge',
    name: 'rackfire_storm',
    help: '1 while a storm is detected, and nodes are ordered ahead of it; NaN while the rate is unknown, and for a tier that does not look ahead.',
    labels: TIER,
  },
  stormDetected: {
    type: 'gauge',
    name: 'rackfire_storm_detected_timestamp_seconds',
    help: 'When the present storm was detected; NaN where there is none.',
    labels: TIER,
  },
  targetPerNode: {
    type: 'gauge',
    name: 'rackfire_target_per_node_rps',
    help: 'Configured requests per second of one node; NaN for a tier without that signal.',
    labels: TIER,
  },
  queuedRequests: {
    type: 'gauge',
    name: 'rackfire_queued_requests',
    help: 'Requests that wait at the balancers; NaN while unknown.',
    labels: TIER,
  },
  usedSlots: {
    type: 'gauge',
    name: 'rackfire_slots_used_ratio',
    help: 'Share of the connection slots of serving nodes that is in use; NaN while unknown.',
    labels: TIER,
  },
  responseTime: {
    type: 'gauge',
    name: 'rackfire_response_time_seconds',
    help: 'Time in the queue, to connect and to the answer: the average that HAProxy keeps of some 1,024 requests, of the slowest balancer.',
    labels: TIER,
  },
  failedResponses: {
    type: 'counter',
    name: 'rackfire_responses_5xx_total',
    help: 'Answers of the status 5xx, of nodes and of HAProxy itself, since Rackfire began.',
    labels: TIER,
  },
  signalOk: {
    type: 'gauge',
    name: 'rackfire_signal_ok',
    help: '1 while the signal may let nodes go; 0 while it is partial, stale or absent.',
    labels: { ...TIER, signal: SIGNALS },
  },
  decisionReason: {
    type: 'gauge',
    name: 'rackfire_decision_reason',
    help: '1 for the reason that had the last word in the latest decision; 0 for the others.',
    labels: { ...TIER, reason: DECISION_REASONS },
  },
  scaleDecisions: {
    type: 'counter',
    name: 'rackfire_scale_decisions_total',
    help: 'Decisions that wanted another number of nodes than before.',
    labels: { ...TIER, direction: ['out', 'in'] },
  },
  lastScaleDecision: {
    type: 'gauge',
    name: 'rackfire_last_scale_decision_timestamp_seconds',
    help: 'When a decision wanted more (out) or fewer (in) nodes than before for the last time, and its reason: of each direction, one series.',
    labels: { ...TIER, direction: ['out', 'in'], reason: DECISION_REASONS },
  },
  scaleReversals: {
    type: 'counter',
    name: 'rackfire_scale_reversals_total',
    help: 'Decisions that took back the direction of the change before: a storm that comes and goes is two.',
    labels: TIER,
  },
  forcedDrains: {
    type: 'counter',
    name: 'rackfire_drains_forced_total',
    help: 'Nodes that were destroyed with requests on them, because the deadline of their drain had passed.',
    labels: TIER,
  },
  breaker: {
    type: 'gauge',
    name: 'rackfire_breaker_state',
    help: 'Boots of the tier: 0 are made, 1 one is tried, 2 none is made, because too many have failed.',
    labels: TIER,
  },
  paused: {
    type: 'gauge',
    name: 'rackfire_paused',
    help: '1 while an operator has paused it in any direction, or a reload took it out of the config.',
    labels: TIER,
  },
  healingFrozen: {
    type: 'gauge',
    name: 'rackfire_healing_frozen',
    help: '1 while so many nodes fail their checks at once that none is replaced.',
    labels: TIER,
  },
  bootTime: {
    type: 'gauge',
    name: 'rackfire_boot_time_seconds',
    help: 'From the order of a node to its first passed check: the 80th percentile of the latest cold boots; NaN before the first.',
    labels: TIER,
  },
  bootDeadline: {
    type: 'gauge',
    name: 'rackfire_boot_deadline_seconds',
    help: 'Deadline of that: later, the boot has failed.',
    labels: TIER,
  },
} as const satisfies Record<string, MetricDefinition>;

export const HOST_METRICS = {
  memory: {
    type: 'gauge',
    name: 'rackfire_host_memory_bytes',
    help: 'Memory that the host has for guests, as it answered last.',
    labels: HOST,
  },
  freeMemory: {
    type: 'gauge',
    name: 'rackfire_host_memory_free_bytes',
    help: 'What is left of it, boots that are under way taken off.',
    labels: HOST,
  },
  freeVcpus: {
    type: 'gauge',
    name: 'rackfire_host_vcpus_free',
    help: 'vCPUs that are left for guests.',
    labels: HOST,
  },
  freeDisk: {
    type: 'gauge',
    name: 'rackfire_host_disk_free_bytes',
    help: 'Disk that is left for guests.',
    labels: HOST,
  },
  breaker: {
    type: 'gauge',
    name: 'rackfire_host_breaker_state',
    help: 'Boots on the host: 0 are made, 1 one is tried, 2 none is made, because too many have failed.',
    labels: HOST,
  },
  fenced: {
    type: 'gauge',
    name: 'rackfire_host_fenced',
    help: '0 while the host may still take orders of whoever led before, so that nothing is begun or taken away there; 1 otherwise, also where this process does not lead.',
    labels: HOST,
  },
  orphans: {
    type: 'gauge',
    name: 'rackfire_host_orphans',
    help: 'Domains of this installation that belong to no tier of the config.',
    labels: HOST,
  },
  boots: {
    type: 'counter',
    name: 'rackfire_boots_total',
    help: 'Cold boots that ended.',
    labels: { ...HOST, result: ['served', 'failed'] },
  },
  capacity: {
    type: 'gauge',
    name: 'rackfire_capacity_nodes',
    help: 'How many more nodes of the size fit, all hosts together; no more than 50 are looked for.',
    labels: { size: 'a size of a scaled tier' },
  },
  lossCovered: {
    type: 'gauge',
    name: 'rackfire_host_loss_covered',
    help: '1 while the base nodes of any one host would fit on the others; NaN where that is not provided for.',
    labels: {},
  },
} as const satisfies Record<string, MetricDefinition>;

export const SOURCE_METRICS = {
  up: {
    type: 'gauge',
    name: 'rackfire_source_up',
    help: '1 while the host or balancer answers.',
    labels: { kind: SOURCE_KINDS, name: 'a host or balancer' },
  },
  lastAskDuration: {
    type: 'gauge',
    name: 'rackfire_source_last_ask_duration_seconds',
    help: 'Time that the latest question took, answered or not.',
    labels: { kind: SOURCE_KINDS, name: 'a host or balancer' },
  },
  askDuration: {
    type: 'histogram',
    name: 'rackfire_source_ask_duration_seconds',
    help: 'Time that questions took, answered or not: of hosts by SSH, of balancers by socket or HTTP.',
    labels: { kind: SOURCE_KINDS },
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15],
  },
  balancerInSync: {
    type: 'gauge',
    name: 'rackfire_balancer_in_sync',
    help: '1 while the balancer answers and has every server as its node is.',
    labels: BALANCER,
  },
  balancerRestarts: {
    type: 'counter',
    name: 'rackfire_balancer_restarts_total',
    help: 'Reloads and restarts of a balancer that were noticed.',
    labels: BALANCER,
  },
} as const satisfies Record<string, MetricDefinition>;

export const SERVICE_METRICS = {
  buildInfo: {
    type: 'gauge',
    name: 'rackfire_build_info',
    help: 'Always 1; the label says which version runs.',
    labels: { version: 'the version' },
  },
  leader: {
    type: 'gauge',
    name: 'rackfire_leader',
    help: '1 while this process leads: only then does it act.',
    labels: {},
  },
  leaderTerm: {
    type: 'gauge',
    name: 'rackfire_leader_term',
    help: 'Number of the term by which this process acts, one more with each leader of the same lease; NaN while it does not act.',
    labels: {},
  },
  leaderTransitions: {
    type: 'counter',
    name: 'rackfire_leader_transitions_total',
    help: 'How often this process has begun or ceased to lead.',
    labels: {},
  },
  leadershipShared: {
    type: 'gauge',
    name: 'rackfire_leadership_shared',
    help: '1 where leadership is a lease of Kubernetes, for which another Rackfire should stand by; 0 where it is a lock file.',
    labels: {},
  },
  lastTick: {
    type: 'gauge',
    name: 'rackfire_last_tick_timestamp_seconds',
    help: 'When the loop ticked last; it does each second.',
    labels: {},
  },
  tickDuration: {
    type: 'histogram',
    name: 'rackfire_tick_duration_seconds',
    help: 'Time that one tick of one cluster takes, without waiting for anything.',
    labels: {},
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  },
  decisions: {
    type: 'counter',
    name: 'rackfire_decisions_total',
    help: 'Decisions of all tiers, by direction and by the reason that had the last word.',
    labels: { direction: DIRECTIONS, reason: DECISION_REASONS },
  },
  timeToServe: {
    type: 'histogram',
    name: 'rackfire_time_to_serve_seconds',
    help: 'Time from the order of a node to its first passed check, by how it came.',
    labels: { start: START_KINDS },
    buckets: [1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 240, 480],
  },
  phaseDuration: {
    type: 'histogram',
    name: 'rackfire_node_phase_duration_seconds',
    help: 'How long nodes were in a phase that they have left.',
    labels: { phase: PASSING_PHASES },
    buckets: [0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600],
  },
  actionDuration: {
    type: 'histogram',
    name: 'rackfire_action_duration_seconds',
    help: 'Time that actions took to be carried out, or to fail.',
    labels: { kind: ACTION_KINDS, result: ['done', 'failed'] },
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180],
  },
  overrides: {
    type: 'gauge',
    name: 'rackfire_overrides',
    help: 'Overrides in force.',
    labels: { kind: OVERRIDE_KINDS },
  },
  configOk: {
    type: 'gauge',
    name: 'rackfire_config_ok',
    help: '1 while the config file is what is in force; 0 while it was refused and the last good one stays.',
    labels: {},
  },
  configReloads: {
    type: 'counter',
    name: 'rackfire_config_reloads_total',
    help: 'Reloads of the config.',
    labels: { result: ['applied', 'unchanged', 'refused'] },
  },
  journalOk: {
    type: 'gauge',
    name: 'rackfire_journal_ok',
    help: '1 while the journal is written; 0 while what happens is not kept.',
    labels: {},
  },
  logLines: {
    type: 'counter',
    name: 'rackfire_log_lines_total',
    help: 'Log lines. An error: a person must act now; a warning: look tomorrow.',
    labels: { level: ['error', 'warn', 'info'] },
  },
  residentMemory: {
    type: 'gauge',
    name: 'process_resident_memory_bytes',
    help: 'Memory of the process.',
    labels: {},
  },
  cpuSeconds: {
    type: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process.',
    labels: {},
  },
} as const satisfies Record<string, MetricDefinition>;

/** All of them, in the sections of the page. */
export const SECTIONS: readonly {
  readonly title: string;
  readonly metrics: readonly MetricDefinition[];
}[] = [
  { title: 'Tiers', metrics: Object.values(TIER_METRICS) },
  { title: 'Hosts and room', metrics: Object.values(HOST_METRICS) },
  { title: 'Hosts and balancers as sources', metrics: Object.values(SOURCE_METRICS) },
  { title: 'Rackfire itself', metrics: Object.values(SERVICE_METRICS) },
];
