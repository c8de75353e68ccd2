/** What the rows about a Rackfire that is killed again and again have in common. */

import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { parseServerStates, type ServerState } from '../../src/balancer/haproxy/server-states.ts';
import type { NodeProcess } from '../../src/embedded/process-table.ts';
import { until } from '../balancer/site.ts';
import type { Meddling } from './meddled-service.ts';
import type { ServiceProcess } from './service-process.ts';
import { type SitePlan, TARGET_RPS } from './site-config.ts';
import type { View } from './watch.ts';
import type { WeatherLoad } from './weather-load.ts';
import type { WeatherSite } from './weather-site.ts';

/** Two nodes are steady, and a storm takes four: more than three are rated for, less than three can do. */
export const STEADY_NODES = 2;
export const STORM_NODES = 4;
export const STORM_RPS = 3.7 * TARGET_RPS;
export const CALM_RPS = 0.6 * TARGET_RPS;

/** @param windowMs - Short, because each new Rackfire waits for it before it lets a node go. */
export function killStorm(windowMs: number): SitePlan {
  const policies = [{ percent: 50, per: '2s' }];
  return {
    minNodes: STEADY_NODES,
    maxNodes: STORM_NODES,
    tier: { scaleIn: { stabilizationWindow: `${windowMs}ms`, policies } },
  };
}

export type Kill = NonNullable<Meddling['kill']>;

/** A rate takes two answers of HAProxy, which are at least so far apart: until then no signal is known. */
const FIRST_RATE_MS = 200;

const DEATH_DEADLINE_MS = 25_000;

/** The nodes of a storm, told apart by their processes, whoever made them and whoever finds them. */
export class KillStorm {
  readonly #site: WeatherSite;
  /** From before the storm: all that comes and goes must leave these alone. */
  readonly #steady: readonly NodeProcess[];
  /** Those that were found beside them. */
  readonly #comers = new Map<number, NodeProcess>();

  constructor(site: WeatherSite) {
    this.#site = site;
    this.#steady = site.ownNodes();
  }

  /** Starts a Rackfire that kills itself at this call; resolves when it is dead. */
  async die(kill: Kill): Promise<void> {
    const service = await this.#site.startService({ kill });
    const { when, nth, call } = kill;
    await killedBy(service, `${when} its ${call} number ${nth}`);
    this.judge(service);
  }

  /**
   * A fresh Rackfire knows nothing of the time before it: it takes no node of another one for a failed boot, and
   * lets nobody go until it has watched for a window.
   */
  judge(service: ServiceProcess): void {
    expect(service.found('boot failed')).toEqual([]);
    const [started] = service.found('started');
    const [first] = service.found(
      ({ msg, action, reason }) =>
        msg === 'action started' &&
        (action === 'drain' || action === 'destroy') &&
        reason === 'not-needed',
    );
    if (started !== undefined && first !== undefined) {
      const { stabilizationWindowMs } = this.#site.tier.policy.scaleIn;
      const leastMs = Number(stabilizationWindowMs) + FIRST_RATE_MS;
      expect(first.time - started.time, 'ms until its first scale-in').toBeGreaterThan(leastMs);
    }
  }

  /** The same again and again; from the first death on, whoever is there is needed and has to stay. */
  async dieNeeded(kills: readonly Kill[]): Promise<void> {
    for (const kill of kills) {
      await this.die(kill);
      this.#look();
    }
  }

  /**
   * Starts one that may live. So many nodes come to serve, all that were there at the deaths, and no others:
   * none was lost, and none was made twice.
   *
   * @returns It lives on.
   */
  async grown(nodes: number): Promise<ServiceProcess> {
    const service = await this.#site.startService();
    const view = await this.#site.untilConverged(nodes);
    this.#look();
    expect(pidsOf(view), 'each node was made once').toEqual(
      [...this.#steady, ...this.#comers.values()].map(({ pid }) => pid).toSorted(ascending),
    );
    return service;
  }

  #look(): void {
    const now = this.#site.ownNodes();
    const pids = new Set(now.map(({ pid }) => pid));
    for (const { pid, name } of [...this.#steady, ...this.#comers.values()]) {
      expect(pids, `${name}, pid ${pid}, is needed and must be there`).toContain(pid);
    }
    for (const node of now.filter(({ pid }) => !this.#steady.some((one) => one.pid === pid))) {
      this.#comers.set(node.pid, node);
    }
  }

  /** Those from before the storm serve, and nothing else is there. */
  async shrunk(): Promise<void> {
    const view = await this.#site.untilConverged(STEADY_NODES);
    expect(pidsOf(view), 'the steady nodes are those of before').toEqual(
      this.#steady.map(({ pid }) => pid).toSorted(ascending),
    );
  }
}

/** @throws Error when it does not die in time, or dies of something else. */
async function killedBy(service: ServiceProcess, what: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`not within ${DEATH_DEADLINE_MS / 1_000} s: a death ${what}`));
  }, DEATH_DEADLINE_MS);
  try {
    await Promise.race([service.ended(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
  expect(service.exitCode, `it must die by the kill ${what}`).toBeNull();
}

/**
 * The last Rackfire has nothing left to do. It is killed, too, and HAProxy is reloaded, so that it knows only
 * what Rackfire has kept for it: its servers must be as they were. And nobody who was killed in the middle of
 * keeping it may have left a part of it behind.
 */
export async function expectReloadChangesNothing(
  site: WeatherSite,
  last: ServiceProcess,
  load: WeatherLoad,
): Promise<void> {
  const { stateFilePath } = site.haproxy;
  const { servers } = await site.until('HAProxy is asked once more', () => true);
  const before = adminsOf(servers);
  await until(
    async () => parseServerStates(await readFile(stateFilePath, 'utf8')),
    (states) => isDeepStrictEqual(adminsOf(states.get(site.tier.backend)), before),
  );
  await last.kill();
  await load.end();
  const { epoch } = await site.until('HAProxy is asked for the last time', () => true);
  await site.haproxy.reload();
  const after = await site.until(
    'a new worker answers, alone, and has found every node in service',
    (view) =>
      view.epoch !== epoch &&
      view.oldWorkerPids.length === 0 &&
      view.inService.length === view.nodes.length,
  );
  expect(adminsOf(after.servers)).toEqual(before);
  const stateFile = basename(stateFilePath);
  const files = (await readdir(site.folder)).filter((name) => name.startsWith(stateFile));
  expect(files).toEqual([stateFile]);
}

function adminsOf(
  servers: ReadonlyMap<string, Pick<ServerState, 'admin'>> | undefined,
): Readonly<Record<string, string>> {
  return Object.fromEntries([...(servers ?? [])].map(([name, { admin }]) => [name, admin]));
}

function pidsOf({ nodes }: View): readonly number[] {
  return nodes.map(({ pid }) => pid).toSorted(ascending);
}

function ascending(one: number, other: number): number {
  return one - other;
}
