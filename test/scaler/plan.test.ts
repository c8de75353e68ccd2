import { describe, expect, test } from 'vitest';
import type { Mode } from '../../src/scaler/cluster.ts';
import type { NodeSighting, Observation } from '../../src/scaler/observation.ts';
import { allowedIn } from '../../src/scaler/plan.ts';
import type { Shortfall } from '../../src/scaler/boot-nodes.ts';
import {
  domainOf,
  hostOf,
  ok,
  planAt,
  SILENT_SERVER,
  seen,
  serverOf,
  serving,
  sightingOf,
  signalsOf,
  UNKNOWN_SIGNALS,
  under,
  webTier,
} from './world.ts';

type Row = readonly [
  situation: string,
  desiredNodes: number,
  nodes: readonly NodeSighting[],
  said: readonly string[],
];

const running = (number: number, servers: NodeSighting['servers']): NodeSighting =>
  sightingOf(number, [domainOf()], servers);

describe('more are needed', () => {
  test.each<Row>([
    ['nobody when all serve', 3, serving(3), []],
    [
      'boots on the lowest free numbers',
      4,
      [seen.inService(1), seen.inService(3)],
      ['boot 2 needed', 'boot 4 needed'],
    ],
    [
      'one that is out of rotation comes back before anything is booted',
      3,
      [...serving(2), seen.outOfRotation(3)],
      ['admit 3 needed'],
    ],
    [
      'the lowest numbers come back first',
      3,
      [
        ...serving(2),
        seen.outOfRotation(3, { sessions: 1 }),
        seen.outOfRotation(4, { sessions: 1 }),
      ],
      ['admit 3 needed'],
    ],
    ['one that boots is waited for', 3, [...serving(2), seen.booting(3)], []],
    ['one that warms is waited for', 3, [...serving(2), seen.warming(3)], []],
    ['one that runs in MAINT is checked', 3, [...serving(2), seen.parked(3)], ['warm 3 needed']],
    [
      'what runs is waited for before what boots, which is cancelled',
      3,
      [...serving(2), seen.booting(3), seen.parked(4)],
      ['warm 4 needed', 'destroy 3 not-needed'],
    ],
    [
      'a standby node is woken before one is booted',
      4,
      [...serving(2), seen.standby(3)],
      ['wake 3 needed', 'boot 4 needed'],
    ],
    [
      'back into rotation → wake → boot',
      5,
      [...serving(2), seen.standby(3), seen.outOfRotation(4)],
      ['admit 4 needed', 'wake 3 needed', 'boot 5 needed'],
    ],
    [
      'a node on a lost host that HAProxy reports down is replaced under a new name',
      3,
      [...serving(2), seen.lost(3)],
      ['boot 4 needed'],
    ],
    [
      'a node on a lost host that HAProxy reports up serves',
      3,
      [...serving(2), seen.lostButUp(3)],
      [],
    ],
    [
      'the number of a failed boot is not taken while its domain exists',
      3,
      [...serving(2), seen.failed(3)],
      ['boot 4 needed', 'destroy 3 boot-failed'],
    ],
    [
      'the number of a conflict is not taken',
      3,
      [...serving(2), seen.conflict(3)],
      ['boot 4 needed'],
    ],
    [
      'the number of a ghost is, and its server is not parked then',
      3,
      [...serving(2), seen.ghost(3)],
      ['boot 3 needed'],
    ],
    [
      'a server that answers without a domain counts: somebody serves there',
      3,
      [...serving(2), sightingOf(3, [], [serverOf()])],
      [],
    ],
    [
      'nobody is replaced while the balancer is silent',
      3,
      [1, 2, 3].map((number) => running(number, [SILENT_SERVER])),
      [],
    ],
  ])('%s', (_, desiredNodes, nodes, said) => {
    expect(planAt(desiredNodes, { nodes }).said).toEqual(said);
  });

  test('a boot names its host, address, MAC and term', () => {
    expect(planAt(3, {}).actions).toEqual([
      {
        kind: 'boot',
        node: 'news-web-3',
        number: 3,
        reason: 'needed',
        term: { createdAtSeconds: 1_700_000_000, transitions: 3 },
        host: 'xen-b',
        address: '10.0.1.22',
        mac: '00:16:3e:00:01:16',
      },
    ]);
  });

  test('boots go where the fewest nodes are', () => {
    expect(planAt(6, {}).actions.map((action) => 'host' in action && action.host)).toEqual([
      'xen-b',
      'xen-b',
      'xen-a',
      'xen-b',
    ]);
  });
});

