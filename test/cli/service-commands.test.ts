/** The commands that talk to a service, as processes, against the API over a simulated world. */

import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findFreePorts } from '../../src/cli/demo/processes.ts';
import { StatusAnswer } from '../../src/http/status-answer.ts';
import { until } from '../balancer/site.ts';
import { ApiLab, type ApiLabOptions, withSecondBalancer } from '../http/api-lab.ts';
import { Folder, RunningCommand, rackfire } from './rackfire.ts';

const zone = process.env['TZ'];

beforeAll(() => {
  process.env['TZ'] = 'UTC';
});

afterAll(() => {
  if (zone === undefined) {
    delete process.env['TZ'];
  } else {
    process.env['TZ'] = zone;
  }
});

/** Each command is a start of Node. */
const MANY_COMMANDS_MS = 90_000;

const SAID = ['--for', '2h', '--reason', 'deploy of the shop'];

async function start(options: ApiLabOptions = {}) {
  const lab = await ApiLab.startSettled(options);
  const at = ['--url', lab.url];
  return { lab, at, write: [...at, '--token-file', lab.tokenFile] };
}

test('status: the service, its tiers, nodes and hosts', async () => {
  const { lab, at } = await start({ rps: 100, nodes: 3 });
  await using _ = lab;
  const { code, stdout, stderr } = await rackfire('status', ...at);
  expect([code, stderr]).toEqual([0, '']);
  expect(
    stdout,
  ).toBe(`rackfire 9.8.7 leads, started 22:30:00 (5 s ago), config ${lab.configFile} of 22:30:00
✗ news/db: news-db-1 is absent, and not ours to boot

news/db  only watched
  news-db-1  absent  ?

news/web  3 wanted (stabilizing)  2…8 nodes
  100 rps, 0 waiting, 10 of 30 slots in use, needs 1.25 nodes
  NODE        PHASE       HOST     SINCE     SESSIONS
  news-web-1  in-service  local-a  22:30:00  4
  news-web-2  in-service  local-b  22:30:00  4
  news-web-3  in-service  local-a  22:30:00  4

HOST     FREE MEMORY  VCPUS  DISK
local-a  7168 MiB     14     56 GiB
local-b  7680 MiB     15     60 GiB

BALANCER
lb-a
`);
});

/** The lab's clock shows 23:30 in Berlin. */
const SCHEDULES = `        schedules:
          - { cron: "0 23 * * *", duration: 2h, timeZone: Europe/Berlin, nodes: { min: 3, max: 20 }, freeze: scale-in }
          - { cron: "0 8 * * mon-fri", duration: 10h, timeZone: Europe/Berlin, nodes: { min: 4 } }
`;

test('status and explain: which schedule holds and until when, and when the next begins', async () => {
  const editConfig = (text: string): string => text.replace('http:', `${SCHEDULES}http:`);
  const { lab, at } = await start({ rps: 100, nodes: 3, editConfig });
  await using _ = lab;
  const status = await rackfire('status', ...at);
  expect(status.stdout).toContain(`news/web  3 wanted (stabilizing)  3…20 nodes
  100 rps, 0 waiting, 10 of 30 slots in use, needs 1.25 nodes
  schedule 0 23 * * * (2h, Europe/Berlin): at least 3 nodes, at most 20 nodes, no scale-in until 2023-11-15 00:00:00, next from 2023-11-15 22:00:00
  schedule 0 8 * * mon-fri (10h, Europe/Berlin): at least 4 nodes, next from 2023-11-15 07:00:00
`);
  const explained = await rackfire('explain', 'news/web', ...at);
  expect(explained.stdout).toContain(
    'Schedule “0 23 * * *” (2 h, Europe/Berlin) holds until 2023-11-15 00:00:00, and again from 2023-11-15 22:00:00: at least 3 nodes, at most 20 nodes and no node goes.',
  );
  const asked = await lab.ask({ path: '/api/v1/status' });
  const [cluster] = StatusAnswer.parse(asked.json).clusters;
  expect(cluster?.tiers.find(({ tier }) => tier === 'news/web')).toMatchObject({
    minNodes: 3,
    maxNodes: 20,
    schedules: [
      {
        cron: '0 23 * * *',
        duration: '2h',
        timeZone: 'Europe/Berlin',
        minNodes: 3,
        maxNodes: 20,
        freeze: 'scale-in',
        until: '2023-11-15T00:00:00.000Z',
        from: '2023-11-15T22:00:00.000Z',
      },
      { minNodes: 4, maxNodes: null, freeze: null, until: null, from: '2023-11-15T07:00:00.000Z' },
    ],
  });
});

