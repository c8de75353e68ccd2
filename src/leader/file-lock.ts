/** Leadership among the Rackfires of one machine, by a lease file. */

import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../control/clock.ts';
import { ConfigError } from '../control/errors.ts';
import { isNewer, type Term } from '../scaler/term.ts';
import { type Holder, type Lease, takeLease } from './lease-file.ts';
import {
  type ReadFileSystemType,
  readFileSystemType,
  requireUsablePlace,
  resolvePlace,
} from './lease-place.ts';
import type { Contender, Standing } from './standing.ts';

export type { FileLeadership };

export interface FileLeadershipOptions {
  /** The lease file. It is made when absent; its directory must exist, on a local file system. */
  readonly path: string;
  readonly clock: Clock;
  /** Told of each change, never twice of the same. Called within `term()`, too, so it must not throw or act. */
  readonly onChange?: (standing: Standing) => void;
  /** Where this machine says on what a file stands; a test says it for itself. */
  readonly readFileSystemType?: ReadFileSystemType;
}

/** How often a follower tries to take the lease. */
const RETRY_MS = 2_000;
/** How often the leader looks whether its file is still in place, whether or not anybody asks for the term. */
const CHECK_MS = 1_000;
/** How long a look at the file is believed. */
const BELIEF_MS = 250;
/**
 * How long a lease is held before it is acted on. Longer than `BELIEF_MS`, so that a leader whose file was
 * deleted or replaced has stopped when the one who locked the new file begins.
 */
const SETTLE_MS = 500;

/** The lease files that this process has open. @see lease-file.ts for what a second one would do */
const pathsInUse = new Set<string>();

/**
 * Contends for the lease at once and for as long as it is open: whoever has it keeps it until its process
 * ends, and then a follower takes over within 2.5 s. Each holder's term is newer than all before it, as long as
 * the file is kept.
 *
 * ```
 *   follower ──has the lock──▶ settling ──500 ms later, file in place──▶ leader
 *    ▲ tries every 2 s            │                                       │
 *    └───── file not in place ────┴───────────────────────────────────────┘
 * ```
 *
 * @throws ConfigError when the file cannot be used as it is configured.
 * @throws Error when this process has the same file open already.
 */
export function createFileLeadership(options: FileLeadershipOptions): FileLeadership {
  const path = resolvePlace(options.path);
  if (pathsInUse.has(path)) {
    throw new Error(`this process contends for the lease file ${path} already: close that first`);
  }
  return new FileLeadership({ ...options, path });
}

class FileLeadership implements Contender, AsyncDisposable {
  readonly started: Promise<'leader' | 'follower'>;
  readonly #settleStart: (answer: 'leader' | 'follower') => void;
  readonly #options: FileLeadershipOptions;
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;
  #closing: Promise<void> | undefined;
  #lease: Lease | undefined;
  #leads = false;
  #checkedMs = 0;
  #holder: Holder | undefined;
  #newestTerm: Term | undefined;
  #standing: Standing | undefined;

  constructor(options: FileLeadershipOptions) {
    const { promise, resolve } = Promise.withResolvers<'leader' | 'follower'>();
    this.started = promise;
    this.#settleStart = resolve;
    this.#options = options;
    // Not told of yet: see #keep.
    this.#contend();
    pathsInUse.add(options.path);
    this.#keeping = this.#keep();
  }

  term(): Term | undefined {
    const lease = this.#lease;
    if (lease === undefined || !this.#leads) {
      return undefined;
    }
    const isBelieved = this.#options.clock.steadyMs() - this.#checkedMs < BELIEF_MS;
    return isBelieved || this.#check(lease) ? lease.holder.term : undefined;
  }

  /** Who has the lease, as last read; a holder that died is still named until another one took over. */
  holder(): Holder | undefined {
    return this.#holder;
  }

  get trouble(): string | undefined {
    return this.#standing?.kind === 'blocked' ? this.#standing.error.message : undefined;
  }

  /** Gives the lease away: to be called when nothing acts any more. Calling it twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    await this.#keeping;
    this.#letGo();
    pathsInUse.delete(this.#options.path);
    this.#settleStart('follower');
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    // A first refusal may come from one that is just writing its name, or giving up: the second one counts.
    let paceMs = SETTLE_MS;
    for (;;) {
      try {
        await this.#options.clock.sleep(paceMs, signal);
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        throw error;
      }
      this.#turn();
      if (this.#lease === undefined) {
        this.#settleStart('follower');
        paceMs = RETRY_MS;
      } else {
        paceMs = this.#leads ? CHECK_MS : SETTLE_MS;
      }
    }
  }

  #turn(): void {
    const lease = this.#lease;
    if (lease !== undefined && this.#check(lease)) {
      this.#lead(lease);
      return;
    }
    try {
      if (!this.#contend()) {
        this.#tell({ kind: 'follower', holder: this.#holder });
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) {
        throw error;
      }
      this.#holder = undefined;
      this.#tell({ kind: 'blocked', error });
    }
  }

  #lead(lease: Lease): void {
    this.#leads = true;
    this.#tell({ kind: 'leader', holder: lease.holder });
    this.#settleStart('leader');
  }

  /** True when the lease is ours, to be acted on later. @throws ConfigError */
  #contend(): boolean {
    const { path, clock, readFileSystemType: readType = readFileSystemType } = this.#options;
    requireUsablePlace(path, readType);
    const { lease, holder } = takeLease(path, {
      pid: process.pid,
      hostName: hostname(),
      nowMs: clock.wallMs(),
      newestTerm: this.#newestTerm,
    });
    this.#lease = lease;
    if (holder !== undefined) {
      this.#holder = holder;
      if (this.#newestTerm === undefined || isNewer(holder.term, this.#newestTerm)) {
        this.#newestTerm = holder.term;
      }
    }
    return lease !== undefined;
  }

  /** False, and nothing held any more, when the file is not in its place. */
  #check(lease: Lease): boolean {
    this.#checkedMs = this.#options.clock.steadyMs();
    if (lease.isInPlace()) {
      return true;
    }
    const led = this.#leads;
    this.#letGo();
    if (led) {
      this.#tell({ kind: 'lost', why: 'its file was removed or replaced' });
    }
    return false;
  }

  #letGo(): void {
    this.#lease?.release();
    this.#lease = undefined;
    this.#leads = false;
    this.#holder = undefined;
  }

  #tell(standing: Standing): void {
    if (!isDeepStrictEqual(standing, this.#standing)) {
      this.#standing = standing;
      this.#options.onChange?.(standing);
    }
  }
}
