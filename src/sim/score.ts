/** What a run is judged by: the sums of its seconds, and the numbers that are made of them. */

import type { Penalties } from './optimum.ts';
import { RATED_RPS } from './physics.ts';

/** Ranking; and with these two as well, to show that it does not hang on them. */
export const PENALTIES: Penalties = { dropped: 10, late: 2 };
export const MILD_PENALTIES: Penalties = { dropped: 3, late: 1 };
export const HARSH_PENALTIES: Penalties = { dropped: 30, late: 5 };

/** A request that waits longer than this is late. */
const LATE_SECONDS = 0.3;
/** Sums of fluids leave crumbs, and a crumb is no request. */
const CRUMB = 1e-6;
const SAMPLE_SECONDS = 15;

/** One second of a run. */
export interface Second {
  readonly arrivals: number;
  readonly demand: number;
  /** Nodes in service at the balancer. */
  readonly supply: number;
  readonly served: number;
  readonly dropped: number;
  readonly waitSeconds: number;
  readonly cost: number;
}

export interface Score {
  readonly nodeSeconds: number;
  readonly requests: number;
  readonly dropped: number;
  /** Served while supply was below demand, or after more than 0.3 s. */
  readonly late: number;
  /** Seconds in a row in which requests were dropped: the longest such run. */
  readonly longestDropRun: number;
  /** From the second in which demand exceeds supply to the one in which it no longer does. */
  readonly longestShortage: number;
  readonly meanShortage: number;
  readonly shortages: number;
  readonly spec: SpecScore;
}

/**
 * Elasticity by the SPEC research group: accuracy and share of time of both kinds of error, in percent.
 *
 * @see Herbst, Kounev and Reussner, Elasticity in cloud computing, ICAC 2013; and TOMPECS 3(4), 2018
 */
export interface SpecScore {
  readonly underAccuracy: number;
  readonly overAccuracy: number;
  readonly underTime: number;
  readonly overTime: number;
  /** Unit changes of supply less those of demand, per hour. */
  readonly jitterPerHour: number;
  /** Share of 15 s samples in which supply and demand do not move the same way. */
  readonly instability: number;
}

/** Adds a run up, second by second. */
export class Scorer {
  #seconds = 0;
  #nodeSeconds = 0;
  #requests = 0;
  #dropped = 0;
  #late = 0;
  #dropRun = 0;
  #longestDropRun = 0;
  #shortage = 0;
  #longestShortage = 0;
  #shortSeconds = 0;
  #shortages = 0;
  #under = 0;
  #over = 0;
  #overSeconds = 0;
  #supplyChanges = 0;
  #demandChanges = 0;
  #unlike = 0;
  #samples = 0;
  #supply = -1;
  #demand = -1;
  #sampledSupply = 0;
  #sampledDemand = 0;

  add(second: Second): void {
    const { demand, supply, dropped } = second;
    this.#nodeSeconds += second.cost;
    this.#requests += second.arrivals;
    this.#dropped += dropped;
    if (supply < demand || second.waitSeconds > LATE_SECONDS) {
      this.#late += second.served;
    }
    this.#dropRun = dropped > CRUMB ? this.#dropRun + 1 : 0;
    this.#longestDropRun = Math.max(this.#longestDropRun, this.#dropRun);
    if (supply < demand) {
      this.#shortages += this.#shortage === 0 ? 1 : 0;
      this.#shortage += 1;
      this.#shortSeconds += 1;
      this.#longestShortage = Math.max(this.#longestShortage, this.#shortage);
      this.#under += (demand - supply) / demand;
    } else {
      this.#shortage = 0;
      this.#over += (supply - demand) / demand;
      this.#overSeconds += supply > demand ? 1 : 0;
    }
    this.#sample(demand, supply);
    this.#seconds += 1;
  }

  get score(): Score {
    const seconds = Math.max(1, this.#seconds);
    return {
      nodeSeconds: this.#nodeSeconds,
      requests: this.#requests,
      dropped: this.#dropped,
      late: this.#late,
      longestDropRun: this.#longestDropRun,
      longestShortage: this.#longestShortage,
      meanShortage: this.#shortSeconds / Math.max(1, this.#shortages),
      shortages: this.#shortages,
      spec: {
        underAccuracy: (100 * this.#under) / seconds,
        overAccuracy: (100 * this.#over) / seconds,
        underTime: (100 * this.#shortSeconds) / seconds,
        overTime: (100 * this.#overSeconds) / seconds,
        jitterPerHour: (3_600 * (this.#supplyChanges - this.#demandChanges)) / seconds,
        instability: (100 * this.#unlike) / Math.max(1, this.#samples),
      },
    };
  }

  #sample(demand: number, supply: number): void {
    if (this.#seconds > 0) {
      this.#supplyChanges += Math.abs(supply - this.#supply);
      this.#demandChanges += Math.abs(demand - this.#demand);
    }
    this.#supply = supply;
    this.#demand = demand;
    if (this.#seconds % SAMPLE_SECONDS === 0) {
      if (this.#seconds > 0) {
        const isAlike =
          Math.sign(supply - this.#sampledSupply) === Math.sign(demand - this.#sampledDemand);
        this.#unlike += isAlike ? 0 : 1;
        this.#samples += 1;
      }
      this.#sampledSupply = supply;
      this.#sampledDemand = demand;
    }
  }
}

/**
 * How many times the cost of perfect foresight a run has cost, its penalties included; 1 is perfect.
 *
 * @param optimumNodeSeconds - Of the covering optimum of the same load.
 */
export function costRatio(
  { nodeSeconds, dropped, late }: Pick<Score, 'nodeSeconds' | 'dropped' | 'late'>,
  optimumNodeSeconds: number,
  penalties: Penalties,
): number {
  const lost = (penalties.dropped * dropped + penalties.late * late) / RATED_RPS;
  return (nodeSeconds + lost) / optimumNodeSeconds;
}
