/**
 * A node's phase, derived from the world on every tick and stored nowhere.
 *
 * ```
 *                  boot                 runs             check passed                    set ready
 *    (absent) ───────────▶ booting ─────────▶ warming ─────────────▶ out-of-rotation ───────────▶ in-service
 *        ▲                   │ deadline         │ deadline              │        ▲                     │ drain
 *        │                   ▼                  ▼                       │        └─────────────────────┘
 *        └──── destroy ── failed ◀──────────────┘                       │ not needed, and quiet or past its deadline
 *        └─────────────────────────────────── destroy ◀── stopping ◀────┘
 *    standby (paused | saved) ──wake──▶ warming      residue ──destroy──▶ (absent)
 *    unknown = its host or balancer does not answer                  conflict
 * ```
 */

import { nodeName, type ScaledTier } from './cluster.ts';
import { findExclusion, findHostDrain, findNodeOverride, type Override } from './override.ts';
import {
  haveAllAnswered,
  type ActionKind,
  type AdminState,
  type CheckState,
  type NodeSighting,
  type Observation,
  type ServerSighting,
} from './observation.ts';
import { bootDeadlineOf } from './start-times.ts';

export type NodePhase =
  | 'absent'
  | 'booting'
  | 'warming'
  | 'out-of-rotation'
  | 'in-service'
  | 'stopping'
  | 'failed'
  | 'standby'
  /** What an interrupted boot or teardown left on a host: it holds the number, and nobody waits for it. */
  | 'residue'
  | 'unknown'
  | 'conflict';

export interface Node {
  readonly name: string;
  readonly number: number;
  readonly phase: NodePhase;
  /** Undefined when no host shows a domain of this name. */
  readonly host: string | undefined;
  /** Birth of the present tenant; 0 when there is none. */
  readonly bornMs: number;
  /**
   * HAProxy sends it traffic and its check does not fail: it is capacity, whatever else is known. While no
   * balancer answers, everything that may run is taken for that: silence replaces nobody.
   */
  readonly serving: boolean;
  /** The same of each balancer that answers: only such a node may stand in for one that is let go. */
  readonly servingOnAll: boolean;
  /** HAProxy would send it traffic, but its check has failed for this long; 0 when it has not. */
  readonly sickForMs: number;
  /** Every balancer that is not excluded says what is on it, and no old worker may know better. */
  readonly sessionsKnown: boolean;
  /** Nothing is on it, and that is known. */
  readonly quiet: boolean;
  /** Its server is in maintenance on every balancer that answered, if any did. */
  readonly parked: boolean;
  /** Since the later of its birth and HAProxy's last change of its server. */
  readonly phaseAgeMs: number;
  /** It was drained because it was sick: nobody waits for it, unless its check passes again. */
  readonly leaving: boolean;
  /** Its memory lies in a file: to wake it takes room on its host. */
  readonly isSaved: boolean;
  /** Its host could not wake it: it is good for nothing any more. */
  readonly wakeRefused: boolean;
  /** Its host could not save it a while ago: it stands by awake. */
  readonly saveRefused: boolean;
  /** The override that forbids to drain, pause or destroy it. */
  readonly protectedBy: string | undefined;
  /** The override that asks to drain it. */
  readonly drainAskedBy: string | undefined;
  readonly operation: ActionKind | undefined;
}

/** Derives all nodes of a tier that are not simply absent, in the order of their numbers. */
export function deriveNodes(tier: ScaledTier, observation: Observation): readonly Node[] {
  const hostsComplete = haveAllAnswered(observation.hosts);
  const bootDeadlineMs = bootDeadlineOf(tier.policy.bootDeadlineMs, observation.bootTimeMs);
  const { oldWorkers, overrides } = observation;
  const around = { hostsComplete, oldWorkers, overrides, bootDeadlineMs };
  return observation.nodes.map((sighting) => deriveNode(tier, sighting, around));
}

/**
 * Counted against the maximum: every domain in any state, except one on a host that does not answer while
 * HAProxy reports it down.
 */
export function isPresent(node: Node): boolean {
  return node.phase !== 'absent' && (node.phase !== 'unknown' || node.serving);
}

