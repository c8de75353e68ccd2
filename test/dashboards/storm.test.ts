/** The dashboards and the storm's alert, on what a real Prometheus has scraped in a real storm. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  chooseDemo,
  type Choice,
  DASHBOARD_NAMES,
  interpolate,
  readDashboard,
  type TargetInFile,
} from './dashboard-file.ts';
import type { Range, Series } from './prometheus.ts';
import { watchStorm, type WatchedStorm } from './watched-storm.ts';

/** The demo's load. */
const CALM_RPS = 100;
const PEAK_RPS = 600;
const RAMP_FROM_SECONDS = 5;
const PEAK_UNTIL_SECONDS = 75;
const TARGET_RPS = 80;
const MIN_NODES = 2;
const MAX_NODES = 12;

/** HAProxy is seen by Rackfire's next tick, and Rackfire by the next scrape. */
const SEEN_WITHIN_MS = 5_000;

interface Moment {
  readonly when: string;
  readonly atSeconds: number;
  readonly rps: number;
}

const MOMENTS: readonly Moment[] = [
  { when: 'in the calm', atSeconds: RAMP_FROM_SECONDS - 1, rps: CALM_RPS },
  { when: 'at the peak', atSeconds: PEAK_UNTIL_SECONDS - 5, rps: PEAK_RPS },
];

let storm: WatchedStorm;
let choice: Choice;
let shown: Range;

beforeAll(async () => {
  storm = await watchStorm();
  shown = { fromMs: storm.fromMs, toMs: storm.toMs, stepSeconds: 1 };
  choice = chooseDemo((storm.toMs - storm.fromMs) / 1000);
}, 240_000);

afterAll(async () => {
  await storm[Symbol.asyncDispose]();
});

test('the storm was one: nodes came and went, and no request failed', () => {
  expect(storm.summary.failedRequests, storm.log).toBe(0);
  expect(storm.summary.peakNodes).toBeGreaterThanOrEqual(PEAK_RPS / TARGET_RPS);
  expect(storm.summary.finalNodes).toBe(MIN_NODES);
});

describe.each(DASHBOARD_NAMES)('%s', (name) => {
  test('each expression of each panel returns a series with a number in it', async () => {
    const { panels } = await readDashboard(name);
    const silent: string[] = [];
    for (const { title, targets } of panels) {
      for (const target of targets) {
        const series = await evaluate(target);
        if (!series.some(({ points }) => points.some(({ value }) => Number.isFinite(value)))) {
          silent.push(`${title}: ${target.expr}`);
        }
      }
    }
    expect(silent).toEqual([]);
  });

  test('each variable has something to choose', async () => {
    const { templating } = await readDashboard(name);
    for (const { name: variable, query } of templating.list) {
      const text = typeof query === 'string' ? query : query.query;
      const match = /^label_values\((?<selector>.+),(?<label>\w+)\)$/.exec(text)?.groups;
      if (match !== undefined) {
        const { selector = '', label = '' } = match;
        const values = await storm.prometheus.valuesOf(label, interpolate(selector, choice));
        expect(values, variable).toContain(choice[variable]);
      }
    }
  });
});

test('a storm is shaded, and each decision that changed the count is marked at its time, with its reason', async () => {
  const { annotations } = await readDashboard('cluster.json');
  expect(annotations.list.map(({ name }) => name)).toEqual(['Storm', 'Scaled out', 'Scaled in']);
  for (const { name, target, titleFormat, useValueForTime } of annotations.list) {
    const series = await evaluate(target);
    const times = series.flatMap(({ points }) =>
      points.map(({ atMs, value }) => (useValueForTime ? value : atMs)),
    );
    const inStorm = times.filter((atMs) => atMs >= shown.fromMs && atMs <= shown.toMs);
    expect(inStorm.length, name).toBeGreaterThan(0);
    for (const [, label = ''] of titleFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      expect(
        series.map(({ labels }) => labels[label]),
        name,
      ).not.toContain(undefined);
    }
  }
});

