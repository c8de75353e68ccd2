/** Runs the loop, as `rackfire run` does, over a load in virtual time. */

import { Controller, type ControllerOptions, type Setup } from '../control/controller.ts';
import { PreconditionError, RefusedError } from '../control/errors.ts';
import type { ControlEvent, TierTicked } from '../control/events.ts';
import { OverrideBook } from '../control/override-book.ts';
import type { ReadSchedule } from '../control/schedule-watch.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { EMPTY_MEMORY } from '../scaler/decide.ts';
import { holdsAt, type Schedule } from '../scaler/schedule.ts';
import { bootDeadlineOf } from '../scaler/start-times.ts';
import type { TierTick } from '../scaler/tick.ts';
import { type Bounds, coveringOptimum, demandOf } from './optimum.ts';
import { type BootModel, RATED_RPS } from './physics.ts';
import { costRatio, PENALTIES, type Score, Scorer } from './score.ts';
import { type BootTimes, type Room, SimulatedSite, STEP_MS, TERM } from './site.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface SimulationOptions {
  /** The only one that is simulated, whatever else the config has. */
  readonly tier: ScaledTier;
  /** Undefined: room for all. */
  readonly hosts: readonly {
    readonly name: string;
    readonly room: Room | undefined;
    readonly failureDomain: string;
  }[];
  readonly limits: Pick<Setup['limits'], 'maxNodes' | 'breaker'>;
  readonly hostFailuresToTolerate: number;
  /** Of the demand; left out, those of the benchmark. */
  readonly bounds?: Bounds;
  readonly boots: BootModel;
  /** Needed where the tier has schedules. */
  readonly readSchedule?: ReadSchedule;
  /** What the wall clock shows when the load begins. */
  readonly beginsAtMs?: number;
  /** Uniform in [0, 1); boots draw from it, one after the other. */
  readonly random: () => number;
  /** Called after each second with how many have passed; it may take a breath there. */
  readonly onSecond?: (seconds: number) => void;
}

/** One change of the count, and what it came of. */
export interface Change {
  readonly second: number;
  readonly fromNodes: number;
  readonly toNodes: number;
  readonly reason: TierTick['decision']['reason'];
}

/** A time in which a schedule held; the second of its end is not part of it. */
export interface HeldWindow {
  readonly schedule: Schedule;
  readonly fromSecond: number;
  readonly untilSecond: number;
}

/** One entry a second, each of them what held from its begin to the next one. */
export interface Simulation {
  readonly arrivals: Float64Array;
  /** Nodes that the load needs, by the mean of 15 s at the rated rate. */
  readonly demand: Uint16Array;
  readonly inService: Uint16Array;
  /** Nodes that cost: booting, in service, draining; a standby node its share. */
  readonly ordered: Float64Array;
  /** Requests that wait at the end of the second. */
  readonly waiting: Float64Array;
  readonly dropped: Float64Array;
  /** Those that ended well. */
  readonly boots: readonly BootTimes[];
  readonly changes: readonly Change[];
  /** In the order of the config, and of time. */
  readonly windows: readonly HeldWindow[];
  readonly score: SimulationScore;
}

export interface SimulationScore extends Score {
  /** Cost as a multiple of that of perfect foresight, lost requests included; 1 is perfect. */
  readonly J: number;
  /** What J is the sum of: nodes, and what dropped and late requests count for. */
  readonly parts: { readonly nodes: number; readonly dropped: number; readonly late: number };
  readonly served: number;
  /** Of perfect foresight. */
  readonly optimumNodeSeconds: number;
}

/** The mean of the load's first minute stands for the time before it. */
const LEAD_SECONDS = 60;

/** Before the first step, so that the loop's own ticks, which it makes when no balancer answers, fall between steps. */
const START_MS = 1_000_000 - STEP_MS / 2;

/** Any number of boots at once: what they do to each other is in no boot model. */
const BOOTS_PER_HOST = 1_000_000;

