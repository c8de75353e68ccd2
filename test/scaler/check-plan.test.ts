import { describe, expect, test } from 'vitest';
import { checkPlan } from '../../src/scaler/check-plan.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Observation } from '../../src/scaler/observation.ts';
import type { Action, BootAction } from '../../src/scaler/action.ts';
import { observationOf, planAt, seen, serving, under, webTier } from './world.ts';

const TERM = observationOf().term;

function named(number: number): Omit<BootAction, 'kind' | 'host' | 'address' | 'mac'> {
  return { node: `news-web-${number}`, number, reason: 'not-needed', term: TERM };
}

function boot(number: number, changes: Partial<BootAction> = {}): Action {
  const address = `10.0.1.${19 + number}`;
  return { kind: 'boot', ...named(number), host: 'xen-a', address, mac: '', ...changes };
}

const server = (kind: 'admit' | 'warm' | 'drain' | 'park', number: number): Action => ({
  kind,
  ...named(number),
});
const domain = (kind: 'wake' | 'pause', number: number, host = 'xen-a'): Action => ({
  kind,
  ...named(number),
  host,
  bornMs: 1_000,
});
const destroy = (number: number, changes: { host?: string; bornMs?: number } = {}): Action => ({
  kind: 'destroy',
  ...named(number),
  host: 'xen-a',
  bornMs: 1_000,
  force: false,
  ...changes,
});

function findingsOf(
  nodes: readonly NodeSighting[],
  actions: readonly Action[],
  desiredNodes = 1,
): readonly string[] {
  const tier = webTier({ maxNodes: 4 });
  return checkPlan(tier, desiredNodes, deriveNodes(tier, observationOf({ nodes })), actions);
}

const many: readonly NodeSighting[] = [...serving(3), seen.outOfRotation(4)];

describe('a finding', () => {
  test.each<[string, readonly NodeSighting[], readonly Action[], string]>([
    [
      'two actions on one node',
      many,
      [server('admit', 4), destroy(4)],
      'news-web-4 has more than one action',
    ],
    [
      'an action on a node that has one under way',
      [...serving(2), under('admit', seen.outOfRotation(3))],
      [destroy(3)],
      'destroy news-web-3: admit is still under way',
    ],
    [
      'a drain of the last that serve',
      serving(2),
      [server('drain', 1), server('drain', 2)],
      '2 drains would leave 0 nodes in service, not 1',
    ],
    [
      'more boots than the maximum has room',
      many,
      [boot(5)],
      '1 boots beside 4 nodes exceed the maximum 4',
    ],
    [
      'a boot of a number that is held',
      [...serving(2), seen.standby(3)],
      [boot(3)],
      'boot news-web-3: the number is held by a node that is standby',
    ],
    [
      'a boot at another node’s address',
      serving(2),
      [boot(3, { address: '10.0.1.99' })],
      'boot news-web-3: not its address',
    ],
    [
      'a boot beyond the address range',
      serving(2),
      [boot(33, { address: '10.0.1.52' })],
      'boot news-web-33: not its address',
    ],
    [
      'a destroy of an earlier tenant',
      many,
      [destroy(4, { bornMs: 999 })],
      'destroy news-web-4: not the tenant that was seen',
    ],
    [
      'a destroy on another host',
      many,
      [destroy(4, { host: 'xen-b' })],
      'destroy news-web-4: not the tenant that was seen',
    ],
    [
      'a destroy of what nobody has seen',
      many,
      [destroy(9)],
      'destroy news-web-9: not the tenant that was seen',
    ],
    ['a destroy in service', many, [destroy(3)], 'destroy news-web-3: it is in service'],
    ['a pause in service', many, [domain('pause', 3)], 'pause news-web-3: it is in service'],
    [
      'a wake on another host',
      [...serving(2), seen.standby(3)],
      [domain('wake', 3, 'xen-b')],
      'wake news-web-3: not the tenant that was seen',
    ],
    [
      'an admission without a passed check',
      [...serving(2), seen.warming(3)],
      [server('admit', 3)],
      'admit news-web-3: its check has not passed',
    ],
    [
      'an admission of what nobody has seen',
      many,
      [server('admit', 9)],
      'admit news-web-9: its check has not passed',
    ],
    [
      'a drain of what nobody has seen',
      many,
      [server('drain', 9)],
      'drain news-web-9: nobody has seen it',
    ],
    [
      'a park of what nobody has seen',
      many,
      [server('park', 9)],
      'park news-web-9: nobody has seen it',
    ],
    [
      'a warm of what nobody has seen',
      many,
      [server('warm', 9)],
      'warm news-web-9: nobody has seen it',
    ],
  ])('%s', (_, nodes, actions, finding) => {
    expect(findingsOf(nodes, actions)).toEqual([finding]);
  });
});

describe('no finding', () => {
  test.each<[string, readonly NodeSighting[], readonly Action[]]>([
    ['an empty plan', many, []],
    ['a drain that leaves one', serving(2), [server('drain', 2)]],
    ['a drain of a sick node, the last in rotation', [seen.sick(1)], [server('drain', 1)]],
    ['boots up to the maximum', serving(2), [boot(3), boot(4)]],
    ['a boot on the number of a ghost', [...serving(2), seen.ghost(3)], [boot(3)]],
    [
      'a boot beside a lost node that HAProxy reports down',
      [...serving(3), seen.lost(4)],
      [boot(5)],
    ],
    ['a destroy out of rotation', many, [destroy(4)]],
    ['a wake of a standby node', [...serving(2), seen.standby(3)], [domain('wake', 3)]],
    ['a pause out of rotation', many, [domain('pause', 4)]],
  ])('%s', (_, nodes, actions) => {
    expect(findingsOf(nodes, actions)).toEqual([]);
  });

  test('a plan that cancels, replaces and parks at once', () => {
    const changes: Partial<Observation> = {
      nodes: [...serving(3), seen.booting(4), seen.failed(5), seen.ghost(6), seen.outOfRotation(7)],
    };
    const { actions, nodes } = planAt(3, changes);

    expect(actions.length).toBe(4);
    expect(checkPlan(webTier(), 3, nodes, actions)).toEqual([]);
  });
});

test('a plan that drains below what is desired is found wanting, though some would be left', () => {
  expect(findingsOf(serving(3), [server('drain', 3)], 3)).toEqual([
    '1 drains would leave 2 nodes in service, not 3',
  ]);
  expect(findingsOf(serving(3), [server('drain', 3)], 2)).toEqual([]);
});
