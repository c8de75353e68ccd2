import { createSystemClock } from '../../control/clock.ts';
import { createAwakeClock } from '../../embedded/awake-clock.ts';
import { startLoad, type LoadRun } from '../../embedded/load-generator.ts';
import type { RateCurve } from '../../embedded/rate-curve.ts';
import { say } from '../print.ts';
import type { DemoPlan } from './render-config.ts';
import type { DemoResult } from './summary.ts';
import { measureStorm, type Moment } from './timeline.ts';
import { LOOK_INTERVAL_MS, Watch } from './watch.ts';
import { buildWorld, type DemoWorld, removeFolder } from './world.ts';

export interface DemoScript {
  readonly driver: DemoPlan['driver'];
  readonly curve: RateCurve;
  /** The curve ends at the base rate, and the nodes are to go back to the minimum. */
  readonly returnsToMinimum: boolean;
  readonly peakRps: number;
  readonly bootDelayMs: number;
  readonly seed: number;
}

const TARGET_PER_NODE_RPS = 80;
const MIN_NODES = 2;
const PROGRESS_INTERVAL_MS = 2_000;

/** Runs the whole demo. @param signal - Ends it early; everything is torn down all the same. */
export async function playDemo(script: DemoScript, signal: AbortSignal): Promise<DemoResult> {
  const startNodes = Math.ceil(script.curve.startRps / TARGET_PER_NODE_RPS);
  const peakNodes = Math.ceil(script.peakRps / TARGET_PER_NODE_RPS);
  say('starting HAProxy, two embedded hosts and Rackfire');
  const world = await buildWorld({
    driver: script.driver,
    // What Rackfire boots by itself at the minimum needs no operator.
    startNodes: startNodes > MIN_NODES ? startNodes : 0,
    minNodes: MIN_NODES,
    maxNodes: Math.max(12, Math.ceil(peakNodes * 1.5)),
    targetPerNodeRps: TARGET_PER_NODE_RPS,
    bootDelayMs: script.bootDelayMs,
  });
  const watch = new Watch(world);
  let played: Played | undefined;
  let leftovers: readonly string[] = [];
  try {
    introduce(world);
    await watch.waitForNodes(Math.max(startNodes, MIN_NODES), signal);
    played = await playLoad(script, world, watch, signal);
    // Only a storm that was played to its end says which nodes should be there.
    const isOver = script.returnsToMinimum && !signal.aborted;
    leftovers = isOver ? await watch.findLeftovers() : [];
  } finally {
    world.service.removeAllListeners('exit');
    say('tearing down');
    leftovers = [...leftovers, ...(await world.tearDown())];
    if (played === undefined && signal.aborted) {
      await removeFolder(world);
    }
  }
  const result = summarize(script, watch.timeline, played, leftovers);
  const ok = result.ok && !signal.aborted;
  if (ok || signal.aborted) {
    await removeFolder(world);
    return { ...result, ok };
  }
  return { ...result, ok, keptFolder: world.folder };
}

function introduce(world: DemoWorld): void {
  say(`config    ${world.configFile}`);
  say(`site      ${world.url}`);
  say(`HAProxy   pid ${world.haproxy.pid} (try: kill -USR2 ${world.haproxy.pid} to reload it)`);
  say(`Rackfire  pid ${world.service.pid} (try: kill -9 ${world.service.pid})`);
  world.service.once('exit', (code, signal) => {
    say(`Rackfire has ended (${signal ?? `exit code ${code}`}); the site goes on. Start it again:`);
    say(`  npx rackfire run -c ${world.configFile}`);
  });
}

interface Played {
  readonly run: LoadRun;
  /** So long neither the visitors nor their watch could run; no time in `run` counts it. */
  readonly standstillMs: number;
}

