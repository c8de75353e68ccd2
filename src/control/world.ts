import type { CapacityInput } from '../scaler/capacity.ts';
import {
  type Cluster,
  type FixedTier,
  nodeName,
  type ScaledTier,
  type Tier,
  tierKey,
} from '../scaler/cluster.ts';
import { deriveFixedNodes, type FixedNode } from '../scaler/fixed-tier.ts';
import type { BaseLoad } from '../scaler/host-loss.ts';
import type {
  DomainSighting,
  HostSighting,
  NodeSighting,
  Observation,
  ServerSighting,
} from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import type { Action } from '../scaler/action.ts';
import type { BalancerWatch } from './balancer-watch.ts';
import { BalancersView, type TrafficFigures } from './balancers-view.ts';
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
import type { BalancerSnapshot, DomainReport, HostSnapshot } from './ports.ts';
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
  readonly #hosts: readonly HostView[];
  readonly #balancers: BalancersView;
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
    this.#hosts = options.hosts.map(createHostView);
    const tiers = options.clusters.flatMap((cluster) =>
      cluster.tiers.filter((tier) => tier.scaling === 'automatic'),
    );
    this.#balancers = new BalancersView({ ...options, tiers });
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
    this.#balancers.see(name, snapshot);
  }

  /**
   * When every source that shows what was done there was last asked; `-Infinity` before that. A balancer that
   * has gone silent shows nothing and is not waited for, as long as another one answers.
   */
  seenAtMs(host: string | undefined, atMs: number): number {
    const stamps = this.#balancers.recentStamps(atMs);
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
      signals: this.#balancers.signalsOf(tier, overrides, atMs),
      nodes: this.#nodes(tier, atMs),
      hosts,
      ...this.#balancers.sightings(overrides, atMs),
      oldWorkers: this.#balancers.haveOldWorkers(overrides, atMs),
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
    return this.#balancers.trafficOf(tier);
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
    for (const number of this.#balancers.numbersInUse(key)) {
      if (!numbers.has(number)) {
        numbers.set(number, []);
      }
    }
    for (const { action, tier: flying } of this.#options.inFlight.all()) {
      if (tierKey(flying) === key && (numbers.get(action.number) ?? []).length === 0) {
        numbers.set(action.number, this.#unseenBoot(action, atMs));
      }
    }
    const sightServers = this.#balancers.serversOf(key, atMs);
    const woken = this.#options.boots.wokenNumbers(tier);
    return [...numbers]
      .toSorted(([one], [other]) => one - other)
      .map(([number, domains]) => {
        const servers = sightServers(number);
        const seen = { number, domains, servers };
        const sighting = this.#nodeSighting(nodeName(tier, number), seen, atMs);
        return woken.includes(number) ? { ...sighting, woken: true } : sighting;
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

function isNamed(wanted: string): (report: DomainReport) => boolean {
  return ({ name }) => name === wanted;
}

function nodePrefix(tier: Tier): string {
  return `${tier.cluster}-${tier.name}`;
}
