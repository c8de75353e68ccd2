/** What happened on one load of each kind, as pictures. */

import { plainBoots } from '../../src/sim/physics.ts';
import { CONTENDERS, RACKFIRE } from './contenders.ts';
import { HEADLINE_BOOT_SECONDS } from './plan.ts';
import type { Report, Standing } from './report.ts';
import { type Load, simulate, type Timeline } from './simulate.ts';
import { makeLoad, STORM, type Traces } from './task.ts';
import { drawTimeline } from '../../src/sim/timeline-svg.ts';

/** A day is shown as the hours around its peak: in all of it nothing could be seen. */
const SHOWN_SECONDS = 3 * 3_600;

/** File names and SVG texts: Rackfire and the best peer, on the storm that was worst for Rackfire and on each trace. */
export function drawPlots(report: Report, traces: Traces): ReadonlyMap<string, string> {
  const [bestPeer] = report.standings.filter(({ kind }) => kind === 'peer');
  const rackfire = report.standings.find(({ contender }) => contender === RACKFIRE);
  const worst = rackfire?.groups.storms?.costRatioQuantiles.worstLoad.split(' ').at(-1) ?? '1';
  const loads = [
    { load: STORM, seed: 1 },
    { load: STORM, seed: Number(worst) },
    ...[...traces.keys()].map((load) => ({ load, seed: 1 })),
  ];
  const plots = new Map<string, string>();
  for (const { load, seed } of loads) {
    const made = makeLoad({ load, seed }, traces);
    for (const standing of [rackfire, bestPeer]) {
      if (standing !== undefined) {
        const who = `${standing.contender} at ${standing.target} rps per node`;
        const file = `${load}-${seed}-${standing.contender.toLowerCase().replaceAll(' ', '-')}.svg`;
        plots.set(file, draw(made, { title: `${who}: ${load} ${seed}`, seed }, standing));
      }
    }
  }
  return plots;
}

function draw(
  load: Load,
  { title, seed }: { readonly title: string; readonly seed: number },
  { contender, target }: Standing,
): string {
  const seconds = load.arrivals.length;
  const timeline: Timeline = {
    supply: new Uint16Array(seconds),
    ordered: new Uint16Array(seconds),
    waiting: new Float64Array(seconds),
    dropped: new Float64Array(seconds),
  };
  const bootSeconds = HEADLINE_BOOT_SECONDS;
  const scaler = CONTENDERS.find(({ name }) => name === contender)?.create(target, {
    bootSeconds,
    demand: load.demand,
  });
  if (scaler !== undefined) {
    simulate(load, scaler, { boots: plainBoots(bootSeconds), seed }, timeline);
  }
  const peak = load.demand.indexOf(load.demand.reduce((high, nodes) => Math.max(high, nodes), 0));
  const from = Math.max(0, Math.min(peak - SHOWN_SECONDS / 3, seconds - SHOWN_SECONDS));
  return drawTimeline(
    { title, fromSecond: from, seconds: Math.min(SHOWN_SECONDS, seconds) },
    { demand: load.demand, ...timeline },
  );
}
