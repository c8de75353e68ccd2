/** One HAProxy by the Data Plane API of the daemon beside it. */

import type { Clock } from '../../control/clock.ts';
import {
  ConfigError,
  ConflictError,
  PreconditionError,
  UnreachableError,
} from '../../control/errors.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  LoadBalancer,
  ServerChange,
} from '../../control/ports.ts';
import { isConverged, planChanges, type ServerOrder } from '../haproxy/changes.ts';
import { validateName } from '../haproxy/names.ts';
import { BackendMeter, type BackendReading, warnOfUnchecked } from '../haproxy/reports.ts';
import { RestoredChecks } from '../haproxy/restored-checks.ts';
import { SerialQueue } from '../haproxy/serial-queue.ts';
import {
  DataplaneError,
  NoAnswerError,
  NotFoundError,
  OutdatedTransactionError,
  TooManyTransactionsError,
  VersionConflictError,
} from './client-errors.ts';
import { DataplaneClient } from './client.ts';
import { areOlderThan, readBackend } from './readings.ts';
import { refuseRelease } from './releases.ts';
import type { ConfiguredServer, NativeStat, RuntimeServer } from './types.ts';
import { type Worker, WorkerEpochs } from './worker-epoch.ts';

export interface DataplaneBalancerOptions {
  readonly name: string;
  /** Where the daemon listens: `https://10.0.0.5:5555`, without a path; which API it speaks, it is asked. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM texts, for an `https:` url. */
  readonly tls?: {
    /** Whom to trust instead of the system's authorities. */
    readonly ca?: string | undefined;
    /** A certificate of ours and its key, where the daemon asks for one. */
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  /** HAProxy's `hard-stop-after`: old workers of a reload are taken to live that long. */
  readonly hardStopAfterMs: number;
  /** The backends whose servers Rackfire may set. */
  readonly backends: readonly string[];
  readonly clock: Clock;
}

/** A server that a backend is to have. */
export interface ServerDeclaration {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface DataplaneBalancer extends LoadBalancer {
  /**
   * Declares what the backend lacks of these, in maintenance: all at once and with one reload, or none. Resolves when
   * a HAProxy with all of them answers, which takes the daemon's `reload_delay` and more.
   *
   * @throws ConflictError when one of them is declared with another address: nothing was changed.
   * @throws PreconditionError when there is no such backend.
   * @throws UnreachableError when the daemon does not answer, or not as asked, or HAProxy's reload failed.
   */
  declareServers(
    backend: string,
    servers: readonly ServerDeclaration[],
    signal: AbortSignal,
  ): Promise<void>;
}

/** A write takes 50 ms, because the daemon runs `haproxy -c`: so many are done within an action's deadline. */
const waitingChanges = 64;
/** Somebody else writes, too. Ten writers at once were all done after ten tries at most. */
const mostTries = 10;
const retryAfterMs = { shortest: 20, longest: 100 };
const reloadPollMs = 100;
/** The daemon reloads `reload_delay` after a change at the latest, 5 s by default; then it is HAProxy's turn. */
const reloadWithinMs = 60_000;
const tidyUpWithinMs = 2_000;
/** A worker from before a reload answers only in the first moments of the new one. */
const youngMs = 10_000;

/** What HAProxy says at one moment. */
interface Reading {
  readonly worker: Worker;
  readonly oldWorkers: boolean;
  readonly backends: ReadonlyMap<string, BackendReading>;
  /** By backend: what the daemon believes, which is not always so. */
  readonly listed: ReadonlyMap<string, readonly RuntimeServer[]>;
  readonly atMs: number;
}

/**
 * @returns A balancer that asks nothing until it is asked.
 * @throws ConfigError when a backend's name is not one of HAProxy's, or the url or TLS material cannot be used.
 */
export function createDataplaneBalancer(options: DataplaneBalancerOptions): DataplaneBalancer {
  for (const backend of options.backends) {
    validateName('backend', backend);
  }
  try {
    return new Balancer(options, new DataplaneClient(options));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`balancer ${options.name}: ${why}`, { cause: error });
  }
}

/**
 * Changes of one instance are made one after the other; questions do not wait for them. It touches no server that it
 * was not told to, and never trusts that a change worked: it reads the states back.
 *
 * What survives a reload is in HAProxy's config file, which the daemon keeps: `ready` and `maint` are written there.
 * `drain` is only told to the running HAProxy, because the file has no word for it; after a reload such a server is
 * what it was before the drain.
 *
 * ```
 *             runtime: drain              file: disabled → not disabled
 *   maint ───────────────────▶ drain ───────────────────────────────────▶ ready
 *     ▲                        │   ▲                                        │
 *     └────────────────────────┘   └────────────────────────────────────────┘
 *        file: disabled                        runtime: drain
 * ```
 */
class Balancer implements DataplaneBalancer {
  readonly name: string;
  readonly #options: DataplaneBalancerOptions;
  readonly #client: DataplaneClient;
  readonly #queue = new SerialQueue(waitingChanges);
  readonly #epochs = new WorkerEpochs();
  readonly #restored = new RestoredChecks();
  readonly #meters: ReadonlyMap<string, BackendMeter>;
  #isGreeted = false;
  #reloadWarning: string | undefined;

