/** Reads what HAProxy says at one moment, of one worker, through the daemon. */

import type { Clock } from '../../control/clock.ts';
import { UnreachableError } from '../../control/errors.ts';
import type { BackendReading } from '../haproxy/reports.ts';
import { RestoredChecks } from '../haproxy/restored-checks.ts';
import { NotFoundError } from './client-errors.ts';
import type { DataplaneClient } from './client.ts';
import { areOlderThan, readBackend } from './readings.ts';
import { refuseRelease } from './releases.ts';
import type { NativeStat, RuntimeServer } from './types.ts';
import { ReloadedMeanwhileError, type Worker, WorkerEpochs } from './worker-epoch.ts';

/** A worker from before a reload answers only in the first moments of the new one. */
const youngMs = 10_000;

/** What HAProxy says at one moment. */
export interface HaproxyReading {
  readonly worker: Worker;
  readonly oldWorkers: boolean;
  readonly backends: ReadonlyMap<string, BackendReading>;
  /** By backend: what the daemon believes, which is not always so. */
  readonly listed: ReadonlyMap<string, readonly RuntimeServer[]>;
  readonly atMs: number;
}

export class Reader {
  readonly #name: string;
  readonly #client: DataplaneClient;
  readonly #clock: Clock;
  readonly #hardStopAfterMs: number;
  readonly #epochs = new WorkerEpochs();
  readonly #restored = new RestoredChecks();
  #isGreeted = false;

  constructor(
    client: DataplaneClient,
    of: { readonly name: string; readonly clock: Clock; readonly hardStopAfterMs: number },
  ) {
    this.#name = of.name;
    this.#client = client;
    this.#clock = of.clock;
    this.#hardStopAfterMs = of.hardStopAfterMs;
  }

  /** Another release may come up in the daemon's place: it is asked again which one it is. */
  greetAnew(): void {
    this.#isGreeted = false;
    this.#client.forgetApi();
  }

  /** @throws ReloadedMeanwhileError when one worker took over from another in between. */
  async read(names: readonly string[], signal: AbortSignal): Promise<HaproxyReading> {
    const worker = await this.worker(signal);
    const listed = new Map(
      await Promise.all(
        names.map(async (name) => [name, await this.#listServers(name, signal)] as const),
      ),
    );
    const stats = await this.#client.stats(signal);
    const after = await this.worker(signal);
    const isMixed = after.uptimeMs < youngMs && areOlderThan(stats, after.uptimeMs);
    if (worker.epoch !== after.epoch || isMixed) {
      throw new ReloadedMeanwhileError(`balancer ${this.#name} was reloaded while it was asked`);
    }
    return {
      worker,
      oldWorkers: after.uptimeMs < this.#hardStopAfterMs,
      backends: this.#readBackends(after, listed, stats),
      listed,
      atMs: this.#clock.steadyMs(),
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

  /** @throws UnreachableError when the daemon is of a release that is refused. */
  async worker(signal: AbortSignal): Promise<Worker> {
    if (!this.#isGreeted) {
      const { api } = await this.#client.info(signal);
      const refusal = refuseRelease(api?.version);
      if (refusal !== undefined) {
        throw new UnreachableError(`balancer ${this.#name}: ${refusal}`);
      }
      this.#isGreeted = true;
    }
    const askedAtMs = this.#clock.steadyMs();
    const state = await this.#client.process(signal);
    return this.#epochs.note(state, { askedAtMs, answeredAtMs: this.#clock.steadyMs() });
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
}