describe('what is under way', () => {
  test.each<Row>([
    [
      'a boot counts as a node that comes',
      3,
      [...serving(2), under('boot', sightingOf(3, [], []))],
      [],
    ],
    [
      'a boot counts while its domain is still paused',
      3,
      [...serving(2), under('boot', seen.standby(3))],
      [],
    ],
    [
      'a boot counts when its check has passed before its end was seen',
      3,
      [...serving(2), under('boot', seen.outOfRotation(3))],
      [],
    ],
    ['a wake counts', 3, [...serving(2), under('wake', seen.standby(3))], []],
    [
      'a wake counts when its check has passed before its end was seen',
      3,
      [...serving(2), under('wake', seen.outOfRotation(3))],
      [],
    ],
    ['a warm is not sent twice', 3, [...serving(2), under('warm', seen.parked(3))], []],
    [
      'an admission counts as serving',
      3,
      [...serving(2), under('admit', seen.outOfRotation(3))],
      [],
    ],
    [
      'a drain that has just begun is waited for when demand returns: it is back sooner than a boot',
      3,
      [...serving(2), under('drain', seen.inService(3))],
      [],
    ],
    [
      'a drain whose end was not seen is waited for, too',
      3,
      [...serving(2), under('drain', seen.outOfRotation(3))],
      [],
    ],
    ['a drain is not sent twice', 2, [...serving(2), under('drain', seen.inService(3))], []],
    [
      'a node that is being destroyed is no node',
      3,
      [...serving(2), under('destroy', seen.outOfRotation(3))],
      ['boot 4 needed'],
    ],
    [
      'a node that boots is not cancelled while the host works on it',
      2,
      [...serving(2), under('boot', seen.booting(3))],
      [],
    ],
    [
      'a failed boot is not destroyed twice',
      2,
      [...serving(2), under('destroy', seen.failed(3))],
      [],
    ],
    ['a ghost is not parked twice', 2, [...serving(2), under('park', seen.ghost(3))], []],
  ])('%s', (_, desiredNodes, nodes, said) => {
    expect(planAt(desiredNodes, { nodes }).said).toEqual(said);
  });
});

