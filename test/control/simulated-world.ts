/** Hosts, a balancer, traffic and a lease in memory, in a test's own time. No chance, no real time. */

import { validateName } from '../../src/balancer/haproxy/names.ts';
import type { Clock } from '../../src/control/clock.ts';
import {
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../../src/control/errors.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  BootOrder,
  DomainRef,
  DomainReport,
  HostPace,
  HostSnapshot,
  Hypervisor,
  Leadership,
  LoadBalancer,
  ServerChange,
  ServerReport,
} from '../../src/control/ports.ts';
import { nodeName, type ScaledTier } from '../../src/scaler/cluster.ts';
import type { AdminState, CheckState, Sample } from '../../src/scaler/observation.ts';
import type { Term } from '../../src/scaler/term.ts';
import { TERM, uuidOf } from './site.ts';

/** A node serves so many requests per second; each takes 100 ms. */
const NODE_RPS = 100;
const REQUEST_SECONDS = 0.1;

/** HAProxy needs so long to notice a change of health. */
const CHECK_MS = 1_000;

interface Domain {
  readonly name: string;
  readonly uuid: string;
  readonly bornMs: number;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
  readonly madeAtMs: number;
  /** Answers its health path from … to. */
  healthyAtMs: number;
  sickAtMs: number;
  paused: boolean;
  /** Its memory lies in a file. */
  saved: boolean;
  /** Only its disk is left. */
  residue: boolean;
  stopping: boolean;
}

/** `hang`: no answer, but the order was carried out; `hang-before`: nothing was. Both heed their signal. */
type CreateFault = 'refuse' | 'unreachable' | 'hang' | 'hang-before' | 'lose-answer';

export class SimulatedHost implements Hypervisor {
  readonly host: string;
  pace: HostPace = {
    intervalMs: 2_000,
    busyIntervalMs: 250,
    answerWithinMs: 5_000,
    staleAfterMs: 10_000,
    actWithinMs: 60_000,
  };
  readonly domains = new Map<string, Domain>();
  readonly room = { memoryMiB: 16 * 512, vcpus: 16, diskMiB: 16 * 4096 };
  /** Does not answer: at once, or ever, or never and without heeding the signal. */
  silent: 'no' | 'unreachable' | 'hang' | 'deaf' = 'no';
  /** Time that an answer takes. */
  answerMs = 20;
  createFault: CreateFault | undefined;
  destroyFault: 'unreachable' | 'hang' | undefined;
  /** No room for the file; a file that cannot be read. */
  savesNothing = false;
  wakesNothing = false;
  /** Boots here never pass their check. */
  neverHealthy = false;
  /** What it does when it is shown a term. */
  fencing: 'acknowledges' | 'was-shown-a-newer-one' | 'hang' = 'acknowledges';
  /** The term that it was shown last. */
  fencedBy: Term | undefined;
  readonly #world: SimulatedWorld;

  constructor(host: string, world: SimulatedWorld) {
    this.host = host;
    this.#world = world;
  }

