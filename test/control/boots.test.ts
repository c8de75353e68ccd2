import { expect, test } from 'vitest';
import { BootLedger } from '../../src/control/boots.ts';
import type { Node } from '../../src/scaler/node-phase.ts';
import { bootAction, makeTier } from './site.ts';

const tier = makeTier();
const POLICY = { failures: 3, windowMs: 600_000, openMs: 300_000 };
const BORN_MS = 77;
const COLD = { imageVersion: '1', host: 'host-a', start: 'cold' } as const;

function nodeOf(number: number, phase: Node['phase'], rest: Partial<Node> = {}): Node {
  return {
    name: `news-web-${number}`,
    number,
    phase,
    host: 'host-a',
    bornMs: BORN_MS,
    serving: phase === 'in-service',
    servingOnAll: phase === 'in-service',
    sickForMs: 0,
    sessionsKnown: true,
    quiet: true,
    parked: false,
    phaseAgeMs: 0,
    leaving: false,
    isSaved: false,
    wakeRefused: false,
    saveRefused: false,
    protectedBy: undefined,
    drainAskedBy: undefined,
    operation: undefined,
    ...rest,
  };
}

/** A ledger that awaits node 3, ordered at 1000. */
function awaiting(number = 3): BootLedger {
  const ledger = new BootLedger(POLICY);
  ledger.ordered(tier, bootAction(number), COLD, BORN_MS, 1_000);
  return ledger;
}

test.each(['out-of-rotation', 'in-service'] as const)(
  'a boot is served when its node is %s, and told once with its time',
  (phase) => {
    const ledger = awaiting();
    expect(ledger.review(tier, [nodeOf(3, phase)], 9_000)).toEqual([
      { node: 'news-web-3', host: 'host-a', result: 'served', start: 'cold', durationMs: 8_000 },
    ]);
    expect(ledger.review(tier, [nodeOf(3, phase)], 9_250)).toEqual([]);
    expect(ledger.timesOf(tier).bootTimeMs('1')).toBe(8_000);
  },
);

test.each(['booting', 'warming', 'unknown'] as const)('a node that is %s is awaited', (phase) => {
  const ledger = awaiting();
  expect(ledger.review(tier, [nodeOf(3, phase)], 9_000)).toEqual([]);
  expect(ledger.review(tier, [nodeOf(3, 'in-service')], 9_250)).toHaveLength(1);
});

test('an earlier tenant of the number that serves is not the boot', () => {
  const ledger = awaiting();
  expect(ledger.review(tier, [nodeOf(3, 'in-service', { bornMs: 5 })], 9_000)).toEqual([]);
});

test('a node that has vanished has failed; one whose boot is still in flight has not', () => {
  const ledger = awaiting();
  const inFlight = nodeOf(3, 'absent', { operation: 'boot' });
  expect(ledger.review(tier, [inFlight], 2_000)).toEqual([]);
  expect(ledger.review(tier, [], 5_000)).toEqual([
    { node: 'news-web-3', host: 'host-a', result: 'failed', start: 'cold', durationMs: 4_000 },
  ]);
  expect(ledger.review(tier, [], 5_250)).toEqual([]);
});

test.each(['absent', 'residue'] as const)(
  'a boot of which its silent host shows %s when it answers again is no failure, and its number does not rest',
  (phase) => {
    const ledger = awaiting();
    ledger.silentHosts = new Set(['host-a']);
    expect(ledger.review(tier, [nodeOf(3, 'unknown')], 9_000)).toEqual([]);
    ledger.silentHosts = new Set();
    expect(ledger.review(tier, [nodeOf(3, phase)], 60_000)).toEqual([]);
    expect(ledger.recentFailuresOfHost('host-a', 60_000)).toBe(0);
    expect(ledger.restingNumbers(tier, 60_000)).toEqual([]);
    expect(ledger.review(tier, [], 61_000)).toEqual([]);
  },
);

test('a node that its host shows after a silence is awaited on: it may serve, and vanished later it has failed', () => {
  for (const [later, result] of [
    [nodeOf(3, 'in-service'), 'served'],
    [nodeOf(3, 'absent'), 'failed'],
    [nodeOf(3, 'failed'), 'failed'],
  ] as const) {
    const ledger = awaiting();
    ledger.silentHosts = new Set(['host-a']);
    ledger.review(tier, [nodeOf(3, 'unknown')], 9_000);
    ledger.silentHosts = new Set();
    expect(ledger.review(tier, [nodeOf(3, 'warming')], 20_000)).toEqual([]);
    expect(ledger.review(tier, [later], 30_000)).toMatchObject([{ result }]);
  }
});

test('the silence of another host excuses no boot', () => {
  const ledger = awaiting();
  ledger.silentHosts = new Set(['host-b']);
  expect(ledger.review(tier, [], 5_000)).toMatchObject([{ result: 'failed' }]);
});