test('status: what is wrong stands first, the worst of it at the top', async () => {
  const { lab, at, write } = await start({ rps: 100 });
  await using _ = lab;
  await rackfire('pause', 'in', 'news', ...SAID, ...write);
  await writeFile(lab.configFile, lab.configText.replace('max: 8', 'maxx: 8'));
  await rackfire('reload', ...write);
  lab.journalPart.broken = 'disk full';
  lab.world.host(1).silent = 'unreachable';
  lab.world.rps = 2_000;
  await lab.clock.step(20_000);
  lab.world.lease.held = undefined;
  const { code, stdout } = await rackfire('status', ...at);
  expect(code).toBe(0);
  const [head = '', ...lines] = stdout.split('\n');
  const troubles = lines.slice(0, lines.indexOf(''));
  expect(head).toContain('does not lead');
  expect(troubles[0]).toMatch(/^✗ config refused at 22:30:05, the last good one stays:$/);
  for (const part of [
    'did you mean `max`?',
    '✗ journal failing since ',
    'disk full',
    '✗ local-b does not answer',
    '! this Rackfire does not lead and only observes; pid 4711 on other-host has the lock since 22:30:00',
    '! o1: scale-in of news/web paused since 22:30:05, until 2023-11-15 00:30:05 (in 2 h): deploy of the shop',
  ]) {
    expect(troubles.join('\n')).toMatch(part);
  }
  const marks = troubles.map((line) => line[0]).filter((mark) => mark === '✗' || mark === '!');
  expect(marks.join('')).toMatch(/^✗+!+$/);
});

test('status: nodes that only wait for the boots before them are no alarm', async () => {
  const editConfig = (text: string) => `${text}limits: { concurrentBootsPerHost: 1 }\n`;
  const { lab, at } = await start({ rps: 100, editConfig });
  await using _ = lab;
  const before = lab.world.callsOf('create').length;
  lab.world.rps = 2_000;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > before, 20_000);
  const { stdout } = await rackfire('status', ...at);
  expect(stdout).toMatch(
    /^! news\/web: 4 more needed, and booted when the boots before them have ended \(local-a: concurrent-boots; local-b: concurrent-boots\)$/m,
  );
  expect(stdout).not.toContain('not to be had');
});

test('status: an action that keeps failing is a trouble, with its reason and what to do', async () => {
  const { lab, at } = await start({ rps: 100 });
  await using _ = lab;
  lab.world.rps = 230;
  await lab.clock.stepUntil(() => lab.world.callsOf('create').length > 0, 20_000);
  lab.world.balancers[0]!.readOnly = true;
  await lab.clock.step(20_000);
  const { stdout } = await rackfire('status', ...at);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /✗ news\/web: admit of news-web-3 has failed 4 times since 22:30:\d\d: lb-a did not set it: permission denied; mend what this names \(rackfire check --online may tell more\), it is tried again within 30 s/,
  );
});

