import { expect, test } from 'vitest';
import { addToBase, findUncovered, type LossRoom } from '../../src/scaler/host-loss.ts';

const load = (memoryMiB: number, nodes = 1) => ({ memoryMiB, vcpus: 1, diskMiB: 0, nodes });

function roomOf(name: string, changes: Partial<LossRoom> = {}): LossRoom {
  return {
    name,
    memoryMiB: 0,
    vcpus: 16,
    diskMiB: 0,
    base: [],
    isReachable: true,
    isUsable: true,
    ...changes,
  };
}

test.each<[string, readonly LossRoom[], string | undefined]>([
  ['nothing to lose', [roomOf('a'), roomOf('b')], undefined],
  [
    'exactly room',
    [roomOf('a', { base: [load(512)] }), roomOf('b', { memoryMiB: 512 })],
    undefined,
  ],
  ['a MiB too little', [roomOf('a', { base: [load(512)] }), roomOf('b', { memoryMiB: 511 })], 'a'],
  [
    'too few vCPUs',
    [roomOf('a', { base: [load(512, 3)] }), roomOf('b', { memoryMiB: 9_999, vcpus: 2 })],
    'a',
  ],
  [
    'over several hosts',
    [
      roomOf('a', { base: [load(512, 3)] }),
      roomOf('b', { memoryMiB: 1_100 }),
      roomOf('c', { memoryMiB: 600 }),
    ],
    undefined,
  ],
  [
    'the largest first, or the small ones would take its room',
    [
      roomOf('a', { base: [load(256, 2), load(1_024)] }),
      roomOf('b', { memoryMiB: 1_024 }),
      roomOf('c', { memoryMiB: 512 }),
    ],
    undefined,
  ],
  ['its own room does not count', [roomOf('a', { base: [load(1)], memoryMiB: 9_999 })], 'a'],
  [
    'nor does that of a host that takes nothing',
    [roomOf('a', { base: [load(1)] }), roomOf('b', { memoryMiB: 9_999, isUsable: false })],
    'a',
  ],
  [
    'a host that is lost already is not lost again',
    [roomOf('a', { base: [load(1)], isReachable: false, isUsable: false }), roomOf('b')],
    undefined,
  ],
  [
    'an oversold host takes nothing',
    [roomOf('a', { base: [load(1)] }), roomOf('b', { memoryMiB: -5 })],
    'a',
  ],
])('%s', (_, rooms, uncovered) => {
  expect(findUncovered(rooms)).toBe(uncovered);
});

test('the base is counted by what nodes take', () => {
  const one = { memoryMiB: 512, vcpus: 1, diskMiB: 0 };
  const two = addToBase(addToBase([], one, 1), one, 1);
  expect(two).toEqual([{ ...one, nodes: 2 }]);
  expect(addToBase(addToBase(two, one, -1), one, -1)).toEqual([]);
  expect(addToBase(two, { ...one, vcpus: 2 }, -1)).toEqual(two);
});
