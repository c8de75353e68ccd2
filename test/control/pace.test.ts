import { expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import { Lab } from './lab.ts';

const SLOW = {
  intervalMs: 7_000,
  busyIntervalMs: 2_000,
  answerWithinMs: 12_000,
  staleAfterMs: 30_000,
  actWithinMs: 150_000,
};

/** Two nodes on two hosts, the second of which is slow. */
function startWithSlowHost(): Lab {
  const lab = new Lab({ nodes: 2, rps: 100 });
  lab.world.host(1).pace = SLOW;
  lab.controller = lab.createController();
  lab.start();
  return lab;
}

/** When it was asked, in the given time, beginning when nothing changes any more. */
async function askedWithin(lab: Lab, index: number, spanMs: number): Promise<readonly number[]> {
  const host = lab.world.host(index);
  const asked: number[] = [];
  const inspect = host.inspect.bind(host);
  host.inspect = (signal) => {
    asked.push(lab.clock.steadyMs());
    return inspect(signal);
  };
  await lab.clock.step(spanMs);
  return asked.slice(1).map((atMs, index_) => atMs - asked[index_]!);
}

test('each host is asked at its own pace', async () => {
  await using lab = startWithSlowHost();
  await lab.clock.stepUntil(() => lab.inService() === 2, 20_000);
  await lab.clock.step(20_000);
  expect(new Set(await askedWithin(lab, 0, 30_000))).toEqual(new Set([2_020]));
  expect(new Set(await askedWithin(lab, 1, 30_000))).toEqual(new Set([7_020]));
});

test('a host that may take long to answer is waited for, and is known for longer', async () => {
  await using lab = startWithSlowHost();
  const [quick, slow] = lab.world.hosts;
  await lab.clock.stepUntil(() => lab.inService() === 2, 20_000);
  quick!.answerMs = 11_000;
  slow!.answerMs = 11_000;
  await lab.clock.step(25_000);
  expect(lab.log.of('source-failed').map(({ name, error }) => [name, error])).toEqual([
    ['host-a', new UnreachableError('host-a did not answer within 5000 ms')],
  ]);
  expect([lab.phase(1), lab.phase(2)]).toEqual(['unknown', 'in-service']);
});

test('an order is given up when its host says so; one for servers alone after 60 s', async () => {
  await using lab = startWithSlowHost();
  const [, slow] = lab.world.hosts;
  lab.world.host(0).room.memoryMiB = 512;
  await lab.clock.stepUntil(() => lab.inService() === 2, 20_000);
  slow!.createFault = 'hang-before';
  lab.world.rps = 250;
  await lab.clock.stepUntil(() => lab.log.of('action-ended').length > 0, 200_000);
  expect(lab.log.of('action-ended')[0]).toMatchObject({
    action: { kind: 'boot', host: 'host-b' },
    durationMs: 150_000,
  });
});