test('status and explain: boots that keep failing, until when none is tried, and what to do', {
  timeout: MANY_COMMANDS_MS,
}, async () => {
  const { lab, at } = await start({ rps: 100 });
  await using _ = lab;
  for (const host of lab.world.hosts) {
    host.createFault = 'refuse';
  }
  lab.world.rps = 2_000;
  await lab.clock.step(20_000);
  const status = await rackfire('status', ...at);
  expect(status.stdout).toMatch(
    /^✗ news\/web: too many boots have failed, one is tried at 22:35:\d\d \(in 5 min\), none before; see in rackfire events why, and mend the cause$/m,
  );
  const explained = await rackfire('explain', 'news/web', ...at);
  expect(explained.stdout).toMatch(
    /none is tried until 22:35:\d\d, then one by itself: rackfire events says why they failed, mend that\.$/m,
  );
  await lab.clock.step(281_000);
  const probing = await rackfire('status', ...at);
  expect(probing.stdout).toMatch(
    /^✗ news\/web: too many boots have failed, one is tried (now, and no other before it serves|at 22:40:\d\d)/m,
  );
});

test('explain: what was decided and why, for a tier and for all of a cluster, now and then', async () => {
  const { lab, at } = await start({ rps: 100 });
  await using _ = lab;
  lab.world.rps = 400;
  await lab.clock.step(20_000);
  const now = await rackfire('explain', 'news', ...at);
  expect([now.code, now.stderr]).toEqual([0, '']);
  expect(now.stdout).toMatch(
    /^news\/web at 2023-11-14 22:30:2\d \(latest decision\)\n {2}news\/web stays at 5 nodes/,
  );
  expect(now.stdout).toMatch(/^ {2}signal +400 rps arrive/m);
  expect(now.stdout).toMatch(/^ {2}what if +Would scale out to \d nodes at \d+ rps/m);
  expect(await rackfire('explain', 'news/web', ...at)).toEqual(now);

  const then = await rackfire('explain', 'news/web', '--at', '2023-11-14T22:30:04', ...at);
  expect(then.code).toBe(0);
  expect(then.stdout).toMatch(
    /^news\/web at 2023-11-14 22:30:0[34] \(decision kept in the journal\)/,
  );
  expect(then.stdout).toContain('100 rps arrive');
});

test.each([
  { args: ['explain', 'shop'], says: 'there is no cluster shop; there is news' },
  { args: ['explain', 'news/mail'], says: 'there is no tier news/mail; there is news/web' },
  { args: ['explain', 'news/db'], says: 'only watched' },
  {
    args: ['explain', 'news/web', '--at', '2020-01-01T00:00:00Z'],
    says: 'no decision of news/web at or before 2020-01-01T00:00:00.999Z is kept',
  },
  {
    args: ['events', '--cluster', 'shop'],
    says: 'there is no cluster shop, and no event of it is kept; there is news\n',
  },
  {
    args: ['events', '--follow', '--cluster', 'news/mail'],
    says: 'there is no tier news/mail, and no event of it is kept; there is news/db, news/web\n',
  },
  {
    args: ['events', '--cluster', 'news/web/1', '--since', '1h'],
    says: 'there is no tier news/web/1, and no event of it is kept; there is news/db, news/web\n',
  },
])('$args is refused: exit 1, with the reason alone', async ({ args, says }) => {
  const { lab, at } = await start();
  await using _ = lab;
  const { code, stdout, stderr } = await rackfire(...args, ...at);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^rackfire: /);
  expect(stderr).toContain(says);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('events: one line each; of one tier; as one JSON object per line', async () => {
  const { lab, at, write } = await start();
  await using _ = lab;
  await rackfire('hold', '3', 'news/web', ...SAID, ...write);
  const all = await rackfire('events', ...at);
  expect([all.code, all.stderr]).toEqual([0, '']);
  expect(all.stdout).toMatch(/^2023-11-14 22:30:00 {2}info {3}source answers {2}host=local-a$/m);
  const own = await rackfire('events', '--cluster', 'news/web', ...at);
  expect(own.stdout).toMatch(
    /^2023-11-14 22:30:05 {2}info {3}news\/web {2}override given {2}override=o1 kind=hold nodes=3 reason="deploy of the shop" expiresAt=2023-11-15T00:30:05.000Z$/m,
  );
  expect(own.stdout).not.toContain('source answers');
  const json = await rackfire(
    'events',
    '--cluster',
    'news',
    '--json',
    '--since',
    '2023-11-14 22:30:05',
    ...at,
  );
  const events = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  const { events: answered } = (
    await lab.get('/api/v1/events?cluster=news&since=2023-11-14T22:30:05Z')
  ).json as { readonly events: readonly unknown[] };
  expect(events).toEqual(answered);
});

test('events: none of a tier that there is, or was when events of it were written, is none', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  lab.journalPart.appendEvent({
    atMs: lab.startedAtMs - 86_400_000,
    level: 'info',
    msg: 'node passed its check',
    fields: { cluster: 'shop', tier: 'web' },
  });
  for (const name of ['news/db', 'shop', 'shop/web']) {
    const none = await rackfire('events', '--cluster', name, '--since', '22:30', ...at);
    expect([name, none]).toEqual([name, { code: 0, stdout: '', stderr: '' }]);
  }
});

