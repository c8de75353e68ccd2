/** What is told of nodes that do less than their target says. */

import { expect, test } from 'vitest';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import { explain } from '../../src/scaler/explain.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { NOW_MS, observationOf, ok, serving, signalsOf, webTier } from './world.ts';

/** After a minute of 120 rps on 4 nodes of 10 slots, requests of so many seconds. */
function toldOf(serviceSeconds: number): { readonly headline: string; readonly told: string[] } {
  const tier = webTier();
  let memory = EMPTY_MEMORY;
  let last: Omit<Parameters<typeof explain>[0], 'formatTime'> | undefined;
  for (let second = 0; second < 60; second += 1) {
    const observation = observationOf({
      atMs: NOW_MS + second * 1_000,
      nodes: serving(4),
      signals: signalsOf(120, {
        queue: ok({ requests: 0, servedRps: 120 }),
        slots: ok({ used: 120 * serviceSeconds, total: 40 }),
      }),
    });
    const tick = tickTier(tier, 'full', observation, memory);
    last = { tier, mode: 'full', observation, memory, tick };
    memory = tick.memory;
  }
  const { headline, steps } = explain({ ...last!, formatTime: (atMs) => `${atMs}` });
  const told = steps
    .filter(({ stage }) => stage === 'signal' || stage === 'slots')
    .map(({ text }) => text);
  return { headline, told };
}

test('nodes whose requests take twice as long are told with what they are taken to serve', () => {
  const { headline, told } = toldOf(0.2);
  expect(headline).toContain('at 40 rps each');
  expect(told).toEqual([
    '120 rps arrive; at 40 rps per node they need 3 nodes.',
    'No request waits at the balancers.',
    'Requests take the slots of a node for longer than its target of 80 rps leaves room for: it is taken to serve 40 rps.',
  ]);
});

test('nodes that can do what their target says are not told of', () => {
  const { told } = toldOf(0.1);
  expect(told).toEqual([
    '120 rps arrive; at 80 rps per node they need 1.5 nodes.',
    'No request waits at the balancers.',
  ]);
});
