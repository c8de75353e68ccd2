import { ConflictError, PreconditionError } from '../control/errors.ts';
import {
  type ControlEvent,
  type GivenOverride,
  type Recorder,
  type SourceKind,
  STORM_MESSAGES,
  type TierTicked,
} from '../control/events.ts';
import { tierKey } from '../scaler/cluster.ts';
import type { Decision, DecisionReason } from '../scaler/decide.ts';
import type { Sample } from '../scaler/observation.ts';
import { PASSING_PHASES } from './catalog.ts';
import type { Metrics } from './metrics.ts';
import { PhaseWatch } from './phase-watch.ts';

/** As pino's. @see EventLog for one that remembers, too */
export interface Log {
  error(fields: object, msg: string): void;
  warn(fields: object, msg: string): void;
  info(fields: object, msg: string): void;
  debug(fields: object, msg: string): void;
}

/** Turns events into log lines – one for each change, none for a converged tick – and into metrics. */
export class TelemetryRecorder implements Recorder {
  readonly #log: Log;
  readonly #metrics: Metrics;
  /** What was said last of each tier, so that only changes are said. */
  readonly #said = new Map<string, string>();
  /** Nodes in service at the last tick, or unknown since then, by tier. */
  readonly #inService = new Map<string, ReadonlySet<string>>();
  /** By tier. */
  readonly #lastChange = new Map<string, Pick<Decision, 'direction' | 'desiredNodes'>>();
  /** Of the last change, by tier and direction. */
  readonly #lastReason = new Map<string, DecisionReason>();
  readonly phases = new PhaseWatch();

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  record(event: ControlEvent): void {
    switch (event.type) {
      case 'tier-ticked':
        return this.#tierTicked(event);
      case 'fixed-tier-seen':
        return this.#fixedTierSeen(event);
      case 'cluster-ticked':
        return this.#metrics.tickDuration.observe(event.durationMs / 1000);
      case 'action-started':
        return this.#log[isToldAgain(event) ? 'info' : 'debug'](
          describeAction(event),
          'action started',
        );
      case 'action-ended':
        return this.#actionEnded(event);
      case 'boot-ended':
        return this.#bootEnded(event);
      case 'source-asked': {
        const { kind, name, durationMs } = event;
        this.#metrics.lastAskDuration.set({ kind, name }, durationMs / 1000);
        return this.#metrics.askDuration.observe({ kind }, durationMs / 1000);
      }
      case 'source-failed':
        this.#metrics.sourceUp.set({ kind: event.kind, name: event.name }, 0);
        return this.#log.warn(
          { [event.kind]: event.name, err: event.error },
          'source does not answer',
        );
      case 'source-answered':
        this.#metrics.sourceUp.set({ kind: event.kind, name: event.name }, 1);
        this.#beginToCount(event);
        return this.#log.info({ [event.kind]: event.name }, 'source answers');
      case 'balancer-restarted':
        this.#metrics.balancerRestarts.inc({ balancer: event.balancer });
        return this.#log.warn(
          { balancer: event.balancer, reasserted: event.reasserted },
          'balancer was reloaded or restarted',
        );
      case 'reassertion-failed':
        return this.#log.warn(
          { balancer: event.balancer, err: event.error },
          'balancer could not be told the states that it lost, trying again',
        );
      case 'balancer-warned':
        return this.#sayOnce(`balancer ${event.balancer}`, event.warnings.join('; '), () => {
          for (const warning of event.warnings) {
            this.#log.warn({ balancer: event.balancer, warning }, 'balancer warns');
          }
        });
      case 'host-fenced':
        return this.#hostFenced(event);
      case 'clock-jumped':
        return this.#log.warn({ jumpMs: event.jumpMs }, 'wall clock jumped, deadlines restart');
      case 'override-given':
        return this.#log.info(describeOverride(event.given), 'override given');
      case 'override-ended':
        return this.#log.info(
          { ...describeOverride(event.given), why: event.why },
          'override ended',
        );
    }
  }

  #hostFenced({
    host,
    term,
    error,
  }: Extract<ControlEvent, { readonly type: 'host-fenced' }>): void {
    if (error === undefined) {
      this.#log.info({ host, term }, 'host acknowledges the term');
    } else if (error instanceof PreconditionError) {
      this.#log.error(
        { host, term, err: error },
        'host was shown a newer term, nothing is done there',
      );
    } else {
      this.#log.warn({ host, term, err: error }, 'host does not acknowledge the term yet');
    }
  }

  /** A config was reloaded: what is not in it any more is measured no more. */
  forget(gone: {
    readonly hosts: readonly { readonly name: string }[];
    readonly balancers: readonly { readonly name: string }[];
  }): void {
    const { sourceUp, lastAskDuration, boots, balancerRestarts } = this.#metrics;
    for (const { name } of gone.hosts) {
      sourceUp.remove({ kind: 'host', name });
      lastAskDuration.remove({ kind: 'host', name });
      boots.remove({ host: name, result: 'served' });
      boots.remove({ host: name, result: 'failed' });
    }
    for (const { name } of gone.balancers) {
      sourceUp.remove({ kind: 'balancer', name });
      lastAskDuration.remove({ kind: 'balancer', name });
      balancerRestarts.remove({ balancer: name });
    }
  }

  #tierTicked(event: TierTicked): void {
    const { tier, tick, mode } = event;
    const { decision, plan, findings } = tick;
    const key = tierKey(tier);
    const fields = {
      cluster: tier.cluster,
      tier: tier.name,
      currentNodes: decision.currentNodes,
      desiredNodes: decision.desiredNodes,
      reason: decision.reason,
      needNodes: decision.needNodes,
      ...signalFields(event),
    };
    this.#measureTick(event);
    this.#sayOnce(`findings ${key}`, findings.join('; '), () => {
      if (findings.length > 0) {
        this.#log.error({ ...fields, findings }, 'plan refused, it contradicts itself');
      }
    });
    this.#log.debug(fields, 'decided');
    const change = `${decision.currentNodes} ${decision.desiredNodes} ${decision.reason}`;
    this.#sayOnce(`decision ${key}`, decision.direction === 'none' ? '' : change, () => {
      if (decision.direction !== 'none') {
        const { stages } = decision;
        this.#log.info({ ...fields, mode, stages }, `decided to scale ${decision.direction}`);
      }
    });
    this.#sayStorm(event);
    this.#saySchedules(event);
    if (event.unheard === true) {
      return;
    }
    this.#sayLostNodes(event);
    this.#sayOnce(`shortfall ${key}`, shortfallText(event), () => {
      if (plan.shortfall?.why === 'concurrent-boots') {
        this.#log.info({ ...fields, ...plan.shortfall }, 'needed nodes wait for boots to end');
      } else if (plan.shortfall !== undefined) {
        this.#log.warn({ ...fields, ...plan.shortfall }, 'needed nodes cannot be booted');
      }
    });
    this.#sayOnce(`frozen ${key}`, String(plan.healingFrozen), () => {
      if (plan.healingFrozen) {
        this.#log.warn(fields, 'too many nodes fail their checks at once, none is replaced');
      }
    });
    this.#sayConflicts(event);
  }

  #sayStorm({ tier, tick }: TierTicked): void {
    const { outlook } = tick.decision;
    // What is not known wholly now ends no storm.
    if (outlook === undefined) {
      return;
    }
    const { storm, forecastRps } = outlook;
    this.#sayOnce(`storm ${tierKey(tier)}`, storm === undefined ? '' : 'on', () => {
      const fields = { cluster: tier.cluster, tier: tier.name, forecastRps };
      if (storm === undefined) {
        this.#log.info(fields, STORM_MESSAGES.ends);
      } else {
        this.#log.info({ ...fields, baseRps: storm.baseRps }, STORM_MESSAGES.begins);
      }
    });
  }

  #saySchedules({ tier, observation: { atMs, schedules = [] } }: TierTicked): void {
    for (const [index, seen] of schedules.entries()) {
      const { cron, timeZone, minNodes, maxNodes, freeze, untilMs } = seen;
      this.#sayOnce(`schedule ${index} ${tierKey(tier)}`, untilMs === undefined ? '' : cron, () => {
        const fields = { cluster: tier.cluster, tier: tier.name, cron, timeZone };
        if (untilMs === undefined) {
          this.#log.info(fields, 'schedule has ended');
        } else {
          const words = { minNodes, maxNodes, freeze, durationMs: untilMs - atMs };
          this.#log.info({ ...fields, ...words }, 'schedule holds');
        }
      });
    }
  }

  #fixedTierSeen({
    tier,
    nodes,
    unheard,
  }: Extract<ControlEvent, { readonly type: 'fixed-tier-seen' }>): void {
    if (unheard === true) {
      return;
    }
    const labels = { cluster: tier.cluster, tier: tier.name };
    const missing = nodes.filter(({ phase }) => phase !== 'in-service');
    this.#sayOnce(`fixed ${tierKey(tier)}`, JSON.stringify(missing), () => {
      if (missing.length > 0) {
        this.#log.error({ ...labels, missing }, 'nodes that are not ours to boot do not run');
      }
    });
  }

  /** A counter that is not there before its first increment hides that one from `increase`. */
  #beginToCount({ kind, name }: { readonly kind: SourceKind; readonly name: string }): void {
    if (kind === 'balancer') {
      this.#metrics.balancerRestarts.inc({ balancer: name }, 0);
      return;
    }
    for (const result of ['served', 'failed'] as const) {
      this.#metrics.boots.inc({ host: name, result }, 0);
    }
  }

  /** Nodes that were in service a tick ago and of which there is nothing left, though nobody destroyed them. */
  #sayLostNodes({ tier, tick }: TierTicked): void {
    const key = tierKey(tier);
    const before = this.#inService.get(key);
    const gone = new Set(before);
    const inService = new Set<string>();
    for (const { name, phase } of tick.nodes) {
      if (phase !== 'absent') {
        gone.delete(name);
      }
      // Its host may show its death before HAProxy does: then it is unknown for a moment.
      if (phase === 'in-service' || (phase === 'unknown' && before?.has(name))) {
        inService.add(name);
      }
    }
    this.#inService.set(key, inService);
    if (gone.size > 0) {
      const fields = { cluster: tier.cluster, tier: tier.name, nodes: [...gone] };
      this.#log.warn(fields, 'nodes in service are gone');
    }
  }

  #sayConflicts({ tier, tick }: TierTicked): void {
    const nodes = tick.nodes.filter(({ phase }) => phase === 'conflict').map(({ name }) => name);
    this.#sayOnce(`conflict ${tierKey(tier)}`, nodes.join(' '), () => {
      if (nodes.length > 0) {
        const fields = { cluster: tier.cluster, tier: tier.name, nodes };
        this.#log.error(fields, 'nodes of our names are not ours or exist twice, left alone');
      }
    });
  }

  #sayOnce(topic: string, text: string, say: () => void): void {
    if ((this.#said.get(topic) ?? '') !== text) {
      this.#said.set(topic, text);
      say();
    }
  }

  #measureTick(event: TierTicked): void {
    const { tier, tick } = event;
    const { direction, reason } = tick.decision;
    const { decisions, forcedDrains, phaseDuration } = this.#metrics;
    decisions.inc({ direction, reason });
    forcedDrains.inc({ cluster: tier.cluster, tier: tier.name }, 0);
    this.#measureScaleDecision(event);
    for (const { phase, durationMs } of this.phases.see(event)) {
      if (PASSING_PHASES.some((passing) => passing === phase)) {
        phaseDuration.observe({ phase }, durationMs / 1000);
      }
    }
  }

  /** Until a signal has been heard, the same is decided at each tick: it counts once. */
  #measureScaleDecision({ tier, tick }: TierTicked): void {
    const { direction, desiredNodes, reason } = tick.decision;
    const { scaleDecisions, scaleReversals } = this.#metrics;
    const labels = { cluster: tier.cluster, tier: tier.name };
    const last = this.#lastChange.get(tierKey(tier));
    const isNews = direction !== 'none' && desiredNodes !== last?.desiredNodes;
    // As for `boots`: there from the beginning.
    for (const each of ['out', 'in'] as const) {
      scaleDecisions.inc({ ...labels, direction: each }, isNews && direction === each ? 1 : 0);
    }
    const isReversal = isNews && last !== undefined && last.direction !== direction;
    scaleReversals.inc(labels, isReversal ? 1 : 0);
    if (isNews) {
      this.#lastChange.set(tierKey(tier), { direction, desiredNodes });
      this.#dateScaleDecision({ ...labels, direction }, reason);
    }
  }

  /** The reason is a label, so the series of the one before must go. */
  #dateScaleDecision(
    labels: Readonly<Record<'cluster' | 'tier' | 'direction', string>>,
    reason: DecisionReason,
  ): void {
    const { lastScaleDecision } = this.#metrics;
    const key = Object.values(labels).join('/');
    const before = this.#lastReason.get(key);
    if (before !== undefined) {
      lastScaleDecision.remove({ ...labels, reason: before });
    }
    this.#lastReason.set(key, reason);
    lastScaleDecision.setToCurrentTime({ ...labels, reason });
  }

  #actionEnded(event: Extract<ControlEvent, { readonly type: 'action-ended' }>): void {
    const { tier, action, durationMs, error } = event;
    const result = error === undefined ? 'done' : 'failed';
    this.#metrics.actionDuration.observe({ kind: action.kind, result }, durationMs / 1000);
    if (action.kind === 'destroy' && action.force && error === undefined) {
      this.#metrics.forcedDrains.inc({ cluster: tier.cluster, tier: tier.name });
    }
    const fields = { ...describeAction(event), durationMs: Math.round(durationMs) };
    if (error === undefined) {
      this.#log.info(fields, 'action done');
    } else if (error instanceof ConflictError) {
      this.#log.error(
        { ...fields, err: error },
        'a node would be a conflict, its number is blocked',
      );
    } else {
      const level = isToldAgain(event) ? 'warn' : 'debug';
      this.#log[level]({ ...fields, err: error }, 'action failed, the next tick plans anew');
    }
  }

  #bootEnded(event: Extract<ControlEvent, { readonly type: 'boot-ended' }>): void {
    const { tier, node, host, result, start, durationMs } = event;
    if (start === 'cold') {
      this.#metrics.boots.inc({ host, result });
    }
    const fields = {
      cluster: tier.cluster,
      tier: tier.name,
      node,
      host,
      start,
      durationMs: Math.round(durationMs),
    };
    if (result === 'served') {
      this.#metrics.timeToServe.observe({ start }, durationMs / 1000);
      this.#log.info(fields, 'node passed its check');
    } else {
      this.#log.warn(fields, 'boot failed');
    }
  }
}

