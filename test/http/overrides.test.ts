import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ApiLab, withSecondBalancer } from './api-lab.ts';

const SAID = { for: '2h', reason: 'deploy of the shop' };

function give(lab: ApiLab, word: object) {
  return lab.write('POST', '/api/v1/overrides', { ...SAID, ...word });
}

async function forcesOf(lab: ApiLab): Promise<unknown> {
  return ((await lab.get('/api/v1/overrides')).json as { readonly overrides: unknown }).overrides;
}

test('what is given holds from the next tick on, shows in status and explanation, and ends by itself', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100 });
  const answer = await give(lab, { kind: 'hold', tier: 'news/web', nodes: 5 });
  expect(answer.json).toEqual({
    override: {
      id: 'o1',
      tier: 'news/web',
      kind: 'hold',
      direction: null,
      nodes: 5,
      node: null,
      host: null,
      balancer: null,
      born: null,
      reason: 'deploy of the shop',
      givenAt: '2023-11-14T22:30:05.000Z',
      expiresAt: '2023-11-15T00:30:05.000Z',
    },
    kept: true,
  });
  // The recommendation would let nodes go by then.
  await lab.clock.step(40_000);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    clusters: [
      { tiers: [{}, { decision: { desiredNodes: 5, reason: 'held' }, overrides: [{ id: 'o1' }] }] },
    ],
  });
  expect((await lab.get('/api/v1/tiers/news/web/explanation')).text).toContain('o1');

  await lab.clock.step(7_200_000);
  expect(await forcesOf(lab)).toEqual([]);
});

test('what is withdrawn holds no longer', async () => {
  await using lab = await ApiLab.startSettled();
  await give(lab, { kind: 'pause', tier: 'news/web', direction: 'all' });
  expect(await lab.write('DELETE', '/api/v1/overrides/o1')).toMatchObject({
    status: 200,
    json: { override: { id: 'o1', direction: 'all' } },
  });
  expect(await forcesOf(lab)).toEqual([]);
  expect((await lab.write('DELETE', '/api/v1/overrides/o1')).status).toBe(404);
});

test('the answer says when an override will not survive a restart', async () => {
  await using lab = await ApiLab.startSettled();
  const pause = { kind: 'pause', tier: 'news/web', direction: 'in' };
  lab.journalPart.broken = 'disk full';
  expect((await give(lab, pause)).json).toMatchObject({ kept: false });
  lab.journalPart.broken = undefined;
  expect((await give(lab, pause)).json).toMatchObject({ kept: true });
});

test('a node is told by its present birth: the next node of its name is another one', async () => {
  await using lab = await ApiLab.startSettled();
  const bornMs = lab.world.domain(1)!.bornMs;
  expect((await give(lab, { kind: 'protect', node: 'news-web-1' })).json).toMatchObject({
    override: { tier: 'news/web', node: 'news-web-1', born: new Date(bornMs).toISOString() },
  });
  expect(lab.overrides.all()).toMatchObject([{ word: { kind: 'protect', number: 1, bornMs } }]);
  await lab.clock.step(2_000);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    clusters: [{ tiers: [{}, { nodes: [{ protectedBy: 'o1' }, { protectedBy: null }] }] }],
  });
});

test('a node that is destroyed takes its overrides along', async () => {
  await using lab = await ApiLab.startSettled();
  await give(lab, { kind: 'drain', node: 'news-web-2' });
  await lab.clock.stepUntil(() => lab.overrides.all().length === 0, 60_000);
  expect((await lab.get('/api/v1/events')).json).toMatchObject({
    events: expect.arrayContaining([
      expect.objectContaining({
        msg: 'override ended',
        fields: expect.objectContaining({ override: 'o1', why: 'node-gone' }) as object,
      }),
    ]) as unknown,
  });
});

test('a host that is to be drained shows in status once, beside the host, until it is withdrawn', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100, nodes: 2 });
  expect((await give(lab, { kind: 'drain-host', host: 'local-b' })).json).toMatchObject({
    override: { id: 'o1', tier: null, kind: 'drain-host', host: 'local-b', node: null },
    kept: true,
  });
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    hosts: [{ overrides: [] }, { name: 'local-b', overrides: [{ id: 'o1', host: 'local-b' }] }],
    clusters: [{ tiers: [{}, { overrides: [] }] }],
  });
  await lab.write('DELETE', '/api/v1/overrides/o1');
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    hosts: [{ overrides: [] }, { overrides: [] }],
  });
});

test('a host that is to be drained is emptied, and takes nothing until that is withdrawn', async () => {
  await using lab = await ApiLab.startSettled({ rps: 100, nodes: 2 });
  await give(lab, { kind: 'drain-host', host: 'local-b' });
  const isEmpty = () => lab.world.host(1).domains.size === 0;
  await lab.clock.stepUntil(isEmpty, 120_000);
  lab.world.rps = 400;
  await lab.clock.step(60_000);
  expect(isEmpty()).toBe(true);
  await lab.write('DELETE', '/api/v1/overrides/o1');
  lab.world.rps = 600;
  await lab.clock.stepUntil(() => !isEmpty(), 60_000);
  expect(isEmpty()).toBe(false);
});

