/** What can be made to go wrong inside the stand-in; what goes wrong on the way to it, a door before it does. */
export interface Faults {
  /** Every write fails as on a full disk. */
  diskIsFull: boolean;
  /** Every reload fails, with this text of the reload command. */
  reloadFailsWith: string | undefined;
}
