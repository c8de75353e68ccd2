/** How fast an emulated guest is on this machine today, measured once before the first test. */

import type { TestProject } from 'vitest/node';
import { startLoad } from '../../src/embedded/load-generator.ts';
import type { Dom0 } from './dom0.ts';
import { fetchText } from './guest.ts';
import { findLab } from './lab.ts';
import { orderNode, termOfNow } from './node-order.ts';
import { print } from './print.ts';

/** What sites are rated for follows from this. */
export interface Pace {
  /** Pages a second that one guest, alone on its host, was seen to serve. */
  readonly guestRps: number;
  /** What a node is rated for. */
  readonly targetRps: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly pace: Pace;
  }
}

/** Of what a guest can do alone: those of one host share its one CPU, with each other and with creates. */
const RATED_SHARE = 0.1;
/** The visitors and HAProxy share this machine's cores with the hosts; and below, chance alone would ask for nodes. */
const MAX_TARGET_RPS = 6;
const MIN_TARGET_RPS = 5;
const FIRST_RPS = 8;
const MAX_RPS = 128;
const STEP_MS = 5_000;
const GIVE_UP_MS = 20_000;
/** A rate is served when everybody is, and nine of ten within this time; a page takes a second. */
const SERVED_WITHIN_MS = 2_000;
const UP_DEADLINE_MS = 120_000;

/** Boots a guest, doubles the rate until it does not keep up, and destroys it. */
export async function setup(project: TestProject): Promise<void> {
  const { hosts } = findLab();
  const [host] = hosts;
  const term = termOfNow();
  const node = orderNode(1, term);
  const orderedMs = performance.now();
  await order(host, `fence shard=main term=${term}`);
  await order(host, node.create());
  const createdMs = performance.now();
  const url = `http://${node.address}`;
  while ((await fetchText(`${url}/healthz`)) === undefined) {
    if (performance.now() > createdMs + UP_DEADLINE_MS) {
      throw new Error(`${node.name} does not answer at ${node.address}`);
    }
  }
  const upMs = performance.now();
  const guestRps = await findRate(`${url}/page`);
  const fileRps = await findRate(`${url}/file`);
  await order(host, node.destroy());
  const targetRps = Math.max(MIN_TARGET_RPS, Math.min(MAX_TARGET_RPS, guestRps * RATED_SHARE));
  const created = `created in ${seconds(createdMs - orderedMs)} s, answers ${seconds(upMs - createdMs)} s later`;
  print(
    `a guest is ${created}, and serves ${guestRps} pages or ${fileRps} files a second; rated for ${targetRps}`,
  );
  project.provide('pace', { guestRps, targetRps });
}

async function order(host: Dom0, request: string): Promise<void> {
  const { code, stderr } = await host.request(request);
  if (code !== 0) {
    throw new Error(`${host.name} refuses ${request}: ${stderr}`);
  }
}

async function findRate(url: string): Promise<number> {
  let servedRps = 0;
  for (let rps = FIRST_RPS; rps <= MAX_RPS && (await isServed(url, rps)); rps *= 2) {
    servedRps = rps;
  }
  if (servedRps === 0) {
    throw new Error(`a guest does not serve ${FIRST_RPS} requests a second of ${url}`);
  }
  return servedRps;
}

async function isServed(url: string, rps: number): Promise<boolean> {
  const run = startLoad({
    url,
    rateAt: () => rps,
    durationMs: STEP_MS,
    seed: 7,
    signal: new AbortController().signal,
    timeoutMs: GIVE_UP_MS,
  });
  await run.done;
  const slowMs = run.latencies.percentile(0, STEP_MS, 0.9) ?? Infinity;
  return run.failed === 0 && slowMs <= SERVED_WITHIN_MS;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
