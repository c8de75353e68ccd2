import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { SECTIONS } from '../../src/telemetry/catalog.ts';
import { promtool } from './promtool.ts';

const root = resolve(import.meta.dirname, '../..');
const rulesFile = join(root, 'dashboards/alerts.yaml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

const { groups } = parse(await readFile(rulesFile, 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');

/** In promtool's notation: `1x5` is six times 1, `_` no sample. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly alert: string;
  readonly situation: string;
  readonly series: Series;
  /** From sample to sample, and from evaluation to evaluation; a minute where it is left out. */
  readonly step?: string;
  readonly at: string;
  /** Labels beside the severity, and the summary; nothing fires where it is left out. */
  readonly fires?: { readonly labels?: Readonly<Record<string, string>>; readonly summary: string };
}

const JOB = { job: 'rackfire' };
const WEB = { ...JOB, cluster: 'news', tier: 'web' };
const web = (name: string, more = ''): string =>
  `rackfire_${name}{cluster="news",tier="web",job="rackfire",instance="a"${more}}`;
const own = (name: string, instance = 'a'): string =>
  `rackfire_${name}{job="rackfire",instance="${instance}"}`;

const CASES: readonly Case[] = [
  {
    alert: 'RackfireNoLeader',
    situation: 'neither of two leads',
    series: { [own('leader')]: '1 0x5', [own('leader', 'b')]: '0x6' },
    at: '3m',
    fires: {
      labels: JOB,
      summary: 'No Rackfire acts; the site stays as large as it is.',
    },
  },
  {
    alert: 'RackfireNoLeader',
    situation: 'nothing is scraped',
    series: { [own('leader')]: '1 _x20' },
    at: '15m',
    fires: { summary: 'No Rackfire acts; the site stays as large as it is.' },
  },
  {
    alert: 'RackfireNoLeader',
    situation: 'the other one has taken over',
    series: { [own('leader')]: '1 0x5', [own('leader', 'b')]: '0 1x5' },
    at: '5m',
  },
  {
    alert: 'RackfireReplicaMissing',
    situation: 'the one that stood by is gone',
    series: {
      [own('leader')]: '1x15',
      [own('leader', 'b')]: '0x2 stale',
      [own('leadership_shared')]: '1x15',
    },
    at: '14m',
    fires: {
      labels: JOB,
      summary: 'No other Rackfire stands by; when the one that is left dies, none acts.',
    },
  },
  {
    alert: 'RackfireReplicaMissing',
    situation: 'both are there, and another installation has one',
    series: {
      [own('leader')]: '1x15',
      [own('leader', 'b')]: '0x15',
      [own('leadership_shared')]: '1x15',
      [own('leadership_shared', 'b')]: '1x15',
      'rackfire_leader{job="other",instance="c"}': '1x15',
      'rackfire_leadership_shared{job="other",instance="c"}': '0x15',
    },
    at: '14m',
  },
  {
    alert: 'RackfireReplicaMissing',
    situation: 'its pod moves to another machine, which takes some minutes',
    series: {
      [own('leader')]: '1x15',
      [own('leader', 'b')]: '0x2 stale',
      [own('leadership_shared')]: '1x15',
    },
    at: '9m',
  },
  {
    alert: 'RackfireReplicaMissing',
    situation: 'with a lock file there is one',
    series: { [own('leader')]: '1x15', [own('leadership_shared')]: '0x15' },
    at: '14m',
  },
  {
    alert: 'RackfireLoopStale',
    situation: 'the last tick was long ago',
    series: { [own('last_tick_timestamp_seconds')]: '0 60 60x8' },
    at: '3m',
    fires: {
      labels: { ...JOB, instance: 'a' },
      summary: 'The loop of Rackfire at a does not turn.',
    },
  },
  {
    alert: 'RackfireLoopStale',
    situation: 'it ticks',
    series: { [own('last_tick_timestamp_seconds')]: '0+60x10' },
    at: '8m',
  },
  {
    alert: 'RackfireStorm',
    situation: 'it is detected',
    series: { [web('storm')]: '0 1x3' },
    at: '2m',
    fires: { labels: WEB, summary: 'A storm at news/web; nodes are ordered ahead of it.' },
  },
  {
    alert: 'RackfireStorm',
    situation: 'it is over, or not known',
    series: { [web('storm')]: '0 1 1 NaN 0 0' },
    at: '3m',
  },
  {
    alert: 'RackfireSignalStale',
    situation: 'the rate is not known',
    series: {
      [web('signal_ok', ',signal="request-rate"')]: '1 0x8',
      [web('signal_ok', ',signal="queue"')]: '1x9',
    },
    at: '6m',
    fires: {
      labels: { ...WEB, signal: 'request-rate' },
      summary: 'The request-rate of news/web is not known well enough to let nodes go.',
    },
  },
  {
    alert: 'RackfireSignalStale',
    situation: 'the one that leads does not know it, and the one that stands by does',
    series: {
      [web('signal_ok', ',signal="queue"')]: '1 0x8',
      'rackfire_signal_ok{cluster="news",tier="web",signal="queue",job="rackfire",instance="b"}':
        '1x9',
    },
    at: '6m',
    fires: {
      labels: { ...WEB, signal: 'queue' },
      summary: 'The queue of news/web is not known well enough to let nodes go.',
    },
  },
  {
    alert: 'RackfireSignalStale',
    situation: 'a balancer was reloaded a minute ago',
    series: { [web('signal_ok', ',signal="request-rate"')]: '1 1 1 0 0 1 0 0 1' },
    at: '7m',
  },
  {
    alert: 'RackfireAtMaximum',
    situation: 'the need is beyond it',
    series: { [web('nodes_needed')]: '8.25x10', [web('nodes_max')]: '8x10' },
    at: '6m',
    fires: {
      labels: WEB,
      summary: 'news/web needs 8.2 nodes, which is more than its maximum.',
    },
  },
  {
    alert: 'RackfireAtMaximum',
    situation: 'just enough, and then nothing is known',
    series: { [web('nodes_needed')]: `8x8${' NaN'.repeat(8)}`, [web('nodes_max')]: '8x16' },
    at: '14m',
  },
  {
    alert: 'RackfireNodesMissing',
    situation: 'no host has room',
    series: { [web('nodes_missing', ',reason="no-host"')]: '0 3x5', [own('leader')]: '1x6' },
    at: '4m',
    fires: {
      labels: { ...WEB, reason: 'no-host' },
      summary: 'news/web needs 3 more nodes and there is no place for them (no-host).',
    },
  },
  {
    alert: 'RackfireNodesMissing',
    situation: 'it stands by, and does not know that the tier is held',
    series: {
      [web('nodes_missing', ',reason="no-host"')]: '3x6',
      [own('leader')]: '0x6',
      [own('leader', 'b')]: '1x6',
    },
    at: '4m',
  },
  {
    alert: 'RackfireNodesMissing',
    situation: 'the maximum is what lacks, or the breaker, which have alerts of their own',
    series: {
      [web('nodes_missing', ',reason="no-host"')]: '0 3 0x5',
      [web('nodes_missing', ',reason="maximum"')]: '3x6',
      [web('nodes_missing', ',reason="breaker"')]: '3x6',
      [own('leader')]: '1x6',
    },
    at: '6m',
  },
  {
    alert: 'RackfireBreakerOpen',
    situation: 'that of a tier',
    series: { [web('breaker_state')]: '0 2' },
    at: '1m',
    fires: {
      labels: WEB,
      summary: 'So many boots have failed that none is made for news/web.',
    },
  },
  {
    alert: 'RackfireBreakerOpen',
    situation: 'that of a host',
    series: { 'rackfire_host_breaker_state{host="xen-a",job="rackfire",instance="a"}': '0 2' },
    at: '1m',
    fires: {
      labels: { ...JOB, host: 'xen-a' },
      summary: 'So many boots have failed that none is made on host xen-a.',
    },
  },
  {
    alert: 'RackfireBreakerOpen',
    situation: 'one boot after the other is tried, and fails',
    series: { [web('breaker_state')]: '2x5 1x4 2x5' },
    at: '8m',
    fires: {
      labels: WEB,
      summary: 'So many boots have failed that none is made for news/web.',
    },
  },
  {
    alert: 'RackfireBreakerOpen',
    situation: 'nothing has failed for a while, and nothing has had to be booted',
    series: { [web('breaker_state')]: '2x5 1x12' },
    at: '16m',
  },
  {
    alert: 'RackfireBreakerOpen',
    situation: 'one boot is tried',
    series: { [web('breaker_state')]: '0 1' },
    at: '1m',
  },
  {
    alert: 'RackfireBootsSlow',
    situation: 'they take more than four fifths of their deadline',
    series: { [web('boot_time_seconds')]: '97x10', [web('boot_deadline_seconds')]: '120x10' },
    at: '6m',
    fires: {
      labels: WEB,
      summary: 'Nodes of news/web take 97 s to serve, near to the deadline of a boot.',
    },
  },
  {
    alert: 'RackfireBootsSlow',
    situation: 'they take just that',
    series: { [web('boot_time_seconds')]: '96x10', [web('boot_deadline_seconds')]: '120x10' },
    at: '6m',
  },
  {
    alert: 'RackfireNodeStuck',
    situation: 'one is overdue',
    series: { [web('nodes_overdue')]: '0 1' },
    at: '1m',
    fires: { labels: WEB, summary: '1 nodes of news/web neither come nor go.' },
  },
  {
    alert: 'RackfireNodeStuck',
    situation: 'many nodes boot',
    series: { [web('nodes_overdue')]: '0x5', [web('nodes', ',phase="booting"')]: '9x5' },
    at: '4m',
  },
  {
    alert: 'RackfireOrphans',
    situation: 'they stay',
    series: { 'rackfire_host_orphans{host="xen-a",job="rackfire",instance="a"}': '0 2x15' },
    at: '12m',
    fires: {
      labels: { ...JOB, host: 'xen-a' },
      summary: '2 domains on xen-a belong to no tier of the config.',
    },
  },
  {
    alert: 'RackfireOrphans',
    situation: 'they are gone after some minutes',
    series: { 'rackfire_host_orphans{host="xen-a",job="rackfire",instance="a"}': '0 2x8 0x10' },
    at: '15m',
  },
  {
    alert: 'RackfireDrainForced',
    situation: 'once',
    series: { [web('drains_forced_total')]: '0x5 1x5' },
    at: '8m',
    fires: {
      labels: WEB,
      summary: 'A node of news/web was destroyed with requests on it.',
    },
  },
  {
    alert: 'RackfireDrainForced',
    situation: 'long ago',
    series: { [web('drains_forced_total')]: '0 1x30' },
    at: '25m',
  },
  {
    alert: 'RackfireFlapping',
    situation: 'out and in every four minutes',
    series: {
      [web('scale_reversals_total')]: '0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4 5 5 5 5 6 6 6 6 7',
      [own('leader')]: '1x29',
    },
    at: '28m',
    fires: {
      labels: WEB,
      summary: 'news/web has changed its direction 7 times within an hour.',
    },
  },
  {
    alert: 'RackfireFlapping',
    situation: 'two storms within an hour',
    series: {
      [web('scale_reversals_total')]: '0x5 1x10 2x10 3x10 4x25',
      [own('leader')]: '1x60',
    },
    at: '59m',
  },
  {
    alert: 'RackfireHostLossNotCovered',
    situation: 'the other hosts are full',
    series: { [own('host_loss_covered')]: '1 0x12' },
    at: '12m',
    fires: {
      labels: JOB,
      summary: 'If one host died now, the minimum of some tier would have no room.',
    },
  },
  {
    alert: 'RackfireHostLossNotCovered',
    situation: 'one of two sees less room than the other',
    series: { [own('host_loss_covered')]: '1x13', [own('host_loss_covered', 'b')]: '0x13' },
    at: '12m',
    fires: {
      labels: JOB,
      summary: 'If one host died now, the minimum of some tier would have no room.',
    },
  },
  {
    alert: 'RackfireHostLossNotCovered',
    situation: 'there is one host, so that nothing is provided for',
    series: { [own('host_loss_covered')]: 'NaN '.repeat(15).trim() },
    at: '14m',
  },
  {
    alert: 'RackfireHeadroomLow',
    situation: 'one more fits',
    series: { 'rackfire_capacity_nodes{size="small",job="rackfire",instance="a"}': '1x15' },
    at: '12m',
    fires: {
      labels: { ...JOB, size: 'small' },
      summary: 'Only 1 more nodes of size small fit on the hosts.',
    },
  },
  {
    alert: 'RackfireHeadroomLow',
    situation: 'two more fit',
    series: { 'rackfire_capacity_nodes{size="small",job="rackfire",instance="a"}': '2x15' },
    at: '12m',
  },
  {
    alert: 'RackfireHostUnreachable',
    situation: 'one of two reaches it and the other does not',
    series: {
      'rackfire_source_up{kind="host",name="xen-a",job="rackfire",instance="a"}': '0x5',
      'rackfire_source_up{kind="host",name="xen-a",job="rackfire",instance="b"}': '1x5',
    },
    at: '3m',
    fires: { labels: { ...JOB, name: 'xen-a' }, summary: 'Host xen-a does not answer.' },
  },
  {
    alert: 'RackfireHostUnreachable',
    situation: 'for two minutes',
    series: { 'rackfire_source_up{kind="host",name="xen-a",job="rackfire",instance="a"}': '1 0x4' },
    at: '3m',
    fires: { labels: { ...JOB, name: 'xen-a' }, summary: 'Host xen-a does not answer.' },
  },
  {
    alert: 'RackfireHostUnreachable',
    situation: 'a balancer does not answer, which is another alert',
    series: {
      'rackfire_source_up{kind="host",name="xen-a",job="rackfire",instance="a"}': '1x5',
      'rackfire_source_up{kind="balancer",name="lb-a",job="rackfire",instance="a"}': '0x5',
    },
    at: '4m',
  },
  {
    alert: 'RackfireBalancerUnreachable',
    situation: 'one of two reaches it and the other does not',
    series: {
      'rackfire_source_up{kind="balancer",name="lb-a",job="rackfire",instance="a"}': '0x5',
      'rackfire_source_up{kind="balancer",name="lb-a",job="rackfire",instance="b"}': '1x5',
    },
    at: '3m',
    fires: { labels: { ...JOB, name: 'lb-a' }, summary: 'Balancer lb-a does not answer.' },
  },
  {
    alert: 'RackfireBalancerUnreachable',
    situation: 'for two minutes',
    series: {
      'rackfire_source_up{kind="balancer",name="lb-a",job="rackfire",instance="a"}': '1 0x4',
    },
    at: '3m',
    fires: { labels: { ...JOB, name: 'lb-a' }, summary: 'Balancer lb-a does not answer.' },
  },
  {
    alert: 'RackfireBalancerUnreachable',
    situation: 'it answers again',
    series: {
      'rackfire_source_up{kind="balancer",name="lb-a",job="rackfire",instance="a"}':
        '1 0 1 0 1 0 1',
    },
    at: '5m',
  },
  {
    alert: 'RackfireHealingFrozen',
    situation: 'for two minutes',
    series: { [web('healing_frozen')]: '0 1x4' },
    at: '3m',
    fires: {
      labels: WEB,
      summary: 'So many nodes of news/web fail their checks at once that none is replaced.',
    },
  },
  {
    alert: 'RackfireHealingFrozen',
    situation: 'for a moment',
    series: { [web('healing_frozen')]: '0 1 0x4' },
    at: '3m',
  },
  {
    alert: 'RackfirePausedForADay',
    situation: 'by one pause after the other',
    series: { [web('paused')]: '0 1x300' },
    step: '5m',
    at: '1450m',
    fires: { labels: WEB, summary: 'news/web has been paused for a day.' },
  },
  {
    alert: 'RackfirePausedForADay',
    situation: 'for a night',
    series: { [web('paused')]: '0 1x150 0 1x150' },
    step: '5m',
    at: '1450m',
  },
  {
    alert: 'RackfireConfigRefused',
    situation: 'the mistake stays',
    series: { [own('config_ok')]: '1 0x4' },
    at: '3m',
    fires: {
      labels: { ...JOB, instance: 'a' },
      summary: 'The config file of Rackfire at a has a mistake; the last good one is in force.',
    },
  },
  {
    alert: 'RackfireConfigRefused',
    situation: 'it was mended at once',
    series: { [own('config_ok')]: '1 0 1x4' },
    at: '3m',
  },
  {
    alert: 'RackfireJournalNotWritten',
    situation: 'the disk of the leader is full',
    series: { [own('journal_ok')]: '1 0x4', [own('leader')]: '1x5' },
    at: '3m',
    fires: {
      labels: { ...JOB, instance: 'a' },
      summary: 'Rackfire at a does not keep what happens.',
    },
  },
  {
    alert: 'RackfireJournalNotWritten',
    situation: 'the journal is the leader’s, and this is another one',
    series: { [own('journal_ok')]: '0x5', [own('leader')]: '0x5' },
    at: '3m',
  },
  {
    alert: 'RackfireErrorLogged',
    situation: 'one',
    series: { 'rackfire_log_lines_total{level="error",job="rackfire",instance="a"}': '0x3 1x5' },
    at: '5m',
    fires: {
      labels: JOB,
      summary: 'Rackfire has logged an error, which means that a person has to act.',
    },
  },
  {
    alert: 'RackfireErrorLogged',
    situation: 'warnings alone',
    series: {
      'rackfire_log_lines_total{level="warn",job="rackfire",instance="a"}': '0+1x9',
      'rackfire_log_lines_total{level="error",job="rackfire",instance="a"}': '1x9',
    },
    at: '5m',
  },
];

/** As promtool takes it. @param jobs - Of installations with clusters, hosts and Rackfires of the same names. */
function describeCase(
  { alert, series, step = '1m', at, fires }: Case,
  jobs: readonly string[] = [JOB.job],
): string {
  const { labels, annotations } = ruleOf(alert);
  const expected = jobs.flatMap((job) =>
    fires === undefined
      ? []
      : {
          exp_labels: {
            severity: labels.severity,
            ...fires.labels,
            ...(fires.labels?.['job'] === undefined ? {} : { job }),
          },
          exp_annotations: { summary: fires.summary, runbook_url: annotations.runbook_url },
        },
  );
  const input = jobs.flatMap((job) =>
    Object.entries(series).map(([name, values]) => ({
      series: name.replace(`job="${JOB.job}"`, `job="${job}"`),
      values,
    })),
  );
  return stringify({
    rule_files: [rulesFile],
    evaluation_interval: step,
    tests: [
      {
        interval: step,
        input_series: input,
        alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
      },
    ],
  });
}

/** That the rules do what a case says. */
async function expectOf(text: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-alert-'));
  try {
    const file = join(folder, 'case.yaml');
    await writeFile(file, text);
    const { code, said } = await promtool(['test', 'rules', file]);
    expect(said).toContain('SUCCESS');
    expect(code).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function ruleOf(alert: string): Rule {
  const rule = rules.find((one) => one.alert === alert);
  if (rule === undefined) {
    throw new Error(`no rule ${alert}`);
  }
  return rule;
}

describe.each(rules.map(({ alert }) => alert))('%s', (alert) => {
  const cases = CASES.filter((one) => one.alert === alert);

  test('has a case that fires and one that does not', () => {
    expect(new Set(cases.map(({ fires }) => fires !== undefined))).toEqual(new Set([true, false]));
  });

  test.each(cases.map((one) => ({ ...one, does: one.fires ? 'fires' : 'is silent' })))(
    '$does: $situation',
    async (one) => {
      await expectOf(describeCase(one));
    },
  );

  test('fires for each of two installations that have the same names and another job', async () => {
    const [both] = cases.filter(({ fires }) => fires?.labels?.['job'] !== undefined);
    expect(both).toBeDefined();
    await expectOf(describeCase(both!, [JOB.job, 'elsewhere']));
  });

  test('asks for metrics that there are', () => {
    const known = SECTIONS.flatMap(({ metrics }) => metrics).map(({ name }) => name);
    const asked = ruleOf(alert).expr.match(/rackfire_[a-z0-9_]+/g) ?? [];
    expect(asked.length).toBeGreaterThan(0);
    expect(known).toEqual(expect.arrayContaining([...new Set(asked)]));
  });

  test('has a severity, and a heading in the runbook with all that it needs', () => {
    const { labels, annotations } = ruleOf(alert);
    expect(['critical', 'warning', 'info']).toContain(labels.severity);
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    const section = runbook.split(/^## /m).find((text) => text.startsWith(`${alert}\n`));
    for (const part of ['Meaning', 'Impact', 'Look at', 'Do']) {
      expect(section, part).toContain(`**${part}.**`);
    }
  });
});

test('promtool takes the rules', async () => {
  expect(await promtool(['check', 'rules', rulesFile])).toMatchObject({ code: 0 });
});

test('the runbook has no heading of an alert that is gone', () => {
  const headings = [...runbook.matchAll(/^## (Rackfire\w+)$/gm)].map(([, name]) => name);
  expect(new Set(headings)).toEqual(new Set(rules.map(({ alert }) => alert)));
});