test('events: what is in memory alone is said to be so', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  lab.journal = undefined;
  const { code, stdout, stderr } = await rackfire('events', ...at);
  expect(code).toBe(0);
  expect(stdout).toContain('source answers');
  expect(stderr).toBe(
    'rackfire: these are from memory alone: there is no journal here: it belongs to the Rackfire that leads\n',
  );
});

test('events --follow: what was, then what happens, without a gap, until interrupted', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  await using command = new RunningCommand('events', '-f', '--json', ...at);
  await command.printed('source answers');
  lab.overrides.give('news/web', { kind: 'min', nodes: 2 }, { reason: 'one', durationMs: 60_000 });
  await command.printed('"reason":"one"');
  lab.overrides.withdraw('o1');
  const text = await command.printed('"msg":"override ended"');
  const messages = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly msg: string }).msg);
  expect(messages.slice(-2)).toEqual(['override given', 'override ended']);
  expect(messages.filter((msg) => msg === 'override given')).toHaveLength(1);
  command.child.kill('SIGINT');
  expect((await command.outcome).stderr).toBe('');
});

test('events --follow: who reads no more ends it without a complaint', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  await using command = new RunningCommand('events', '-f', ...at);
  await command.printed('source answers');
  command.child.stdout!.destroy();
  lab.overrides.give('news/web', { kind: 'min', nodes: 2 }, { reason: 'one', durationMs: 60_000 });
  lab.overrides.withdraw('o1');
  expect(await command.outcome).toMatchObject({ code: 0, stderr: '' });
});

test('events --follow goes on over ends of the service, says so, and prints nothing twice', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  await using command = new RunningCommand('events', '-f', ...at);
  let text = '';
  for (const reason of ['one', 'two', 'three']) {
    await until(
      () => lab.feed.followers,
      (count) => count === 1,
    );
    lab.cutConnections();
    lab.overrides.give('news/web', { kind: 'min', nodes: 2 }, { reason, durationMs: 60_000 });
    text = await command.printed(`reason=${reason}`);
  }
  expect(text.match(/reason=\w+/g)).toEqual(['reason=one', 'reason=two', 'reason=three']);
  const complaints = await command.complained('answers again');
  expect(complaints).toMatch(
    /^rackfire: the service does not answer any more, trying again\nrackfire: the service answers again\n/,
  );
});

test('pause, hold, min, protect, drain: what holds now is said, and why and until when', async () => {
  const { lab, write } = await start();
  await using _ = lab;
  const lasts = 'since 22:30:05, until 2023-11-15 00:30:05 (in 2 h): deploy of the shop\n';
  for (const [args, said] of [
    [['pause', 'in', 'news/web'], 'o1: scale-in of news/web paused'],
    [['pause', 'out', 'news'], 'o2: scale-out of news/web paused'],
    [['pause', 'all', 'news'], 'o3: scaling of news/web paused'],
    [['hold', '4', 'news/web'], 'o4: news/web held at 4 nodes'],
    [['min', '3', 'news'], 'o5: news/web kept at 3 nodes or more'],
    [['protect', 'news-web-1'], 'o6: news-web-1 protected'],
    [['drain', 'news-web-2'], 'o7: news-web-2 to be drained'],
  ] as const) {
    const outcome = await rackfire(...args, ...SAID, ...write);
    expect(outcome).toEqual({ code: 0, stdout: `${said} ${lasts}`, stderr: '' });
  }
  expect(lab.overrides.all()).toHaveLength(7);
});