test.each([
  { host: 'local-c', says: 'there is no host local-c; there are local-a, local-b' },
  { host: '', says: 'there is no host ; there are local-a, local-b' },
])('of host "$host" nothing can be said: $says', async ({ host, says }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind: 'drain-host', host });
  expect(answer).toMatchObject({ status: 404, json: { error: { code: 'unknown-host' } } });
  expect(answer.text).toContain(says);
});

test('an excluded balancer shows in status, beside the balancer, and is one again when that is withdrawn', async () => {
  await using lab = await ApiLab.startSettled({ editConfig: withSecondBalancer });
  expect((await give(lab, { kind: 'exclude-balancer', balancer: 'lb-b' })).json).toMatchObject({
    override: { id: 'o1', tier: null, kind: 'exclude-balancer', balancer: 'lb-b', host: null },
    kept: true,
  });
  lab.world.balancers[1]!.silent = 'unreachable';
  await lab.clock.step(5_000);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    balancers: [
      { name: 'lb-a', answers: true, inSync: true, overrides: [] },
      { name: 'lb-b', answers: false, inSync: false, overrides: [{ id: 'o1', balancer: 'lb-b' }] },
    ],
    clusters: [{ tiers: [{}, { signals: { requestRate: { status: 'ok' } }, overrides: [] }] }],
  });
  await lab.write('DELETE', '/api/v1/overrides/o1');
  await lab.clock.step(2_000);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    balancers: [{ overrides: [] }, { overrides: [] }],
    clusters: [{ tiers: [{}, { signals: { requestRate: { status: 'partial' } } }] }],
  });
});

test('a balancer whose servers somebody has changed is said to be out of sync', async () => {
  await using lab = await ApiLab.startSettled({ editConfig: withSecondBalancer });
  lab.world.balancers[1]!.readOnly = true;
  lab.world.balancers[1]!.set(1, 'maint');
  await lab.clock.step(5_000);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    balancers: [
      { name: 'lb-a', answers: true, inSync: true },
      { name: 'lb-b', answers: true, inSync: false },
    ],
  });
});

test('the last balancer that counts is not excluded', async () => {
  await using lab = await ApiLab.startSettled({ editConfig: withSecondBalancer });
  await give(lab, { kind: 'exclude-balancer', balancer: 'lb-a' });
  expect((await give(lab, { kind: 'exclude-balancer', balancer: 'lb-a' })).status).toBe(201);
  const answer = await give(lab, { kind: 'exclude-balancer', balancer: 'lb-b' });
  expect(answer).toMatchObject({ status: 409, json: { error: { code: 'override-conflict' } } });
  expect(answer.text).toContain('lb-b is the only balancer that is not excluded');
});

test('of a balancer that there is not, nothing can be said', async () => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind: 'exclude-balancer', balancer: 'lb-c' });
  expect(answer).toMatchObject({ status: 404, json: { error: { code: 'unknown-balancer' } } });
  expect(answer.text).toContain('there is no balancer lb-c; there is lb-a');
});

test.each([
  { kind: 'hold', nodes: 8, status: 201 },
  { kind: 'hold', nodes: 9, status: 409 },
  { kind: 'hold', nodes: 0, status: 201 },
  { kind: 'hold', nodes: -1, status: 400 },
  { kind: 'min', nodes: 8, status: 201 },
  { kind: 'min', nodes: 9, status: 409 },
])('$kind $nodes, where 2 to 8 nodes are configured: $status', async ({ kind, nodes, status }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind, tier: 'news/web', nodes });
  expect(answer.status).toBe(status);
  if (status === 409) {
    expect(answer.text).toContain(
      `${kind} 9 is more than news/web may have: its nodes are { min: 2, max: 8 }`,
    );
  }
});

test('hold 20, where a schedule lets there be as many for a while: the decision says whether it does now', async () => {
  const schedules =
    '        schedules: [{ cron: "0 8 * * *", duration: 1h, timeZone: UTC, nodes: { max: 20 } }]\n';
  await using lab = await ApiLab.startSettled({
    editConfig: (text) => text.replace('http:', `${schedules}http:`),
  });
  expect((await give(lab, { kind: 'hold', tier: 'news/web', nodes: 21 })).status).toBe(409);
  expect((await give(lab, { kind: 'hold', tier: 'news/web', nodes: 20 })).status).toBe(201);
  await lab.clock.step(2_000);
  expect(lab.controller.ticks.get('news/web')?.tick.decision.desiredNodes).toBe(8);
});

test.each([
  { lasts: '59s', status: 400 },
  { lasts: '60s', status: 201 },
  { lasts: '1m', status: 201 },
  { lasts: '7d', status: 201 },
  { lasts: '169h', status: 400 },
  { lasts: '2 h', status: 400 },
  { lasts: '0', status: 400 },
  { lasts: '-1h', status: 400 },
])('for $lasts: $status, as it is from a minute to a week', async ({ lasts, status }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind: 'pause', tier: 'news/web', direction: 'in', for: lasts });
  expect(answer.status).toBe(status);
});

