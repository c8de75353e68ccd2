import { expect, test } from 'vitest';
import { readSchedule } from '../../src/config/read-schedule.ts';
import { type ReadSchedule, ScheduleWatch } from '../../src/control/schedule-watch.ts';
import type { Schedule } from '../../src/scaler/schedule.ts';
import { observationOf } from '../scaler/world.ts';
import { startLab } from './lab.ts';
import { makeTier } from './site.ts';
import { TestClock } from './test-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The test clock begins on 14 November 2023 at 22:30 UTC, 23:30 in Berlin. */
const berlin = (cron: string, words: Partial<Schedule> = {}): Schedule => ({
  cron,
  durationMs: HOUR_MS,
  timeZone: 'Europe/Berlin',
  ...words,
});

class Watched {
  readonly clock = new TestClock();
  reads = 0;
  bootTimeMs = MINUTE_MS;
  readonly #watch: ScheduleWatch;
  readonly #tier;

  constructor(schedule: Schedule) {
    this.#tier = makeTier({ schedules: [schedule] });
    const read: ReadSchedule = (one, wallMs) => {
      this.reads += 1;
      return readSchedule(one, wallMs);
    };
    this.#watch = new ScheduleWatch(this.clock, read);
  }

  /** Minutes from now until it ends and until it begins next. */
  look(): {
    until?: number;
    from?: number;
    maxNodes?: number;
    minNodes?: number;
    isOrdered?: true;
  } {
    const atMs = this.clock.steadyMs();
    const observation = observationOf({ atMs, bootTimeMs: this.bootTimeMs });
    const [seen] = this.#watch.look(this.#tier, observation).schedules ?? [];
    const { untilMs, fromMs, minNodes, maxNodes, isOrdered } = seen ?? {};
    return {
      ...(isOrdered === undefined ? {} : { isOrdered }),
      ...(untilMs === undefined ? {} : { until: (untilMs - atMs) / MINUTE_MS }),
      ...(fromMs === undefined ? {} : { from: (fromMs - atMs) / MINUTE_MS }),
      ...(minNodes === undefined ? {} : { minNodes }),
      ...(maxNodes === undefined ? {} : { maxNodes }),
    };
  }
}

test('a tier without schedules has none to look at', () => {
  const seen = observationOf();
  expect(new ScheduleWatch(new TestClock(), undefined).look(makeTier(), seen)).toBe(seen);
});

test('it is read once for as long as it stays the same', async () => {
  const watched = new Watched(berlin('45 23 * * *'));
  expect(watched.look()).toEqual({ from: 15 });
  await watched.clock.step(15 * MINUTE_MS - 1_000);
  expect([watched.look().from, watched.reads]).toEqual([1 / 60, 1]);
  await watched.clock.step(1_000);
  expect([watched.look(), watched.reads]).toEqual([{ until: 60, from: 24 * 60 }, 2]);
  await watched.clock.step(HOUR_MS);
  expect([watched.look(), watched.reads]).toEqual([{ from: 23 * 60 }, 3]);
});

test('a clock that is set forward over the end of a window takes what it keeps no sooner, and what it takes at once', async () => {
  const watched = new Watched(berlin('0 23 * * *', { minNodes: 6, maxNodes: 20 }));
  expect(watched.look()).toEqual({ until: 30, from: 24 * 60 - 30, minNodes: 6, maxNodes: 20 });
  watched.clock.jumpWall(2 * HOUR_MS);
  expect(watched.look()).toEqual({ until: 30, from: 22 * 60 - 30, minNodes: 6 });
  await watched.clock.step(29 * MINUTE_MS);
  expect(watched.look()).toMatchObject({ until: 1, minNodes: 6 });
  await watched.clock.step(MINUTE_MS);
  expect(watched.look()).toEqual({ from: 21 * 60, minNodes: 6, maxNodes: 20 });
});

