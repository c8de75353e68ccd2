import type { ScaledTier } from '../scaler/cluster.ts';
import type { ActionKind } from '../scaler/observation.ts';
import type { Action } from '../scaler/action.ts';

/** An action that has been started and not yet been seen in a later snapshot. */
export interface Flight {
  readonly tier: ScaledTier;
  readonly action: Action;
  endedAtMs: number | undefined;
}

/**
 * What is under way. An action is in flight until every source that can show its effect has been *asked*
 * after it ended; so a tick never orders twice what it cannot see yet.
 */
export class InFlight {
  readonly #flights = new Map<string, Flight>();
  readonly #changed: () => void;

  /** @param changed - Called when something starts, ends or has been seen. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  start(tier: ScaledTier, action: Action): Flight {
    const flight: Flight = { tier, action, endedAtMs: undefined };
    this.#flights.set(action.node, flight);
    this.#changed();
    return flight;
  }

  end(flight: Flight, atMs: number): void {
    flight.endedAtMs = atMs;
    this.#changed();
  }

  /** Forgets what later snapshots show. @param seenAtMs - When the sources that show it were last asked. */
  settle(seenAtMs: (flight: Flight) => number): void {
    for (const [node, flight] of this.#flights) {
      if (flight.endedAtMs !== undefined && seenAtMs(flight) > flight.endedAtMs) {
        this.#flights.delete(node);
        this.#changed();
      }
    }
  }

  operationOf(node: string): ActionKind | undefined {
    return this.#flights.get(node)?.action.kind;
  }

  all(): Iterable<Flight> {
    return this.#flights.values();
  }

  get size(): number {
    return this.#flights.size;
  }
}
