/**
 * A site in virtual time, as the loop sees it: traffic with days, noise and storms; nodes that boot, serve,
 * are drained and destroyed as the real `tickTier` orders. It makes the events that the journal keeps.
 */

import type { TierTicked } from '../src/control/events.ts';
import { createRandom } from '../src/embedded/random.ts';
import type { Action } from '../src/scaler/action.ts';
import type { ScaledTier } from '../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../src/scaler/decide.ts';
import type {
  AdminState,
  CheckState,
  HostSighting,
  NodeSighting,
  Observation,
} from '../src/scaler/observation.ts';
import { type TierTick, tickTier } from '../src/scaler/tick.ts';

const DAY_MS = 86_400_000;
const NODE_RPS = 110;
const TARGET_RPS = 80;
const SERVERS = 16;
const SLOTS = 10;
const REQUEST_SECONDS = 0.06;
const MAKING_MS = 2_000;
const BOOT_MS = 22_000;
const ADMIT_MS = 300;
const STOP_MS = 4_000;
const WAITING_MAX = 600;
const TERM = { createdAtSeconds: 1_790_000_000, transitions: 2 };

interface SimulatedNode {
  readonly number: number;
  readonly host: string;
  readonly bornMs: number;
  /** Its check passes from here on. */
  readonly passesAtMs: number;
  admin: AdminState;
  check: CheckState;
  changedAtMs: number;
  /** Undefined: it stays. */
  endsAtMs: number | undefined;
  flight: { readonly action: Action; readonly doneAtMs: number } | undefined;
}

/** Machines that all sites share; each has room for some fifty small nodes. */
export class SimulatedHosts {
  readonly names: readonly string[];
  readonly #used = new Map<string, number>();
  #sightings: readonly HostSighting[] | undefined;

  constructor(count: number) {
    this.names = Array.from({ length: count }, (_, index) => `xen-${index + 1}`);
  }

  book(host: string, nodes: number): void {
    this.#used.set(host, (this.#used.get(host) ?? 0) + nodes);
    this.#sightings = undefined;
  }

  sightings(): readonly HostSighting[] {
    this.#sightings ??= this.names.map((name) => {
      const used = this.#used.get(name) ?? 0;
      return {
        name,
        reachable: true,
        everAnswered: true,
        freeMemoryMiB: 122_880 - used * 2_048,
        freeVcpus: 128 - used * 2,
        freeDiskMiB: 1_966_080 - used * 20_480,
        startsInFlight: 0,
        circuit: 'closed',
        recentFailures: 0,
      };
    });
    return this.#sightings;
  }
}

export class SimulatedSite {
  readonly tier: ScaledTier;
  /** Decisions that changed the count so far. */
  changes = 0;
  readonly #hosts: SimulatedHosts;
  readonly #random: () => number;
  readonly #baseRps: number;
  readonly #phase: number;
  readonly #nodes = new Map<number, SimulatedNode>();
  #memory: TierMemory = EMPTY_MEMORY;
  #wander = 0;
  #waiting = 0;
  #storm = { startsAtMs: 0, endsAtMs: 0, factor: 1 };
  #lastMs: number;

