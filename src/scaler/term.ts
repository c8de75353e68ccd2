/** A leadership term: compared by creation of the lease, then by its transitions. */
export interface Term {
  readonly createdAtSeconds: number;
  readonly transitions: number;
}

/** Two that are missing are the same. */
export function isSameTerm(one: Term | undefined, other: Term | undefined): boolean {
  return (
    one?.createdAtSeconds === other?.createdAtSeconds && one?.transitions === other?.transitions
  );
}

/** True when `term` is in force later than `other`. */
export function isNewer(term: Term, other: Term): boolean {
  return term.createdAtSeconds === other.createdAtSeconds
    ? term.transitions > other.transitions
    : term.createdAtSeconds > other.createdAtSeconds;
}
