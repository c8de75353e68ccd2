/**
 * A tier's hosts and balancer in memory, as the loop's ports show them. An order is carried out at once, and what
 * takes time – a boot, a wake – shows in the checks. Nothing fails that the boot model does not let fail.
 */

import { PreconditionError, RefusedError } from '../control/errors.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  BootOrder,
  DomainRef,
  DomainReport,
  HostPace,
  HostSnapshot,
  Hypervisor,
  LoadBalancer,
  ServerChange,
  ServerReport,
} from '../control/ports.ts';
import { nodeName, type ScaledTier } from '../scaler/cluster.ts';
import type { AdminState, CheckState, Sample } from '../scaler/observation.ts';
import {
  type BootModel,
  drawBoot,
  FluidQueue,
  SATURATED_RPS,
  SERVICE_SECONDS,
  SLOTS,
  STANDBY_COST,
  WAKE_SECONDS,
} from './physics.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** One step of the world: the loop sees it once, then a second passes. */
export const STEP_MS = 1_000;

/** What a host has for nodes. */
export interface Room {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** A host whose room nobody has said has room for all. */
const BOUNDLESS: Room = { memoryMiB: 1e9, vcpus: 1e6, diskMiB: 1e12 };

/** Nodes that run at the start have done so for this time. */
const GROWN_MS = 3_600_000;

/** One boot that ended well; seconds of the run. */
export interface BootTimes {
  readonly orderedAt: number;
  readonly readyAt: number;
}

interface Domain {
  readonly order: BootOrder;
  readonly host: string;
  state: 'running' | 'paused' | 'saved';
  /** Its check passes from here on; never, when its boot fails. */
  readyAtMs: number;
  readonly boot: BootTimes | undefined;
}

interface Server {
  admin: AdminState;
  changedAtMs: number;
}

export interface SiteOptions {
  readonly clock: VirtualClock;
  readonly tier: ScaledTier;
  /** Undefined: room for all. */
  readonly hosts: readonly { readonly name: string; readonly room: Room | undefined }[];
  readonly boots: BootModel;
  /** Uniform in [0, 1); one boot after the other draws from it. */
  readonly random: () => number;
}

/** What a second of traffic has come to. */
export interface TrafficSecond {
  readonly arrivals: number;
  readonly inService: number;
  /** Nodes that cost: a standby node its share. */
  readonly ordered: number;
  readonly served: number;
  readonly dropped: number;
  readonly waiting: number;
  readonly waitSeconds: number;
}

/** The whole world of one tier. Between two steps, {@link serve} lets a second of traffic pass. */
export class SimulatedSite {
  readonly hosts: readonly SimulatedHost[];
  readonly balancer: SimulatedBalancer;
  readonly clock: VirtualClock;
  readonly tier: ScaledTier;
  readonly domains = new Map<string, Domain>();
  /** The second that has passed last; undefined before the first. */
  latest: TrafficSecond | undefined;
  readonly #startMs: number;
  readonly #options: SiteOptions;
  readonly #queue = new FluidQueue();
  readonly #boots = new Set<BootTimes>();

  /** The clock stands half a step before the first one. */
  constructor(options: SiteOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.tier = options.tier;
    this.#startMs = options.clock.nowMs + STEP_MS / 2;
    this.hosts = options.hosts.map(({ name, room }) => new SimulatedHost(name, room, this));
    this.balancer = new SimulatedBalancer(this);
  }