test('host drain and undrain: said, shown first in status, beside the host, and taken back', async () => {
  const { lab, at, write } = await start();
  await using _ = lab;
  const lasts = 'since 22:30:05, until 2023-11-15 00:30:05 (in 2 h): deploy of the shop';
  const drained = await rackfire('host', 'drain', 'local-b', ...SAID, ...write);
  expect(drained).toEqual({
    code: 0,
    stdout: `o1: host local-b to be drained ${lasts}\n`,
    stderr: '',
  });
  await lab.clock.step(2_000);
  const { stdout } = await rackfire('status', ...at);
  expect(stdout.split('\n').filter((line) => line.includes('to be drained'))).toEqual([
    `! o1: host local-b to be drained ${lasts}`,
    expect.stringMatching(/^ {2}news-web-2 .* to be drained \(o1\)/),
    expect.stringMatching(/^local-b .* to be drained \(o1\)/),
  ]);
  const twice = await rackfire('host', 'undrain', 'local-a', ...write);
  expect(twice).toEqual({
    code: 1,
    stdout: '',
    stderr: 'rackfire: host local-a is not drained; drained: local-b\n',
  });
  expect((await rackfire('resume', 'local-a', ...write)).stderr).toBe(
    'rackfire: there is no override of local-a; in force: o1 of local-b\n',
  );
  expect((await rackfire('host', 'undrain', 'local-b', ...write)).stdout).toBe(
    'withdrawn o1: host local-b to be drained (deploy of the shop)\n',
  );
  expect(await rackfire('host', 'undrain', 'local-b', ...write)).toMatchObject({
    code: 1,
    stderr: 'rackfire: host local-b is not drained; none is\n',
  });
});

test('balancer exclude and include: said, shown first in status, beside the balancer, and taken back', async () => {
  const { lab, at, write } = await start({ editConfig: withSecondBalancer });
  await using _ = lab;
  const lasts = 'since 22:30:05, until 2023-11-15 00:30:05 (in 2 h): deploy of the shop';
  expect(await rackfire('balancer', 'exclude', 'lb-b', ...SAID, ...write)).toEqual({
    code: 0,
    stdout: `o1: balancer lb-b excluded ${lasts}\n`,
    stderr: '',
  });
  await lab.clock.step(2_000);
  const { stdout } = await rackfire('status', ...at);
  expect(stdout.split('\n').filter((line) => line.includes('excluded'))).toEqual([
    `! o1: balancer lb-b excluded ${lasts}`,
    expect.stringMatching(/^lb-b +excluded \(o1\)/),
  ]);
  expect(await rackfire('balancer', 'include', 'lb-a', ...write)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'rackfire: balancer lb-a is not excluded; excluded: lb-b\n',
  });
  expect((await rackfire('resume', 'lb-a', ...write)).stderr).toBe(
    'rackfire: there is no override of lb-a; in force: o1 of lb-b\n',
  );
  expect((await rackfire('balancer', 'include', 'lb-b', ...write)).stdout).toBe(
    'withdrawn o1: balancer lb-b excluded (deploy of the shop)\n',
  );
  expect(lab.overrides.all()).toEqual([]);
});

test('what will not survive a restart is said to be so, beside the result', async () => {
  const { lab, write } = await start();
  await using _ = lab;
  lab.journalPart.broken = 'disk full';
  const { code, stdout, stderr } = await rackfire('hold', '4', 'news', '--json', ...SAID, ...write);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ override: { id: 'o1', nodes: 4 }, kept: false });
  expect(stderr).toBe('rackfire: o1 will not survive a restart, the journal cannot keep it\n');
});