/** Of usual boots, one in ten thousand takes longer than this multiple of the median. */
const USUAL_FACTOR = 2.5;

/**
 * Runs the loop over a load. It sees the site each second, and what it orders counts from then on; boots,
 * the queue and the cost are those of {@link SimulatedSite}. Same options, same load, same result.
 *
 * @param arrivals - Requests of each second.
 * @throws Error when the loop itself fails, which is a defect.
 */
export async function simulate(
  arrivals: Float64Array,
  options: SimulationOptions,
): Promise<Simulation> {
  const { beginsAtMs } = options;
  const clock = new VirtualClock(
    START_MS,
    beginsAtMs === undefined ? undefined : beginsAtMs - START_MS,
  );
  const tier = tierFor(options);
  const site = new SimulatedSite({ ...options, tier, clock });
  site.populate(startNodes(arrivals, tier), standbyAtFirst(tier));
  const notes = new Notes(site);
  const controller = createController(site, options, notes);
  const stop = new AbortController();
  const running = controller.run(stop.signal).catch((error: unknown) => {
    notes.defect ??= error;
  });
  const result = createResult(arrivals, options.bounds);
  const scorer = new Scorer();
  let served = 0;
  for (const [second, requests] of arrivals.entries()) {
    await clock.advanceTo(site.momentOf(second));
    const passed = site.serve(requests);
    result.inService[second] = passed.inService;
    result.ordered[second] = passed.ordered;
    result.waiting[second] = passed.waiting;
    result.dropped[second] = passed.dropped;
    served += passed.served;
    const demand = result.demand[second] ?? 0;
    scorer.add({ ...passed, demand, supply: passed.inService, cost: passed.ordered });
    if (notes.defect !== undefined) {
      throw new Error('the loop failed', { cause: notes.defect });
    }
    options.onSecond?.(second + 1);
  }
  await clock.advanceTo(site.momentOf(arrivals.length) - 1);
  stop.abort(new Error('the load has ended'));
  await running;
  const optimumNodeSeconds = coveringOptimum(result.demand, options.boots.medianSeconds);
  const { score } = scorer;
  const ratioOf = (counted: Partial<Score>): number =>
    costRatio({ nodeSeconds: 0, dropped: 0, late: 0, ...counted }, optimumNodeSeconds, PENALTIES);
  const parts = {
    nodes: ratioOf({ nodeSeconds: score.nodeSeconds }),
    dropped: ratioOf({ dropped: score.dropped }),
    late: ratioOf({ late: score.late }),
  };
  return {
    ...result,
    boots: site.boots,
    changes: notes.changes,
    windows: notes.windows,
    score: { J: ratioOf(score), parts, ...score, served, optimumNodeSeconds },
  };
}

/**
 * How long a boot may take before it has failed, in milliseconds: as the config says, but for a deadline that
 * was made for quicker boots than those of the model.
 */
export function bootDeadlineMs({ policy }: ScaledTier, { medianSeconds }: BootModel): number {
  const medianMs = medianSeconds * 1_000;
  return Math.max(bootDeadlineOf(policy.bootDeadlineMs, medianMs), USUAL_FACTOR * medianMs);
}

function tierFor({ tier, boots }: SimulationOptions): ScaledTier {
  return { ...tier, policy: { ...tier.policy, bootDeadlineMs: bootDeadlineMs(tier, boots) } };
}

/** Those that are ordered ahead are ordered by the loop. */
function standbyAtFirst({ policy }: ScaledTier): number {
  const { nodes } = policy.standby;
  return nodes === 'auto' ? 0 : nodes;
}

/** What the first minute needs, within the tier's bounds. */
function startNodes(arrivals: Float64Array, { policy }: ScaledTier): number {
  const lead = arrivals.subarray(0, LEAD_SECONDS);
  const rps = lead.reduce((sum, requests) => sum + requests, 0) / Math.max(1, lead.length);
  const nodes = Math.ceil(rps / RATED_RPS - 1e-9);
  return Math.min(policy.maxNodes, Math.max(policy.minNodes, nodes));
}

