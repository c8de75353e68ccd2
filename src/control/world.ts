import type { CapacityInput } from '../scaler/capacity.ts';
import {
  type Cluster,
  type FixedTier,
  nodeName,
  parseNodeNumber,
  type ScaledTier,
  type Tier,
  tierKey,
} from '../scaler/cluster.ts';
import { deriveFixedNodes, type FixedNode } from '../scaler/fixed-tier.ts';
import type { BaseLoad } from '../scaler/host-loss.ts';
import type {
  BalancerSighting,
  DomainSighting,
  HostSighting,
  NodeSighting,
  Observation,
  Sample,
  ServerSighting,
  Signals,
} from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import type { Action } from '../scaler/action.ts';
import { findExclusion, type Override } from '../scaler/override.ts';
import type { BalancerWatch } from './balancer-watch.ts';
import { type BaseNode, countBases } from './base-nodes.ts';
import type { BootLedger, ComingAction } from './boots.ts';
import type { Clock } from './clock.ts';
import {
  createHostView,
  type HostTraits,
  type HostView,
  isFresh,
  sightHost,
  updateHostView,
} from './host-view.ts';
import type { InFlight } from './in-flight.ts';
import type { Start } from './learned-times.ts';
import type { OverrideBook } from './override-book.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  DomainReport,
  HostSnapshot,
  ServerReport,
} from './ports.ts';
import { STALE_AFTER_MS } from './samples.ts';
import { readSignals } from './signals.ts';
import type { ScheduleWatch } from './schedule-watch.ts';
import { type Snapshot, stampOf } from './source.ts';
import type { WallWatch } from './wall-watch.ts';

interface PlacedDomain {
  readonly host: HostView;
  readonly number: number;
  readonly report: DomainReport;
  readonly mark: DomainSighting['mark'];
}

/** Hosts, and how many more nodes the installation may have. */
type RoomThen = Pick<Observation, 'atMs' | 'hosts' | 'fleetRoom'>;

/** A tier's servers on one balancer. */
interface ServersView {
  readonly balancer: string;
  /** Undefined where it has not answered lately, or has no such backend. */
  readonly servers: ReadonlyMap<number, ServerReport> | undefined;
}

interface BalancerView {
  readonly name: string;
  snapshot: Snapshot<BalancerSnapshot> | undefined;
  byTier: ReadonlyMap<string, BackendView>;
  /** The latest last; none is older than what still counts as an answer. */
  rates: readonly RatesThen[];
}

/** Request rates of one answer, by tier. */
interface RatesThen {
  readonly askedAtMs: number;
  readonly byTier: ReadonlyMap<string, Sample<number>>;
}

interface BackendView {
  readonly report: BackendReport;
  readonly servers: ReadonlyMap<number, ServerReport>;
}

/** For how long it has been there while every host answered, and when that was last looked at. */
export interface StrangerWatch {
  readonly forMs: number;
  readonly atMs: number;
}

/** A host as people watch it. */
export interface HostFigures extends HostSighting {
  /** What it has for guests, as it answered last; undefined before its first answer. */
  readonly memoryMiB: number | undefined;
  /** Domains of ours there that belong to no tier of the config: a number or a tier that it does not have. */
  readonly orphans: number;
}

/** How a tier's requests fare, as the latest answers of all balancers have it. */
export interface TrafficFigures {
  /** Of the slowest balancer; undefined while none has answered a request. */
  readonly responseTimeMs: number | undefined;
  /** Answers of the status 5xx since the port was first asked, by balancer; of one that says none, nothing. */
  readonly failedResponses: ReadonlyMap<string, number>;
}