describe('fewer are needed', () => {
  test.each<Row>([
    [
      'the highest numbers are drained',
      2,
      serving(4),
      ['drain 4 not-needed', 'drain 3 not-needed'],
    ],
    [
      'one that something is just being done to goes in its turn, and none of the steady ones in its place',
      2,
      [...serving(2), seen.inService(3), under('admit', seen.inService(4))],
      ['drain 3 not-needed'],
    ],
    [
      'a quiet one out of rotation is destroyed',
      2,
      [...serving(2), seen.outOfRotation(3)],
      ['destroy 3 not-needed'],
    ],
    [
      'one with sessions is waited for',
      2,
      [...serving(2), seen.outOfRotation(3, { sessions: 1, sinceChangeMs: 300_000 })],
      [],
    ],
    [
      'past its deadline it is cut off',
      2,
      [...serving(2), seen.outOfRotation(3, { sessions: 1, sinceChangeMs: 300_001 })],
      ['destroy! 3 drain-deadline'],
    ],
    ['a boot is cancelled', 2, [...serving(2), seen.booting(3)], ['destroy 3 not-needed']],
    [
      'a node that warms is destroyed',
      2,
      [...serving(2), seen.warming(3)],
      ['destroy 3 not-needed'],
    ],
    [
      'a node in MAINT is destroyed, and never as a failed boot',
      2,
      [...serving(2), seen.parked(3)],
      ['destroy 3 not-needed'],
    ],
    [
      'a node on a silent host is not touched',
      2,
      [...serving(2), seen.lostButUp(3)],
      ['drain 2 not-needed'],
    ],
    [
      'standby beyond the wanted number is destroyed',
      2,
      [...serving(2), seen.standby(3)],
      ['destroy 3 not-needed'],
    ],
    [
      'destroying comes last',
      2,
      [...serving(3), seen.outOfRotation(4), seen.booting(5), seen.ghost(6)],
      ['drain 3 not-needed', 'park 6 no-domain', 'destroy 4 not-needed', 'destroy 5 not-needed'],
    ],
    [
      'no node that serves is drained for one that does not: its check has failed for 5 s',
      2,
      [seen.sick(1, 5_000), seen.inService(2), seen.inService(3)],
      [],
    ],
    [
      'a server without a domain is parked',
      2,
      [...serving(2), seen.ghost(3)],
      ['park 3 no-domain'],
    ],
    [
      'a server without a domain on a silent balancer cannot be',
      2,
      [...serving(2), sightingOf(3, [], [SILENT_SERVER])],
      [],
    ],
    ['the last that serves stays, whatever is desired', 0, serving(2), ['drain 2 not-needed']],
    [
      'a drain under way on a silent host is no node that serves',
      2,
      [...serving(2), under('drain', seen.lostButUp(3))],
      [],
    ],
    ['a conflict is not touched', 2, [...serving(2), seen.conflict(3)], []],
    ['a node that stops by itself is not touched', 2, [...serving(2), seen.stopping(3)], []],
  ])('%s', (_, desiredNodes, nodes, said) => {
    expect(planAt(desiredNodes, { nodes }).said).toEqual(said);
  });

  const drainA = serverOf({ admin: 'drain' });
  const silentB = { balancer: 'lb-b', answered: false } as const;
  test.each<[string, Partial<Observation>]>([
    [
      'while any signal is unknown',
      {
        signals: UNKNOWN_SIGNALS,
        nodes: [...serving(4), seen.outOfRotation(5), seen.booting(6), seen.standby(7)],
      },
    ],
    [
      'while old workers may still serve, even past the deadline',
      {
        oldWorkers: true,
        nodes: [
          ...serving(2),
          seen.outOfRotation(3, { sinceChangeMs: 3_600_000 }),
          seen.booting(4),
          seen.standby(5),
        ],
      },
    ],
    [
      'while one of its balancers is silent, even past the deadline: it may serve there',
      { nodes: [...serving(2), running(3, [drainA, silentB])] },
    ],
    [
      'of which a failed check is believed while a balancer is silent',
      { nodes: [...serving(2), running(3, [{ ...drainA, check: 'failed' }, silentB])] },
    ],
    [
      'of a failed check while old workers may still serve',
      { oldWorkers: true, nodes: [...serving(2), seen.failed(3)] },
    ],
  ])('nothing goes %s', (_, changes) => {
    expect(planAt(2, changes).said).toEqual([]);
  });

  test('a boot that failed goes also while signals are unknown', () => {
    expect(
      planAt(2, { signals: UNKNOWN_SIGNALS, nodes: [...serving(2), seen.failed(3)] }).said,
    ).toEqual(['destroy 3 boot-failed']);
  });
});

/** Number 3, born so long ago, and out of maintenance for as long or less. */
const warmingFor = (ageMs: number, sinceChangeMs = ageMs): NodeSighting =>
  sightingOf(
    3,
    [domainOf({ ageMs })],
    [serverOf({ admin: 'drain', check: 'pending', sinceChangeMs })],
  );

