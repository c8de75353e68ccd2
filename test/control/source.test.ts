import { expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import type { ControlEvent } from '../../src/control/events.ts';
import { Source } from '../../src/control/source.ts';
import { EventLog } from './event-log.ts';
import { TestClock } from './test-clock.ts';

/** What changed; that it was asked is said each time. */
function changes(log: EventLog): readonly ControlEvent[] {
  return log.events.filter(({ type }) => type !== 'source-asked');
}

function startSource(ask: (signal: AbortSignal, clock: TestClock) => Promise<number>) {
  const clock = new TestClock();
  const log = new EventLog();
  const stop = new AbortController();
  const seen: number[] = [];
  const source = new Source<number>({
    kind: 'host',
    name: 'host-a',
    ask: (signal) => ask(signal, clock),
    intervalMs: () => 1_000,
    answerWithinMs: 5_000,
    clock,
    recorder: log,
  });
  const run = source.run((snapshot) => void seen.push(snapshot.value), stop.signal);
  return { clock, log, stop, seen, source, run };
}

test('each answer is stamped with when it was asked, not with when it came', async () => {
  const { clock, source, stop, run } = startSource(async (signal, own) => {
    await own.sleep(700, signal);
    return 1;
  });
  const startMs = clock.steadyMs();
  await clock.step(700);
  expect(source.latest).toEqual({ askedAtMs: startMs, value: 1 });
  stop.abort();
  await run;
});

test('a failure is said once however long it lasts, and its end once', async () => {
  let fails = true;
  const { clock, log, seen } = startSource(async () => {
    if (fails) {
      throw new UnreachableError('no route');
    }
    return 1;
  });
  const failure = log.next('source-failed');
  await clock.step(5_500);
  expect((await failure).error).toBeInstanceOf(UnreachableError);
  expect(changes(log).map(({ type }) => type)).toEqual(['source-failed']);
  expect(seen).toEqual([]);

  fails = false;
  await clock.step(5_000);
  expect(changes(log).map(({ type }) => type)).toEqual(['source-failed', 'source-answered']);
  expect(seen).toHaveLength(5);

  fails = true;
  await clock.step(3_000);
  expect(changes(log).map(({ type }) => type)).toEqual([
    'source-failed',
    'source-answered',
    'source-failed',
  ]);
});

test('each reason of a silence is said once: not for other numbers, and not when it comes back', async () => {
  let reason: string | undefined = 'nobody listens';
  const { clock, log } = startSource(async () => {
    if (reason !== undefined) {
      throw new UnreachableError(reason);
    }
    return 1;
  });
  const said = () => log.of('source-failed').map(({ error }) => String(error));
  await clock.step(3_500);
  for (const next of ['login 1 is refused', 'login 23 is refused', 'nobody listens']) {
    reason = next;
    await clock.step(3_000);
  }
  expect(said()).toEqual([
    'UnreachableError: nobody listens',
    'UnreachableError: login 1 is refused',
  ]);

  reason = undefined;
  await clock.step(3_000);
  reason = 'nobody listens';
  await clock.step(3_000);
  expect(said()).toHaveLength(3);
});

test('of a source that words each failure otherwise, the first ten are said', async () => {
  let words = '';
  const { clock, log } = startSource(async () => {
    words += 'x';
    throw new UnreachableError(words);
  });
  await clock.step(60_000);
  expect(log.of('source-failed')).toHaveLength(10);
});

test('the first answer is said, so that a source that never failed is known to answer', async () => {
  const { clock, log } = startSource(async () => 1);
  await clock.step(3_000);
  expect(changes(log)).toEqual([{ type: 'source-answered', kind: 'host', name: 'host-a' }]);
});

test.each(['host-a', 'host host-a'])(
  'a failure that begins with "%s" is not told with the name twice',
  async (named) => {
    const { clock, source } = startSource(async () => {
      throw new UnreachableError(`${named}: no route`);
    });
    await clock.step(100);
    expect(source.failure).toBe('no route');
    expect(source.whyUnanswered).toBe('no route');
  },
);

test('a failure keeps the answer of before', async () => {
  let asked = 0;
  const { clock, source } = startSource(async () => {
    asked += 1;
    if (asked > 1) {
      throw new UnreachableError('no route');
    }
    return 1;
  });
  await clock.step(3_500);
  expect(asked).toBe(4);
  expect(source.latest?.value).toBe(1);
});

test('a source that never answers and heeds no signal fails after 5 s and is asked again', async () => {
  let asked = 0;
  const { clock, log } = startSource(async () => {
    asked += 1;
    return await new Promise<never>(() => undefined);
  });
  await clock.step(4_999);
  expect([asked, changes(log).length]).toEqual([1, 0]);
  await clock.step(1_001);
  expect(asked).toBe(2);
  expect(log.of('source-failed')[0]?.error).toBeInstanceOf(UnreachableError);
});

test('a poke ends the pause at once; the next pause is a whole one', async () => {
  let asked = 0;
  const { clock, source } = startSource(async () => (asked += 1));
  await clock.step(500);
  expect(asked).toBe(1);
  source.poke();
  await clock.step(0);
  expect(asked).toBe(2);
  await clock.step(999);
  expect(asked).toBe(2);
  await clock.step(1);
  expect(asked).toBe(3);
});

test('an abort ends the run, in a pause as well as in a question, and is no failure', async () => {
  const pausing = startSource(async () => 1);
  await pausing.clock.step(100);
  pausing.stop.abort();
  await pausing.run;
  expect(pausing.log.of('source-failed')).toEqual([]);

  const asking = startSource(() => new Promise<never>(() => undefined));
  await asking.clock.step(100);
  asking.stop.abort();
  await asking.run;
  expect(changes(asking.log)).toEqual([]);
});

test('each question is told with its time, answered or not, but not the one that the end cut off', async () => {
  let fails = false;
  const { clock, log, stop, run } = startSource(async (signal, own) => {
    await own.sleep(fails ? 300 : 200, signal);
    if (fails) {
      throw new UnreachableError('no route');
    }
    return 1;
  });
  await clock.step(1_000);
  fails = true;
  await clock.step(1_000);
  expect(log.of('source-asked').map(({ durationMs }) => durationMs)).toEqual([200, 300]);
  await clock.step(600);
  stop.abort();
  await run;
  expect(log.of('source-asked')).toHaveLength(2);
});
