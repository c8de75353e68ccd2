/** A dashboard as one page of HTML, its panels where Grafana's grid has them. */

import { colorsOf, drawLines, drawSparkline } from './charts.ts';
import { formatValue } from './format-value.ts';
import { colorOf, INK, mapValue, rulesOf, type Shown } from './look.ts';
import type { DashboardData, NamedSeries, PanelData } from './panel-data.ts';

export const PAGE_WIDTH = 1_440;
const HEADER_HEIGHT = 52;
const GRID_COLUMNS = 24;
/** Grafana's rows of the grid and the gap between panels. */
const ROW_HEIGHT = 30;
const GAP = 8;
const TITLE_HEIGHT = 30;
const LEGEND_LINE_HEIGHT = 18;
/** Of the legend's font, or nearly so. */
const LETTER_WIDTH = 7.6;
const KEY_WIDTH = 36;

const STYLE = `
body { margin: 0; background: #F4F5F5; color: ${INK}; font: 13px Inter, Roboto, "DejaVu Sans", sans-serif; }
header { padding: 14px 16px 0; } header b { font-size: 17px; margin-right: 20px; }
header em { font-style: normal; margin-left: 10px; }
header span { background: #fff; border: 1px solid #D8D9DA; border-radius: 3px; padding: 4px 8px; margin-right: 8px; }
.panel, .row { position: absolute; box-sizing: border-box; overflow: hidden; }
.panel { background: #fff; border: 1px solid #E0E2E4; border-radius: 3px; }
.row { font-size: 15px; padding: 6px 8px; font-weight: 600; }
h2 { font-size: 13px; font-weight: 600; margin: 0; padding: 7px 8px 0; height: ${TITLE_HEIGHT - 7}px; white-space: nowrap; }
.stats { display: flex; height: calc(100% - ${TITLE_HEIGHT}px); justify-content: space-around; align-items: center; position: relative; }
.stats > div { text-align: center; z-index: 1; } .stats small { display: block; font-size: 13px; color: ${INK}; }
.stats big { font-size: 30px; font-weight: 500; line-height: 1.1; } .stats .many { font-size: 22px; }
.stats svg { position: absolute; left: 0; bottom: 0; }
table { border-collapse: collapse; width: calc(100% - 16px); margin: 0 8px; }
td, th { text-align: left; padding: 6px 8px; border-bottom: 1px solid #E6E8EB; font-weight: 400; } th { color: #3274D9; }
.track { display: flex; align-items: center; margin: 0 12px 0 8px; } .track > span { width: 150px; padding-right: 8px; text-align: right; box-sizing: border-box; }
.track > div { position: relative; flex: 1; background: #F7F8FA; } .track i { position: absolute; top: 0; bottom: 0; }
.times { display: flex; justify-content: space-between; margin: 2px 12px 0 158px; font-size: 12px; }
.keys { position: absolute; bottom: 6px; left: 10px; } .keys i { display: inline-block; width: 14px; height: 4px; margin: 0 5px 3px 0; border-radius: 2px; } .keys span { margin-right: 14px; white-space: nowrap; display: inline-block; }
`;

export interface Page {
  readonly html: string;
  readonly height: number;
}

export function drawPage(whole: DashboardData): Page {
  const { range, choice, variables, annotations, title, panels } = whole;
  const bottom = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h));
  const chosen = Object.entries(choice).filter(([name]) => variables.includes(name));
  const header = [
    `<b>${escapeHtml(title)}</b>`,
    ...chosen.map(([name, value]) => `<span>${escapeHtml(name)}: ${escapeHtml(value)}</span>`),
    `<span>${clockTime(range.fromMs)} to ${clockTime(range.toMs)} UTC</span>`,
    ...annotations.map(
      ({ name, iconColor }) => `<em style="color: ${colorOf(iconColor)}">▌${escapeHtml(name)}</em>`,
    ),
  ].join('');
  const height = HEADER_HEIGHT + bottom * (ROW_HEIGHT + GAP) + GAP;
  const html =
    `<!doctype html><meta charset="utf-8"><style>${STYLE}</style>` +
    `<header>${header}</header>${panels.map((data) => drawPanel(data, whole)).join('\n')}`;
  return { html, height };
}