export interface WorldOptions {
  readonly clusters: readonly Cluster[];
  readonly hosts: readonly HostTraits[];
  /** As the config says; the core takes into account how many hosts can be used. */
  readonly hostFailuresToTolerate: number;
  readonly balancers: readonly string[];
  readonly balancerWatch: BalancerWatch;
  /** The last question to this balancer has failed. */
  readonly isFailing: (balancer: string) => boolean;
  /** False while the host may still take orders of whoever led before. */
  readonly isFenced: (host: string) => boolean;
  readonly maxNodes: number;
  readonly concurrentBootsPerHost: number;
  /** The UUID that a domain of this name has if it is ours. */
  readonly uuidOf: (name: string) => string;
  readonly clock: Clock;
  readonly wall: WallWatch;
  readonly schedules: ScheduleWatch;
  readonly inFlight: InFlight;
  readonly boots: BootLedger;
  /** Births of nodes that were drained because they were sick, by name. */
  readonly sickBirths: ReadonlyMap<string, number>;
  /** What answers at a node's address and no host shows, by the node's name. */
  readonly strangers: Map<string, StrangerWatch>;
  readonly overrides: OverrideBook;
  /** What hosts ran before a restart, by node: it counts for a host until that one answers. */
  readonly remembered: ReadonlyMap<string, DomainSighting>;
}

/** The latest answers of all sources, indexed by tier, and what they mean for one tier now. */
export class World {
  readonly #options: WorldOptions;
  readonly #tiers: readonly ScaledTier[];
  readonly #hosts: readonly HostView[];
  readonly #balancers: readonly BalancerView[];
  readonly #uuids = new Map<string, string>();
  /** Domains of all hosts by tier, so that a tick of one tier looks at its own alone; made on demand. */
  #domainMemo: ReadonlyMap<string, readonly PlacedDomain[]> | undefined;
  /** Hosts and their room are the same for all tiers of one tick. */
  #roomMemo: RoomThen | undefined;

