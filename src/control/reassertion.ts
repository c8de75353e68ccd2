import type { ScaledTier } from '../scaler/cluster.ts';
import type { AdminState } from '../scaler/observation.ts';
import { ACTION_DEADLINE_MS } from './action-runner.ts';
import type { Clock } from './clock.ts';
import { within } from './deadline.ts';
import { UnreachableError } from './errors.ts';
import type { Recorder } from './events.ts';
import type { InFlight } from './in-flight.ts';
import type { BalancerSnapshot, Leadership, LoadBalancer } from './ports.ts';
import { ServerIntent } from './server-intent.ts';

export interface ReassertionOptions {
  readonly balancer: LoadBalancer;
  readonly tiers: readonly ScaledTier[];
  readonly inFlight: InFlight;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly recorder: Recorder;
}

/** Brings back what one balancer lost when it was reloaded or restarted. */
export class Reassertion {
  readonly #options: ReassertionOptions;
  readonly #intent: ServerIntent;
  /** The epoch whose beginning has been recorded. */
  #noticedEpoch: string | undefined;

  constructor(options: ReassertionOptions) {
    this.#options = options;
    this.#intent = new ServerIntent(options.tiers);
  }

  set tiers(tiers: readonly ScaledTier[]) {
    this.#intent.tiers = tiers;
  }

  /** What this process has just set there. */
  note(backend: string, server: string, to: AdminState): void {
    this.#intent.set(backend, server, to);
  }

  /**
   * Compares a snapshot with what was there and sets again what is lost, before anything is concluded from it.
   *
   * @returns False when the snapshot no longer shows what is there: the next one will.
   */
  async restore(snapshot: BalancerSnapshot, actionSignal: AbortSignal): Promise<boolean> {
    const { balancer, clock, inFlight, leadership, recorder } = this.#options;
    const lost = this.#intent.compare(
      snapshot,
      (server) => inFlight.operationOf(server) !== undefined,
    );
    if (lost === undefined) {
      return true;
    }
    const mayAct = leadership.term() !== undefined;
    if (this.#noticedEpoch !== snapshot.epoch) {
      this.#noticedEpoch = snapshot.epoch;
      const reasserted = mayAct ? lost.length : 0;
      recorder.record({ type: 'balancer-restarted', balancer: balancer.name, reasserted });
    }
    if (lost.length === 0) {
      return true;
    }
    if (!mayAct) {
      this.#intent.adopt(snapshot);
      return true;
    }
    const late = (): Error => new UnreachableError(`${balancer.name} did not answer in time`);
    try {
      await within({ clock, ms: ACTION_DEADLINE_MS, late }, actionSignal, (signal) =>
        balancer.setServers(lost, signal),
      );
    } catch (error) {
      recorder.record({ type: 'reassertion-failed', balancer: balancer.name, error });
    }
    return false;
  }
}
