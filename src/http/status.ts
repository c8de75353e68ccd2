/** The service, as the status answer has it. */

import type { Refusal } from '../config/config-keeper.ts';
import { formatDuration } from '../config/units.ts';
import type { TierTicked } from '../control/events.ts';
import type { Shortfall } from '../scaler/boot-nodes.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { Decision } from '../scaler/decide.ts';
import { stormEndsAtMs } from '../scaler/explain-outlook.ts';
import type { Node } from '../scaler/node-phase.ts';
import type { HostSighting, NodeSighting, Sample } from '../scaler/observation.ts';
import { boundsAt, type ScheduleSighting } from '../scaler/schedule.ts';
import { answerOverride } from './override-answer.ts';
import type { ServiceView } from './service-view.ts';
import type {
  DecisionSummary,
  FixedTierAnswer,
  NodeAnswer,
  OutlookAnswer,
  RefusalAnswer,
  ScaledTierAnswer,
  ScheduleAnswer,
  ShortfallAnswer,
  SignalsAnswer,
  StatusAnswer,
} from './status-answer.ts';
import { finiteOrNull, formatTime } from './values.ts';

/** Steady time → text. */
export type FormatSteady = (atMs: number) => string;

/** Both clocks are read one after the other: a schedule that ends at 18:00 is not to end at 17:59:59.999. */
const CLOCK_GRAIN_MS = 10;

/** Steady times as of now; the wall clock may have been another one when they were. */
export function formatSteadyOf({ clock }: ServiceView): FormatSteady {
  return formatSteadyBy(clock.wallMs() - clock.steadyMs());
}

/** @param offsetMs - The wall clock minus the steady one. */
export function formatSteadyBy(offsetMs: number): FormatSteady {
  return (atMs) => formatTime(Math.round((offsetMs + atMs) / CLOCK_GRAIN_MS) * CLOCK_GRAIN_MS);
}

export function describeStatus(service: ServiceView): StatusAnswer {
  const { clock, controller, keeper, version } = service;
  const { tickAgeMs } = controller;
  const { refusal } = keeper;
  return {
    at: formatTime(clock.wallMs()),
    version,
    startedAt: formatTime(service.startedAtMs),
    lastTickAt: Number.isFinite(tickAgeMs) ? formatTime(clock.wallMs() - tickAgeMs) : null,
    leader: describeLeader(service),
    config: {
      file: keeper.current.source.file,
      loadedAt: formatTime(keeper.loadedAtMs),
      refusal: refusal === undefined ? null : describeRefusal(refusal),
    },
    journal: describeJournal(service),
    silentSources: controller.failingSources,
    failingActions: describeFailingActions(service),
    hosts: describeHosts(service),
    balancers: describeBalancers(service),
    clusters: describeClusters(service),
  };
}

export function describeRefusal({ atMs, message, problems }: Refusal): RefusalAnswer {
  return { at: formatTime(atMs), message, problems };
}

function describeLeader({ leadership }: ServiceView): StatusAnswer['leader'] {
  const holder = leadership.holder();
  const term = leadership.term();
  return {
    isLeader: term !== undefined,
    driver: leadership.driver,
    holder:
      holder === undefined
        ? null
        : {
            name: holder.name,
            since: holder.sinceMs === undefined ? null : formatTime(holder.sinceMs),
          },
    trouble: leadership.trouble ?? null,
    term:
      term === undefined
        ? null
        : {
            createdAt: formatTime(term.createdAtSeconds * 1000),
            transitions: term.transitions,
          },
  };
}

function describeJournal({ journal }: ServiceView): StatusAnswer['journal'] {
  if (journal === undefined) {
    return null;
  }
  const { state, why, sinceMs, droppedRecords } = journal.health;
  return { state, why: why ?? null, since: formatTime(sinceMs), droppedRecords };
}

function describeFailingActions(service: ServiceView): StatusAnswer['failingActions'] {
  const format = formatSteadyOf(service);
  return service.controller.failingActions.map(({ tier, action, failures, sinceMs, why }) => ({
    tier,
    node: action.node,
    action: action.kind,
    balancer: action.kind === 'repair' ? action.balancer : null,
    failures,
    since: format(sinceMs),
    why,
  }));
}

/** As the latest tick of any tier saw them: they are the same for all. */
function describeHosts(service: ServiceView): StatusAnswer['hosts'] {
  const { controller, overrides } = service;
  const format = formatSteadyOf(service);
  return (latestTick(controller)?.observation.hosts ?? []).map((host) => ({
    name: host.name,
    reachable: host.reachable,
    fenced: host.fenced !== false,
    freeMemoryMiB: host.freeMemoryMiB,
    freeVcpus: host.freeVcpus,
    freeDiskMiB: host.freeDiskMiB,
    startsInFlight: host.startsInFlight,
    circuit: host.circuit,
    circuitOpenUntil: formatOpenUntil(host, format),
    recentFailures: host.recentFailures,
    overrides: overrides
      .all()
      .filter(({ word }) => word.kind === 'drain-host' && word.host === host.name)
      .map(answerOverride),
  }));
}

