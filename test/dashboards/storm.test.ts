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
import type { Range, Series } from '../signals/prometheus.ts';
import { STORM, watchStorm, type WatchedStorm } from './watched-storm.ts';

/** Of the demo's config. */
const TARGET_RPS = 80;
const MIN_NODES = 2;
const MAX_NODES = 12;

/** HAProxy is seen by Rackfire's next tick, and Rackfire by the next scrape. */
const SEEN_WITHIN_MS = 5_000;

interface Stretch {
  readonly when: string;
  readonly fromSecond: number;
  readonly toSecond: number;
  readonly rps: number;
}

const STRETCHES: readonly Stretch[] = [
  {
    when: 'in the calm',
    fromSecond: STORM.riseFromSecond - 15,
    toSecond: STORM.riseFromSecond,
    rps: STORM.calmRps,
  },
  {
    when: 'at the peak',
    fromSecond: STORM.peakFromSecond + 15,
    toSecond: STORM.fallFromSecond,
    rps: STORM.peakRps,
  },
  {
    when: 'after it',
    fromSecond: STORM.calmFromSecond + 30,
    toSecond: STORM.endSecond - 3,
    rps: STORM.calmRps,
  },
];

let storm: WatchedStorm;
let choice: Choice;
let shown: Range;

beforeAll(async () => {
  storm = await watchStorm();
  shown = { fromMs: storm.fromMs, toMs: storm.toMs, stepSeconds: 1 };
  choice = chooseDemo((storm.toMs - storm.fromMs) / 1000);
}, 260_000);

afterAll(async () => {
  await storm[Symbol.asyncDispose]();
});

test('the storm was one: nodes came and went, and no request failed', () => {
  expect(storm.summary.failedRequests, storm.log).toBe(0);
  expect(storm.summary.peakNodes).toBeGreaterThanOrEqual(STORM.peakRps / TARGET_RPS);
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

test('nodes in service are never others than HAProxy has, or had a moment ago', async () => {
  const { points } = await panelSeries('cluster.json', 'Nodes', 'in service');
  expect(points.length).toBeGreaterThan(STORM.endSecond * 0.9);
  for (const { atMs, value } of points) {
    // What it has at that moment, one of the two looks between which that is has seen.
    const next = storm.haproxy.find((moment) => moment.atMs > atMs);
    const counts = [...countsBefore(atMs), ...(next === undefined ? [] : [next.servers])];
    // Nodes come and go one by one: from 4 to 6 it had 5, be it for less time than between two looks.
    const at = `${(atMs - shown.fromMs) / 1000} s, of ${counts.join(', ')}`;
    expect(value, at).toBeGreaterThanOrEqual(Math.min(...counts));
    expect(value, at).toBeLessThanOrEqual(Math.max(...counts));
  }
});

test.each(STRETCHES)(
  'the panels show what HAProxy has and what the load needs $when',
  async ({ fromSecond, toSecond, rps }) => {
    const atMs = findSteadyMs(fromSecond, toSecond);
    const at = async (title: string, legend: string): Promise<number> =>
      valueAt(await panelSeries('cluster.json', title, legend), atMs);
    const requests = 'Requests and what the nodes are meant for';
    const inService = await at('Nodes', 'in service');
    const desired = await at('Nodes', 'desired');
    expect([inService]).toEqual(countsBefore(atMs));
    expect(await at('In service', 'in service')).toBe(inService);
    // Arrivals are a matter of chance, and what a busy machine sends late comes in the next second: over five of them
    // they are within what chance alone – 3 standard deviations – does to one.
    const arrivals = meanBefore(await panelSeries('cluster.json', requests, 'requests'), atMs);
    expect(Math.abs(arrivals - rps)).toBeLessThan(3 * Math.sqrt(rps));
    expect(await at(requests, 'nodes in service × target')).toBe(inService * TARGET_RPS);
    expect(await at(requests, 'maximum × target')).toBe(MAX_NODES * TARGET_RPS);
    expect(await at('Nodes', 'minimum')).toBe(MIN_NODES);
    expect(await at('Nodes', 'maximum')).toBe(MAX_NODES);
    expect(inService).toBeGreaterThanOrEqual(Math.ceil(rps / TARGET_RPS));
    expect(desired).toBeGreaterThanOrEqual(Math.ceil(rps / TARGET_RPS));
    expect(await at('Left to the maximum', 'left')).toBe(MAX_NODES - desired);
    // For a moment one may wait by chance, in HAProxy too: not for most of the time.
    const waiting = await panelSeries('cluster.json', 'Requests that wait', 'waiting');
    expect(medianBetween(waiting, fromSecond, toSecond)).toBe(0);
    const load = await at('Load', 'load');
    expect(load).toBeCloseTo((await at(requests, 'requests')) / (inService * TARGET_RPS), 6);
  },
);

test('the alert of a storm fires while it lasts, and not before or after', async () => {
  const alerts = await storm.prometheus.during(
    'ALERTS{alertname="RackfireStorm", alertstate="firing"}',
    shown,
  );
  const seconds = alerts.flatMap(({ points }) =>
    points.map(({ atMs }) => (atMs - shown.fromMs) / 1000),
  );
  const told = seconds.join(' ');
  const { riseFromSecond, peakFromSecond, fallFromSecond, calmFromSecond } = STORM;
  const isFiring = (second: number): boolean =>
    seconds.some((one) => Math.abs(one - second) <= SEEN_WITHIN_MS / 1000);
  expect(isFiring(peakFromSecond + 10), told).toBe(true);
  // Before that, the beginning of the load itself may look like one.
  expect(
    seconds.filter((second) => second > riseFromSecond - 15 && second < riseFromSecond),
    told,
  ).toEqual([]);
  expect(
    seconds.filter((second) => second > calmFromSecond + 20),
    told,
  ).toEqual([]);
  expect(Math.max(...seconds), told).toBeGreaterThan(fallFromSecond - 45);
});

/** How many servers HAProxy had within a few seconds up to a moment: one number, unless it changed. */
function countsBefore(atMs: number): readonly number[] {
  const before = storm.haproxy.filter(
    (moment) => moment.atMs > atMs - SEEN_WITHIN_MS && moment.atMs <= atMs,
  );
  return [...new Set(before.map(({ servers }) => servers))];
}

/** The last moment of a stretch before which HAProxy has not changed. */
function findSteadyMs(fromSecond: number, toSecond: number): number {
  for (let second = toSecond; second >= fromSecond; second -= 1) {
    const atMs = shown.fromMs + second * 1000;
    if (countsBefore(atMs).length === 1) {
      return atMs;
    }
  }
  throw new Error(`HAProxy changed all the time from second ${fromSecond} to ${toSecond}`);
}

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

function medianBetween({ points }: Series, fromSecond: number, toSecond: number): number {
  const values = points
    .filter(({ atMs }) => {
      const second = (atMs - shown.fromMs) / 1000;
      return second >= fromSecond && second <= toSecond;
    })
    .map(({ value }) => value)
    .toSorted((one, other) => one - other);
  return values[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Over the five seconds up to a moment. */
function meanBefore({ points }: Series, atMs: number): number {
  const values = points
    .filter((point) => point.atMs > atMs - 5_000 && point.atMs <= atMs)
    .map(({ value }) => value);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function valueAt({ points }: Series, atMs: number): number {
  return points.findLast((point) => point.atMs <= atMs)?.value ?? Number.NaN;
}
