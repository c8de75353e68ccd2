import { expect, test } from 'vitest';
import { coveringOptimum, demandOf, pricedOptimum } from '../../src/sim/optimum.ts';
import { PENALTIES } from '../../src/sim/score.ts';

function times(count: number, value: number): readonly number[] {
  return Array.from({ length: count }, () => value);
}

/** Nodes for so many seconds each. */
function demand(...pieces: readonly (readonly [nodes: number, seconds: number])[]): Uint16Array {
  return Uint16Array.from(pieces.flatMap(([nodes, seconds]) => times(seconds, nodes)));
}

function arrivals(rps: number, seconds: number): Float64Array {
  return new Float64Array(seconds).fill(rps);
}

test.each([
  ['exactly three nodes at the rated rate', 240, 3],
  ['a little more than three nodes', 240.01, 4],
  ['less than the minimum', 10, 2],
  ['more than the maximum', 20_000, 200],
])('the demand of %s', (_, rps, nodes) => {
  expect(demandOf(arrivals(rps, 20)).at(-1)).toBe(nodes);
});

test('demand follows the mean of 15 s: a jump is a need once enough of it is in the mean', () => {
  const load = new Float64Array(60).fill(160);
  load.fill(320, 30);
  const nodes = demandOf(load);
  expect([...nodes.subarray(28, 46)]).toEqual([2, 2, ...times(7, 3), ...times(9, 4)]);
});

test.each([
  ['a level need costs itself', demand([3, 100]), 300],
  ['a rise costs one boot for each node', demand([2, 100], [4, 50]), 200 + 200 + 2 * 45],
  [
    'a rise right after the start costs the time there was',
    demand([2, 10], [3, 50]),
    20 + 150 + 10,
  ],
  [
    'a gap as long as a boot is kept through',
    demand([3, 50], [2, 45], [3, 50]),
    150 + 90 + 150 + 45,
  ],
  [
    'after a longer gap the node is booted again',
    demand([3, 50], [2, 90], [3, 50]),
    150 + 180 + 150 + 45,
  ],
])('the covering optimum: %s', (_, need, nodeSeconds) => {
  expect(coveringOptimum(need, 45)).toBe(nodeSeconds);
});

test('the priced optimum equals the covering one where every need is worth a node', () => {
  const need = demand([2, 100], [4, 500], [2, 100]);
  const load = Float64Array.from(need, (nodes) => nodes * 80);
  const options = { bootSeconds: 45, penalties: PENALTIES };
  expect(pricedOptimum(load, need, options)).toBe(coveringOptimum(need, 45));
});

test('the priced optimum lets a need pass that is shorter than its penalty is worth', () => {
  const need = demand([2, 100], [3, 5], [2, 100]);
  const load = Float64Array.from(need, (nodes) => nodes * 80);
  // A node costs its boot and 5 s; five seconds of 200 late and 40 dropped requests cost 5 · (5 + 5).
  const priced = pricedOptimum(load, need, { bootSeconds: 45, penalties: PENALTIES });
  expect(priced).toBe(205 * 2 + Math.min(45 + 5, 5 * ((2 * 200 + 10 * 40) / 80)));
  const cheap = pricedOptimum(load, need, { bootSeconds: 45, penalties: { dropped: 3, late: 1 } });
  expect(cheap).toBe(205 * 2 + 5 * ((200 + 3 * 40) / 80));
});
