/** Curves and bars over time, as SVG. */

import * as echarts from 'echarts';
import type { DashboardData, NamedSeries, PanelData } from './panel-data.ts';
import { formatValue } from './format-value.ts';
import { colorOf, INK, lookOf, nthColor } from './look.ts';
import type { PanelInFile } from '../../test/dashboards/dashboard-file.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

type Curve = echarts.SeriesOption;

const GRID_COLOR = '#E6E8EB';

/** @returns An SVG element with axes and what marks decisions; the legend stands below it. */
export function drawLines({ panel, answers }: PanelData, whole: DashboardData, size: Size): string {
  const { range, marks } = whole;
  const { unit, decimals, max, custom } = panel.fieldConfig.defaults;
  const series = answers.flat();
  const curves = series.map((one, index) => curveOf({ panel, answers }, one, index, whole));
  return render(size, {
    animation: false,
    grid: { left: 12, right: 18, top: 12, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: range.fromMs,
      max: range.toMs,
      splitNumber: Math.max(3, Math.round(size.width / 110)),
      axisLabel: { formatter: '{HH}:{mm}:{ss}', color: INK, hideOverlap: true },
      splitLine: { show: true, lineStyle: { color: GRID_COLOR } },
    },
    yAxis: {
      type: 'value',
      min: 0,
      ...(max === undefined ? {} : { max, interval: max / 4 }),
      minInterval: unit === 'none' ? 1 : 0,
      splitNumber: 4,
      ...wholeSteps(unit, series, custom.stacking.mode === 'normal'),
      axisLabel: {
        color: INK,
        formatter: (value: number) => formatValue(value, unit, range.toMs, decimals),
      },
      splitLine: { lineStyle: { color: GRID_COLOR } },
    },
    series: [...curves, markLines(panel, marks)],
  });
}

/** About four steps: of bytes powers of two, of minutes whole ones; anything else by the decimal system. */
function wholeSteps(unit: string, series: readonly NamedSeries[], isStacked: boolean): object {
  const peaks = series.map(({ points }) =>
    Math.max(1, ...points.map(({ value }) => value).filter(Number.isFinite)),
  );
  const highest = isStacked ? peaks.reduce((sum, peak) => sum + peak, 0) : Math.max(1, ...peaks);
  const isMinutes = unit === 's' && highest >= 120;
  if (unit !== 'bytes' && !isMinutes) {
    return {};
  }
  const step = highest / 4;
  const interval = isMinutes ? 60 * Math.ceil(step / 60) : 2 ** Math.ceil(Math.log2(step));
  return { interval, max: Math.ceil(highest / interval) * interval };
}

/** The color of each series, in their order. */
export function colorsOf({ panel, answers }: PanelData): readonly string[] {
  return answers.flat().map(({ name }, index) => lookOf(panel, name).color ?? nthColor(index));
}

/** A curve without axes, that a large number stands on. */
export function drawSparkline(series: NamedSeries, color: string, size: Size): string {
  return render(size, {
    animation: false,
    grid: { left: 0, right: 0, top: 4, bottom: 0 },
    xAxis: { type: 'time', show: false },
    yAxis: { type: 'value', min: 0, show: false },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: pairs(series),
        lineStyle: { color, width: 1 },
        areaStyle: { color, opacity: 0.15 },
      },
    ],
  });
}

function curveOf(
  { panel, answers }: PanelData,
  series: NamedSeries,
  index: number,
  { range }: DashboardData,
): Curve {
  const { custom } = panel.fieldConfig.defaults;
  const look = lookOf(panel, series.name);
  const color = colorsOf({ panel, answers })[index] ?? INK;
  const isStacked = custom.stacking.mode === 'normal';
  const common = {
    name: series.name,
    color,
    data: isStacked ? aligned(series, answers.flat()) : pairs(series),
    ...(isStacked ? { stack: 'all' } : {}),
  };
  if (custom.drawStyle === 'bars') {
    const seconds = (range.toMs - range.fromMs) / 1000;
    return { ...common, type: 'bar', barWidth: Math.max(1.5, 300 / seconds) };
  }
  return {
    ...common,
    type: 'line',
    symbol: 'none',
    ...(custom.lineInterpolation === 'stepAfter' ? { step: 'end' as const } : {}),
    lineStyle: { width: look.lineWidth, type: look.isDashed ? 'dashed' : 'solid', color },
    ...(look.fillPercent > 0 ? { areaStyle: { opacity: look.fillPercent / 100, color } } : {}),
  };
}

function pairs({ points }: NamedSeries): [number, number | null][] {
  return points.map(({ atMs, value }) => [atMs, Number.isFinite(value) ? value : null]);
}

/** What is stacked needs a value at every moment that any of the others has one. */
function aligned(series: NamedSeries, all: readonly NamedSeries[]): [number, number][] {
  const own = new Map(series.points.map(({ atMs, value }) => [atMs, value]));
  const moments = new Set(all.flatMap(({ points }) => points.map(({ atMs }) => atMs)));
  return [...moments]
    .toSorted((one, other) => one - other)
    .map((atMs) => {
      const value = own.get(atMs) ?? 0;
      return [atMs, Number.isFinite(value) ? value : 0];
    });
}

/** Thresholds lie across, decisions stand upright. */
function markLines({ fieldConfig }: PanelInFile, marks: DashboardData['marks']): Curve {
  const { custom, thresholds } = fieldConfig.defaults;
  const steps = custom.thresholdsStyle.mode === 'dashed' ? (thresholds?.steps ?? []) : [];
  const across = steps.flatMap(({ value, color }) =>
    value === null
      ? []
      : [{ yAxis: value, lineStyle: { color: colorOf(color), type: 'dashed' as const, width: 1 } }],
  );
  const upright = marks
    .filter(({ fromMs, toMs }) => fromMs === toMs)
    .map(({ fromMs, color }) => ({
      xAxis: fromMs,
      lineStyle: { color: colorOf(color), type: 'dotted' as const, width: 1, opacity: 0.5 },
    }));
  const shades = marks
    .filter(({ fromMs, toMs }) => fromMs < toMs)
    .map(({ fromMs, toMs, color }): [object, object] => [
      { xAxis: fromMs, itemStyle: { color: colorOf(color), opacity: 0.07 } },
      { xAxis: toMs },
    ]);
  const data = [...across, ...upright];
  return {
    type: 'line',
    markLine: { silent: true, symbol: 'none', label: { show: false }, data },
    markArea: { silent: true, data: shades },
  };
}

function render({ width, height }: Size, option: echarts.EChartsOption): string {
  const chart = echarts.init(undefined, undefined, { renderer: 'svg', ssr: true, width, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
