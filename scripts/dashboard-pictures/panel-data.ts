/** What each panel of a dashboard shows, asked of a Prometheus as Grafana asks it. */

import {
  type Choice,
  type DashboardFile,
  interpolate,
  type PanelInFile,
  type TargetInFile,
} from '../../test/dashboards/dashboard-file.ts';
import type { Point, Prometheus, Range, Series } from '../../test/signals/prometheus.ts';

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

/** A moment when both times are the same. */
export interface Mark {
  readonly fromMs: number;
  readonly toMs: number;
  readonly color: string;
}

export interface DashboardData {
  readonly title: string;
  readonly range: Range;
  readonly choice: Choice;
  /** Names of those that the dashboard has. */
  readonly variables: readonly string[];
  readonly annotations: DashboardFile['annotations']['list'];
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
  for (const { target, iconColor: color, useValueForTime } of dashboard.annotations.list) {
    const points = (await ask(target)).flatMap((series) => series.points);
    if (useValueForTime) {
      const times = new Set(points.map(({ value }) => value));
      marks.push(...[...times].map((atMs) => ({ fromMs: atMs, toMs: atMs, color })));
    } else {
      marks.push(...stretchesOf(points, range).map((stretch) => ({ ...stretch, color })));
    }
  }
  const shown = marks.filter(({ fromMs, toMs }) => toMs >= range.fromMs && fromMs <= range.toMs);
  const variables = dashboard.templating.list.map(({ name }) => name);
  const annotations = dashboard.annotations.list;
  return { title: dashboard.title, range, choice, variables, annotations, panels, marks: shown };
}

/** Points that follow each other step by step. */
function stretchesOf(
  points: readonly Point[],
  { stepSeconds }: Range,
): readonly Pick<Mark, 'fromMs' | 'toMs'>[] {
  const found: { readonly fromMs: number; toMs: number }[] = [];
  for (const { atMs } of points) {
    const last = found.at(-1);
    if (last !== undefined && atMs - last.toMs <= stepSeconds * 1000) {
      last.toMs = atMs;
    } else {
      found.push({ fromMs: atMs, toMs: atMs });
    }
  }
  return found;
}

function nameOf({ labels }: Series, { legendFormat }: TargetInFile): string {
  return legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}
