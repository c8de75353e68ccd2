import { expect, test } from 'vitest';
import { suggest } from '../../src/config/suggest.ts';

const known = ['tolerance', 'nodes', 'min', 'max', 'maxConnections', 'standby'];

test.each([
  ['tolerence', 'tolerance'],
  ['node', 'nodes'],
  ['ndoes', undefined],
  ['maxconnection', 'maxConnections'],
  ['stand-by', 'standby'],
  ['mim', 'min'],
  ['x', undefined],
  ['', undefined],
  ['something', undefined],
  ['a'.repeat(100_000), undefined],
])('%.20s probably means %s', (word, expected) => {
  expect(suggest(word, known)).toBe(expected);
});
