/** Rackfire itself: whether its loop turns, what it hears, what it does, and what goes wrong. */

import {
  BytesIEC,
  NoUnit,
  OpsPerSecond,
  PercentUnit,
  Seconds,
} from '@grafana/grafana-foundation-sdk/units';
import type { DashboardPlan, Section } from './create-dashboard.ts';
import { colorSteps, lines, stat, states, valueTexts } from './panels.ts';
import { ofLeader, UP_TEXTS } from './words.ts';

/** Of what was observed in the whole time shown: what is measured here is too rare for a rate. */
function quantile(share: number, histogram: string, label: string, labels = ''): string {
  const increase = `increase(${histogram}_bucket{${labels}}[$__range])`;
  // Without what was not observed, whose quantile is NaN.
  return `histogram_quantile(${share}, sum by (le, ${label}) (${increase})) >= 0`;
}

function recentQuantile(share: number, histogram: string, ...labels: readonly string[]): string {
  const rate = `rate(${histogram}_bucket[$__rate_interval])`;
  return `histogram_quantile(${share}, sum by (${['le', ...labels].join(', ')}) (${rate}))`;
}

/** Other programs have metrics of these names, too. */
const OF_RACKFIRE = 'and on (job, instance) rackfire_build_info';

const DONE = 'rackfire_action_duration_seconds_count{result="done"}';

const OK_TEXTS = valueTexts({ 0: ['no', 'red'], 1: ['yes', 'green'] });

const NOW: Section = {
  title: 'Now',
  panels: [
    stat(
      {
        title: 'Version',
        description: 'Of every Rackfire that is scraped.',
        unit: NoUnit,
        span: 3,
      },
      [
        {
          expression: 'max by (version) (rackfire_build_info)',
          legend: '{{version}}',
          color: 'blue',
        },
      ],
      { showsName: true },
    ),
    stat(
      {
        title: 'Leads',
        description: 'Which of several Rackfires leads; only that one acts.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfireNoLeader', 'RackfireReplicaMissing'],
      },
      [{ expression: 'rackfire_leader', legend: '{{instance}}' }],
      { mappings: [valueTexts({ 0: ['stands by', 'orange'], 1: ['leads', 'green'] })] },
    ),
    stat(
      {
        title: 'Term',
        description:
          'Number of the term of the leader: one more with each that begins to lead. Hosts refuse orders of an older one.',
        unit: NoUnit,
        span: 3,
      },
      [{ expression: 'max(rackfire_leader_term)', legend: 'term', color: 'blue' }],
    ),
    stat(
      {
        title: 'Since the last tick',
        description:
          'The loop turns once a second. Older than some seconds: it hangs, or no balancer answers.',
        unit: Seconds,
        span: 4,
        decimals: 1,
        alerts: ['RackfireLoopStale'],
        thresholds: colorSteps('green', [5, 'orange'], [15, 'red']),
      },
      [{ expression: 'max(time() - rackfire_last_tick_timestamp_seconds)', legend: 'age' }],
    ),
    stat(
      {
        title: 'Config is in force',
        description:
          'No: the file was refused and the last good one stays. `rackfire check -c FILE` and the log say line and column.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireConfigRefused'],
      },
      [{ expression: 'min(rackfire_config_ok)', legend: 'config' }],
      { mappings: [OK_TEXTS] },
    ),
    stat(
      {
        title: 'Journal is written',
        description:
          'No: scaling goes on, but what happens is not kept for `explain` and restarts.',
        unit: NoUnit,
        span: 3,
        alerts: ['RackfireJournalNotWritten'],
      },
      [{ expression: 'min(rackfire_journal_ok)', legend: 'journal' }],
      { mappings: [OK_TEXTS] },
    ),
    stat(
      {
        title: 'Overrides in force',
        description:
          'What operators have said for a while: `rackfire status` lists them with their reasons.',
        unit: NoUnit,
        span: 4,
        alerts: ['RackfirePausedForADay'],
        thresholds: colorSteps('green', [1, 'orange']),
      },
      [{ expression: 'sum(max by (kind) (rackfire_overrides))', legend: 'overrides' }],
    ),
  ],
};