test('a failed node counts once, however many ticks find it before it is gone', () => {
  const ledger = awaiting();
  const failed = nodeOf(3, 'failed');
  expect(ledger.review(tier, [failed], 31_000)).toMatchObject([{ result: 'failed' }]);
  for (const atMs of [31_250, 31_500, 40_000]) {
    expect(ledger.review(tier, [failed], atMs)).toEqual([]);
  }
  expect(ledger.review(tier, [], 41_000)).toEqual([]);
  expect(ledger.recentFailuresOfHost('host-a', 41_000)).toBe(1);
  expect(ledger.circuitOfTier(tier, 41_000).circuit).toBe('closed');
});

test('the next tenant of the number counts anew', () => {
  const ledger = awaiting();
  ledger.review(tier, [nodeOf(3, 'failed')], 31_000);
  ledger.review(tier, [nodeOf(3, 'failed', { bornMs: BORN_MS + 1 })], 200_000);
  expect(ledger.recentFailuresOfHost('host-a', 200_000)).toBe(2);
});

test('a failed node of before a restart of Rackfire counts, too', () => {
  const ledger = new BootLedger(POLICY);
  expect(ledger.review(tier, [nodeOf(3, 'failed')], 1_000)).toMatchObject([
    { result: 'failed', durationMs: 0 },
  ]);
});

test('a boot that nobody waits for any more is no failure when its node goes', () => {
  const ledger = awaiting();
  ledger.cancelled(tier, 'news-web-3');
  expect(ledger.review(tier, [], 5_000)).toEqual([]);
});

test('a refused boot counts for its tier and its host; the host next door is not to blame', () => {
  const ledger = new BootLedger(POLICY);
  for (const number of [3, 4, 5]) {
    ledger.ordered(tier, bootAction(number), COLD, BORN_MS, 1_000);
    ledger.failed(tier, `news-web-${number}`, number, 'host-a', 1_000);
  }
  expect(ledger.circuitOfTier(tier, 1_000).circuit).toBe('open');
  expect(ledger.circuitOfHost('host-a', 1_000).circuit).toBe('open');
  expect(ledger.circuitOfHost('host-b', 1_000).circuit).toBe('closed');
  expect(ledger.review(tier, [], 1_250)).toEqual([]);
});

test('the breaker opens at the third failure within its window, and probes after its time', () => {
  const ledger = new BootLedger(POLICY);
  const fail = (number: number, atMs: number): void => {
    ledger.failed(tier, `news-web-${number}`, number, 'host-a', atMs);
  };
  fail(3, 0);
  fail(4, 599_999);
  fail(5, 600_000);
  expect(ledger.circuitOfTier(tier, 600_000).circuit).toBe('closed');
  fail(6, 600_001);
  expect(ledger.circuitOfTier(tier, 600_001).circuit).toBe('open');
  expect(ledger.circuitOfTier(tier, 900_000)).toEqual({
    circuit: 'open',
    circuitOpenUntilMs: 900_001,
  });
  expect(ledger.circuitOfTier(tier, 900_001)).toEqual({ circuit: 'half-open' });
  fail(7, 1_900_000);
  expect(ledger.circuitOfTier(tier, 1_900_000).circuit).toBe('open');
});

test('a boot that serves forgives all failures of its tier and host', () => {
  const ledger = awaiting();
  for (const number of [4, 5, 6]) {
    ledger.failed(tier, `news-web-${number}`, number, 'host-a', 2_000);
  }
  ledger.review(tier, [nodeOf(3, 'in-service')], 9_000);
  expect(ledger.circuitOfTier(tier, 9_000).circuit).toBe('closed');
  expect(ledger.circuitOfHost('host-a', 9_000).circuit).toBe('closed');
});

test('a number that failed rests for a minute, and no other', () => {
  const ledger = awaiting();
  ledger.review(tier, [], 5_000);
  expect(ledger.restingNumbers(tier, 64_999)).toEqual([3]);
  expect(ledger.restingNumbers(tier, 65_000)).toEqual([]);
});

test('tiers do not share numbers, breakers or times', () => {
  const other = makeTier({}, { name: 'api' });
  const ledger = awaiting();
  ledger.review(tier, [], 5_000);
  expect(ledger.restingNumbers(other, 5_000)).toEqual([]);
  expect(ledger.timesOf(other).bootTimeMs('1')).toBeUndefined();
});

test.each([
  { seconds: [], expected: undefined },
  { seconds: [7], expected: 7 },
  { seconds: [5, 1, 4, 2, 3], expected: 4 },
  { seconds: [10, 1, 9, 2, 8, 3, 7, 4, 6, 5], expected: 8 },
  // Only the latest twenty: the slow one of long ago is forgotten.
  { seconds: [99, ...Array.from({ length: 20 }, (_, index) => index + 1)], expected: 16 },
])('four of five boots take no longer than $expected of $seconds', ({ seconds, expected }) => {
  const ledger = new BootLedger(POLICY);
  for (const [index, one] of seconds.entries()) {
    const atMs = index * 1_000_000;
    ledger.ordered(tier, bootAction(3), COLD, BORN_MS, atMs);
    ledger.review(tier, [nodeOf(3, 'in-service')], atMs + one * 1_000);
  }
  expect(ledger.timesOf(tier).bootTimeMs('1')).toBe(
    expected === undefined ? undefined : expected * 1_000,
  );
});