interface Surroundings {
  /** Every host has answered at least once: a domain that none of them shows does not exist. */
  readonly hostsComplete: boolean;
  readonly oldWorkers: boolean;
  readonly overrides: readonly Override[];
  readonly bootDeadlineMs: number;
}

function deriveNode(tier: ScaledTier, sighting: NodeSighting, around: Surroundings): Node {
  const servers = summarize(sighting.servers, around.overrides);
  const domain = sighting.domains[0];
  const domainAgeMs = domain?.ageMs ?? Number.POSITIVE_INFINITY;
  const phaseAgeMs = Math.min(domainAgeMs, servers.sinceChangeMs);
  const sessionsKnown = servers.allAnswered && !around.oldWorkers;
  const phase = derivePhase(tier, sighting, servers, {
    hostsComplete: around.hostsComplete,
    sessionsKnown,
    phaseAgeMs,
    bootDeadlineMs: around.bootDeadlineMs,
  });
  const unheard = servers.admin === 'unknown';
  const mayRun =
    (domain === undefined || domain.state === 'running') && sighting.operation !== 'destroy';
  const isTakenForServing = unheard && phase === 'unknown' && mayRun;
  const tenant = { number: sighting.number, bornMs: domain?.bornMs ?? 0 };
  const protectedBy = findNodeOverride(around.overrides, 'protect', tenant)?.id;
  const drainAskedBy =
    findNodeOverride(around.overrides, 'drain', tenant)?.id ??
    findHostDrain(around.overrides, domain?.host)?.id;
  return {
    name: nodeName(tier, sighting.number),
    number: sighting.number,
    phase,
    host: domain?.host,
    bornMs: tenant.bornMs,
    serving: phase !== 'residue' && (servers.serving || isTakenForServing),
    servingOnAll: phase !== 'residue' && (servers.servingOnAll || isTakenForServing),
    sickForMs: servers.admin === 'ready' && !servers.serving ? servers.sinceChangeMs : 0,
    sessionsKnown,
    quiet: sessionsKnown && servers.sessions === 0,
    parked: unheard || servers.admin === 'maint',
    phaseAgeMs,
    leaving: sighting.leaving ?? false,
    isSaved: domain?.state === 'saved',
    wakeRefused: sighting.wakeRefused ?? false,
    saveRefused: sighting.saveRefused ?? false,
    protectedBy,
    // What is protected stays, whoever else asks.
    drainAskedBy: protectedBy === undefined ? drainAskedBy : undefined,
    operation: sighting.operation,
  };
}

/** Of a node that died, HAProxy's checks say so sooner, unless they are seldom; a host shows a new one sooner. */
const STRANGER_AFTER_MS = 15_000;
const STRANGER_AFTER_CHECKS = 2;

interface PhaseFacts {
  readonly hostsComplete: boolean;
  readonly sessionsKnown: boolean;
  readonly phaseAgeMs: number;
  readonly bootDeadlineMs: number;
}

function derivePhase(
  tier: ScaledTier,
  sighting: NodeSighting,
  servers: ServerSummary,
  { hostsComplete, sessionsKnown, phaseAgeMs, bootDeadlineMs }: PhaseFacts,
): NodePhase {
  const [domain, second] = sighting.domains;
  if (domain === undefined) {
    const checksMs = STRANGER_AFTER_CHECKS * tier.health.intervalMs;
    const isStranger = (sighting.strangerForMs ?? 0) > Math.max(STRANGER_AFTER_MS, checksMs);
    return phaseWithoutDomain(sighting.operation, servers, { hostsComplete, isStranger });
  }
  if (second !== undefined || domain.mark === 'foreign') {
    return 'conflict';
  }
  // Also while it is being destroyed: on a lost host that may take for ever, and must not fill the maximum.
  if (!domain.fresh) {
    return 'unknown';
  }
  const { operation } = sighting;
  const isResting = operation === 'save' || operation === 'pause';
  // A host calls what is being saved stopping as well: of ours it is known that it will stand by, and counts.
  if (operation === 'destroy' || (domain.state === 'stopping' && !isResting)) {
    return 'stopping';
  }
  const overdue = phaseAgeMs > bootDeadlineMs && operation === undefined;
  // Xen shows a guest that is just being built as paused, and before that there is only its disk.
  if (domain.state === 'being-made' || (domain.state !== 'running' && operation === 'boot')) {
    return overdue ? 'failed' : 'booting';
  }
  if (domain.state === 'residue') {
    return 'residue';
  }
  if (isResting) {
    return 'standby';
  }
  if (domain.state !== 'running') {
    const isIdle = sessionsKnown && servers.sessions === 0 && servers.admin !== 'ready';
    return phaseOfStandby(sighting, isIdle);
  }
  return phaseOfRunning(servers, overdue && sessionsKnown);
}