  async inspect(signal: AbortSignal): Promise<HostSnapshot> {
    await this.#reach(signal);
    return { ...this.room, domains: [...this.domains.values()].map((one) => this.#report(one)) };
  }

  async fence(term: Term, signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    switch (this.fencing) {
      case 'acknowledges':
        this.fencedBy = term;
        return;
      case 'was-shown-a-newer-one':
        throw new PreconditionError(`${this.host} was shown a newer term`);
      case 'hang':
        return await untilAborted(signal);
    }
  }

  async create(order: BootOrder, signal: AbortSignal): Promise<void> {
    const { clock, calls, timing } = this.#world;
    calls.push(`${this.host} create ${order.name}`);
    await this.#reach(signal);
    switch (this.createFault) {
      case 'refuse':
        throw new RefusedError(`${this.host} has no room`);
      case 'unreachable':
        throw new UnreachableError(`${this.host} does not answer`);
      case 'hang-before':
        return await untilAborted(signal);
      case 'hang':
      case 'lose-answer':
      case undefined:
    }
    const there = this.domains.get(order.name);
    if (there !== undefined && (there.uuid !== order.uuid || there.bornMs !== order.bornMs)) {
      throw new RefusedError(`${order.name} is taken on ${this.host}`);
    }
    this.addDomain(order);
    if (this.createFault === 'hang') {
      return await untilAborted(signal);
    }
    await clock.sleep(timing.createMs, signal);
    if (this.createFault === 'lose-answer') {
      throw new OutcomeUnknownError('the answer was lost');
    }
  }

  async pause(ref: DomainRef, signal: AbortSignal): Promise<void> {
    this.#world.calls.push(`${this.host} pause ${ref.name}`);
    await this.#reach(signal);
    this.#tenant(ref).paused = true;
  }

  async save(ref: DomainRef, signal: AbortSignal): Promise<void> {
    this.#world.calls.push(`${this.host} save ${ref.name}`);
    await this.#reach(signal);
    const domain = this.#tenant(ref);
    if (this.savesNothing) {
      throw new RefusedError(`${this.host} has no room for the memory of ${ref.name}`);
    }
    await this.#world.clock.sleep(this.#world.timing.saveMs, signal);
    domain.saved = true;
  }

  async wake(ref: DomainRef, signal: AbortSignal): Promise<void> {
    this.#world.calls.push(`${this.host} wake ${ref.name}`);
    await this.#reach(signal);
    const domain = this.#tenant(ref);
    if (domain.saved) {
      const taken = [...this.domains.values()].reduce((sum, one) => sum + memoryOf(one), 0);
      if (this.wakesNothing || taken + domain.memoryMiB > this.room.memoryMiB) {
        throw new RefusedError(`${this.host} cannot wake ${ref.name}`);
      }
      await this.#world.clock.sleep(this.#world.timing.restoreMs, signal);
    } else if (this.wakesNothing) {
      throw new RefusedError(`${this.host} cannot wake ${ref.name}`);
    }
    domain.saved = false;
    domain.paused = false;
  }

  async destroy(ref: DomainRef, signal: AbortSignal): Promise<void> {
    const { clock, calls, timing } = this.#world;
    calls.push(`${this.host} destroy ${ref.name}`);
    await this.#reach(signal);
    if (this.destroyFault === 'unreachable') {
      throw new UnreachableError(`${this.host} does not answer`);
    }
    if (this.destroyFault === 'hang') {
      return await untilAborted(signal);
    }
    const domain = this.domains.get(ref.name);
    if (domain?.bornMs === ref.bornMs) {
      domain.stopping = true;
      await clock.sleep(timing.destroyMs, signal);
      this.domains.delete(ref.name);
    }
  }

  /** A domain that begins to boot now, or has been running when it is `grown`. */
  addDomain(
    order: Pick<BootOrder, 'name' | 'bornMs' | 'memoryMiB' | 'vcpus' | 'diskMiB'> & {
      readonly uuid?: string;
    },
    grown = false,
  ): void {
    const { clock, timing } = this.#world;
    const nowMs = clock.steadyMs();
    this.domains.set(order.name, {
      name: order.name,
      uuid: order.uuid ?? uuidOf(order.name),
      bornMs: order.bornMs,
      memoryMiB: order.memoryMiB,
      vcpus: order.vcpus,
      diskMiB: order.diskMiB,
      madeAtMs: grown ? nowMs : nowMs + timing.makeMs,
      healthyAtMs: this.neverHealthy
        ? Number.POSITIVE_INFINITY
        : grown
          ? nowMs - 2 * CHECK_MS
          : nowMs + timing.bootMs,
      sickAtMs: Number.POSITIVE_INFINITY,
      paused: false,
      saved: false,
      residue: false,
      stopping: false,
    });
  }

  #report(domain: Domain): DomainReport {
    const { name, uuid, bornMs, diskMiB } = domain;
    const state = stateOf(domain, this.#world.clock.steadyMs());
    const memoryMiB = memoryOf(domain);
    const vcpus = memoryMiB === 0 ? 0 : domain.vcpus;
    return { name, uuid, state, bornMs, imageVersion: '1', memoryMiB, vcpus, diskMiB };
  }

  #tenant(ref: DomainRef): Domain {
    const domain = this.domains.get(ref.name);
    if (domain?.bornMs !== ref.bornMs) {
      throw new PreconditionError(`${ref.name} is not on ${this.host}`);
    }
    return domain;
  }

  async #reach(signal: AbortSignal): Promise<void> {
    await reach(this, this.host, this.#world.clock, signal);
  }
}

function memoryOf({ saved, residue, memoryMiB }: Domain): number {
  return saved || residue ? 0 : memoryMiB;
}

function stateOf(domain: Domain, nowMs: number): DomainReport['state'] {
  if (domain.stopping) {
    return 'stopping';
  }
  if (domain.residue) {
    return 'residue';
  }
  if (nowMs < domain.madeAtMs) {
    return 'being-made';
  }
  return domain.saved ? 'saved' : domain.paused ? 'paused' : 'running';
}

interface Server {
  admin: AdminState;
  changedAtMs: number;
}

export class SimulatedBalancer implements LoadBalancer {
  readonly name: string;
  silent: 'no' | 'unreachable' | 'hang' | 'deaf' = 'no';
  /** Time that an answer takes. */
  answerMs = 20;
  /** Only changes are refused, as by a socket of level `user`. */
  readOnly = false;
  /** Its config is older than the tier's: it knows only so many servers. */
  declaredServers = Number.POSITIVE_INFINITY;
  oldWorkers = false;
  /** What arrives here, where it is not all that arrives at the site. */
  rps: number | undefined;
  /** Servers whose checks it has not found to fail yet, though nothing is there. */
  readonly believesUp = new Set<string>();
  /** Changes that were made. */
  orders = 0;
  /** Requests that stay on a server, whatever its state. */
  readonly held = new Map<string, number>();
  readonly #world: SimulatedWorld;
  readonly #servers = new Map<string, Server>();
  #epoch = 1;
  /** A rate needs two readings of one epoch. */
  #readEpoch = 0;

