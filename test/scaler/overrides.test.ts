import { describe, expect, test } from 'vitest';
import { checkPlan } from '../../src/scaler/check-plan.ts';
import { domainAction, serverAction } from '../../src/scaler/action.ts';
import { decide } from '../../src/scaler/decide.ts';
import { deriveNodes } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Observation } from '../../src/scaler/observation.ts';
import type { NodeWord, Override } from '../../src/scaler/override.ts';
import { SmallWorld } from './small-world.ts';
import {
  domainOf,
  hostOf,
  ok,
  observationOf,
  planAt,
  seen,
  serverOf,
  serving,
  settledAt,
  sightingOf,
  signalsOf,
  UNKNOWN_SIGNALS,
  under,
  webTier,
} from './world.ts';

/** The birth of every node that is `seen`. */
const BORN_MS = 1_000;
const said = { reason: 'test', untilMs: Number.MAX_SAFE_INTEGER };

function about(kind: NodeWord['kind'], number: number, bornMs = BORN_MS): Override {
  return { ...said, id: `${kind}-${number}`, kind, number, bornMs };
}

const protect = (number: number, bornMs?: number): Override => about('protect', number, bornMs);
const drain = (number: number, bornMs?: number): Override => about('drain', number, bornMs);

type Row = readonly [
  situation: string,
  desiredNodes: number,
  nodes: readonly NodeSighting[],
  overrides: readonly Override[],
  said: readonly string[],
];

/** `kind number reason`, and at the end `keep number` for each that would go, were it not protected. */
function expectPlan([, desiredNodes, nodes, overrides, expected]: Row, tier = webTier()): void {
  const planned = planAt(desiredNodes, { nodes, overrides }, tier);
  const kept = planned.kept.map(({ node, override }) => {
    const number = node.slice('news-web-'.length);
    expect(override).toBe(`protect-${number}`);
    return `keep ${number}`;
  });

  expect([...planned.said, ...kept]).toEqual(expected);
  expect(checkPlan(tier, desiredNodes, planned.nodes, planned.actions)).toEqual([]);
}

