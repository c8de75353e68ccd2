import { describe, expect, test } from 'vitest';
import { deriveNodes, isPresent, type Node, type NodePhase } from '../../src/scaler/node-phase.ts';
import type { NodeSighting, Observation } from '../../src/scaler/observation.ts';
import {
  domainOf,
  hostOf,
  observationOf,
  SILENT_SERVER,
  seen,
  serverOf,
  sightingOf,
  under,
  webTier,
} from './world.ts';

function derive(sighting: NodeSighting, changes: Partial<Observation> = {}): Node {
  return deriveNodes(webTier(), observationOf({ nodes: [sighting], ...changes }))[0]!;
}

const NEVER_ANSWERED = { hosts: [hostOf('xen-a'), hostOf('xen-b', { everAnswered: false })] };
const silentB = { balancer: 'lb-b', answered: false } as const;
const readyB = serverOf({ balancer: 'lb-b' });
const drainB = serverOf({ balancer: 'lb-b', admin: 'drain' });
const maintB = serverOf({ balancer: 'lb-b', admin: 'maint', check: 'pending' });
const beingMade = domainOf({ state: 'being-made', ageMs: 120_000 });
const lateDrain = { admin: 'drain', check: 'failed', sinceChangeMs: 120_001 } as const;

describe('the arrows of the drawing', () => {
  test.each<[string, NodePhase, NodeSighting]>([
    ['a boot that no host shows yet is booting', 'booting', under('boot', sightingOf(3, [], []))],
    ['a domain that is being made is booting', 'booting', seen.booting(3)],
    [
      'a domain that is still paused while its boot runs is booting, not standby',
      'booting',
      under('boot', seen.standby(3)),
    ],
    [
      'a boot at exactly its deadline is still booting',
      'booting',
      sightingOf(3, [beingMade], [serverOf({ admin: 'drain', check: 'failed' })]),
    ],
    [
      'a boot past its deadline has failed',
      'failed',
      sightingOf(3, [{ ...beingMade, ageMs: 120_001 }], [serverOf({ admin: 'drain' })]),
    ],
    [
      'a boot past its deadline is booting as long as the host works on it',
      'booting',
      under('boot', sightingOf(3, [{ ...beingMade, ageMs: 120_001 }], [])),
    ],
    ['a running domain whose check has not passed is warming', 'warming', seen.warming(3)],
    [
      'a check that fails at exactly the deadline is still warming',
      'warming',
      seen.failed(3).domains[0] === undefined
        ? seen.failed(3)
        : sightingOf(3, [domainOf()], [serverOf({ ...lateDrain, sinceChangeMs: 120_000 })]),
    ],
    [
      'a check that fails past the deadline has failed',
      'failed',
      sightingOf(3, [domainOf()], [serverOf(lateDrain)]),
    ],
    [
      'an old server with a young domain is warming: the deadline runs from the later of both',
      'warming',
      sightingOf(3, [domainOf({ ageMs: 120_000 })], [serverOf(lateDrain)]),
    ],
    [
      'a node with sessions has never failed',
      'warming',
      sightingOf(3, [domainOf()], [serverOf({ ...lateDrain, sessions: 1 })]),
    ],
    ['a passed check in DRAIN is out of rotation', 'out-of-rotation', seen.outOfRotation(3)],
    ['a ready server is in service', 'in-service', seen.inService(3)],
    [
      'a ready server whose check fails is in service: that is HAProxy’s business',
      'in-service',
      seen.sick(3),
    ],
    ['a running domain in MAINT is warming, whatever its age', 'warming', seen.parked(3)],
    ['a domain that is stopping is stopping', 'stopping', seen.stopping(3)],
    [
      'a node that is being destroyed is stopping',
      'stopping',
      under('destroy', seen.outOfRotation(3)),
    ],
    [
      'a node that is being destroyed and that no host shows is stopping',
      'stopping',
      under('destroy', sightingOf(3, [], [])),
    ],
    ['a paused domain is standby', 'standby', seen.standby(3)],
    ['a domain that is being paused is standby', 'standby', under('pause', seen.outOfRotation(3))],
    ['a paused domain that is being woken is warming', 'warming', under('wake', seen.standby(3))],
    ['a server with nothing behind it is absent', 'absent', seen.ghost(3)],
    ['a host that does not answer makes its nodes unknown', 'unknown', seen.lost(3)],
    ['our name with another UUID is a conflict', 'conflict', seen.conflict(3)],
    [
      'our name in two places is a conflict',
      'conflict',
      sightingOf(3, [domainOf(), domainOf({ host: 'xen-b' })], [serverOf()]),
    ],
    [
      'a conflict stays one while an operation of ours runs',
      'conflict',
      under('destroy', seen.conflict(3)),
    ],
    [
      'a balancer that does not answer makes a running node unknown',
      'unknown',
      sightingOf(3, [domainOf()], [SILENT_SERVER]),
    ],
    [
      'an admission under way leaves it out of rotation',
      'out-of-rotation',
      under('admit', seen.outOfRotation(3)),
    ],
    ['a drain under way leaves it in service', 'in-service', under('drain', seen.inService(3))],
  ])('%s', (_, phase, sighting) => {
    expect(derive(sighting).phase).toBe(phase);
  });
});

