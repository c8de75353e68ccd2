import { formatDuration } from '../../config/units.ts';
import { type ScaledTier, tierKey } from '../../scaler/cluster.ts';
import { describeWords } from '../../scaler/explain-schedules.ts';
import { counted } from '../../scaler/wording.ts';
import { RATED_RPS } from '../../sim/physics.ts';
import type { HeldWindow, Simulation } from '../../sim/simulation.ts';
import { drawChart } from '../demo/chart.ts';
import type { Moment } from '../demo/timeline.ts';
import { formatMoment } from '../moments.ts';
import { printTable } from '../page.ts';
import { print } from '../print.ts';
import type { RunSeries } from './plot.ts';

/** One config's run. */
export interface Simulated {
  readonly file: string;
  readonly tier: ScaledTier;
  readonly run: Simulation;
}

/** A run for a person: the load and the nodes over time, then the figures, beside those of another config. */
export function printSimulation(
  simulated: Simulated,
  against: Simulated | undefined,
  {
    beginsAtMs = 0,
    bootDelayMs,
  }: { readonly beginsAtMs?: number | undefined; readonly bootDelayMs: number },
): void {
  const { file, tier, run } = simulated;
  print(
    `${tierKey(tier)}, ${formatSpan(run.arrivals.length)} of traffic, ${describeBoots(bootDelayMs)}`,
  );
  print('');
  print(drawRun(run, against && file));
  print('');
  for (const window of run.windows) {
    print(describeWindow(window, beginsAtMs));
  }
  const figures = listFigures(run);
  if (against === undefined) {
    printTable(figures);
    return;
  }
  const others = listFigures(against.run);
  printTable([
    ['', against.file, simulated.file],
    ...figures.map(([name, value], row) => [name, others[row]?.[1] ?? '', value]),
  ]);
}

/** `schedule 0 8 * * mon-fri (Europe/Berlin) held from 08:00:00 to 18:00:00: at least 6 nodes`. */
function describeWindow(
  { schedule, fromSecond, untilSecond }: HeldWindow,
  beginsAtMs: number,
): string {
  const { cron, timeZone } = schedule;
  const momentOf = (second: number): string =>
    formatMoment(new Date(beginsAtMs + second * 1_000).toISOString(), beginsAtMs);
  return `schedule ${cron} (${timeZone}) held from ${momentOf(fromSecond)} to ${momentOf(untilSecond)}: ${describeWords(schedule)}`;
}

function listFigures({
  inService,
  boots,
  changes,
  score,
}: Simulation): readonly (readonly [name: string, value: string])[] {
  const { requests, dropped, late, nodeSeconds, optimumNodeSeconds, parts } = score;
  const out = changes.filter(({ fromNodes, toNodes }) => toNodes > fromNodes).length;
  const [lowest, highest] = boundsOf(inService);
  return [
    ['requests', `${Math.round(requests)}`],
    ['dropped', `${Math.round(dropped)} (${formatPercent(dropped, requests)})`],
    ['late', `${Math.round(late)} (${formatPercent(late, requests)})`],
    ['longest run of drops', `${score.longestDropRun} s`],
    ['short of nodes', `${counted(score.shortages, 'time')}, at most ${score.longestShortage} s`],
    ['nodes in service', `${lowest} to ${highest}`],
    ['node-hours', formatHours(nodeSeconds)],
    ['with perfect foresight', formatHours(optimumNodeSeconds)],
    ['changes of the count', `${out} out, ${changes.length - out} in`],
    ['boots', `${boots.length}`],
    ['J (1 is perfect foresight)', score.J.toFixed(3)],
    ['  of nodes', parts.nodes.toFixed(3)],
    ['  of dropped requests', parts.dropped.toFixed(3)],
    ['  of late requests', parts.late.toFixed(3)],
  ];
}

/** What boots are taken to take is not what they have been measured to take, and decides much of the outcome. */
export function describeBoots(bootDelayMs: number): string {
  return `boots of ${formatDuration(bootDelayMs)} (--boot-delay)`;
}

/** The load and the nodes over time. @param file - Of the config whose nodes they are, where there are two. */
export function drawRun(run: RunSeries, file: string | undefined): string {
  const chart = drawChart(summarizeColumns(run), RATED_RPS);
  return file === undefined ? chart : `${file}:\n${chart}`;
}

const COLUMNS = 144;
const MEAN_SECONDS = 15;

/** Of each part of the run the moment of its highest demand: a peak that a column steps over would be missed. */
function summarizeColumns({ arrivals, demand, inService, waiting }: RunSeries): readonly Moment[] {
  const columns = Math.min(COLUMNS, arrivals.length);
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * arrivals.length) / columns);
    const to = Math.floor(((column + 1) * arrivals.length) / columns);
    let peak = from;
    for (let second = from; second < to; second += 1) {
      peak = (demand[second] ?? 0) > (demand[peak] ?? 0) ? second : peak;
    }
    const mean = arrivals.subarray(Math.max(0, peak + 1 - MEAN_SECONDS), peak + 1);
    return {
      atSeconds: to,
      intendedRps: mean.reduce((sum, requests) => sum + requests, 0) / mean.length,
      nodesInService: inService[peak] ?? 0,
      queued: waiting[peak] ?? 0,
    };
  });
}

function boundsOf(values: Uint16Array): readonly [lowest: number, highest: number] {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = 0;
  for (const value of values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return [lowest, highest];
}

export function formatPercent(part: number, whole: number): string {
  return `${whole === 0 ? '0.00' : ((100 * part) / whole).toFixed(2)} %`;
}

function formatHours(nodeSeconds: number): string {
  return (nodeSeconds / 3_600).toFixed(1);
}

export function formatSpan(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes < 120
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
