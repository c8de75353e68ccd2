import type { ControlEvent, Recorder } from '../../src/control/events.ts';

type EventType = ControlEvent['type'];
type EventOf<T extends EventType> = Extract<ControlEvent, { readonly type: T }>;

/** Keeps all events, and lets a test wait for one. */
export class EventLog implements Recorder {
  readonly events: ControlEvent[] = [];
  readonly #waiting = new Set<(event: ControlEvent) => void>();

  record(event: ControlEvent): void {
    this.events.push(event);
    for (const see of this.#waiting) {
      see(event);
    }
  }

  of<T extends EventType>(type: T): readonly EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** The next event of a type. */
  next<T extends EventType>(type: T): Promise<EventOf<T>> {
    const { promise, resolve } = Promise.withResolvers<EventOf<T>>();
    const see = (event: ControlEvent): void => {
      if (event.type === type) {
        this.#waiting.delete(see);
        resolve(event as EventOf<T>);
      }
    };
    this.#waiting.add(see);
    return promise;
  }
}
