import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { until } from '../balancer/site.ts';
import { ApiLab } from './api-lab.ts';

interface Events {
  readonly source: string;
  readonly note: string | null;
  readonly lastEventId: string;
  readonly events: readonly { readonly msg: string; readonly fields: object }[];
}

/** Something that happens, of no importance. */
function happen(lab: ApiLab, number: number, fields: object = {}): void {
  const record = {
    atMs: lab.clock.wallMs(),
    level: 'info' as const,
    msg: `event ${number}`,
    fields: { ...fields },
  };
  lab.feed.append(record);
  lab.journal?.appendEvent(record);
}

async function listed(lab: ApiLab, query = ''): Promise<Events> {
  return (await lab.get(`/api/v1/events${query}`)).json as Events;
}

const messagesOf = ({ events }: Events) => events.map(({ msg }) => msg);

/** A client that follows and reads. */
class Follower implements AsyncDisposable {
  text = '';
  readonly response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.response = response;
    // That the service cuts it is what some tests wait for.
    response.on('error', () => undefined);
    response.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
    });
  }

  static async start(lab: ApiLab, query = '', lastEventId?: string): Promise<Follower> {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const path = `/api/v1/events/stream${query}`;
    const sent = request({ host: '127.0.0.1', port: lab.port, path, headers }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const follower = new Follower(response);
    await follower.until('retry: ');
    return follower;
  }

  async until(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      await once(this.response, 'data', { signal: AbortSignal.timeout(20_000) });
    }
    return this.text;
  }

  get messages(): readonly string[] {
    return [...this.text.matchAll(/"msg":"([^"]*)"/g)].map(([, msg]) => msg ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.response.destroy();
  }
}

test('the latest events, of a time, a cluster, a tier, so many', async () => {
  await using lab = await ApiLab.start();
  happen(lab, 1, { cluster: 'news', tier: 'web' });
  await lab.clock.step(1_000);
  const sinceMs = lab.clock.wallMs();
  happen(lab, 2, { cluster: 'news', tier: 'db' });
  happen(lab, 3, { cluster: 'shop', tier: 'web' });
  await lab.clock.step(1_000);
  happen(lab, 4);
  const since = new Date(sinceMs).toISOString();
  const own = async (query: string) =>
    messagesOf(await listed(lab, query)).filter((msg) => msg.startsWith('event '));
  expect(await own('')).toEqual(['event 1', 'event 2', 'event 3', 'event 4']);
  expect(await own('?limit=2')).toEqual(['event 3', 'event 4']);
  expect(await own(`?since=${since}`)).toEqual(['event 2', 'event 3', 'event 4']);
  expect(await own(`?since=${sinceMs}&until=${sinceMs}`)).toEqual(['event 2', 'event 3']);
  expect(await own(`?until=${since.replace('Z', '+00:00')}`)).toEqual([
    'event 1',
    'event 2',
    'event 3',
  ]);
  expect(await own('?cluster=news')).toEqual(['event 1', 'event 2']);
  expect(await own('?tier=web')).toEqual(['event 1', 'event 3']);
  expect(await own('?cluster=news&tier=web')).toEqual(['event 1']);
});

test('without a journal, or with one that cannot be read, memory answers and says so', async () => {
  await using lab = await ApiLab.start();
  happen(lab, 1);
  expect(await listed(lab)).toMatchObject({ source: 'journal', note: null });
  lab.journalPart.broken = 'disk full';
  const broken = await listed(lab);
  expect(broken).toMatchObject({ source: 'memory', note: 'disk full' });
  expect(messagesOf(broken)).toContain('event 1');
  lab.journal = undefined;
  const none = await listed(lab);
  expect(none).toMatchObject({ source: 'memory' });
  expect(none.note).toContain('there is no journal here');
});

test('what the journal does not have yet is there already, and nothing is there twice', async () => {
  await using lab = await ApiLab.start();
  lab.journalPart.appendEvent({
    atMs: lab.clock.wallMs() - 3_600_000,
    level: 'info',
    msg: 'event 0',
    fields: {},
  });
  happen(lab, 1);
  lab.feed.append({ atMs: lab.clock.wallMs(), level: 'info', msg: 'event 2', fields: {} });
  expect(messagesOf(await listed(lab)).filter((msg) => msg.startsWith('event'))).toEqual([
    'event 0',
    'event 1',
    'event 2',
  ]);
});

