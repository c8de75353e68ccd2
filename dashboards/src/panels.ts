/** The kinds of panel that the dashboards are made of, each with everything that makes it readable. */

import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  type DataSourceRef,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type DataTransformerConfig,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StatesBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

export type PanelBuilder = LinesBuilder | StatBuilder | StatesBuilder | TableBuilder;

/** What `$datasource` stands for is chosen at the top of each dashboard. */
export const DATA_SOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Where the runbook is published: a constant of each dashboard. */
export const RUNBOOK_VARIABLE = 'runbook';

export interface Shown {
  readonly title: string;
  /** What it says, and what to think of it. */
  readonly description: string;
  /** As Grafana calls it. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly span: number;
  /** In rows of Grafana's grid. */
  readonly height?: number;
  readonly decimals?: number;
  /** Alerts whose headings in the runbook say what to do. */
  readonly alerts?: readonly string[];
  /** From which value on which color; the first has none. */
  readonly thresholds?: readonly Threshold[];
}

export interface PlottedSeries {
  readonly expression: string;
  /** Its name in the legend; `{{label}}` is replaced. */
  readonly legend: string;
  readonly color?: string;
  readonly isDashed?: boolean;
  /** Of the area below it, in percent. */
  readonly fillPercent?: number;
  readonly lineWidth?: number;
}

export interface LinesLook {
  readonly isStacked?: boolean;
  /** A count stays until it changes: a slope between two samples would show nodes that never were. */
  readonly isStepped?: boolean;
  readonly drawsBars?: boolean;
  readonly max?: number;
  /** Colors of the series that a legend with `{{label}}` stands for. */
  readonly colors?: Readonly<Record<string, string>>;
}

/** Values over time. */
export function lines(
  shown: Shown,
  series: readonly PlottedSeries[],
  look: LinesLook = {},
): LinesBuilder {
  const panel = describe(new LinesBuilder(), shown)
    .targets(series.map((one, index) => rangeQuery(one, index)))
    .height(shown.height ?? 9)
    .min(0)
    // What is stacked and 0 would draw a line on top of all the others.
    .lineWidth(look.isStacked === true ? 0 : 1)
    .fillOpacity(look.isStacked === true || look.drawsBars === true ? 60 : 0)
    .showPoints(VisibilityMode.Never)
    .lineInterpolation(
      look.isStepped === true ? LineInterpolation.StepAfter : LineInterpolation.Linear,
    )
    .drawStyle(look.drawsBars === true ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  if (look.isStacked === true) {
    panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  }
  if (look.max !== undefined) {
    panel.max(look.max);
  }
  if (shown.thresholds !== undefined) {
    panel.thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
    );
  }
  for (const one of series) {
    const properties = lookOf(one);
    if (properties.length > 0) {
      panel.overrideByName(one.legend, properties);
    }
  }
  for (const [name, color] of Object.entries(look.colors ?? {})) {
    panel.overrideByName(name, [fixedColor(color)]);
  }
  return panel;
}

export interface StatLook {
  readonly mappings?: readonly ValueMapping[];
  /** Shows the legend instead of the value: for a value that only says that the name holds. */
  readonly showsName?: boolean;
  readonly showsNameAndValue?: boolean;
  /** Also how it was, as a small curve. */
  readonly showsCurve?: boolean;
}

/** The latest value, large. */
export function stat(
  shown: Shown,
  series: readonly PlottedSeries[],
  look: StatLook = {},
): StatBuilder {
  const panel = describe(new StatBuilder(), shown)
    .targets(
      series.map((one, index) =>
        look.showsCurve === true ? rangeQuery(one, index) : instantQuery(one, index),
      ),
    )
    .height(shown.height ?? 4)
    .mappings([...(look.mappings ?? [])])
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .colorMode(BigValueColorMode.Value)
    .graphMode(look.showsCurve === true ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .textMode(textModeOf(look))
    .noValue('not known');
  if (shown.thresholds === undefined && look.mappings === undefined) {
    panel.colorScheme(
      new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(series[0]?.color ?? 'text'),
    );
  }
  return panel;
}

/** Which of a few states held when, one line a series. */
export function states(
  shown: Shown,
  series: readonly PlottedSeries[],
  mappings: readonly ValueMapping[],
): StatesBuilder {
  return describe(new StatesBuilder(), shown)
    .targets(series.map((one, index) => rangeQuery(one, index)))
    .height(shown.height ?? 6)
    .mappings([...mappings])
    .mergeValues(true)
    .showValue(VisibilityMode.Never)
    .rowHeight(0.8)
    .fillOpacity(80)
    .lineWidth(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single));
}

export interface Column {
  readonly expression: string;
  readonly name: string;
  readonly unit?: string;
  readonly decimals?: number;
  readonly mappings?: readonly ValueMapping[];
  readonly thresholds?: readonly Threshold[];
}

export interface Rows {
  /** The labels that say which row it is, with the heading of each. */
  readonly keys: Readonly<Record<string, string>>;
  readonly columns: readonly Column[];
  /** Where a click on a row's first key leads. */
  readonly url?: string;
}

