import type { EventRecord } from '../control/events.ts';

/** An event and its place in the order of this process. */
export interface FedEvent extends EventRecord {
  /** 1, 2, 3, … */
  readonly sequence: number;
}

/** So many are held for who has just begun to follow; the journal has the others. */
const HELD_EVENTS = 500;

/** The latest events, and everybody who follows them. */
export class EventFeed {
  readonly #held: FedEvent[] = [];
  readonly #followers = new Set<(event: FedEvent) => void>();
  #sequence = 0;

  append(record: EventRecord): void {
    this.#sequence += 1;
    const event = { ...record, sequence: this.#sequence };
    this.#held.push(event);
    if (this.#held.length > HELD_EVENTS) {
      this.#held.shift();
    }
    for (const follower of this.#followers) {
      follower(event);
    }
  }

  /** The oldest first. @param afterSequence - Those after it alone. */
  latest(afterSequence = 0): readonly FedEvent[] {
    return this.#held.filter(({ sequence }) => sequence > afterSequence);
  }

  /** `follower` sees each event from now on; it must neither throw nor wait. @returns Ends that. */
  follow(follower: (event: FedEvent) => void): () => void {
    this.#followers.add(follower);
    return () => {
      this.#followers.delete(follower);
    };
  }
}