/** As the latest tick of any tier saw them; in sync when that holds for each tier. */
function describeBalancers({ controller, overrides }: ServiceView): StatusAnswer['balancers'] {
  const drifting = new Set(
    [...controller.ticks.values()].flatMap(({ tick }) =>
      (tick.plan.drift ?? []).map(({ balancer }) => balancer),
    ),
  );
  const { balancers = [] } = latestTick(controller)?.observation ?? {};
  return balancers.map(({ name, answers }) => ({
    name,
    answers,
    inSync: answers && !drifting.has(name),
    overrides: overrides
      .all()
      .filter(({ word }) => word.kind === 'exclude-balancer' && word.balancer === name)
      .map(answerOverride),
  }));
}

function latestTick({ ticks }: ServiceView['controller']): TierTicked | undefined {
  const [latest] = [...ticks.values()].toSorted(
    (one, other) => other.observation.atMs - one.observation.atMs,
  );
  return latest;
}

/** Tiers of the config first, then those that a reload took out of it and that are still seen. */
function describeClusters(service: ServiceView): StatusAnswer['clusters'] {
  const { controller, keeper, removedTiers } = service;
  const byCluster = new Map<string, (ScaledTierAnswer | FixedTierAnswer)[]>();
  const add = (cluster: string, tier: ScaledTierAnswer | FixedTierAnswer): void => {
    byCluster.set(cluster, [...(byCluster.get(cluster) ?? []), tier]);
  };
  for (const cluster of keeper.current.config.clusters) {
    for (const tier of cluster.tiers) {
      const key = tierKey(tier);
      add(
        cluster.name,
        tier.scaling === 'automatic'
          ? describeScaledTier(service, { tier, mode: cluster.mode, removed: false })
          : describeFixedTier(service, key, false),
      );
    }
  }
  for (const key of removedTiers) {
    const [cluster = ''] = key.split('/');
    const ticked = controller.ticks.get(key);
    if (ticked !== undefined) {
      add(cluster, describeScaledTier(service, { ...ticked, removed: true }));
    } else if (controller.fixed.has(key)) {
      add(cluster, describeFixedTier(service, key, true));
    }
  }
  return [...byCluster].map(([name, tiers]) => ({ name, tiers }));
}

function describeFixedTier(
  { controller }: ServiceView,
  tier: string,
  removed: boolean,
): FixedTierAnswer {
  const nodes = controller.fixed.get(tier) ?? [];
  return {
    scaling: 'none',
    tier,
    removed,
    nodes: nodes.map(({ name, phase, host }) => ({ name, phase, host: host ?? null })),
  };
}

function describeScaledTier(
  service: ServiceView,
  {
    tier,
    mode,
    removed,
  }: Pick<TierTicked, 'mode'> & { readonly tier: ScaledTier; readonly removed: boolean },
): ScaledTierAnswer {
  const key = tierKey(tier);
  const ticked = service.controller.ticks.get(key);
  const overrides = service.overrides.all().filter((given) => given.tier === key);
  const { standby } = tier.policy;
  const { minNodes, maxNodes } =
    ticked === undefined ? tier.policy : boundsAt(tier.policy, ticked.observation);
  const format = formatSteadyOf(service);
  return {
    scaling: 'automatic',
    tier: key,
    mode,
    removed,
    minNodes,
    maxNodes,
    schedules: (ticked?.observation.schedules ?? []).map((one) => answerSchedule(one, format)),
    standby: { ...standby, wantedNodes: ticked?.tick.decision.standbyNodes ?? null },
    ...describeTick(ticked, format),
    overrides: overrides.map(answerOverride),
  };
}

function answerSchedule(
  { cron, durationMs, timeZone, minNodes, maxNodes, freeze, untilMs, fromMs }: ScheduleSighting,
  format: FormatSteady,
): ScheduleAnswer {
  return {
    cron,
    duration: formatDuration(durationMs),
    timeZone,
    minNodes: minNodes ?? null,
    maxNodes: maxNodes ?? null,
    freeze: freeze ?? null,
    until: untilMs === undefined ? null : format(untilMs),
    from: fromMs === undefined ? null : format(fromMs),
  };
}

function describeTick(
  ticked: TierTicked | undefined,
  format: FormatSteady,
): Pick<
  ScaledTierAnswer,
  | 'decision'
  | 'signals'
  | 'outlook'
  | 'nodes'
  | 'shortfall'
  | 'healingFrozen'
  | 'findings'
  | 'circuit'
  | 'circuitOpenUntil'
