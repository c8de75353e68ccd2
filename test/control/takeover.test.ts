/** Another one has led until now: its late orders may still come through at a host that has not heard of us. */

import { expect, test } from 'vitest';
import { Lab, startLab } from './lab.ts';

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

test('who follows shows no host a term; who takes over shows it to each at once, and looks then', async () => {
  await using lab = await startFollowing(MINUTE);
  expect(lab.world.hosts.map(({ terms }) => terms)).toEqual([[], []]);
  lab.world.lease.held = OURS;
  await lab.clock.step(1_100);

  expect(lab.world.hosts.map(({ terms }) => terms)).toEqual([[OURS], [OURS]]);
  await lab.clock.step(SECOND);
  expect(lab.world.callsOf('create')).toHaveLength(1);
});

test('a host is asked anew at once, whatever it was just being asked when we took over', async () => {
  await using lab = await startFollowing(MINUTE);
  const [host] = lab.world.hosts;
  host!.answerMs = 4 * SECOND;
  // It is being asked, by the follower that we were.
  await lab.clock.step(31.5 * SECOND);
  lab.world.lease.held = OURS;

  await lab.clock.step(10 * SECOND);
  expect(host!.terms).toEqual([OURS]);
});

test('nothing boots anywhere before each host has acknowledged the term or failed to', async () => {
  await using lab = await startFollowing();
  const [quick, slow] = lab.world.hosts;
  slow!.answerMs = 3 * SECOND;
  lab.world.lease.held = OURS;
  await lab.clock.step(2 * SECOND);
  expect(quick!.terms.at(-1)).toEqual(OURS);
  expect(lab.world.callsOf('create')).toEqual([]);

  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 8 * SECOND);
  expect(slow!.terms.at(-1)).toEqual(OURS);
});

test('a host that does not acknowledge the term gets no boots, and its numbers stay as they are', async () => {
  await using lab = await startFollowing();
  const [host, refusing] = lab.world.hosts;
  refusing!.keepsNoTerms = true;
  lab.world.lease.held = OURS;
  await lab.clock.step(3 * SECOND);
  expect(lab.phase(2)).toBe('unknown');

  await lab.clock.step(30 * SECOND);
  expect(lab.phase(2)).toBe('unknown');
  expect(refusing!.domains.has('news-web-2')).toBe(true);
  // The highest number that is free, as nobody knows which ones a former leader may still use there.
  expect(lab.world.callsOf('create')).toEqual([
    expect.stringMatching(`^${host!.host} create news-web-(?!3$)`),
  ]);
  expect(lab.log.of('source-failed')).toMatchObject([{ name: refusing!.host }]);

  refusing!.keepsNoTerms = false;
  await lab.clock.step(3 * SECOND);
  expect(lab.phase(2)).toBe('in-service');
  lab.world.rps = 500;
  await lab.clock.stepUntil(() => refusing!.domains.size > 1, 60 * SECOND);
});

test('what a former leader has made meanwhile is seen before a number is taken', async () => {
  await using lab = await startFollowing();
  const [host] = lab.world.hosts;
  await lab.clock.step(2 * SECOND);
  // Right after the host was looked at, the order of the former leader that was under way is carried out.
  lab.world.lease.held = OURS;
  const name = 'news-web-3';
  host!.addDomain({ ...lab.tier.size, name, bornMs: lab.clock.wallMs() });
  lab.world.balancer.set(3, 'drain');
  await lab.clock.step(60 * SECOND);

  expect(lab.world.domains).toEqual(['news-web-1', 'news-web-2', 'news-web-3']);
  expect(lab.world.callsOf('create')).toEqual([]);
});

test('a dry run shows no host a term', async () => {
  await using lab = startLab({ nodes: 2 });
  await lab.stop();
  for (const host of lab.world.hosts) {
    host.terms.length = 0;
  }
  const looking = lab.createController().dryRun(new AbortController().signal);
  await lab.clock.step(5 * SECOND);
  await looking;
  expect(lab.world.hosts.map(({ terms }) => terms)).toEqual([[], []]);
});
