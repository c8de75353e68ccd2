import type { Term } from '../scaler/observation.ts';

/** True when `term` is in force later than `other`. */
export function isNewer(term: Term, other: Term): boolean {
  return term.createdAtSeconds === other.createdAtSeconds
    ? term.transitions > other.transitions
    : term.createdAtSeconds > other.createdAtSeconds;
}
