/** One config over recorded history: each stretch a run of its own, and the figures of all of them. */

import { createRandom } from '../../embedded/random.ts';
import type { Bounds } from '../../sim/optimum.ts';
import { BOOTS_SEED } from '../../sim/physics.ts';
import { costRatio, PENALTIES } from '../../sim/score.ts';
import { type Change, simulate, type Simulation } from '../../sim/simulation.ts';
import { reportSeconds } from '../progress.ts';
import type { RunSeries } from '../simulate/plot.ts';
import { prepareRun, type Subject } from '../simulate/prepare.ts';
import type { History } from './history.ts';

/** What `--json` prints of each config; scripts rely on it. */
export interface Figures {
  readonly requests: number;
  readonly dropped: number;
  /** Served while nodes were missing, or after more than 0.3 s. */
  readonly late: number;
  /** Time in which fewer nodes were in service than needed. */
  readonly underProvisionedMinutes: number;
  readonly nodeHours: number;
  /** Of perfect foresight. */
  readonly optimumNodeHours: number;
  /** Changes of the count. */
  readonly changes: number;
  /** Times that the count grew again within {@link FLAP_SECONDS} after nodes had been let go. */
  readonly flaps: number;
  readonly boots: number;
  readonly J: number;
}

export interface Replayed {
  readonly subject: Subject;
  readonly figures: Figures;
  /** From the first stretch to the last, in the order of time; 0 in gaps. */
  readonly series: RunSeries;
}

/** As long as Kubernetes' HPA holds what it once wanted. */
const FLAP_SECONDS = 300;

/** The same seed draws the same boots, whatever the config. */
export async function replay(
  { stretches, seconds }: History,
  subject: Subject,
  {
    bounds,
    bootDelayMs,
    seed,
  }: { readonly bounds: Bounds; readonly bootDelayMs: number; readonly seed: number },
): Promise<Replayed> {
  const options = prepareRun(subject, { bounds, bootDelayMs, hasTimes: true });
  const report = reportSeconds(subject.file, seconds);
  const beginMs = stretches[0]?.fromMs ?? 0;
  const secondOf = (atMs: number): number => Math.round((atMs - beginMs) / 1_000);
  const ends = stretches.map(({ fromMs, arrivals }) => secondOf(fromMs) + arrivals.length);
  const series = createSeries(ends.reduce((last, end) => Math.max(last, end), 0));
  const total = new FigureSum();
  let passed = 0;
  for (const [index, { fromMs, arrivals }] of stretches.entries()) {
    const before = passed;
    const run = await simulate(arrivals, {
      ...options,
      beginsAtMs: fromMs,
      random: createRandom((seed + index) ^ BOOTS_SEED),
      onSecond: (second) => report(before + second),
    });
    passed += arrivals.length;
    total.add(run);
    lay(series, run, secondOf(fromMs));
  }
  return { subject, figures: total.figures, series };
}

class FigureSum {
  #requests = 0;
  #dropped = 0;
  #late = 0;
  #shortSeconds = 0;
  #nodeSeconds = 0;
  #optimumNodeSeconds = 0;
  #changes = 0;
  #flaps = 0;
  #boots = 0;

  add({ score, demand, inService, changes, boots }: Simulation): void {
    this.#requests += score.requests;
    this.#dropped += score.dropped;
    this.#late += score.late;
    this.#nodeSeconds += score.nodeSeconds;
    this.#optimumNodeSeconds += score.optimumNodeSeconds;
    for (const [second, nodes] of inService.entries()) {
      this.#shortSeconds += nodes < (demand[second] ?? 0) ? 1 : 0;
    }
    this.#changes += changes.length;
    this.#flaps += countFlaps(changes);
    this.#boots += boots.length;
  }

  get figures(): Figures {
    const counted = {
      nodeSeconds: this.#nodeSeconds,
      dropped: this.#dropped,
      late: this.#late,
    };
    return {
      requests: this.#requests,
      dropped: this.#dropped,
      late: this.#late,
      underProvisionedMinutes: this.#shortSeconds / 60,
      nodeHours: this.#nodeSeconds / 3_600,
      optimumNodeHours: this.#optimumNodeSeconds / 3_600,
      changes: this.#changes,
      flaps: this.#flaps,
      boots: this.#boots,
      J: costRatio(counted, this.#optimumNodeSeconds, PENALTIES),
    };
  }
}

/** @param changes - In the order of time. */
export function countFlaps(changes: readonly Change[]): number {
  let flaps = 0;
  let letGoAt = Number.NEGATIVE_INFINITY;
  for (const { second, fromNodes, toNodes } of changes) {
    if (toNodes < fromNodes) {
      letGoAt = second;
    } else {
      flaps += second - letGoAt <= FLAP_SECONDS ? 1 : 0;
      // What grows on is one flap.
      letGoAt = Number.NEGATIVE_INFINITY;
    }
  }
  return flaps;
}

function createSeries(seconds: number): RunSeries {
  return {
    arrivals: new Float64Array(seconds),
    demand: new Uint16Array(seconds),
    inService: new Uint16Array(seconds),
    ordered: new Float64Array(seconds),
    waiting: new Float64Array(seconds),
    dropped: new Float64Array(seconds),
  };
}

function lay(series: RunSeries, run: Simulation, atSecond: number): void {
  series.arrivals.set(run.arrivals, atSecond);
  series.demand.set(run.demand, atSecond);
  series.inService.set(run.inService, atSecond);
  series.ordered.set(run.ordered, atSecond);
  series.waiting.set(run.waiting, atSecond);
  series.dropped.set(run.dropped, atSecond);
}
