/** What single panels show in situations that a storm of the demo does not have, worked out by promtool. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { interpolate, readDashboard } from './dashboard-file.ts';
import { promtool } from './promtool.ts';

interface Case {
  readonly situation: string;
  readonly panel: string;
  /** Each as it is at every scrape. */
  readonly series: Readonly<Record<string, string>>;
  readonly shows: readonly { readonly labels: string; readonly value: number }[];
}

const CASES: readonly Case[] = [
  {
    situation: 'a storm, beside a tier that does not look ahead',
    panel: 'Storms',
    series: {
      'rackfire_storm{cluster="news",tier="web"}': '1',
      'rackfire_storm{cluster="sports",tier="web"}': 'NaN',
    },
    shows: [{ labels: '{}', value: 1 }],
  },
  {
    situation: 'a host that one of two Rackfires does not reach',
    panel: 'Hosts that answer',
    series: {
      'rackfire_source_up{kind="host",name="xen-a",instance="a"}': '0',
      'rackfire_source_up{kind="host",name="xen-a",instance="b"}': '1',
    },
    shows: [{ labels: '{name="xen-a"}', value: 0 }],
  },
];

test.each(CASES)('the fleet: $situation', async ({ panel, series, shows }) => {
  const { panels } = await readDashboard('fleet.json');
  const [target] = panels.find(({ title }) => title === panel)?.targets ?? [];
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-panel-'));
  try {
    const file = join(folder, 'case.yaml');
    const input = Object.entries(series).map(([name, value]) => ({ series: name, values: value }));
    const asked = {
      expr: interpolate(target?.expr ?? '', { cluster: '.+' }),
      eval_time: '0m',
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
