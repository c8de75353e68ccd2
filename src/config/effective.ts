/** Every value in force and where it comes from, for `rackfire check --effective`. */

import type { LoadedConfig } from './load-config.ts';
import { formatPath, type Path } from './problems.ts';

/** One value in force. */
export interface EffectiveValue {
  /** `clusters[0].tiers.web.drain.deadline` */
  readonly path: string;
  /** As a person writes it: `5m`, `512MiB`, `0.05`. */
  readonly value: string;
  /** `file:line`, or `default` when the file does not say it. */
  readonly origin: string;
}

/** Lists every value in force, in the order of the vocabulary. Keys that have no value are left out. */
export function listEffective({ written, source }: LoadedConfig): readonly EffectiveValue[] {
  return listLeaves(written, []).map(({ path, value }) => {
    const { line, isWritten } = source.locate(path, 'value');
    return {
      path: formatPath(path),
      value: Array.isArray(value) ? 'none' : String(value),
      origin: isWritten ? `${source.file}:${line}` : 'default',
    };
  });
}

interface Leaf {
  readonly path: Path;
  readonly value: unknown;
}

function listLeaves(value: unknown, path: Path): readonly Leaf[] {
  if (value === undefined) {
    return [];
  }
  // An empty list is a value, too: it says `none`.
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((entry, index) => listLeaves(entry, [...path, index]));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, entry]) => listLeaves(entry, [...path, key]));
  }
  return [{ path, value }];
}
