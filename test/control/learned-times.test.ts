import { expect, test } from 'vitest';
import { LearnedTimes } from '../../src/control/learned-times.ts';

const COLD = { imageVersion: '1', host: 'host-a', start: 'cold' } as const;

test('each way of coming is measured apart, and only cold boots make the boot time', () => {
  const times = new LearnedTimes();
  times.learn(COLD, 40_000);
  times.learn({ ...COLD, start: 'paused' }, 1_000);
  times.learn({ ...COLD, host: 'host-b' }, 60_000.4);
  expect(times.bootTimeMs('1')).toBe(60_000.4);
  expect(times.all).toEqual([
    { ...COLD, timeMs: 40_000 },
    { ...COLD, start: 'paused', timeMs: 1_000 },
    { ...COLD, host: 'host-b', timeMs: 60_000 },
  ]);
});

test('of many starts, the one that was longest not measured is forgotten', () => {
  const times = new LearnedTimes();
  for (let version = 1; version <= 24; version += 1) {
    times.learn({ ...COLD, imageVersion: String(version) }, version);
  }
  times.learn({ ...COLD, imageVersion: '1' }, 1);
  times.learn({ ...COLD, imageVersion: '25' }, 25);
  const known = times.all.map(({ imageVersion }) => imageVersion);
  expect([known.length, known.includes('1'), known.includes('2')]).toEqual([24, true, false]);
});

test('what was known before a restart is known again', () => {
  const times = new LearnedTimes();
  const before = [
    { ...COLD, timeMs: 40_000 },
    { ...COLD, start: 'saved' as const, timeMs: 9_000 },
  ];
  times.restore(50_000, before);
  expect([times.bootTimeMs('1'), times.all]).toEqual([50_000, before]);
  times.restore(undefined, []);
  expect(times.bootTimeMs('1')).toBe(50_000);
});

test('a new version of the image is measured by its own boots, and by those before it until it has booted', () => {
  const times = new LearnedTimes();
  times.learn(COLD, 90_000);
  expect(times.bootTimeMs('2')).toBe(90_000);
  times.learn({ ...COLD, imageVersion: '2' }, 30_000);
  expect([times.bootTimeMs('1'), times.bootTimeMs('2')]).toEqual([90_000, 30_000]);
});