test('resume: one by its id, all of a node, a tier or a cluster; and nothing twice', {
  timeout: MANY_COMMANDS_MS,
}, async () => {
  const { lab, write } = await start();
  await using _ = lab;
  const give = async () => {
    for (const override of lab.overrides.all()) {
      lab.overrides.withdraw(override.id);
    }
    await rackfire('pause', 'in', 'news/web', ...SAID, ...write);
    await rackfire('min', '3', 'news/web', ...SAID, ...write);
    await rackfire('protect', 'news-web-1', ...SAID, ...write);
  };
  await give();
  const one = await rackfire('resume', 'o1', ...write);
  expect(one.stdout).toBe('withdrawn o1: scale-in of news/web paused (deploy of the shop)\n');
  const node = await rackfire('resume', 'news-web-1', ...write);
  expect(node.stdout).toBe('withdrawn o3: news-web-1 protected (deploy of the shop)\n');
  expect(lab.overrides.all()).toMatchObject([{ id: 'o2' }]);
  const gone = await rackfire('resume', 'o1', ...write);
  expect(gone).toEqual({
    code: 1,
    stdout: '',
    stderr: 'rackfire: there is no override of o1; in force: o2 of news/web\n',
  });
  for (const what of ['news/web', 'news']) {
    await give();
    const { stdout } = await rackfire('resume', what, '--json', ...write);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { override: { kind: 'pause' } },
      { override: { kind: 'min' } },
      { override: { kind: 'protect' } },
    ]);
    expect(lab.overrides.all()).toEqual([]);
  }
  expect((await rackfire('resume', 'news', ...write)).stderr).toContain('none is in force');
});

test.each([
  { args: ['hold', '9', 'news/web'], says: 'hold 9 is more than news/web may have' },
  { args: ['drain', 'news-web-7'], says: 'there is no node news-web-7 now' },
  { args: ['pause', 'in', 'news/mail'], says: 'there is no tier news/mail' },
  { args: ['host', 'drain', 'local-c'], says: 'there is no host local-c' },
  { args: ['pause', 'in', 'news', '--for', '8d'], says: 'for: must be at most 7d' },
  { args: ['pause', 'in', 'news', '--reason', 'a\nb'], says: 'reason: must be one line' },
])('$args is refused: exit 1', async ({ args, says }) => {
  const { lab, write } = await start();
  await using _ = lab;
  // The last of an option that is said twice counts.
  const words = args.filter((_word, index) => index < 3 && !args[index]?.startsWith('--'));
  const { code, stdout, stderr } = await rackfire(
    ...words,
    ...SAID,
    ...args.slice(words.length),
    ...write,
  );
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(says);
});

