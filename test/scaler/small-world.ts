import {
  type BreakerState,
  CLOSED_BREAKER,
  circuitAt,
  recordFailure,
} from '../../src/scaler/breaker.ts';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import type {
  AdminState,
  CheckState,
  DomainSighting,
  DomainState,
  HostSighting,
  NodeSighting,
  Observation,
  ServerSighting,
  Signals,
} from '../../src/scaler/observation.ts';
import type { Action, BootAction } from '../../src/scaler/action.ts';
import type { Node } from '../../src/scaler/node-phase.ts';
import { type TierTick, tickTier } from '../../src/scaler/tick.ts';
import { signalsOf } from './world.ts';

const SECOND_MS = 1_000;
const MAKING_MS = 2_000;
const STARTING_MS = 3_000;
const REST_MS = 15_000;
const BREAKER = { failures: 3, windowMs: 60_000, openMs: 20_000 };

export interface Guest {
  readonly number: number;
  readonly host: string;
  readonly bornMs: number;
  readonly foreign: boolean;
  state: DomainState;
  /** When `being-made` becomes `running`, or `stopping` nothing. */
  endsAtMs: number;
  /** It can pass its check from the first to before the second of each pair. */
  healthyFromMs: number;
  sickFromMs: number;
  sickUntilMs: number;
}

export interface Server {
  admin: AdminState;
  check: CheckState;
  sessions: number;
  changedAtMs: number;
}

export interface WorldHost {
  readonly name: string;
  readonly nodes: number;
  reachable: boolean;
  readonly everAnswered: boolean;
}

export type BootOutcome = 'serves' | 'never-passes' | 'refused';

interface Flight {
  readonly action: Action;
  readonly effectAtMs: number;
  done: boolean;
  clearAtMs: number;
}

/**
 * Domains, servers and hosts with as much room as nodes, in steps of one second. It carries out whatever is
 * ordered, and notes each thing that must never happen.
 */
export class SmallWorld {
  readonly tier: ScaledTier;
  readonly hosts: WorldHost[];
  readonly guests: Guest[] = [];
  readonly servers = new Map<number, Server>();
  readonly violations: string[] = [];
  nowMs = 10_000_000;
  signals: Signals = signalsOf(0);
  balancerSilent = false;
  oldWorkers = false;
  overrides: Observation['overrides'] = [];
  hostFailuresToTolerate = 0;
  /** Seconds from an order to its effect, by turns. */
  lags: readonly number[] = [0];
  bootOutcomes: BootOutcome[] = [];
  memory: TierMemory = EMPTY_MEMORY;
  readonly #flights = new Map<number, Flight>();
  readonly #resting = new Map<number, number>();
  readonly #hopeful = new Set<Guest>();
  #breaker: BreakerState = CLOSED_BREAKER;
  #orders = 0;

  constructor(tier: ScaledTier, hosts: readonly WorldHost[]) {
    this.tier = tier;
    this.hosts = hosts.map((host) => ({ ...host }));
  }

  addGuest(guest: Partial<Guest> & { readonly number: number; readonly host: string }): Guest {
    const added: Guest = {
      bornMs: this.nowMs - 3_600_000,
      foreign: false,
      state: 'running',
      endsAtMs: Number.POSITIVE_INFINITY,
      healthyFromMs: 0,
      sickFromMs: Number.POSITIVE_INFINITY,
      sickUntilMs: Number.POSITIVE_INFINITY,
      ...guest,
    };
    this.guests.push(added);
    return added;
  }

  addServer(number: number, admin: AdminState, check: CheckState, sessions = 0): void {
    this.servers.set(number, { admin, check, sessions, changedAtMs: this.nowMs - SECOND_MS });
  }

  rest(number: number): void {
    this.#resting.set(number, this.nowMs + REST_MS);
  }

  /** Observes, decides, plans, carries out, and lets a second pass. */
  tick(): TierTick {
    const result = tickTier(this.tier, 'full', this.observe(), this.memory);
    this.memory = JSON.parse(JSON.stringify(result.memory)) as TierMemory;
    for (const finding of result.findings) {
      this.violations.push(`finding: ${finding}`);
    }
    this.#watchDrains(result.actions);
    for (const action of result.actions) {
      this.#order(action);
    }
    this.#watchSurge(result);
    this.#step();
    return result;
  }

