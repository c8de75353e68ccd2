import { expect, test } from 'vitest';
import type { BalancerSnapshot } from '../../src/control/ports.ts';
import { ServerIntent } from '../../src/control/server-intent.ts';
import type { AdminState } from '../../src/scaler/observation.ts';
import { makeTier } from './site.ts';

const nothing = (): boolean => false;

function snapshotOf(epoch: string, states: Readonly<Record<string, AdminState>>): BalancerSnapshot {
  const servers = Object.entries(states).map(([name, admin]) => ({
    name,
    admin,
    check: 'passed' as const,
    sessions: 0,
    sinceChangeMs: 0,
  }));
  const rate = { status: 'ok', value: 0 } as const;
  const report = { servers, requestRate: rate, servedRate: rate, queued: 0 };
  return {
    epoch,
    oldWorkers: false,
    backends: new Map([['news-web', { ...report, usedSlots: 0, totalSlots: 0 }]]),
  };
}

function changeTo(server: string, to: AdminState) {
  return { backend: 'news-web', server, to, requires: 'none' };
}

const before = snapshotOf('1', {
  'news-web-1': 'ready',
  'news-web-2': 'ready',
  'news-web-3': 'drain',
  'news-web-4': 'maint',
});

/** One that has seen `before`. */
function createIntent(): ServerIntent {
  const intent = new ServerIntent([makeTier()]);
  expect(intent.compare(before, nothing)).toBeUndefined();
  return intent;
}

test('within one epoch whatever is there is right, also what an operator set by hand', () => {
  const intent = createIntent();
  const later = snapshotOf('1', { 'news-web-1': 'maint', 'news-web-2': 'ready' });
  expect(intent.compare(later, nothing)).toBeUndefined();
  const restarted = snapshotOf('2', { 'news-web-1': 'ready', 'news-web-2': 'ready' });
  expect(intent.compare(restarted, nothing)).toEqual([changeTo('news-web-1', 'maint')]);
});

test('a restart that lost states: each that differs is brought back, and no other', () => {
  const intent = createIntent();
  const lost = snapshotOf('2', {
    'news-web-1': 'ready',
    'news-web-2': 'maint',
    'news-web-3': 'maint',
    'news-web-4': 'maint',
  });
  expect(intent.compare(lost, nothing)).toEqual([
    changeTo('news-web-2', 'ready'),
    changeTo('news-web-3', 'drain'),
  ]);
});

test('until they are back, they are asked for; then the restart is over', () => {
  const intent = createIntent();
  const lost = snapshotOf('2', { 'news-web-1': 'maint' });
  expect(intent.compare(lost, nothing)).toHaveLength(1);
  expect(intent.compare(lost, nothing)).toHaveLength(1);
  expect(intent.compare(snapshotOf('2', { 'news-web-1': 'ready' }), nothing)).toEqual([]);
  expect(intent.compare(snapshotOf('2', { 'news-web-1': 'maint' }), nothing)).toBeUndefined();
});

test('a restart that lost nothing is known for one', () => {
  const intent = createIntent();
  const again = snapshotOf('2', { 'news-web-1': 'ready', 'news-web-2': 'ready' });
  expect(intent.compare(again, nothing)).toEqual([]);
  expect(intent.compare(again, nothing)).toBeUndefined();
});

test('what this process has set counts, though no snapshot has shown it yet', () => {
  const intent = createIntent();
  intent.set('news-web', 'news-web-3', 'ready');
  const lost = snapshotOf('2', { 'news-web-3': 'maint' });
  expect(intent.compare(lost, nothing)).toEqual([changeTo('news-web-3', 'ready')]);
});

test('a server in flight is not remembered by a snapshot that may be older than the change', () => {
  const intent = createIntent();
  intent.set('news-web', 'news-web-3', 'ready');
  intent.compare(before, (server) => server === 'news-web-3');
  const lost = snapshotOf('2', { 'news-web-3': 'maint' });
  expect(intent.compare(lost, nothing)).toEqual([changeTo('news-web-3', 'ready')]);
});

test('servers of others are never remembered: a foreign name, a second spelling, another backend', () => {
  const intent = new ServerIntent([makeTier()]);
  const foreign = {
    'legacy-1': 'ready',
    'news-web-03': 'ready',
    'news-webmail-1': 'ready',
  } as const;
  intent.compare(snapshotOf('1', foreign), nothing);
  const after = { 'legacy-1': 'maint', 'news-web-03': 'maint', 'news-webmail-1': 'maint' } as const;
  expect(intent.compare(snapshotOf('2', after), nothing)).toEqual([]);
});

test('whoever does not lead takes what it sees, and never brings back what is older', () => {
  const intent = createIntent();
  const leader = snapshotOf('2', { 'news-web-1': 'maint', 'news-web-2': 'ready' });
  expect(intent.compare(leader, nothing)).toHaveLength(1);
  intent.adopt(leader);
  expect(intent.compare(leader, nothing)).toBeUndefined();
  expect(intent.compare(snapshotOf('3', { 'news-web-1': 'maint' }), nothing)).toEqual([]);
});
