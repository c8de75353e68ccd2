/**
 * Watches a lab site from outside of Rackfire, HAProxy and each dom0 several times a second, and holds it to what
 * must never happen:
 *
 * - never more domains than the maximum, and never two of one name, be it on one host or on two;
 * - never less free memory on a host than its reserve: nothing is oversold;
 * - a node that goes, or sleeps, was out of rotation and had no request on it;
 * - no request to a server that is out of rotation, or whose check fails.
 */

import { once } from 'node:events';
import { createSystemClock } from '../../src/control/clock.ts';
import { UnreachableError } from '../../src/control/errors.ts';
import {
  findMisplacedRequests,
  type HaproxyAddress,
  type HaproxyView,
  viewHaproxy,
} from '../weather/haproxy-view.ts';
import type { Dom0, Domain, HostLook } from './dom0.ts';

/** The site at one moment. Hosts are looked at less often than HAProxy. */
export interface View extends HaproxyView {
  /** Steady milliseconds, as `performance.now()` counts them. */
  readonly atMs: number;
  /** By host; one that does not answer is missing. */
  readonly hosts: ReadonlyMap<string, HostLook>;
  /** All domains but dom0, with their hosts. */
  readonly domains: readonly PlacedDomain[];
  /** Names of nodes whose server is up and in rotation. */
  readonly inService: readonly string[];
}

export interface PlacedDomain extends Domain {
  readonly host: string;
}

/** When something that happens once to a server was first seen, steady milliseconds. */
export interface FirstSeen {
  /** It is in rotation. */
  readonly readyAtMs: number;
  /** It has got a request. */
  readonly servedAtMs: number;
}

export interface WatchOptions {
  readonly haproxy: HaproxyAddress;
  readonly hosts: readonly { readonly dom0: Dom0; readonly reserveMiB: number }[];
  readonly maxNodes: number;
}

const HAPROXY_INTERVAL_MS = 100;
/** Of one that is just being made, or dies. */
const NAMELESS = '(null)';
const REJOIN_PAUSE_MS = 2_000;
/** More of them say nothing new. */
const MAX_VIOLATIONS = 20;