const LOOP: Section = {
  title: 'The loop',
  panels: [
    lines(
      {
        title: 'Time that one tick takes',
        description:
          'Of one cluster, without waiting for anything. Should stay far below a second.',
        unit: Seconds,
        span: 8,
      },
      [
        {
          expression: recentQuantile(0.99, 'rackfire_tick_duration_seconds'),
          legend: '99 %',
          color: 'orange',
        },
        {
          expression: recentQuantile(0.5, 'rackfire_tick_duration_seconds'),
          legend: 'median',
          color: 'blue',
          lineWidth: 2,
        },
      ],
    ),
    lines(
      {
        title: 'Decisions by reason',
        description:
          'Decisions of all tiers per second, by what had the last word, of the Rackfire that leads. Mostly converged in calm hours.',
        unit: OpsPerSecond,
        span: 8,
      },
      [
        {
          expression: `sum by (reason) (${ofLeader('rate(rackfire_decisions_total[$__rate_interval])')})`,
          legend: '{{reason}}',
        },
      ],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Actions by kind',
        description:
          'Actions per second that were carried out with success, on hosts and balancers.',
        unit: OpsPerSecond,
        span: 8,
      },
      [
        {
          expression: `sum by (kind) (rate(${DONE}[$__rate_interval])) and on (kind) (sum by (kind) (increase(${DONE}[$__range])) > 0)`,
          legend: '{{kind}}',
        },
      ],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Memory',
        description: 'Of the process. It should stay level: what is remembered is bounded.',
        unit: BytesIEC,
        span: 12,
        height: 7,
      },
      [{ expression: `process_resident_memory_bytes ${OF_RACKFIRE}`, legend: '{{instance}}' }],
    ),
    lines(
      {
        title: 'Processor time',
        description: 'Of the process, as a share of one core.',
        unit: PercentUnit,
        span: 12,
        height: 7,
      },
      [
        {
          expression: `rate(process_cpu_seconds_total[$__rate_interval]) ${OF_RACKFIRE}`,
          legend: '{{instance}}',
        },
      ],
    ),
  ],
};

const SOURCES: Section = {
  title: 'What it hears: hosts by SSH, balancers by socket or HTTP',
  panels: [
    states(
      {
        title: 'Hosts and balancers that answer',
        description:
          'One line each. What a silent one knew last grows stale, then unknown, and unknown shrinks nothing.',
        unit: NoUnit,
        span: 8,
        height: 9,
        alerts: ['RackfireHostUnreachable', 'RackfireBalancerUnreachable'],
      },
      [
        {
          expression: 'min by (kind, name) (rackfire_source_up)',
          legend: '{{kind}} {{name}}',
        },
      ],
      [UP_TEXTS],
    ),
    lines(
      {
        title: 'The latest question to each',
        description:
          'How long it took, answered or not. One host or balancer that is slower than the others stands out here.',
        unit: Seconds,
        span: 8,
      },
      [
        {
          expression: 'max by (kind, name) (rackfire_source_last_ask_duration_seconds)',
          legend: '{{kind}} {{name}}',
        },
      ],
    ),
    lines(
      {
        title: 'How long a question takes',
        description:
          'By SSH to a Xen host, by socket or HTTP to a balancer: the slowest 1 %, and the median.',
        unit: Seconds,
        span: 8,
      },
      [
        {
          expression: recentQuantile(0.99, 'rackfire_source_ask_duration_seconds', 'kind'),
          legend: '{{kind}} 99 %',
        },
        {
          expression: recentQuantile(0.5, 'rackfire_source_ask_duration_seconds', 'kind'),
          legend: '{{kind}} median',
        },
      ],
    ),
  ],
};

