/** Events as they happen, to whoever follows. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */

import type { FedEvent } from '../telemetry/event-feed.ts';
import { answerEvent, type EventFilter, isWanted } from './event-answer.ts';
import type { ServiceView } from './service-view.ts';

/** So much waits for a follower that does not read; then it is dropped, and may come back. */
const MAX_WAITING_BYTES = 262_144;

/** So that both ends notice when the other one is gone. */
const HEARTBEAT_MS = 15_000;

/** A follower that was dropped comes back after this time. */
const RETRY_MS = 2_000;

interface StreamOptions {
  readonly service: Pick<ServiceView, 'clock' | 'feed' | 'startedAtMs'>;
  readonly filter: EventFilter;
  /** Those held after this one are sent first; by default only what happens from now on. */
  readonly afterSequence: number | undefined;
  /** Ends the connection at once, whatever waits to be sent. */
  readonly cut: () => void;
  /** Called once, however it ends. */
  readonly onEnd: () => void;
}

/** The events from now on as a stream that never holds more than a little for a slow reader. */
export function streamEvents(options: StreamOptions): ReadableStream<Uint8Array> {
  const { service, filter, cut, onEnd } = options;
  const ended = new AbortController();
  const first = encode(`retry: ${RETRY_MS}\n\n${renderHeld(options)}`);
  let unfollow: (() => void) | undefined;
  const end = (): void => {
    if (!ended.signal.aborted) {
      ended.abort();
      unfollow?.();
      onEnd();
    }
  };
  const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    const send = (text: string): void => {
      if (ended.signal.aborted) {
        return;
      }
      if ((controller.desiredSize ?? 0) > 0) {
        controller.enqueue(encode(text));
      } else {
        end();
        cut();
      }
    };
    controller.enqueue(first);
    unfollow = service.feed.follow((event) => {
      if (isWanted(event, filter)) {
        send(renderEvent(service, event));
      }
    });
    void beat(service, send, ended.signal);
  };
  // What it is sent at first does not count against it.
  const highWaterMark = first.byteLength + MAX_WAITING_BYTES;
  return new ReadableStream(
    { start, cancel: end },
    new ByteLengthQueuingStrategy({ highWaterMark }),
  );
}

function renderHeld({ service, filter, afterSequence }: StreamOptions): string {
  if (afterSequence === undefined) {
    return '';
  }
  const held = service.feed.latest(afterSequence);
  const missed = (held[0]?.sequence ?? afterSequence + 1) - afterSequence - 1;
  const gap = missed > 0 ? `event: missed\ndata: ${JSON.stringify({ events: missed })}\n\n` : '';
  const events = held.filter((event) => isWanted(event, filter));
  return gap + events.map((event) => renderEvent(service, event)).join('');
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function beat(
  { clock }: Pick<ServiceView, 'clock'>,
  send: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(HEARTBEAT_MS, signal).catch(() => undefined);
    send(': still here\n\n');
  }
}

function renderEvent(service: Pick<ServiceView, 'startedAtMs'>, event: FedEvent): string {
  const { sequence } = event;
  const answer = JSON.stringify(answerEvent(event));
  return `id: ${formatEventId(service, sequence)}\ndata: ${answer}\n\n`;
}

/** Numbers begin anew with each start of the service, so its start is part of the name. */
export function formatEventId(
  { startedAtMs }: Pick<ServiceView, 'startedAtMs'>,
  sequence: number,
): string {
  return `${Math.round(startedAtMs)}-${sequence}`;
}

/**
 * The number after which a follower goes on.
 *
 * @returns 0 for an id of before the last start: all that is held has happened since. Undefined when it is none.
 */
export function parseEventId(
  { startedAtMs }: Pick<ServiceView, 'startedAtMs'>,
  id: string,
): number | undefined {
  const [, start, sequence] = /^([0-9]{1,15})-([0-9]{1,15})$/.exec(id) ?? [];
  if (start === undefined) {
    return undefined;
  }
  return Number(start) === Math.round(startedAtMs) ? Number(sequence) : 0;
}
