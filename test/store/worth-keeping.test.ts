import { describe, expect, test } from 'vitest';
import type { TierTicked } from '../../src/control/events.ts';
import { EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import { DecisionFilter } from '../../src/store/worth-keeping.ts';
import {
  NOW_MS,
  seen,
  serving,
  settledAt,
  signalsOf,
  UNKNOWN_SIGNALS,
  webTier,
} from '../scaler/world.ts';
import { tickOf } from './rig.ts';

/** Two nodes in service for two nodes' traffic: nothing to do. */
const calm = (atMs: number, rps = 155): TierTicked =>
  tickOf({ atMs, signals: signalsOf(rps) }, settledAt(2));

function count(ticks: Iterable<TierTicked>): number {
  const filter = new DecisionFilter();
  return [...ticks].filter((ticked) => filter.isWorthKeeping(ticked)).length;
}

describe('of ticks without any change', () => {
  test('one a minute is kept, the first among them', () => {
    const ticks = Array.from({ length: 601 }, (_, second) =>
      // The rates differ each time, as rates do.
      calm(NOW_MS + second * 1_000, 150 + (second % 7)),
    );

    expect(count(ticks)).toBe(11);
  });
});

describe('a tick is kept at once', () => {
  const before = calm(NOW_MS);
  const atMs = NOW_MS + 1_000;
  const other = { ...webTier(), maxConnections: 20 };
  const situations: readonly (readonly [string, TierTicked])[] = [
    ['when the count changes', tickOf({ atMs, signals: signalsOf(400) }, settledAt(2))],
    [
      'when something is done, though the count stays',
      tickOf({ atMs, nodes: [seen.inService(1), seen.outOfRotation(2)] }, settledAt(2)),
    ],
    ['when signals are lost', tickOf({ atMs, signals: UNKNOWN_SIGNALS }, settledAt(2))],
    [
      'when needed nodes cannot be booted',
      tickOf({ atMs, nodes: serving(1), hosts: [], signals: signalsOf(155) }, settledAt(2)),
    ],
    [
      'when an override begins',
      tickOf(
        {
          atMs,
          signals: signalsOf(155),
          overrides: [
            { id: 'o1', kind: 'pause', direction: 'all', reason: 'deploy', untilMs: NOW_MS * 2 },
          ],
        },
        settledAt(2),
      ),
    ],
    ['when the mode is another', { ...calm(atMs), mode: 'observe' }],
    ['when the config is another', tickOf({ atMs }, settledAt(2), other)],
    ['when the reason is another', tickOf({ atMs, signals: signalsOf(165) }, settledAt(2))],
  ];

  test.each(situations)('%s', (_situation, ticked) => {
    const filter = new DecisionFilter();
    filter.isWorthKeeping(before);

    expect(filter.isWorthKeeping(ticked)).toBe(true);
  });

  test('and so is the next one that does as much', () => {
    const next = tickOf(
      { atMs, nodes: [seen.inService(1), seen.inService(2), seen.outOfRotation(3)] },
      settledAt(2),
    );
    const filter = new DecisionFilter();
    filter.isWorthKeeping(next);

    expect(filter.isWorthKeeping({ ...next, observation: { ...next.observation } })).toBe(true);
  });

  test('and what observing alone would do is kept once, not with each tick', () => {
    const observing = (second: number): TierTicked => {
      const ticked = tickOf(
        { atMs: NOW_MS + second * 1_000, nodes: [seen.inService(1), seen.outOfRotation(2)] },
        settledAt(2),
      );
      return { ...ticked, mode: 'observe', tick: { ...ticked.tick, actions: [] } };
    };

    expect(count([calm(NOW_MS), ...Array.from({ length: 30 }, (_, at) => observing(at + 1))])).toBe(
      2,
    );
  });
});

describe('a storm is kept', () => {
  test('not by its rates: by what is decided and done', () => {
    let memory = settledAt(2);
    const ticks = Array.from({ length: 120 }, (_, second) => {
      const atMs = NOW_MS + second * 1_000;
      const coming = (memory.desiredNodes ?? 2) - 2;
      const nodes = [
        ...serving(2),
        ...Array.from({ length: coming }, (__, index) => seen.booting(index + 3)),
      ];
      const signals = signalsOf(160 + Math.min(60, second) * 8 + (second % 3));
      const ticked = tickOf({ atMs, nodes, signals }, memory);
      memory = ticked.tick.memory;
      return ticked;
    });
    const filter = new DecisionFilter();
    const kept = ticks.filter((ticked) => filter.isWorthKeeping(ticked));

    const acting = ticks.filter(({ tick }) => tick.actions.length > 0);
    expect(acting.length).toBeGreaterThan(4);
    expect(kept).toEqual(expect.arrayContaining(acting));
    expect(kept.length).toBeLessThan(40);
  });
});

describe('around a threshold', () => {
  const flickering = Array.from({ length: 3_600 }, (_, second) =>
    calm(NOW_MS + second * 1_000, second % 2 === 0 ? 158 : 165),
  );

  test('the noise of traffic fills the journal with no more than twice the regular ones', () => {
    const reasons = new Set(flickering.map(({ tick }) => tick.decision.reason));

    expect(reasons).toEqual(new Set(['converged', 'within-tolerance']));
    expect(count(flickering)).toBeLessThan(2 * 60);
  });

  test('an action that is planned anew four times a second is not kept for ever', () => {
    const refused = Array.from({ length: 14_400 }, (_, quarter) =>
      tickOf({ atMs: NOW_MS + quarter * 250, signals: signalsOf(400) }, EMPTY_MEMORY),
    );

    expect(refused.every(({ tick }) => tick.actions.length > 0)).toBe(true);
    expect(count(refused)).toBeLessThan(900);
  });
});
