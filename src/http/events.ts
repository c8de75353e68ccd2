import { createRoute, z } from '@hono/zod-openapi';
import type { EventRecord } from '../control/events.ts';
import type { FedEvent } from '../telemetry/event-feed.ts';
import { ApiError, readErrors } from './api-error.ts';
import type { Api } from './app.ts';
import { answerEvent, EventsAnswer, isWanted } from './event-answer.ts';
import { formatEventId, parseEventId, streamEvents } from './event-stream.ts';
import { askJournal } from './remembered.ts';
import type { ServiceView } from './service-view.ts';
import { limit, moment } from './values.ts';

/** Each holds a connection and a little memory. */
const MAX_FOLLOWERS = 32;

const filter = {
  cluster: z.string().max(64).optional(),
  tier: z.string().max(64).optional().openapi({ description: 'Within the cluster: `web`.' }),
};

const eventsRoute = createRoute({
  method: 'get',
  path: '/api/v1/events',
  operationId: 'listEvents',
  summary: 'What happened',
  request: {
    query: z.object({
      since: moment('Not before it.').optional(),
      until: moment('Not after it.').optional(),
      ...filter,
      limit: limit(10_000, 200),
    }),
  },
  responses: {
    200: {
      description: 'The latest events of that time, those of this moment included',
      content: { 'application/json': { schema: EventsAnswer } },
    },
    ...readErrors('invalid-request'),
  },
});

const streamRoute = createRoute({
  method: 'get',
  path: '/api/v1/events/stream',
  operationId: 'followEvents',
  summary: 'What happens from now on, as server-sent events',
  description:
    'The data of each is an Event. With Last-Event-ID the stream goes on after that one; `event: missed` says ' +
    'how many of them are not held any more. Who does not read is cut off.',
  request: {
    query: z.object(filter),
    headers: z.object({
      'last-event-id': z.string().max(40).optional(),
    }),
  },
  responses: {
    200: {
      description: 'Ends with the service',
      content: { 'text/event-stream': { schema: z.string() } },
    },
    ...readErrors('invalid-request', 'too-many-followers'),
  },
});

export function addEvents(api: Api, service: ServiceView): void {
  let followers = 0;
  api.openapi(eventsRoute, async (context) =>
    context.json(await listEvents(service, context.req.valid('query')), 200),
  );
  api.openapi(streamRoute, (context) => {
    const { 'last-event-id': id } = context.req.valid('header');
    const afterSequence = id === undefined ? undefined : parseEventId(service, id);
    if (id !== undefined && afterSequence === undefined) {
      throw new ApiError('invalid-request', 'Last-Event-ID must be the id of an event');
    }
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
    if (context.req.method === 'HEAD') {
      return context.body(null, 200, headers);
    }
    if (followers >= MAX_FOLLOWERS) {
      throw new ApiError('too-many-followers', `${MAX_FOLLOWERS} follow already`);
    }
    followers += 1;
    const stream = streamEvents({
      service,
      filter: context.req.valid('query'),
      afterSequence,
      cut: () => context.env.outgoing.destroy(),
      onEnd: () => {
        followers -= 1;
      },
    });
    return context.body(stream, 200, headers);
  });
}

interface EventsQuery {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly cluster?: string | undefined;
  readonly tier?: string | undefined;
  readonly limit: number;
}

/**
 * The journal and what is held in memory: the journal is written a little later than things happen, and what is
 * in memory does not reach far back. Both together have no gap.
 */
async function listEvents(
  service: ServiceView,
  query: EventsQuery,
): Promise<z.infer<typeof EventsAnswer>> {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = query;
  const held = service.feed.latest();
  const wanted = held.filter(
    (event) => event.atMs >= since && event.atMs <= until && isWanted(event, query),
  );
  const { source, note, records } = await readJournal(service, query);
  const events = [...withoutHeld(records, wanted), ...wanted].slice(-query.limit);
  const last = held.at(-1);
  return {
    source,
    note,
    lastEventId: formatEventId(service, last?.sequence ?? 0),
    events: events.map(answerEvent),
  };
}

/** While the journal cannot be asked, the answer is what is held, and says so. */
async function readJournal(
  service: ServiceView,
  { since, until, cluster, tier, limit: most }: EventsQuery,
): Promise<{
  readonly source: 'journal' | 'memory';
  readonly note: string | null;
  readonly records: readonly EventRecord[];
}> {
  const question = {
    limit: most,
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(tier === undefined ? {} : { tier }),
  };
  try {
    const records = await askJournal(service, (journal) => journal.events(question));
    return { source: 'journal', note: null, records };
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    return { source: 'memory', note: error.message, records: [] };
  }
}

function withoutHeld(
  records: readonly EventRecord[],
  held: readonly FedEvent[],
): readonly EventRecord[] {
  const known = new Set(held.map(keyOf));
  return records.filter((record) => !known.has(keyOf(record)));
}

function keyOf({ atMs, level, msg, fields }: EventRecord): string {
  return JSON.stringify([atMs, level, msg, fields]);
}
