import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RateMeter } from '../../../src/balancer/haproxy/rates.ts';

const sameEpoch = '1@1';

function feed(meter: RateMeter, readings: readonly (readonly [atMs: number, total: number])[]) {
  return readings.map(([atMs, total]) => meter.read({ epoch: sameEpoch, atMs, total }));
}

test('the first reading says nothing, the second is a rate', () => {
  const samples = feed(new RateMeter(), [
    [5_000, 700],
    [6_000, 780],
  ]);

  expect(samples).toMatchObject([{ status: 'absent' }, { status: 'ok', value: 80 }]);
});

test('polls each 250 ms still give the rate of a whole second', () => {
  const readings = Array.from({ length: 9 }, (_, n) => [n * 250, n * 25] as const);
  // A burst within the last quarter: over 250 ms it would read as 400 rps.
  const samples = feed(new RateMeter(), [...readings, [2_250, 300]]);

  expect(samples.slice(0, 4).map((sample) => sample.status)).toEqual(Array(4).fill('absent'));
  expect(samples.at(-2)).toEqual({ status: 'ok', value: 100 });
  expect(samples.at(-1)).toEqual({ status: 'ok', value: 175 });
});

test('asked every 10 ms it keeps few readings and still spans a second', () => {
  const readings = Array.from({ length: 400 }, (_, n) => [n * 10, n] as const);
  expect(feed(new RateMeter(), readings).at(-1)).toMatchObject({ status: 'ok', value: 100 });
});

test('a reload: absent, then partial for 10 s from the new worker’s own counters', () => {
  const meter = new RateMeter();
  feed(meter, [
    [0, 1_000],
    [1_000, 1_100],
  ]);

  const samples = [2, 3, 11, 12, 13].map((second) =>
    meter.read({ epoch: '2@3', atMs: second * 1_000, total: second * 50 }),
  );

  expect(samples).toMatchObject([
    { status: 'absent' },
    { status: 'partial', value: 50 },
    { status: 'partial', value: 50 },
    { status: 'ok', value: 50 },
    { status: 'ok', value: 50 },
  ]);
});

test('somebody cleared the counters: absent, and start anew', () => {
  const samples = feed(new RateMeter(), [
    [0, 1_000],
    [1_000, 1_100],
    [2_000, 30],
    [3_000, 90],
  ]);

  expect(samples.slice(2)).toMatchObject([{ status: 'absent' }, { status: 'ok', value: 60 }]);
});

test.each([
  ['wraps', 2 ** 32 - 40, 40],
  ['begins at 0', 1_000_000, 0],
  ['loses one', 1_000, 999],
])('a counter that %s is no rate, neither a storm nor a silence', (_, last, next) => {
  const samples = feed(new RateMeter(), [
    [0, last - 80],
    [1_000, last],
    [2_000, next],
    [3_000, next + 80],
  ]);

  expect(samples.slice(1)).toMatchObject([
    { status: 'ok', value: 80 },
    { status: 'absent' },
    { status: 'ok', value: 80 },
  ]);
});

test('after a long silence it is an average of the past, which lets nobody go', () => {
  const samples = feed(new RateMeter(), [
    [0, 0],
    [1_000, 100],
    [31_000, 3_100],
    [32_000, 3_100],
  ]);

  expect(samples.slice(2)).toMatchObject([
    { status: 'partial', value: 100 },
    { status: 'ok', value: 0 },
  ]);
});

test('the same moment twice is no rate', () => {
  const samples = feed(new RateMeter(), [
    [1_000, 1],
    [1_000, 2],
  ]);
  expect(samples[1]).toMatchObject({ status: 'absent' });
});

test('whatever is read, a rate is finite and not negative', () => {
  const readings = fc.array(
    fc.record({
      epoch: fc.constantFrom('a', 'b'),
      stepMs: fc.integer({ min: -100, max: 5_000 }),
      total: fc.oneof(fc.nat(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1)),
    }),
  );
  fc.assert(
    fc.property(readings, (list) => {
      const meter = new RateMeter();
      let atMs = 0;
      for (const { epoch, stepMs, total } of list) {
        atMs += stepMs;
        const sample = meter.read({ epoch, atMs, total });
        if (sample.status !== 'absent') {
          expect(sample.value).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(sample.value)).toBe(true);
        }
      }
    }),
  );
});
