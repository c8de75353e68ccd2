/**
 * A client of HAProxy's Data Plane API, 2.x and 3.x alike. It depends on nothing else of this program.
 *
 * It asks once and decides nothing: no retries, no waiting. Each method rejects with a class of `client-errors.ts`,
 * which says what to do next.
 *
 * @see https://www.haproxy.com/documentation/haproxy-data-plane-api/
 */

import { DaemonError, NotFoundError } from './client-errors.ts';
import { described, type Dialect, fill, listOf } from './dialect.ts';
import type { paths as PathsV2 } from './generated/v2.d.ts';
import type { paths as PathsV3 } from './generated/v3.d.ts';
import { type Answer, type Ask, createHttp, type HttpOptions } from './http.ts';
import type {
  ConfiguredServer,
  DaemonInfo,
  NativeStat,
  ProcessState,
  Reload,
  RuntimeServer,
  Transaction,
} from './types.ts';
import { v2 } from './v2.ts';
import { v3 } from './v3.ts';

/** What a change of the configuration is part of: one of its own on that version, or a transaction. */
export type At = { readonly version: number } | { readonly transactionId: string };

/** `reloadId` when HAProxy is yet to be reloaded before what was written is in force. */
export interface Written {
  readonly reloadId: string | undefined;
}

/** What both descriptions have. */
type CommonPath = keyof PathsV2 & keyof PathsV3;

const newestFirst = [v3, v2];

export class DataplaneClient {
  readonly #http: (ask: Ask, signal: AbortSignal) => Promise<Answer>;
  #dialect: Dialect | undefined;

  /** @throws TypeError when the url cannot be used, or Error when the TLS material cannot. */
  constructor(options: HttpOptions) {
    this.#http = createHttp(options);
  }

  /** Asks the daemon who it is, and which API it speaks. */
  async info(signal: AbortSignal): Promise<DaemonInfo & { readonly base: '/v2' | '/v3' }> {
    let missing: NotFoundError | undefined;
    for (const dialect of newestFirst) {
      try {
        const path = `${dialect.base}${fill('/info' satisfies CommonPath)}`;
        const { body } = await this.#http({ method: 'GET', path }, signal);
        this.#dialect = dialect;
        return { ...described<DaemonInfo>(body), base: dialect.base };
      } catch (error) {
        if (!(error instanceof NotFoundError)) {
          throw error;
        }
        missing = error;
      }
    }
    throw new DaemonError(`neither /v3 nor /v2 of a Data Plane API is there: ${missing?.message}`);
  }

  /** HAProxy's `show info`. */
  async process(signal: AbortSignal): Promise<ProcessState> {
    const { readProcess } = await this.#speak(signal);
    const body = await this.#get('/services/haproxy/runtime/info', signal);
    return known(readProcess(body), 'HAProxy says nothing of its process');
  }

  /**
   * HAProxy's `show stat`: all frontends, backends and servers.
   *
   * @throws DaemonError when there are none: that is unknown, and never "no servers".
   */
  async stats(signal: AbortSignal): Promise<readonly NativeStat[]> {
    const { readStats } = await this.#speak(signal);
    const body = await this.#get('/services/haproxy/stats/native', signal);
    return known(
      readStats(body),
      'HAProxy gives no statistics: take "master_runtime" out of its file, so that it uses the stats socket',
    );
  }

  /**
   * HAProxy's `show servers state`.
   *
   * @throws NotFoundError when there is no such backend; 2.x answers with an empty list then.
   */
  async runtimeServers(backend: string, signal: AbortSignal): Promise<readonly RuntimeServer[]> {
    const { runtimeServers } = await this.#speak(signal);
    const { body } = await this.#http({ method: 'GET', ...runtimeServers(backend) }, signal);
    return known(listOf(described<readonly RuntimeServer[]>(body)), 'HAProxy lists no servers');
  }

  /**
   * Changes a running server; a reload forgets it. A field that the daemon believes to be so already is not sent to
   * HAProxy, and what it believes of `admin_state` is not always so: see `RuntimeServer`.
   */
  async setRuntimeServer(
    backend: string,
    server: string,
    to: Pick<RuntimeServer, 'admin_state' | 'operational_state'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { runtimeServer } = await this.#speak(signal);
    await this.#http({ method: 'PUT', ...runtimeServer(backend, server), body: to }, signal);
  }

  async configurationVersion(signal: AbortSignal): Promise<number> {
    await this.#speak(signal);
    const version = await this.#get('/services/haproxy/configuration/version', signal);
    return known(typeof version === 'number' ? version : undefined, 'no version of the file');
  }

