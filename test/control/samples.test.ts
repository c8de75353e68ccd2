import { expect, test } from 'vitest';
import { aged, combine, pair } from '../../src/control/samples.ts';
import type { Sample } from '../../src/scaler/observation.ts';

const add = (one: number, other: number): number => one + other;
const ok = (value: number): Sample<number> => ({ status: 'ok', value });
const partial = (value: number): Sample<number> => ({ status: 'partial', value, why: 'reloaded' });
const stale = (value: number, ageMs: number): Sample<number> => ({ status: 'stale', value, ageMs });
const absent: Sample<number> = { status: 'absent', why: 'silent' };

test.each([
  { ageMs: 0, status: 'ok' },
  { ageMs: 3_000, status: 'ok' },
  { ageMs: 3_001, status: 'stale' },
  { ageMs: 15_000, status: 'stale' },
  { ageMs: 15_001, status: 'absent' },
  { ageMs: Number.POSITIVE_INFINITY, status: 'absent' },
])('an ok sample of $ageMs ms is $status', ({ ageMs, status }) => {
  expect(aged(ok(7), ageMs).status).toBe(status);
});

test('age never makes a sample better: partial becomes stale, absent stays absent', () => {
  expect(aged(partial(7), 1_000)).toEqual(partial(7));
  expect(aged(partial(7), 4_000)).toEqual(stale(7, 4_000));
  expect(aged(absent, 0)).toEqual(absent);
});

test.each([
  { of: [ok(1), ok(2)], sum: ok(3) },
  { of: [ok(1), ok(2), ok(4)], sum: ok(7) },
  { of: [ok(1), partial(2)], sum: { status: 'partial', value: 3, why: 'incomplete' } },
  { of: [partial(1), ok(2)], sum: partial(3) },
  { of: [partial(1), partial(2)], sum: partial(3) },
  { of: [ok(1), stale(2, 4_000)], sum: stale(3, 4_000) },
  { of: [stale(1, 9_000), stale(2, 4_000)], sum: stale(3, 9_000) },
  { of: [stale(1, 9_000), partial(2)], sum: stale(3, 9_000) },
  { of: [ok(1), absent], sum: { status: 'partial', value: 1, why: 'silent' } },
  { of: [absent, ok(2)], sum: { status: 'partial', value: 2, why: 'silent' } },
  { of: [absent, stale(2, 4_000)], sum: { status: 'partial', value: 2, why: 'silent' } },
  { of: [absent, absent], sum: absent },
  { of: [ok(1)], sum: ok(1) },
])('the sum of $of is $sum', ({ of, sum }) => {
  expect(combine(of, add)).toEqual(sum);
});

test('no balancer at all says nothing', () => {
  expect(combine([], add).status).toBe('absent');
});

test.each([
  { one: ok(1), other: ok(2), made: ok(3) },
  { one: partial(1), other: ok(2), made: partial(3) },
  { one: ok(1), other: partial(2), made: partial(3) },
  { one: ok(1), other: stale(2, 5_000), made: stale(3, 5_000) },
  { one: absent, other: ok(2), made: absent },
  { one: ok(1), other: absent, made: absent },
])('a sample made of $one and $other is as good as the worse', ({ one, other, made }) => {
  expect(pair(one, other, add)).toEqual(made);
});