describe('several balancers', () => {
  const fresh = { sinceChangeMs: 5_000 };
  const a = serverOf();
  const drainA = serverOf({ admin: 'drain', ...fresh });
  const maintA = serverOf({ admin: 'maint', check: 'pending' });
  test.each<[string, NodePhase, NodeSighting['servers']]>([
    ['in rotation on one is in service', 'in-service', [drainA, readyB]],
    ['in rotation on the one that answers is in service', 'in-service', [a, silentB]],
    ['in DRAIN on both is out of rotation', 'out-of-rotation', [drainA, drainB]],
    [
      'a check that one has not passed yet is warming',
      'warming',
      [drainA, { ...drainB, check: 'pending' }],
    ],
    [
      'in MAINT on one, in DRAIN on the other is warming: its check has not passed everywhere',
      'warming',
      [drainA, maintB],
    ],
    ['in MAINT on both is warming', 'warming', [maintA, maintB]],
    ['none that answers is unknown', 'unknown', [SILENT_SERVER, silentB]],
    [
      'a failed check is not believed while another balancer is silent: it may serve there',
      'warming',
      [serverOf(lateDrain), silentB],
    ],
  ])('%s', (_, phase, servers) => {
    expect(derive(sightingOf(3, [domainOf()], servers)).phase).toBe(phase);
  });

  test('a node is quiet only if all say so', () => {
    const quiet = (servers: NodeSighting['servers'], oldWorkers = false): boolean =>
      derive(sightingOf(3, [domainOf()], servers), { oldWorkers }).quiet;

    expect(quiet([drainA, drainB])).toBe(true);
    expect(quiet([drainA, { ...drainB, sessions: 1 }])).toBe(false);
    expect(quiet([drainA, silentB])).toBe(false);
    expect(quiet([])).toBe(false);
    expect(quiet([drainA, drainB], true)).toBe(false);
  });

  test('a node serves if one sends it traffic and sees its check not fail', () => {
    const isServing = (servers: NodeSighting['servers']): boolean =>
      derive(sightingOf(3, [domainOf()], servers)).serving;

    expect(isServing([serverOf({ check: 'failed' }), readyB])).toBe(true);
    expect(isServing([serverOf({ check: 'pending' })])).toBe(true);
    expect(isServing([serverOf({ check: 'failed' }), drainB])).toBe(false);
  });

  test('its age in a phase runs from the latest change on any of them', () => {
    const servers = [serverOf({ sinceChangeMs: 7_000 }), { ...readyB, sinceChangeMs: 4_000 }];

    expect(derive(sightingOf(3, [domainOf()], servers)).phaseAgeMs).toBe(4_000);
  });
});

describe('hosts that never answered', () => {
  test.each<[string, NodePhase, NodeSighting]>([
    [
      'a server in DRAIN may be a node there',
      'unknown',
      sightingOf(3, [], [serverOf({ admin: 'drain', check: 'failed' })]),
    ],
    ['a ready server whose check fails may be a node there', 'unknown', seen.ghost(3)],
    ['a server in MAINT is nobody', 'absent', sightingOf(3, [], [serverOf({ admin: 'maint' })])],
    ['a node that another host shows is what it is', 'in-service', seen.inService(3)],
  ])('%s', (_, phase, sighting) => {
    expect(derive(sighting, NEVER_ANSWERED).phase).toBe(phase);
  });

  test('a ready server that answers is unknown even when all hosts deny it', () => {
    expect(derive(sightingOf(3, [], [serverOf()])).phase).toBe('unknown');
  });
});

