import { parseNodeNumber, type ScaledTier } from '../scaler/cluster.ts';
import type { AdminState } from '../scaler/observation.ts';
import type { BalancerSnapshot, ServerChange } from './ports.ts';

/**
 * The states that our servers had on one balancer when it was last seen, so that they can be set again
 * after a reload or restart that lost them. Servers of others are never remembered.
 *
 * @see https://docs.haproxy.org/2.6/configuration.html#5.2-init-state – a reload starts from the config
 */
export class ServerIntent {
  #tiers: readonly ScaledTier[];
  readonly #states = new Map<string, AdminState>();
  #epoch: string | undefined;

  constructor(tiers: readonly ScaledTier[]) {
    this.#tiers = tiers;
  }

  set tiers(tiers: readonly ScaledTier[]) {
    this.#tiers = tiers;
  }

  /** What this process has just set there. */
  set(backend: string, server: string, to: AdminState): void {
    this.#states.set(`${backend}/${server}`, to);
  }

  /** Takes what a snapshot shows for what should be: somebody else leads, and has seen to it. */
  adopt(snapshot: BalancerSnapshot): void {
    this.#states.clear();
    this.#epoch = snapshot.epoch;
    this.compare(snapshot, () => false);
  }

  /**
   * Compares a snapshot with what was there.
   *
   * @param inFlight - Servers that are just being changed: what they show may be older than the change.
   * @returns `undefined` within one epoch; else the changes that bring the old states back, and the
   * caller carries them out before anything else.
   */
  compare(
    snapshot: BalancerSnapshot,
    inFlight: (server: string) => boolean,
  ): readonly ServerChange[] | undefined {
    const restarted = this.#epoch !== undefined && this.#epoch !== snapshot.epoch;
    const lost: ServerChange[] = [];
    for (const tier of this.#tiers) {
      for (const server of snapshot.backends.get(tier.backend)?.servers ?? []) {
        if (parseNodeNumber(tier, server.name) === undefined) {
          continue;
        }
        const key = `${tier.backend}/${server.name}`;
        const before = this.#states.get(key);
        if (restarted && before !== undefined) {
          // One that is just being changed gets its new state from that.
          if (before !== server.admin && !inFlight(server.name)) {
            lost.push({ backend: tier.backend, server: server.name, to: before, requires: 'none' });
          }
        } else if (!inFlight(server.name)) {
          this.#states.set(key, server.admin);
        }
      }
    }
    if (lost.length === 0) {
      this.#epoch = snapshot.epoch;
    }
    return restarted ? lost : undefined;
  }
}
