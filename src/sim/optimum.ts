/** What a load needs, and what it costs whoever knows all of it beforehand. */

import { RATED_RPS, SATURATED_RPS } from './physics.ts';

/** The bounds that every scaler is held to. */
export const MIN_NODES = 2;
export const MAX_NODES = 200;

/** Demand follows the mean over so many seconds: a single second says nothing about a need. */
const DEMAND_SECONDS = 15;

/** Of a demand: how many nodes are needed at least, and at most. */
export interface Bounds {
  readonly minNodes: number;
  readonly maxNodes: number;
}

/** The nodes that each second needs: the mean rate of the latest 15 s at the rated rate, within the bounds. */
export function demandOf(
  arrivals: Float64Array,
  { minNodes, maxNodes }: Bounds = { minNodes: MIN_NODES, maxNodes: MAX_NODES },
): Uint16Array {
  const demand = new Uint16Array(arrivals.length);
  let sum = 0;
  for (const [second, requests] of arrivals.entries()) {
    sum += requests - (second >= DEMAND_SECONDS ? (arrivals[second - DEMAND_SECONDS] ?? 0) : 0);
    const seconds = Math.min(second + 1, DEMAND_SECONDS);
    // Sums of floating-point numbers drift; a need of exactly three nodes is three.
    const nodes = Math.ceil(sum / seconds / RATED_RPS - 1e-9);
    demand[second] = Math.min(maxNodes, Math.max(minNodes, nodes));
  }
  return demand;
}

/**
 * Node-seconds of the cheapest schedule that always has what is needed. Nodes are interchangeable, so the
 * k-th node is needed whenever k or more are: it is ordered one boot before that, and kept through gaps of up
 * to one boot, because booting it again would cost as much. The nodes of the first second are there already.
 */
export function coveringOptimum(demand: Uint16Array, bootSeconds: number): number {
  const most = demand.reduce((high, nodes) => Math.max(high, nodes), 0);
  const neededUntil = new Int32Array(most + 1).fill(-1);
  let total = 0;
  let before = demand[0] ?? 0;
  for (const [second, nodes] of demand.entries()) {
    total += nodes;
    for (let node = nodes + 1; node <= before; node += 1) {
      neededUntil[node] = second;
    }
    for (let node = before + 1; node <= nodes; node += 1) {
      const until = neededUntil[node] ?? -1;
      total += Math.min(bootSeconds, until < 0 ? second : second - until);
    }
    before = nodes;
  }
  return total;
}

/** What a request costs that is dropped or late, in node-seconds of its share of a rated node. */
export interface Penalties {
  readonly dropped: number;
  readonly late: number;
}

/**
 * The lowest cost of any schedule, penalties included, when whoever makes it knows everything: it leaves a
 * short need unserved where that is cheaper than a node. Exact but for the queue: what exceeds the nodes of a
 * second counts as dropped, which the queue would sometimes save, and nobody waits from one second to the next.
 */
export function pricedOptimum(
  arrivals: Float64Array,
  demand: Uint16Array,
  { bootSeconds, penalties }: { readonly bootSeconds: number; readonly penalties: Penalties },
): number {
  const most = demand.reduce((high, nodes) => Math.max(high, nodes), MIN_NODES);
  // The lowest cost so far of every way that ends this second with so many nodes.
  const cost = new Float64Array(most + 1).fill(Number.POSITIVE_INFINITY);
  for (let nodes = MIN_NODES; nodes <= most; nodes += 1) {
    cost[nodes] = 0;
  }
  for (const [second, requests] of arrivals.entries()) {
    // At the start as many are there as are asked for; later a node costs its boot, and letting go is free.
    if (second > 0) {
      for (let nodes = most - 1; nodes >= MIN_NODES; nodes -= 1) {
        cost[nodes] = Math.min(cost[nodes] ?? 0, cost[nodes + 1] ?? 0);
      }
      for (let nodes = MIN_NODES + 1; nodes <= most; nodes += 1) {
        cost[nodes] = Math.min(cost[nodes] ?? 0, (cost[nodes - 1] ?? 0) + bootSeconds);
      }
    }
    const needed = demand[second] ?? 0;
    for (let nodes = MIN_NODES; nodes <= most; nodes += 1) {
      let added = nodes;
      if (nodes < needed) {
        const served = Math.min(requests, nodes * SATURATED_RPS);
        added += (penalties.late * served + penalties.dropped * (requests - served)) / RATED_RPS;
      }
      cost[nodes] = (cost[nodes] ?? 0) + added;
    }
  }
  return cost.reduce((low, one) => Math.min(low, one), Number.POSITIVE_INFINITY);
}
