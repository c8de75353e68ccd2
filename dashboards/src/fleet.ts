/** All clusters, hosts and balancers of an installation at a glance. */

import {
  BytesIEC,
  NoUnit,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
} from '@grafana/grafana-foundation-sdk/units';
import { type DashboardPlan, nameVariable, type Section } from './create-dashboard.ts';
import { colorSteps, lines, stat, states, table, valueTexts } from './panels.ts';
import { BREAKER_TEXTS, FENCED_TEXTS, ofLeader, SYNC_TEXTS, UP_TEXTS } from './words.ts';

const CLUSTERS = 'cluster=~"$cluster"';

/** Of each tier of the chosen clusters; several Rackfires measure the same. */
function each(metric: string, labels = ''): string {
  return `max by (cluster, tier) (${metric}{${CLUSTERS}${labels === '' ? '' : `, ${labels}`}})`;
}

/** What is decided for each. */
function decidedForEach(metric: string): string {
  return `max by (cluster, tier) (${ofLeader(`${metric}{${CLUSTERS}}`)})`;
}

const NOW: Section = {
  title: 'Now',
  panels: [
    stat(
      {
        title: 'Who leads',
        description:
          'Of several Rackfires exactly one leads and acts. With none, nothing scales, though the site runs on as it is.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireNoLeader'],
      },
      [{ expression: 'sum(rackfire_leader)', legend: 'leaders' }],
      {
        mappings: [
          valueTexts({ 0: ['nobody', 'red'], 1: ['one leads', 'green'], 2: ['two lead', 'red'] }),
        ],
      },
    ),
    stat(
      {
        title: 'Nodes in service',
        description: 'In all chosen clusters.',
        unit: NoUnit,
        span: 3,
      },
      [
        {
          expression: `sum(${each('rackfire_nodes', 'phase="in-service"')})`,
          legend: 'in service',
          color: 'green',
        },
      ],
      { showsCurve: true },
    ),
    stat(
      {
        title: 'Storms',
        description: 'Tiers of the chosen clusters in which a storm is detected now.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireStorm'],
        thresholds: colorSteps('green', [1, 'red']),
      },
      // Of a tier that does not look ahead it is NaN, and a sum with that is no number.
      [{ expression: `sum(${each('rackfire_storm')} >= 0)`, legend: 'storms' }],
    ),
    stat(
      {
        title: 'Wanted, cannot be booted',
        description:
          'Nodes that decisions want and that have no place, summed over the chosen clusters.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfireNodesMissing', 'RackfireAtMaximum'],
        thresholds: colorSteps('green', [1, 'red']),
      },
      [
        {
          expression: `sum(max by (cluster, tier, reason) (${ofLeader(`rackfire_nodes_missing{${CLUSTERS}}`)}))`,
          legend: 'missing',
        },
      ],
    ),
    stat(
      {
        title: 'Neither serving nor coming',
        description:
          'Nodes that have failed, are unknown or in conflict, or of which something is left over.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfireNodeStuck'],
        thresholds: colorSteps('green', [1, 'orange']),
      },
      [
        {
          expression: `sum(${each('rackfire_nodes', 'phase=~"failed|unknown|conflict|residue"')})`,
          legend: 'nodes',
        },
      ],
    ),
    stat(
      {
        title: 'Room for more nodes',
        description: 'How many more nodes fit on the hosts now, of the size that fits least often.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfireHeadroomLow'],
        thresholds: colorSteps('red', [2, 'orange'], [4, 'green']),
      },
      [{ expression: 'min(rackfire_capacity_nodes)', legend: 'fit' }],
      { showsCurve: true },
    ),
    stat(
      {
        title: 'A host may be lost',
        description:
          'Whether the base nodes of any one host would fit on the others (N+1). Not known with a single host.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireHostLossNotCovered'],
      },
      [{ expression: 'min(rackfire_host_loss_covered)', legend: 'covered' }],
      { mappings: [valueTexts({ 0: ['not covered', 'red'], 1: ['covered', 'green'] })] },
    ),
  ],
};