  constructor(index: number, hosts: SimulatedHosts, startMs: number) {
    this.#random = createRandom(index * 7_919 + 1);
    this.#hosts = hosts;
    this.#baseRps = TARGET_RPS * (4 + 3 * this.#random());
    this.#phase = this.#random();
    this.#lastMs = startMs;
    this.tier = makeTier(index);
    const first = Math.round(this.#baseRps / TARGET_RPS);
    for (let number = 1; number <= first; number += 1) {
      const host = hosts.names[(index + number) % hosts.names.length] ?? '';
      hosts.book(host, 1);
      this.#nodes.set(number, {
        number,
        host,
        bornMs: startMs - Math.floor(DAY_MS * (1 + 5 * this.#random())),
        passesAtMs: 0,
        admin: 'ready',
        check: 'passed',
        changedAtMs: startMs - Math.floor(DAY_MS * this.#random()),
        endsAtMs: undefined,
        flight: undefined,
      });
    }
    this.#storm = { startsAtMs: this.#nextStormMs(startMs), endsAtMs: 0, factor: 1 };
  }

  /** Something there is on its way: the loop looks four times a second then. */
  get isBusy(): boolean {
    for (const node of this.#nodes.values()) {
      if (node.flight !== undefined || node.admin !== 'ready' || node.endsAtMs !== undefined) {
        return true;
      }
    }
    return false;
  }

  /** One tick of the loop; `nowMs` is both clocks. */
  tick(nowMs: number): TierTicked {
    const spanMs = Math.max(1, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#live(nowMs);
    const observation = this.#observe(nowMs, spanMs);
    const memory = this.#memory;
    const tick = tickTier(this.tier, 'full', observation, memory);
    this.#memory = tick.memory;
    this.changes += tick.decision.direction === 'none' ? 0 : 1;
    this.#order(tick, nowMs);
    return { type: 'tier-ticked', tier: this.tier, mode: 'full', observation, memory, tick };
  }

  #observe(nowMs: number, spanMs: number): Observation {
    const serving = [...this.#nodes.values()].filter(
      ({ admin, check }) => admin === 'ready' && check === 'passed',
    ).length;
    // A rate looks back one second and a bit, by a clock that counts microseconds.
    const windowMs = 1_000 + 20 * this.#random();
    const arrivals = this.#draw((this.#demandRps(nowMs, spanMs) * windowMs) / 1_000);
    const arrivalRps = (arrivals * 1_000) / windowMs;
    const capacityRps = serving * NODE_RPS;
    const wantedRps = arrivalRps + this.#waiting;
    const servedRps =
      wantedRps <= capacityRps
        ? (Math.max(0, arrivals + Math.round(4 * (this.#random() - 0.5))) * 1_000) / windowMs
        : (this.#draw((capacityRps * windowMs) / 1_000) * 1_000) / windowMs;
    const grown = this.#waiting + ((arrivalRps - capacityRps) * spanMs) / 1_000;
    this.#waiting = Math.round(Math.min(WAITING_MAX, Math.max(0, grown)));
    const used = Math.min(serving * SLOTS, this.#draw(servedRps * REQUEST_SECONDS));
    return {
      atMs: nowMs,
      term: TERM,
      signals: {
        requestRate: { status: 'ok', value: arrivalRps },
        queue: { status: 'ok', value: { requests: this.#waiting, servedRps } },
        slots: { status: 'ok', value: { used, total: serving * SLOTS } },
      },
      nodes: [...this.#nodes.values()]
        .toSorted((one, other) => one.number - other.number)
        .map((node) => this.#sight(node, nowMs, used / Math.max(1, serving))),
      hosts: this.#hosts.sightings(),
      oldWorkers: false,
      blockedNumbers: [],
      circuit: 'closed',
      fleetRoom: 2_000,
      concurrentBootsPerHost: 4,
      bootTimeMs: BOOT_MS + 412,
      overrides: [],
    };
  }

  #sight(node: SimulatedNode, nowMs: number, usedPerNode: number): NodeSighting {
    const { number, host, bornMs, admin, check, flight, endsAtMs } = node;
    const madeAtMs = bornMs + MAKING_MS;
    const state = endsAtMs !== undefined ? 'stopping' : nowMs < madeAtMs ? 'being-made' : 'running';
    const sessions = admin === 'ready' ? Math.min(SLOTS, this.#draw(usedPerNode)) : 0;
    // HAProxy counts the time since a change in whole seconds.
    const sinceChangeMs = Math.floor((nowMs - node.changedAtMs) / 1_000) * 1_000;
    const sighting: NodeSighting = {
      number,
      domains: [{ host, state, mark: 'ours', bornMs, ageMs: nowMs - bornMs, fresh: true }],
      servers: [{ balancer: 'lb-a', answered: true, admin, check, sessions, sinceChangeMs }],
      leaving: false,
    };
    return flight === undefined ? sighting : { ...sighting, operation: flight.action.kind };
  }

  #live(nowMs: number): void {
    for (const [number, node] of this.#nodes) {
      if (node.endsAtMs !== undefined && node.endsAtMs <= nowMs) {
        this.#nodes.delete(number);
        this.#hosts.book(node.host, -1);
        continue;
      }
      if (node.check !== 'passed' && node.admin !== 'maint' && node.passesAtMs <= nowMs) {
        node.check = 'passed';
        node.changedAtMs = nowMs;
      }
      if (node.flight !== undefined && node.flight.doneAtMs <= nowMs) {
        this.#finish(node, node.flight.action, nowMs);
      }
    }
  }

  #finish(node: SimulatedNode, action: Action, nowMs: number): void {
    node.flight = undefined;
    if (action.kind === 'admit' || action.kind === 'drain') {
      node.admin = action.kind === 'admit' ? 'ready' : 'drain';
      node.changedAtMs = nowMs;
    } else if (action.kind === 'destroy') {
      node.admin = 'maint';
      node.endsAtMs = nowMs + STOP_MS;
    }
  }

  #order(tick: TierTick, nowMs: number): void {
    for (const action of tick.actions) {
      if (action.kind === 'boot') {
        this.#hosts.book(action.host, 1);
        this.#nodes.set(action.number, {
          number: action.number,
          host: action.host,
          bornMs: nowMs,
          passesAtMs: nowMs + BOOT_MS * (0.9 + 0.3 * this.#random()),
          admin: 'drain',
          check: 'failed',
          changedAtMs: nowMs,
          endsAtMs: undefined,
          flight: { action, doneAtMs: nowMs + 1_500 },
        });
        continue;
      }
      const node = this.#nodes.get(action.number);
      if (node !== undefined) {
        node.flight = { action, doneAtMs: nowMs + ADMIT_MS };
      }
    }
  }

  /** A day, a slow wander, and a storm every eight hours or so that comes within half a minute. */
  #demandRps(nowMs: number, spanMs: number): number {
    const day = 1 + 0.4 * Math.sin(2 * Math.PI * (nowMs / DAY_MS + this.#phase));
    this.#wander +=
      (-this.#wander * spanMs) / 90_000 + 0.06 * this.#noise() * Math.sqrt(spanMs / 90_000);
    const { startsAtMs, endsAtMs, factor } = this.#storm;
    if (endsAtMs === 0 && nowMs >= startsAtMs) {
      const lastsMs = 60_000 * (4 + 16 * this.#random());
      this.#storm = { startsAtMs, endsAtMs: nowMs + lastsMs, factor: 1.6 + 1.2 * this.#random() };
    } else if (endsAtMs !== 0 && nowMs >= endsAtMs + 300_000) {
      this.#storm = { startsAtMs: this.#nextStormMs(nowMs), endsAtMs: 0, factor: 1 };
    }
    const rise = Math.min(1, Math.max(0, (nowMs - startsAtMs) / 30_000));
    const fall = endsAtMs === 0 ? 1 : Math.min(1, Math.max(0, 1 - (nowMs - endsAtMs) / 300_000));
    return this.#baseRps * day * (1 + this.#wander) * (1 + (factor - 1) * Math.min(rise, fall));
  }

  #nextStormMs(nowMs: number): number {
    return nowMs + 3_600_000 * (2 + 12 * this.#random());
  }

  /** How many of many independent requests fall into a span. */
  #draw(mean: number): number {
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.#noise()));
  }

  /** About normal, mean 0, deviation 1. */
  #noise(): number {
    return 2 * (this.#random() + this.#random() + this.#random() - 1.5);
  }
}

/** 3 to 14 nodes for 80 requests per second each, limits and windows as the config's defaults have them. */
function makeTier(index: number): ScaledTier {
  return {
    scaling: 'automatic',
    cluster: `site-${index + 1}`,
    name: 'web',
    image: { name: 'drupal-web', version: '2026-11-01' },
    size: { name: 'medium', memoryMiB: 2_048, guestMemoryMiB: 2_048, vcpus: 2, diskMiB: 20_480 },
    addresses: Array.from({ length: SERVERS }, (_, n) => `10.0.${index + 1}.${20 + n}`),
    backend: `site-${index + 1}-web`,
    maxConnections: SLOTS,
    health: { path: '/health', port: 80, intervalMs: 1_000 },
    frontend: { bind: '*:80', queueTimeoutMs: 60_000 },
    policy: {
      minNodes: 3,
      maxNodes: 14,
      requestRate: { targetPerNodeRps: TARGET_RPS },
      queue: { maxWaitMs: 100 },
      looksAhead: true,
      scaleOut: {
        tolerance: 0.05,
        policies: [
          { kind: 'percent', percent: 100, periodMs: 15_000 },
          { kind: 'nodes', nodes: 4, periodMs: 15_000 },
        ],
      },
      scaleIn: {
        tolerance: 0.1,
        stabilizationWindowMs: 'auto',
        policies: [{ kind: 'percent', percent: 25, periodMs: 15_000 }],
      },
      standby: { state: 'paused', nodes: 0 },
      drainDeadlineMs: 300_000,
      bootDeadlineMs: 120_000,
    },
  };
}
