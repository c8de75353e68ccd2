/** What each panel of a dashboard shows, asked of a Prometheus as Grafana asks it. */

import {
  type Choice,
  type DashboardFile,
  interpolate,
  type PanelInFile,
  type TargetInFile,
} from '../../test/dashboards/dashboard-file.ts';
import type { Point, Prometheus, Range, Series } from '../../test/dashboards/prometheus.ts';

export interface NamedSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly Point[];
}

export interface PanelData {
  readonly panel: PanelInFile;
  /** One list for each target, in their order. */
  readonly answers: readonly (readonly NamedSeries[])[];
}

export interface Mark {
  readonly atMs: number;
  readonly color: string;
}

export interface DashboardData {
  readonly title: string;
  readonly range: Range;
  readonly choice: Choice;
  readonly panels: readonly PanelData[];
  readonly marks: readonly Mark[];
}

export async function askDashboard(
  prometheus: Prometheus,
  dashboard: DashboardFile,
  choice: Choice,
  range: Range,
): Promise<DashboardData> {
  const ask = async (target: TargetInFile): Promise<readonly NamedSeries[]> => {
    const expression = interpolate(target.expr, choice);
    const series = target.instant
      ? await prometheus.at(expression, range.toMs)
      : await prometheus.during(expression, range);
    return series.map((one) => ({ ...one, name: nameOf(one, target) }));
  };
  const panels: PanelData[] = [];
  for (const panel of dashboard.panels) {
    const answers: (readonly NamedSeries[])[] = [];
    for (const target of panel.targets) {
      answers.push(await ask(target));
    }
    panels.push({ panel, answers });
  }
  const marks: Mark[] = [];
  for (const { target, iconColor } of dashboard.annotations.list) {
    const times = (await ask(target)).flatMap(({ points }) => points.map(({ value }) => value));
    for (const atMs of new Set(times)) {
      if (atMs >= range.fromMs && atMs <= range.toMs) {
        marks.push({ atMs, color: iconColor });
      }
    }
  }
  return { title: dashboard.title, range, choice, panels, marks };
}

function nameOf({ labels }: Series, { legendFormat }: TargetInFile): string {
  return legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}
