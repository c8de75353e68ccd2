/** One tier of one virtual cluster: what it needs, what it has, what visitors get, and why. */

import { AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  DateTimeFromNow,
  NoUnit,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
} from '@grafana/grafana-foundation-sdk/units';
import { type DashboardPlan, nameVariable, type Section } from './create-dashboard.ts';
import { colorSteps, DATA_SOURCE, lines, query, stat, states, valueTexts } from './panels.ts';
import { ofLeader, PHASE_COLORS } from './words.ts';

const TIER = 'cluster="$cluster", tier="$tier"';

/** What is seen, several Rackfires see alike. */
function of(metric: string, labels = ''): string {
  return `max(${selectorOf(metric, labels)})`;
}

function decided(metric: string): string {
  return `max(${ofLeader(selectorOf(metric))})`;
}

function decidedBy(label: string, metric: string, labels = ''): string {
  return `max by (${label}) (${ofLeader(selectorOf(metric, labels))})`;
}

function selectorOf(metric: string, labels = ''): string {
  return `${metric}{${TIER}${labels === '' ? '' : `, ${labels}`}}`;
}

/** Those values of a label that had anything in the time shown. */
function everBy(label: string, metric: string): string {
  return `max by (${label}) (max_over_time(${selectorOf(metric)}[$__range])) > 0`;
}

const IN_SERVICE = of('rackfire_nodes', 'phase="in-service"');

const NOW: Section = {
  title: 'Now',
  panels: [
    stat(
      {
        title: 'In service',
        description: 'Nodes that HAProxy sends visitors to.',
        unit: NoUnit,
        span: 3,
      },
      [{ expression: IN_SERVICE, legend: 'in service', color: 'green' }],
      { showsCurve: true },
    ),
    stat(
      {
        title: 'Desired',
        description:
          'Nodes that the last decision wants in service. Above "In service" while nodes boot, below it while they drain.',
        unit: NoUnit,
        span: 3,
      },
      [{ expression: decided('rackfire_nodes_desired'), legend: 'desired', color: 'blue' }],
      { showsCurve: true },
    ),
    stat(
      {
        title: 'Left to the maximum',
        description:
          'How many more nodes the configured maximum allows. At 0 the tier cannot follow its traffic any further: raise `nodes.max` if hosts and database allow it.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireAtMaximum'],
        thresholds: colorSteps('red', [1, 'orange'], [3, 'green']),
      },
      [
        {
          expression: `${of('rackfire_nodes_max')} - ${decided('rackfire_nodes_desired')}`,
          legend: 'left',
        },
      ],
    ),
    stat(
      {
        title: 'Load',
        description:
          'Arriving requests in relation to what the nodes in service are meant for (`targetPerNode`). 100 % is full, not broken; above it visitors begin to queue.',
        unit: PercentUnit,
        span: 3,
        decimals: 0,
        thresholds: colorSteps('green', [1, 'orange'], [1.25, 'red']),
      },
      [
        {
          expression: `${of('rackfire_request_rate_rps')} / (${IN_SERVICE} * ${of('rackfire_target_per_node_rps')})`,
          legend: 'load',
        },
      ],
      { showsCurve: true },
    ),
    stat(
      {
        title: 'Storm',
        description:
          'While a storm is detected, nodes are ordered ahead of it: for the requests that are foreseen for when they serve.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfireStorm'],
      },
      [{ expression: of('rackfire_storm'), legend: 'storm' }],
      { mappings: [valueTexts({ 0: ['calm', 'green'], 1: ['storm', 'red'] })] },
    ),
    stat(
      {
        title: 'Last scale-out',
        description:
          'What had the last word when nodes were added last, and how long ago. `rackfire explain $cluster/$tier --at TIME` tells all of it, with numbers.',
        unit: DateTimeFromNow,
        span: 4,
      },
      [
        {
          expression: `topk(1, 1000 * ${decidedBy('reason', 'rackfire_last_scale_decision_timestamp_seconds', 'direction="out"')})`,
          legend: '{{reason}}',
          color: 'blue',
        },
      ],
      { showsNameAndValue: true },
    ),
    stat(
      {
        title: 'Last scale-in',
        description: 'The same of the last time that nodes were taken away.',
        unit: DateTimeFromNow,
        span: 4,
      },
      [
        {
          expression: `topk(1, 1000 * ${decidedBy('reason', 'rackfire_last_scale_decision_timestamp_seconds', 'direction="in"')})`,
          legend: '{{reason}}',
          color: 'purple',
        },
      ],
      { showsNameAndValue: true },
    ),
  ],
};

