/**
 * What an experienced operator would say of a config that can be used: each with the numbers that speak against it, and
 * what to write instead.
 */

import type { Advice, Experience, Subject } from './advice.ts';
import { adviseInstallation } from './installation-lints.ts';
import type { LoadedConfig } from './load-config.ts';
import { type PlacedTier, placeTiers } from './placed-tiers.ts';
import { formatPath, type Problem } from './problems.ts';
import { adviseSchedules } from './schedule-lints.ts';
import { adviseTier } from './tier-lints.ts';

/** Something to look at; the config is used all the same. */
export interface Lint extends Problem {
  /** What to write instead. */
  readonly proposal: string;
}

/** Every lint, in the order of the file. */
export function findLints(
  { config, written, source }: LoadedConfig,
  experience: Experience,
): readonly Lint[] {
  const placed = placeTiers(written);
  const overlaps = new Map<string, number | undefined>();
  const subjects = config.clusters.flatMap(({ tiers }) =>
    tiers.flatMap((tier): Subject[] => {
      const path = placed.find(isTier(tier))?.path;
      return tier.scaling === 'none' || path === undefined
        ? []
        : [{ tier, key: `${tier.cluster}/${tier.name}`, path, config, experience, overlaps }];
    }),
  );
  const advice: readonly Advice[] = [
    ...subjects.flatMap((subject) => adviseTier(subject, placed)),
    ...subjects.flatMap(adviseSchedules),
    ...adviseInstallation(config, subjects),
  ];
  return advice
    .map(({ path, message, proposal }) => {
      const { line, column } = source.locate(path, 'value');
      return { file: source.file, line, column, path: formatPath(path), message, proposal };
    })
    .toSorted((one, other) => one.line - other.line || one.column - other.column);
}

function isTier(tier: { readonly cluster: string; readonly name: string }) {
  return ({ cluster, name }: PlacedTier): boolean => cluster === tier.cluster && name === tier.name;
}
