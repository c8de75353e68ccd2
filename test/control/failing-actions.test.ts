import { expect, test } from 'vitest';
import {
  ConflictError,
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../../src/control/errors.ts';
import { FailingActions } from '../../src/control/failing-actions.ts';
import { InFlight } from '../../src/control/in-flight.ts';
import type { Action } from '../../src/scaler/action.ts';
import { Lab } from './lab.ts';
import {
  bootAction,
  destroyAction,
  domainAction,
  makeTier,
  repairAction,
  serverAction,
} from './site.ts';

const SECOND = 1_000;
const tier = makeTier();
const ADMIT = serverAction('admit', 3);
const BROKEN = new UnreachableError('its file is broken');

function failed(times: number, action: Action = ADMIT, error: unknown = BROKEN) {
  const inFlight = new InFlight(() => undefined);
  const failing = new FailingActions(inFlight);
  for (let time = 1; time <= times; time += 1) {
    failing.failed(tier, action, error, time * SECOND);
  }
  return { failing, inFlight, lastMs: times * SECOND };
}

/** Two nodes in service; the third boots, and the balancer will take no order to admit it. */
async function startUnadmitted() {
  const admittedAtMs: number[] = [];
  const lab: Lab = new Lab({
    nodes: 2,
    rps: 100,
    recorder: {
      record: (event) => {
        lab.log.record(event);
        if (event.type === 'action-started' && event.action.kind === 'admit') {
          admittedAtMs.push(lab.clock.steadyMs());
        }
      },
    },
  });
  lab.start();
  await lab.clock.step(5 * SECOND);
  lab.world.rps = 230;
  await lab.clock.stepUntil(() => lab.phase(3) === 'booting', 20 * SECOND);
  lab.world.balancer.readOnly = true;
  return { lab, admittedAtMs };
}

test('a balancer that refuses is asked after 1, 2, 4, … and at most 30 s, which is told until it succeeds', async () => {
  const { lab, admittedAtMs } = await startUnadmitted();
  await using _ = lab;
  await lab.clock.step(140 * SECOND);
  const gaps = admittedAtMs.slice(1).map((atMs, index) => atMs - (admittedAtMs[index] ?? 0));
  expect(gaps.map((ms) => Math.floor(ms / SECOND))).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  expect(lab.controller.failingActions).toMatchObject([
    { tier: 'news/web', action: { kind: 'admit', node: 'news-web-3' }, failures: 9 },
  ]);
  lab.world.balancer.readOnly = false;
  await lab.clock.step(30 * SECOND);
  expect(lab.inService()).toBe(3);
  expect(lab.controller.failingActions).toEqual([]);
});

test('another action there is started at once, and the one that failed is told no more', async () => {
  const { lab } = await startUnadmitted();
  await using _ = lab;
  await lab.clock.step(60 * SECOND);
  const told = () => lab.controller.failingActions.map(({ action }) => action);
  expect(told()).toMatchObject([{ kind: 'admit', node: 'news-web-3' }]);
  const { domains } = lab.world.hosts.find((host) => host.domains.has('news-web-3'))!;
  domains.delete('news-web-3');
  await lab.clock.step(5 * SECOND);
  expect(told()).toContainEqual(expect.objectContaining({ kind: 'park', node: 'news-web-3' }));
  expect(told()).not.toContainEqual(expect.objectContaining({ kind: 'admit' }));
});

test('whoever does not lead any more tells of no failure', async () => {
  const { lab } = await startUnadmitted();
  await using _ = lab;
  await lab.clock.step(20 * SECOND);
  expect(lab.controller.failingActions).toHaveLength(1);
  lab.world.lease.held = undefined;
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.failingActions).toEqual([]);
});

