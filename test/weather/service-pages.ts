/** What a running Rackfire shows to monitoring. */

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WeatherSite } from './weather-site.ts';

const POLL_MS = 50;
const METRIC_DEADLINE_MS = 30_000;

interface Page {
  readonly status: number;
  readonly body: string;
}

/** @throws Error when nobody serves it. */
export async function readPage(site: WeatherSite, path: string): Promise<Page> {
  const { host, port } = site.config.http;
  const question = get({ host, port, path, agent: false });
  const [answer] = (await once(question, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}

/** Sums up the series of this name whose labels hold all of these. @returns NaN when there is none. */
export async function readMetric(
  site: WeatherSite,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { body } = await readPage(site, '/metrics');
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const values = body
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0);
}

/** Waits until a metric is as hoped. @throws Error after 30 s, with the last value. */
export async function untilMetric(
  site: WeatherSite,
  name: string,
  labels: Readonly<Record<string, string>>,
  isSo: (value: number) => boolean,
): Promise<void> {
  const deadlineMs = performance.now() + METRIC_DEADLINE_MS;
  for (;;) {
    const value = await readMetric(site, name, labels);
    if (isSo(value)) {
      return;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${METRIC_DEADLINE_MS} ms: ${name} is ${value}`);
    }
    await sleep(POLL_MS);
  }
}

/** Watches that the loop turns: that ticks go on, and that `/healthz` says so. */
export class TickWatch implements AsyncDisposable {
  readonly #site: WeatherSite;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #ticks = 0;
  #lastTickAtMs = performance.now();
  #longestGapMs = 0;
  #unhealthy = 0;

  /** Begins at once; a Rackfire has to run. */
  constructor(site: WeatherSite) {
    this.#site = site;
    this.#running = this.#repeat();
    // Said by whoever disposes.
    this.#running.catch(() => undefined);
  }

  /** Ticks since the beginning. */
  get ticks(): number {
    return this.#ticks;
  }

  /** The longest time without a tick, the time since the last one included. */
  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, performance.now() - this.#lastTickAtMs);
  }

  /** How often `/healthz` was not 200. */
  get unhealthy(): number {
    return this.#unhealthy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #repeat(): Promise<void> {
    let before = await this.#countTicks();
    while (!this.#stop.signal.aborted) {
      const now = await this.#countTicks();
      if (now > before) {
        const atMs = performance.now();
        this.#longestGapMs = Math.max(this.#longestGapMs, atMs - this.#lastTickAtMs);
        this.#lastTickAtMs = atMs;
        this.#ticks += now - before;
        before = now;
      }
      const { status } = await readPage(this.#site, '/healthz');
      this.#unhealthy += status === 200 ? 0 : 1;
      await sleep(POLL_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #countTicks(): Promise<number> {
    return await readMetric(this.#site, 'rackfire_tick_duration_seconds_count');
  }
}