  observe(): Observation {
    return {
      atMs: this.nowMs,
      term: { createdAtSeconds: 1, transitions: 0 },
      signals: this.signals,
      nodes: this.#sightings(),
      hosts: this.hosts.map((host) => this.#hostSighting(host)),
      oldWorkers: this.oldWorkers,
      blockedNumbers: [...this.#resting.keys()],
      circuit: circuitAt(this.#breaker, BREAKER, this.nowMs),
      fleetRoom: 1_000,
      concurrentBootsPerHost: 4,
      bootTimeMs: undefined,
      overrides: this.overrides,
      hostFailuresToTolerate: this.hostFailuresToTolerate,
    };
  }

  /** Nodes that really get traffic and answer. */
  servingNodes(): number {
    let count = 0;
    for (const server of this.servers.values()) {
      count += isServing(server) ? 1 : 0;
    }
    return count;
  }

  #sightings(): readonly NodeSighting[] {
    const numbers = new Set<number>(this.#flights.keys());
    for (const guest of this.guests) {
      if (this.#host(guest.host).everAnswered) {
        numbers.add(guest.number);
      }
    }
    for (const [number, server] of this.servers) {
      if (server.admin !== 'maint') {
        numbers.add(number);
      }
    }
    return [...numbers]
      .toSorted((one, other) => one - other)
      .map((number) => this.#sighting(number));
  }

  #sighting(number: number): NodeSighting {
    const domains = this.guests
      .filter((guest) => guest.number === number && this.#host(guest.host).everAnswered)
      .map(
        (guest): DomainSighting => ({
          host: guest.host,
          state: guest.state,
          mark: guest.foreign ? 'foreign' : 'ours',
          bornMs: guest.bornMs,
          ageMs: this.nowMs - guest.bornMs,
          fresh: this.#host(guest.host).reachable,
        }),
      );
    const { changedAtMs, ...server } = this.#server(number);
    const sighting: ServerSighting = this.balancerSilent
      ? { balancer: 'lb-a', answered: false }
      : { balancer: 'lb-a', answered: true, ...server, sinceChangeMs: this.nowMs - changedAtMs };
    const flight = this.#flights.get(number);
    const seen = { number, domains, servers: [sighting] };
    return flight === undefined ? seen : { ...seen, operation: flight.action.kind };
  }

  #hostSighting(host: WorldHost): HostSighting {
    const free = host.nodes - this.#usedOn(host.name);
    const disks = this.guests.filter((guest) => guest.host === host.name).length;
    const { size } = this.tier;
    return {
      name: host.name,
      reachable: host.reachable,
      everAnswered: host.everAnswered,
      freeMemoryMiB: free * size.memoryMiB,
      freeVcpus: free * size.vcpus,
      freeDiskMiB: (2 * host.nodes - disks) * size.diskMiB,
      startsInFlight: [...this.#flights.values()].filter(
        ({ action }) => action.kind === 'boot' && action.host === host.name,
      ).length,
      circuit: 'closed',
      recentFailures: 0,
      ...(this.hostFailuresToTolerate > 0 ? { base: this.#baseOn(host) } : {}),
    };
  }

  #usedOn(host: string): number {
    let used = 0;
    for (const guest of this.guests) {
      used += guest.host === host && guest.state !== 'saved' ? 1 : 0;
    }
    for (const { action, done } of this.#flights.values()) {
      const comes = action.kind === 'boot' || (action.kind === 'wake' && this.#isSaved(action));
      used += comes && action.host === host && !done ? 1 : 0;
    }
    return used;
  }

  #isSaved({ number }: Action): boolean {
    return this.guests.some((guest) => guest.number === number && guest.state === 'saved');
  }

  /** The lowest numbers on hosts that answer, boots that are not carried out yet included. */
  #baseOn(host: WorldHost): NonNullable<HostSighting['base']> {
    const known = this.guests.filter((guest) => this.#host(guest.host).everAnswered);
    const shown = known.filter(
      (guest) =>
        guest.state !== 'stopping' &&
        guest.state !== 'residue' &&
        !guest.foreign &&
        this.#host(guest.host).reachable &&
        !known.some((other) => other !== guest && other.number === guest.number),
    );
    const ordered = [...this.#flights.values()].flatMap(({ action }) =>
      action.kind === 'boot' && !known.some(({ number }) => number === action.number)
        ? [action]
        : [],
    );
    const base = [...shown, ...ordered]
      .toSorted((one, other) => one.number - other.number)
      .slice(0, this.tier.policy.minNodes);
    const nodes = base.filter((one) => one.host === host.name).length;
    return nodes === 0 ? [] : [{ ...this.tier.size, nodes }];
  }

  /** Domains that can be reached or that HAProxy reports up, and boots that have no domain yet. */
  #present(): number {
    const numbers = new Set<number>();
    for (const guest of this.guests) {
      const host = this.#host(guest.host);
      if ((host.reachable && host.everAnswered) || isServing(this.#server(guest.number))) {
        numbers.add(guest.number);
      }
    }
    for (const [number, { action, done }] of this.#flights) {
      if (action.kind === 'boot' && !done) {
        numbers.add(number);
      }
    }
    return numbers.size;
  }

  #watchDrains(actions: readonly Action[]): void {
    const drained = actions.filter(
      (action) => action.kind === 'drain' && isServing(this.#server(action.number)),
    ).length;
    const leaving = [...this.#flights].filter(
      ([number, { action }]) => action.kind === 'drain' && isServing(this.#server(number)),
    ).length;
    const after = this.servingNodes() - leaving - drained;
    if (drained > 0 && after < this.tier.policy.minNodes) {
      this.violations.push(`${drained} drains leave ${after} in service`);
    }
  }

  /** Nodes beyond the minimum must leave room for the base of any host that may be lost; all are of one size. */
  #watchSurge({ actions, nodes }: TierTick): void {
    const isUseful = ({ phase, sickForMs, leaving, drainAskedBy }: Node): boolean =>
      ['booting', 'warming', 'out-of-rotation', 'in-service'].includes(phase) &&
      sickForMs === 0 &&
      !leaving &&
      drainAskedBy === undefined;
    const surges = actions.some(
      (action) => action.kind === 'boot' || (action.kind === 'wake' && this.#isSaved(action)),
    );
    const drained = this.overrides.map((one) => (one.kind === 'drain-host' ? one.host : ''));
    const usable = this.hosts.filter(
      ({ name, reachable, everAnswered }) => reachable && everAnswered && !drained.includes(name),
    );
    if (
      this.hostFailuresToTolerate === 0 ||
      usable.length < 2 ||
      !surges ||
      // What goes may make another one a base node, which no boot has asked for.
      actions.some(({ kind }) => kind === 'destroy') ||
      nodes.filter(isUseful).length < this.tier.policy.minNodes
    ) {
      return;
    }
    for (const lost of this.hosts.filter(({ reachable }) => reachable)) {
      const [base] = this.#baseOn(lost);
      let room = 0;
      for (const host of usable) {
        const disks = this.guests.filter((guest) => guest.host === host.name).length;
        const free = Math.min(host.nodes - this.#usedOn(host.name), 2 * host.nodes - disks);
        room += host === lost ? 0 : Math.max(0, free);
      }
      if ((base?.nodes ?? 0) > room) {
        this.violations.push(`the base of ${lost.name} would fit nowhere`);
      }
    }
  }

  #order(action: Action): void {
    if (this.#flights.has(action.number)) {
      this.violations.push(`${action.kind} ${action.node} beside another action`);
    }
    if (action.kind === 'boot') {
      const host = this.#host(action.host);
      if (this.#usedOn(action.host) >= host.nodes) {
        this.violations.push(`${action.node} oversells ${action.host}`);
      }
      if (this.guests.some(({ number }) => number === action.number)) {
        this.violations.push(`${action.node} is booted twice`);
      }
    }
    if (action.kind === 'wake' && this.#isSaved(action)) {
      if (this.#usedOn(action.host) >= this.#host(action.host).nodes) {
        this.violations.push(`${action.node} wakes where there is no room on ${action.host}`);
      }
    }
    if (action.kind === 'destroy' && action.reason === 'boot-failed') {
      this.#failBoot(action.number);
    }
    const lag = this.lags[this.#orders % this.lags.length] ?? 0;
    this.#orders += 1;
    const effectAtMs = this.nowMs + lag * SECOND_MS;
    const flight = { action, effectAtMs, done: false, clearAtMs: effectAtMs + 2 * SECOND_MS };
    this.#flights.set(action.number, flight);
    if (action.kind === 'boot' && this.#present() > this.tier.policy.maxNodes) {
      this.violations.push(`${action.node} makes ${this.#present()} nodes`);
    }
    if (lag === 0) {
      this.#carryOut(flight);
    }
  }

  #failBoot(number: number): void {
    this.#breaker = recordFailure(this.#breaker, BREAKER, this.nowMs);
    this.rest(number);
  }

  #step(): void {
    this.nowMs += SECOND_MS;
    for (const [number, flight] of this.#flights) {
      if (!flight.done && flight.effectAtMs <= this.nowMs) {
        this.#carryOut(flight);
      }
      if (flight.done && flight.clearAtMs <= this.nowMs) {
        this.#flights.delete(number);
      }
    }
    for (const [number, untilMs] of this.#resting) {
      if (untilMs <= this.nowMs) {
        this.#resting.delete(number);
      }
    }
    for (const guest of this.guests.splice(0)) {
      if (this.#live(guest)) {
        this.guests.push(guest);
      }
    }
    for (const [number, server] of this.servers) {
      this.#checkServer(number, server);
    }
  }

  /** @returns False when the guest is gone. */
  #live(guest: Guest): boolean {
    if (guest.endsAtMs > this.nowMs) {
      return true;
    }
    if (guest.state === 'being-made') {
      guest.state = 'running';
    }
    return guest.state !== 'stopping';
  }

  #checkServer(number: number, server: Server): void {
    if (server.admin === 'maint') {
      return;
    }
    const guest = this.guests.find((one) => one.number === number);
    const healthy =
      guest?.state === 'running' &&
      guest.healthyFromMs <= this.nowMs &&
      !(guest.sickFromMs <= this.nowMs && this.nowMs < guest.sickUntilMs);
    const check = healthy ? 'passed' : 'failed';
    if (check !== server.check) {
      server.check = check;
      server.changedAtMs = this.nowMs;
    }
    if (isServing(server)) {
      server.sessions = 3;
    } else {
      server.sessions = Math.max(0, server.sessions - 1);
    }
    if (guest !== undefined && healthy && this.#hopeful.delete(guest)) {
      this.#breaker = CLOSED_BREAKER;
    }
  }

  #carryOut(flight: Flight): void {
    const { action } = flight;
    flight.done = true;
    switch (action.kind) {
      case 'admit':
        if (this.#server(action.number).check === 'passed') {
          this.#setServer(action.number, 'ready');
        }
        return;
      case 'warm':
      case 'drain':
        return this.#setServer(action.number, 'drain');
      case 'park':
        return this.#setServer(action.number, 'maint');
      case 'repair':
        return this.#setServer(action.number, action.to);
      case 'boot':
        return this.#boot(action);
      case 'wake':
      case 'pause':
      case 'save':
      case 'destroy':
        return this.#changeGuest(action);
    }
  }

  #boot(action: BootAction): void {
    this.#setServer(action.number, 'drain');
    const outcome = this.bootOutcomes.shift() ?? 'serves';
    if (outcome === 'refused' || !this.#host(action.host).reachable) {
      this.#failBoot(action.number);
      return;
    }
    const runsAtMs = this.nowMs + MAKING_MS;
    const guest = this.addGuest({
      number: action.number,
      host: action.host,
      bornMs: this.nowMs,
      state: 'being-made',
      endsAtMs: runsAtMs,
      healthyFromMs: outcome === 'serves' ? runsAtMs + STARTING_MS : Number.POSITIVE_INFINITY,
    });
    this.#hopeful.add(guest);
  }

