/** What is told of nodes that are booted although others stand by. */

import { expect, test } from 'vitest';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import { explain } from '../../src/scaler/explain.ts';
import type { ExplainInput } from '../../src/scaler/explain-input.ts';
import type { NodeSighting } from '../../src/scaler/observation.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import {
  hostOf,
  NOW_MS,
  observationOf,
  seen,
  serving,
  settledAt,
  signalsOf,
  webTier,
} from './world.ts';

const FORMAT = { mode: 'full', formatTime: (atMs: number) => `${atMs}` } as const;

type Decided = Omit<ExplainInput, keyof typeof FORMAT>;

function actionsTold(input: Decided): string {
  const { steps } = explain({ ...input, ...FORMAT });
  const told = steps.filter(({ stage }) => stage === 'action').map(({ text }) => text);
  return told.join(' ');
}

/** The first boot as the rate rises from 300 rps on 8 nodes, so many stand by and boots take 1 min. */
function firstBoot(standbyNodes: number): Decided {
  const tier = webTier({ standby: { state: 'paused', nodes: standbyNodes } });
  const standby = Array.from({ length: standbyNodes }, (_, index) => seen.standby(9 + index));
  let memory = EMPTY_MEMORY;
  for (let second = 0; second < 120; second += 1) {
    const observation = observationOf({
      atMs: NOW_MS + second * 1_000,
      nodes: [...serving(8), ...standby],
      signals: signalsOf(300 + 8 * second),
      bootTimeMs: 60_000,
    });
    const tick = tickTier(tier, 'full', observation, memory);
    if (tick.actions.some(({ kind, reason }) => kind === 'boot' && reason === 'needed')) {
      return { tier, observation, memory, tick };
    }
    memory = tick.memory;
  }
  throw new Error('none was booted');
}

test.each([
  [0, 'news-web-9 on xen-b is booted, because it is needed.'],
  [
    1,
    'news-web-10 on xen-b is booted, because it is needed, but not before a boot serves, in 60 s: the node on standby is left for what is needed sooner.',
  ],
  [
    2,
    'news-web-11 on xen-b is booted, because it is needed, but not before a boot serves, in 60 s: the 2 nodes on standby are left for what is needed sooner.',
  ],
])('where %i stand by, a boot for what is only foreseen says why none is woken', (nodes, told) => {
  expect(actionsTold(firstBoot(nodes))).toBe(told);
});

/** Two of three that a minimum asks for serve, and the host of the one that stands by has no memory to wake it. */
function tickWithoutMemory(desiredNodes: number, others: readonly NodeSighting[]): Decided {
  const tier = webTier({ standby: { state: 'saved', nodes: 1 } });
  const minimum = { id: 'o1', reason: 'sale', untilMs: 1e12, kind: 'min', nodes: 3 } as const;
  const observation = observationOf({
    nodes: [...serving(2), seen.saved(3), ...others],
    hosts: [hostOf('xen-a', { freeMemoryMiB: 100 }), hostOf('xen-b')],
    overrides: [minimum],
  });
  const peaks = [{ atMs: NOW_MS - 10_000, needNodes: desiredNodes }];
  const memory = settledAt(desiredNodes, { peaks });
  return { tier, observation, memory, tick: tickTier(tier, 'full', observation, memory) };
}

test('a boot beside a node that its host has no memory to wake says nothing of being early', () => {
  expect(actionsTold(tickWithoutMemory(3, []))).toBe(
    'news-web-4 on xen-b is booted, because it is needed.',
  );
});

test('nor does one for a count that boots make up which do not serve soon', () => {
  expect(actionsTold(tickWithoutMemory(5, [seen.booting(4)]))).toBe(
    'news-web-5 on xen-b and news-web-6 on xen-b are booted, because they are needed.',
  );
});

test('one that goes back into rotation serves sooner than a boot', () => {
  expect(actionsTold(tickWithoutMemory(5, [seen.outOfRotation(4)]))).toBe(
    'news-web-4 is put into rotation, because it is needed. news-web-5 on xen-b and news-web-6 on xen-b are booted, because they are needed, but not before a boot serves, in 20 s: the node on standby is left for what is needed sooner.',
  );
});
