import { chmodSync, rmSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { createSystemClock } from '../../src/control/clock.ts';
import { checkXenHost } from '../../src/xen/check-host.ts';
import type { XenHostOptions } from '../../src/xen/xen-host.ts';
import { TestClock } from '../control/test-clock.ts';
import { byVerb, eventually, inspectText, never, optionsFor, refuse } from './scripted-host.ts';
import { answer, type CommandHandler, generateKey, TestSshServer } from './ssh-server.ts';

const system = createSystemClock();
/** The host's `time` is 1795501405. */
const atHostTime = { ...system, wallMs: () => 1_795_501_405_500 };

const wellCheck: CommandHandler = (command, channel) => {
  const lines = ['ok time 1795501405', 'ok installation news', 'ok xl Xen 4.17.5'];
  const said = command
    .split(' ')
    .slice(1)
    .map((pair) => pair.split('='))
    .map(([key, value]) => `ok ${key} ${value}`);
  answer(channel, { stdout: [...lines, ...said, 'ok free-disk 81920 MiB', ''].join('\n') });
};

async function startServer(handler: CommandHandler): Promise<TestSshServer> {
  const server = await TestSshServer.start(handler);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function check(server: TestSshServer, change: Partial<XenHostOptions> = {}) {
  return checkXenHost(optionsFor(server, { clock: atHostTime, ...change }), never);
}

test('A host in order: everything is looked at, one thing after the other', async () => {
  const server = await startServer(byVerb({ check: wellCheck, inspect: inspectText([]) }));

  expect(await check(server)).toEqual([
    { name: 'key file', ok: true, text: 'readable by its owner alone' },
    { name: 'known hosts', ok: true, text: 'can be read' },
    { name: 'connection', ok: true, text: 'sshd answers' },
    { name: 'host key', ok: true, text: 'the one in known_hosts' },
    { name: 'login', ok: true, text: 'the key is accepted' },
    { name: 'installation', ok: true, text: 'news' },
    { name: 'xl', ok: true, text: 'Xen 4.17.5' },
    { name: 'bridge', ok: true, text: 'xenbr0' },
    { name: 'wrapper', ok: true, text: 'rackfire-dom0, version 1' },
    { name: 'time', ok: true, text: 'within 2 s of this machine' },
    { name: 'memory', ok: true, text: '1500 MiB for further nodes' },
    { name: 'disk', ok: true, text: '81920 MiB for further nodes' },
    { name: 'site@2026-11-01 disk', ok: true, text: 'file:/srv/images/site.img' },
    { name: 'site@2026-11-01 kernel', ok: true, text: '/srv/images/vmlinuz' },
    { name: 'site@2026-11-01 ramdisk', ok: true, text: '/srv/images/initrd' },
  ]);
  expect(server.commands).toEqual([
    'check bridge=xenbr0',
    'inspect',
    'check disk=file:/srv/images/site.img kernel=/srv/images/vmlinuz ramdisk=/srv/images/initrd',
  ]);
});

test.each([
  ['2 s behind', 1_795_501_405_999 + 2_000, 'within 2 s of this machine'],
  ['3 s behind', 1_795_501_405_999 + 3_000, 'at least 3 s behind this machine'],
  ['2 s ahead', 1_795_501_405_000 - 2_000, 'within 2 s of this machine'],
  ['4 s ahead', 1_795_501_405_000 - 4_000, 'at least 4 s ahead of this machine'],
])('A host whose clock is at least %s', async (_situation, wallMs, text) => {
  const server = await startServer(byVerb({ check: wellCheck, inspect: inspectText([]) }));

  const findings = await check(server, { clock: { ...system, wallMs: () => wallMs } });

  const time = findings.find(({ name }) => name === 'time');
  expect(time).toMatchObject({ ok: true, text });
  expect(time?.fix !== undefined).toBe(text.startsWith('at least'));
});

test.each<[string, (server: TestSshServer) => void, string[], string]>([
  [
    'whose key file is open to others',
    (server) => chmodSync(server.settings.keyFile, 0o644),
    ['key file'],
    'chmod 600',
  ],
  [
    'of which nobody has noted the key, and which does not listen',
    (server) => {
      rmSync(server.settings.knownHostsFile);
      server.stopListening();
    },
    ['key file', 'known hosts'],
    'ssh.knownHostsFile',
  ],
  [
    'that does not listen',
    (server) => server.stopListening(),
    ['key file', 'known hosts', 'connection'],
    'sshd running',
  ],
  [
    'with another key',
    (server) =>
      server.writeKnownHosts(`[127.0.0.1]:${server.settings.port} ${generateKey().public}\n`),
    ['key file', 'known hosts', 'connection', 'host key'],
    'replace line 1',
  ],
  [
    'that refuses ours',
    (server) => {
      server.refusesAuth = true;
    },
    ['key file', 'known hosts', 'connection', 'host key', 'login'],
    'authorized_keys',
  ],
])('A host %s: the last finding says what to do', async (_situation, spoil, names, fix) => {
  const server = await startServer(byVerb({}));
  spoil(server);

  const findings = await check(server);

  expect(findings.map(({ name }) => name)).toEqual(names);
  expect(findings.map(({ ok }) => ok)).toEqual(names.map((_, index) => index < names.length - 1));
  expect(findings.at(-1)?.fix).toContain(fix);
});

test('A host of another installation, without its bridge and image: each is said, with what to do', async () => {
  const server = await startServer(
    byVerb({
      check: (command, channel) =>
        answer(channel, {
          stdout: command.includes('bridge')
            ? 'ok installation other\nok xl Xen 4.17.5\nbad bridge xenbr0\nbad lock /run/rackfire\n'
            : 'ok kernel /srv/images/vmlinuz\nbad disk /srv/images/site.img\n',
        }),
      inspect: refuse(6, 'xl-failed'),
    }),
  );

  const bad = (await check(server)).filter(({ ok }) => !ok);

  expect(bad.map(({ name, text }) => `${name}: ${text}`)).toEqual([
    'installation: other, not news',
    'bridge: xenbr0',
    'lock: /run/rackfire',
    'wrapper: xen-1: inspect: xl-failed: so it is',
    'site@2026-11-01 disk: /srv/images/site.img',
    'site@2026-11-01 ramdisk: the host says nothing of it',
  ]);
  for (const finding of bad) {
    expect(finding.fix).toMatch(/\w+/);
  }
});

test('A host that takes too long to shake hands: that is said, and nothing is taken for well', async () => {
  const clock = new TestClock();
  const server = await startServer(byVerb({}));
  server.holdsHandshakes = true;

  const checking = check(server, { clock });
  await eventually(() => expect(server.connections).toBe(1));
  await clock.step(15_000);

  expect((await checking).map(({ name, ok }) => [name, ok])).toEqual([
    ['key file', true],
    ['known hosts', true],
    ['connection', false],
  ]);
});

test('A key without the wrapper behind it: that is said, and nothing is taken for well', async () => {
  const server = await startServer((_command, channel) =>
    answer(channel, { code: 127, stderr: 'sh: not found' }),
  );

  const findings = await check(server);

  expect(findings.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual([
    'check',
    'wrapper',
    'site@2026-11-01 check',
  ]);
  expect(findings.at(-1)?.fix).toContain('forced command');
});
