/** Nodes that do less than they are rated for: the variants of the site in which a target is too much. */

import { createRandom } from '../../src/embedded/random.ts';
import { SERVICE_SECONDS, SLOTS } from '../../src/sim/physics.ts';
import { drawClumped } from './chance.ts';

/** `cold`: each node for its first 90 s in service. `slow`: all of them, three times for 10 min. Both by half. */
export type Slowness = 'cold' | 'slow';

const COLD_SECONDS = 90;
const SLOW_SECONDS = 600;
/** In storms that begin after 45 min: one spell in the calm before, one about the peak, one in the decay. */
const SPELLS_BEGIN: readonly (readonly [number, number])[] = [
  [900, 1_500],
  [2_700, 6_300],
  [7_200, 18_000],
];
/** Mean requests of a page view, which come at about one moment. */
const CLUMP = 5;

/** How fast all nodes are in each second, as a share. Same seed, same spells. */
export function speedsOf(
  slowness: Slowness | undefined,
  seed: number,
  length: number,
): Float64Array {
  const speeds = new Float64Array(length).fill(1);
  if (slowness === 'slow') {
    const random = createRandom(seed ^ 0x510e);
    for (const [from, to] of SPELLS_BEGIN) {
      const start = Math.floor(from + random() * (to - from));
      speeds.fill(0.5, start, start + SLOW_SECONDS);
    }
  }
  return speeds;
}

/** What the nodes of a run are worth, second by second. */
export class NodeSpeeds {
  readonly #speeds: Float64Array;
  readonly #coldSeconds: number;
  readonly #random: () => number;
  /** Of each node in service, the newest last, which is the first to go. */
  readonly #coldUntil: number[];

  constructor(slowness: Slowness, seed: number, run: { length: number; readyNodes: number }) {
    this.#speeds = speedsOf(slowness, seed, run.length);
    this.#coldSeconds = slowness === 'cold' ? COLD_SECONDS : 0;
    this.#random = createRandom(seed ^ 0x510f);
    this.#coldUntil = Array.from({ length: run.readyNodes }, () => 0);
  }

  /** Nodes that have warmed up, and the cold ones at half. */
  warmNodes(second: number, readyNodes: number): number {
    while (this.#coldUntil.length < readyNodes) {
      this.#coldUntil.push(second + this.#coldSeconds);
    }
    this.#coldUntil.length = readyNodes;
    return readyNodes - this.#coldUntil.filter((until) => until > second).length / 2;
  }

  speedAt(second: number): number {
    return this.#speeds[second] ?? 1;
  }

  /** Slots in use at a moment, each node having the same share of the requests: cold ones work on theirs twice as long. */
  drawUsedSlots(second: number, servedRps: number, nodes: { ready: number; warm: number }): number {
    const serviceSeconds =
      (SERVICE_SECONDS * (3 - (2 * nodes.warm) / nodes.ready)) / this.speedAt(second);
    const used = drawClumped(servedRps * serviceSeconds, CLUMP, this.#random);
    return Math.min(nodes.ready * SLOTS, used);
  }
}