describe('standby', () => {
  const tier = webTier({ standby: { state: 'paused', nodes: 1 }, maxNodes: 4 });
  test.each<Row>([
    ['one is booted for it', 2, serving(2), ['boot 3 standby']],
    ['none while nodes are needed', 3, serving(2), ['boot 3 needed']],
    ['none while one comes', 2, [...serving(2), seen.booting(3)], []],
    [
      'one that waits in MAINT is checked first',
      2,
      [...serving(2), seen.parked(3)],
      ['warm 3 standby'],
    ],
    [
      'one that has passed its check is paused',
      2,
      [...serving(2), seen.outOfRotation(3)],
      ['pause 3 standby'],
    ],
    [
      'one that still has sessions waits for them',
      2,
      [...serving(2), seen.outOfRotation(3, { sessions: 1 })],
      [],
    ],
    [
      'a second one is destroyed',
      2,
      [...serving(2), seen.outOfRotation(3), seen.outOfRotation(4)],
      ['pause 3 standby', 'destroy 4 not-needed'],
    ],
    [
      'a second one that boots is cancelled',
      2,
      [...serving(2), seen.standby(3), seen.booting(4)],
      ['destroy 4 not-needed'],
    ],
    [
      'of two, the higher number is destroyed',
      2,
      [...serving(2), seen.standby(3), seen.standby(4)],
      ['destroy 4 not-needed'],
    ],
    [
      'one that is just being paused counts: no second one is booted',
      2,
      [...serving(2), under('pause', seen.outOfRotation(3))],
      [],
    ],
    [
      'one that is just being paused counts against a second one',
      2,
      [...serving(2), under('pause', seen.outOfRotation(3)), seen.standby(4)],
      ['destroy 4 not-needed'],
    ],
    [
      'one that is just being drained counts: it is the next',
      2,
      [...serving(2), under('drain', seen.inService(3))],
      [],
    ],
    ['none beyond the maximum, and nothing is said about it', 4, serving(4), []],
    [
      'none is kept beyond the maximum',
      4,
      [...serving(4), seen.standby(5)],
      ['destroy 5 not-needed'],
    ],
    ['a woken one is replaced once it serves', 3, [...serving(3)], ['boot 4 standby']],
    [
      'one is woken although another one boots, which stands by when it is there',
      3,
      [...serving(2), seen.booting(3), seen.standby(4)],
      ['wake 4 needed'],
    ],
    [
      'one is woken although another one runs, with most of its 20 s yet to come',
      3,
      [...serving(2), seen.warming(3), seen.standby(4)],
      ['wake 4 needed'],
    ],
    [
      'none is woken beside one that will serve as soon',
      3,
      [...serving(2), warmingFor(18_000), seen.standby(4)],
      [],
    ],
    [
      'one is woken although another one boots, longer than boots usually take: it may hang',
      3,
      [...serving(2), warmingFor(20_001), seen.standby(4)],
      ['wake 4 needed'],
    ],
    [
      'none is woken beside one that runs and was only put into maintenance',
      3,
      [...serving(2), seen.parked(3), seen.standby(4)],
      ['warm 3 needed'],
    ],
    [
      'none is woken beside one that is being woken',
      3,
      [...serving(2), under('wake', warmingFor(1_000)), seen.standby(4)],
      [],
    ],
    [
      'none is woken beside one that was woken a second ago, in a life before this process',
      3,
      [...serving(2), warmingFor(3_600_000, 1_000), seen.standby(4)],
      [],
    ],
    [
      'none is woken beside one that was woken a second ago, younger than boots take',
      3,
      [...serving(2), { ...warmingFor(10_000, 1_000), woken: true }, seen.standby(4)],
      [],
    ],
    [
      'one is woken although another one was, longer ago than a boot takes',
      3,
      [...serving(2), { ...warmingFor(3_600_000, 20_001), woken: true }, seen.standby(4)],
      ['wake 4 needed'],
    ],
  ])('%s', (_, desiredNodes, nodes, said) => {
    const planned = planAt(desiredNodes, { nodes }, tier);

    expect(planned.said).toEqual(said);
    expect(planned.shortfall).toBeUndefined();
  });

  test('none is booted while signals are unknown', () => {
    expect(planAt(2, { signals: UNKNOWN_SIGNALS }, tier).said).toEqual([]);
  });

  const around = [...serving(2), seen.standby(3), seen.standby(4)];
  test.each([
    [
      'needed soon is woken, and replaced',
      4,
      ['wake 3 needed', 'wake 4 needed', 'boot 5 standby', 'boot 6 standby'],
    ],
    [
      'needed later is booted, and what stands by is left for what comes before that',
      2,
      ['boot 5 needed', 'boot 6 needed'],
    ],
    ['needed soon in part is woken in part', 3, ['wake 3 needed', 'boot 5 needed']],
  ])('what is %s', (_, soonNodes, said) => {
    const two = webTier({ standby: { state: 'paused', nodes: 2 } });
    expect(planAt(4, { nodes: around }, two, soonNodes).said).toEqual(said);
  });

  test('how many are left on standby is said beside boots that are needed, and else not', () => {
    const two = webTier({ standby: { state: 'paused', nodes: 2 } });
    const left = [2, 3, 4].map(
      (soonNodes) => planAt(4, { nodes: around }, two, soonNodes).leftNodes,
    );
    expect(left).toEqual([2, 1, undefined]);
    const forStandby = planAt(2, { nodes: around.slice(0, 3) }, two);
    expect([forStandby.said, forStandby.leftNodes]).toEqual([['boot 4 standby'], undefined]);
    const withoutBoot = planAt(4, { nodes: around, circuit: 'open' }, two, 2);
    expect([withoutBoot.said, withoutBoot.leftNodes]).toEqual([[], undefined]);
  });

  test('one that is being restored, as if it were being made, is waited for: no second one is woken', () => {
    const saved = webTier({ standby: { state: 'saved', nodes: 2 } });
    const restored = sightingOf(
      3,
      [domainOf({ state: 'being-made', ageMs: 3_600_000 })],
      [serverOf({ admin: 'maint', check: 'pending' })],
    );
    const nodes = [...serving(2), under('wake', restored), seen.saved(4)];
    expect(planAt(3, { nodes }, saved).said).not.toContain('wake 4 needed');
  });

  test('before a boot was measured, one that has run for seconds is no reason to leave others on standby', () => {
    const nodes = [...serving(2), seen.warming(3), seen.standby(4)];
    expect(planAt(3, { nodes, bootTimeMs: undefined }, tier).said).toEqual(['wake 4 needed']);
  });

  test('what is needed later is woken where it need not stand by any more', () => {
    const atMaximum = webTier({ standby: { state: 'paused', nodes: 2 }, maxNodes: 4 });
    expect(planAt(4, { nodes: around }, atMaximum, 2).said).toEqual([
      'wake 3 needed',
      'wake 4 needed',
    ]);
  });
});