test('nodes in service are those that HAProxy has: in the calm, at the peak, after it, and never others meanwhile', async () => {
  const { points } = await panelSeries('cluster.json', 'Nodes', 'in service');
  const countsBefore = (atMs: number): readonly number[] => {
    const before = storm.haproxy.filter(
      (moment) => moment.atMs > atMs - SEEN_WITHIN_MS && moment.atMs <= atMs,
    );
    return [...new Set(before.map(({ servers }) => servers))];
  };
  for (const { atMs, value } of points) {
    // While it changes, either count is right.
    expect(countsBefore(atMs), `${(atMs - shown.fromMs) / 1000} s`).toContain(value);
  }
  for (const { atSeconds } of MOMENTS) {
    const atMs = shown.fromMs + atSeconds * 1000;
    expect(countsBefore(atMs)).toEqual([valueAt({ labels: {}, points }, atMs)]);
  }
  expect(storm.haproxy.at(-1)?.servers).toBe(MIN_NODES);
  expect(points.at(-1)?.value).toBe(MIN_NODES);
});

test.each(MOMENTS)('the panels show what the load needs $when', async ({ atSeconds, rps }) => {
  const at = async (title: string, legend: string): Promise<number> => {
    const series = await panelSeries('cluster.json', title, legend);
    return valueAt(series, shown.fromMs + atSeconds * 1000);
  };
  const requests = 'Requests and what the nodes are meant for';
  const inService = await at('Nodes', 'in service');
  const desired = await at('Nodes', 'desired');
  // Arrivals of one second are a matter of chance: 4 standard deviations.
  expect(Math.abs((await at(requests, 'requests')) - rps)).toBeLessThan(4 * Math.sqrt(rps));
  expect(await at(requests, 'nodes in service × target')).toBe(inService * TARGET_RPS);
  expect(await at(requests, 'maximum × target')).toBe(MAX_NODES * TARGET_RPS);
  expect(await at('Nodes', 'minimum')).toBe(MIN_NODES);
  expect(await at('Nodes', 'maximum')).toBe(MAX_NODES);
  expect(desired).toBeGreaterThanOrEqual(Math.ceil(rps / TARGET_RPS));
  expect(inService).toBe(desired);
  expect(await at('Left to the maximum', 'left')).toBe(MAX_NODES - desired);
  expect(await at('Requests that wait', 'waiting')).toBe(0);
  const load = await at('Load', 'load');
  expect(load).toBeCloseTo((await at(requests, 'requests')) / (inService * TARGET_RPS), 6);
});

test('the alert of a storm fires while it lasts, and not before or after', async () => {
  const alerts = await storm.prometheus.during(
    'ALERTS{alertname="RackfireStorm", alertstate="firing"}',
    shown,
  );
  const seconds = alerts.flatMap(({ points }) =>
    points.map(({ atMs }) => (atMs - shown.fromMs) / 1000),
  );
  expect(seconds.length).toBeGreaterThan(0);
  expect(Math.min(...seconds)).toBeGreaterThan(RAMP_FROM_SECONDS);
  expect(Math.min(...seconds)).toBeLessThan(PEAK_UNTIL_SECONDS);
  const lastSecond = (shown.toMs - shown.fromMs) / 1000;
  expect(Math.max(...seconds)).toBeLessThan(lastSecond - 2);
});

/** As Grafana asks it: over the time shown, or at its end. */
async function evaluate(target: TargetInFile): Promise<readonly Series[]> {
  const expression = interpolate(target.expr, choice);
  return target.instant
    ? await storm.prometheus.at(expression, shown.toMs)
    : await storm.prometheus.during(expression, shown);
}

/** The course of one series of a panel, also where the panel shows its end alone. */
async function panelSeries(name: string, title: string, legend: string): Promise<Series> {
  const { panels } = await readDashboard(name);
  const target = panels
    .find((panel) => panel.title === title)
    ?.targets.find(({ legendFormat }) => legendFormat === legend);
  if (target === undefined) {
    throw new Error(`${name} has no panel '${title}' with a series '${legend}'`);
  }
  const expression = interpolate(target.expr, choice);
  const [series, ...others] = await storm.prometheus.during(expression, shown);
  expect(others).toEqual([]);
  return series!;
}

function valueAt({ points }: Series, atMs: number): number {
  return points.findLast((point) => point.atMs <= atMs)?.value ?? Number.NaN;
}
