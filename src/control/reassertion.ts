import type { ScaledTier } from '../scaler/cluster.ts';
import { ACTION_DEADLINE_MS } from './action-runner.ts';
import type { Clock } from './clock.ts';
import { within } from './deadline.ts';
import { UnreachableError } from './errors.ts';
import type { Recorder } from './events.ts';
import type { InFlight } from './in-flight.ts';
import type { BalancerSnapshot, Leadership, LoadBalancer, ServerChange } from './ports.ts';
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
  /** Whether what is set there survives a reload, as far as this process knows. */
  #kept: 'unknown' | 'trying' | 'yes' = 'unknown';

  constructor(options: ReassertionOptions) {
    this.#options = options;
    this.#intent = new ServerIntent(options.tiers);
  }

  set tiers(tiers: readonly ScaledTier[]) {
    this.#intent.tiers = tiers;
  }

  /** What this process has just set there. */
  note({ backend, server, to }: Omit<ServerChange, 'requires'>): void {
    this.#intent.set(backend, server, to);
  }

  /**
   * Compares a snapshot with what was there and sets again what is lost, before anything is concluded from it.
   *
   * @returns False when the snapshot no longer shows what is there: the next one will.
   */
  async restore(snapshot: BalancerSnapshot, actionSignal: AbortSignal): Promise<boolean> {
    const { balancer, inFlight, leadership, recorder } = this.#options;
    const lost = this.#intent.compare(
      snapshot,
      (server) => inFlight.operationOf(server) !== undefined,
    );
    const mayAct = leadership.term() !== undefined;
    if (lost === undefined) {
      void this.#keep(snapshot, mayAct, actionSignal);
      return true;
    }
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
    try {
      await this.#setServers(lost, actionSignal);
    } catch (error) {
      recorder.record({ type: 'reassertion-failed', balancer: balancer.name, error });
    }
    return false;
  }

  /**
   * Makes what is set there survive a reload, where that is not sure: whoever led before may have been killed
   * between a change and that, and with nothing left to change nobody would ever come to it. And whatever
   * the balancer warns of may be that it did not succeed. No tick waits for this.
   */
  async #keep(
    { warnings = [] }: BalancerSnapshot,
    mayAct: boolean,
    actionSignal: AbortSignal,
  ): Promise<void> {
    if (this.#kept === 'trying' || (this.#kept === 'yes' && mayAct && warnings.length === 0)) {
      return;
    }
    if (!mayAct) {
      this.#kept = 'unknown';
      return;
    }
    this.#kept = 'trying';
    try {
      await this.#setServers([], actionSignal);
      this.#kept = 'yes';
    } catch {
      // It is tried again at the next snapshot; that the balancer is silent is said by whoever asks it.
      this.#kept = 'unknown';
    }
  }

  async #setServers(changes: readonly ServerChange[], actionSignal: AbortSignal): Promise<void> {
    const { balancer, clock } = this.#options;
    const late = (): Error => new UnreachableError(`${balancer.name} did not answer in time`);
    await within({ clock, ms: ACTION_DEADLINE_MS, late }, actionSignal, (signal) =>
      balancer.setServers(changes, signal),
    );
  }
}