/** The latest values, a line for each combination of the keys. Each expression must keep the keys and no other label. */
export function table(shown: Shown, { keys, columns, url }: Rows): TableBuilder {
  const refIds = columns.map((_, index) => refIdOf(index));
  const panel = describe(new TableBuilder(), shown)
    .targets(
      columns.map(({ expression }, index) =>
        query(expression, index).instant().format(PromQueryFormat.Table),
      ),
    )
    .height(shown.height ?? 8)
    .transformations(mergeColumns(keys, columns, refIds));
  for (const { name, unit, decimals, mappings, thresholds } of columns) {
    const properties: DynamicConfigValue[] = [];
    add(properties, 'unit', unit);
    add(properties, 'decimals', decimals);
    add(properties, 'mappings', mappings);
    if (thresholds !== undefined) {
      properties.push({
        id: 'thresholds',
        value: { mode: ThresholdsMode.Absolute, steps: thresholds },
      });
    }
    if (mappings !== undefined || thresholds !== undefined) {
      properties.push({ id: 'custom.cellOptions', value: { type: 'color-text' } });
    }
    if (properties.length > 0) {
      panel.overrideByName(name, properties);
    }
  }
  const [firstKey] = Object.values(keys);
  if (url !== undefined && firstKey !== undefined) {
    panel.overrideByName(firstKey, [{ id: 'links', value: [{ title: 'Open', url }] }]);
  }
  return panel;
}

/** One table out of one answer a column: joined by the keys, named, and in their order. */
function mergeColumns(
  keys: Rows['keys'],
  columns: readonly Column[],
  refIds: readonly string[],
): DataTransformerConfig[] {
  const names = Object.fromEntries(
    columns.map(({ name }, index) => [`Value #${refIds[index]}`, name] as const),
  );
  const order = [...Object.keys(keys), ...Object.keys(names)];
  return [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
        renameByName: { ...keys, ...names },
      },
    },
  ];
}

/** Texts and colors of single values. */
export function valueTexts(
  texts: Readonly<Record<string, readonly [text: string, color: string]>>,
): ValueMapping {
  const entries = Object.entries(texts).map(
    ([value, [text, color]], index) => [value, { text, color, index }] as const,
  );
  return { type: MappingType.ValueToText, options: Object.fromEntries(entries) };
}

/** @param steps - Color from the least value on, then pairs of a value and the color from there on. */
export function colorSteps(
  base: string,
  ...steps: readonly (readonly [from: number, color: string])[]
): readonly Threshold[] {
  return [{ value: null, color: base }, ...steps.map(([value, color]) => ({ value, color }))];
}

export function query(expression: string, index: number): DataqueryBuilder {
  return new DataqueryBuilder().datasource(DATA_SOURCE).expr(expression).refId(refIdOf(index));
}

function rangeQuery({ expression, legend }: PlottedSeries, index: number): DataqueryBuilder {
  return query(expression, index).legendFormat(legend).range();
}

function instantQuery({ expression, legend }: PlottedSeries, index: number): DataqueryBuilder {
  return query(expression, index).legendFormat(legend).instant();
}

/** A, B, C, … */
function refIdOf(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

interface Describable<Self> {
  title(text: string): Self;
  description(text: string): Self;
  datasource(source: DataSourceRef): Self;
  unit(unit: string): Self;
  span(columns: number): Self;
  decimals(digits: number): Self;
  thresholds(config: ThresholdsConfigBuilder): Self;
  links(links: DashboardLinkBuilder[]): Self;
}

function describe<Panel extends Describable<Panel>>(panel: Panel, shown: Shown): Panel {
  panel
    .title(shown.title)
    .description(shown.description)
    .datasource(DATA_SOURCE)
    .unit(shown.unit)
    .span(shown.span);
  if (shown.decimals !== undefined) {
    panel.decimals(shown.decimals);
  }
  if (shown.thresholds !== undefined) {
    panel.thresholds(
      new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...shown.thresholds]),
    );
  }
  return panel.links((shown.alerts ?? []).map(runbookLink));
}

/** To the heading of an alert. */
function runbookLink(alert: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(`Runbook: ${alert}`)
    .type(DashboardLinkType.Link)
    .url(`\${${RUNBOOK_VARIABLE}}#${alert.toLowerCase()}`)
    .targetBlank(true);
}

function lookOf({ color, isDashed, fillPercent, lineWidth }: PlottedSeries): DynamicConfigValue[] {
  const properties: DynamicConfigValue[] = [];
  if (color !== undefined) {
    properties.push(fixedColor(color));
  }
  if (isDashed === true) {
    properties.push({ id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 4] } });
  }
  add(properties, 'custom.fillOpacity', fillPercent);
  add(properties, 'custom.lineWidth', lineWidth);
  return properties;
}

function fixedColor(color: string): DynamicConfigValue {
  return { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: color } };
}

function add(properties: DynamicConfigValue[], id: string, value: unknown): void {
  if (value !== undefined) {
    properties.push({ id, value });
  }
}

function textModeOf({ showsName, showsNameAndValue }: StatLook): BigValueTextMode {
  if (showsName === true) {
    return BigValueTextMode.Name;
  }
  return showsNameAndValue === true ? BigValueTextMode.ValueAndName : BigValueTextMode.Auto;
}