describe('a protected node', () => {
  test.each<Row>([
    [
      'stays in service, and the next one goes in its place',
      2,
      serving(3),
      [protect(3)],
      ['drain 2 not-needed', 'keep 3'],
    ],
    [
      'of three, of which two go, stays, and the two others go',
      1,
      serving(3),
      [protect(3)],
      ['drain 2 not-needed', 'drain 1 not-needed', 'keep 3'],
    ],
    ['that would not go now is not mentioned', 2, serving(3), [protect(1)], ['drain 3 not-needed']],
    [
      'stays beside another, and then more serve than are desired',
      1,
      serving(3),
      [protect(2), protect(3)],
      ['drain 1 not-needed', 'keep 3', 'keep 2'],
    ],
    [
      'out of rotation is not destroyed',
      2,
      [...serving(2), seen.outOfRotation(3)],
      [protect(3)],
      ['keep 3'],
    ],
    [
      'out of rotation is not destroyed past the drain’s deadline',
      2,
      [...serving(2), seen.outOfRotation(3, { sessions: 1, sinceChangeMs: 300_001 })],
      [protect(3)],
      ['keep 3'],
    ],
    [
      'out of rotation comes back when it is needed',
      3,
      [...serving(2), seen.outOfRotation(3)],
      [protect(3)],
      ['admit 3 needed'],
    ],
    ['that boots is not canceled', 2, [...serving(2), seen.booting(3)], [protect(3)], ['keep 3']],
    ['that warms is not destroyed', 2, [...serving(2), seen.warming(3)], [protect(3)], ['keep 3']],
    ['on standby stays on standby', 2, [...serving(2), seen.standby(3)], [protect(3)], ['keep 3']],
    [
      'on standby is woken when it is needed',
      3,
      [...serving(2), seen.standby(3)],
      [protect(3)],
      ['wake 3 needed'],
    ],
    [
      'whose boot failed stays, for whoever looks into it',
      2,
      [...serving(2), seen.failed(3)],
      [protect(3)],
      ['keep 3'],
    ],
    [
      'is protected at its birth alone: the next tenant of the number goes',
      2,
      serving(3),
      [protect(3, BORN_MS + 1)],
      ['drain 3 not-needed'],
    ],
    [
      'whose domain nobody sees is no tenant: its server is parked',
      2,
      [...serving(2), seen.ghost(3)],
      [protect(3)],
      ['park 3 no-domain'],
    ],
  ])('%s', (...row) => {
    expectPlan(row);
  });

  test('is not paused to become standby', () => {
    const nodes = [...serving(2), seen.outOfRotation(3)];

    expectPlan(
      ['', 2, nodes, [protect(3)], ['keep 3']],
      webTier({ standby: { state: 'paused', nodes: 1 } }),
    );
  });

  test('that is sick is replaced', () => {
    expectPlan(['', 3, [...serving(2), seen.sick(3)], [protect(3)], ['boot 4 needed']]);
  });

  test('that is sick stays when its replacement serves', () => {
    const nodes = [...serving(2), seen.sick(3), seen.inService(4)];

    expectPlan(['', 3, nodes, [protect(3)], ['keep 3']]);
  });

  test('that is sick keeps no other sick one from leaving', () => {
    const nodes = [...serving(8), seen.sick(9), seen.sick(10)];

    expectPlan(['', 8, nodes, [protect(10)], ['drain 9 sick', 'keep 10']]);
  });

  test('that was drained because it was sick is not destroyed', () => {
    const nodes = [...serving(3), { ...seen.warming(4), leaving: true }];

    expectPlan(['', 3, nodes, [protect(4)], ['keep 4']]);
  });

  test('is not said to be kept while nothing would go anyway', () => {
    const planned = planAt(2, {
      signals: UNKNOWN_SIGNALS,
      nodes: serving(3),
      overrides: [protect(3)],
    });

    expect(planned).toMatchObject({ said: [], kept: [] });
  });

  test.each([
    ['drained', 'drain'],
    ['paused', 'pause'],
    ['destroyed', 'destroy'],
  ] as const)('that would be %s is a finding: none of the plan is carried out', (_, kind) => {
    const observation = observationOf({
      nodes: [...serving(2), seen.outOfRotation(3)],
      overrides: [protect(3)],
    });
    const nodes = deriveNodes(webTier(), observation);
    const node = nodes[2]!;
    const { term } = observation;
    const action =
      kind === 'drain'
        ? serverAction(kind, node, 'not-needed', term)
        : kind === 'pause'
          ? ({ kind, ...domainAction(node, 'standby', term) } as const)
          : ({ kind, ...domainAction(node, 'not-needed', term), force: false } as const);

    expect(checkPlan(webTier(), 1, nodes, [action])).toContain(
      `${kind} news-web-3: it is protected`,
    );
  });

  test('may be put into rotation', () => {
    const observation = observationOf({
      nodes: [...serving(2), seen.outOfRotation(3)],
      overrides: [protect(3)],
    });
    const nodes = deriveNodes(webTier(), observation);
    const admit = serverAction('admit', nodes[2]!, 'needed', observation.term);

    expect(checkPlan(webTier(), 3, nodes, [admit])).toEqual([]);
  });
});