function drawPanel(data: PanelData, whole: DashboardData): string {
  const { gridPos, type, title } = data.panel;
  const column = (PAGE_WIDTH - GAP) / GRID_COLUMNS;
  const width = Math.round(gridPos.w * column - GAP);
  const height = gridPos.h * (ROW_HEIGHT + GAP) - GAP;
  const place =
    `left: ${GAP + Math.round(gridPos.x * column)}px; top: ${HEADER_HEIGHT + gridPos.y * (ROW_HEIGHT + GAP)}px; ` +
    `width: ${width}px; height: ${height}px`;
  if (type === 'row') {
    return `<div class="row" style="${place}">${escapeHtml(title)}</div>`;
  }
  const size = { width: width - 4, height: height - TITLE_HEIGHT - 4 };
  return `<div class="panel" style="${place}"><h2>${escapeHtml(title)}</h2>${drawContent(data, whole, size)}</div>`;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function drawContent(data: PanelData, whole: DashboardData, size: Size): string {
  switch (data.panel.type) {
    case 'timeseries':
      return drawLines(data, whole, leaveLegend(data, size)) + drawLegend(data);
    case 'stat':
      return drawStats(data, whole, size);
    case 'state-timeline':
      return drawStates(data, whole, size);
    case 'table':
      return drawTable(data, whole);
    default:
      throw new Error(`a panel of type ${data.panel.type} cannot be drawn yet`);
  }
}

/** What the legend leaves of a panel; it may need more than one line. */
function leaveLegend({ answers }: PanelData, { width, height }: Size): Size {
  const needed = answers.flat().map(({ name }) => KEY_WIDTH + name.length * LETTER_WIDTH);
  const lines = Math.ceil(needed.reduce((sum, one) => sum + one, 0) / width);
  return { width, height: height - 6 - Math.max(1, lines) * LEGEND_LINE_HEIGHT };
}

function drawLegend(data: PanelData): string {
  const colors = colorsOf(data);
  return drawKeys(data.answers.flat().map(({ name }, index) => [name, colors[index] ?? INK]));
}

function drawKeys(keys: readonly (readonly [text: string, color: string])[]): string {
  const items = keys.map(
    ([text, color]) => `<span><i style="background: ${color}"></i>${escapeHtml(text)}</span>`,
  );
  return `<div class="keys">${items.join('')}</div>`;
}

function drawStats({ panel, answers }: PanelData, { range }: DashboardData, size: Size): string {
  const series = answers.flat();
  const { textMode, graphMode } = panel.options;
  const blocks = series.map((one) => {
    const shown = show(lastOf(one), panel, one.name, range.toMs);
    const withName = textMode === 'value_and_name' || (textMode === 'auto' && series.length > 1);
    const name = withName ? `<small>${escapeHtml(one.name)}</small>` : '';
    const text = textMode === 'name' ? one.name : shown.text;
    const many = series.length > 1 || text.length > 8 ? ' class="many"' : '';
    return `<div>${name}<big${many} style="color: ${shown.color}">${escapeHtml(text)}</big></div>`;
  });
  const [first] = series;
  const curve =
    graphMode === 'area' && first !== undefined
      ? drawSparkline(first, show(lastOf(first), panel, first.name, range.toMs).color, {
          width: size.width + 4,
          height: Math.round(size.height / 2),
        })
      : '';
  return `<div class="stats">${blocks.join('')}${curve}</div>`;
}

function drawStates({ panel, answers }: PanelData, { range }: DashboardData, size: Size): string {
  const series = answers.flat();
  const rowHeight = (size.height - 54) / Math.max(1, series.length);
  const { mappings } = rulesOf(panel, '');
  const rows = series.map((one) => {
    const bars = stretches(one).map(({ fromMs, toMs, value }) => {
      const { color } = show(value, panel, one.name, range.toMs);
      const percent = (atMs: number): number =>
        (100 * (atMs - range.fromMs)) / (range.toMs - range.fromMs);
      const end = Math.min(toMs + range.stepSeconds * 1000, range.toMs);
      return `<i style="left: ${percent(fromMs).toFixed(2)}%; width: ${(percent(end) - percent(fromMs)).toFixed(2)}%; background: ${color}; opacity: .8"></i>`;
    });
    return `<div class="track" style="height: ${rowHeight}px"><span>${escapeHtml(one.name)}</span><div style="height: ${rowHeight * 0.8}px">${bars.join('')}</div></div>`;
  });
  const shares = size.width > 500 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1];
  const times = shares.map((share) => {
    const atMs = range.fromMs + share * (range.toMs - range.fromMs);
    return `<span>${clockTime(atMs)}</span>`;
  });
  const keys = mappings
    .flatMap(({ options }) => Object.values(options))
    .filter(({ color }) => color !== 'transparent')
    .map(({ text, color }) => [text, colorOf(color)] as const);
  return `${rows.join('')}<div class="times">${times.join('')}</div>${drawKeys(keys)}`;
}

