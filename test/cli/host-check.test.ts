/** `rackfire host check` as a process, against a real SSH server with the wrapper's words. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { edit, minimal, minimalXen } from '../config/minimal.ts';
import { answer, generateKey, TestSshServer } from '../xen/ssh-server.ts';
import { Folder, rackfire } from './rackfire.ts';

const read = (name: string) =>
  readFileSync(new URL(`../fixtures/xl/${name}`, import.meta.url), 'utf8');

function inspectAnswer(): string {
  return [
    'rackfire-dom0 1',
    `time ${Math.floor(Date.now() / 1_000)}`,
    'free-disk 81920',
    `== xl info\n${read('4.17.5-info.txt').trimEnd()}`,
    `== xl list\n${read('4.17-list-dom0-alone.txt').trimEnd()}`,
    '== xl list -l\n[]',
    '== end\n',
  ].join('\n');
}

/** What the wrapper says to `check`; `bad` is a key of the request. */
function checkAnswer(command: string, bad: string | undefined): string {
  return command
    .split(' ')
    .slice(1)
    .map((pair) => {
      const [key = '', value = ''] = pair.split('=');
      return `${key === bad ? 'bad' : 'ok'} ${key} ${value}\n`;
    })
    .join('');
}

async function start(bad?: string): Promise<TestSshServer> {
  return await TestSshServer.start((command, channel) => {
    answer(channel, {
      stdout: command === 'inspect' ? inspectAnswer() : checkAnswer(command, bad),
    });
  });
}

async function check(server: TestSshServer, ...args: readonly string[]) {
  const { address, port, keyFile, knownHostsFile } = server.settings;
  const ssh = `ssh: { port: ${port}, keyFile: ${keyFile}, knownHostsFile: ${knownHostsFile} }`;
  await using folder = await Folder.create({
    'site.yaml': edit(minimalXen, 'address: 10.0.0.11', `address: ${address}, ${ssh}`),
  });
  return await rackfire('host', 'check', 'xen-a', '-c', folder.file('site.yaml'), ...args);
}

test('a host that is ready: every step is named, nothing is changed, and nothing stays open', async () => {
  await using server = await start();
  const { code, stdout, stderr } = await check(server);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^✓ key file: /);
  for (const line of [
    '✓ host key: the one in known_hosts',
    '✓ login: the key is accepted',
    '✓ time: within 2 s of this machine',
    '✓ bridge: xenbr0',
    '✓ drupal-web@1 disk: thin:vg0/drupal-web',
    '✓ drupal-web@1 kernel: /boot/guest/vmlinuz',
  ]) {
    expect(stdout).toContain(`${line}\n`);
  }
  expect(stdout).toMatch(/xen-a: ready for nodes\n$/);
  expect(new Set(server.commands.map((command) => command.split(' ')[0]))).toEqual(
    new Set(['inspect', 'check']),
  );
});

test('a bridge that is not there: said with what to do, exit 1; and the same as one JSON object', async () => {
  await using server = await start('bridge');
  const { code, stdout } = await check(server);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^✗ bridge: xenbr0\n {4}make it on the host/m);
  expect(stdout).toMatch(/xen-a: not ready, 1 thing to fix\n$/);
  const json = await check(server, '--json');
  expect(json.code).toBe(1);
  const found = JSON.parse(json.stdout) as { readonly findings: readonly unknown[] };
  expect(found).toMatchObject({ host: 'xen-a', ok: false });
  expect(found.findings).toContainEqual(
    expect.objectContaining({ name: 'bridge', ok: false, text: 'xenbr0' }),
  );
});

test.each([
  {
    situation: 'nobody listens',
    bring: (server: TestSshServer) => {
      server.stopListening();
    },
    says: /^✗ connection: /m,
  },
  {
    situation: 'its key is another one',
    bring: (server: TestSshServer) => {
      server.writeKnownHosts(`[127.0.0.1]:${server.settings.port} ${generateKey().public}\n`);
    },
    says: /^✗ host key: /m,
  },
  {
    situation: 'it does not know our key',
    bring: (server: TestSshServer) => {
      server.refusesAuth = true;
    },
    says: /^✗ login: /m,
  },
  {
    situation: 'a shell answers instead of the wrapper',
    bring: (server: TestSshServer) => {
      server.handler = (_command, channel) => {
        answer(channel, { stderr: 'sh: inspect: not found\n', code: 127 });
      };
    },
    says: /^✗ wrapper: /m,
  },
])('$situation: exit 69, and what was found until then', async ({ bring, says }) => {
  await using server = await start();
  bring(server);
  const { code, stdout } = await check(server);
  expect(code).toBe(69);
  expect(stdout).toMatch(says);
  expect(stdout).toContain('✓ key file: ');
});

test.each([
  { text: minimalXen, name: 'xen-b', says: 'the config has no host xen-b; it has xen-a' },
  { text: minimal, name: 'local-a', says: 'host local-a is embedded' },
])('what cannot be tested is said so: $says; exit 78', async ({ text, name, says }) => {
  await using folder = await Folder.create({ 'site.yaml': text });
  const outcome = await rackfire('host', 'check', name, '-c', folder.file('site.yaml'));
  expect([outcome.code, outcome.stdout]).toEqual([78, '']);
  expect(outcome.stderr).toContain(says);
});
