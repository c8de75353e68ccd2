/** What a scaler may see of a load, and what it says. */

/** The past of one run, as far as it can be seen at `second`: nothing of this second or later. */
export interface Sight {
  readonly second: number;
  /** Nodes in service. */
  readonly ready: number;
  /** Nodes in service and those on the way. */
  readonly ordered: number;
  /** Nodes that stand by beside those, and those that boot to do so. */
  readonly standby: number;
  /** Requests that wait at the balancer, and those that were served in the second before. */
  readonly waiting: number;
  readonly servedRps: number;
  /** Of all slots of the nodes that served in the second before, those that requests took. */
  readonly usedSlots: number;
  /** How long boots took that have ended, in seconds, the latest last. */
  readonly bootTimes: readonly number[];
  /** Arrivals per second, the mean of a window that ended `delaySeconds` ago. */
  readonly meanRps: (windowSeconds: number, delaySeconds: number) => number;
  /** Arrivals per second and node in service. */
  readonly meanRpsPerNode: (windowSeconds: number, delaySeconds: number) => number;
  /** The share of their time that nodes in service worked; it cannot exceed 1. */
  readonly meanUse: (windowSeconds: number, delaySeconds: number) => number;
}

/** What is to run, how much of it before a boot would serve, and what is to stand by beside it. */
export interface Order {
  readonly nodes: number;
  readonly soonNodes: number;
  readonly standbyNodes: number;
}

/** Called each second, decides on its own period, says how many nodes there should be. */
export type Scaler = (sight: Sight) => number;

/** The same of one that keeps nodes on standby by its own judgment. */
export type Orderer = (sight: Sight) => number | Order;
