/** Events as the API gives them, listed and followed. */

import { z } from '@hono/zod-openapi';
import type { EventRecord } from '../control/events.ts';
import { formatTime, list, orNull, time } from './values.ts';

export const EventAnswer = z
  .object({
    at: time(),
    level: z.enum(['info', 'warn', 'error']),
    msg: z.string().openapi({ description: 'A static phrase.' }),
    fields: z.record(z.string(), z.unknown()).openapi({
      description: 'As in the log: cluster, tier, node, host, …',
    }),
  })
  .openapi('Event');
export type EventAnswer = z.infer<typeof EventAnswer>;

export const EventsAnswer = z
  .object({
    source: z.enum(['journal', 'memory']).openapi({
      description: '`memory`: only the latest few hundred since the start of the service.',
    }),
    note: orNull(z.string()).openapi({ description: 'Why the journal was not asked.' }),
    lastEventId: orNull(z.string()).openapi({
      description: 'As Last-Event-ID, the stream goes on right after these.',
    }),
    events: list(EventAnswer).openapi({ description: 'The oldest first.' }),
  })
  .openapi('Events');

export function answerEvent({ atMs, level, msg, fields }: EventRecord): EventAnswer {
  return { at: formatTime(atMs), level, msg, fields };
}

/** Which events are wanted. */
export interface EventFilter {
  readonly cluster?: string | undefined;
  readonly tier?: string | undefined;
}

export function isWanted({ fields }: EventRecord, { cluster, tier }: EventFilter): boolean {
  return (
    (cluster === undefined || fields['cluster'] === cluster) &&
    (tier === undefined || fields['tier'] === tier)
  );
}
