/** One scaler, one load, one run. */

import { createRandom } from '../../src/embedded/random.ts';
import { demandOf, MAX_NODES, MIN_NODES } from '../../src/sim/optimum.ts';
import {
  BOOTS_SEED,
  type BootModel,
  Fleet,
  FluidQueue,
  SATURATED_RPS,
  SERVICE_SECONDS,
  SLOTS,
} from '../../src/sim/physics.ts';
import { type Score, Scorer } from '../../src/sim/score.ts';
import type { Orderer, Sight } from './scaler.ts';
import { NodeSpeeds, type Slowness, speedsOf } from './slowness.ts';

/** Requests of each second, and the nodes that each second needs. */
export interface Load {
  readonly arrivals: Float64Array;
  readonly demand: Uint16Array;
}

export interface RunOptions {
  readonly boots: BootModel;
  /** Of the boots: the n-th boot takes equally long whoever orders it. */
  readonly seed: number;
  readonly standbyNodes?: number;
  /** Left out: nodes always do what they are rated for. */
  readonly slowness?: Slowness | undefined;
}

/** The seconds of a run, for plots. */
export interface Timeline {
  readonly supply: Uint16Array;
  readonly ordered: Uint16Array;
  readonly waiting: Float64Array;
  readonly dropped: Float64Array;
}

/** Adds what each second needs to the requests that it brings. */
export function loadOf(arrivals: Float64Array): Load {
  return { arrivals, demand: demandOf(arrivals) };
}

/** The same where nodes are slow at times: a second needs as many as do its work then. */
export function slowLoadOf(arrivals: Float64Array, slowness: Slowness, seed: number): Load {
  const speeds = speedsOf(slowness, seed, arrivals.length);
  const work = arrivals.map((requests, second) => requests / (speeds[second] ?? 1));
  return { arrivals, demand: demandOf(work) };
}

/** Runs a scaler over a load. Same load, same scaler, same seed, same score. */
export function simulate(
  { arrivals, demand }: Load,
  scaler: Orderer,
  options: RunOptions,
  timeline?: Timeline,
): Score {
  const fleet = new Fleet({
    boots: options.boots,
    random: createRandom(options.seed ^ BOOTS_SEED),
    readyNodes: startNodes(demand),
    standbyNodes: options.standbyNodes ?? 0,
  });
  const queue = new FluidQueue();
  const past = new Past(fleet, queue, arrivals);
  const { slowness, seed } = options;
  const run = { length: arrivals.length, readyNodes: fleet.ready };
  const speeds = slowness === undefined ? undefined : new NodeSpeeds(slowness, seed, run);
  const scorer = new Scorer();
  for (let second = 0; second < arrivals.length; second += 1) {
    fleet.advance(second);
    past.second = second;
    const wanted = scaler(past);
    if (typeof wanted === 'number') {
      fleet.order(withinBounds(wanted), second);
    } else {
      const { nodes, standbyNodes, soonNodes } = wanted;
      fleet.order(withinBounds(nodes), second, standbyNodes, soonNodes);
    }
    const supply = fleet.ready;
    const requests = arrivals[second] ?? 0;
    const warm = speeds?.warmNodes(second, supply) ?? supply;
    const capacity = warm * SATURATED_RPS * (speeds?.speedAt(second) ?? 1);
    queue.step(requests, capacity);
    past.record(requests, supply, { served: queue.served, capacity });
    past.usedSlots =
      queue.waiting > 0
        ? supply * SLOTS
        : (speeds?.drawUsedSlots(second, queue.served, { ready: supply, warm }) ??
          queue.served * SERVICE_SECONDS);
    scorer.add({
      arrivals: requests,
      demand: demand[second] ?? 0,
      supply: warm,
      served: queue.served,
      dropped: queue.dropped,
      waitSeconds: queue.waitSeconds,
      cost: fleet.cost,
    });
    if (timeline !== undefined) {
      timeline.supply[second] = supply;
      timeline.ordered[second] = fleet.ordered;
      timeline.waiting[second] = queue.waiting;
      timeline.dropped[second] = queue.dropped;
    }
  }
  return scorer.score;
}

function withinBounds(nodes: number): number {
  return Math.min(MAX_NODES, Math.max(MIN_NODES, nodes));
}

/** So much of the load's beginning stands for the time before it, which every scaler has seen. */
const LEAD_SECONDS = 60;

/** What the first minute needs is there: a trace begins in the middle of a site's life. */
function startNodes(demand: Uint16Array): number {
  return demand.subarray(0, LEAD_SECONDS).reduce((high, nodes) => Math.max(high, nodes), MIN_NODES);
}

/** Sums of all seconds up to each, so that a mean over any window is one subtraction. */
class Past implements Sight {
  second = 0;
  usedSlots = 0;
  readonly #fleet: Fleet;
  readonly #queue: FluidQueue;
  readonly #requests: Float64Array;
  readonly #perNode: Float64Array;
  readonly #use: Float64Array;
  readonly #leadRps: number;
  readonly #leadNodes: number;

  constructor(fleet: Fleet, queue: FluidQueue, arrivals: Float64Array) {
    this.#fleet = fleet;
    this.#queue = queue;
    this.#requests = new Float64Array(arrivals.length + 1);
    this.#perNode = new Float64Array(arrivals.length + 1);
    this.#use = new Float64Array(arrivals.length + 1);
    const lead = arrivals.subarray(0, LEAD_SECONDS);
    this.#leadRps = lead.reduce((sum, requests) => sum + requests, 0) / Math.max(1, lead.length);
    this.#leadNodes = fleet.ready;
  }

  get ready(): number {
    return this.#fleet.ready;
  }

  get ordered(): number {
    return this.#fleet.ordered;
  }

  get standby(): number {
    return this.#fleet.paused + this.#fleet.pausedSoon;
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  get servedRps(): number {
    return this.#queue.served;
  }

  get bootTimes(): readonly number[] {
    return this.#fleet.bootTimes;
  }

  meanRps(windowSeconds: number, delaySeconds: number): number {
    return this.#mean(this.#requests, this.#leadRps, windowSeconds, delaySeconds);
  }

  meanRpsPerNode(windowSeconds: number, delaySeconds: number): number {
    const lead = this.#leadRps / this.#leadNodes;
    return this.#mean(this.#perNode, lead, windowSeconds, delaySeconds);
  }

  meanUse(windowSeconds: number, delaySeconds: number): number {
    const lead = Math.min(1, this.#leadRps / this.#leadNodes / SATURATED_RPS);
    return this.#mean(this.#use, lead, windowSeconds, delaySeconds);
  }

  record(
    requests: number,
    supply: number,
    { served, capacity }: { served: number; capacity: number },
  ): void {
    const at = this.second;
    this.#requests[at + 1] = (this.#requests[at] ?? 0) + requests;
    this.#perNode[at + 1] = (this.#perNode[at] ?? 0) + requests / supply;
    this.#use[at + 1] = (this.#use[at] ?? 0) + served / capacity;
  }

  #mean(sums: Float64Array, lead: number, windowSeconds: number, delaySeconds: number): number {
    const to = this.second - delaySeconds;
    const from = to - windowSeconds;
    if (from >= 0) {
      return ((sums[to] ?? 0) - (sums[from] ?? 0)) / windowSeconds;
    }
    const known = Math.max(0, to);
    return ((sums[known] ?? 0) + lead * (windowSeconds - known)) / windowSeconds;
  }
}
