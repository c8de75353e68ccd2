import { expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import type { GivenOverride } from '../../src/control/events.ts';
import { settledAt, signalsOf } from '../scaler/world.ts';
import { Place, tickOf, until, WALL_MS, WEB } from './rig.ts';

const ALWAYS = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

const PAUSE: GivenOverride = {
  id: 'o1',
  tier: WEB,
  word: { kind: 'pause', direction: 'in' },
  reason: 'a sale begins',
  givenAtMs: WALL_MS,
  expiresAtMs: WALL_MS + 60_000,
};

test('what is appended is there at once for whoever asks, and after a restart', async () => {
  await using place = new Place();
  const first = place.open();
  const ticked = tickOf({ signals: signalsOf(400) }, settledAt(2));
  first.say('node booted', { cluster: 'news', tier: 'web', node: 'news-web-3', tries: [1, 2] });
  first.journal.appendTick(ticked);
  await first.journal.saveOverride(PAUSE);

  for (const subject of [first, place.open()]) {
    const { journal } = subject;
    expect(
      await until(
        () => journal.events({ limit: 9 }),
        (events) => events.length > 0,
      ),
    ).toEqual([
      {
        atMs: WALL_MS + 1,
        level: 'info',
        msg: 'node booted',
        fields: { cluster: 'news', tier: 'web', node: 'news-web-3', tries: [1, 2] },
      },
    ]);
    const decision = {
      atMs: WALL_MS + 1,
      tier: JSON.parse(JSON.stringify(ticked.tier)) as unknown,
      mode: 'full',
      observation: JSON.parse(JSON.stringify(ticked.observation)) as unknown,
      memory: ticked.memory,
      tick: JSON.parse(JSON.stringify(ticked.tick)) as unknown,
    };
    expect(await journal.decisionAt(WEB, WALL_MS + 1_000)).toEqual(decision);
    expect(await journal.decisions(WEB, { ...ALWAYS, limit: 9 })).toEqual([decision]);
    expect(await journal.decisionAt(WEB, WALL_MS)).toBeUndefined();
    const samples = await journal.samples(WEB, ALWAYS);
    expect([...samples.requestRps]).toEqual([400]);
    expect([...samples.desiredNodes]).toEqual([5]);
    expect(await journal.loadOverrides()).toEqual([PAUSE]);
    await journal.close();
  }
});

test('it says once that it is written, whatever it writes', async () => {
  await using place = new Place();
  // Nor is it said of the first start that there was no file: nothing befell it.
  for (const why of [undefined, undefined]) {
    const subject = place.open();
    for (let second = 0; second < 300; second += 1) {
      subject.wallMs += 1_000;
      subject.say(`second ${second}`);
      subject.journal.appendTick(tickOf({ atMs: second * 1_000 }));
      if (second % 10 === 0) {
        await subject.messages();
      }
    }
    await subject.journal.close();

    expect(subject.healths).toEqual([
      { state: 'writing', why, sinceMs: expect.any(Number) as number, droppedRecords: 0 },
    ]);
    expect(subject.journal.health).toEqual(subject.healths[0]);
  }
});

test('overrides end', async () => {
  await using place = new Place();
  const { journal } = place.open();
  await journal.saveOverride(PAUSE);
  await journal.saveOverride({ ...PAUSE, id: 'o2' });
  await journal.saveOverride({ ...PAUSE, reason: 'said twice' });

  await journal.deleteOverride('o2');
  await journal.deleteOverride('never given');

  expect(await journal.loadOverrides()).toEqual([{ ...PAUSE, reason: 'said twice' }]);
});

test('one sample a second is kept, however often the loop looks', async () => {
  await using place = new Place();
  const subject = place.open();
  const times: number[] = [];
  for (let quarter = 0; quarter < 240; quarter += 1) {
    // Four times a second for half a minute, then once, a little early or late.
    const early = (quarter % 7) * 20 - 60;
    const atMs = quarter < 120 ? quarter * 250 : 30_000 + (quarter - 120) * 1_000 + early;
    times.push(atMs);
    subject.wallMs = WALL_MS + atMs;
    subject.journal.appendTick(tickOf({ atMs: 5_000_000 + atMs }, settledAt(2)));
  }
  await subject.journal.close();

  const { atMs } = await place.open().journal.samples(WEB, ALWAYS);
  const seconds = new Set([...atMs].map((at) => Math.round((at - WALL_MS) / 1_000)));
  expect(atMs).toHaveLength(150);
  expect(seconds.size).toBe(150);
});

test('samples of one run are there beside those of the next', async () => {
  await using place = new Place();
  for (const run of [0, 1, 2]) {
    const subject = place.open();
    for (let second = 0; second < 5; second += 1) {
      subject.wallMs = WALL_MS + run * 10_000 + second * 1_000;
      subject.journal.appendTick(tickOf({ atMs: subject.wallMs }, settledAt(2)));
    }
    await subject.journal.close();
  }

  const { atMs } = await place.open().journal.samples(WEB, ALWAYS);
  const seconds = [...atMs].map((at) => (at - WALL_MS) / 1_000);
  expect(seconds).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]);
});

test('appending more than can be written costs the oldest, and is said', async () => {
  await using place = new Place();
  const subject = place.open();
  await subject.hear('writing', undefined);
  const fields = { text: 'x'.repeat(100_000) };
  // The thread is not heard in between, so that all of it has to wait here.
  for (let at = 0; at < 400; at += 1) {
    subject.say(`event ${at}`, fields);
  }

  await subject.hear('failing', /more is to be kept/);
  await subject.hear('writing', undefined, 1);
  const messages = await subject.messages();

  expect(messages.length).toBeGreaterThan(100);
  expect(messages.length).toBeLessThan(300);
  expect(messages.length + subject.journal.health.droppedRecords).toBe(400);
  expect(messages.at(-1)).toBe('event 399');
  expect(messages).not.toContain('event 0');
});

test('what cannot be kept is counted, and nothing is thrown', async () => {
  await using place = new Place();
  const subject = place.open();
  const round: Record<string, unknown> = {};
  round['round'] = round;

  subject.say('goes in circles', round);
  subject.say('is no JSON', { amount: 1n });
  subject.say('is endless', { text: 'x'.repeat(2 ** 21) });
  subject.say('is well');

  expect(
    await until(
      () => subject.messages(),
      (messages) => messages.length > 0,
    ),
  ).toEqual(['is well']);
  expect(subject.journal.health.droppedRecords).toBe(3);
});

test('a closed journal takes nothing and answers nothing', async () => {
  await using place = new Place();
  const subject = place.open();
  subject.say('before');
  await Promise.all([subject.journal.close(), subject.journal.close()]);
  subject.say('after');

  await expect(subject.journal.events({ limit: 9 })).rejects.toThrow(UnreachableError);
  await expect(subject.journal.saveOverride(PAUSE)).rejects.toThrow(UnreachableError);
  expect(await place.open().messages()).toEqual(['before']);
});

test('the oldest goes while it is written', async () => {
  await using place = new Place();
  const subject = place.open({ retentionMs: 60_000 });
  subject.say('old');
  await until(
    () => subject.messages(),
    (messages) => messages.length === 1,
  );
  subject.wallMs += 120_000;

  const messages = await until(
    () => {
      subject.say('young');
      return subject.messages();
    },
    (all) => !all.includes('old'),
  );

  expect(messages[0]).toBe('young');
});