describe('a sick node', () => {
  const small = webTier({ maxNodes: 3 });
  test('is HAProxy’s business for 15 s', () => {
    expect(planAt(3, { nodes: [...serving(2), seen.sick(3, 14_999)] }).said).toEqual([]);
  });

  test('is replaced then', () => {
    expect(planAt(3, { nodes: [...serving(2), seen.sick(3)] }).said).toEqual(['boot 4 needed']);
  });

  test('leaves once its replacement serves', () => {
    const nodes = [...serving(2), seen.sick(3), seen.inService(4)];

    expect(planAt(3, { nodes }).said).toEqual(['drain 3 sick']);
  });

  test('stays while its replacement only comes', () => {
    const nodes = [...serving(2), seen.sick(3), seen.warming(4)];

    expect(planAt(3, { nodes }).said).toEqual([]);
  });

  test('stays while another one is just leaving', () => {
    const nodes = [...serving(8), seen.sick(9), seen.warming(10)];

    expect(planAt(8, { nodes }).said).toEqual(['destroy 10 not-needed']);
  });

  test.each([
    ['warming', seen.warming(3)],
    ['failed', seen.failed(3)],
  ])('that was drained is not waited for, though it looks like one that is %s', (_, drained) => {
    const leaving = { ...drained, leaving: true };

    expect(planAt(3, { nodes: [...serving(2), leaving] }).said).toEqual([
      'boot 4 needed',
      'destroy 3 sick',
    ]);
    expect(planAt(3, { nodes: [...serving(2), leaving] }, small).said).toEqual(['destroy 3 sick']);
  });

  test('that was drained and passes its check again goes back into rotation', () => {
    const recovered = { ...seen.outOfRotation(3), leaving: true };

    expect(planAt(3, { nodes: [...serving(2), recovered] }).said).toEqual(['admit 3 needed']);
  });

  test('leaves first where the maximum has no room for its replacement', () => {
    const planned = planAt(3, { nodes: [...serving(2), seen.sick(3)] }, small);

    expect(planned.said).toEqual(['drain 3 sick']);
    expect(planned.shortfall).toMatchObject({ nodes: 1, why: 'maximum' });
  });

  test.each<[string, Partial<Observation>]>([
    [
      'while requests wait',
      { signals: signalsOf(240, { queue: ok({ requests: 1, servedRps: 240 }) }) },
    ],
    [
      'while the queue is unknown',
      { signals: { ...signalsOf(240), queue: { status: 'absent', why: 'no answer' } } },
    ],
    ['while it is being drained already', {}],
  ])('does not leave %s', (_, changes) => {
    const third = _.endsWith('already') ? under('drain', seen.sick(3)) : seen.sick(3);

    expect(
      planAt(3, { nodes: [...serving(2), third, seen.inService(4)], ...changes }).said,
    ).toEqual([]);
  });

  test('leaves alone: of two, the higher one first', () => {
    const nodes = [...serving(8), seen.sick(9), seen.sick(10)];

    expect(planAt(8, { nodes }).said).toEqual(['drain 10 sick']);
  });

  test('that is one of many is none: healing and scale-in freeze, and the plan says so', () => {
    const nodes = [
      seen.sick(1),
      seen.sick(2),
      ...[3, 4, 5, 6].map((number) => seen.inService(number)),
    ];
    const planned = planAt(3, { nodes: [...nodes, seen.outOfRotation(7)] });

    expect(planned).toMatchObject({ said: [], healingFrozen: true });
  });

  test('that is the first of several to fail is none: the others count from their first moment', () => {
    const nodes = [...serving(2), seen.sick(3), seen.sick(4, 1_000)];

    expect(planAt(4, { nodes })).toMatchObject({ said: [], healingFrozen: true });
  });

  test('nodes that have just begun to fail freeze nothing', () => {
    const nodes = [...serving(2), seen.sick(3, 14_999), seen.sick(4, 1_000)];

    expect(planAt(4, { nodes }).healingFrozen).toBe(false);
  });

  test.each([
    ['one of two', 1, 2, false],
    ['two of ten: exactly a fifth', 2, 10, false],
    ['two of nine', 2, 9, true],
    ['both of two', 2, 2, true],
    ['the only one', 1, 1, false],
  ])('healing freezes by share: %s', (_, sick, total, healingFrozen) => {
    const nodes = Array.from({ length: total }, (__, index) =>
      index < sick ? seen.sick(index + 1) : seen.inService(index + 1),
    );

    expect(planAt(total, { nodes }).healingFrozen).toBe(healingFrozen);
  });
});