  constructor(name: string, world: SimulatedWorld) {
    this.name = name;
    this.#world = world;
    this.#declare();
  }

  /** As HAProxy with its state file. */
  reload(): void {
    this.#epoch += 1;
  }

  /** As HAProxy without its state file: states are those of the config again. */
  restart(): void {
    this.reload();
    this.#declare();
  }

  admin(number: number): AdminState {
    return this.#server(nodeName(this.#world.tier, number)).admin;
  }

  /** What an operator, or a state file, sets. */
  set(number: number, admin: AdminState): void {
    const server = this.#server(nodeName(this.#world.tier, number));
    if (server.admin !== admin) {
      server.admin = admin;
      server.changedAtMs = this.#world.clock.steadyMs();
    }
  }

  get ready(): readonly string[] {
    return [...this.#servers.keys()].filter(
      (name) => this.#server(name).admin === 'ready' && this.#world.isHealthy(name),
    );
  }

  async inspect(signal: AbortSignal): Promise<BalancerSnapshot> {
    await this.#reach(signal);
    const { tier } = this.#world;
    const rps = this.rps ?? this.#world.rps;
    const servedRps = Math.min(rps, this.ready.length * NODE_RPS);
    const servers = [...this.#servers.keys()].map((name) => this.#report(name));
    const isFirst = this.#readEpoch !== this.#epoch;
    this.#readEpoch = this.#epoch;
    const rate = (value: number): Sample<number> =>
      isFirst ? { status: 'absent', why: 'first reading' } : { status: 'ok', value };
    const backend: BackendReport = {
      servers,
      requestRate: rate(rps),
      servedRate: rate(servedRps),
      queued: Math.max(0, rps - servedRps),
      usedSlots: Math.ceil(servedRps * REQUEST_SECONDS),
      totalSlots: this.ready.length * tier.maxConnections,
    };
    return {
      epoch: String(this.#epoch),
      oldWorkers: this.oldWorkers,
      backends: new Map([[tier.backend, backend]]),
    };
  }

  async setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void> {
    for (const { backend, server, to } of changes) {
      validateName('backend', backend);
      validateName('server', server);
      this.#world.calls.push(`${this.name} ${to} ${server}`);
    }
    await this.#reach(signal);
    if (this.readOnly) {
      throw new UnreachableError(`${this.name} did not set it: permission denied`);
    }
    const latest = new Map(changes.map((change) => [`${change.backend}/${change.server}`, change]));
    const refusals = [...latest.values()].flatMap((change) => this.#change(change) ?? []);
    if (refusals.length > 0) {
      throw new PreconditionError(refusals.join('; '));
    }
  }

  /** @returns Why it is not made. */
  #change(change: ServerChange): string | undefined {
    const number = Number(change.server.slice(change.server.lastIndexOf('-') + 1));
    const server = this.#servers.get(change.server);
    const isThere = change.backend === this.#world.tier.backend && number <= this.declaredServers;
    if (server === undefined || !isThere) {
      return `HAProxy has no server ${change.backend}/${change.server}`;
    }
    if (server.admin === change.to) {
      return undefined;
    }
    const { check, sessions } = this.#report(change.server);
    if (change.requires === 'check-passed' && check !== 'passed') {
      return `${change.server} has not passed its check`;
    }
    if (change.requires === 'quiet' && (sessions > 0 || this.oldWorkers)) {
      return `${change.server} is not quiet`;
    }
    server.admin = change.to;
    server.changedAtMs = this.#world.clock.steadyMs();
    this.orders += 1;
    return undefined;
  }

  /** Whatever ends the wait: a balancer that does not answer in time is not reached. */
  async #reach(signal: AbortSignal): Promise<void> {
    try {
      await reach(this, this.name, this.#world.clock, signal);
    } catch (cause) {
      throw new UnreachableError(`${this.name} does not answer`, { cause });
    }
  }

  #declare(): void {
    const { clock, tier } = this.#world;
    for (const [index] of tier.addresses.entries()) {
      const number = index + 1;
      const admin = number <= tier.policy.minNodes ? 'ready' : 'maint';
      const changedAtMs = clock.steadyMs();
      this.#servers.set(nodeName(tier, number), { admin, changedAtMs });
    }
  }

  #server(name: string): Server {
    const server = this.#servers.get(name);
    if (server === undefined) {
      throw new Error(`HAProxy has no server ${name}`);
    }
    return server;
  }