const ACTIONS: Section = {
  title: 'How long things take (all clusters, over the time shown)',
  panels: [
    stat(
      {
        title: 'Time to serve, median',
        description: 'From the order of a node to its first passed check, by how it came.',
        unit: Seconds,
        span: 6,
        decimals: 1,
      },
      [
        {
          expression: quantile(0.5, 'rackfire_time_to_serve_seconds', 'start'),
          legend: '{{start}}',
          color: 'blue',
        },
      ],
    ),
    stat(
      {
        title: 'Time to serve, slowest 5 %',
        description: 'What a storm has to wait for. The boot deadline must leave room above it.',
        unit: Seconds,
        span: 6,
        decimals: 1,
        alerts: ['RackfireBootsSlow'],
      },
      [
        {
          expression: quantile(0.95, 'rackfire_time_to_serve_seconds', 'start'),
          legend: '{{start}}',
          color: 'orange',
        },
      ],
    ),
    stat(
      {
        title: 'Time in a passing phase, slowest 5 %',
        description: 'How long nodes stayed in a phase that they left.',
        unit: Seconds,
        span: 12,
        decimals: 1,
        alerts: ['RackfireNodeStuck'],
      },
      [
        {
          expression: quantile(0.95, 'rackfire_node_phase_duration_seconds', 'phase'),
          legend: '{{phase}}',
          color: 'blue',
        },
      ],
    ),
    stat(
      {
        title: 'Time of an action, slowest 5 %',
        description:
          'At hosts (boot, wake, pause, save, destroy) and at balancers (admit, warm, drain, park, repair).',
        unit: Seconds,
        span: 24,
        decimals: 2,
      },
      [
        {
          expression: quantile(0.95, 'rackfire_action_duration_seconds', 'kind', 'result="done"'),
          legend: '{{kind}}',
          color: 'blue',
        },
      ],
    ),
  ],
};

const ERRORS: Section = {
  title: 'What goes wrong',
  panels: [
    lines(
      {
        title: 'Actions that failed',
        description: 'Per second, by kind. What keeps failing stands in `rackfire status`.',
        unit: OpsPerSecond,
        span: 6,
      },
      [
        {
          expression:
            'sum by (kind) (rate(rackfire_action_duration_seconds_count{result="failed"}[$__rate_interval]))',
          legend: '{{kind}}',
        },
      ],
      { isStacked: true, drawsBars: true },
    ),
    lines(
      {
        title: 'Warnings and errors in the log',
        description: 'Lines. error: a person must act now; warn: look tomorrow.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireErrorLogged'],
      },
      [
        {
          expression:
            'sum by (level) (increase(rackfire_log_lines_total{level=~"error|warn"}[$__rate_interval]))',
          legend: '{{level}}',
        },
      ],
      { isStacked: true, drawsBars: true, colors: { error: 'red', warn: 'orange' } },
    ),
    lines(
      {
        title: 'Reloads of the config',
        description: 'By result. Refused: the last good config stays in force.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireConfigRefused'],
      },
      [
        {
          expression: 'sum by (result) (increase(rackfire_config_reloads_total[$__rate_interval]))',
          legend: '{{result}}',
        },
      ],
      {
        isStacked: true,
        drawsBars: true,
        colors: { applied: 'green', unchanged: 'blue', refused: 'red' },
      },
    ),
    lines(
      {
        title: 'Changes of leadership, forced drains',
        description:
          'Leadership that began or ended; nodes that were destroyed with visitors on them, because the drain took longer than its deadline.',
        unit: NoUnit,
        span: 6,
        alerts: ['RackfireDrainForced'],
      },
      [
        {
          expression: 'sum(increase(rackfire_leader_transitions_total[$__rate_interval]))',
          legend: 'leadership',
          color: 'blue',
        },
        {
          expression: 'sum(increase(rackfire_drains_forced_total[$__rate_interval]))',
          legend: 'forced drains',
          color: 'red',
        },
      ],
      { isStacked: true, drawsBars: true },
    ),
  ],
};

export const ITSELF: DashboardPlan = {
  uid: 'rackfire-itself',
  title: 'Rackfire / Itself',
  description: 'Whether the loop turns, what it hears, what it does, and what goes wrong.',
  variables: [],
  annotations: [],
  sections: [NOW, LOOP, SOURCES, ACTIONS, ERRORS],
};