test('a follower sees what happens from now on, of what it asked for', async () => {
  await using lab = await ApiLab.start();
  happen(lab, 1);
  await using all = await Follower.start(lab);
  await using some = await Follower.start(lab, '?cluster=news&tier=web');
  happen(lab, 2);
  happen(lab, 3, { cluster: 'news', tier: 'web' });
  await all.until('event 3');
  await some.until('event 3');
  expect(all.messages).toEqual(['event 2', 'event 3']);
  expect(some.messages).toEqual(['event 3']);
  expect(all.response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
});

test('who comes back goes on where it left: after the list, after an event, after a restart', async () => {
  await using lab = await ApiLab.start();
  happen(lab, 1);
  const { lastEventId } = await listed(lab);
  happen(lab, 2);
  happen(lab, 3);
  await using afterList = await Follower.start(lab, '', lastEventId);
  await afterList.until('event 3');
  expect(afterList.messages).toEqual(['event 2', 'event 3']);

  const [, id = ''] = /id: (.*)\n.*event 2/.exec(afterList.text) ?? [];
  await using afterEvent = await Follower.start(lab, '', id);
  await afterEvent.until('event 3');
  expect(afterEvent.messages).toEqual(['event 3']);

  // Its number is higher than all that there are since the last start.
  await using afterRestart = await Follower.start(lab, '', '1600000000000-99');
  await afterRestart.until('event 3');
  expect(afterRestart.messages.filter((msg) => msg.startsWith('event'))).toEqual([
    'event 1',
    'event 2',
    'event 3',
  ]);
});

test('who was away for long learns how much it missed', async () => {
  await using lab = await ApiLab.start();
  const { lastEventId } = await listed(lab);
  for (let number = 1; number <= 503; number += 1) {
    happen(lab, number);
  }
  await using follower = await Follower.start(lab, '', lastEventId);
  await follower.until('event 503');
  expect(follower.text).toContain('event: missed\ndata: {"events":3}\n');
  expect(follower.messages).toHaveLength(500);
});

test('while nothing happens, both ends still know of each other', async () => {
  await using lab = await ApiLab.start();
  await using follower = await Follower.start(lab);
  await lab.clock.step(15_000);
  expect(await follower.until(': still here')).not.toContain('undefined');
});

test('33 do not follow at once; when one goes, another may come', async () => {
  await using lab = await ApiLab.start();
  await using followers = new AsyncDisposableStack();
  const first = await Follower.start(lab);
  for (let count = 1; count < 32; count += 1) {
    followers.use(await Follower.start(lab));
  }
  expect((await lab.get('/api/v1/events/stream')).status).toBe(503);
  expect((await lab.ask({ method: 'HEAD', path: '/api/v1/events/stream' })).status).toBe(200);
  first.response.destroy();
  await until(
    () => lab.feed.followers,
    (count) => count === 31,
  );
  followers.use(await Follower.start(lab));
  expect(lab.feed.followers).toBe(32);
});

test('who follows and does not read is cut off; nobody else notices', async () => {
  await using lab = await ApiLab.start();
  await using reader = await Follower.start(lab);
  const idle = connect(lab.port, '127.0.0.1');
  const cut = once(idle, 'close');
  idle.on('error', () => undefined);
  idle.write('GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(idle, 'readable');
  expect(lab.feed.followers).toBe(2);
  // The kernel takes some megabytes for a socket that nobody reads from; the service holds far less.
  const padding = 'x'.repeat(10_000);
  for (let sent = 1; sent <= 5_000 && lab.feed.followers === 2; sent += 1) {
    happen(lab, sent, { padding });
    await reader.until(`"event ${sent}"`);
    reader.text = '';
  }
  expect(lab.feed.followers).toBe(1);
  idle.resume();
  await cut;
  happen(lab, 999_999);
  await reader.until('event 999999');
});

test('a follower ends with the service', async () => {
  const lab = await ApiLab.start();
  const follower = await Follower.start(lab);
  const ended = new Promise((resolve) => follower.response.once('close', resolve));
  await lab[Symbol.asyncDispose]();
  await ended;
  expect(lab.feed.followers).toBe(0);
});