> {
  if (ticked === undefined) {
    return {
      decision: null,
      signals: null,
      outlook: null,
      nodes: [],
      shortfall: null,
      healingFrozen: false,
      findings: [],
      circuit: null,
      circuitOpenUntil: null,
    };
  }
  const { observation, tick } = ticked;
  return {
    decision: summarizeDecision(tick.decision, format),
    signals: describeSignals(ticked),
    outlook: describeOutlook(tick.decision, format),
    nodes: tick.nodes
      .filter(({ phase, operation }) => phase !== 'absent' || operation !== undefined)
      .map((node) => describeNode(node, ticked, format)),
    shortfall: describeShortfall(tick.plan.shortfall),
    healingFrozen: tick.plan.healingFrozen,
    findings: tick.findings,
    circuit: observation.circuit,
    circuitOpenUntil: formatOpenUntil(observation, format),
  };
}

function formatOpenUntil(
  { circuitOpenUntilMs: untilMs }: Pick<HostSighting, 'circuitOpenUntilMs'>,
  format: FormatSteady,
): string | null {
  return untilMs === undefined ? null : format(untilMs);
}

export function summarizeDecision(decision: Decision, format: FormatSteady): DecisionSummary {
  const { atMs, direction, reason, currentNodes, desiredNodes, needNodes } = decision;
  return {
    at: format(atMs),
    direction,
    reason,
    currentNodes,
    desiredNodes,
    needNodes: finiteOrNull(needNodes),
  };
}

function describeOutlook({ outlook }: Decision, format: FormatSteady): OutlookAnswer | null {
  if (outlook === undefined) {
    return null;
  }
  const { forecastRps, aheadSeconds, headroomNodes, storm } = outlook;
  return {
    forecastRps,
    ahead: formatDuration(Math.round(aheadSeconds) * 1_000),
    headroomNodes,
    storm:
      storm === undefined
        ? null
        : {
            began: format(storm.onsetMs),
            detected: format(storm.detectedAtMs),
            baseRps: storm.baseRps,
            endsAt: format(stormEndsAtMs(storm)),
          },
  };
}

export function describeShortfall(shortfall: Shortfall | undefined): ShortfallAnswer | null {
  if (shortfall === undefined) {
    return null;
  }
  const { nodes, why, refusals } = shortfall;
  return {
    nodes,
    why,
    refusals: refusals.map((one) => ({ ...one, free: one.free ?? null })),
  };
}

function describeSignals({ observation }: TierTicked): SignalsAnswer {
  const { requestRate, queue, slots } = observation.signals;
  const waiting = valueOf(queue);
  const work = valueOf(slots);
  return {
    requestRate: { ...describeReading(requestRate), rps: finiteOrNull(valueOf(requestRate)) },
    queue: {
      ...describeReading(queue),
      requests: finiteOrNull(waiting?.requests),
      servedRps: finiteOrNull(waiting?.servedRps),
    },
    slots: {
      ...describeReading(slots),
      used: finiteOrNull(work?.used),
      total: finiteOrNull(work?.total),
    },
  };
}

function describeReading(sample: Sample<unknown>): {
  readonly status: Sample<unknown>['status'];
  readonly why: string | null;
} {
  switch (sample.status) {
    case 'ok':
      return { status: 'ok', why: null };
    case 'stale':
      return { status: 'stale', why: `it is ${(sample.ageMs / 1000).toFixed(1)} s old` };
    case 'partial':
    case 'absent':
      return { status: sample.status, why: sample.why };
  }
}

function describeNode(node: Node, { observation }: TierTicked, format: FormatSteady): NodeAnswer {
  const { atMs } = observation;
  const sighting = observation.nodes.find(({ number }) => number === node.number);
  return {
    name: node.name,
    phase: node.phase,
    host: node.host ?? null,
    // A birth is a moment of the wall clock already.
    born: node.bornMs === 0 ? null : formatTime(node.bornMs),
    since: Number.isFinite(node.phaseAgeMs) ? format(atMs - node.phaseAgeMs) : null,
    sickSince: node.sickForMs > 0 ? format(atMs - node.sickForMs) : null,
    sessions: node.sessionsKnown ? countSessions(sighting) : null,
    protectedBy: node.protectedBy ?? null,
    drainAskedBy: node.drainAskedBy ?? null,
    operation: node.operation ?? null,
  };
}

function countSessions(sighting: NodeSighting | undefined): number {
  const servers = sighting?.servers ?? [];
  return servers.reduce((total, server) => total + (server.answered ? server.sessions : 0), 0);
}

function valueOf<Value>(sample: Sample<Value>): Value | undefined {
  return sample.status === 'absent' ? undefined : sample.value;
}