const CLUSTER_TABLE: Section = {
  title: 'Clusters',
  panels: [
    table(
      {
        title: 'Clusters and tiers',
        description:
          'Click on a cluster for its own dashboard. Load is requests in relation to what the nodes in service are meant for. Tiers that are only watched (databases) have nodes and nothing else.',
        unit: NoUnit,
        span: 24,
        height: 8,
      },
      {
        keys: { cluster: 'Cluster', tier: 'Tier' },
        url: '/d/rackfire-cluster?var-datasource=${datasource}&var-cluster=${__data.fields.Cluster}&var-tier=${__data.fields.Tier}&${__url_time_range}',
        columns: [
          { name: 'In service', expression: each('rackfire_nodes', 'phase="in-service"') },
          { name: 'Desired', expression: decidedForEach('rackfire_nodes_desired') },
          { name: 'Minimum', expression: each('rackfire_nodes_min') },
          { name: 'Maximum', expression: each('rackfire_nodes_max') },
          { name: 'Standby', expression: each('rackfire_nodes', 'phase="standby"') },
          {
            name: 'Requests',
            unit: RequestsPerSecond,
            decimals: 0,
            expression: each('rackfire_request_rate_rps'),
          },
          {
            name: 'Load',
            unit: PercentUnit,
            decimals: 0,
            thresholds: colorSteps('green', [1, 'orange'], [1.25, 'red']),
            expression: `${each('rackfire_request_rate_rps')} / (${each('rackfire_nodes', 'phase="in-service"')} * ${each('rackfire_target_per_node_rps')})`,
          },
          {
            name: 'Storm',
            mappings: [valueTexts({ 0: ['calm', 'green'], 1: ['storm', 'red'] })],
            expression: each('rackfire_storm'),
          },
          {
            name: 'Waiting',
            thresholds: colorSteps('green', [1, 'orange']),
            expression: each('rackfire_queued_requests'),
          },
          {
            name: 'Response time',
            unit: Seconds,
            expression: each('rackfire_response_time_seconds'),
          },
          {
            name: 'Boots',
            mappings: [BREAKER_TEXTS],
            expression: each('rackfire_breaker_state'),
          },
          {
            name: 'Paused',
            mappings: [valueTexts({ 0: ['no', 'green'], 1: ['paused', 'orange'] })],
            expression: each('rackfire_paused'),
          },
        ],
      },
    ),
    lines(
      {
        title: 'Nodes in service by cluster',
        description: 'Stacked: the whole fleet, and who has how much of it.',
        unit: NoUnit,
        span: 12,
      },
      [
        {
          expression: each('rackfire_nodes', 'phase="in-service"'),
          legend: '{{cluster}}/{{tier}}',
        },
      ],
      { isStacked: true, isStepped: true },
    ),
    lines(
      {
        title: 'Requests by cluster',
        description: 'Requests that arrive per second, stacked.',
        unit: RequestsPerSecond,
        span: 12,
      },
      [{ expression: each('rackfire_request_rate_rps'), legend: '{{cluster}}/{{tier}}' }],
      { isStacked: true },
    ),
  ],
};