export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #clock = createSystemClock();
  readonly #stop = new AbortController();
  readonly #events = new EventTarget();
  readonly #violations = new Map<string, number>();
  readonly #looks = new Map<string, { readonly look: HostLook; readonly atMs: number }>();
  /** By server: when it was last seen otherwise than ready. */
  readonly #notReadyAtMs = new Map<string, number>();
  readonly #firstSeen = new Map<string, { readyAtMs?: number; servedAtMs?: number }>();
  readonly #minFreeMiB = new Map<string, number>();
  readonly #startMs = this.#clock.steadyMs();
  #latest: View | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = Promise.all([
      this.#watchHaproxy(),
      ...this.#options.hosts.map(({ dom0 }) => this.#watchHost(dom0)),
    ]);
    // Said by whoever disposes; until then a failed watch must not pass for an unhandled rejection.
    this.#running.catch(() => this.#stop.abort());
  }

  get latest(): View | undefined {
    return this.#latest;
  }

  /** What must never happen and did, with when it was first seen. */
  get violations(): readonly string[] {
    return [...this.#violations].map(([what, atMs]) => `${(atMs / 1_000).toFixed(1)} s: ${what}`);
  }

  /** The least free memory that each host has had. */
  get minFreeMiB(): ReadonlyMap<string, number> {
    return this.#minFreeMiB;
  }

  firstSeen(server: string): Partial<FirstSeen> {
    return this.#firstSeen.get(server) ?? {};
  }

  /** Each view from now on, until the watch ends. HAProxy's silence is no view. */
  async *views(): AsyncGenerator<View, void, void> {
    while (!this.#stop.signal.aborted) {
      await once(this.#events, 'view', { signal: this.#stop.signal });
      if (this.#latest !== undefined) {
        yield this.#latest;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watchHost(dom0: Dom0): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for await (const look of dom0.looks(signal)) {
        this.#judgeHost(dom0.name, look);
      }
      // It died, and its nodes with it: what comes after is judged anew.
      this.#looks.delete(dom0.name);
      await this.#clock.sleep(REJOIN_PAUSE_MS, signal).catch(() => undefined);
    }
  }

  #judgeHost(host: string, look: HostLook): void {
    const atMs = this.#clock.steadyMs();
    const before = this.#looks.get(host);
    this.#looks.set(host, { look, atMs });
    const reserveMiB = this.#options.hosts.find(({ dom0 }) => dom0.name === host)?.reserveMiB ?? 0;
    const { freeMemoryMiB } = look;
    this.#minFreeMiB.set(host, Math.min(this.#minFreeMiB.get(host) ?? Infinity, freeMemoryMiB));
    if (freeMemoryMiB < reserveMiB) {
      this.#violate(`${host} has ${freeMemoryMiB} MiB free, and ${reserveMiB} are not for nodes`);
    }
    // A dying one is no node any more.
    const { maxNodes } = this.#options;
    const domains = this.#domains().filter(({ state }) => state !== 'dying');
    if (domains.length > maxNodes) {
      const list = domains.map((domain) => `${domain.name} on ${domain.host}`).join(', ');
      this.#violate(`${domains.length} domains, more than ${maxNodes}: ${list}`);
    }
    const names = domains.map(({ name }) => name).filter((name) => name !== NAMELESS);
    for (const name of names.filter((one, index) => names.indexOf(one) !== index)) {
      this.#violate(`two domains are called ${name}`);
    }
    if (before !== undefined) {
      this.#judgeLeaving(before, look);
    }
  }

  /** Who was in rotation all the time since the last look, and is there no more, was taken from its visitors. */
  #judgeLeaving(before: { readonly look: HostLook; readonly atMs: number }, now: HostLook): void {
    for (const { name, uuid, state } of before.look.domains) {
      const after = now.domains.find((one) => one.uuid === uuid);
      const server = this.#latest?.servers.get(name);
      if (state !== 'running' || after?.state === 'running' || server === undefined) {
        continue;
      }
      const became = after === undefined ? 'gone' : after.state;
      if (server.admin === 'ready' && (this.#notReadyAtMs.get(name) ?? 0) < before.atMs) {
        this.#violate(`${name} was ${state} and is ${became} while it was in rotation`);
      }
      if (server.sessions > 0) {
        this.#violate(`${name} is ${became} with ${server.sessions} requests on it`);
      }
    }
  }

  async #watchHaproxy(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#take(await viewHaproxy(this.#options.haproxy, signal));
      } catch (error) {
        if (!(error instanceof UnreachableError)) {
          throw error;
        }
      }
      await this.#clock.sleep(HAPROXY_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  #take(haproxy: HaproxyView): void {
    const atMs = this.#clock.steadyMs();
    const inService = [...haproxy.servers]
      .filter(([, { admin, status }]) => admin === 'ready' && status.startsWith('UP'))
      .map(([name]) => name);
    const hosts = new Map([...this.#looks].map(([host, { look }]) => [host, look]));
    const view: View = { ...haproxy, atMs, hosts, domains: this.#domains(), inService };
    const before = this.#latest;
    for (const [name, { admin, requests }] of view.servers) {
      const seen = this.#firstSeen.get(name) ?? {};
      if (admin === 'ready') {
        seen.readyAtMs ??= atMs;
      } else {
        this.#notReadyAtMs.set(name, atMs);
      }
      if (requests > (before?.servers.get(name)?.requests ?? requests)) {
        seen.servedAtMs ??= atMs;
      }
      this.#firstSeen.set(name, seen);
    }
    if (before?.epoch === view.epoch) {
      for (const what of findMisplacedRequests(before.servers, view.servers)) {
        this.#violate(what);
      }
    }
    this.#latest = view;
    this.#events.dispatchEvent(new Event('view'));
  }

  #domains(): readonly PlacedDomain[] {
    return [...this.#looks].flatMap(([host, { look }]) =>
      look.domains.map((domain) => ({ ...domain, host })),
    );
  }

  #violate(what: string): void {
    if (this.#violations.size < MAX_VIOLATIONS && !this.#violations.has(what)) {
      this.#violations.set(what, this.#clock.steadyMs() - this.#startMs);
    }
  }
}
