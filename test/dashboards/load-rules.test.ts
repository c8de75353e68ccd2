/** What Grafana expects of a dashboard when it loads one, and does not say when it is otherwise. */

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createDashboards } from '../../dashboards/src/dashboards.ts';
import {
  DASHBOARD_NAMES,
  findReferences,
  type PanelInFile,
  readDashboard,
  readDashboardText,
} from './dashboard-file.ts';

const GRID_COLUMNS = 24;
/** Those that Grafana has by itself. */
const OWN_VARIABLE = /^__/;

test('the files are what the code makes; if not, npm run generate:dashboards', async () => {
  const made = JSON.parse(JSON.stringify(createDashboards())) as Record<string, unknown>;
  expect(Object.keys(made)).toEqual([...DASHBOARD_NAMES]);
  for (const name of DASHBOARD_NAMES) {
    expect(JSON.parse(await readDashboardText(name)), name).toEqual(made[name]);
  }
});

test('no two dashboards have the same id or title', async () => {
  const all = await Promise.all(DASHBOARD_NAMES.map(readDashboard));
  expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
  expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
  for (const { uid } of all) {
    expect(uid).toMatch(/^[a-z-]{1,40}$/);
  }
});

test('each panel leads to alerts that exist, and each alert has a panel that leads to what to do', async () => {
  const all = await Promise.all(DASHBOARD_NAMES.map(readDashboard));
  const links = all.flatMap(({ panels }) => panels.flatMap((panel) => panel.links));
  const rules = await readFile(new URL('../../dashboards/alerts.yaml', import.meta.url), 'utf8');
  const places = [...rules.matchAll(/runbook_url: (?<place>.+)$/gm)].map(({ groups }) =>
    groups?.['place']?.replace('docs/runbook.md', '${runbook}'),
  );
  expect(new Set(links.map(({ url }) => url))).toEqual(new Set(places));
});

describe.each(DASHBOARD_NAMES)('%s', (name) => {
  test('each panel has an id of its own, which is above 0', async () => {
    const { panels } = await readDashboard(name);
    const ids = panels.map(({ id }) => id);
    expect(Math.min(...ids)).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('no panel lies on another or beyond the grid', async () => {
    const { panels } = await readDashboard(name);
    for (const panel of panels) {
      expect(panel.gridPos.x + panel.gridPos.w, panel.title).toBeLessThanOrEqual(GRID_COLUMNS);
      const covered = panels.filter((other) => other !== panel && overlap(panel, other));
      expect(
        covered.map(({ title }) => title),
        panel.title,
      ).toEqual([]);
    }
  });

  test('every variable that is used is there, and every one that is there is used', async () => {
    const text = await readDashboardText(name);
    const { templating } = await readDashboard(name);
    const used = new Set(
      findReferences(text).map((reference) => reference.split('.')[0] ?? reference),
    );
    const own = [...used].filter((variable) => !OWN_VARIABLE.test(variable)).toSorted();
    expect(own).toEqual(templating.list.map((variable) => variable.name).toSorted());
  });

  test('each expression has a letter of its own and asks the chosen data source', async () => {
    const { panels } = await readDashboard(name);
    for (const { title, targets } of panels) {
      const letters = targets.map(({ refId }) => refId);
      expect(new Set(letters).size, title).toBe(letters.length);
      for (const { datasource } of targets) {
        expect(datasource, title).toEqual({ type: 'prometheus', uid: '${datasource}' });
      }
    }
  });

  test('each panel says in a sentence what it shows, has a unit, and an expression', async () => {
    const { panels } = await readDashboard(name);
    for (const { title, type, description, targets, fieldConfig } of panels) {
      if (type !== 'row') {
        expect(description, title).toMatch(/^[A-Z].*[.!]$/s);
        expect(targets.length, title).toBeGreaterThan(0);
        expect(fieldConfig.defaults.unit, title).toMatch(/^\w+$/);
      }
    }
  });

  test('what is colored or named by the name of a series, has a series of this name', async () => {
    const { panels } = await readDashboard(name);
    for (const { title, type, targets, fieldConfig, transformations } of panels) {
      const legends = targets.map(({ legendFormat }) => legendFormat);
      const names = [...legends, ...renamed(transformations)];
      // A legend with a label in it stands for several names.
      const isOpen = type === 'timeseries' && legends.some((legend) => legend.includes('{{'));
      for (const { matcher } of isOpen ? [] : fieldConfig.overrides) {
        expect(names, title).toContain(matcher.options);
      }
    }
  });
});

function overlap({ gridPos: one }: PanelInFile, { gridPos: other }: PanelInFile): boolean {
  const isBeside = one.x + one.w <= other.x || other.x + other.w <= one.x;
  const isAbove = one.y + one.h <= other.y || other.y + other.h <= one.y;
  return !isBeside && !isAbove;
}

function renamed(transformations: PanelInFile['transformations']): readonly string[] {
  return transformations.flatMap(({ options }) => Object.values(options.renameByName));
}
