import { Gauge } from 'prom-client';
import { beforeAll, describe, expect, test } from 'vitest';
import { scrapeLargeInstallation } from '../../bench/large-installation.ts';
import { promtool } from './promtool.ts';

describe('1,000 clusters of 12 nodes, with every series that can be there', () => {
  const registry = scrapeLargeInstallation();
  let text = '';

  beforeAll(async () => {
    text = await registry.metrics();
  });

  test('are at most 60,000 series', () => {
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(series.length).toBeGreaterThan(40_000);
    expect(series.length).toBeLessThanOrEqual(60_000);
  });

  test('promtool has nothing to say of their names, types, units and texts', async () => {
    expect(await promtool(['check', 'metrics'], text)).toEqual({ code: 0, said: '' });
  });
});

test('promtool would say it if a name were against the conventions', async () => {
  const registry = scrapeLargeInstallation();
  new Gauge({ name: 'rackfire_waits_total', help: 'A gauge.', registers: [registry] }).set(1);
  const { code, said } = await promtool(['check', 'metrics'], await registry.metrics());
  expect(code).not.toBe(0);
  expect(said).toContain('rackfire_waits_total');
});