function createResult(arrivals: Float64Array, bounds?: Bounds) {
  const { length } = arrivals;
  return {
    arrivals,
    demand: demandOf(arrivals, bounds),
    inService: new Uint16Array(length),
    ordered: new Float64Array(length),
    waiting: new Float64Array(length),
    dropped: new Float64Array(length),
  };
}

function createController(
  site: SimulatedSite,
  { hosts, limits, hostFailuresToTolerate, boots, readSchedule }: SimulationOptions,
  recorder: Notes,
): Controller {
  const { clock, tier } = site;
  const setup: Setup = {
    // Whatever its mode is: what is asked is what the policy would do.
    clusters: [{ name: tier.cluster, mode: 'full', tiers: [tier] }],
    limits: { ...limits, concurrentBootsPerHost: BOOTS_PER_HOST },
    placement: {
      hostFailuresToTolerate,
      failureDomains: new Map(hosts.map(({ name, failureDomain }) => [name, failureDomain])),
    },
    hypervisors: new Map(site.hosts.map((host) => [host.host, host])),
    balancers: [site.balancer],
  };
  const options: ControllerOptions = {
    setup,
    clock,
    recorder,
    leadership: { term: () => TERM },
    overrides: new OverrideBook(clock, recorder),
    uuidOf: (name) => name,
    ...(readSchedule === undefined ? {} : { readSchedule }),
  };
  const controller = new Controller(options);
  // Whatever serves at the start has booted once, and a journal remembers how long that took.
  const timeMs = boots.medianSeconds * 1_000;
  const startTimes = hosts.map(({ name }) => {
    return { imageVersion: tier.image.version, host: name, start: 'cold', timeMs } as const;
  });
  controller.restore(tierKey(tier), EMPTY_MEMORY, { bootTimeMs: timeMs, startTimes, nodes: [] });
  return controller;
}

/** What the loop says, as far as it is of interest afterwards. */
class Notes {
  readonly changes: Change[] = [];
  /** By schedule. */
  readonly #held: HeldWindow[][] = [];
  /** What no world without faults lets happen. */
  defect: unknown;
  readonly #site: SimulatedSite;

  constructor(site: SimulatedSite) {
    this.#site = site;
  }

  get windows(): readonly HeldWindow[] {
    return this.#held.flat();
  }

  #noteHeld({ tier, observation: { atMs, schedules = [] } }: TierTicked): void {
    const second = this.#site.step;
    for (const [index, schedule] of (tier.policy.schedules ?? []).entries()) {
      const held = (this.#held[index] ??= []);
      const last = held.at(-1);
      const seen = schedules[index];
      if (seen === undefined || !holdsAt(seen, atMs)) {
        continue;
      }
      const isSame = last !== undefined && last.untilSecond >= second;
      const fromSecond = isSame ? last.fromSecond : second;
      held.splice(isSame ? -1 : held.length, 1, { schedule, fromSecond, untilSecond: second + 1 });
    }
  }

  record(event: ControlEvent): void {
    if (event.type === 'tier-ticked') {
      const { currentNodes, desiredNodes, reason } = event.tick.decision;
      if (desiredNodes !== currentNodes) {
        const second = this.#site.step;
        this.changes.push({ second, fromNodes: currentNodes, toNodes: desiredNodes, reason });
      }
      this.#noteHeld(event);
    } else if (event.type === 'source-failed') {
      this.defect ??= event.error;
    } else if (event.type === 'action-ended' && !isExpected(event.error)) {
      this.defect ??= event.error;
    }
  }
}

function isExpected(error: unknown): boolean {
  return error === undefined || error instanceof RefusedError || error instanceof PreconditionError;
}
