/** What single panels show in situations that a storm of the demo does not have, worked out by promtool. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type DASHBOARD_NAMES, interpolate, readDashboard } from './dashboard-file.ts';
import { promtool } from './promtool.ts';

interface Case {
  readonly situation: string;
  readonly dashboard: (typeof DASHBOARD_NAMES)[number];
  readonly panel: string;
  /** In promtool's notation, scraped each minute: one value is what stands at the first scrape. */
  readonly series: Readonly<Record<string, string>>;
  /** The first scrape where it is left out. */
  readonly at?: string;
  readonly shows: readonly { readonly labels: string; readonly value: number }[];
}

const CASES: readonly Case[] = [
  {
    situation: 'a storm, beside a tier that does not look ahead',
    dashboard: 'fleet.json',
    panel: 'Storms',
    series: {
      'rackfire_storm{cluster="news",tier="web"}': '1',
      'rackfire_storm{cluster="sports",tier="web"}': 'NaN',
    },
    shows: [{ labels: '{}', value: 1 }],
  },
  {
    situation: 'a host that one of two Rackfires does not reach',
    dashboard: 'fleet.json',
    panel: 'Hosts that answer',
    series: {
      'rackfire_source_up{kind="host",name="xen-a",instance="a"}': '0',
      'rackfire_source_up{kind="host",name="xen-a",instance="b"}': '1',
    },
    shows: [{ labels: '{name="xen-a"}', value: 0 }],
  },
  {
    situation: 'a tier that is held, of which the one that stands by does not know',
    dashboard: 'cluster.json',
    panel: 'Desired',
    series: {
      'rackfire_leader{job="rackfire",instance="a"}': '1',
      'rackfire_leader{job="rackfire",instance="b"}': '0',
      'rackfire_nodes_desired{cluster="news",tier="web",job="rackfire",instance="a"}': '4',
      'rackfire_nodes_desired{cluster="news",tier="web",job="rackfire",instance="b"}': '9',
    },
    shows: [{ labels: '{}', value: 4 }],
  },
  {
    situation: 'a boot that has failed, as both of two Rackfires see',
    dashboard: 'fleet.json',
    panel: 'Boots that ended',
    series: {
      'rackfire_leader{job="rackfire",instance="a"}': '1x4',
      'rackfire_leader{job="rackfire",instance="b"}': '0x4',
      'rackfire_boots_total{host="xen-a",result="served",job="rackfire",instance="a"}': '0 1x3',
      'rackfire_boots_total{host="xen-b",result="served",job="rackfire",instance="a"}': '0 1x3',
      'rackfire_boots_total{host="xen-a",result="failed",job="rackfire",instance="a"}': '0 1x3',
      'rackfire_boots_total{host="xen-a",result="failed",job="rackfire",instance="b"}': '0 1x3',
    },
    at: '4m',
    shows: [
      { labels: '{result="failed"}', value: 1 },
      { labels: '{result="served"}', value: 2 },
    ],
  },
  {
    situation: 'two Rackfires that decide each second, of which one leads',
    dashboard: 'itself.json',
    panel: 'Decisions by reason',
    series: {
      'rackfire_leader{job="rackfire",instance="a"}': '1x4',
      'rackfire_leader{job="rackfire",instance="b"}': '0x4',
      'rackfire_decisions_total{direction="none",reason="held",job="rackfire",instance="a"}':
        '0+60x4',
      'rackfire_decisions_total{direction="out",reason="recommended",job="rackfire",instance="a"}':
        '6x4',
      'rackfire_decisions_total{direction="none",reason="converged",job="rackfire",instance="b"}':
        '0+60x4',
    },
    at: '4m',
    shows: [
      { labels: '{reason="held"}', value: 1 },
      { labels: '{reason="recommended"}', value: 0 },
    ],
  },
];

const CHOICE = {
  'cluster.json': { cluster: 'news', tier: 'web' },
  'fleet.json': { cluster: '.+', __rate_interval: '4m' },
  'itself.json': { __rate_interval: '4m' },
};

test.each(CASES)('$panel: $situation', async ({ dashboard, panel, series, at = '0m', shows }) => {
  const { panels } = await readDashboard(dashboard);
  const [target] = panels.find(({ title }) => title === panel)?.targets ?? [];
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-panel-'));
  try {
    const file = join(folder, 'case.yaml');
    const input = Object.entries(series).map(([name, value]) => ({ series: name, values: value }));
    const asked = {
      expr: interpolate(target?.expr ?? '', CHOICE[dashboard]),
      eval_time: at,
      exp_samples: shows,
    };
    await writeFile(
      file,
      stringify({ tests: [{ interval: '1m', input_series: input, promql_expr_test: [asked] }] }),
    );
    expect((await promtool(['test', 'rules', file])).said).toContain('SUCCESS');
  } finally {
    await rm(folder, { recursive: true });
  }
});