describe('something that answers in the place of a node that no host shows', () => {
  const stranger = (strangerForMs: number): NodeSighting => ({
    ...sightingOf(3, [], [serverOf()]),
    strangerForMs,
  });

  test.each<[string, NodePhase, NodeSighting]>([
    ['may be a node that died a moment ago', 'unknown', stranger(0)],
    ['may be one for 15 s', 'unknown', stranger(15_000)],
    ['is a conflict after that', 'conflict', stranger(15_001)],
    ['is our boot, while one is under way', 'booting', under('boot', stranger(60_000))],
    ['is our node, while it is being destroyed', 'stopping', under('destroy', stranger(60_000))],
    [
      'is nobody any more when a host shows our node there',
      'in-service',
      { ...seen.inService(3), strangerForMs: 60_000 },
    ],
  ])('%s', (_, phase, sighting) => {
    expect(derive(sighting).phase).toBe(phase);
  });

  test.each([
    { intervalMs: 7_500, forMs: 15_001, phase: 'conflict' },
    { intervalMs: 60_000, forMs: 120_000, phase: 'unknown' },
    { intervalMs: 60_000, forMs: 120_001, phase: 'conflict' },
  ])(
    'where HAProxy checks each $intervalMs ms, is $phase after $forMs ms',
    ({ intervalMs, forMs, phase }) => {
      const tier = webTier();
      const seldom = { ...tier, health: { ...tier.health, intervalMs } };
      const observation = observationOf({ nodes: [stranger(forMs)] });
      expect(deriveNodes(seldom, observation)[0]?.phase).toBe(phase);
    },
  );

  test('has no host and no birth, and HAProxy sends it traffic', () => {
    expect(derive(stranger(60_000))).toMatchObject({ host: undefined, bornMs: 0, serving: true });
  });
});

describe('sickness', () => {
  test.each<[string, number, NodeSighting]>([
    ['counts from HAProxy’s last change', 9_000, seen.sick(3, 9_000)],
    ['is none while the check passes', 0, seen.inService(3)],
    ['is none out of rotation', 0, seen.warming(3, { check: 'failed' })],
    [
      'is none while another balancer sends it traffic',
      0,
      sightingOf(3, [domainOf()], [serverOf({ check: 'failed' }), readyB]),
    ],
  ])('%s', (_, sickForMs, sighting) => {
    expect(derive(sighting).sickForMs).toBe(sickForMs);
  });
});

describe('what counts against the maximum', () => {
  test.each<[string, boolean, NodeSighting]>([
    ['a node in service', true, seen.inService(3)],
    ['a standby node', true, seen.standby(3)],
    ['a node that is stopping', true, seen.stopping(3)],
    ['a failed boot that still exists', true, seen.failed(3)],
    ['a conflict', true, seen.conflict(3)],
    ['a boot that no host shows yet', true, under('boot', sightingOf(3, [], []))],
    ['a node on a lost host that HAProxy reports up', true, seen.lostButUp(3)],
    ['no node on a lost host that HAProxy reports down', false, seen.lost(3)],
    [
      'a node that its host shows while the balancer is silent',
      true,
      sightingOf(3, [domainOf()], [SILENT_SERVER]),
    ],
    [
      'a node on a lost host while the balancer is silent: nobody reports it down',
      true,
      sightingOf(3, [domainOf({ fresh: false })], [SILENT_SERVER]),
    ],
    [
      'no paused node on a lost host, though the balancer is silent',
      false,
      sightingOf(3, [domainOf({ fresh: false, state: 'paused' })], [SILENT_SERVER]),
    ],
    ['no server with nothing behind it', false, seen.ghost(3)],
  ])('%s', (_, present, sighting) => {
    expect(isPresent(derive(sighting))).toBe(present);
  });
});

test('a node carries its name, host and birth; without a domain it has neither host nor birth', () => {
  expect(derive(seen.inService(3))).toMatchObject({
    name: 'news-web-3',
    number: 3,
    host: 'xen-a',
    bornMs: 1_000,
  });
  expect(derive(seen.ghost(3))).toMatchObject({ host: undefined, bornMs: 0, parked: false });
});

