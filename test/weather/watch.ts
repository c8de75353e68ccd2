/**
 * Watches a site from outside of Rackfire and holds it to what must never happen, in any weather:
 *
 * - never more node processes than the maximum, in whatever state, and never two of one name;
 * - never fewer than the minimum in service by our own act: a node that served is taken out of rotation only
 *   while enough others serve;
 * - never a destroy or a pause without quiet: a node that stops has no server in rotation and no request on
 *   it, at any worker of HAProxy;
 * - no request to a server that is out of rotation, or whose check fails;
 * - nothing foreign is touched: no process that is protected, no server that is not ours.
 *
 * Processes are read *before* HAProxy is asked. Who is out of rotation gets no new request, so a request that
 * is still on a node after it was seen stopping was on it then: none of these rules can be broken by bad timing.
 */

import { once } from 'node:events';
import { createSystemClock } from '../../src/control/clock.ts';
import { UnreachableError } from '../../src/control/errors.ts';
import { type NodeProcess, readNodeProcesses } from '../../src/embedded/process-table.ts';
import { parseNodeNumber, type ScaledTier } from '../../src/scaler/cluster.ts';
import {
  findMisplacedRequests,
  type HaproxyAddress,
  type HaproxyView,
  viewHaproxy,
} from './haproxy-view.ts';

/** The site at one moment. `servers` are those of the tier's own addresses. */
export interface View extends HaproxyView {
  /** What somebody else has put into the tier's backend. */
  readonly foreignServers: HaproxyView['servers'];
  /** Milliseconds since the watch began. */
  readonly atMs: number;
  /** The tier's node processes in any state, without protected ones. */
  readonly nodes: readonly NodeProcess[];
  /** Names of nodes that run, are in rotation, and whose check does not fail; in no order. */
  readonly inService: readonly string[];
}

const PROCESS_INTERVAL_MS = 40;
const HAPROXY_INTERVAL_MS = 80;
/** More of them say nothing new. */
const MAX_VIOLATIONS = 20;

export interface WatchOptions {
  readonly tier: ScaledTier;
  readonly installation: string;
  readonly haproxy: HaproxyAddress;
}

