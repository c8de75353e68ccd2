import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { renderMetricsPage } from '../../scripts/metrics-page.ts';
import { SECTIONS } from '../../src/telemetry/catalog.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { PhaseWatch } from '../../src/telemetry/phase-watch.ts';
import { registerStateMetrics } from '../../src/telemetry/state-metrics.ts';
import { Lab } from '../control/lab.ts';

const catalog = SECTIONS.flatMap(({ metrics }) => metrics);

test('docs/metrics.md is what `npm run generate:metrics` prints', async () => {
  const page = await readFile(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  expect(page).toBe(renderMetricsPage());
});

test('every metric of the catalog is served, and no other', async () => {
  await using lab = new Lab();
  const registry = new Registry();
  createMetrics(registry);
  const { clock, controller, overrides } = lab;
  const phases = new PhaseWatch();
  registerStateMetrics(registry, {
    clock,
    controller,
    lease: lab.world.lease,
    leadership: { driver: 'file' },
    overrides,
    phases,
    removedTiers: [],
  });
  const served = registry.getMetricsAsArray().map(({ name }) => name);
  expect(served.toSorted()).toEqual(catalog.map(({ name }) => name).toSorted());
});

test('no histogram has a label of the config', () => {
  const open = catalog.filter(
    ({ type, labels }) =>
      type === 'histogram' && Object.values(labels).some((values) => typeof values === 'string'),
  );
  expect(open).toEqual([]);
});