const HOSTS: Section = {
  title: 'Hosts',
  panels: [
    lines(
      {
        title: 'Memory in use',
        description:
          'Of what a host has for nodes, its reserve taken off and boots in flight counted. Nothing is ever oversold: at 100 % a host takes no more.',
        unit: PercentUnit,
        span: 8,
        thresholds: colorSteps('green', [0.85, 'orange'], [0.95, 'red']),
      },
      [
        {
          expression:
            '1 - max by (host) (rackfire_host_memory_free_bytes) / max by (host) (rackfire_host_memory_bytes)',
          legend: '{{host}}',
        },
      ],
      { max: 1, isStepped: true },
    ),
    lines(
      {
        title: 'Free memory',
        description: 'For nodes, by host.',
        unit: BytesIEC,
        span: 8,
      },
      [{ expression: 'max by (host) (rackfire_host_memory_free_bytes)', legend: '{{host}}' }],
      { isStacked: true, isStepped: true },
    ),
    lines(
      {
        title: 'How many more nodes fit',
        description:
          'By size, on all hosts together, with room kept for the loss of one; more than 50 are not counted. What stops the next one says `rackfire capacity`.',
        unit: NoUnit,
        span: 8,
        alerts: ['RackfireHeadroomLow', 'RackfireHostLossNotCovered'],
        thresholds: colorSteps('red', [2, 'red']),
      },
      [{ expression: 'min by (size) (rackfire_capacity_nodes)', legend: '{{size}}' }],
      { isStepped: true },
    ),
    states(
      {
        title: 'Hosts that answer',
        description:
          'A silent host is not taken for dead: its nodes are unknown and keep their numbers, and nothing new is placed there.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireHostUnreachable'],
      },
      [
        {
          expression: 'min by (name) (rackfire_source_up{kind="host"})',
          legend: '{{name}}',
        },
      ],
      [UP_TEXTS],
    ),
    states(
      {
        title: 'Hosts that obey the leader',
        description:
          'A new leader shows its term to each host. One that has not acknowledged it may still take orders of the one before: nothing is begun or taken away there.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireHostUnreachable'],
      },
      [{ expression: 'min by (host) (rackfire_host_fenced)', legend: '{{host}}' }],
      [FENCED_TEXTS],
    ),
    states(
      {
        title: 'Boots on each host',
        description: 'After too many failed boots a host rests; then one boot is tried.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireBreakerOpen'],
      },
      [{ expression: 'max by (host) (rackfire_host_breaker_state)', legend: '{{host}}' }],
      [BREAKER_TEXTS],
    ),
    lines(
      {
        title: 'Boots that ended',
        description:
          'Cold boots of all clusters that ended in this time: the node served, or it never did and was given up.',
        unit: NoUnit,
        span: 6,
        height: 6,
        decimals: 0,
      },
      [
        {
          // Whoever stands by sees a failed boot, too.
          expression: `sum by (result) (${ofLeader('increase(rackfire_boots_total[$__rate_interval])')})`,
          legend: '{{result}}',
        },
      ],
      { isStacked: true, drawsBars: true, colors: { served: 'green', failed: 'red' } },
    ),
  ],
};

const BALANCERS: Section = {
  title: 'Balancers, what is left over, standby',
  panels: [
    states(
      {
        title: 'Balancers that answer and agree',
        description:
          'In sync: it answers and has every server as its node is. One that differs is put right at the next tick.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireBalancerUnreachable'],
      },
      [{ expression: 'min by (balancer) (rackfire_balancer_in_sync)', legend: '{{balancer}}' }],
      [SYNC_TEXTS],
    ),
    lines(
      {
        title: 'Reloads and restarts of balancers',
        description: 'As noticed by Rackfire, which then brings back the states that were lost.',
        unit: NoUnit,
        span: 6,
        height: 6,
        decimals: 0,
      },
      [
        {
          expression:
            'max by (balancer) (increase(rackfire_balancer_restarts_total[$__rate_interval]))',
          legend: '{{balancer}}',
        },
      ],
      { isStacked: true, drawsBars: true },
    ),
    lines(
      {
        title: 'Domains that belong to no tier',
        description:
          'Guests with a mark or name of this installation that no tier of the config wants, by host. Nothing touches them.',
        unit: NoUnit,
        span: 6,
        height: 6,
        alerts: ['RackfireOrphans'],
      },
      [{ expression: 'max by (host) (rackfire_host_orphans)', legend: '{{host}}' }],
      { isStacked: true, isStepped: true },
    ),
    lines(
      {
        title: 'Standby nodes of all clusters',
        description: 'Nodes that are woken before any is booted, and how many are wanted.',
        unit: NoUnit,
        span: 6,
        height: 6,
      },
      [
        {
          expression: `sum(${each('rackfire_nodes', 'phase="standby"')})`,
          legend: 'standby',
          color: 'blue',
          fillPercent: 20,
        },
        {
          expression: `sum(${decidedForEach('rackfire_nodes_standby_target')})`,
          legend: 'wanted',
          color: 'text',
          isDashed: true,
        },
      ],
      { isStepped: true },
    ),
  ],
};

export const FLEET: DashboardPlan = {
  uid: 'rackfire-fleet',
  title: 'Rackfire / Fleet',
  description: 'All clusters, hosts and balancers of an installation at a glance.',
  variables: [
    nameVariable({
      name: 'cluster',
      label: 'Clusters',
      of: 'cluster',
      selector: 'rackfire_nodes',
      multi: true,
    }),
  ],
  annotations: [],
  sections: [NOW, CLUSTER_TABLE, HOSTS, BALANCERS],
};