test.each([
  { args: ['pause', 'up', 'news', ...SAID], says: 'Allowed choices are in, out, all' },
  { args: ['pause', 'in', 'news', '--for', '2h'], says: "required option '--reason <text>'" },
  { args: ['pause', 'in', 'news', '--reason', 'x'], says: "required option '--for <duration>'" },
  { args: ['pause', 'in', 'news', '--for', '2', '--reason', 'x'], says: 'a duration such as' },
  { args: ['hold', 'few', 'news', ...SAID], says: 'Expected a number of nodes' },
  { args: ['hold', '-1', 'news', ...SAID], says: 'Expected a number of nodes' },
  { args: ['drain', ...SAID], says: "missing required argument 'node'" },
  { args: ['host', 'drain', ...SAID], says: "missing required argument 'name'" },
  { args: ['host', 'drain', 'local-a', '--for', '2h'], says: "required option '--reason <text>'" },
  { args: ['host', 'check', 'xen-a'], says: "required option '-c, --config <file>'" },
  { args: ['explain'], says: "missing required argument 'cluster[/tier]'" },
  { args: ['explain', 'news', '--at', 'noon'], says: 'Expected a time' },
  { args: ['status', '--url', 'http://10.0.0.1:9500'], says: 'on this machine' },
  { args: ['status', '--url', 'http://localhost.example'], says: 'on this machine' },
  { args: ['status', '--url', 'https://127.0.0.1'], says: 'on this machine' },
])('$args is a usage error: exit 2', async ({ args, says }) => {
  const { code, stdout, stderr } = await rackfire(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(says);
});

test('nobody answers: exit 69, with the place and how to start one', {
  timeout: MANY_COMMANDS_MS,
}, async () => {
  const [port = 0] = await findFreePorts(1);
  await using folder = await Folder.create({ token: 'a-token-of-this-test' });
  await chmod(folder.file('token'), 0o600);
  const at = ['--url', `http://127.0.0.1:${port}`];
  for (const args of [
    ['status'],
    ['explain', 'news/web'],
    ['events', '-f'],
    ['pause', 'in', 'news/web', ...SAID, '--token-file', folder.file('token')],
    ['resume', 'o1', '--token-file', folder.file('token')],
    ['reload', '--token-file', folder.file('token')],
  ]) {
    const { code, stdout, stderr } = await rackfire(...args, ...at);
    expect([args, code, stdout]).toEqual([args, 69, '']);
    expect(stderr).toContain(`rackfire: no Rackfire answers at http://127.0.0.1:${port} (`);
    expect(stderr).toContain('rackfire run -c FILE');
  }
});

test('somebody else answers there: exit 69', async () => {
  const other = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>');
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { readonly port: number };
  const { code, stdout, stderr } = await rackfire('status', '--url', `http://127.0.0.1:${port}`);
  expect([code, stdout]).toEqual([69, '']);
  expect(stderr).toContain('not a Rackfire of this version');
  other.close();
});

test('somebody listens there and does not answer: exit 69, and nobody is told to start it', {
  timeout: MANY_COMMANDS_MS,
}, async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { readonly port: number };
  const url = `http://127.0.0.1:${port}`;
  const { code, stdout, stderr } = await rackfire('status', '--url', url);
  expect([code, stdout]).toEqual([69, '']);
  expect(stderr).toContain(`rackfire: what listens at ${url} has not answered within 10 s: `);
  expect(stderr).not.toContain('rackfire run');
  silent.close();
});

test('another one leads: exit 75, and it is named', async () => {
  const { lab, write } = await start();
  await using _ = lab;
  lab.world.lease.held = undefined;
  const { code, stdout, stderr } = await rackfire('pause', 'in', 'news/web', ...SAID, ...write);
  expect([code, stdout]).toEqual([75, '']);
  expect(stderr).toContain('another Rackfire leads: pid 4711 on other-host');
});

test('no token, a wrong one, a file that everybody can read, no file in the config: exit 78', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  await using folder = await Folder.create({
    wrong: 'of-another-kind-of-token',
    open: 'x'.repeat(20),
  });
  await chmod(folder.file('wrong'), 0o600);
  await chmod(folder.file('open'), 0o644);
  for (const [args, says] of [
    [[], 'say --token-file FILE, or -c FILE'],
    [['--token-file', folder.file('wrong')], 'this is another one'],
    [['--token-file', folder.file('open')], 'open to every user of this machine'],
    [['--token-file', folder.file('none')], 'cannot read the token file'],
  ] as const) {
    const { code, stdout, stderr } = await rackfire('reload', ...at, ...args);
    expect([says, code, stdout]).toEqual([says, 78, '']);
    expect(stderr).toContain(says);
    expect(stderr).not.toContain('of-another-kind-of-token');
  }
});