describe('a node that an operator asked to drain', () => {
  test.each<Row>([
    ['is replaced first', 3, serving(3), [drain(2)], ['boot 4 needed']],
    [
      'is replaced by the quickest: back into rotation before a boot',
      3,
      [...serving(3), seen.outOfRotation(4)],
      [drain(2)],
      ['admit 4 needed'],
    ],
    ['stays while its replacement only comes', 3, [...serving(3), seen.warming(4)], [drain(2)], []],
    ['is drained when its replacement serves', 3, serving(4), [drain(2)], ['drain 2 asked']],
    [
      'goes when one has to go anyway, and no other does',
      2,
      serving(3),
      [drain(1)],
      ['drain 1 asked'],
    ],
    [
      'goes beside another that has to',
      2,
      serving(4),
      [drain(1)],
      ['drain 4 not-needed', 'drain 1 asked'],
    ],
    [
      'goes with another asked one',
      2,
      serving(4),
      [drain(1), drain(2)],
      ['drain 1 asked', 'drain 2 asked'],
    ],
    [
      'is destroyed when it is drained and quiet, and not put back into rotation',
      3,
      [...serving(2), seen.outOfRotation(3), seen.inService(4)],
      [drain(3)],
      ['destroy 3 asked'],
    ],
    [
      'is not put back into rotation, also when one is needed',
      4,
      [...serving(2), seen.outOfRotation(3), seen.inService(4)],
      [drain(3)],
      ['boot 5 needed', 'destroy 3 asked'],
    ],
    [
      'keeps its sessions until it is quiet',
      3,
      [
        ...serving(2),
        seen.outOfRotation(3, { sessions: 1, sinceChangeMs: 300_000 }),
        seen.inService(4),
      ],
      [drain(3)],
      [],
    ],
    [
      'is cut off past the drain’s deadline',
      3,
      [
        ...serving(2),
        seen.outOfRotation(3, { sessions: 1, sinceChangeMs: 300_001 }),
        seen.inService(4),
      ],
      [drain(3)],
      ['destroy! 3 drain-deadline'],
    ],
    [
      'is not drained twice',
      3,
      [
        seen.inService(1),
        under('drain', seen.inService(2)),
        ...[3, 4].map((n) => seen.inService(n)),
      ],
      [drain(2)],
      [],
    ],
    [
      'is not waited for when demand returns during its drain, as any other is',
      3,
      [...serving(2), under('drain', seen.inService(3))],
      [drain(3)],
      ['boot 4 needed'],
    ],
    [
      'that boots is destroyed, and another boots in its place',
      3,
      [...serving(2), seen.booting(3)],
      [drain(3)],
      ['boot 4 needed', 'destroy 3 asked'],
    ],
    [
      'that warms is destroyed',
      2,
      [...serving(2), seen.warming(3)],
      [drain(3)],
      ['destroy 3 asked'],
    ],
    [
      'that its host still boots is waited for',
      2,
      [...serving(2), under('boot', seen.booting(3))],
      [drain(3)],
      [],
    ],
    [
      'on standby is destroyed, and not woken',
      3,
      [...serving(2), seen.standby(3)],
      [drain(3)],
      ['boot 4 needed', 'destroy 3 asked'],
    ],
    [
      'that somebody paused in rotation is drained before it is destroyed',
      2,
      [...serving(2), sightingOf(3, [domainOf({ state: 'paused' })], [serverOf()])],
      [drain(3)],
      ['drain 3 asked'],
    ],
    [
      'and is sick is replaced, drained and never taken for one that healing has to wait for',
      3,
      [seen.inService(1), seen.sick(2), seen.inService(3), seen.inService(4)],
      [drain(2)],
      ['drain 2 asked'],
    ],
    [
      'whose check fails after its drain is no failed boot',
      3,
      [...serving(3), seen.failed(4)],
      [drain(4)],
      ['destroy 4 asked'],
    ],
    [
      'on a host that does not answer is not touched, and serves on',
      3,
      [...serving(2), seen.lostButUp(3)],
      [drain(3)],
      [],
    ],
    [
      'is meant at its birth alone: the next tenant of the number stays',
      3,
      serving(3),
      [drain(3, BORN_MS + 1)],
      [],
    ],
    ['stays when it is protected, too', 3, serving(3), [drain(3), protect(3)], []],
  ])('%s', (...row) => {
    expectPlan(row);
  });

  test.each<[string, Partial<Observation>]>([
    ['no host has room', { hosts: [hostOf('xen-a', { freeMemoryMiB: 511 })] }],
    ['boots keep failing', { circuit: 'open' }],
    ['the installation is full', { fleetRoom: 0 }],
  ])('waits while %s, and what is missing is said', (_, changes) => {
    const planned = planAt(3, { nodes: serving(3), overrides: [drain(2)], ...changes });

    expect(planned.said).toEqual([]);
    expect(planned.shortfall).toMatchObject({ nodes: 1 });
  });

  test('waits at the maximum', () => {
    const planned = planAt(
      3,
      { nodes: serving(3), overrides: [drain(2)] },
      webTier({ maxNodes: 3 }),
    );

    expect(planned).toMatchObject({ said: [], shortfall: { nodes: 1, why: 'maximum' } });
  });

  test('and is sick goes first where there is no room for its replacement, as any sick one', () => {
    const nodes = [...serving(2), seen.sick(3)];
    const tier = webTier({ maxNodes: 3 });

    expect(planAt(3, { nodes, overrides: [drain(3)] }, tier).said).toEqual(['drain 3 sick']);
  });

  test.each<[string, Partial<Observation>]>([
    ['a signal is unknown', { signals: UNKNOWN_SIGNALS }],
    [
      'healing is frozen',
      { nodes: [...serving(4), ...[5, 6, 7].map((number) => seen.sick(number))] },
    ],
  ])('waits while %s', (_, changes) => {
    expect(planAt(3, { nodes: serving(4), overrides: [drain(2)], ...changes }).said).toEqual([]);
  });

  test('does not wait for an empty queue: it works, and its replacement serves', () => {
    const signals = signalsOf(240, { queue: ok({ requests: 5, servedRps: 240 }) });

    expect(planAt(3, { signals, nodes: serving(4), overrides: [drain(2)] }).said).toEqual([
      'drain 2 asked',
    ]);
  });

  test('is the last one to serve: it waits for another', () => {
    const tier = webTier({ minNodes: 1 });

    expect(planAt(1, { nodes: serving(1), overrides: [drain(1)] }, tier).said).toEqual([
      'boot 2 needed',
    ]);
    expect(planAt(1, { nodes: serving(2), overrides: [drain(1)] }, tier).said).toEqual([
      'drain 1 asked',
    ]);
  });
});