  #changeGuest(
    action: Exclude<
      Action,
      { readonly kind: 'admit' | 'warm' | 'drain' | 'park' | 'repair' | 'boot' }
    >,
  ): void {
    const { number, kind } = action;
    const guest = this.guests.find((one) => one.number === number && one.host === action.host);
    if (guest?.bornMs !== action.bornMs || guest.foreign) {
      this.violations.push(`${kind} ${action.node} hits another tenant`);
      return;
    }
    if (!this.#host(guest.host).reachable) {
      return;
    }
    if (kind === 'wake') {
      guest.state = 'running';
      return this.#setServer(number, 'drain');
    }
    const server = this.#server(number);
    if (isServing(server)) {
      this.violations.push(`${kind} ${action.node} hits a node in service`);
    }
    const cuts = action.kind === 'destroy' && action.force;
    if (server.sessions > 0 && !cuts) {
      return;
    }
    this.#setServer(number, 'maint');
    server.sessions = 0;
    const next = { pause: 'paused', save: 'saved', destroy: 'stopping' } as const;
    guest.state = next[kind];
    guest.endsAtMs = kind === 'destroy' ? this.nowMs + SECOND_MS : Number.POSITIVE_INFINITY;
  }

  #setServer(number: number, admin: AdminState): void {
    const server = this.#server(number);
    if (server.admin !== admin) {
      if (server.admin === 'maint' || admin === 'maint') {
        server.check = 'pending';
      }
      server.admin = admin;
      server.changedAtMs = this.nowMs;
    }
  }

  #server(number: number): Server {
    let server = this.servers.get(number);
    if (server === undefined) {
      server = { admin: 'maint', check: 'pending', sessions: 0, changedAtMs: 0 };
      this.servers.set(number, server);
    }
    return server;
  }

  #host(name: string): WorldHost {
    const host = this.hosts.find((one) => one.name === name);
    if (host === undefined) {
      throw new Error(`no host is called ${name}`);
    }
    return host;
  }
}

function isServing(server: Server): boolean {
  return server.admin === 'ready' && server.check !== 'failed';
}
