/** The loop of `rackfire run` on a site in memory, with bad weather between them. Every tick is kept. */

import type { Clock } from '../../src/control/clock.ts';
import { Controller } from '../../src/control/controller.ts';
import type { ControlEvent, TierTicked } from '../../src/control/events.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  HostSnapshot,
  Hypervisor,
  LoadBalancer,
} from '../../src/control/ports.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { type ScaledTier, tierKey } from '../../src/scaler/cluster.ts';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import { type BootModel, plainBoots } from '../../src/sim/physics.ts';
import { SimulatedSite, STEP_MS, TERM } from '../../src/sim/site.ts';
import { VirtualClock } from '../../src/sim/virtual-clock.ts';
import { SITE, tierOf } from './lab.ts';

/** A question that is on its way. */
export interface Question<T> {
  /** The second of the load that it is now. */
  readonly second: () => number;
  readonly steadyMs: () => number;
  /** What the site would answer at once. */
  readonly answer: () => Promise<T>;
  /** Lets virtual time pass. */
  readonly wait: (ms: number) => Promise<void>;
}

export type Weather<T> = (question: Question<T>) => Promise<T>;

export interface WeatheredOptions {
  readonly tier?: ScaledTier;
  readonly boots?: BootModel;
  readonly seed?: number;
  readonly hosts?: readonly string[];
  /** Nodes in service at the start. */
  readonly nodes?: number;
  readonly balancerWeather?: Weather<BalancerSnapshot>;
  readonly hostWeather?: Weather<HostSnapshot>;
  /** By how much the wall clock is wrong in a second. */
  readonly wallErrorMs?: (second: number) => number;
}

export interface WeatheredRun {
  readonly ticks: readonly TierTicked[];
  readonly inService: readonly number[];
  readonly dropped: number;
  /** Of the loop itself, or of what it ordered. */
  readonly errors: readonly unknown[];
  /** The second in which a tick was made: its sight ends there. */
  readonly secondOf: (tick: TierTicked) => number;
}

/** Plays a load; same load, same options, same run. */
export async function playWeathered(
  arrivals: Float64Array,
  options: WeatheredOptions = {},
): Promise<WeatheredRun> {
  const { boots = plainBoots(20), tier = tierOf(SITE), hosts = ['local-a'] } = options;
  const clock = new VirtualClock(1_000_000 - STEP_MS / 2);
  const site = new SimulatedSite({
    clock,
    tier,
    hosts: hosts.map((name) => ({ name, room: undefined })),
    boots,
    random: createRandom(options.seed ?? 1),
  });
  site.populate(options.nodes ?? tier.policy.minNodes, Number(tier.policy.standby.nodes));
  const ticks: TierTicked[] = [];
  const errors: unknown[] = [];
  const recorder = {
    record: (event: ControlEvent): void => {
      if (event.type === 'tier-ticked') {
        ticks.push(event);
      } else if (event.type === 'action-ended' && event.error !== undefined) {
        errors.push(event.error);
      }
    },
  };
  const ownClock = clockOf(site, options);
  const controller = new Controller({
    setup: {
      clusters: [{ name: tier.cluster, mode: 'full', tiers: [tier] }],
      limits: {
        maxNodes: 20_000,
        concurrentBootsPerHost: 1_000_000,
        breaker: { failures: 3, windowMs: 600_000, openMs: 300_000 },
      },
      hypervisors: new Map(
        site.hosts.map((host) => [host.host, weatheredHost(site, host, options)]),
      ),
      balancers: [weatheredBalancer(site, options)],
    },
    clock: ownClock,
    recorder,
    leadership: { term: () => TERM },
    overrides: new OverrideBook(ownClock, recorder),
    uuidOf: (name) => name,
  });
  const timeMs = boots.medianSeconds * 1_000;
  controller.restore(tierKey(tier), EMPTY_MEMORY, {
    bootTimeMs: timeMs,
    startTimes: hosts.map((host) => {
      return { imageVersion: tier.image.version, host, start: 'cold', timeMs };
    }),
    nodes: [],
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal).catch((error: unknown) => errors.push(error));
  const inService: number[] = [];
  let dropped = 0;
  for (const [second, requests] of arrivals.entries()) {
    await clock.advanceTo(site.momentOf(second));
    const passed = site.serve(requests);
    inService.push(passed.inService);
    dropped += passed.dropped;
  }
  stop.abort(new Error('the load has ended'));
  await clock.advanceTo(site.momentOf(arrivals.length + 60));
  await running;
  const startMs = site.momentOf(0);
  const secondOf = ({ observation }: TierTicked): number => (observation.atMs - startMs) / STEP_MS;
  return { ticks, inService, dropped, errors, secondOf };
}

function clockOf(site: SimulatedSite, { wallErrorMs }: WeatheredOptions): Clock {
  const { clock } = site;
  return {
    steadyMs: () => clock.steadyMs(),
    wallMs: () => clock.wallMs() + (wallErrorMs?.(site.step) ?? 0),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

function weatheredBalancer(site: SimulatedSite, options: WeatheredOptions): LoadBalancer {
  const { balancer } = site;
  return {
    name: balancer.name,
    inspect: (signal) => ask(site, options.balancerWeather, signal, () => balancer.inspect(signal)),
    setServers: (changes, signal) => balancer.setServers(changes, signal),
  };
}

function weatheredHost(
  site: SimulatedSite,
  host: Hypervisor,
  options: WeatheredOptions,
): Hypervisor {
  return {
    host: host.host,
    pace: host.pace,
    inspect: (signal) => ask(site, options.hostWeather, signal, () => host.inspect(signal)),
    create: (order, signal) => host.create(order, signal),
    pause: (ref, signal) => host.pause(ref, signal),
    save: (ref, signal) => host.save(ref, signal),
    wake: (ref, signal) => host.wake(ref, signal),
    destroy: (ref, signal) => host.destroy(ref, signal),
  };
}

function ask<T>(
  site: SimulatedSite,
  weather: Weather<T> | undefined,
  signal: AbortSignal,
  answer: () => Promise<T>,
): Promise<T> {
  const { clock } = site;
  return weather === undefined
    ? answer()
    : weather({
        second: () => site.step,
        steadyMs: () => clock.steadyMs(),
        answer,
        wait: (ms) => clock.sleep(ms, signal),
      });
}

/** The same answer with other readings of the tier's traffic. */
export function withReadings(
  snapshot: BalancerSnapshot,
  change: (report: BackendReport) => Partial<BackendReport>,
): BalancerSnapshot {
  const backends = [...snapshot.backends].map(
    ([name, report]) => [name, { ...report, ...change(report) }] as const,
  );
  return { ...snapshot, backends: new Map(backends) };
}