  /** The step that has begun last; −1 before the first. */
  get step(): number {
    return Math.floor((this.clock.nowMs - this.#startMs) / STEP_MS);
  }

  momentOf(step: number): number {
    return this.#startMs + step * STEP_MS;
  }

  /** Nodes that have been there for long, as far as there is room: first those in service, then those that stand by. */
  populate(serving: number, standby: number): void {
    for (let number = 1; number <= serving + standby; number += 1) {
      const isServing = number <= serving;
      const host = this.hosts
        .filter((one) => one.hasRoomFor(this.tier.size))
        .toSorted((one, other) => one.nodes - other.nodes)[0];
      if (host === undefined) {
        return;
      }
      const { state } = this.tier.policy.standby;
      const bornMs = this.clock.wallMs() - GROWN_MS;
      const name = nodeName(this.tier, number);
      this.domains.set(name, {
        order: orderOf(this.tier, name, bornMs),
        host: host.host,
        state: isServing ? 'running' : state,
        readyAtMs: this.clock.nowMs - GROWN_MS,
        boot: undefined,
      });
      this.balancer.set(name, isServing ? 'ready' : 'maint');
    }
  }

  /** A second passes: requests come, wait, are served or dropped by the nodes that are in service now. */
  serve(arrivals: number): TrafficSecond {
    const inService = this.balancer.inService;
    this.#queue.step(arrivals, inService * SATURATED_RPS);
    const { served, dropped, waiting, waitSeconds } = this.#queue;
    const ordered = this.#cost;
    const second = { arrivals, inService, ordered, served, dropped, waiting, waitSeconds };
    this.latest = second;
    return second;
  }

  boot(host: string, order: BootOrder): void {
    const { seconds, fails } = drawBoot(this.#options.boots, this.#options.random);
    const readyAtMs = fails ? Number.POSITIVE_INFINITY : this.clock.nowMs + seconds * 1_000;
    const boot = {
      orderedAt: this.#secondsAt(this.clock.nowMs),
      readyAt: this.#secondsAt(readyAtMs),
    };
    this.#boots.add(boot);
    this.domains.set(order.name, { order, host, state: 'running', readyAtMs, boot });
  }

  destroy(domain: Domain): void {
    this.domains.delete(domain.order.name);
    // Nobody waits for it any more: a boot that was cancelled has taken no time that could be said.
    if (domain.boot !== undefined && domain.readyAtMs > this.clock.nowMs) {
      this.#boots.delete(domain.boot);
    }
  }

  /** Boots that have ended well by now, in the order in which they were ordered. */
  get boots(): readonly BootTimes[] {
    const now = this.#secondsAt(this.clock.nowMs);
    return [...this.#boots].filter(({ readyAt }) => readyAt <= now);
  }

  isHealthy(name: string): boolean {
    const domain = this.domains.get(name);
    return domain?.state === 'running' && domain.readyAtMs <= this.clock.nowMs;
  }

  get #cost(): number {
    let cost = 0;
    for (const { state } of this.domains.values()) {
      cost += state === 'running' ? 1 : STANDBY_COST;
    }
    return cost;
  }

  #secondsAt(atMs: number): number {
    return Math.round(atMs - this.#startMs) / 1_000;
  }
}

/** Each answer is one of the moment; who is changed is asked again, and all are while something changes. */
const PACE: HostPace = {
  intervalMs: 5_000,
  busyIntervalMs: 1_000,
  answerWithinMs: 5_000,
  staleAfterMs: 15_000,
  actWithinMs: 60_000,
};

class SimulatedHost implements Hypervisor {
  readonly host: string;
  readonly pace = PACE;
  readonly #room: Room;
  readonly #site: SimulatedSite;

  constructor(host: string, room: Room | undefined, site: SimulatedSite) {
    this.host = host;
    this.#room = room ?? BOUNDLESS;
    this.#site = site;
  }

  async inspect(_signal: AbortSignal): Promise<HostSnapshot> {
    return { ...this.#room, domains: this.#domains().map(reportOf) };
  }

  async create(order: BootOrder, _signal: AbortSignal): Promise<void> {
    if (!this.hasRoomFor(order)) {
      throw new RefusedError(`${this.host} has no room for ${order.name}`);
    }
    this.#site.boot(this.host, order);
  }

  async pause(ref: DomainRef, _signal: AbortSignal): Promise<void> {
    this.#tenant(ref).state = 'paused';
  }

  async save(ref: DomainRef, _signal: AbortSignal): Promise<void> {
    this.#tenant(ref).state = 'saved';
  }

  async wake(ref: DomainRef, _signal: AbortSignal): Promise<void> {
    const domain = this.#tenant(ref);
    if (domain.state === 'saved' && !this.hasRoomFor({ ...domain.order, diskMiB: 0 })) {
      throw new RefusedError(`${this.host} has no memory for ${ref.name}`);
    }
    if (domain.state !== 'running') {
      domain.state = 'running';
      domain.readyAtMs = this.#site.clock.nowMs + WAKE_SECONDS * 1_000;
    }
  }

  async destroy(ref: DomainRef, _signal: AbortSignal): Promise<void> {
    const domain = this.#site.domains.get(ref.name);
    if (domain?.host === this.host && domain.order.bornMs === ref.bornMs) {
      this.#site.destroy(domain);
    }
  }

  get nodes(): number {
    return this.#domains().length;
  }

  hasRoomFor({ memoryMiB, vcpus, diskMiB }: Room): boolean {
    const used = this.#domains().map(reportOf);
    const taken = (key: keyof Room): number => used.reduce((sum, one) => sum + one[key], 0);
    return (
      taken('memoryMiB') + memoryMiB <= this.#room.memoryMiB &&
      taken('vcpus') + vcpus <= this.#room.vcpus &&
      taken('diskMiB') + diskMiB <= this.#room.diskMiB
    );
  }

  #domains(): readonly Domain[] {
    return [...this.#site.domains.values()].filter(({ host }) => host === this.host);
  }

  #tenant(ref: DomainRef): Domain {
    const domain = this.#site.domains.get(ref.name);
    if (domain?.host !== this.host || domain.order.bornMs !== ref.bornMs) {
      throw new PreconditionError(`${ref.name} is not on ${this.host}`);
    }
    return domain;
  }
}

function reportOf({ order, state }: Domain): DomainReport {
  const { name, uuid, bornMs, imageVersion, memoryMiB, vcpus, diskMiB } = order;
  const isSaved = state === 'saved';
  return {
    name,
    uuid,
    state,
    bornMs,
    imageVersion,
    memoryMiB: isSaved ? 0 : memoryMiB,
    vcpus: isSaved ? 0 : vcpus,
    diskMiB,
  };
}

function orderOf(tier: ScaledTier, name: string, bornMs: number): BootOrder {
  return {
    name,
    uuid: name,
    bornMs,
    address: '',
    port: tier.health.port,
    mac: '',
    imageName: tier.image.name,
    imageVersion: tier.image.version,
    memoryMiB: tier.size.guestMemoryMiB,
    vcpus: tier.size.vcpus,
    diskMiB: tier.size.diskMiB,
    term: TERM,
  };
}

/** Nobody else leads here. */
export const TERM = { createdAtSeconds: 1, transitions: 0 };

class SimulatedBalancer implements LoadBalancer {
  readonly name = 'lb';
  readonly #site: SimulatedSite;
  /** Those that were ever set; the others are in maintenance. */
  readonly #servers = new Map<string, Server>();
  #shownStep = -1;

  constructor(site: SimulatedSite) {
    this.#site = site;
  }

  set(server: string, admin: AdminState): void {
    this.#servers.set(server, { admin, changedAtMs: this.#site.clock.nowMs });
  }

  get inService(): number {
    let count = 0;
    for (const [name, { admin }] of this.#servers) {
      count += admin === 'ready' && this.#site.isHealthy(name) ? 1 : 0;
    }
    return count;
  }

  /** Shows each step once: whoever asks again waits for the next one, for until then there is nothing to see. */
  async inspect(signal: AbortSignal): Promise<BalancerSnapshot> {
    const { clock, tier, step } = this.#site;
    if (step <= this.#shownStep) {
      const nextMs = this.#site.momentOf(this.#shownStep + 1);
      await clock.sleep(nextMs - clock.nowMs, signal);
    }
    this.#shownStep = this.#site.step;
    return { epoch: '1', oldWorkers: false, backends: new Map([[tier.backend, this.#report()]]) };
  }

  async setServers(changes: readonly ServerChange[], _signal: AbortSignal): Promise<void> {
    for (const { server, to, requires } of changes) {
      const { admin } = this.#server(server);
      if (admin === to) {
        continue;
      }
      if (requires === 'check-passed' && this.#checkOf(server) !== 'passed') {
        throw new PreconditionError(`${server} has not passed its check`);
      }
      if (requires === 'quiet' && this.#sessionsOf(server, this.inService) > 0) {
        throw new PreconditionError(`${server} is not quiet`);
      }
      this.set(server, to);
    }
  }

  #report(): BackendReport {
    const { domains, latest } = this.#site;
    const { inService } = this;
    const servers = [...this.#servers.keys()]
      .filter((name) => this.#server(name).admin !== 'maint' || domains.has(name))
      .map((name) => this.#reportServer(name, inService));
    return {
      servers,
      requestRate: rateOf(latest?.arrivals),
      servedRate: rateOf(latest?.served),
      queued: latest?.waiting ?? 0,
      usedSlots: this.#usedSlots(inService),
      totalSlots: inService * SLOTS,
    };
  }

  #reportServer(name: string, inService: number): ServerReport {
    const { admin, changedAtMs } = this.#server(name);
    const { clock } = this.#site;
    const check = this.#checkOf(name);
    const readyAtMs = this.#site.domains.get(name)?.readyAtMs ?? changedAtMs;
    const sinceMs = check === 'passed' ? Math.max(changedAtMs, readyAtMs) : changedAtMs;
    const sessions = this.#sessionsOf(name, inService);
    return { name, admin, check, sessions, sinceChangeMs: Math.floor(clock.nowMs - sinceMs) };
  }

  #server(name: string): Server {
    return this.#servers.get(name) ?? { admin: 'maint', changedAtMs: this.#site.momentOf(0) };
  }

  #checkOf(name: string): CheckState {
    if (this.#server(name).admin === 'maint') {
      return 'pending';
    }
    return this.#site.isHealthy(name) ? 'passed' : 'failed';
  }

  /** A request takes a tenth of a second: a server that was drained a step ago has none. */
  #sessionsOf(name: string, inService: number): number {
    const isServing = this.#server(name).admin === 'ready' && this.#site.isHealthy(name);
    return isServing ? this.#usedSlots(inService) / inService : 0;
  }

  #usedSlots(inService: number): number {
    const { latest } = this.#site;
    const slots = inService * SLOTS;
    const isFull = latest !== undefined && latest.waiting > 0;
    return isFull ? slots : Math.min(slots, (latest?.served ?? 0) * SERVICE_SECONDS);
  }
}

/** A rate takes two readings. */
function rateOf(value: number | undefined): Sample<number> {
  return value === undefined ? { status: 'absent', why: 'first reading' } : { status: 'ok', value };
}