test('told from the third failure in a row on, with the first time and the last reason', () => {
  const { failing } = failed(2);
  expect(failing.told).toEqual([]);
  failing.failed(tier, ADMIT, new RefusedError('no such thing'), 9_000);
  expect(failing.told).toMatchObject([{ failures: 3, sinceMs: 1_000, why: 'no such thing' }]);
  failing.succeeded(ADMIT);
  expect([failing.told, failing.attemptOf(ADMIT)]).toEqual([[], 1]);
});

test.each([
  { action: ADMIT, error: BROKEN, rests: true },
  { action: ADMIT, error: new RefusedError('no'), rests: true },
  { action: repairAction(3, 'lb-a', 'ready'), error: BROKEN, rests: true },
  { action: ADMIT, error: new PreconditionError('has not passed its check'), rests: false },
  { action: ADMIT, error: new ConflictError('somebody else'), rests: false },
  { action: ADMIT, error: new OutcomeUnknownError('given up'), rests: false },
  { action: bootAction(3), error: BROKEN, rests: false },
  { action: domainAction('wake', 3), error: BROKEN, rests: false },
  { action: destroyAction(3), error: BROKEN, rests: false },
])('$action.kind that failed with $error.code rests: $rests', ({ action, error, rests }) => {
  const { failing, lastMs } = failed(4, action, error);
  expect(failing.attemptOf(action)).toBe(5);
  expect(failing.isResting(action, lastMs + 7_999)).toBe(rests);
  expect(failing.isResting(action, lastMs + 8_000)).toBe(false);
});

test.each([
  { action: serverAction('admit', 4), ends: true },
  { action: repairAction(4, 'lb-a', 'ready'), ends: true },
  { action: destroyAction(4), ends: false },
])(
  '$action.kind of another node succeeds: the rests of all are over: $ends',
  ({ action, ends }) => {
    const { failing, lastMs } = failed(4);
    failing.succeeded(action);
    expect(failing.isResting(ADMIT, lastMs)).toBe(!ends);
    expect(failing.attemptOf(ADMIT)).toBe(5);
  },
);

test('a precondition that does not hold yet ends the rests', () => {
  const { failing, lastMs } = failed(4);
  failing.failed(tier, ADMIT, new PreconditionError('has not passed its check'), lastMs);
  expect(failing.isResting(ADMIT, lastMs)).toBe(false);
  failing.failed(tier, ADMIT, BROKEN, lastMs);
  expect(failing.isResting(ADMIT, lastMs + 1_000)).toBe(false);
});

test.each([
  { other: serverAction('drain', 3), why: 'another kind' },
  { other: serverAction('admit', 4), why: 'another node' },
])('$why does not rest, and is a first attempt', ({ other }) => {
  const { failing, lastMs } = failed(4);
  expect([failing.isResting(other, lastMs), failing.attemptOf(other)]).toEqual([false, 1]);
});

test.each([repairAction(3, 'lb-b', 'drain'), repairAction(3, 'lb-a', 'ready')])(
  'a repair of another balancer or to another state is another action: $balancer $to',
  (other) => {
    const { failing } = failed(4, repairAction(3, 'lb-a', 'drain'));
    expect(failing.attemptOf(other)).toBe(1);
  },
);

test('what a tick of its tier does not want any more is forgotten; what is in flight and other tiers are not', () => {
  const { failing, inFlight, lastMs } = failed(4);
  failing.keepWanted(makeTier({}, { name: 'shop' }), []);
  failing.keepWanted(tier, [ADMIT]);
  const flight = inFlight.start(tier, ADMIT);
  failing.keepWanted(tier, []);
  expect(failing.told).toHaveLength(1);
  inFlight.end(flight, lastMs);
  inFlight.settle(() => lastMs + 1);
  failing.keepWanted(tier, [serverAction('drain', 3)]);
  expect(failing.told).toEqual([]);
});

test('a tier that is scaled no more has no failing actions', () => {
  const { failing } = failed(4);
  failing.keepTiers((key) => key === 'news/web');
  expect(failing.told).toHaveLength(1);
  failing.keepTiers(() => false);
  expect(failing.told).toEqual([]);
});