test('a server that no balancer shows is parked: there is nothing to be taken out of rotation', () => {
  expect(derive(sightingOf(3, [], [SILENT_SERVER])).parked).toBe(true);
});

test('a node that no host shows may run on one that never answered, while the balancer is silent, too', () => {
  const hidden = derive(sightingOf(3, [], [SILENT_SERVER]), NEVER_ANSWERED);

  expect(hidden).toMatchObject({ phase: 'unknown', serving: true });
});

describe('saved nodes, and what is left over', () => {
  const saved = domainOf({ state: 'saved' });
  const residue = domainOf({ state: 'residue' });
  const maint = serverOf({ admin: 'maint', check: 'pending' });
  const refused = { wakeRefused: true } as const;
  test.each<[string, NodePhase, NodeSighting]>([
    ['a saved domain stands by', 'standby', seen.saved(3)],
    ['a saved domain that is woken is warming', 'warming', under('wake', seen.saved(3))],
    ['a domain that is being saved stands by', 'standby', under('save', seen.parked(3))],
    [
      'a domain that is being saved, and that its host calls stopping then, stands by',
      'standby',
      under('save', seen.stopping(3)),
    ],
    ['a saved domain while its boot runs is booting', 'booting', under('boot', seen.saved(3))],
    ['one that cannot be woken has failed', 'failed', seen.saved(3, refused)],
    ['also when it is frozen', 'failed', { ...seen.standby(3), ...refused }],
    [
      'but not while HAProxy may send it visitors',
      'standby',
      { ...sightingOf(3, [saved], [serverOf()]), ...refused },
    ],
    [
      'nor while a balancer is silent',
      'standby',
      { ...sightingOf(3, [saved], [maint, silentB]), ...refused },
    ],
    ['what is left over is a residue', 'residue', seen.residue(3)],
    [
      'whatever HAProxy still believes of it',
      'residue',
      sightingOf(3, [residue], [serverOf({ check: 'pending' })]),
    ],
    ['what a boot has made so far is booting', 'booting', under('boot', seen.residue(3))],
    [
      'a residue that is being destroyed is stopping',
      'stopping',
      under('destroy', seen.residue(3)),
    ],
    [
      'a residue on a silent host is unknown',
      'unknown',
      sightingOf(3, [{ ...residue, fresh: false }], [maint]),
    ],
    [
      'a node that is being destroyed on a silent host is unknown',
      'unknown',
      under('destroy', seen.lost(3)),
    ],
    [
      'so is one that stops there',
      'unknown',
      sightingOf(3, [domainOf({ state: 'stopping', fresh: false })], [maint]),
    ],
  ])('%s', (_, phase, sighting) => {
    expect(derive(sighting).phase).toBe(phase);
  });

  test('a residue serves nobody, and is counted', () => {
    const node = derive(sightingOf(3, [residue], [serverOf()]));
    expect([node.serving, isPresent(node)]).toEqual([false, true]);
  });

  test('what is destroyed on a silent host is not taken for one that serves while no balancer answers', () => {
    const lost = under('destroy', sightingOf(3, [domainOf({ fresh: false })], [SILENT_SERVER]));
    const node = derive(lost);
    expect([node.phase, node.serving, isPresent(node)]).toEqual(['unknown', false, false]);
  });

  test('on a host that is to be drained, each node is asked to go; the word about itself comes first', () => {
    const said = { reason: '', untilMs: 99_999_999 };
    const overrides = [
      { ...said, id: 'o1', kind: 'drain-host', host: 'xen-a' },
      { ...said, id: 'o2', kind: 'drain', number: 4, bornMs: 1_000 },
      { ...said, id: 'o3', kind: 'protect', number: 5, bornMs: 1_000 },
    ] as const;
    const elsewhere = sightingOf(6, [domainOf({ host: 'xen-b' })], [serverOf()]);
    const asked = [seen.inService(3), seen.inService(4), seen.inService(5), elsewhere].map(
      (sighting) => derive(sighting, { overrides }).drainAskedBy,
    );
    expect(asked).toEqual(['o1', 'o2', undefined, undefined]);
  });
});
