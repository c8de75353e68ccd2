/** Whoever leads shows its term to the hosts first; what happens on those that do not acknowledge it. */

import { expect, test } from 'vitest';
import { OutcomeUnknownError, PreconditionError } from '../../src/control/errors.ts';
import { Lab } from './lab.ts';

const SECOND = 1_000;
const NEXT_TERM = { createdAtSeconds: 1, transitions: 5 };

/** Two nodes serve; the load asks for four. */
function startLab(): Lab {
  return new Lab({ nodes: 2, rps: 300 });
}

test('every host has acknowledged the term before anything is ordered anywhere, and then it is ordered at once', async () => {
  await using lab = startLab();
  for (const host of lab.world.hosts) {
    host.answerMs = 400;
  }
  lab.world.lease.held = undefined;
  lab.start();
  await lab.clock.step(10 * SECOND);
  expect(lab.world.calls).toEqual([]);
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.stepUntil(() => lab.world.calls.length > 0, 5 * SECOND);
  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([NEXT_TERM, NEXT_TERM]);
  const fenced = lab.log.of('host-fenced');
  expect(fenced.map(({ host, error }) => [host, error])).toEqual([
    ['host-a', undefined],
    ['host-b', undefined],
  ]);
});

test('each reign is shown anew', async () => {
  await using lab = startLab();
  lab.start();
  await lab.clock.step(5 * SECOND);
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.step(5 * SECOND);
  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([NEXT_TERM, NEXT_TERM]);
  expect(lab.log.of('host-fenced')).toHaveLength(4);
});

test('a host that was shown a newer term gets nothing, and what is there stays; nodes come elsewhere, by high numbers', async () => {
  await using lab = startLab();
  const [silent] = lab.world.hosts;
  silent!.fencing = 'was-shown-a-newer-one';
  lab.start();
  await lab.clock.step(40 * SECOND);
  const highest = lab.tier.addresses.length;
  const booted = lab.world.callsOf('create');
  expect(booted.slice(0, 2).toSorted()).toEqual(
    [`host-b create news-web-${highest - 1}`, `host-b create news-web-${highest}`].toSorted(),
  );
  lab.world.rps = 10;
  await lab.clock.step(1_200 * SECOND);
  expect(lab.world.calls.filter((call) => call.startsWith('host-a '))).toEqual([]);
  // Node 1 is there: it is not even drained.
  expect(lab.world.callsOf('drain')).not.toContain('lb drain news-web-1');
  const [{ error } = { error: undefined }, ...more] = lab.log
    .of('host-fenced')
    .filter(({ host }) => host === 'host-a');
  expect(error).toBeInstanceOf(PreconditionError);
  // It is tried each second, and said once.
  expect(more).toEqual([]);
});

test('a host that acknowledges late is used from then on', async () => {
  await using lab = startLab();
  const [late, other] = lab.world.hosts;
  late!.fencing = 'was-shown-a-newer-one';
  other!.room.vcpus = 1;
  lab.start();
  await lab.clock.step(20 * SECOND);
  expect(lab.world.callsOf('create')).toEqual([]);
  const { shortfall } = lab.log.of('tier-ticked').at(-1)!.tick.plan;
  expect(shortfall?.refusals.map(({ host, why }) => [host, why])).toEqual([
    ['host-a', 'not-fenced'],
    ['host-b', 'vcpus'],
  ]);
  late!.fencing = 'acknowledges';
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 5 * SECOND);
  expect(lab.world.callsOf('create')[0]).toMatch(/^host-a create /);
});

test('a host that hangs at the fence is waited for as long as for an answer, one that is silent not at all', async () => {
  await using lab = startLab();
  const [hanging] = lab.world.hosts;
  lab.world.lease.held = undefined;
  lab.start();
  await lab.clock.step(5 * SECOND);
  hanging!.fencing = 'hang';
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.step(hanging!.pace.answerWithinMs - SECOND);
  expect(lab.world.calls).toEqual([]);
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 5 * SECOND);
  expect(lab.world.callsOf('create')[0]).toMatch(/^host-b create /);

  await using another = startLab();
  another.world.lease.held = undefined;
  another.start();
  await another.clock.step(5 * SECOND);
  another.world.host(0).silent = 'hang';
  await another.clock.step(20 * SECOND);
  another.world.lease.held = NEXT_TERM;
  await another.clock.stepUntil(() => another.world.callsOf('create').length > 0, 2 * SECOND);
});

test('a host that was silent when the reign began and is back holds nobody up, however long it takes to acknowledge', async () => {
  await using lab = startLab();
  const [late] = lab.world.hosts;
  const intervalMs = 8 * SECOND;
  late!.pace = { ...late!.pace, intervalMs, busyIntervalMs: intervalMs };
  lab.controller = lab.createController();
  lab.world.lease.held = undefined;
  late!.silent = 'unreachable';
  lab.start();
  await lab.clock.step(6 * SECOND);
  late!.fencing = 'hang';
  late!.silent = 'no';
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 1_500);
  await lab.clock.stepUntil(() => lab.log.of('source-answered').length === 3, 2 * SECOND);
  const before = lab.world.callsOf('create').length;
  lab.world.rps = 600;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > before, 2 * SECOND);
  // It is still being asked.
  expect(lab.log.of('host-fenced').map(({ host }) => host)).toEqual(['host-b']);
  expect(lab.world.callsOf('create').filter((call) => call.startsWith('host-a '))).toEqual([]);
});

test('when leadership is lost, what has begun is given up at once', async () => {
  await using lab = startLab();
  lab.world.host(0).createFault = 'hang';
  lab.world.host(1).createFault = 'hang';
  lab.start();
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 10 * SECOND);
  lab.world.lease.held = undefined;
  lab.controller.stopActing();
  await lab.clock.step(1);
  const ended = lab.log.of('action-ended').filter(({ action }) => action.kind === 'boot');
  expect(ended.length).toBeGreaterThan(0);
  for (const { error } of ended) {
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    expect(String(error)).toContain('leadership was lost meanwhile');
  }
  // The next reign works as the first one did.
  lab.world.host(0).createFault = undefined;
  lab.world.host(1).createFault = undefined;
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.stepUntil(() => lab.inService() === 4, 60 * SECOND);
});

test('why nothing can be done is known: no host, no balancer, no acknowledgment', async () => {
  await using lab = startLab();
  lab.start();
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.whyUnable).toBeUndefined();
  lab.world.balancer.silent = 'unreachable';
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.whyUnable).toBe('no balancer answers');
  lab.world.balancer.silent = 'no';
  lab.world.host(0).silent = 'unreachable';
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.whyUnable).toBeUndefined();
  lab.world.host(1).fencing = 'was-shown-a-newer-one';
  lab.world.lease.held = NEXT_TERM;
  await lab.clock.step(5 * SECOND);
  expect(lab.controller.whyUnable).toBe('no host acknowledges the term');
  lab.world.host(1).silent = 'unreachable';
  await lab.clock.step(10 * SECOND);
  expect(lab.controller.whyUnable).toBe('no host answers');
});