const LOAD: Section = {
  title: 'Load and nodes',
  panels: [
    lines(
      {
        title: 'Requests and what the nodes are meant for',
        description:
          'Where the requests rise above the green area, the tier is short of nodes: they wait in the queue, or are served more slowly. Foreseen is the rate for when a node that is ordered now serves. The red line is what the configured maximum is good for.',
        unit: RequestsPerSecond,
        span: 12,
      },
      [
        {
          expression: `${IN_SERVICE} * ${of('rackfire_target_per_node_rps')}`,
          legend: 'nodes in service × target',
          color: 'green',
          fillPercent: 20,
        },
        {
          expression: `${of('rackfire_nodes_max')} * ${of('rackfire_target_per_node_rps')}`,
          legend: 'maximum × target',
          color: 'red',
          isDashed: true,
        },
        {
          expression: of('rackfire_request_rate_forecast_rps'),
          legend: 'foreseen',
          color: 'purple',
          isDashed: true,
        },
        {
          expression: of('rackfire_request_rate_rps'),
          legend: 'requests',
          color: 'blue',
          lineWidth: 2,
        },
      ],
    ),
    lines(
      {
        title: 'Nodes',
        description:
          'Needed is what the signals state, a fraction and without any limit; desired is what the decision made of it; in service is what HAProxy has. Between desired and in service lies the time to serve.',
        unit: NoUnit,
        span: 12,
        alerts: ['RackfireFlapping'],
      },
      [
        { expression: IN_SERVICE, legend: 'in service', color: 'green', fillPercent: 20 },
        {
          expression: decided('rackfire_nodes_desired'),
          legend: 'desired',
          color: 'blue',
          lineWidth: 2,
        },
        { expression: of('rackfire_nodes_needed'), legend: 'needed', color: 'orange' },
        {
          expression: of('rackfire_nodes_min'),
          legend: 'minimum',
          color: 'text',
          isDashed: true,
        },
        { expression: of('rackfire_nodes_max'), legend: 'maximum', color: 'red', isDashed: true },
      ],
      { isStepped: true },
    ),
    lines(
      {
        title: 'Nodes by phase',
        description:
          'Every node that exists, whatever it is doing. Failed, unknown, conflict and residue should be empty; booting and stopping should pass.',
        unit: NoUnit,
        span: 12,
        alerts: ['RackfireNodeStuck'],
      },
      [
        {
          expression: `max by (phase) (${selectorOf('rackfire_nodes')}) and on (phase) (${everBy('phase', 'rackfire_nodes')})`,
          legend: '{{phase}}',
        },
      ],
      { isStacked: true, isStepped: true, colors: PHASE_COLORS },
    ),
    states(
      {
        title: 'What had the last word in each decision',
        description:
          'One line for each reason that held in this time. converged: enough, nothing to do. recommended: the signals. Others held it back or pushed it: minimum, maximum, scaling-policy, stabilizing, paused and so on.',
        unit: NoUnit,
        span: 12,
        height: 9,
      },
      [
        {
          expression: `${decidedBy('reason', 'rackfire_decision_reason')} and on (reason) (${everBy('reason', 'rackfire_decision_reason')})`,
          legend: '{{reason}}',
        },
      ],
      [valueTexts({ 0: ['', 'transparent'], 1: ['had the last word', 'blue'] })],
    ),
  ],
};

const VISITORS: Section = {
  title: 'What visitors get',
  panels: [
    lines(
      {
        title: 'Requests that wait',
        description:
          "In HAProxy's queue of the backend, summed over the balancers. Above 0 for longer than a moment: the nodes are not enough, and the queue itself asks for more.",
        unit: NoUnit,
        span: 8,
      },
      [
        {
          expression: of('rackfire_queued_requests'),
          legend: 'waiting',
          color: 'orange',
          fillPercent: 20,
        },
      ],
    ),
    lines(
      {
        title: 'Response time',
        description:
          "Queue, connect and response together: HAProxy's average of its latest 1,024 requests, of the slowest balancer. It lags behind in calm hours.",
        unit: Seconds,
        span: 8,
      },
      [
        {
          expression: of('rackfire_response_time_seconds'),
          legend: 'average',
          color: 'blue',
          lineWidth: 2,
        },
      ],
    ),
    lines(
      {
        title: 'Answers with 5xx',
        description:
          "Errors that visitors saw, per second; HAProxy's own 503, when a request waited for too long, among them. Should be 0.",
        unit: RequestsPerSecond,
        span: 8,
      },
      [
        {
          expression: `max(rate(rackfire_responses_5xx_total{${TIER}}[$__rate_interval]))`,
          legend: '5xx',
          color: 'red',
          fillPercent: 20,
        },
      ],
    ),
    lines(
      {
        title: 'Connection slots in use',
        description:
          'Of all slots (`maxConnections`) of the nodes in service. Near 100 % while the requests are below the target: the nodes answer too slowly, so the target is set too high.',
        unit: PercentUnit,
        span: 8,
        thresholds: colorSteps('green', [0.8, 'orange'], [0.95, 'red']),
      },
      [{ expression: of('rackfire_slots_used_ratio'), legend: 'in use', color: 'blue' }],
      { max: 1 },
    ),
    states(
      {
        title: 'Trust in the signals',
        description:
          'While a signal is partial, stale or absent it may ask for more nodes, but lets none go.',
        unit: NoUnit,
        span: 8,
        height: 9,
        alerts: ['RackfireSignalStale'],
      },
      [{ expression: `min by (signal) (rackfire_signal_ok{${TIER}})`, legend: '{{signal}}' }],
      [valueTexts({ 0: ['partial, stale or absent', 'red'], 1: ['ok', 'green'] })],
    ),
    lines(
      {
        title: 'Wanted nodes that cannot be booted',
        description:
          'By what stops them: the configured maximum, no address left, the limit of the fleet, an open breaker, no host with room. What only waits for the boots before it is not among them. `rackfire explain` says it for each host.',
        unit: NoUnit,
        span: 8,
        alerts: ['RackfireNodesMissing', 'RackfireAtMaximum', 'RackfireBreakerOpen'],
      },
      [{ expression: decidedBy('reason', 'rackfire_nodes_missing'), legend: '{{reason}}' }],
      {
        isStacked: true,
        isStepped: true,
        colors: {
          maximum: 'red',
          addresses: 'purple',
          'fleet-limit': 'orange',
          breaker: 'dark-red',
          'no-host': 'yellow',
        },
      },
    ),
  ],
};

