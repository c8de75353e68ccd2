/** The dashboards as Grafana reads them: the committed JSON, and what it makes of the variables in it. */

import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const DataSource = z.object({ type: z.string(), uid: z.string() });

const Target = z.looseObject({
  refId: z.string(),
  expr: z.string(),
  datasource: DataSource,
  legendFormat: z.string().default(''),
  instant: z.boolean().default(false),
  range: z.boolean().default(false),
  format: z.string().optional(),
});

const Step = z.object({ value: z.number().nullable(), color: z.string() });
const Thresholds = z.object({ mode: z.string(), steps: z.array(Step) });
const Mapping = z.object({
  type: z.literal('value'),
  options: z.record(z.string(), z.object({ text: z.string(), color: z.string() })),
});

/** How curves are drawn. */
const Custom = z.looseObject({
  drawStyle: z.string().optional(),
  lineInterpolation: z.string().optional(),
  lineWidth: z.number().default(1),
  fillOpacity: z.number().default(0),
  stacking: z.looseObject({ mode: z.string() }).default({ mode: 'none' }),
  thresholdsStyle: z.looseObject({ mode: z.string() }).default({ mode: 'off' }),
});

const Property = z.object({ id: z.string(), value: z.unknown() });

const FieldRules = z.looseObject({
  unit: z.string().default('none'),
  decimals: z.number().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  thresholds: Thresholds.optional(),
  mappings: z.array(Mapping).default([]),
  color: z.looseObject({ fixedColor: z.string().optional() }).optional(),
  noValue: z.string().optional(),
  custom: Custom.prefault({}),
});

/** Rows are panels with a title alone. */
const Panel = z.looseObject({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  description: z.string().default(''),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(Target).default([]),
  links: z.array(z.object({ title: z.string(), url: z.string() })).default([]),
  options: z
    .looseObject({ textMode: z.string().optional(), graphMode: z.string().optional() })
    .default({}),
  transformations: z
    .array(
      z.object({
        id: z.string(),
        options: z.looseObject({
          renameByName: z.record(z.string(), z.string()).default({}),
        }),
      }),
    )
    .default([]),
  fieldConfig: z
    .object({
      defaults: FieldRules.prefault({}),
      overrides: z
        .array(
          z.object({
            matcher: z.object({ id: z.string(), options: z.string() }),
            properties: z.array(Property),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

const Variable = z.looseObject({
  name: z.string(),
  type: z.string(),
  query: z.union([z.string(), z.object({ query: z.string() })]),
});

const Annotation = z.looseObject({
  name: z.string(),
  iconColor: z.string(),
  titleFormat: z.string().default(''),
  useValueForTime: z.boolean().default(false),
  target: Target,
});

const DashboardFile = z.looseObject({
  uid: z.string(),
  title: z.string(),
  panels: z.array(Panel),
  templating: z.object({ list: z.array(Variable) }),
  annotations: z.object({ list: z.array(Annotation).default([]) }),
  links: z.array(z.looseObject({ title: z.string(), type: z.string() })),
});

export type DashboardFile = z.output<typeof DashboardFile>;
export type PanelInFile = z.output<typeof Panel>;
export type FieldRules = z.output<typeof FieldRules>;
export type TargetInFile = z.output<typeof Target>;

export const DASHBOARD_NAMES = ['cluster.json', 'fleet.json', 'itself.json'] as const;

/** As text, because what Grafana replaces may stand anywhere in it. */
export async function readDashboardText(name: string): Promise<string> {
  return await readFile(new URL(`../../dashboards/${name}`, import.meta.url), 'utf8');
}

export async function readDashboard(name: string): Promise<DashboardFile> {
  return DashboardFile.parse(JSON.parse(await readDashboardText(name)));
}

/** Values of a dashboard's variables, and of those that Grafana itself adds. */
export type Choice = Readonly<Record<string, string>>;

/** What somebody sees who looks at the demo's only cluster for so long, scraped each second. */
export function chooseDemo(shownSeconds: number): Choice {
  return {
    cluster: 'news',
    tier: 'web',
    __range: `${Math.round(shownSeconds)}s`,
    // Grafana's is four times the interval between scrapes, at least.
    __rate_interval: '4s',
    __interval: '1s',
  };
}

const REFERENCE = /\$(?:\{(?<braced>[a-zA-Z_][\w.]*)(?::[^}]*)?\}|(?<bare>[a-zA-Z_]\w*))/g;

/** @throws Error for a variable that nobody has chosen. */
export function interpolate(expression: string, choice: Choice): string {
  return expression.replaceAll(REFERENCE, (reference, ...rest) => {
    const groups = rest.at(-1) as { readonly braced?: string; readonly bare?: string };
    const value = choice[groups.braced ?? groups.bare ?? ''];
    if (value === undefined) {
      throw new Error(`nothing is chosen for ${reference} in ${expression}`);
    }
    return value;
  });
}

/** @returns The names of the variables that a text refers to. */
export function findReferences(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)].map(
    ({ groups }) => groups?.['braced'] ?? groups?.['bare'] ?? '',
  );
}
