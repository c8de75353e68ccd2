import { expect, test } from 'vitest';
import { Controller } from '../../src/control/controller.ts';
import { OverrideBook } from '../../src/control/override-book.ts';
import type { NodeWord } from '../../src/scaler/override.ts';
import { Lab } from './lab.ts';
import { uuidOf } from './site.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

/** A lab whose operator says one word about the present tenant of a number. */
function startWith(lab: Lab, kind: NodeWord['kind'], number: number): OverrideBook {
  const { clock, log, tier, world } = lab;
  const book = new OverrideBook(clock, log);
  lab.controller = new Controller({
    setup: lab.setupOf(tier),
    leadership: world.lease,
    overrides: book,
    uuidOf,
    clock,
    recorder: log,
  });
  const word = { kind, number, bornMs: world.domain(number)?.bornMs ?? 0 };
  book.give('news/web', word, { reason: 'debug', durationMs: 60 * MINUTE });
  lab.start();
  return book;
}

test('a node that is asked to go is replaced and destroyed, and with it ends what was asked', async () => {
  await using lab = new Lab({ nodes: 2, rps: 150 });
  const book = startWith(lab, 'drain', 2);
  await lab.clock.step(MINUTE);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-3']);
  expect(book.all()).toEqual([]);
  expect(lab.log.of('override-ended')).toMatchObject([{ why: 'node-gone' }]);
});

test('a protected node that dies is protected no more; the next tenant of its number is not', async () => {
  await using lab = new Lab({ nodes: 3, rps: 230 });
  const book = startWith(lab, 'protect', 3);
  await lab.clock.step(5 * SECOND);
  expect(lab.nodes.find(({ number }) => number === 3)?.protectedBy).toBe('o1');
  lab.world.host().domains.delete('news-web-3');
  await lab.clock.step(MINUTE);
  expect(book.all()).toEqual([]);
  expect(lab.inService()).toBe(3);
  expect(lab.nodes.map(({ protectedBy }) => protectedBy)).toEqual(Array(3).fill(undefined));
});

test('while a host is silent, its nodes are not known to be gone: what was said of them holds', async () => {
  await using lab = new Lab({ nodes: 3, rps: 230 });
  const host = lab.world.host();
  host.silent = 'hang';
  const book = startWith(lab, 'protect', 3);
  await lab.clock.step(20 * SECOND);
  expect(book.all()).toHaveLength(1);
  host.silent = 'no';
  await lab.clock.step(20 * SECOND);
  expect(book.all()).toHaveLength(1);
  host.silent = 'hang';
  host.domains.delete('news-web-3');
  await lab.clock.step(20 * SECOND);
  expect(book.all()).toHaveLength(1);
  host.silent = 'no';
  await lab.clock.step(10 * SECOND);
  expect(book.all()).toEqual([]);
});