test('-c: the config says where the service is and where its token', async () => {
  const { lab } = await start();
  await using _ = lab;
  await writeFile(
    lab.configFile,
    lab.configText.replace('127.0.0.1:9500', `127.0.0.1:${lab.port}`),
  );
  expect((await rackfire('status', '-c', lab.configFile)).code).toBe(0);
  const { code, stdout } = await rackfire('hold', '3', 'news', ...SAID, '-c', lab.configFile);
  expect([code, stdout]).toEqual([0, expect.stringContaining('o1: news/web held at 3 nodes')]);

  await writeFile(lab.configFile, lab.configText.replace('127.0.0.1:9500', '127.0.0.1:0'));
  const anyPort = await rackfire('status', '-c', lab.configFile);
  expect([anyPort.code, anyPort.stderr]).toEqual([78, expect.stringContaining('say --url')]);

  // Who looks for what is wrong with the config needs another way in: by what is still right in it, or by --url.
  const wrong = lab.configText.replace('127.0.0.1:9500', `127.0.0.1:${lab.port}`);
  await writeFile(lab.configFile, wrong.replace('max: 8', 'max: eight'));
  expect((await rackfire('status', '-c', lab.configFile)).code).toBe(0);
  const paused = await rackfire('pause', 'in', 'news', ...SAID, '-c', lab.configFile);
  expect([paused.code, paused.stdout]).toEqual([0, expect.stringContaining('o2: scale-in')]);
  await writeFile(lab.configFile, wrong.replace('127.0.0.1:', '127.0.0.1::'));
  const lost = await rackfire('status', '-c', lab.configFile);
  expect([lost.code, lost.stderr]).toEqual([78, expect.stringContaining('http.listen')]);
  await writeFile(lab.configFile, 'installation: 7\n');
  const broken = await rackfire('status', '-c', lab.configFile);
  expect(broken.code).toBe(78);
  expect(broken.stderr).toContain('--url and --token-file do without a config');
});

test('reload: what changed, what has to wait for a start, and what was refused', async () => {
  const { lab, write } = await start();
  await using _ = lab;
  expect(await rackfire('reload', ...write)).toEqual({
    code: 0,
    stdout: 'the config says the same as before\n',
    stderr: '',
  });
  const changed = lab.configText
    .replace('max: 8', 'max: 9')
    .replace('127.0.0.1:9500', '127.0.0.1:9501');
  await writeFile(lab.configFile, changed);
  const applied = await rackfire('reload', ...write);
  expect(applied).toEqual({
    code: 0,
    stdout:
      'clusters.news.tiers.web.nodes.max: 8 → 9\n' +
      'http.listen: 127.0.0.1:9500 → 127.0.0.1:9501  (at the next start of the service)\n',
    stderr: '',
  });
  await writeFile(lab.configFile, changed.replace('backend: news-web', 'backnd: news-web'));
  const refused = await rackfire('reload', ...write);
  expect([refused.code, refused.stdout]).toEqual([78, '']);
  expect(refused.stderr).toContain('rackfire: config refused, the last good one stays');
  expect(refused.stderr).toMatch(/site\.yaml:\d+:\d+ .*did you mean `backend`\?/);
  const json = await rackfire('reload', '--json', ...write);
  expect(json.code).toBe(78);
  expect(JSON.parse(json.stdout)).toMatchObject({
    outcome: 'refused',
    refusal: { problems: [{}, {}] },
  });
});

test('--json: exactly the answers of the API', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  const status = await rackfire('status', '--json', ...at);
  expect(status.stdout).toBe(`${(await lab.get('/api/v1/status')).text}\n`);
  const explained = await rackfire('explain', 'news', '--json', ...at);
  const { text } = await lab.get('/api/v1/tiers/news/web/explanation');
  expect(explained.stdout).toBe(`${text}\n`);
});

test('what others say commands no terminal', async () => {
  const { lab, at } = await start();
  await using _ = lab;
  lab.overrides.give(
    'news/web',
    { kind: 'min', nodes: 2 },
    { reason: '\u001b[2J\u009b31mgone\u202e\n', durationMs: 600_000 },
  );
  lab.feed.append({
    atMs: lab.clock.wallMs(),
    level: 'warn',
    msg: 'balancer warns',
    fields: { warning: '\u001b]0;title\u0007', 'key\u001b[0m': 1 },
  });
  for (const args of [['status'], ['events'], ['explain', 'news']]) {
    const { code, stdout } = await rackfire(...args, ...at);
    expect(code).toBe(0);
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }
});