/** The load from its first request until its end, watched. */
async function playLoad(
  script: DemoScript,
  world: DemoWorld,
  watch: Watch,
  signal: AbortSignal,
): Promise<Played> {
  const { curve, returnsToMinimum, seed } = script;
  let stopped = false;
  const ended = new AbortController();
  const clock = createAwakeClock(createSystemClock());
  const run = startLoad({
    url: world.url,
    rateAt: (seconds) => (stopped ? 0 : curve.rateAt(seconds)),
    durationMs: curve.durationSeconds * 1000,
    seed,
    signal: AbortSignal.any([signal, ended.signal]),
    clock,
  });
  watch.begin(run);
  const peakSeconds = findPeakSeconds(curve);
  const done = run.done.then(() => ended.abort());
  let nextProgressMs = 0;
  while (!signal.aborted && !ended.signal.aborted) {
    const moment = await watch.look();
    const { elapsedMs } = run;
    if (elapsedMs >= nextProgressMs) {
      nextProgressMs += PROGRESS_INTERVAL_MS;
      showProgress(moment, run);
    }
    // Back at the minimum and nobody is being served any more: the rest of the tail would show nothing.
    const isBack = returnsToMinimum && elapsedMs > peakSeconds * 1000 && watch.isBackAt(MIN_NODES);
    stopped ||= isBack;
    if (stopped && run.inFlight === 0) {
      ended.abort();
    }
    await clock.sleep(LOOK_INTERVAL_MS, ended.signal).catch(() => undefined);
  }
  await done;
  return { run, standstillMs: clock.standstillMs };
}

/** The last second of the highest rate. */
function findPeakSeconds(curve: RateCurve): number {
  let peakSeconds = 0;
  for (let second = 0; second <= curve.durationSeconds; second += 1) {
    if (curve.rateAt(second) >= curve.rateAt(peakSeconds)) {
      peakSeconds = second;
    }
  }
  return peakSeconds;
}

function showProgress(moment: Moment, run: LoadRun): void {
  const { p50Ms, p99Ms } = run.lastSecond;
  const latency = `p50 ${formatMs(p50Ms)} p99 ${formatMs(p99Ms)}`;
  say(
    `${moment.atSeconds.toFixed(0).padStart(4)} s  ${String(Math.round(moment.intendedRps)).padStart(4)} rps  ` +
      `${String(moment.nodesInService).padStart(2)} nodes  queue ${String(moment.queued).padStart(4)}  ` +
      `${latency}  failed ${run.failed}`,
  );
}

function formatMs(ms: number | undefined): string {
  return ms === undefined ? '     –' : `${Math.round(ms)} ms`.padStart(8);
}

function summarize(
  script: DemoScript,
  timeline: readonly Moment[],
  played: Played | undefined,
  leftovers: readonly string[],
): DemoResult {
  const run = played?.run;
  const storm = measureStorm(timeline, TARGET_PER_NODE_RPS);
  const caughtUpMs = 1000 * ((storm.onsetSeconds ?? 0) + (storm.secondsToCatchUp ?? 0));
  const p99 = (fromMs: number, toMs: number): number | null => {
    const ms = run?.latencies.percentile(fromMs, toMs, 0.99);
    return toMilliseconds(ms === undefined ? undefined : ms / 1000);
  };
  const summary = {
    failedRequests: run?.failed ?? 0,
    totalRequests: run?.due ?? 0,
    peakNodes: timeline.reduce((peak, moment) => Math.max(peak, moment.nodesInService), 0),
    finalNodes: timeline.at(-1)?.nodesInService ?? 0,
    secondsToFirstNode: toMilliseconds(storm.secondsToFirstNode),
    secondsToCatchUp: toMilliseconds(storm.secondsToCatchUp),
    p99OnsetSeconds: p99(0, caughtUpMs),
    p99AfterSeconds: p99(caughtUpMs, Number.POSITIVE_INFINITY),
    standstillSeconds: Math.round(played?.standstillMs ?? 0) / 1000,
    leftovers: leftovers.length,
  };
  const isBack = !script.returnsToMinimum || summary.finalNodes === MIN_NODES;
  return {
    summary,
    ok:
      summary.failedRequests === 0 && summary.totalRequests > 0 && leftovers.length === 0 && isBack,
    timeline,
    ratedPerNodeRps: TARGET_PER_NODE_RPS,
    failures: run?.failures ?? new Map(),
    leftovers,
    keptFolder: undefined,
  };
}

/** Seconds with three digits, as JSON has them; `null` for what never happened. */
function toMilliseconds(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.round(seconds * 1000) / 1000;
}
