import type { Action, BootAction } from '../scaler/action.ts';
import { nodeName, type ScaledTier } from '../scaler/cluster.ts';
import { type Actuators, carryOut } from './act.ts';
import type { BootLedger, ComingAction } from './boots.ts';
import { within } from './deadline.ts';
import { ConflictError, OutcomeUnknownError, PreconditionError, RefusedError } from './errors.ts';
import type { Recorder } from './events.ts';
import type { Flight, InFlight } from './in-flight.ts';
import type { ServerChange } from './ports.ts';
import type { Start } from './learned-times.ts';

export interface ActionRunnerOptions
  extends Omit<Actuators, 'hypervisors' | 'balancers' | 'excluded'> {
  /** Those of the config in force when an action starts. */
  readonly ports: () => Pick<Actuators, 'hypervisors' | 'balancers' | 'excluded'>;
  readonly recorder: Recorder;
  readonly inFlight: InFlight;
  readonly boots: BootLedger;
  /** How a node comes that is ordered now. */
  readonly startOf: (tier: ScaledTier, action: ComingAction) => Start;
  /** A server has been set, on every balancer when none is named. */
  readonly onServerSet: (
    balancer: string | undefined,
    change: Omit<ServerChange, 'requires'>,
  ) => void;
  /** An action has been done: what its sources said before is old. */
  readonly onSuccess: (action: Action) => void;
}

/** An action on servers alone that takes longer is given up here; a host says how long its own may take. */
export const ACTION_DEADLINE_MS = 60_000;

/** A failed action is repeated after this time, if the next tick still wants it. */
const RETRY_PAUSE_MS = 1_000;

/** Runs actions beside the ticks and notes what became of them. */
export class ActionRunner {
  readonly #options: ActionRunnerOptions;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ActionRunnerOptions) {
    this.#options = options;
  }

  /** Starts an action; it is in flight from now on. */
  start(tier: ScaledTier, action: Action, actionSignal: AbortSignal): void {
    const flight = this.#options.inFlight.start(tier, action);
    const running = this.#carryOut(flight, actionSignal).finally(() =>
      this.#running.delete(running),
    );
    this.#running.add(running);
  }

  async #carryOut(flight: Flight, actionSignal: AbortSignal): Promise<void> {
    const { tier, action } = flight;
    const { clock, recorder, boots, inFlight } = this.#options;
    const startedAtMs = clock.steadyMs();
    const bornMs = clock.wallMs();
    if (action.kind === 'boot' || action.kind === 'wake') {
      const tenant = action.kind === 'boot' ? bornMs : action.bornMs;
      boots.ordered(tier, action, this.#options.startOf(tier, action), tenant, startedAtMs);
    } else if (action.kind === 'destroy') {
      boots.cancelled(tier, action.node);
    }
    recorder.record({ type: 'action-started', tier, action });
    let failure: unknown;
    try {
      const ms = this.#deadlineMs(action);
      const late = (): Error => new OutcomeUnknownError(`not done within ${ms} ms, given up`);
      await within({ clock, ms, late }, actionSignal, (signal) =>
        carryOut(tier, action, bornMs, { ...this.#options, ...this.#options.ports() }, signal),
      );
      this.#noteServerState(tier, action);
    } catch (error) {
      failure = error;
      if (action.kind === 'boot') {
        this.#noteFailedBoot(tier, action, error);
      } else if (error instanceof RefusedError && action.kind === 'wake') {
        boots.wakeRefused(action.node, action.bornMs);
      } else if (error instanceof RefusedError && action.kind === 'save') {
        boots.saveRefused(action.node, action.bornMs, clock.steadyMs());
      }
    }
    const endedAtMs = clock.steadyMs();
    const pauseMs = failure === undefined ? 0 : RETRY_PAUSE_MS;
    inFlight.end(flight, endedAtMs + pauseMs);
    const durationMs = endedAtMs - startedAtMs;
    recorder.record({ type: 'action-ended', tier, action, durationMs, error: failure });
    if (failure === undefined) {
      this.#options.onSuccess(action);
    }
  }

  /** What became of an action that takes longer, the next snapshots say. */
  #deadlineMs(action: Action): number {
    const host = 'host' in action ? this.#options.ports().hypervisors.get(action.host) : undefined;
    return host?.pace.actWithinMs ?? ACTION_DEADLINE_MS;
  }

  /** Of a boot whose outcome is unknown, the next snapshots say what became of it. */
  #noteFailedBoot(tier: ScaledTier, { node, number, host }: BootAction, error: unknown): void {
    const { boots, clock, leadership, recorder } = this.#options;
    if (error instanceof RefusedError) {
      const result = boots.failed(tier, node, number, host, clock.steadyMs());
      recorder.record({ type: 'boot-ended', tier, ...result });
    } else if (error instanceof ConflictError) {
      boots.cancelled(tier, node);
      boots.rest(tier, number, clock.steadyMs());
    } else if (error instanceof PreconditionError) {
      boots.cancelled(tier, node);
      if (leadership.term() !== undefined) {
        // HAProxy has no such server: another number may be declared, and this one is once it was reloaded.
        boots.rest(tier, number, clock.steadyMs());
      }
    }
  }

  #noteServerState(tier: ScaledTier, action: Action): void {
    const server = nodeName(tier, action.number);
    const to = action.kind === 'repair' ? action.to : SERVER_STATE_AFTER[action.kind];
    const balancer = action.kind === 'repair' ? action.balancer : undefined;
    this.#options.onServerSet(balancer, { backend: tier.backend, server, to });
  }

  /** Resolves when everything that was started has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}

const SERVER_STATE_AFTER = {
  admit: 'ready',
  warm: 'drain',
  wake: 'drain',
  boot: 'drain',
  drain: 'drain',
  pause: 'maint',
  save: 'maint',
  park: 'maint',
  destroy: 'maint',
} as const;
