/** What the rows about a Rackfire that is killed again and again have in common. */

import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect } from 'vitest';
import type { NodeProcess } from '../../src/embedded/process-table.ts';
import type { Meddling } from './meddled-service.ts';
import type { ServiceProcess } from './service-process.ts';
import { type SitePlan, TARGET_RPS } from './site-config.ts';
import type { View } from './watch.ts';
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

const DEATH_DEADLINE_MS = 25_000;

/** The nodes of a storm, told apart by their processes, whoever made them and whoever finds them. */
export class KillStorm {
  readonly #site: WeatherSite;
  /** From before the storm: all that comes and goes must leave these alone. */
  readonly #steady: readonly NodeProcess[];
  /** Those that {@link look} found beside them. */
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

  /** A fresh Rackfire knows nothing of the time before it: it lets nobody go until it has watched for a window. */
  judge(service: ServiceProcess): void {
    const [started] = service.found('started');
    const [first] = service.found(
      ({ msg, action, reason }) =>
        msg === 'action started' &&
        (action === 'drain' || action === 'destroy') &&
        reason === 'not-needed',
    );
    if (started !== undefined && first !== undefined) {
      const { stabilizationWindowMs } = this.#site.tier.policy.scaleIn;
      const watchedMs = first.time - started.time;
      expect(watchedMs, 'ms until its first scale-in').toBeGreaterThan(
        Number(stabilizationWindowMs),
      );
    }
  }

  /** Looks who is there while everybody is needed: who was there at the last look has to be there still. */
  look(): void {
    const now = this.#site.ownNodes();
    const pids = new Set(now.map(({ pid }) => pid));
    for (const { pid, name } of [...this.#steady, ...this.#comers.values()]) {
      expect(pids, `${name}, pid ${pid}, is needed and must be there`).toContain(pid);
    }
    for (const node of now.filter(({ pid }) => !this.#steady.some((one) => one.pid === pid))) {
      this.#comers.set(node.pid, node);
    }
  }

  /** All that were looked at serve, and no others: none was lost, none was made twice. */
  async grown(nodes: number): Promise<void> {
    const view = await this.#site.untilConverged(nodes);
    this.look();
    expect(pidsOf(view), 'each node was made once').toEqual(
      [...this.#steady, ...this.#comers.values()].map(({ pid }) => pid).toSorted(ascending),
    );
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
 * With no Rackfire left, HAProxy is reloaded: its server states must be as they were, and nobody who was
 * killed in the middle of it may have left a part of them behind.
 */
export async function expectReloadChangesNothing(site: WeatherSite): Promise<void> {
  const before = await site.until('HAProxy is asked once more', () => true);
  await site.haproxy.reload();
  const after = await site.until(
    'the new worker answers, alone',
    ({ epoch, oldWorkerPids }) => epoch !== before.epoch && oldWorkerPids.length === 0,
  );
  expect(adminStatesOf(after)).toEqual(adminStatesOf(before));
  const stateFile = basename(site.haproxy.stateFilePath);
  const files = (await readdir(site.folder)).filter((name) => name.startsWith(stateFile));
  expect(files).toEqual([stateFile]);
}

function adminStatesOf({ servers }: View): Readonly<Record<string, string>> {
  return Object.fromEntries([...servers].map(([name, { admin }]) => [name, admin]));
}

function pidsOf({ nodes }: View): readonly number[] {
  return nodes.map(({ pid }) => pid).toSorted(ascending);
}

function ascending(one: number, other: number): number {
  return one - other;
}
