/** What can be made to go wrong with the stand-in; all of it is off at first. */

export interface Faults {
  /** Takes requests and never answers them. */
  hangs: boolean;
  /** Every write fails as on a full disk. */
  diskIsFull: boolean;
  /** Every request is answered with this status, as a daemon that panics or a proxy before it would. */
  failsWith: number | undefined;
  /** Every reload fails, with this text of the reload command. */
  reloadFailsWith: string | undefined;
  /** The daemon ends at the next request that this matches. */
  diesAt: DeathSpot | undefined;
}

export interface DeathSpot {
  readonly method: string;
  readonly path: RegExp;
  /** Either nothing was done, or all was done and only the answer is lost. */
  readonly when: 'before' | 'after';
}

export function noFaults(): Faults {
  return {
    hangs: false,
    diskIsFull: false,
    failsWith: undefined,
    reloadFailsWith: undefined,
    diesAt: undefined,
  };
}