  /** At most once a tick: a boot that another tier has begun meanwhile counts from the next tick on. */
  #baseMemo:
    | {
        readonly atMs: number;
        readonly domains: ReadonlyMap<string, readonly PlacedDomain[]>;
        readonly bases: ReadonlyMap<string, readonly BaseLoad[]>;
      }
    | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#tiers = options.clusters.flatMap(({ tiers }) =>
      tiers.filter((tier) => tier.scaling === 'automatic'),
    );
    this.#hosts = options.hosts.map(createHostView);
    this.#balancers = options.balancers.map((name) => ({
      name,
      snapshot: undefined,
      byTier: new Map(),
      rates: [],
    }));
  }

  /** Something that the room depends on has changed within a tick. */
  forgetRoom(): void {
    this.#roomMemo = undefined;
  }

  seeHost(name: string, snapshot: Snapshot<HostSnapshot>): void {
    const view = this.#host(name);
    if (view === undefined) {
      return;
    }
    updateHostView(view, snapshot);
    this.#domainMemo = undefined;
    this.forgetRoom();
  }

  seeBalancer(name: string, snapshot: Snapshot<BalancerSnapshot>): void {
    const view = this.#balancers.find((balancer) => balancer.name === name);
    if (view === undefined) {
      return;
    }
    const byTier = new Map<string, BackendView>();
    for (const tier of this.#tiers) {
      const report = snapshot.value.backends.get(tier.backend);
      if (report !== undefined) {
        byTier.set(tierKey(tier), { report, servers: numberServers(tier, report.servers) });
      }
    }
    view.snapshot = snapshot;
    view.byTier = byTier;
    const { askedAtMs } = snapshot;
    const rates = new Map([...byTier].map(([key, { report }]) => [key, report.requestRate]));
    view.rates = [
      ...view.rates.filter((one) => askedAtMs - one.askedAtMs <= STALE_AFTER_MS),
      { askedAtMs, byTier: rates },
    ];
  }

  /**
   * When every source that shows what was done there was last asked; `-Infinity` before that. A balancer that
   * has gone silent shows nothing and is not waited for, as long as another one answers.
   */
  seenAtMs(host: string | undefined, atMs: number): number {
    const stamps = this.#balancers
      .map((balancer) => stampOf(balancer.snapshot))
      .filter((stampMs) => atMs - stampMs <= STALE_AFTER_MS);
    if (stamps.length === 0) {
      return Number.NEGATIVE_INFINITY;
    }
    const view = this.#host(host);
    // A host that a new config has no more shows nothing, and is not waited for.
    if (view !== undefined) {
      stamps.push(stampOf(view.snapshot));
    }
    return Math.min(...stamps);
  }

  /** When the latest answer of this host was asked for; `-Infinity` before the first. */
  askedAtMs(host: string): number {
    return stampOf(this.#host(host)?.snapshot);
  }

  /** All that is known of one tier now. */
  observe(tier: ScaledTier, term: Term, atMs: number): Observation {
    const { boots, concurrentBootsPerHost, hostFailuresToTolerate } = this.#options;
    const times = boots.timesOf(tier);
    const overrides = this.#options.overrides.ofTier(tier);
    const { hosts, fleetRoom } = this.#room(atMs);
    const seen: Observation = {
      atMs,
      term,
      signals: this.#signals(tier, overrides, atMs),
      nodes: this.#nodes(tier, atMs),
      hosts,
      ...this.#balancerSightings(overrides, atMs),
      oldWorkers: this.#balancers.some(
        (balancer) =>
          balancer.snapshot?.value.oldWorkers === true &&
          (this.#answers(balancer, atMs) || !isExcluded(overrides, balancer)),
      ),
      blockedNumbers: boots.restingNumbers(tier, atMs),
      ...boots.circuitOfTier(tier, atMs),
      fleetRoom,
      concurrentBootsPerHost,
      bootTimeMs: times.bootTimeMs(tier.image.version),
      overrides,
      ...(hostFailuresToTolerate > 0 ? { hostFailuresToTolerate } : {}),
      ...(times.all.length > 0 ? { startTimes: times.all } : {}),
    };
    return this.#options.schedules.look(tier, seen);
  }

  #signals(tier: ScaledTier, overrides: readonly Override[], atMs: number): Signals {
    const key = tierKey(tier);
    const counting = this.#balancers.filter((balancer) => !isExcluded(overrides, balancer));
    const stamps = counting
      .filter((balancer) => this.#answers(balancer, atMs))
      .map(({ snapshot }) => stampOf(snapshot));
    const allAskedAtMs = Math.min(...stamps);
    return readSignals(
      counting.map((balancer) => {
        const before = balancer.rates.findLast(({ askedAtMs }) => askedAtMs <= allAskedAtMs);
        const since =
          before === undefined
            ? []
            : balancer.rates.filter((one) => one.askedAtMs >= before.askedAtMs);
        return {
          balancer: balancer.name,
          report: balancer.byTier.get(key)?.report,
          ageMs: Math.round(atMs - stampOf(balancer.snapshot)),
          answers: this.#answers(balancer, atMs),
          rates: since.flatMap(({ byTier }) => byTier.get(key) ?? []),
        };
      }),
    );
  }

  /** It did lately, and no question has failed since. */
  #answers({ name, snapshot }: BalancerView, atMs: number): boolean {
    return atMs - stampOf(snapshot) <= STALE_AFTER_MS && !this.#options.isFailing(name);
  }

  #balancerSightings(
    overrides: readonly Override[],
    atMs: number,
  ): Pick<Observation, 'balancers' | 'balancersChangedAtMs'> {
    const balancers = this.#balancers.map((balancer): BalancerSighting => {
      return { name: balancer.name, answers: this.#answers(balancer, atMs) };
    });
    const present = this.#balancers
      .filter((balancer) => this.#answers(balancer, atMs) && !isExcluded(overrides, balancer))
      .map(({ name, snapshot }) => `${name} ${snapshot?.value.epoch}`);
    const changedAtMs = this.#options.balancerWatch.look(present, atMs);
    // The visitors of a single one have nowhere else to go.
    return balancers.length < 2 || changedAtMs === undefined
      ? { balancers }
      : { balancers, balancersChangedAtMs: changedAtMs };
  }

  /** What the core needs to say how many more nodes fit. */
  capacityInput(atMs: number): Omit<CapacityInput, 'sizes'> {
    const { hosts, fleetRoom } = this.#room(atMs);
    return {
      hosts,
      overrides: this.#options.overrides.ofAllTiers(),
      hostFailuresToTolerate: this.#options.hostFailuresToTolerate,
      fleetRoom,
    };
  }

  /** Every host, with what it has in all and what is there that nobody takes care of. */
  hostFigures(atMs: number): readonly HostFigures[] {
    const tiers = new Map(
      this.#options.clusters.flatMap(({ tiers: own }) =>
        own.map((tier) => [nodePrefix(tier), tier]),
      ),
    );
    const orphans = new Map<HostView, number>();
    for (const [prefix, domains] of this.#domainsByTier()) {
      const addresses = tiers.get(prefix)?.addresses.length ?? 0;
      for (const { host, number, report } of domains) {
        if (number > addresses && report.uuid === this.#uuidOf(report.name)) {
          orphans.set(host, (orphans.get(host) ?? 0) + 1);
        }
      }
    }
    return this.#room(atMs).hosts.map((sighting, index) => {
      const host = this.#hosts[index];
      const memoryMiB = host?.snapshot?.value.memoryMiB;
      return { ...sighting, memoryMiB, orphans: (host && orphans.get(host)) ?? 0 };
    });
  }

  /** What balancers say of a tier's answers. */
  trafficOf(tier: ScaledTier): TrafficFigures {
    const key = tierKey(tier);
    const times: number[] = [];
    const failedResponses = new Map<string, number>();
    for (const { name, byTier } of this.#balancers) {
      const report = byTier.get(key)?.report;
      times.push(...(report?.responseTimeMs === undefined ? [] : [report.responseTimeMs]));
      if (report?.failedResponses !== undefined) {
        failedResponses.set(name, report.failedResponses);
      }
    }
    return {
      responseTimeMs: times.length === 0 ? undefined : Math.max(...times),
      failedResponses,
    };
  }

  /** How a node comes that is ordered now. */
  startOf(tier: ScaledTier, { kind, node, host }: ComingAction): Start {
    const report =
      kind === 'wake' ? this.#host(host)?.snapshot?.value.domains.find(isNamed(node)) : undefined;
    return report === undefined
      ? { imageVersion: tier.image.version, host, start: kind === 'boot' ? 'cold' : 'paused' }
      : {
          imageVersion: report.imageVersion,
          host,
          start: report.state === 'saved' ? 'saved' : 'paused',
        };
  }

  /** The nodes of a tier that is only watched. */
  observeFixed(tier: FixedTier, atMs: number): readonly FixedNode[] {
    return deriveFixedNodes(tier, this.#domains(tier, atMs));
  }

  #nodes(tier: ScaledTier, atMs: number): readonly NodeSighting[] {
    const key = tierKey(tier);
    const numbers = this.#domains(tier, atMs);
    for (const balancer of this.#balancers) {
      for (const [number, server] of balancer.byTier.get(key)?.servers ?? []) {
        if (server.admin !== 'maint' && !numbers.has(number)) {
          numbers.set(number, []);
        }
      }
    }
    for (const { action, tier: flying } of this.#options.inFlight.all()) {
      if (tierKey(flying) === key && (numbers.get(action.number) ?? []).length === 0) {
        numbers.set(action.number, this.#unseenBoot(action, atMs));
      }
    }
    const views = this.#balancers.map(({ name, snapshot, byTier }): ServersView => {
      const answered = atMs - stampOf(snapshot) <= STALE_AFTER_MS;
      return { balancer: name, servers: answered ? byTier.get(key)?.servers : undefined };
    });
    return [...numbers]
      .toSorted(([one], [other]) => one - other)
      .map(([number, domains]) => {
        const servers = views.map((view) => sightServer(view, number));
        return this.#nodeSighting(nodeName(tier, number), { number, domains, servers }, atMs);
      });
  }

  /**
   * What a host that fell silent during a boot may have: it holds the number until the host answers again,
   * and nobody waits for it.
   */
  #unseenBoot(action: Action, atMs: number): DomainSighting[] {
    if (action.kind !== 'boot') {
      return [];
    }
    const host = this.#host(action.host);
    if (host !== undefined && isFresh(host, atMs)) {
      return [];
    }
    return [
      {
        host: action.host,
        state: 'being-made',
        mark: 'ours',
        bornMs: 0,
        ageMs: 0,
        fresh: false,
      },
    ];
  }

  /** A tier's domains by number, as far as its addresses go. */
  #domains(tier: Tier, atMs: number): Map<number, DomainSighting[]> {
    const numbers = new Map<number, DomainSighting[]>();
    for (const placed of this.#domainsByTier().get(nodePrefix(tier)) ?? []) {
      const { number } = placed;
      if (number >= 1 && number <= tier.addresses.length) {
        const sightings = numbers.get(number) ?? [];
        sightings.push(this.#domainSighting(placed, atMs));
        numbers.set(number, sightings);
      }
    }
    this.#addRemembered(tier, numbers);
    return numbers;
  }

  /**
   * A host that has not answered since the start may still have what it had before: nothing tells a paused or
   * saved node there from a number that nobody uses, but for what was seen by the process before.
   */
  #addRemembered(tier: Tier, numbers: Map<number, DomainSighting[]>): void {
    const { remembered } = this.#options;
    if (remembered.size === 0 || this.#hosts.every(({ snapshot }) => snapshot !== undefined)) {
      return;
    }
    for (let number = 1; number <= tier.addresses.length; number += 1) {
      const domain = remembered.get(nodeName(tier, number));
      const host = this.#host(domain?.host);
      if (domain !== undefined && host?.snapshot === undefined && host && !numbers.has(number)) {
        numbers.set(number, [{ ...domain, fresh: false }]);
      }
    }
  }

  #domainsByTier(): ReadonlyMap<string, readonly PlacedDomain[]> {
    if (this.#domainMemo === undefined) {
      const byTier = new Map<string, PlacedDomain[]>();
      for (const host of this.#hosts) {
        for (const report of host.snapshot?.value.domains ?? []) {
          const prefix = report.name.slice(0, report.name.lastIndexOf('-'));
          const number = Number(report.name.slice(prefix.length + 1));
          // `web-03` would be a second spelling of `web-3`.
          if (report.name === `${prefix}-${number}`) {
            const list = byTier.get(prefix) ?? [];
            const mark = report.uuid === this.#uuidOf(report.name) ? 'ours' : 'foreign';
            list.push({ host, number, report, mark });
            byTier.set(prefix, list);
          }
        }
      }
      this.#domainMemo = byTier;
    }
    return this.#domainMemo;
  }

  #nodeSighting(
    name: string,
    { number, domains, servers }: Pick<NodeSighting, 'number' | 'domains' | 'servers'>,
    atMs: number,
  ): NodeSighting {
    const operation = this.#options.inFlight.operationOf(name);
    const leaving =
      domains[0] !== undefined && this.#options.sickBirths.get(name) === domains[0].bornMs;
    const strangerForMs = this.#watchStranger(name, domains, servers, atMs);
    return {
      number,
      domains,
      servers,
      leaving,
      ...(domains[0] && this.#options.boots.refusalOf(name, domains[0].bornMs, atMs)),
      ...(strangerForMs === undefined ? {} : { strangerForMs }),
      ...(operation === undefined ? {} : { operation }),
    };
  }

  /**
   * How long something has served in a node's place without being one. Time in which a host is silent proves
   * nothing, but what was known before stays known: taken for a node again, it would replace one of ours.
   */
  #watchStranger(
    name: string,
    domains: readonly DomainSighting[],
    servers: readonly ServerSighting[],
    atMs: number,
  ): number | undefined {
    const { strangers } = this.#options;
    const answers = servers.some(
      (server) => server.answered && server.admin === 'ready' && server.check === 'passed',
    );
    if (domains.length > 0 || !answers) {
      strangers.delete(name);
      return undefined;
    }
    const before = strangers.get(name) ?? { forMs: 0, atMs };
    const forMs = before.forMs + (this.isEveryHostFresh(atMs) ? atMs - before.atMs : 0);
    strangers.set(name, { forMs, atMs });
    return forMs;
  }

  #host(name: string | undefined): HostView | undefined {
    return this.#hosts.find((host) => host.name === name);
  }

  /** What no host shows is nowhere. */
  isEveryHostFresh(atMs: number): boolean {
    return this.#hosts.every((host) => isFresh(host, atMs));
  }

  #domainSighting({ host, report, mark }: PlacedDomain, atMs: number): DomainSighting {
    return {
      host: host.name,
      state: report.state,
      mark,
      bornMs: report.bornMs,
      ageMs: Math.round(this.#options.wall.ageMs(report.bornMs)),
      fresh: isFresh(host, atMs),
    };
  }

  #uuidOf(name: string): string {
    let uuid = this.#uuids.get(name);
    if (uuid === undefined) {
      uuid = this.#options.uuidOf(name);
      this.#uuids.set(name, uuid);
    }
    return uuid;
  }

  #room(atMs: number): RoomThen {
    if (this.#roomMemo?.atMs !== atMs) {
      const bases = this.#options.hostFailuresToTolerate > 0 ? this.#bases(atMs) : undefined;
      const hosts = this.#hosts.map((host): HostSighting => {
        const room = sightHost(host, this.#options, atMs);
        const sighting = this.#options.isFenced(host.name)
          ? room
          : ({ ...room, fenced: false } as const);
        return bases === undefined ? sighting : { ...sighting, base: bases.get(host.name) ?? [] };
      });
      this.#roomMemo = { atMs, hosts, fleetRoom: this.#fleetRoom() };
    }
    return this.#roomMemo;
  }

  #bases(atMs: number): ReadonlyMap<string, readonly BaseLoad[]> {
    const domains = this.#domainsByTier();
    if (this.#baseMemo?.atMs === atMs && this.#baseMemo.domains === domains) {
      return this.#baseMemo.bases;
    }
    const ordered = this.#orderedBoots();
    const bases = countBases(this.#options.clusters, {
      nodesOf: (tier) => {
        const shown = domains.get(nodePrefix(tier)) ?? [];
        const boots = ordered.get(nodePrefix(tier));
        return boots === undefined ? shown : [...shown, ...boots];
      },
      isKnown: ({ host, mark }) => isFresh(host, atMs) && mark !== 'foreign',
    });
    this.#baseMemo = { atMs, domains, bases };
    return bases;
  }

  /** Boots that no host shows yet, by tier. */
  #orderedBoots(): ReadonlyMap<string, readonly BaseNode[]> {
    const byTier = new Map<string, BaseNode[]>();
    for (const { action, tier } of this.#options.inFlight.all()) {
      const host = action.kind === 'boot' ? this.#host(action.host) : undefined;
      if (host !== undefined && !host.names.has(action.node)) {
        const prefix = nodePrefix(tier);
        const nodes = byTier.get(prefix) ?? [];
        nodes.push({ host, number: action.number });
        byTier.set(prefix, nodes);
      }
    }
    return byTier;
  }

  #fleetRoom(): number {
    const { inFlight, maxNodes } = this.#options;
    let nodes = this.#hosts.reduce((total, host) => total + host.names.size, 0);
    for (const { action } of inFlight.all()) {
      const shown = this.#hosts.some((host) => host.names.has(action.node));
      nodes += action.kind === 'boot' && !shown ? 1 : 0;
    }
    return maxNodes - nodes;
  }
}

function isExcluded(overrides: readonly Override[], { name }: BalancerView): boolean {
  return findExclusion(overrides, name) !== undefined;
}

function sightServer({ balancer, servers }: ServersView, number: number): ServerSighting {
  const server = servers?.get(number);
  if (server === undefined) {
    return { balancer, answered: false };
  }
  const { admin, check, sessions, sinceChangeMs } = server;
  return { balancer, answered: true, admin, check, sessions, sinceChangeMs };
}

function isNamed(wanted: string): (report: DomainReport) => boolean {
  return ({ name }) => name === wanted;
}

function nodePrefix(tier: Tier): string {
  return `${tier.cluster}-${tier.name}`;
}

function numberServers(
  tier: ScaledTier,
  servers: readonly ServerReport[],
): ReadonlyMap<number, ServerReport> {
  const numbered = new Map<number, ServerReport>();
  for (const server of servers) {
    const number = parseNodeNumber(tier, server.name);
    if (number !== undefined && number <= tier.addresses.length) {
      numbered.set(number, server);
    }
  }
  return numbered;
}
