/** What an operator says about one tier, node, host or balancer, for a while; it wins over the recommendation. */

export type TierWord =
  /** No fewer, no more, or neither. */
  | { readonly kind: 'pause'; readonly direction: 'in' | 'out' | 'all' }
  /** Exactly so many, within the maximum and never the last one away. */
  | { readonly kind: 'hold'; readonly nodes: number }
  /** At least so many, within the maximum. */
  | { readonly kind: 'min'; readonly nodes: number };

/** Bound to one birth: the next tenant of the number is another node. */
export interface NodeWord {
  /** `protect`: never drained, paused or destroyed. `drain`: replaced, drained, then destroyed. */
  readonly kind: 'protect' | 'drain';
  readonly number: number;
  readonly bornMs: number;
}

/** Nothing is placed there, and its nodes are as if each had been asked to be drained. */
export interface HostWord {
  readonly kind: 'drain-host';
  readonly host: string;
}

/** Its signals do not count and its silence blocks nothing; while it answers, its servers are kept as wanted. */
export interface BalancerWord {
  readonly kind: 'exclude-balancer';
  readonly balancer: string;
}

export type OverrideWord = TierWord | NodeWord | HostWord | BalancerWord;

export type Override = OverrideWord & {
  /** Short and unique while it is in force; how people and traces refer to it. */
  readonly id: string;
  /** Why, in the operator's words. */
  readonly reason: string;
  /** It ends by itself. Steady time, as `Observation.atMs`. */
  readonly untilMs: number;
};

/** The override of this kind that is meant for this tenant. */
export function findNodeOverride(
  overrides: readonly Override[],
  kind: NodeWord['kind'],
  node: { readonly number: number; readonly bornMs: number },
): Override | undefined {
  for (const override of overrides) {
    if (
      override.kind === kind &&
      override.number === node.number &&
      override.bornMs === node.bornMs
    ) {
      return override;
    }
  }
  return undefined;
}

/** The override that asks to empty this host; the first, of several. */
export function findHostDrain(
  overrides: readonly Override[],
  host: string | undefined,
): Override | undefined {
  return overrides.find((override) => override.kind === 'drain-host' && override.host === host);
}

/** The override that excludes this balancer; the first, of several. */
export function findExclusion(
  overrides: readonly Override[],
  balancer: string,
): Override | undefined {
  return overrides.find(
    (override) => override.kind === 'exclude-balancer' && override.balancer === balancer,
  );
}