  constructor(options: DataplaneBalancerOptions, client: DataplaneClient) {
    this.name = options.name;
    this.#options = options;
    this.#client = client;
    this.#meters = new Map(options.backends.map((backend) => [backend, new BackendMeter()]));
  }

  async inspect(signal: AbortSignal): Promise<BalancerSnapshot> {
    const reading = await this.#ask(() => this.#read(this.#options.backends, signal));
    const { epoch } = reading.worker;
    const backends = new Map<string, BackendReport>();
    for (const [name, meter] of this.#meters) {
      const backend = reading.backends.get(name);
      if (backend !== undefined) {
        backends.set(name, meter.report(backend, epoch, reading.atMs));
      }
    }
    const warnings = [...warnOfUnchecked(reading.backends)];
    if (this.#reloadWarning !== undefined) {
      warnings.push(this.#reloadWarning);
    }
    return { epoch, oldWorkers: reading.oldWorkers, backends, warnings };
  }

  async setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void> {
    for (const change of changes) {
      validateName('backend', change.backend);
      validateName('server', change.server);
    }
    if (changes.length > 0) {
      await this.#queue.run(signal, () => this.#ask(() => this.#setServers(changes, signal)));
    }
  }

  async declareServers(
    backend: string,
    servers: readonly ServerDeclaration[],
    signal: AbortSignal,
  ): Promise<void> {
    validateName('backend', backend);
    for (const server of servers) {
      validateName('server', server.name);
    }
    await this.#queue.run(signal, () =>
      this.#ask(async () => {
        const { worker, backends } = await this.#read([backend], signal);
        if (!backends.has(backend)) {
          throw new PreconditionError(`balancer ${this.name}: HAProxy has no backend ${backend}`);
        }
        const reloadId = await this.#retry(signal, () => this.#declare(backend, servers, signal));
        if (reloadId !== undefined) {
          await this.#awaitReload(reloadId, worker, signal);
        }
      }),
    );
  }

  async #setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void> {
    // Of two changes of one server the last one counts.
    const latest = [
      ...new Map(changes.map((one) => [`${one.backend}/${one.server}`, one])).values(),
    ];
    const asked = new Set(latest.map((change) => change.backend));
    // A backend that was not handed over is not looked at, so its servers are unknown and refused.
    const names = this.#options.backends.filter((backend) => asked.has(backend));
    const before = await this.#read(names, signal);
    const { orders, refusals } = planChanges(latest, before.backends, before.oldWorkers);
    // What somebody else has set in HAProxy is not in the file, and a reload would undo it.
    const kept = latest.filter((change) => isConverged(change, before.backends));
    const failures = [...refusals];
    const set: ServerOrder[] = [];
    for (const order of [...kept, ...orders]) {
      try {
        await this.#set(order, before, signal);
        set.push(order);
      } catch (error) {
        if (!(error instanceof NotFoundError)) {
          throw error;
        }
        failures.push(
          `${order.backend}/${order.server} is not set to ${order.to}: ${error.message}`,
        );
      }
    }
    if (orders.length > 0) {
      const after = await this.#read(names, signal);
      this.#verify(set, after);
      failures.push(
        ...listBusy(
          latest.filter((one) => !kept.includes(one)),
          after.backends,
        ),
      );
    }
    if (failures.length > 0) {
      throw new PreconditionError(`balancer ${this.name}: ${failures.join('; ')}`);
    }
  }

  async #set(
    { backend, server, to }: ServerOrder,
    before: Reading,
    signal: AbortSignal,
  ): Promise<void> {
    const isSo = isConverged({ backend, server, to }, before.backends);
    if (to === 'drain') {
      if (!isSo) {
        await this.#client.setRuntimeServer(backend, server, { admin_state: 'drain' }, signal);
      }
      return;
    }
    const wasWritten = await this.#retry(signal, () =>
      this.#writeMaintenance({ backend, server, to }, before.worker, signal),
    );
    // Where the file needs no change, the daemon tells HAProxy nothing.
    if (!wasWritten && !isSo) {
      await this.#tell({ backend, server, to }, before, signal);
    }
  }

  /**
   * Writes into the file whether the server is in rotation after a reload, which HAProxy is told at once.
   *
   * @returns False when the file has it so already.
   */
  async #writeMaintenance(
    { backend, server, to }: ServerOrder,
    worker: Worker,
    signal: AbortSignal,
  ): Promise<boolean> {
    // The version first: whatever changes after that makes it a conflict.
    const version = await this.#client.configurationVersion(signal);
    const declared = await this.#client.servers(backend, signal);
    const known = declared.find(({ name }) => name === server);
    if (known === undefined) {
      throw new NotFoundError(`the file that the Data Plane API keeps has no ${backend}/${server}`);
    }
    const maintenance = to === 'maint' ? 'enabled' : 'disabled';
    if ((known.maintenance ?? 'disabled') === maintenance) {
      return false;
    }
    // Every field as it is: one that is left out is another one, and that takes a reload.
    const wanted: ConfiguredServer = { ...known, maintenance };
    const { reloadId } = await this.#client.replaceServer(backend, wanted, { version }, signal);
    this.#reloadWarning = undefined;
    if (reloadId !== undefined) {
      this.#reloadWarning = `HAProxy was reloaded to set ${backend}/${server} to ${to}, which the Data Plane API does without a reload where all is well: look at its log`;
      await this.#awaitReload(reloadId, worker, signal);
    }
    return true;
  }

  /** Tells the running HAProxy what the file says already. */
  async #tell(
    { backend, server, to }: ServerOrder,
    before: Reading,
    signal: AbortSignal,
  ): Promise<void> {
    const listed = before.listed.get(backend)?.find(({ name }) => name === server);
    if (to === 'maint' && listed?.admin_state === 'maint') {
      // The daemon takes this server in DRAIN for one in maintenance and would send nothing (see `adminOf`). It takes
      // the way by `ready`, made sick first so that it gets no traffic on it: only a check that passes heals it.
      const sick: RuntimeServer = { admin_state: 'ready', operational_state: 'down' };
      await this.#client.setRuntimeServer(backend, server, sick, signal);
    }
    await this.#client.setRuntimeServer(backend, server, { admin_state: to }, signal);
  }

  #verify(orders: readonly ServerOrder[], after: Reading): void {
    const missed = orders.filter((order) => !isConverged(order, after.backends));
    if (missed.length > 0) {
      const list = missed.map(({ backend, server, to }) => `${backend}/${server} to ${to}`);
      throw new UnreachableError(
        `balancer ${this.name} did not set ${list.join(', ')}, or was reloaded meanwhile`,
      );
    }
  }

  /** @returns The reload that puts them in force; `undefined` when all of them are declared. */
  async #declare(
    backend: string,
    servers: readonly ServerDeclaration[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const version = await this.#client.configurationVersion(signal);
    const declared = new Map(
      (await this.#client.servers(backend, signal)).map((server) => [server.name, server]),
    );
    const missing = servers.filter((server) => !declared.has(server.name));
    for (const { name, address, port } of servers) {
      const known = declared.get(name);
      if (known !== undefined && (known.address !== address || known.port !== port)) {
        throw new ConflictError(
          `balancer ${this.name} has ${backend}/${name} at ${known.address}:${known.port}, not at ${address}:${port}`,
        );
      }
    }
    if (missing.length === 0) {
      return undefined;
    }
    const transactionId = await this.#client.startTransaction(version, signal);
    let isCommitted = false;
    try {
      for (const { name, address, port } of missing) {
        const server: ConfiguredServer = { name, address, port, maintenance: 'enabled' };
        await this.#client.createServer(backend, server, { transactionId }, signal);
      }
      const { reloadId } = await this.#client.commitTransaction(transactionId, signal);
      isCommitted = true;
      return reloadId;
    } finally {
      if (!isCommitted) {
        // Also after `signal` is aborted: only so many may be open, and nobody else would end it.
        await this.#client
          .deleteTransaction(transactionId, AbortSignal.timeout(tidyUpWithinMs))
          .catch(() => undefined);
      }
    }
  }

  /** Resolves when a worker of after the reload answers: the reload counts as done a moment before that. */
  async #awaitReload(reloadId: string, before: Worker, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.steadyMs() + reloadWithinMs;
    let isOver = false;
    while (clock.steadyMs() < untilMs) {
      await this.#pause(reloadPollMs, signal);
      isOver ||= await this.#isReloadOver(reloadId, signal);
      if (isOver && (await this.#hasNewWorker(before, signal))) {
        return;
      }
    }
    throw new UnreachableError(
      `balancer ${this.name}: HAProxy was not reloaded within ${reloadWithinMs} ms (reload ${reloadId})`,
    );
  }

  async #isReloadOver(reloadId: string, signal: AbortSignal): Promise<boolean> {
    try {
      const { status, response } = await this.#client.reload(reloadId, signal);
      if (status === 'failed') {
        throw new UnreachableError(
          `balancer ${this.name}: HAProxy could not be reloaded, and goes on as it was: ${response}`,
        );
      }
      return status === 'succeeded';
    } catch (error) {
      // Forgotten, because a later one succeeded.
      if (error instanceof NotFoundError) {
        return true;
      }
      throw error;
    }
  }

  async #hasNewWorker(before: Worker, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#worker(signal)).epoch !== before.epoch;
    } catch (error) {
      // While one worker takes over from the other, a question may go unanswered.
      if (error instanceof DataplaneError || error instanceof UnreachableError) {
        return false;
      }
      throw error;
    }
  }

  /** Repeats a change that somebody else's came in between of, a bounded number of times. */
  async #retry<T>(signal: AbortSignal, change: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await change();
      } catch (error) {
        const isRepeatable =
          error instanceof VersionConflictError ||
          error instanceof OutdatedTransactionError ||
          error instanceof TooManyTransactionsError;
        if (!isRepeatable || tries === mostTries) {
          throw error;
        }
        const { shortest, longest } = retryAfterMs;
        // All who met must not meet again.
        const delayMs = shortest + Math.random() * (longest - shortest);
        await this.#pause(delayMs, signal);
      }
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, signal);
    } catch (cause) {
      throw new UnreachableError(`balancer ${this.name} was given up while it was waited for`, {
        cause,
      });
    }
  }

  async #read(names: readonly string[], signal: AbortSignal): Promise<Reading> {
    const worker = await this.#worker(signal);
    const listed = new Map(
      await Promise.all(
        names.map(async (name) => [name, await this.#listServers(name, signal)] as const),
      ),
    );
    const stats = await this.#client.stats(signal);
    const after = await this.#worker(signal);
    const isMixed = after.uptimeMs < youngMs && areOlderThan(stats, after.uptimeMs);
    if (worker.epoch !== after.epoch || isMixed) {
      throw new UnreachableError(`balancer ${this.name} was reloaded while it was asked`);
    }
    return {
      worker,
      oldWorkers: after.uptimeMs < this.#options.hardStopAfterMs,
      backends: this.#readBackends(after, listed, stats),
      listed,
      atMs: this.#options.clock.steadyMs(),
    };
  }

  #readBackends(
    worker: Worker,
    listed: ReadonlyMap<string, readonly RuntimeServer[]>,
    stats: readonly NativeStat[],
  ): ReadonlyMap<string, BackendReading> {
    const backends = new Map<string, BackendReading>();
    for (const [name, servers] of listed) {
      const backend = readBackend(name, stats, servers);
      if (backend !== undefined) {
        const restored = this.#restored.note(worker, name, backend.stats);
        backends.set(name, { ...backend, restored });
      }
    }
    return backends;
  }

  async #worker(signal: AbortSignal): Promise<Worker> {
    if (!this.#isGreeted) {
      const { api } = await this.#client.info(signal);
      const refusal = refuseRelease(api?.version);
      if (refusal !== undefined) {
        throw new UnreachableError(`balancer ${this.name}: ${refusal}`);
      }
      this.#isGreeted = true;
    }
    const state = await this.#client.process(signal);
    return this.#epochs.note(state, this.#options.clock.steadyMs());
  }

  /** Without such a backend, one API answers 404 and the other nothing; the statistics tell whether it is there. */
  async #listServers(backend: string, signal: AbortSignal): Promise<readonly RuntimeServer[]> {
    try {
      return await this.#client.runtimeServers(backend, signal);
    } catch (error) {
      if (error instanceof NotFoundError) {
        return [];
      }
      throw error;
    }
  }

  /** Turns what the client says into what the port promises. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DataplaneError)) {
        throw error;
      }
      if (error instanceof NoAnswerError || error instanceof NotFoundError) {
        // Another release may come up in its place.
        this.#isGreeted = false;
        this.#client.forgetApi();
      }
      throw new UnreachableError(`balancer ${this.name}: ${error.message}`, { cause: error });
    }
  }
}

/**
 * A change that is written takes 50 ms, in which a server in DRAIN may get a request of a client that sticks to it.
 *
 * @returns Servers that were to be quiet, and are not.
 */
function listBusy(
  changes: readonly ServerChange[],
  backends: ReadonlyMap<string, BackendReading>,
): readonly string[] {
  return changes
    .filter(({ requires, backend, server }) => {
      const stats = backends.get(backend)?.stats.servers.get(server);
      return requires === 'quiet' && stats !== undefined && stats.sessions + stats.queued > 0;
    })
    .map(({ backend, server }) => `${backend}/${server} got a request at the last moment`);
}