describe('the trace names the override that a stage obeyed', () => {
  const word = { ...said, id: 'o7' };
  test.each<[string, Override, number, object]>([
    [
      'a pause of out',
      { ...word, kind: 'pause', direction: 'out' },
      720,
      { reason: 'paused', fromNodes: 9, toNodes: 5, override: 'o7' },
    ],
    [
      'a pause of in',
      { ...word, kind: 'pause', direction: 'in' },
      160,
      { reason: 'paused', fromNodes: 2, toNodes: 5, override: 'o7' },
    ],
    [
      'a hold above',
      { ...word, kind: 'hold', nodes: 8 },
      400,
      { reason: 'held', fromNodes: 5, toNodes: 8, override: 'o7' },
    ],
    [
      'a hold below',
      { ...word, kind: 'hold', nodes: 3 },
      400,
      { reason: 'held', fromNodes: 5, toNodes: 3, override: 'o7' },
    ],
    [
      'a minimum',
      { ...word, kind: 'min', nodes: 7 },
      400,
      { reason: 'override-minimum', fromNodes: 5, toNodes: 7, override: 'o7' },
    ],
  ])('%s', (_, override, rps, stage) => {
    const observation = observationOf({
      nodes: serving(5),
      signals: signalsOf(rps),
      overrides: [override],
    });
    const nodes = deriveNodes(webTier(), observation);
    const { decision } = decide(webTier(), observation, nodes, settledAt(5));

    expect(decision.stages.at(-1)).toEqual(stage);
  });

  test('and no other: of two minimums the one that counts, and none where a bound of the policy does', () => {
    const overrides: readonly Override[] = [
      { ...said, id: 'o1', kind: 'min', nodes: 6 },
      { ...said, id: 'o2', kind: 'min', nodes: 3 },
    ];
    const observation = observationOf({ nodes: serving(8), signals: signalsOf(0), overrides });
    const nodes = deriveNodes(webTier(), observation);

    expect(decide(webTier(), observation, nodes, settledAt(8)).decision.stages).toEqual([
      { reason: 'recommended', fromNodes: 8, toNodes: 0 },
      { reason: 'minimum', fromNodes: 0, toNodes: 2 },
      { reason: 'override-minimum', fromNodes: 2, toNodes: 6, override: 'o1' },
    ]);
  });
});

describe('carried out', () => {
  function begin(nodes: number): SmallWorld {
    const world = new SmallWorld(webTier({}, 16), [
      { name: 'xen-a', nodes: 16, reachable: true, everAnswered: true },
    ]);
    for (let number = 1; number <= nodes; number += 1) {
      world.addGuest({ number, host: 'xen-a', bornMs: BORN_MS });
      world.addServer(number, 'ready', 'passed', 3);
    }
    return world;
  }

  function live(world: SmallWorld, seconds: number): { readonly fewest: number } {
    let fewest = Number.POSITIVE_INFINITY;
    for (let second = 0; second < seconds; second += 1) {
      world.tick();
      fewest = Math.min(fewest, world.servingNodes());
    }
    expect(world.violations).toEqual([]);
    return { fewest };
  }

  const births = (world: SmallWorld): readonly (readonly [number, number])[] =>
    world.guests
      .map(({ number, bornMs }) => [number, bornMs] as const)
      .toSorted(([one], [other]) => one - other);

  test('a drain replaces its node, and never leaves fewer to serve', () => {
    const world = begin(3);
    world.signals = signalsOf(210);
    world.overrides = [drain(2)];

    expect(live(world, 60).fewest).toBe(3);
    expect(births(world)).not.toContainEqual([2, BORN_MS]);
    expect(world.servingNodes()).toBe(3);
  });

  test('a drain of all replaces all', () => {
    const world = begin(3);
    world.signals = signalsOf(210);
    world.overrides = [drain(1), drain(2), drain(3)];

    expect(live(world, 60).fewest).toBe(3);
    expect(births(world).map(([, bornMs]) => bornMs)).not.toContain(BORN_MS);
    expect(world.servingNodes()).toBe(3);
  });

  test('the protected node is the last one left of a storm', () => {
    const world = begin(8);
    world.signals = signalsOf(80);
    world.overrides = [protect(7), protect(8)];
    live(world, 200);

    expect(births(world)).toEqual([
      [7, BORN_MS],
      [8, BORN_MS],
    ]);
  });
});