/** A row for each combination of the keys, as the panel's own transformations would make it. */
function drawTable({ panel, answers }: PanelData, { range }: DashboardData): string {
  const names = Object.fromEntries(
    panel.transformations.flatMap(({ options }) => Object.entries(options.renameByName)),
  );
  const keys = Object.keys(names).filter((name) => !name.startsWith('Value #'));
  const columns = Object.entries(names).filter(([name]) => name.startsWith('Value #'));
  const keyOf = (series: NamedSeries): string => keys.map((key) => series.labels[key]).join('/');
  const rows = new Map(answers.flat().map((series) => [keyOf(series), series.labels]));
  const head = Object.values(names).map((name) => `<th>${escapeHtml(name)}</th>`);
  const body = [...rows].map(([key, labels]) => {
    const cells = columns.map(([, name], index) => {
      const series = answers[index]?.find((one) => keyOf(one) === key);
      const value = series === undefined ? Number.NaN : lastOf(series);
      const shown = show(value, panel, name, range.toMs);
      const { mappings, thresholds } = rulesOf(panel, name);
      const isPlain = mappings.length === 0 && thresholds === undefined;
      const text = Number.isNaN(value) ? '' : shown.text;
      return `<td style="color: ${isPlain ? INK : shown.color}">${escapeHtml(text)}</td>`;
    });
    return `<tr>${keys.map((name) => `<td>${escapeHtml(labels[name] ?? '')}</td>`).join('')}${cells.join('')}</tr>`;
  });
  return `<table><tr>${head.join('')}</tr>${body.join('')}</table>`;
}

interface Stretch {
  readonly fromMs: number;
  toMs: number;
  readonly value: number;
}

function stretches({ points }: NamedSeries): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const { atMs, value } of points) {
    const last = found.at(-1);
    if (last?.value === value) {
      last.toMs = atMs;
    } else {
      if (last !== undefined) {
        last.toMs = atMs;
      }
      found.push({ fromMs: atMs, toMs: atMs, value });
    }
  }
  return found;
}

function show(value: number, panel: PanelData['panel'], name: string, nowMs: number): Shown {
  const rules = rulesOf(panel, name);
  if (!Number.isFinite(value)) {
    return { text: rules.noValue ?? '', color: INK };
  }
  const { text, color } = mapValue(value, rules);
  return {
    text: text ?? formatValue(value, rules.unit, nowMs, rules.decimals),
    color: color ?? INK,
  };
}

function clockTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19);
}

function lastOf({ points }: NamedSeries): number {
  return points.findLast(({ value }) => Number.isFinite(value))?.value ?? Number.NaN;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