  /** HAProxy's whole configuration file, as the daemon writes it. */
  async configurationText(signal: AbortSignal): Promise<string> {
    const { base, isRawJson } = await this.#speak(signal);
    const path = `${base}${fill('/services/haproxy/configuration/raw')}`;
    const { body } = await this.#http({ method: 'GET', path, isText: !isRawJson }, signal);
    const text = isRawJson ? described<{ readonly data?: unknown }>(body)?.data : body;
    return known(typeof text === 'string' ? text : undefined, 'not with the configuration file');
  }

  /** @throws NotFoundError when there is no such backend; some releases answer with an empty list then. */
  async servers(backend: string, signal: AbortSignal): Promise<readonly ConfiguredServer[]> {
    const { configuredServers, readConfiguredServers } = await this.#speak(signal);
    const { body } = await this.#http({ method: 'GET', ...configuredServers(backend) }, signal);
    return known(readConfiguredServers(body), `no list of the servers of ${backend}`);
  }

  /**
   * Replaces a declared server. Where nothing but `maintenance`, `address`, `port` or `weight` is another than before,
   * HAProxy is told at once, and not reloaded. A field that is left out is another one.
   */
  async replaceServer(
    backend: string,
    server: ConfiguredServer,
    at: At,
    signal: AbortSignal,
  ): Promise<Written> {
    const { configuredServer } = await this.#speak(signal);
    const { path, query } = configuredServer(backend, server.name);
    return await this.#http(
      { method: 'PUT', path, query: { ...query, ...queryOf(at) }, body: server },
      signal,
    );
  }

  /** @throws AlreadyExistsError */
  async createServer(
    backend: string,
    server: ConfiguredServer,
    at: At,
    signal: AbortSignal,
  ): Promise<Written> {
    const { configuredServers } = await this.#speak(signal);
    const { path, query } = configuredServers(backend);
    return await this.#http(
      { method: 'POST', path, query: { ...query, ...queryOf(at) }, body: server },
      signal,
    );
  }

  /** @returns The transaction's id. Whoever starts one deletes it, unless it was committed. */
  async startTransaction(version: number, signal: AbortSignal): Promise<string> {
    const path = await this.#path('/services/haproxy/transactions', signal);
    const { body } = await this.#http({ method: 'POST', path, query: { version } }, signal);
    return known(described<Transaction>(body)?.id, 'a transaction without id');
  }

  /** Puts all of it in force at once: with a reload, whatever it holds. */
  async commitTransaction(id: string, signal: AbortSignal): Promise<Written> {
    const path = await this.#path('/services/haproxy/transactions/{id}', signal, { id });
    return await this.#http({ method: 'PUT', path }, signal);
  }

  /** One that is not there is a success. */
  async deleteTransaction(id: string, signal: AbortSignal): Promise<void> {
    const path = await this.#path('/services/haproxy/transactions/{id}', signal, { id });
    try {
      await this.#http({ method: 'DELETE', path }, signal);
    } catch (error) {
      if (!(error instanceof NotFoundError)) {
        throw error;
      }
    }
  }

  /** @throws NotFoundError when it is forgotten: of those that succeeded, only the latest is kept. */
  async reload(id: string, signal: AbortSignal): Promise<Reload> {
    await this.#speak(signal);
    const body = await this.#get('/services/haproxy/reloads/{id}', signal, { id });
    return known(described<Reload>(body), `nothing of reload ${id}`);
  }

  /** A daemon that was replaced by one of the other API has none of the paths: it is asked again who it is. */
  forgetApi(): void {
    this.#dialect = undefined;
  }

  async #get(
    template: CommonPath,
    signal: AbortSignal,
    parameters?: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    const path = await this.#path(template, signal, parameters);
    const { body } = await this.#http({ method: 'GET', path }, signal);
    return body;
  }

  async #path(
    template: CommonPath,
    signal: AbortSignal,
    parameters?: Readonly<Record<string, string>>,
  ): Promise<string> {
    const { base } = await this.#speak(signal);
    return `${base}${fill(template, parameters)}`;
  }

  async #speak(signal: AbortSignal): Promise<Dialect> {
    if (this.#dialect === undefined) {
      await this.info(signal);
    }
    return known(this.#dialect, 'it does not say which API it speaks');
  }
}

function queryOf(at: At): Readonly<Record<string, string | number>> {
  return 'version' in at ? { version: at.version } : { transaction_id: at.transactionId };
}

function known<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined || value === null) {
    throw new DaemonError(`the daemon answered, but ${otherwise}`);
  }
  return value;
}