describe('what is needed and cannot be had', () => {
  const full = [hostOf('xen-a', { freeMemoryMiB: 511 }), hostOf('xen-b', { reachable: false })];
  test.each<[string, number, Partial<Observation>, number, Shortfall['why'], readonly string[]]>([
    [
      'the maximum counts every domain, also one that is stopping',
      5,
      {
        nodes: [
          ...serving(3),
          ...[4, 5, 6, 7, 8, 9, 10, 11, 12].map((number) => seen.stopping(number)),
        ],
      },
      2,
      'maximum',
      [],
    ],
    [
      'addresses run out',
      4,
      { blockedNumbers: Array.from({ length: 29 }, (_, index) => index + 4) },
      1,
      'addresses',
      ['boot 3 needed'],
    ],
    ['the installation is full', 5, { fleetRoom: 1 }, 2, 'fleet-limit', ['boot 3 needed']],
    ['the installation is more than full', 5, { fleetRoom: -3 }, 3, 'fleet-limit', []],
    ['boots keep failing', 5, { circuit: 'open' }, 3, 'breaker', []],
    [
      'one probe is sent when the breaker is half open',
      5,
      { circuit: 'half-open' },
      2,
      'breaker',
      ['boot 3 needed'],
    ],
    [
      'no second one while it runs',
      5,
      { circuit: 'half-open', nodes: [...serving(2), seen.booting(3)] },
      2,
      'breaker',
      [],
    ],
    [
      'a probe stays within the maximum',
      12,
      { circuit: 'half-open', nodes: [...serving(11), seen.conflict(12)] },
      1,
      'maximum',
      [],
    ],
    [
      'a probe stays within the installation',
      5,
      { circuit: 'half-open', fleetRoom: 0 },
      3,
      'fleet-limit',
      [],
    ],
    ['no host takes it', 3, { hosts: full }, 1, 'no-host', []],
    [
      'the host that has room boots as many as it may',
      3,
      { hosts: [hostOf('xen-a', { freeMemoryMiB: 511 }), hostOf('xen-b', { startsInFlight: 16 })] },
      1,
      'concurrent-boots',
      [],
    ],
  ])('%s', (_, desiredNodes, changes, nodes, why, said) => {
    const planned = planAt(desiredNodes, changes);

    expect(planned.said).toEqual(said);
    expect(planned.shortfall).toMatchObject({ nodes, why });
  });

  test('each host says why not', () => {
    expect(planAt(3, { hosts: full }).shortfall?.refusals).toEqual([
      { host: 'xen-a', why: 'memory', free: 511 },
      { host: 'xen-b', why: 'unreachable', free: undefined },
    ]);
  });

  test('nothing is missing when all is there', () => {
    expect(planAt(2, { circuit: 'open' }).shortfall).toBeUndefined();
  });

  test('a number in quarantine is passed over', () => {
    expect(planAt(3, { blockedNumbers: [3, 4] }).said).toEqual(['boot 5 needed']);
  });
});

