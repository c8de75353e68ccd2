import { describe, expect, test } from 'vitest';
import type { NodeSighting, ServerSighting } from '../../src/scaler/observation.ts';
import type { Override } from '../../src/scaler/override.ts';
import {
  domainOf,
  hostOf,
  NOW_MS,
  planAt,
  seen,
  serverOf,
  sightingOf,
  under,
  webTier,
} from './world.ts';

const on = (balancer: string) => ({
  ready: serverOf({ balancer }),
  draining: serverOf({ balancer, admin: 'drain', sinceChangeMs: 5_000 }),
  unchecked: serverOf({ balancer, admin: 'drain', check: 'pending', sinceChangeMs: 5_000 }),
  maint: serverOf({ balancer, admin: 'maint', check: 'pending' }),
  busy: serverOf({ balancer, admin: 'drain', sessions: 1, sinceChangeMs: 5_000 }),
  silent: { balancer, answered: false } as const,
});
const a = on('lb-a');
const b = on('lb-b');

const EXCLUDED: Override = {
  kind: 'exclude-balancer',
  balancer: 'lb-b',
  id: 'o1',
  reason: 'new disk',
  untilMs: NOW_MS * 2,
};

/** In service at both. */
function both(number: number): NodeSighting {
  return running(number, a.ready, b.ready);
}

function running(number: number, ...servers: readonly ServerSighting[]): NodeSighting {
  return sightingOf(number, [domainOf()], servers);
}

const PAUSED = domainOf({ state: 'paused' });

describe('a server that one of two balancers has otherwise', () => {
  test.each<[string, NodeSighting, readonly string[]]>([
    ['drained, and its check passes: into rotation', running(3, a.ready, b.draining), ['ready']],
    ['drained, and not checked yet: waits', running(3, a.ready, b.unchecked), []],
    [
      'in maintenance, where nothing is checked: drained first',
      running(3, a.ready, b.maint),
      ['drain'],
    ],
    ['also while the other has only drained it', running(3, a.unchecked, b.maint), ['drain']],
    [
      'of a node that boots: drained',
      sightingOf(3, [domainOf({ state: 'being-made', ageMs: 1 })], [a.unchecked, b.maint]),
      ['drain'],
    ],
    [
      'of a node that is gone, and still taken for up: into maintenance',
      sightingOf(3, [], [a.maint, b.ready]),
      ['maint'],
    ],
    ['with an action under way: waits', under('admit', running(3, a.ready, b.draining)), []],
    ['on a balancer that is silent: waits', running(3, a.ready, b.silent), []],
    [
      'in conflict: is left alone',
      sightingOf(3, [domainOf({ mark: 'foreign' })], [a.ready, b.draining]),
      [],
    ],
    [
      'on a host that is silent: is left alone',
      sightingOf(3, [domainOf({ fresh: false })], [a.ready, b.draining]),
      [],
    ],
  ])('%s', (_, sighting, to) => {
    const { actions } = planAt(3, { nodes: [both(1), both(2), sighting] });
    const repairs = actions.flatMap((one) => (one.kind === 'repair' ? [one] : []));
    expect(repairs.map((one) => one.to)).toEqual(to);
    expect(repairs.every(({ balancer }) => balancer === 'lb-b')).toBe(true);
  });

  test('of a standby node: into maintenance', () => {
    const nodes = [both(1), both(2), sightingOf(3, [PAUSED], [a.maint, b.draining])];
    const tier = webTier({ standby: { state: 'paused', nodes: 1 } });
    expect(planAt(2, { nodes }, tier).said).toEqual(['repair 3 drift']);
  });

  test('while a host is silent, what no host shows may be there', () => {
    const hosts = [hostOf('xen-a'), hostOf('xen-b', { reachable: false })];
    const gone = sightingOf(3, [], [a.maint, b.ready]);
    expect(planAt(2, { hosts, nodes: [both(1), both(2), gone] }).actions).toEqual([]);
  });
});

describe('before anything is taken away', () => {
  const quiet = running(4, a.draining, b.draining);

  test('a balancer that has a server otherwise is repaired', () => {
    const nodes = [both(1), both(2), running(3, a.ready, b.draining), quiet];
    expect(planAt(3, { nodes }).said).toEqual(['repair 3 drift']);
    expect(planAt(3, { nodes: [both(1), both(2), both(3), quiet] }).said).toEqual([
      'destroy 4 not-needed',
    ]);
  });

  test('and its repair is waited for', () => {
    const nodes = [both(1), both(2), under('repair', running(3, a.ready, b.draining)), quiet];
    expect(planAt(3, { nodes }).said).toEqual([]);
  });

  test('but for an excluded one, which is repaired beside that', () => {
    const nodes = [both(1), both(2), running(3, a.ready, b.draining), quiet];
    expect(planAt(3, { nodes, overrides: [EXCLUDED] }).said).toEqual([
      'repair 3 drift',
      'destroy 4 not-needed',
    ]);
  });

  test('a node that is drained anyway is not put into rotation first', () => {
    const nodes = [both(1), both(2), both(3), both(4), running(5, a.ready, b.draining)];
    expect(planAt(3, { nodes }).said).toEqual(['drain 5 not-needed']);
  });

  test('a node that serves at one balancer only stands in for none that serves at both', () => {
    // Its check has still to pass there, so there is nothing to be done about it now.
    const nodes = [both(1), both(2), both(3), running(4, a.ready, b.unchecked)];
    expect(planAt(3, { nodes }).said).toEqual([]);
  });

  test('what a balancer remembers of nodes that are gone is no reason to let others go', () => {
    const ghosts = [5, 6].map((number) => sightingOf(number, [], [a.maint, b.ready]));
    const nodes = [both(1), both(2), both(3), ...ghosts];
    expect(planAt(3, { nodes }).said).toEqual(['repair 5 drift', 'repair 6 drift']);
  });
});

describe('an excluded balancer', () => {
  test.each<[string, readonly ServerSighting[], readonly string[]]>([
    ['that is silent blocks nothing', [a.draining, b.silent], ['destroy 3 not-needed']],
    ['that answers cuts nobody off', [a.draining, b.busy], []],
    [
      'with the node in rotation keeps none in service',
      [a.draining, b.ready],
      ['destroy 3 not-needed'],
    ],
  ])('%s', (_, servers, said) => {
    const nodes = [both(1), both(2), running(3, ...servers)];
    expect(planAt(2, { nodes, overrides: [EXCLUDED] }).said).toEqual(said);
  });

  test('that is not excluded keeps everything by its silence', () => {
    const nodes = [seen.inService(1), seen.inService(2), running(3, a.draining, b.silent)];
    expect(planAt(2, { nodes }).said).toEqual([]);
  });
});
