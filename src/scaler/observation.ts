/** All that one tick knows of one tier. Ages are computed at the edge, so no wall clock is read here. */

import type { BaseLoad } from './host-loss.ts';
import type { Override } from './override.ts';
import type { ScheduleSighting } from './schedule.ts';
import type { Term } from './term.ts';

/**
 * One reading of a signal. Only `ok` may let nodes go; `partial` and `stale` may ask for more; `absent`
 * says nothing. Empty, NaN, negative and infinite readings are `absent`.
 */
export type Sample<T> =
  | { readonly status: 'ok'; readonly value: T }
  | { readonly status: 'partial'; readonly value: T; readonly why: string }
  | { readonly status: 'stale'; readonly value: T; readonly ageMs: number }
  | { readonly status: 'absent'; readonly why: string };

/** Requests that wait at the balancers, and how fast waiting ones are served. */
export interface QueueReading {
  readonly requests: number;
  readonly servedRps: number;
}

/** Σ scur and Σ slim over the servers in rotation on the fullest balancer: each has slots of its own. */
export interface SlotReading {
  readonly used: number;
  readonly total: number;
}

export interface Signals {
  readonly requestRate: Sample<number>;
  readonly queue: Sample<QueueReading>;
  readonly slots: Sample<SlotReading>;
}

/** A domain as its host reported it. */
export interface DomainSighting {
  readonly host: string;
  readonly state: DomainState;
  /** `foreign`: our name, but not our UUID. */
  readonly mark: 'ours' | 'foreign';
  /** When this tenant of the name was made; identity, not arithmetic. */
  readonly bornMs: number;
  /** Time since the birth, or since the wall clock last jumped. */
  readonly ageMs: number;
  /** False when the host has not answered lately: this is what it said last. */
  readonly fresh: boolean;
}

/**
 * `saved`: its memory lies in a file, and no hypervisor lists it. `residue`: what an interrupted boot or teardown
 * left, a disk or a file without a domain; it cannot become a node any more.
 */
export type DomainState = 'being-made' | 'running' | 'paused' | 'saved' | 'stopping' | 'residue';

/** What can be done to a node; what is under way on one is known by the same word. */
export type ActionKind =
  | 'admit'
  | 'warm'
  | 'wake'
  | 'boot'
  | 'drain'
  | 'pause'
  | 'save'
  | 'park'
  | 'repair'
  | 'destroy';

/** A node's server on one balancer. */
export type ServerSighting =
  | { readonly balancer: string; readonly answered: false }
  | {
      readonly balancer: string;
      readonly answered: true;
      readonly admin: AdminState;
      readonly check: CheckState;
      /** Requests on the node or waiting for it alone. */
      readonly sessions: number;
      /** Since HAProxy last changed the server's state. */
      readonly sinceChangeMs: number;
    };

export type AdminState = 'ready' | 'drain' | 'maint';

/** `passed`: HAProxy shows exactly `UP` or `DRAIN`, which a tenant's first stale result cannot produce. */
export type CheckState = 'passed' | 'pending' | 'failed';

/** Everything known of one node number. Two domains of one name are both listed. */
export interface NodeSighting {
  readonly number: number;
  readonly domains: readonly DomainSighting[];
  readonly servers: readonly ServerSighting[];
  /** This tenant was drained because it was sick. */
  readonly leaving?: boolean;
  /** For so long, something has answered HAProxy's check here that no host shows; absent when it does not. */
  readonly strangerForMs?: number;
  /** It was woken, and its check has not been seen to pass since. */
  readonly woken?: true;
  /** Its host could not wake this tenant: its file is broken, or it has no room. */
  readonly wakeRefused?: true;
  /** Its host could not save this tenant a while ago, and is not asked again yet. */
  readonly saveRefused?: true;
  /** An action of ours that has not yet been seen in a later snapshot. */
  readonly operation?: ActionKind;
}

/** A host's room, net of its reserve and of what is in flight. */
export interface HostSighting {
  readonly name: string;
  readonly reachable: boolean;
  /** False until the host has answered once: what it runs is not known. */
  readonly everAnswered: boolean;
  /** It has not acknowledged our term yet: it may still take orders of whoever led before. Left out otherwise. */
  readonly fenced?: false;
  readonly freeMemoryMiB: number;
  readonly freeVcpus: number;
  readonly freeDiskMiB: number;
  /** Boots and wakes under way there. */
  readonly startsInFlight: number;
  readonly circuit: Circuit;
  /** Until when no boot is tried there; left out unless the circuit is open. */
  readonly circuitOpenUntilMs?: number;
  /** Failed boots there within the breaker's window. */
  readonly recentFailures: number;
  /** Hosts of one failure domain may be lost together; left out, it is the host's own. */
  readonly failureDomain?: string;
  /** Base nodes of all tiers there; left out while the loss of a host is not provided for. */
  readonly base?: readonly BaseLoad[];
}

/** A domain that none of them shows does not exist. */
export function haveAllAnswered(hosts: readonly HostSighting[]): boolean {
  return hosts.every(({ everAnswered }) => everAnswered);
}

/** `half-open` admits one probe. */
export type Circuit = 'closed' | 'half-open' | 'open';

/** A balancer, as far as all tiers are concerned. */
export interface BalancerSighting {
  readonly name: string;
  /** It did so lately, and no question has failed since. */
  readonly answers: boolean;
}

export interface Observation {
  /** Steady time: never jumps, comparable between ticks of one process. */
  readonly atMs: number;
  readonly term: Term;
  readonly signals: Signals;
  /** Each number that has a domain, an operation, or a server out of maintenance. */
  readonly nodes: readonly NodeSighting[];
  readonly hosts: readonly HostSighting[];
  /** All of the config, excluded ones, too. */
  readonly balancers?: readonly BalancerSighting[];
  /**
   * When one of several last fell silent, came back, was reloaded, excluded or included: until the visitors have
   * settled, their way from one to another looks like a storm or a calm. Left out, never.
   */
  readonly balancersChangedAtMs?: number;
  /** True while a reloaded HAProxy's old workers may still serve: sessions cannot be counted. */
  readonly oldWorkers: boolean;
  /** Numbers that rest after a failure, or that a conflict blocks. */
  readonly blockedNumbers: readonly number[];
  /** The breaker of this tier's boots. */
  readonly circuit: Circuit;
  /** Until when none is tried; left out unless the circuit is open. */
  readonly circuitOpenUntilMs?: number;
  /** How many more nodes the installation's `limits.maxNodes` leaves. */
  readonly fleetRoom: number;
  readonly concurrentBootsPerHost: number;
  /** Measured time from order to service; undefined before the first boot. */
  readonly bootTimeMs: number | undefined;
  /** Those in force, the oldest first. */
  readonly overrides: readonly Override[];
  /** So many hosts may be lost and the base nodes of all tiers still fit; left out, none. */
  readonly hostFailuresToTolerate?: number;
  /** What each way of coming took lately; left out before the first. */
  readonly startTimes?: readonly StartTime[];
  /** All of the tier, in the order of the config; left out where there is none. */
  readonly schedules?: readonly ScheduleSighting[];
}

/** How a node comes: booted from its image, from the file with its memory, or from where it was frozen. */
export type StartKind = 'cold' | 'saved' | 'paused';

/** From the order to the first passed check. */
export interface StartTime {
  readonly imageVersion: string;
  readonly host: string;
  readonly start: StartKind;
  /** The 80th percentile of the latest. */
  readonly timeMs: number;
}
