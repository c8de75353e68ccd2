/** One load, with everybody who is to be run on it: what a worker is given, and what it answers. */

import { coveringOptimum, pricedOptimum } from '../../src/sim/optimum.ts';
import { plainBoots, roughBoots } from '../../src/sim/physics.ts';
import { PENALTIES, type Score } from '../../src/sim/score.ts';
import { CONTENDERS } from './contenders.ts';
import { type Load, loadOf, simulate, slowLoadOf } from './simulate.ts';
import type { Slowness } from './slowness.ts';
import { stormArrivals } from './storm.ts';
import { type TraceRates, traceArrivals } from './trace-load.ts';

export type Group = 'storms' | 'real spikes' | 'match days' | 'noisy days' | 'other traces';

export interface Task {
  /** A trace's file name without its ending; `storm` for generated ones. */
  readonly load: string;
  readonly group: Group;
  readonly seed: number;
  readonly bootSeconds: number;
  readonly areBootsRough: boolean;
  /** Left out: nodes always do what they are rated for. */
  readonly slowness?: Slowness | undefined;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly contender: string;
  readonly target: number;
}

export interface Run extends Entry {
  readonly score: Score;
}

export interface TaskResult extends Omit<Task, 'entries'> {
  readonly coveringNodeSeconds: number;
  /** As a share of the covering optimum; left out where it was worked out for another seed. */
  readonly pricedShare: number | undefined;
  readonly runs: readonly Run[];
}

export type Traces = ReadonlyMap<string, TraceRates>;

export const STORM = 'storm';

/** Makes the load of a task. */
export function makeLoad(
  { load, seed, slowness }: Pick<Task, 'load' | 'seed' | 'slowness'>,
  traces: Traces,
): Load {
  if (load === STORM) {
    const arrivals = stormArrivals(seed);
    return slowness === undefined ? loadOf(arrivals) : slowLoadOf(arrivals, slowness, seed);
  }
  const trace = traces.get(load);
  if (trace === undefined) {
    throw new RangeError(`no trace ${load}`);
  }
  return loadOf(traceArrivals(trace, seed));
}

export function carryOut(task: Task, traces: Traces): TaskResult {
  const { entries, ...rest } = task;
  const { bootSeconds } = task;
  const load = makeLoad(task, traces);
  const covering = coveringOptimum(load.demand, bootSeconds);
  const isPlain = !task.areBootsRough && task.slowness === undefined;
  const isPriced = isPlain && (task.load === STORM || task.seed === 1);
  const priced = isPriced
    ? pricedOptimum(load.arrivals, load.demand, { bootSeconds, penalties: PENALTIES })
    : undefined;
  return {
    ...rest,
    coveringNodeSeconds: covering,
    pricedShare: priced === undefined ? undefined : priced / covering,
    runs: entries.map((entry) => ({ ...entry, score: runEntry(entry, task, load) })),
  };
}

function runEntry({ contender, target }: Entry, task: Omit<Task, 'entries'>, load: Load): Score {
  const { bootSeconds, areBootsRough, slowness, seed } = task;
  const found = CONTENDERS.find(({ name }) => name === contender);
  if (found === undefined) {
    throw new RangeError(`nobody is called ${contender}`);
  }
  const scaler = found.create(target, { bootSeconds, demand: load.demand });
  const boots = areBootsRough ? roughBoots(bootSeconds) : plainBoots(bootSeconds);
  return simulate(load, scaler, { boots, seed, standbyNodes: found.standbyNodes ?? 0, slowness });
}