export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #clock = createSystemClock();
  readonly #startMs = this.#clock.steadyMs();
  readonly #stop = new AbortController();
  readonly #events = new EventTarget();
  readonly #violations = new Map<string, number>();
  /** Processes that the row itself has ended, stopped or frozen. */
  readonly #excused = new Set<number>();
  readonly #protected: NodeProcess[] = [];
  /** Of the protected ones, those whose owner ends them; still nobody's nodes of ours while they die. */
  readonly #released = new Set<number>();
  /** As their owner left them; undefined until a Rackfire runs. */
  #foreignServers: Map<string, string> | undefined;
  #latest: View | undefined;
  #latestProcesses: readonly NodeProcess[] = [];
  /** Processes that have ended or begun to stop since HAProxy answered last. */
  #leaving = new Map<number, NodeProcess>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = Promise.all([
      this.#repeat(PROCESS_INTERVAL_MS, () => this.#lookAtProcesses()),
      this.#repeat(HAPROXY_INTERVAL_MS, () => this.#lookAtHaproxy()),
    ]);
    // Said by whoever disposes; until then a failed watch must not pass for an unhandled rejection.
    this.#running.catch(() => this.#stop.abort());
  }

  get latest(): View | undefined {
    return this.#latest;
  }

  /** What must never happen and did, with when it was first seen. */
  get violations(): readonly string[] {
    return [...this.#violations].map(([what, atMs]) => `${(atMs / 1_000).toFixed(2)} s: ${what}`);
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

  /** The row is about to end, stop or freeze this process itself: what follows from it is not our act. */
  excuse(node: NodeProcess): void {
    this.#excused.add(node.pid);
  }

  /** A process that is not ours, though it may look like it: it counts nowhere, and must stay as it is. */
  protect(node: NodeProcess): void {
    this.#protected.push(node);
  }

  /** Their owner has set them up: from now on they must stay so. */
  takeForeignServersAsTheyAre(): void {
    this.#foreignServers = new Map();
  }

  /** From now on a protected process may end. */
  release(node: NodeProcess): void {
    this.#released.add(node.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #repeat(intervalMs: number, look: () => Promise<void> | void): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await look();
      await this.#clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }

  #lookAtProcesses(): void {
    const { tier, installation } = this.#options;
    const all = readNodeProcesses();
    const nodes = all.filter(
      (node) =>
        node.installation === installation &&
        parseNodeNumber(tier, node.name) !== undefined &&
        !this.#protected.some(({ pid }) => pid === node.pid),
    );
    if (nodes.length > tier.policy.maxNodes) {
      const list = nodes.map(({ name, state }) => `${name} ${state}`).join(', ');
      this.#violate(`${nodes.length} nodes, more than ${tier.policy.maxNodes}: ${list}`);
    }
    const names = nodes.map(({ name }) => name);
    for (const name of names.filter((one, index) => names.indexOf(one) !== index)) {
      this.#violate(`two processes are called ${name}`);
    }
    for (const node of this.#protected.filter(({ pid }) => !this.#released.has(pid))) {
      const now = all.find(
        ({ pid, startTicks }) => pid === node.pid && startTicks === node.startTicks,
      );
      if (now?.state !== node.state) {
        this.#violate(`foreign process ${node.pid} (${node.name}) is ${now?.state ?? 'gone'}`);
      }
    }
    this.#noteLeaving(nodes);
    this.#latestProcesses = nodes;
  }

  #noteLeaving(nodes: readonly NodeProcess[]): void {
    const present = new Map(nodes.map((node) => [node.pid, node]));
    for (const before of this.#latestProcesses) {
      const now = present.get(before.pid);
      if (!this.#excused.has(before.pid) && now?.state !== 'running') {
        this.#leaving.set(before.pid, now ?? before);
      }
    }
  }

  async #lookAtHaproxy(): Promise<void> {
    this.#lookAtProcesses();
    const nodes = this.#latestProcesses;
    const leaving = this.#leaving;
    this.#leaving = new Map();
    let haproxy: HaproxyView;
    try {
      haproxy = await viewHaproxy(this.#options.haproxy, this.#stop.signal);
    } catch (error) {
      if (error instanceof UnreachableError) {
        this.#leaving = new Map([...leaving, ...this.#leaving]);
        return;
      }
      throw error;
    }
    const running = new Set(
      nodes.filter(({ state }) => state === 'running').map(({ name }) => name),
    );
    const inService = [...haproxy.servers]
      .filter(([name, { status }]) => running.has(name) && status.startsWith('UP'))
      .map(([name]) => name);
    const view: View = { ...haproxy, ...this.#split(haproxy), atMs: this.#atMs, nodes, inService };
    this.#judgeLeaving(leaving, view);
    this.#judgeForeignServers(view);
    if (this.#latest?.epoch === view.epoch) {
      this.#judgeRotation(this.#latest, view);
      for (const what of findMisplacedRequests(this.#latest.servers, view.servers)) {
        this.#violate(what);
      }
    }
    this.#latest = view;
    this.#events.dispatchEvent(new Event('view'));
  }

  #judgeLeaving(leaving: ReadonlyMap<number, NodeProcess>, { servers }: View): void {
    for (const { name, state } of leaving.values()) {
      const server = servers.get(name);
      const verb = state === 'paused' ? 'paused' : 'destroyed';
      if (server?.admin === 'ready') {
        this.#violate(`${name} was ${verb} while it was in rotation`);
      } else if (server !== undefined && server.sessions > 0 && state !== 'running') {
        this.#violate(`${name} was ${verb} with ${server.sessions} requests on it`);
      }
    }
  }

  /** Only what was in service, still runs, and was set otherwise is our act. */
  #judgeRotation(before: View, now: View): void {
    const { minNodes } = this.#options.tier.policy;
    for (const name of before.inService) {
      const isRunning = now.nodes.some(
        (node) => node.name === name && node.state === 'running' && !this.#excused.has(node.pid),
      );
      const admin = now.servers.get(name)?.admin;
      if (isRunning && admin !== 'ready' && now.inService.length < minNodes) {
        const left = `${now.inService.length} are left of at least ${minNodes}`;
        this.#violate(`${name} was set to ${admin}: ${left}`);
      }
    }
  }

  #judgeForeignServers({ foreignServers }: View): void {
    for (const [name, { admin }] of foreignServers) {
      const first = this.#foreignServers?.get(name) ?? admin;
      this.#foreignServers?.set(name, first);
      if (admin !== first) {
        this.#violate(`foreign server ${name} was ${first} and is ${admin}`);
      }
    }
  }

  #split({ servers }: HaproxyView): Pick<View, 'servers' | 'foreignServers'> {
    const { tier } = this.#options;
    const isOwn = (name: string): boolean => {
      const number = parseNodeNumber(tier, name);
      return number !== undefined && number <= tier.addresses.length;
    };
    return {
      servers: new Map([...servers].filter(([name]) => isOwn(name))),
      foreignServers: new Map([...servers].filter(([name]) => !isOwn(name))),
    };
  }

  get #atMs(): number {
    return this.#clock.steadyMs() - this.#startMs;
  }

  #violate(what: string): void {
    if (this.#violations.size < MAX_VIOLATIONS && !this.#violations.has(what)) {
      this.#violations.set(what, this.#atMs);
    }
  }
}
