import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { UnreachableError } from '../control/errors.ts';
import { EventAnswer, EventsAnswer } from '../http/event-answer.ts';
import { StatusAnswer } from '../http/status-answer.ts';
import { describeFields } from './event-fields.ts';
import { formatMoment, MOMENT_HELP, parseMoment } from './moments.ts';
import { endWithReader, paint } from './page.ts';
import { print, printJson, say } from './print.ts';
import {
  addServiceOptions,
  readAnswer,
  ServiceClient,
  type ServiceOptions,
} from './service-client.ts';
import type { SentEvent } from './sent-events.ts';

interface EventsOptions extends ServiceOptions {
  readonly follow?: true;
  readonly since?: number;
  readonly cluster?: string;
}

/** Without `--since`, as many as fit a screen. */
const LATEST_EVENTS = 50;
const MOST_EVENTS = 10_000;

/** The service is asked again so often while it does not answer. */
const RETRY_MS = 1_000;

/** What `--json` prints, untouched. */
const RawEvents = z.object({ events: z.array(z.unknown()) });

const Missed = z.object({ events: z.int() });

/** `rackfire events`: what happened, and what happens. */
export function addEvents(program: Command): void {
  const command = program
    .command('events')
    .description('what happened; with --follow, also what happens from now on')
    .option('-f, --follow', 'go on until interrupted, also over restarts of the service')
    .option('--since <time>', `all since then: ${MOMENT_HELP}`, (text) =>
      parseMoment(text, Date.now()),
    )
    .option('--cluster <cluster[/tier]>', 'those of one cluster or tier alone');
  addServiceOptions(command).action(async (options: EventsOptions) => {
    await showEvents(options);
  });
}

/** @throws UnreachableError when no service answers at the beginning. Error when nothing is known of that cluster. */
async function showEvents(options: EventsOptions): Promise<void> {
  endWithReader();
  const client = await ServiceClient.create(options);
  const filter = filterOf(options);
  const limit = options.since === undefined ? LATEST_EVENTS : MOST_EVENTS;
  const query = new URLSearchParams({ ...filter, limit: String(limit) });
  if (options.since !== undefined) {
    query.set('since', String(Math.floor(options.since)));
  }
  const { text, value } = await client.get(`/api/v1/events?${query.toString()}`, EventsAnswer);
  if (value.note !== null) {
    say(`rackfire: these are from memory alone: ${value.note}`);
  }
  if (value.events.length === 0 && options.cluster !== undefined) {
    await refuseUnknown(client, options.cluster);
  }
  if (options.since !== undefined && value.events.length === limit) {
    say(`rackfire: these are the latest ${limit} events since then, there are more`);
  }
  if (options.json === true) {
    for (const event of RawEvents.parse(JSON.parse(text)).events) {
      printJson(event);
    }
  } else {
    value.events.forEach(printEvent);
  }
  if (options.follow === true) {
    const path = `/api/v1/events/stream?${new URLSearchParams(filter).toString()}`;
    await follow(client, path, value.lastEventId, options);
  }
}

/**
 * Of a name without any event that is not in the config either, nothing will ever be printed. A cluster that has left the
 * config stays known for as long as events of it are kept, of whatever time.
 *
 * @throws Error with the names that there are.
 */
async function refuseUnknown(client: ServiceClient, name: string): Promise<void> {
  const { value: status } = await client.get('/api/v1/status', StatusAnswer);
  const isTier = name.includes('/');
  const names = isTier
    ? status.clusters.flatMap((cluster) => cluster.tiers.map(({ tier }) => tier))
    : status.clusters.map((cluster) => cluster.name);
  if (names.includes(name)) {
    return;
  }
  const query = new URLSearchParams({ ...filterOf({ cluster: name }), limit: '1' });
  const { value: ever } = await client.get(`/api/v1/events?${query.toString()}`, EventsAnswer);
  if (ever.events.length === 0) {
    throw new Error(
      `there is no ${isTier ? 'tier' : 'cluster'} ${name}, and no event of it is kept; there is ${names.join(', ')}`,
    );
  }
}

/** Ends only by a signal, or when the service refuses it. */
async function follow(
  client: ServiceClient,
  path: string,
  afterId: string | null,
  { json }: EventsOptions,
): Promise<void> {
  let lastId = afterId;
  let isLost = false;
  for (;;) {
    try {
      for await (const event of client.follow(path, lastId)) {
        if (event.type === 'open' && isLost) {
          say('rackfire: the service answers again');
          isLost = false;
        }
        lastId = event.id ?? lastId;
        printSent(event, json === true);
      }
    } catch (error) {
      if (!(error instanceof UnreachableError)) {
        throw error;
      }
    }
    if (!isLost) {
      say('rackfire: the service does not answer any more, trying again');
      isLost = true;
    }
    await sleep(RETRY_MS);
  }
}

function printSent({ type, data }: SentEvent, isJson: boolean): void {
  switch (type) {
    case 'message':
      if (isJson) {
        print(data);
      } else {
        printEvent(readAnswer(data, EventAnswer));
      }
      return;
    case 'missed':
      say(`rackfire: ${readAnswer(data, Missed).events} events were missed`);
      return;
    default:
      return;
  }
}

function filterOf({
  cluster: name,
}: Pick<EventsOptions, 'cluster'>): Readonly<Record<string, string>> {
  if (name === undefined) {
    return {};
  }
  const [cluster = '', ...tier] = name.split('/');
  return tier.length === 0 ? { cluster } : { cluster, tier: tier.join('/') };
}

function printEvent({ at, level, msg, fields }: EventAnswer): void {
  const { cluster, tier, ...others } = fields;
  const where = [cluster, tier].filter((name) => typeof name === 'string').join('/');
  const words = [
    paint('faint', formatMoment(at, Date.now())),
    paintLevel(level),
    ...(where === '' ? [] : [where]),
    paint('strong', msg),
    paint('faint', describeFields(others)),
  ];
  print(words.join('  ').trimEnd());
}

function paintLevel(level: EventAnswer['level']): string {
  const text = level.padEnd(5);
  switch (level) {
    case 'error':
      return paint('bad', text);
    case 'warn':
      return paint('warn', text);
    case 'info':
      return text;
  }
}
