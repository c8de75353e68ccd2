import { UnreachableError } from '../control/errors.ts';

/** What a Xen host has. */
export interface XlInfo {
  /** Not given to any guest; what builds in progress have claimed is off already. */
  readonly freeMemoryMiB: number;
  readonly totalMemoryMiB: number;
  readonly cpus: number;
  readonly xenVersion: string;
}

/**
 * Reads `xl info`.
 *
 * @throws UnreachableError when a line that is needed is missing.
 */
export function parseXlInfo(text: string): XlInfo {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) {
      fields.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
    }
  }
  const numberOf = (name: string): number => {
    const value = fields.get(name);
    if (value === undefined || !/^\d{1,9}$/.test(value)) {
      throw new UnreachableError(`xl info shows no usable ${name}: ${value ?? 'no such line'}`);
    }
    return Number(value);
  };
  return {
    freeMemoryMiB: numberOf('free_memory'),
    totalMemoryMiB: numberOf('total_memory'),
    cpus: numberOf('nr_cpus'),
    xenVersion: fields.get('xen_version') ?? 'unknown',
  };
}
