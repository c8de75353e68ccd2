/** One HAProxy by the Data Plane API of the daemon beside it. */

import type { Clock } from '../../control/clock.ts';
import { ConfigError, PreconditionError, UnreachableError } from '../../control/errors.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  LoadBalancer,
  ServerChange,
} from '../../control/ports.ts';
import { isConverged, planChanges, type ServerOrder } from '../haproxy/changes.ts';
import type { ServerDeclaration } from '../haproxy/declarations.ts';
import { validateName } from '../haproxy/names.ts';
import { BackendMeter, type BackendReading, warnOfUnchecked } from '../haproxy/reports.ts';
import { SerialQueue } from '../haproxy/serial-queue.ts';
import {
  DataplaneError,
  NoAnswerError,
  NotFoundError,
  UnauthorizedError,
} from './client-errors.ts';
import { DataplaneClient } from './client.ts';
import type { Connection } from './connection.ts';
import { type DeclareOptions, declareServers } from './declare.ts';
import { retry } from './patience.ts';
import { type HaproxyReading, Reader } from './reader.ts';
import { awaitReload } from './reload.ts';
import type { ConfiguredServer, RuntimeServer } from './types.ts';
import type { Worker } from './worker-epoch.ts';

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

export interface DataplaneBalancer extends LoadBalancer {
  /**
   * Declares what the backend lacks of these, in maintenance: all at once and with one reload, or none. Resolves when
   * a HAProxy with all of them answers, which takes the daemon's `reload_delay` and more. All else that a server has
   * (its check, its limit) is that of the backend's `default-server`.
   *
   * @returns The names of those that it lacked; without any, nothing was changed.
   * @throws ConflictError when one of them is declared with another address: nothing was changed.
   * @throws PreconditionError when there is no such backend, or the file has servers that HAProxy does not have yet.
   * @throws RefusedError when HAProxy does not take the file: it goes on as it was.
   * @throws UnreachableError when the daemon does not answer, or not as asked.
   */
  declareServers(
    backend: string,
    servers: readonly ServerDeclaration[],
    options: DeclareOptions,
  ): Promise<readonly string[]>;
}

/** A write takes 50 ms, because the daemon runs `haproxy -c`: so many are done within an action's deadline. */
const waitingChanges = 64;

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
  readonly #reader: Reader;
  readonly #connection: Connection;
  readonly #queue = new SerialQueue(waitingChanges);
  readonly #meters: ReadonlyMap<string, BackendMeter>;
  #reloadWarning: string | undefined;

  constructor(options: DataplaneBalancerOptions, client: DataplaneClient) {
    this.name = options.name;
    this.#options = options;
    this.#client = client;
    this.#reader = new Reader(client, options);
    const { name, clock } = options;
    this.#connection = { name, clock, client, reader: this.#reader };
    this.#meters = new Map(options.backends.map((backend) => [backend, new BackendMeter()]));
  }

  async inspect(signal: AbortSignal): Promise<BalancerSnapshot> {
    const reading = await this.#ask(() => this.#reader.read(this.#options.backends, signal));
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
    options: DeclareOptions,
  ): Promise<readonly string[]> {
    validateName('backend', backend);
    for (const server of servers) {
      validateName('server', server.name);
    }
    return await this.#queue.run(options.signal, () =>
      this.#ask(() => declareServers(this.#connection, backend, servers, options)),
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
    const before = await this.#reader.read(names, signal);
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
      const after = await this.#reader.read(names, signal);
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
    before: HaproxyReading,
    signal: AbortSignal,
  ): Promise<void> {
    const isSo = isConverged({ backend, server, to }, before.backends);
    if (to === 'drain') {
      if (!isSo) {
        await this.#client.setRuntimeServer(backend, server, { admin_state: 'drain' }, signal);
      }
      return;
    }
    const wasWritten = await retry(this.#connection, signal, () =>
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
      await awaitReload(this.#connection, reloadId, worker, signal);
    }
    return true;
  }

  /** Tells the running HAProxy what the file says already. */
  async #tell(
    { backend, server, to }: ServerOrder,
    before: HaproxyReading,
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

  #verify(orders: readonly ServerOrder[], after: HaproxyReading): void {
    const missed = orders.filter((order) => !isConverged(order, after.backends));
    if (missed.length > 0) {
      const list = missed.map(({ backend, server, to }) => `${backend}/${server} to ${to}`);
      throw new UnreachableError(
        `balancer ${this.name} did not set ${list.join(', ')}, or was reloaded meanwhile`,
      );
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
        this.#reader.greetAnew();
      }
      const hint =
        error instanceof UnauthorizedError
          ? '; a service that runs reads `credentialsFile` and the files of `tls` anew when it is restarted'
          : '';
      throw new UnreachableError(`balancer ${this.name}: ${error.message}${hint}`, {
        cause: error,
      });
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
