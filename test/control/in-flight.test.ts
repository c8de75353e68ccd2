import { expect, test } from 'vitest';
import { InFlight } from '../../src/control/in-flight.ts';
import { bootAction, makeTier, serverAction } from './site.ts';

const tier = makeTier();
const ignore = (): void => undefined;

test.each([
  { askedAtMs: 999, inFlight: true, why: 'was asked before it ended and answered after' },
  { askedAtMs: 1_000, inFlight: true, why: 'was asked in the same moment' },
  { askedAtMs: 1_001, inFlight: false, why: 'was asked afterwards' },
])('an action that ended at 1000: a snapshot that $why', ({ askedAtMs, inFlight }) => {
  const flights = new InFlight(ignore);
  flights.end(flights.start(tier, bootAction(3)), 1_000);
  flights.settle(() => askedAtMs);
  expect(flights.operationOf('news-web-3')).toBe(inFlight ? 'boot' : undefined);
});

test('an action that has not ended is in flight whatever was asked', () => {
  const flights = new InFlight(ignore);
  flights.start(tier, serverAction('admit', 3));
  flights.settle(() => Number.POSITIVE_INFINITY);
  expect([flights.size, flights.operationOf('news-web-3')]).toEqual([1, 'admit']);
});

test('each flight is settled by the sources that show it', () => {
  const flights = new InFlight(ignore);
  for (const host of ['host-a', 'host-b']) {
    const number = host === 'host-a' ? 1 : 2;
    flights.end(flights.start(tier, bootAction(number, host)), 1_000);
  }
  flights.settle(({ action }) => ('host' in action && action.host === 'host-a' ? 2_000 : 500));
  expect([...flights.all()].map(({ action }) => action.node)).toEqual(['news-web-2']);
});

test('whoever computes room hears of each start, end and settlement', () => {
  let heard = 0;
  const flights = new InFlight(() => {
    heard += 1;
  });
  const flight = flights.start(tier, bootAction(3));
  expect(heard).toBe(1);
  flights.end(flight, 1_000);
  expect(heard).toBe(2);
  flights.settle(() => 500);
  expect(heard).toBe(2);
  flights.settle(() => 1_500);
  expect(heard).toBe(3);
});