test.each([
  { tier: 'news/mail', says: 'there is no tier news/mail; there is news/web' },
  { tier: 'news/db', says: 'news/db is only watched (scaling: none)' },
  { tier: 'web', says: 'there is no tier web' },
  { tier: '__proto__', says: 'there is no tier __proto__' },
])('of tier $tier nothing can be said: $says', async ({ tier, says }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind: 'pause', tier, direction: 'in' });
  expect(answer).toMatchObject({ status: 404, json: { error: { code: 'unknown-tier' } } });
  expect(answer.text).toContain(says);
});

test('of a tier that a reload took out of the config nothing can be said, and it is still shown', async () => {
  await using lab = await ApiLab.startSettled();
  const web = /^ {6}web:\n(?: {8}.*\n)+/m;
  await writeFile(lab.configFile, lab.configText.replace(web, ''));
  expect((await lab.write('POST', '/api/v1/config/reload', {})).json).toMatchObject({
    outcome: 'applied',
  });
  await lab.clock.step(2_000);
  const answer = await give(lab, { kind: 'pause', tier: 'news/web', direction: 'in' });
  expect(answer.status).toBe(404);
  expect(answer.text).toContain('is not in the config any more');
  expect((await give(lab, { kind: 'protect', node: 'news-web-1' })).status).toBe(404);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({
    clusters: [
      {
        tiers: [
          { removed: false },
          { tier: 'news/web', removed: true, mode: 'observe', minNodes: 2 },
        ],
      },
    ],
  });
  expect((await lab.get('/api/v1/tiers/news/web/explanation')).status).toBe(200);
});

test.each([
  { node: 'news-web-7', says: 'there is no node news-web-7 now; there are news-web-1, news-web-2' },
  { node: 'news-web-999', says: 'there is no node news-web-999' },
  { node: 'news-web-01', says: 'there is no node news-web-01' },
  { node: 'news-db-1', says: 'there is no node news-db-1' },
  { node: '', says: 'there is no node' },
])('of node $node nothing can be said: $says', async ({ node, says }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await give(lab, { kind: 'protect', node });
  expect(answer).toMatchObject({ status: 404, json: { error: { code: 'unknown-node' } } });
  expect(answer.text).toContain(says);
});

test.each([
  {
    situation: 'its host and its balancer do not answer',
    bring: async (lab: ApiLab) => {
      lab.world.host(0).silent = 'unreachable';
      lab.world.balancer.silent = 'unreachable';
      await lab.clock.step(15_000);
    },
    says: 'news-web-1 is not known now: local-a or its balancer does not answer',
  },
  {
    situation: 'it exists twice',
    bring: async (lab: ApiLab) => {
      const { size } = lab.tier;
      lab.world.host(1).addDomain({ ...size, name: 'news-web-1', bornMs: 7 }, true);
      await lab.clock.step(5_000);
    },
    says: 'news-web-1 is in conflict',
  },
  {
    situation: 'it is being destroyed',
    bring: async (lab: ApiLab) => {
      lab.world.timing.destroyMs = 60_000;
      await give(lab, { kind: 'drain', node: 'news-web-1' });
      await lab.clock.stepUntil(() => lab.world.callsOf('destroy').length > 0, 60_000);
      await lab.clock.step(1_000);
    },
    says: 'news-web-1 is being destroyed already',
  },
])('of a node nothing can be said while $situation', async ({ bring, says }) => {
  await using lab = await ApiLab.startSettled();
  await bring(lab);
  const answer = await give(lab, { kind: 'drain', node: 'news-web-1' });
  expect(answer).toMatchObject({ status: 409, json: { error: { code: 'node-unfit' } } });
  expect(answer.text).toContain(says);
});

test('a node cannot be protected and drained at once; the answer says what to withdraw', async () => {
  await using lab = await ApiLab.startSettled();
  await give(lab, { kind: 'protect', node: 'news-web-1' });
  const answer = await give(lab, { kind: 'drain', node: 'news-web-1' });
  expect(answer).toMatchObject({ status: 409, json: { error: { code: 'override-conflict' } } });
  expect(answer.text).toContain('override o1 says to protect news-web-1 (deploy of the shop)');
  expect(answer.text).toContain('rackfire resume o1');
  expect((await give(lab, { kind: 'drain', node: 'news-web-2' })).status).toBe(201);
  await lab.write('DELETE', '/api/v1/overrides/o1');
  expect((await give(lab, { kind: 'drain', node: 'news-web-1' })).status).toBe(201);
});

test('a script that gives one after the other is stopped', async () => {
  await using lab = await ApiLab.startSettled();
  for (let given = 0; given < 200; given += 1) {
    lab.overrides.give('news/web', { kind: 'min', nodes: 2 }, { reason: 'x', durationMs: 60_000 });
  }
  const answer = await give(lab, { kind: 'min', tier: 'news/web', nodes: 2 });
  expect(answer).toMatchObject({ status: 409, json: { error: { code: 'out-of-bounds' } } });
});