const COMING: Section = {
  title: 'How nodes come and go',
  panels: [
    lines(
      {
        title: 'Learned boot time and its deadline',
        description:
          'How long four of five cold boots take from the order to the first passed check, learned from those before. A boot that takes longer than the deadline is given up: keep a margin.',
        unit: Seconds,
        span: 8,
        alerts: ['RackfireBootsSlow'],
      },
      [
        {
          expression: of('rackfire_boot_time_seconds'),
          legend: 'learned (80 %)',
          color: 'blue',
          lineWidth: 2,
        },
        {
          expression: of('rackfire_boot_deadline_seconds'),
          legend: 'deadline',
          color: 'red',
          isDashed: true,
        },
      ],
    ),
    lines(
      {
        title: 'Standby nodes',
        description:
          'Paused or saved nodes that are woken before any is booted, and how many are wanted: as many as the config says, or with `auto` all that are ordered ahead.',
        unit: NoUnit,
        span: 8,
      },
      [
        {
          expression: of('rackfire_nodes', 'phase="standby"'),
          legend: 'standby',
          color: 'blue',
          fillPercent: 20,
        },
        {
          expression: decided('rackfire_nodes_standby_target'),
          legend: 'wanted',
          color: 'text',
          isDashed: true,
        },
      ],
      { isStepped: true },
    ),
    states(
      {
        title: 'What holds it back',
        description:
          'Paused by an operator, healing frozen because too many nodes fail their checks at once, boots stopped by the breaker, nodes longer in a phase than its deadline allows.',
        unit: NoUnit,
        span: 8,
        height: 9,
        alerts: [
          'RackfirePausedForADay',
          'RackfireHealingFrozen',
          'RackfireBreakerOpen',
          'RackfireNodeStuck',
        ],
      },
      [
        { expression: of('rackfire_paused'), legend: 'paused' },
        { expression: of('rackfire_healing_frozen'), legend: 'healing frozen' },
        { expression: `${of('rackfire_breaker_state')} > bool 0`, legend: 'breaker open' },
        { expression: `${of('rackfire_nodes_overdue')} > bool 0`, legend: 'nodes stuck' },
      ],
      [valueTexts({ 0: ['no', 'green'], 1: ['yes', 'red'] })],
    ),
  ],
};

/** A mark at the very second of each decision that changed the count, with its reason. */
function decisionMarks(direction: 'out' | 'in', iconColor: string): AnnotationQueryBuilder {
  const reasons = decidedBy(
    'reason',
    'rackfire_last_scale_decision_timestamp_seconds',
    `direction="${direction}"`,
  );
  return new AnnotationQueryBuilder()
    .name(`Scaled ${direction}`)
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor(iconColor)
    .expr(`1000 * ${reasons}`)
    .step('1s')
    .useValueForTime(true)
    .titleFormat(`Scaled ${direction}: {{reason}}`)
    .target(query(`1000 * ${reasons}`, 0).range());
}

/** The time of a storm, shaded. */
function stormMarks(): AnnotationQueryBuilder {
  const storm = `${of('rackfire_storm')} == 1`;
  return new AnnotationQueryBuilder()
    .name('Storm')
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor('red')
    .expr(storm)
    .step('1s')
    .titleFormat('Storm')
    .target(query(storm, 0).range());
}

export const CLUSTER: DashboardPlan = {
  uid: 'rackfire-cluster',
  title: 'Rackfire / Cluster',
  description: 'One tier of one virtual cluster: what it needs, what it has, and why.',
  variables: [
    nameVariable({
      name: 'cluster',
      label: 'Cluster',
      of: 'cluster',
      selector: 'rackfire_nodes_desired',
    }),
    nameVariable({
      name: 'tier',
      label: 'Tier',
      of: 'tier',
      selector: 'rackfire_nodes_desired{cluster="$cluster"}',
    }),
  ],
  annotations: [stormMarks(), decisionMarks('out', 'blue'), decisionMarks('in', 'purple')],
  sections: [NOW, LOAD, VISITORS, COMING],
};
