/** What the loop needs from the world. Adapters implement these and never import each other. */

import type { Mode, ScaledTier } from '../scaler/cluster.ts';
import type { TierMemory } from '../scaler/decide.ts';
import type {
  AdminState,
  CheckState,
  DomainState,
  Observation,
  Sample,
} from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import type { TierTick } from '../scaler/tick.ts';
import type { EventRecord, GivenOverride, TierTicked } from './events.ts';

/** A domain on a host, with the marks that its host keeps for it. */
export interface DomainReport {
  readonly name: string;
  readonly uuid: string;
  readonly state: DomainState;
  /** Wall clock of the birth, from the domain's own marks; 0 when it carries none. */
  readonly bornMs: number;
  readonly imageVersion: string;
  /** What it takes from its host now: a saved one takes no memory and no vCPUs, and its file counts as disk. */
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** One answer of a host. Totals are what the host has for guests, its own needs already taken off. */
export interface HostSnapshot {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
  /** Every domain there that carries a mark of this installation, or a name that such a domain could have. */
  readonly domains: readonly DomainReport[];
}

/** All that a host needs to make a node: nothing is left to choose. */
export interface BootOrder {
  readonly name: string;
  readonly uuid: string;
  readonly bornMs: number;
  readonly address: string;
  readonly port: number;
  readonly mac: string;
  readonly imageName: string;
  readonly imageVersion: string;
  /** What its guest is to have. */
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
  readonly term: Term;
}

/** One tenant of a name; never the next one. */
export interface DomainRef {
  readonly name: string;
  readonly uuid: string;
  readonly bornMs: number;
  readonly term: Term;
}

/** How fast a host is when it is well. */
export interface HostPace {
  /** How long to wait between an answer and the next question; the second, while something changes there. */
  readonly intervalMs: number;
  readonly busyIntervalMs: number;
  /** A question that takes longer has failed, for now. */
  readonly answerWithinMs: number;
  /** A host that has not answered for so long is not known any more. */
  readonly staleAfterMs: number;
  /** An order that takes longer is given up; what became of it, the next snapshots say. */
  readonly actWithinMs: number;
}

/**
 * One host. Every method is idempotent: what is already so is a success. All of them reject with
 * `UnreachableError` when the host does not answer and nothing was sent, and with `OutcomeUnknownError`
 * when an order was sent and its answer was lost.
 */
export interface Hypervisor {
  readonly host: string;
  readonly pace: HostPace;
  /** @throws UnreachableError */
  inspect(signal: AbortSignal): Promise<HostSnapshot>;
  /**
   * Shows the host the term that is in force: from then on it takes no orders of an older one, and boots by this one
   * alone. Left out where a host takes orders of one process only.
   *
   * @throws PreconditionError when it was shown a newer one.
   */
  fence?(term: Term, signal: AbortSignal): Promise<void>;
  /**
   * Makes and starts a domain; resolves when the host has it, not when it serves.
   *
   * @throws RefusedError when the host cannot have it (no room): place elsewhere.
   * @throws ConflictError when its name or its address is somebody else's there: take another number.
   */
  create(order: BootOrder, signal: AbortSignal): Promise<void>;
  /** Freezes a running domain, memory kept. @throws PreconditionError when this tenant is not there. */
  pause(ref: DomainRef, signal: AbortSignal): Promise<void>;
  /**
   * Puts a running domain's memory into a file and gives the memory back.
   *
   * @throws RefusedError when the host cannot (no room for the file).
   * @throws PreconditionError when this tenant is not there.
   */
  save(ref: DomainRef, signal: AbortSignal): Promise<void>;
  /**
   * Lets a paused or saved domain run.
   *
   * @throws RefusedError when the host cannot have it (no room for its memory, a file that cannot be read).
   * @throws PreconditionError when this tenant is not there.
   */
  wake(ref: DomainRef, signal: AbortSignal): Promise<void>;
  /** Shuts a domain down, by force at the deadline, and removes what was made for it. Absent is a success. */
  destroy(ref: DomainRef, signal: AbortSignal): Promise<void>;
  /** Ends what it holds open to the host; what runs there runs on. Nothing is asked of it any more. */
  close?(): void;
}

/** One declared server. */
export interface ServerReport {
  readonly name: string;
  readonly admin: AdminState;
  readonly check: CheckState;
  readonly sessions: number;
  readonly sinceChangeMs: number;
}

/** One backend: its servers and the readings of its traffic. */
export interface BackendReport {
  readonly servers: readonly ServerReport[];
  /** Requests that arrived, per second, over the last second or so. */
  readonly requestRate: Sample<number>;
  /** Requests answered, per second, over the same time. */
  readonly servedRate: Sample<number>;
  /** Requests that wait in the backend's queue now. */
  readonly queued: number;
  /** In the queue, to connect, and to the answer: the average of the latest requests; left out before the first. */
  readonly responseTimeMs?: number;
  /** Answers of the status 5xx since this port was first asked, whatever has been reloaded; left out, none. */
  readonly failedResponses?: number;
  /** Σ scur and Σ slim of the servers in rotation that pass their checks. */
  readonly usedSlots: number;
  readonly totalSlots: number;
}

/** One answer of a balancer. */
export interface BalancerSnapshot {
  /** Changes with each reload and restart. */
  readonly epoch: string;
  /** True while a worker from before a reload may still serve: sessions shown are not all there are. */
  readonly oldWorkers: boolean;
  /** By backend name; a backend that the balancer does not have is missing. */
  readonly backends: ReadonlyMap<string, BackendReport>;
  /** What a person should look at tomorrow, though nothing failed: an unwritable state file, a server without check. */
  readonly warnings?: readonly string[];
}

/** What must hold at the moment of the change. */
export type ServerPrecondition = 'none' | 'check-passed' | 'quiet';

export interface ServerChange {
  readonly backend: string;
  readonly server: string;
  readonly to: AdminState;
  readonly requires: ServerPrecondition;
}

/**
 * One HAProxy. It is the source of traffic signals, too: one question answers both.
 * A server that is in the asked state already is a success and nothing is sent.
 */
export interface LoadBalancer {
  readonly name: string;
  /** @throws UnreachableError */
  inspect(signal: AbortSignal): Promise<BalancerSnapshot>;
  /**
   * Sets states, reads them back, and makes them survive a reload.
   *
   * @throws PreconditionError when a `requires` does not hold; that server is left as it was.
   * @throws UnreachableError when the balancer does not answer, or not as asked.
   */
  setServers(changes: readonly ServerChange[], signal: AbortSignal): Promise<void>;
}

/** Who may act. */
export interface Leadership {
  /** The term in force, or `undefined` when this process must not act. Asked before every action. */
  term(): Term | undefined;
}

/** A decision with all that its result depends on: replaying `tickTier` on it gives the same `tick`. */
export interface KeptDecision {
  /** Wall clock; the times within are steady ones. */
  readonly atMs: number;
  readonly tier: ScaledTier;
  readonly mode: Mode;
  readonly observation: Observation;
  readonly memory: TierMemory;
  readonly tick: TierTick;
}

export interface JournalHealth {
  /** `failing`: what happens now is not kept. `refused`: a newer program has written the file. */
  readonly state: 'writing' | 'failing' | 'refused';
  /** Why it is not writing; or, while it is, what befell the file before. */
  readonly why: string | undefined;
  /** Since when, by the wall clock. */
  readonly sinceMs: number;
  /** Records that were not kept, since the start. */
  readonly droppedRecords: number;
}

/** Times are of the wall clock; both ends belong to the range. */
export interface EventQuery {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly cluster?: string;
  readonly tier?: string;
  /** The latest so many. */
  readonly limit: number;
}

/**
 * What is remembered. Appending never throws and never waits; whatever befalls the file, scaling goes on.
 * Questions are rejected with `UnreachableError` while it cannot be read.
 */
export interface Journal {
  readonly health: JournalHealth;
  appendTick(ticked: TierTicked): void;
  appendEvent(record: EventRecord): void;
  /** The oldest first. */
  events(query: EventQuery): Promise<readonly EventRecord[]>;
  /** The latest at or before this moment. @param tier - `cluster/tier`. */
  decisionAt(tier: string, atMs: number): Promise<KeptDecision | undefined>;
  /** The latest so many of the time between, the oldest first. */
  decisions(
    tier: string,
    range: { readonly fromMs: number; readonly untilMs: number; readonly limit: number },
  ): Promise<readonly KeptDecision[]>;
  loadOverrides(): Promise<readonly GivenOverride[]>;
  /** Resolves when it will survive a restart. */
  saveOverride(given: GivenOverride): Promise<void>;
  deleteOverride(id: string): Promise<void>;
  /** Writes what is left, within bounds. */
  close(): Promise<void>;
}
