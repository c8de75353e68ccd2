import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  acceptedRange,
  isLoopback,
  listAddresses,
  parseRange,
} from '../../src/config/addresses.ts';

test('a range lists both of its ends, across the border of an octet', () => {
  expect(listAddresses(acceptedRange('10.0.1.254-10.0.2.1'))).toEqual([
    '10.0.1.254',
    '10.0.1.255',
    '10.0.2.0',
    '10.0.2.1',
  ]);
});

test('a single address is a range of one', () => {
  expect(listAddresses(acceptedRange('255.255.255.255'))).toEqual(['255.255.255.255']);
});

test('4096 addresses are the most that a range may have', () => {
  expect(listAddresses(acceptedRange('10.0.0.0-10.0.15.255'))).toHaveLength(4_096);
  expect(parseRange('10.0.0.0-10.0.16.0')).toEqual({
    problem: 'the range has 4097 addresses; at most 4096 are possible',
  });
});

test.each(['10.0.0.256', '10.0.0', '10.0.0.0.1', '010.0.0.1', '10.0.0.1-', '-10.0.0.1', '', '::1'])(
  '%j is not a range',
  (text) => {
    expect(parseRange(text)).toEqual({
      problem: `expected IPv4 addresses such as 10.0.1.20-10.0.1.51, got ${JSON.stringify(text)}`,
    });
  },
);

test.each([
  ['127.0.0.0-127.0.0.9', true],
  ['127.255.255.255', true],
  ['126.255.255.255-127.0.0.1', false],
  ['127.255.255.255-128.0.0.0', false],
  ['10.0.0.1', false],
])('%s stays on the machine: %s', (text, expected) => {
  expect(isLoopback(acceptedRange(text))).toBe(expected);
});

test('every address of a range is found again by its number', () => {
  const octet = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(octet, octet, octet, octet, (a, b, c, d) => {
      const address = [a, b, c, d].join('.');
      expect(listAddresses(acceptedRange(`${address}-${address}`))).toEqual([address]);
    }),
  );
});