function phaseWithoutDomain(
  operation: ActionKind | undefined,
  servers: ServerSummary,
  { hostsComplete, isStranger }: { readonly hostsComplete: boolean; readonly isStranger: boolean },
): NodePhase {
  if (operation === 'boot') {
    return 'booting';
  }
  if (operation === 'destroy') {
    return 'stopping';
  }
  if (isStranger) {
    return 'conflict';
  }
  // A server in rotation whose check passes has something behind it that no host has shown yet: a host
  // that never answered, a stranger at our address, or a node that died a moment ago.
  const somethingAnswers = servers.serving;
  const mayBeHidden = !hostsComplete && servers.admin !== 'maint';
  return somethingAnswers || mayBeHidden ? 'unknown' : 'absent';
}

function phaseOfStandby({ operation, wakeRefused }: NodeSighting, isIdle: boolean): NodePhase {
  if (operation === 'wake') {
    return 'warming';
  }
  // Where it is not known whether somebody waits for it, it is left alone for now.
  return wakeRefused === true && operation === undefined && isIdle ? 'failed' : 'standby';
}

function phaseOfRunning(servers: ServerSummary, overdue: boolean): NodePhase {
  switch (servers.admin) {
    case 'unknown':
      return 'unknown';
    case 'ready':
      return 'in-service';
    case 'maint':
      // Newborn, or HAProxy came back without its states: never a failed boot, whatever its age.
      return 'warming';
    case 'drain':
      if (servers.checkPassed) {
        return 'out-of-rotation';
      }
      // A node with sessions is never failed: somebody is being served by it. Nor is one that a silent
      // balancer may still send traffic to.
      return overdue && servers.sessions === 0 ? 'failed' : 'warming';
  }
}

interface ServerSummary {
  readonly admin: 'unknown' | 'ready' | 'drain' | 'maint';
  readonly allAnswered: boolean;
  readonly serving: boolean;
  readonly servingOnAll: boolean;
  readonly checkPassed: boolean;
  readonly sessions: number;
  readonly sinceChangeMs: number;
}

/**
 * Combines a node's servers on all balancers: in rotation if any has it there, quiet only if all say so. Of an
 * excluded balancer only the sessions count, while it answers: nobody is cut off there either.
 */
function summarize(
  servers: readonly ServerSighting[],
  overrides: readonly Override[],
): ServerSummary {
  const counting =
    overrides.length === 0
      ? servers
      : servers.filter(({ balancer }) => findExclusion(overrides, balancer) === undefined);
  let admin: ServerSummary['admin'] = 'unknown';
  let checkPassed = true;
  let sinceChangeMs = Number.POSITIVE_INFINITY;
  const answered = counting.filter((server) => server.answered);
  for (const server of answered) {
    admin = strongerAdmin(admin, server.admin);
    checkPassed &&= server.check === 'passed';
    sinceChangeMs = Math.min(sinceChangeMs, server.sinceChangeMs);
  }
  return {
    admin,
    allAnswered: counting.length > 0 && answered.length === counting.length,
    serving: answered.some(isServing),
    servingOnAll: answered.length > 0 && answered.every(isServing),
    checkPassed,
    sessions: servers.reduce((sum, one) => sum + (one.answered ? one.sessions : 0), 0),
    sinceChangeMs,
  };
}

function isServing({ admin, check }: { readonly admin: AdminState; readonly check: CheckState }) {
  return admin === 'ready' && check !== 'failed';
}

const ADMIN_STRENGTH = { unknown: 0, maint: 1, drain: 2, ready: 3 } as const;

function strongerAdmin(
  one: ServerSummary['admin'],
  other: ServerSummary['admin'],
): ServerSummary['admin'] {
  return ADMIN_STRENGTH[one] >= ADMIN_STRENGTH[other] ? one : other;
}
