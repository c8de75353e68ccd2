/**
 * A Data Plane API daemon beside a real HAProxy: the stand-in, or a real one where the environment names its
 * binary (`RACKFIRE_DATAPLANEAPI_V2`, `RACKFIRE_DATAPLANEAPI_V3`).
 */

import { join } from 'node:path';
import { findFreePorts } from '../../../src/cli/demo/processes.ts';
import type { HaproxyRig } from '../haproxy-rig.ts';
import { startRealDaemon } from './real-daemon.ts';
import type { Faults } from './stand-in/faults.ts';
import { startStandIn } from './stand-in/stand-in.ts';

export type GenerationName = 'v2' | 'v3';

export interface ServerTls {
  /** PEM texts. */
  readonly certificate: string;
  readonly key: string;
  /** Only clients with a certificate of this authority are served. */
  readonly clientCa?: string;
}

export interface DaemonOptions {
  readonly generation: GenerationName;
  readonly haproxy: HaproxyRig;
  /** Default: 250 ms, so that a test does not wait long for a reload. */
  readonly reloadDelayMs?: number;
  readonly maxOpenTransactions?: number;
  readonly tls?: ServerTls;
  /** As if an operator had set `master_runtime`. */
  readonly isGivenMasterSocket?: boolean;
}

/** What either daemon is started with. */
export interface DaemonSettings {
  readonly generation: GenerationName;
  readonly haproxy: HaproxyRig;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly transactionFolder: string;
  readonly reloadDelayMs: number;
  readonly maxOpenTransactions: number;
  readonly tls: ServerTls | undefined;
  readonly isGivenMasterSocket: boolean;
}

/** One run of a daemon. */
export interface DaemonRun {
  /** What can be made to go wrong; a real daemon has no such switches. */
  readonly faults: Faults | undefined;
  /** Ends it at once, as SIGKILL does. */
  stop(): Promise<void>;
}

export interface Daemon extends AsyncDisposable {
  readonly generation: GenerationName;
  /** `stand-in`, or the real daemon's binary. */
  readonly runsOn: string;
  /** Without a path: `http://127.0.0.1:5555`. The same after a restart. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Of this run. */
  readonly faults: Faults | undefined;
  /** Ends it at once, as SIGKILL does; HAProxy goes on. */
  stop(): Promise<void>;
  /** Starts it again after `stop`, on the files as they are then. */
  start(): Promise<void>;
}

/** Where a real daemon of a generation is, if there is one. */
export function realDaemonOf(generation: GenerationName): string | undefined {
  const binary = process.env[`RACKFIRE_DATAPLANEAPI_${generation.toUpperCase()}`];
  return binary === undefined || binary === '' ? undefined : binary;
}

/** Starts a daemon of a generation; resolves when it answers. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { generation, haproxy, tls } = options;
  const [port = 0] = await findFreePorts(1);
  const settings: DaemonSettings = {
    generation,
    haproxy,
    port,
    tls,
    username: 'rackfire',
    password: 'secret:of-ours',
    transactionFolder: join(haproxy.folder, 'transactions'),
    reloadDelayMs: options.reloadDelayMs ?? 250,
    maxOpenTransactions: options.maxOpenTransactions ?? 20,
    isGivenMasterSocket: options.isGivenMasterSocket ?? false,
  };
  const binary = realDaemonOf(generation);
  const run = (): Promise<DaemonRun> =>
    binary === undefined ? runStandIn(settings) : startRealDaemon(binary, settings);

  let current = await run();
  return {
    generation,
    runsOn: binary ?? 'stand-in',
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    username: settings.username,
    password: settings.password,
    get faults() {
      return current.faults;
    },
    stop: () => current.stop(),
    start: async () => {
      current = await run();
    },
    [Symbol.asyncDispose]: () => current.stop(),
  };
}

async function runStandIn(settings: DaemonSettings): Promise<DaemonRun> {
  const { haproxy } = settings;
  return await startStandIn({
    ...settings,
    configPath: haproxy.configPath,
    socketPath: haproxy.socketPath,
    masterPid: () => haproxy.masterPid,
  });
}