test('a clock that is set back before a window does not end it either', () => {
  const watched = new Watched(berlin('0 23 * * *', { minNodes: 6 }));
  watched.look();
  watched.clock.jumpWall(-HOUR_MS);
  expect(watched.look()).toEqual({ until: 30, from: 30, minNodes: 6 });
});

test('a clock that is set into a window begins it', () => {
  const watched = new Watched(berlin('0 3 * * *', { minNodes: 6 }));
  expect(watched.look()).toEqual({ from: 3.5 * 60, minNodes: 6 });
  watched.clock.jumpWall(4 * HOUR_MS);
  expect(watched.look()).toMatchObject({ until: 30 });
});

test('a clock that gains a second an hour ends a window when it shows the end', async () => {
  const watched = new Watched(berlin('0 23 * * *', { minNodes: 6 }));
  watched.look();
  await watched.clock.step(20 * MINUTE_MS);
  watched.clock.jumpWall(1_000);
  expect(watched.look().until).toBe(10 - 1 / 60);
  await watched.clock.step(10 * MINUTE_MS - 1_000);
  expect(watched.look().until).toBeUndefined();
});

test('what has been ordered for a begin stays ordered when boots turn out to be quicker, until another begin is foretold', async () => {
  const watched = new Watched(berlin('45 23 * * *', { minNodes: 6 }));
  watched.bootTimeMs = 6 * MINUTE_MS;
  expect(watched.look()).toEqual({ from: 15, minNodes: 6 });
  await watched.clock.step(3 * MINUTE_MS);
  expect(watched.look()).toEqual({ from: 12, minNodes: 6, isOrdered: true });
  watched.bootTimeMs = MINUTE_MS;
  await watched.clock.step(MINUTE_MS);
  expect(watched.look()).toEqual({ from: 11, minNodes: 6, isOrdered: true });
  watched.clock.jumpWall(-1_000);
  expect(watched.look()).toMatchObject({ isOrdered: true });
  watched.clock.jumpWall(-HOUR_MS);
  expect(watched.look()).toEqual({ from: 71 + 1 / 60, minNodes: 6 });
});

test('a schedule that nobody reads is a defect', () => {
  const tier = makeTier({ schedules: [berlin('0 8 * * *')] });
  expect(() => new ScheduleWatch(new TestClock(), undefined).look(tier, observationOf())).toThrow(
    'there is a schedule, and nobody who reads it',
  );
});

test('a minimum is in service when its window begins: at first with time to spare, then as long ahead as boots take', async () => {
  const schedules = [
    berlin('45 23 * * *', { minNodes: 5 }),
    berlin('0 0 * * *', { minNodes: 8, durationMs: 10 * MINUTE_MS }),
  ];
  await using lab = startLab({ tier: makeTier({ schedules }), nodes: 2 });
  const { clock } = lab;
  // No boot has been measured: twice as long as one may take, 30 s.
  await clock.step(14 * MINUTE_MS - 5_000);
  expect(lab.world.domains).toHaveLength(2);
  await clock.step(10_000);
  expect(lab.world.domains).toHaveLength(5);
  // They are there, and boots are quicker than that: all the same they stay.
  await clock.step(30_000);
  expect([lab.inService(), lab.world.domains.length]).toEqual([5, 5]);
  await clock.step(25_000);
  expect(lab.inService()).toBe(5);
  const bootMs = lab.controller.ticks.get('news/web')?.observation.bootTimeMs ?? 0;
  expect(bootMs).toBeGreaterThan(6_000);
  await clock.step(15 * MINUTE_MS - 2 * bootMs - 3_000);
  expect(lab.world.domains).toHaveLength(5);
  await clock.step(2 * bootMs + 3_000);
  expect(lab.inService()).toBe(8);
  // The second window is over after 10 min, the first after half an hour more.
  await clock.step(15 * MINUTE_MS);
  expect(lab.inService()).toBe(5);
  await clock.step(32 * MINUTE_MS);
  expect(lab.inService()).toBe(2);
});
