/** Another one has led until now: its late orders may still come through at a host that has not heard of us. */

import { expect, test } from 'vitest';
import { Lab } from './lab.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const OURS = { createdAtSeconds: 1_795_500_000, transitions: 4 };

/** Follows, with two nodes in service, at a load that needs three. @param intervalMs - At which hosts are asked. */
async function startFollowing(intervalMs = 2 * SECOND): Promise<Lab> {
  const lab = new Lab({ nodes: 2, rps: 100 });
  for (const host of lab.world.hosts) {
    host.pace = {
      ...host.pace,
      intervalMs,
      busyIntervalMs: intervalMs,
      staleAfterMs: 3 * intervalMs,
    };
  }
  lab.controller = lab.createController();
  lab.world.lease.held = undefined;
  lab.start();
  await lab.clock.step(10 * SECOND);
  lab.world.rps = 230;
  await lab.clock.step(20 * SECOND);
  expect(lab.world.callsOf('create')).toEqual([]);
  return lab;
}

test('who follows shows no host a term; who takes over shows it to each at once, looks, and acts', async () => {
  await using lab = await startFollowing(MINUTE);
  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([undefined, undefined]);
  lab.world.lease.held = OURS;
  await lab.clock.step(1_100);

  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([OURS, OURS]);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('what a host was just saying when it acknowledged is not waited for: it is asked anew at once', async () => {
  await using lab = await startFollowing(MINUTE);
  const [host] = lab.world.hosts;
  host!.answerMs = 4 * SECOND;
  // It is being asked, as every minute, and takes its time for that one answer.
  await lab.clock.step(31 * SECOND);
  host!.answerMs = 20;
  lab.world.lease.held = OURS;
  await lab.clock.step(1_500);
  expect(host!.fencedBy).toEqual(OURS);
  expect(lab.world.callsOf('create')).toEqual([]);

  await lab.clock.step(4 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('what a former leader has made until it was fenced is seen before a number is taken', async () => {
  await using lab = await startFollowing(MINUTE);
  const [host] = lab.world.hosts;
  lab.world.lease.held = OURS;
  // Its order was under way when each host was last looked at.
  host!.addDomain({ ...lab.tier.size, name: 'news-web-3', bornMs: lab.clock.wallMs() });
  await lab.clock.step(MINUTE);

  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2', 'news-web-3']);
  expect(lab.world.callsOf('create')).toEqual([]);
  expect(lab.inService()).toBe(3);
});

test('nothing is begun anywhere before each host has acknowledged the term and was looked at', async () => {
  await using lab = await startFollowing();
  const [quick, slow] = lab.world.hosts;
  slow!.answerMs = 3 * SECOND;
  lab.world.lease.held = OURS;
  await lab.clock.step(6 * SECOND);
  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([OURS, OURS]);
  expect(quick!.domains.size + slow!.domains.size).toBe(2);
  expect(lab.world.calls).toEqual([]);

  await lab.clock.step(3 * SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('a host that does not acknowledge the term gets no boots, and what it has stays as it is', async () => {
  await using lab = await startFollowing();
  const [host, refusing] = lab.world.hosts;
  refusing!.fencing = 'was-shown-a-newer-one';
  lab.world.lease.held = OURS;
  await lab.clock.step(MINUTE);

  // The highest number that is free, as nobody knows which ones a former leader may still use there.
  expect(lab.world.callsOf('create')).toEqual([`${host!.host} create news-web-16`]);
  expect(lab.log.of('host-fenced')).toMatchObject([
    { host: host!.host, error: undefined },
    { host: refusing!.host, error: expect.any(Error) as Error },
  ]);
  // Too many now; the highest goes, and not the one on a host that may be told to do something else.
  lab.world.rps = 10;
  await lab.clock.step(3 * MINUTE);
  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2']);

  refusing!.fencing = 'acknowledges';
  await lab.clock.step(10 * SECOND);
  lab.world.rps = 500;
  await lab.clock.stepUntil(() => refusing!.domains.size > 1, MINUTE);
});

test('a dry run shows no host a term', async () => {
  const lab = new Lab({ nodes: 2 });
  const looking = lab.controller.dryRun(new AbortController().signal);
  await lab.clock.step(5 * SECOND);
  await looking;
  expect(lab.world.hosts.map(({ fencedBy }) => fencedBy)).toEqual([undefined, undefined]);
});