describe('a mode', () => {
  const everything = planAt(
    2,
    {
      nodes: [
        ...serving(3),
        seen.outOfRotation(4),
        seen.outOfRotation(5),
        seen.failed(6),
        seen.ghost(7),
      ],
    },
    webTier({ standby: { state: 'paused', nodes: 1 } }),
  );
  const growing = planAt(6, {
    nodes: [...serving(2), seen.outOfRotation(3), seen.parked(4), seen.standby(5)],
  });
  test.each<[Mode, readonly string[]]>([
    ['observe', []],
    ['scale-out-only', ['park', 'admit', 'warm', 'wake', 'boot']],
    ['full', ['drain', 'pause', 'park', 'destroy', 'destroy', 'admit', 'warm', 'wake', 'boot']],
  ])('%s lets through %j', (mode, kinds) => {
    const allowed = allowedIn(mode, [...everything.actions, ...growing.actions]);

    expect(allowed.map(({ kind }) => kind)).toEqual(kinds);
  });
});

test('a converged tier has an empty plan, also with a lost host, a conflict and a number at rest', () => {
  const nodes = [...serving(3), seen.lost(4), seen.conflict(5), seen.standby(6)];
  const planned = planAt(
    3,
    { nodes, blockedNumbers: [5, 7] },
    webTier({ standby: { state: 'paused', nodes: 1 } }),
  );

  expect(planned).toMatchObject({ said: [], shortfall: undefined, healingFrozen: false });
});

