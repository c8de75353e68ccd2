import {
  type AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  ConstantVariableBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATA_SOURCE, type PanelBuilder, RUNBOOK_VARIABLE } from './panels.ts';

/** What all of Rackfire's dashboards have in common. */
const TAG = 'rackfire';

/** The form that Grafana 11 knows; newer ones bring it to their own by themselves. */
const SCHEMA_VERSION = 39;

export interface Section {
  readonly title: string;
  /** From left to right, and on in the next line when 24 columns are full. */
  readonly panels: readonly PanelBuilder[];
}

export interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Beside the data source and the place of the runbook. */
  readonly variables: readonly QueryVariableBuilder[];
  readonly annotations: readonly AnnotationQueryBuilder[];
  readonly sections: readonly Section[];
}

/** @returns A dashboard of the kind that Grafana 11, 12 and newer load from a file. */
export function createDashboard(plan: DashboardPlan): object {
  // oxlint-disable-next-line typescript/no-deprecated -- Grafana 11 knows no other kind
  const builder = new DashboardBuilder(plan.title)
    .uid(plan.uid)
    .description(plan.description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([
      new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
      ...plan.variables,
      new ConstantVariableBuilder(RUNBOOK_VARIABLE).value('docs/runbook.md'),
    ])
    .annotations([...plan.annotations])
    .links([
      new DashboardLinkBuilder('Rackfire')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
      new DashboardLinkBuilder('Runbook')
        .type(DashboardLinkType.Link)
        .icon('doc')
        .url(`\${${RUNBOOK_VARIABLE}}`)
        .targetBlank(true),
    ]);
  let id = 0;
  for (const { title, panels } of plan.sections) {
    id += 1;
    builder.withRow(new RowBuilder(title).id(id));
    for (const panel of panels) {
      id += 1;
      builder.withPanel(panel.id(id));
    }
  }
  return { ...builder.build(), schemaVersion: SCHEMA_VERSION };
}

export interface VariablePlan {
  readonly name: string;
  readonly label: string;
  /** The values of this label … */
  readonly of: string;
  /** … in the series of this selector. */
  readonly selector: string;
  readonly multi?: boolean;
}

/** One name of the config, or several, to be chosen at the top. */
export function nameVariable({ name, label, of, selector, multi }: VariablePlan) {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATA_SOURCE)
    .query({ qryType: 1, query: `label_values(${selector},${of})`, refId: `Variable-${name}` })
    .refresh(VariableRefresh.OnTimeRangeChanged);
  return multi === true
    ? variable.multi(true).includeAll(true).allValue('.+').current({ text: 'All', value: '$__all' })
    : variable;
}