  #report(name: string): ServerReport {
    const server = this.#server(name);
    const nowMs = this.#world.clock.steadyMs();
    const check: CheckState =
      server.admin === 'maint'
        ? 'pending'
        : this.#world.isHealthy(name) || this.believesUp.has(name)
          ? 'passed'
          : 'failed';
    const ready = this.ready;
    const share = ready.includes(name)
      ? Math.ceil((this.#world.rps * REQUEST_SECONDS) / ready.length)
      : 0;
    const changedAtMs = Math.max(server.changedAtMs, this.#world.healthChangedAtMs(name));
    return {
      name,
      admin: server.admin,
      check,
      sessions: this.held.get(name) ?? share,
      sinceChangeMs: nowMs - changedAtMs,
    };
  }
}

class SimulatedLease implements Leadership {
  held: Term | undefined = TERM;

  term(): Term | undefined {
    return this.held;
  }
}

export class SimulatedWorld {
  readonly clock: Clock;
  readonly tier: ScaledTier;
  readonly hosts: readonly SimulatedHost[];
  readonly balancers: readonly SimulatedBalancer[];
  readonly lease = new SimulatedLease();
  /** All that was asked of the world to change, in order: `host-a create news-web-3`, `lb ready news-web-3`. */
  readonly calls: string[] = [];
  readonly timing = {
    createMs: 500,
    makeMs: 300,
    bootMs: 5_000,
    destroyMs: 300,
    saveMs: 800,
    restoreMs: 1_500,
  };
  rps = 0;

  constructor(
    clock: Clock,
    tier: ScaledTier,
    names: { readonly hosts?: readonly string[]; readonly balancers?: readonly string[] } = {},
  ) {
    this.clock = clock;
    this.tier = tier;
    this.hosts = (names.hosts ?? ['host-a', 'host-b']).map((name) => new SimulatedHost(name, this));
    this.balancers = (names.balancers ?? ['lb']).map((name) => new SimulatedBalancer(name, this));
  }

  host(index = 0): SimulatedHost {
    return this.hosts[index]!;
  }

  get balancer(): SimulatedBalancer {
    return this.balancers[0]!;
  }

  /** Nodes 1…count, in service for long, on the hosts in turn. */
  populate(count: number): void {
    for (let number = 1; number <= count; number += 1) {
      const { size } = this.tier;
      const name = nodeName(this.tier, number);
      const host = this.hosts[(number - 1) % this.hosts.length]!;
      host.addDomain({ ...size, name, bornMs: this.clock.wallMs() - 3_600_000 }, true);
      for (const balancer of this.balancers) {
        balancer.set(number, 'ready');
      }
    }
  }

  domain(number: number): Domain | undefined {
    const name = nodeName(this.tier, number);
    return this.hosts.map(({ domains }) => domains.get(name)).find((one) => one !== undefined);
  }

  /** Names of all domains, by number. */
  get domains(): readonly string[] {
    return this.hosts
      .flatMap((host) => [...host.domains.keys()])
      .toSorted((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  }

  isHealthy(name: string): boolean {
    const nowMs = this.clock.steadyMs();
    return this.hosts.some((host) => {
      const domain = host.domains.get(name);
      return (
        domain !== undefined &&
        !domain.paused &&
        !domain.saved &&
        !domain.residue &&
        !domain.stopping &&
        nowMs >= domain.healthyAtMs + CHECK_MS &&
        nowMs < domain.sickAtMs + CHECK_MS
      );
    });
  }

  /** When the result of a node's check last changed; `-Infinity` when it never did. */
  healthChangedAtMs(name: string): number {
    const nowMs = this.clock.steadyMs();
    const changes = this.hosts.flatMap((host) => {
      const domain = host.domains.get(name);
      return domain === undefined
        ? []
        : [domain.healthyAtMs + CHECK_MS, domain.sickAtMs + CHECK_MS];
    });
    return Math.max(...changes.filter((atMs) => atMs <= nowMs));
  }

  /** What was asked to change, of one kind: `create`, `destroy`, `ready`, `drain`, `maint`. */
  callsOf(verb: string): readonly string[] {
    return this.calls.filter((call) => call.includes(` ${verb} `));
  }
}

async function reach(
  port: { readonly silent: SimulatedHost['silent']; readonly answerMs: number },
  name: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  switch (port.silent) {
    case 'unreachable':
      throw new UnreachableError(`${name} does not answer`);
    case 'hang':
      return await untilAborted(signal);
    case 'deaf':
      return await new Promise<never>(() => undefined);
    case 'no':
      return await clock.sleep(port.answerMs, signal);
  }
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      fail();
    }
    signal.addEventListener('abort', fail, { once: true });
  });
}
