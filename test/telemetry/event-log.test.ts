import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { RefusedError, UnreachableError } from '../../src/control/errors.ts';
import type { EventRecord } from '../../src/control/events.ts';
import { createEventLog, serializeError } from '../../src/telemetry/event-log.ts';
import type { Log } from '../../src/telemetry/recorder.ts';
import { TestClock } from '../control/test-clock.ts';

interface Desk {
  readonly log: Log;
  readonly clock: TestClock;
  readonly lines: Readonly<Record<string, unknown>>[];
  readonly events: EventRecord[];
}

function openDesk(level = 'debug'): Desk {
  const clock = new TestClock();
  const lines: Readonly<Record<string, unknown>>[] = [];
  const events: EventRecord[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Readonly<Record<string, unknown>>);
      done();
    },
  });
  const log = createEventLog(
    pino({ level, serializers: { err: serializeError } }, stream),
    clock,
    (record) => events.push(record),
  );
  return { log, clock, lines, events };
}

test.each(['info', 'warn', 'error'] as const)(
  'a line of level %s is logged and remembered as one event, with whole milliseconds',
  async (level) => {
    const { log, clock, lines, events } = openDesk();
    await clock.step(0.4);
    log[level]({ cluster: 'news', nodes: ['news-web-1'] }, 'nodes in service are gone');
    const fields = { cluster: 'news', nodes: ['news-web-1'] };
    expect(lines).toMatchObject([{ msg: 'nodes in service are gone', ...fields }]);
    const atMs = Math.round(clock.wallMs());
    expect(events).toEqual([{ atMs, level, msg: 'nodes in service are gone', fields }]);
    expect(Number.isInteger(events[0]?.atMs)).toBe(true);
  },
);

test('what is said each tick, at debug, is logged and not remembered', () => {
  const { log, lines, events } = openDesk();
  log.debug({ cluster: 'news' }, 'decided');
  expect(lines).toMatchObject([{ msg: 'decided', cluster: 'news' }]);
  expect(events).toEqual([]);
});

test('what is too quiet to be logged is remembered all the same', () => {
  const { log, lines, events } = openDesk('error');
  log.info({}, 'action done');
  expect(lines).toEqual([]);
  expect(events).toMatchObject([{ level: 'info', msg: 'action done' }]);
});

test('an error is remembered by its class, code and message, as it is logged', () => {
  const { log, lines, events } = openDesk();
  log.warn({ err: new RefusedError('no room', { cause: new Error('disk') }) }, 'action failed');
  log.warn({ err: new TypeError('a defect') }, 'action failed');
  const [refused, defect] = events;
  expect(refused?.fields).toEqual({
    err: { type: 'RefusedError', code: 'refused', message: 'no room' },
  });
  expect(defect?.fields).toEqual({ err: { type: 'TypeError', message: 'a defect' } });
  expect(lines).toMatchObject([{ err: { code: 'refused' } }, { err: { type: 'TypeError' } }]);
});

test('a host that does not answer is logged without a stack trace, a defect with it', () => {
  const { log, lines } = openDesk();
  log.warn({ err: new UnreachableError('xen-a: no route') }, 'source does not answer');
  log.warn({ err: new TypeError('a defect') }, 'action failed');
  expect(lines[0]?.['err']).toEqual({
    type: 'UnreachableError',
    code: 'unreachable',
    message: 'xen-a: no route',
  });
  const stack: unknown = expect.stringContaining('event-log.test.ts');
  expect(lines[1]).toMatchObject({ err: { type: 'TypeError', stack } });
});

test('a system error is remembered with its code', () => {
  const { log, events } = openDesk();
  const err = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  log.error({ err }, 'journal cannot be read');
  expect(events[0]?.fields).toEqual({
    err: { type: 'Error', code: 'ENOENT', message: 'no such file' },
  });
});

test('what is remembered comes back from JSON as it was', () => {
  const { log, events } = openDesk();
  const fields = { host: undefined, rps: 0.5, stages: [{ reason: 'minimum' }], why: null };
  log.info({ ...fields, err: new RefusedError('no room') }, 'action failed');
  expect(Object.keys(events[0]?.fields ?? {})).toEqual(['rps', 'stages', 'why', 'err']);
  expect(JSON.parse(JSON.stringify(events))).toEqual(events);
});