describe('saved standby', () => {
  const tier = webTier({ standby: { state: 'saved', nodes: 1 } });

  test.each<[string, number, readonly NodeSighting[], readonly string[]]>([
    ['a quiet node is saved', 2, [...serving(2), seen.outOfRotation(3)], ['save 3 standby']],
    [
      'while one is being saved, none is booted or saved in its place',
      2,
      [...serving(2), under('save', seen.stopping(3)), seen.outOfRotation(4)],
      ['destroy 4 not-needed'],
    ],
    ['not while it has sessions', 2, [...serving(2), seen.outOfRotation(3, { sessions: 1 })], []],
    [
      'nor again where its host has refused a while ago; it stands by awake',
      2,
      [...serving(2), { ...seen.outOfRotation(3), saveRefused: true }],
      [],
    ],
    ['a paused node counts as well', 2, [...serving(2), seen.standby(3)], []],
    [
      'too many go, the highest first',
      2,
      [...serving(2), seen.saved(3), seen.saved(4)],
      ['destroy 4 not-needed'],
    ],
    [
      'what is frozen wakes before what is saved',
      3,
      [...serving(2), seen.saved(3), seen.standby(4)],
      ['wake 4 needed'],
    ],
    [
      'what is saved wakes before anything boots',
      4,
      [...serving(2), seen.saved(3)],
      ['wake 3 needed', 'boot 4 needed'],
    ],
    [
      'one that cannot be woken is destroyed, and another boots',
      3,
      [...serving(2), seen.saved(3, { wakeRefused: true })],
      ['boot 4 needed', 'destroy 3 boot-failed'],
    ],
    [
      'what is left over is destroyed, and its number is not used',
      3,
      [...serving(2), seen.residue(3)],
      ['boot 4 needed', 'destroy 3 residue'],
    ],
  ])('%s', (_, desired, nodes, said) => {
    expect(planAt(desired, { nodes, signals: signalsOf(desired * 80) }, tier).said).toEqual(said);
  });

  test('what was learned orders the wakes, the tier’s own image before others', () => {
    const time = { host: 'xen-a', imageVersion: '1' } as const;
    const startTimes = [
      { ...time, start: 'paused', timeMs: 9_000 },
      { ...time, start: 'saved', timeMs: 4_000 },
      { ...time, imageVersion: '0', start: 'saved', timeMs: 99_000 },
    ] as const;
    const nodes = [...serving(2), seen.standby(3), seen.saved(4)];
    expect(planAt(3, { nodes, startTimes, signals: signalsOf(240) }, tier).said).toEqual([
      'wake 4 needed',
    ]);
  });

  test('where a host has no memory to wake it, a node boots elsewhere', () => {
    const hosts = [hostOf('xen-a', { freeMemoryMiB: 511 }), hostOf('xen-b')];
    const nodes = [...serving(2), seen.saved(3)];
    const planned = planAt(3, { nodes, hosts, signals: signalsOf(240) }, tier);
    expect(planned.said).toEqual(['boot 4 needed']);
  });

  test('two wakes take no more memory than there is', () => {
    const hosts = [hostOf('xen-a', { freeMemoryMiB: 1_023 }), hostOf('xen-b')];
    const nodes = [...serving(2), seen.saved(3), seen.saved(4)];
    const planned = planAt(4, { nodes, hosts, signals: signalsOf(320) }, tier);
    expect(planned.said).toEqual(['wake 3 needed', 'boot 5 needed']);
  });

  test('where a boot would slow a wake down, it waits, or goes elsewhere', () => {
    const nodes = [...serving(2), seen.standby(3)];
    const many = { nodes, concurrentBootsPerHost: 1, signals: signalsOf(320) };
    expect(planAt(4, { ...many, hosts: [hostOf('xen-a')] }, tier).said).toEqual(['wake 3 needed']);
    const hosts = [hostOf('xen-a'), hostOf('xen-b')];
    expect(planAt(4, { ...many, hosts }, tier).actions).toMatchObject([
      { kind: 'wake', host: 'xen-a' },
      { kind: 'boot', host: 'xen-b' },
    ]);
  });

  test('in a storm with signals unknown, a residue goes all the same', () => {
    const nodes = [...serving(2), seen.residue(3)];
    expect(planAt(2, { nodes, signals: UNKNOWN_SIGNALS }, tier).said).toEqual([
      'destroy 3 residue',
    ]);
  });
});

describe('numbers', () => {
  test('while a host has never answered, the highest are taken', () => {
    const hosts = [hostOf('xen-a'), hostOf('xen-b', { everAnswered: false, reachable: false })];
    expect(planAt(4, { hosts, signals: signalsOf(320) }).said).toEqual([
      'boot 32 needed',
      'boot 31 needed',
    ]);
  });
});
