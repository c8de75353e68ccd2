/** What the rules of a panel say of a single value or series. Colors are those of Grafana's light theme. */

import { z } from 'zod';
import type { FieldRules, PanelInFile } from '../../test/dashboards/dashboard-file.ts';

/** By Grafana's names. */
const NAMED: Readonly<Record<string, string>> = {
  green: '#56A64B',
  blue: '#3274D9',
  'super-light-blue': '#8AB8FF',
  red: '#E02F44',
  'dark-red': '#AD0317',
  orange: '#FF780A',
  'dark-orange': '#B35A00',
  yellow: '#E0B400',
  purple: '#8F3BB8',
  text: '#8A8D91',
  transparent: 'transparent',
};

/** For series without a color of their own, in their order. */
const CLASSIC = ['#56A64B', '#E0B400', '#3274D9', '#FF780A', '#E02F44', '#8F3BB8', '#8AB8FF'];

export const INK = '#24292E';

export function colorOf(name: string): string {
  const color = NAMED[name];
  if (color === undefined) {
    throw new Error(`the color ${name} has no place in the pictures yet`);
  }
  return color;
}

export function nthColor(index: number): string {
  return CLASSIC[index % CLASSIC.length] ?? INK;
}

export interface Look {
  readonly color: string | undefined;
  readonly isDashed: boolean;
  readonly fillPercent: number;
  readonly lineWidth: number;
}

const FixedColor = z.looseObject({ fixedColor: z.string() });

/** Of a series by its name: the panel's defaults, and what overrides them. */
export function lookOf(panel: PanelInFile, name: string): Look {
  const { custom } = panel.fieldConfig.defaults;
  const properties = propertiesOf(panel, name);
  const color = FixedColor.safeParse(properties.get('color')).data?.fixedColor;
  return {
    color: color === undefined ? undefined : colorOf(color),
    isDashed: properties.has('custom.lineStyle'),
    fillPercent: Number(properties.get('custom.fillOpacity') ?? custom.fillOpacity),
    lineWidth: Number(properties.get('custom.lineWidth') ?? custom.lineWidth),
  };
}

/** The rules of one column or series, with what overrides them. */
export function rulesOf(panel: PanelInFile, name: string): FieldRules {
  return { ...panel.fieldConfig.defaults, ...Object.fromEntries(propertiesOf(panel, name)) };
}

export interface Shown {
  readonly text: string;
  readonly color: string;
}

/** The text that stands for a value, when its rules know one, and the color. */
export function mapValue(value: number, rules: FieldRules): Partial<Shown> {
  for (const { options } of rules.mappings) {
    const found = options[String(value)];
    if (found !== undefined) {
      return { text: found.text, color: colorOf(found.color) };
    }
  }
  const step = rules.thresholds?.steps.findLast((one) => one.value === null || value >= one.value);
  const fixed = rules.color?.fixedColor;
  if (fixed !== undefined) {
    return { color: colorOf(fixed) };
  }
  return step === undefined ? {} : { color: colorOf(step.color) };
}

function propertiesOf({ fieldConfig }: PanelInFile, name: string): ReadonlyMap<string, unknown> {
  const overrides = fieldConfig.overrides.filter(({ matcher }) => matcher.options === name);
  return new Map(
    overrides.flatMap(({ properties }) => properties.map(({ id, value }) => [id, value] as const)),
  );
}
