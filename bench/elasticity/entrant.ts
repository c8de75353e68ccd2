/** A contender at one target, with all that it was run on. */

import type { Penalties } from '../../src/sim/optimum.ts';
import { costRatio, type Score } from '../../src/sim/score.ts';
import { geometricMean, type Strata } from './statistics.ts';
import type { Entry, Group, TaskResult } from './task.ts';

export interface Cell {
  readonly load: string;
  readonly seed: number;
  readonly score: Score;
  readonly coveringNodeSeconds: number;
}

export interface Entrant extends Entry {
  /** In the order of the tasks, so that the cells of two entrants are of the same loads. */
  readonly cells: ReadonlyMap<Group, readonly Cell[]>;
}

/** Sorts results by who has run. */
export function entrantsOf(results: readonly TaskResult[]): readonly Entrant[] {
  const found = new Map<string, Entry & { readonly cells: Map<Group, Cell[]> }>();
  for (const { load, group, seed, coveringNodeSeconds, runs } of results) {
    for (const { contender, target, score } of runs) {
      const key = `${contender} ${target}`;
      const entrant = found.get(key) ?? { contender, target, cells: new Map<Group, Cell[]>() };
      found.set(key, entrant);
      const cells = entrant.cells.get(group) ?? [];
      entrant.cells.set(group, cells);
      cells.push({ load, seed, score, coveringNodeSeconds });
    }
  }
  return [...found.values()];
}

export function ratioOf({ score, coveringNodeSeconds }: Cell, penalties: Penalties): number {
  return costRatio(score, coveringNodeSeconds, penalties);
}

/** Cost ratios of a group, one stratum for each load. */
export function strataOf({ cells }: Entrant, group: Group, penalties: Penalties): Strata {
  const strata = new Map<string, number[]>();
  for (const cell of cells.get(group) ?? []) {
    const stratum = strata.get(cell.load) ?? [];
    strata.set(cell.load, stratum);
    stratum.push(ratioOf(cell, penalties));
  }
  return [...strata.values()];
}

/** The distance from perfect foresight: the geometric mean of a group's cost ratios, less one. */
export function regretOf(entrant: Entrant, group: Group, penalties: Penalties): number {
  return geometricMean(strataOf(entrant, group, penalties).flat()) - 1;
}

/** Groups count alike, so that nobody wins by the choice of traces. */
export function balancedRegretOf(entrant: Entrant, penalties: Penalties): number {
  const groups = [...entrant.cells.keys()];
  return geometricMean(groups.map((group) => regretOf(entrant, group, penalties) + 1)) - 1;
}

/** The one of several with the lowest value. */
export function lowest<T>(candidates: readonly T[], valueOf: (candidate: T) => number): T {
  const [first, ...others] = candidates;
  if (first === undefined) {
    throw new RangeError('nobody to choose from');
  }
  return others.reduce((best, one) => (valueOf(one) < valueOf(best) ? one : best), first);
}