/** What keeps failing is said the first time, the second, the fourth, the eighth, … */
function isToldAgain({ attempt }: { readonly attempt: number }): boolean {
  return Number.isInteger(Math.log2(attempt));
}

function describeAction({
  tier,
  action,
  attempt,
}: Extract<ControlEvent, { readonly type: 'action-started' | 'action-ended' }>) {
  const { kind, node, reason } = action;
  const repair = action.kind === 'repair' ? action : undefined;
  const host = 'host' in action ? action.host : undefined;
  return {
    cluster: tier.cluster,
    tier: tier.name,
    action: kind,
    node,
    host,
    reason,
    balancer: repair?.balancer,
    to: repair?.to,
    attempt: attempt === 1 ? undefined : attempt,
  };
}

function describeOverride({ id, tier, word, reason, expiresAtMs }: GivenOverride) {
  const [cluster, tierName] = tier?.split('/') ?? [];
  const expiresAt = new Date(expiresAtMs).toISOString();
  return { cluster, tier: tierName, override: id, ...word, reason, expiresAt };
}

function signalFields({ observation }: TierTicked) {
  const { requestRate, queue } = observation.signals;
  return { rps: valueOf(requestRate), queued: valueOf(queue)?.requests };
}

function shortfallText({ tick }: TierTicked): string {
  const { shortfall } = tick.plan;
  if (shortfall === undefined) {
    return '';
  }
  return [shortfall.why, ...shortfall.refusals.map(({ host, why }) => `${host}:${why}`)].join(' ');
}

function valueOf<T>(sample: Sample<T>): T | undefined {
  return sample.status === 'absent' ? undefined : sample.value;
}
