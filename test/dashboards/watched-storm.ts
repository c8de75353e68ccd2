/** A real storm of `rackfire demo`, scraped by a real Prometheus, while HAProxy is asked beside both what serves. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { createSystemClock } from '../../src/control/clock.ts';
import { UnreachableError } from '../../src/control/errors.ts';
import { DemoProcess, type Summary } from '../e2e/demo-process.ts';
import { Prometheus, type Range } from '../signals/prometheus.ts';
import { type HaproxyAddress, viewHaproxy } from '../weather/haproxy-view.ts';

const ALERTS_FILE = fileURLToPath(new URL('../../dashboards/alerts.yaml', import.meta.url));
/** Requests per second: calm, a rise of ten seconds, a peak, and as long a calm again. */
export const STORM = {
  calmRps: 100,
  peakRps: 600,
  /** Until then what the calm is has been learned. */
  riseFromSecond: 45,
  peakFromSecond: 55,
  fallFromSecond: 105,
  calmFromSecond: 115,
  endSecond: 175,
};

const LOOK_INTERVAL_MS = 200;
const LOOK_DEADLINE_MS = 1_000;

const DemoConfig = z.looseObject({ http: z.object({ listen: z.string() }) });

/** What HAProxy's own table said at one moment. */
export interface HaproxyMoment {
  readonly atMs: number;
  /** Servers that it sends requests to: in rotation, and their checks pass. */
  readonly servers: number;
}

/** The storm is over, its Prometheus still answers. */
export interface WatchedStorm extends AsyncDisposable {
  readonly prometheus: Prometheus;
  readonly haproxy: readonly HaproxyMoment[];
  readonly summary: Summary;
  /** When the first request of the load was due, or nearly so, and when Rackfire was scraped last. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly log: string;
}

/** Plays the demo to its end, in a little over three minutes. */
export async function watchStorm(): Promise<WatchedStorm> {
  const traceFolder = await mkdtemp(join(tmpdir(), 'rackfire-storm-'));
  try {
    const trace = join(traceFolder, 'storm.csv');
    await writeFile(trace, stormCsv());
    return await watch(new DemoProcess({ args: ['--trace', trace, '--peak', `${STORM.peakRps}`] }));
  } finally {
    await rm(traceFolder, { recursive: true });
  }
}

function stormCsv(): string {
  const { calmRps, peakRps, riseFromSecond, peakFromSecond } = STORM;
  const { fallFromSecond, calmFromSecond, endSecond } = STORM;
  const rows = Array.from({ length: endSecond }, (_, second) => {
    const risen = (second - riseFromSecond) / (peakFromSecond - riseFromSecond);
    const fallen = (second - fallFromSecond) / (calmFromSecond - fallFromSecond);
    const share = Math.min(1, Math.max(0, risen)) - Math.min(1, Math.max(0, fallen));
    return `${second},${Math.round(calmRps + share * (peakRps - calmRps))}`;
  });
  return `second,rps\n${rows.join('\n')}\n`;
}

async function watch(demo: DemoProcess): Promise<WatchedStorm> {
  await demo.until((_, line) => line.startsWith('Rackfire'));
  const configFile = demo.printed(/config {4}(.+)/);
  const { http } = DemoConfig.parse(parse(await readFile(configFile, 'utf8')));
  // It may take longer to start than the first nodes.
  const begun = demo.until(({ atSeconds }) => atSeconds >= 0).then(() => Date.now());
  // Awaited below.
  begun.catch(() => undefined);
  const prometheus = await Prometheus.start({ target: http.listen, ruleFiles: [ALERTS_FILE] });
  const folder = dirname(configFile);
  const ended = new AbortController();
  const watching = watchHaproxy(
    {
      socketPath: join(folder, 'admin.sock'),
      masterSocketPath: join(folder, 'master.sock'),
      backend: 'news-web',
    },
    ended.signal,
  );
  // Awaited below; until then a failed watch must not pass for an unhandled rejection.
  watching.catch(() => ended.abort());
  try {
    const fromMs = await begun;
    await demo.until((_, line) => line === 'tearing down');
    ended.abort();
    const [summary, haproxy] = await Promise.all([demo.summary(), watching]);
    const toMs = await findLastScrape(prometheus, { fromMs, toMs: Date.now(), stepSeconds: 1 });
    const log = demo.log();
    return {
      prometheus,
      haproxy,
      summary,
      fromMs,
      toMs,
      log,
      [Symbol.asyncDispose]: async () => await prometheus[Symbol.asyncDispose](),
    };
  } catch (error) {
    ended.abort();
    await watching;
    await prometheus[Symbol.asyncDispose]();
    throw error;
  }
}

async function findLastScrape(prometheus: Prometheus, range: Range): Promise<number> {
  const scrapes = await prometheus.during('up{job="rackfire"} == 1', range);
  const last = scrapes[0]?.points.at(-1);
  if (last === undefined) {
    throw new Error('Prometheus has not scraped Rackfire');
  }
  return last.atMs;
}

async function watchHaproxy(
  address: HaproxyAddress,
  signal: AbortSignal,
): Promise<readonly HaproxyMoment[]> {
  const clock = createSystemClock();
  const moments: HaproxyMoment[] = [];
  while (!signal.aborted) {
    try {
      const { servers } = await viewHaproxy(address, AbortSignal.timeout(LOOK_DEADLINE_MS));
      const up = [...servers.values()].filter(({ status }) => status.startsWith('UP'));
      moments.push({ atMs: Date.now(), servers: up.length });
    } catch (error) {
      // The demo takes it down at its end.
      if (!(error instanceof UnreachableError)) {
        throw error;
      }
    }
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
  }
  return moments;
}
