/** `rackfire host check` as a process, against a real SSH server with the real script behind it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edit, minimal, minimalXen } from '../config/minimal.ts';
import { createDom0 } from '../dom0/dom0.ts';
import { answer, generateKey, TestSshServer } from '../xen/ssh-server.ts';
import { Folder, rackfire } from './rackfire.ts';

/** A dom0 in a folder behind a real SSH server, and the config for it. */
class TestHost implements AsyncDisposable {
  readonly folder: string;
  readonly server: TestSshServer;

  private constructor(folder: string, server: TestSshServer) {
    this.folder = folder;
    this.server = server;
  }

  static async start(): Promise<TestHost> {
    const folder = await mkdtemp(join(tmpdir(), 'rackfire-host-'));
    const dom0 = await createDom0(folder, 'dash');
    const server = await TestSshServer.start((command, channel) => {
      const run = async (): Promise<void> => {
        const { exitCode, stdout, stderr } = await dom0.run(command);
        answer(channel, { code: exitCode, stdout, stderr });
      };
      void run();
    });
    return new TestHost(folder, server);
  }

  get config(): string {
    const { address, port, keyFile, knownHostsFile } = this.server.settings;
    const ssh = `ssh: { port: ${port}, keyFile: ${keyFile}, knownHostsFile: ${knownHostsFile} }`;
    return edit(
      edit(
        edit(minimalXen, 'installation: example', 'installation: acme'),
        'address: 10.0.0.11',
        `address: ${address}, ${ssh}`,
      ),
      'disk: { lvmThin: vg0/drupal-web }, kernel: /boot/guest/vmlinuz',
      `disk: { file: ${this.folder}/images/web.img }, kernel: ${this.folder}/images/vmlinuz`,
    );
  }

  async check(config: string, ...args: readonly string[]) {
    await using folder = await Folder.create({ 'site.yaml': config });
    return await rackfire('host', 'check', 'xen-a', '-c', folder.file('site.yaml'), ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true });
  }
}

test('a host that is ready: every step is named, and nothing is changed', async () => {
  await using host = await TestHost.start();
  const { code, stdout, stderr } = await host.check(host.config);
  expect({ code, stderr, bad: stdout.match(/^✗.*/gm) }).toEqual({ code: 0, stderr: '', bad: null });
  expect(stdout).toMatch(/^✓ key file: /);
  for (const line of [
    '✓ host key: the one in known_hosts',
    '✓ login: the key is accepted',
    '✓ installation: acme',
    '✓ time: within 2 s of this machine',
    '✓ bridge: xenbr0',
    `✓ drupal-web@1 kernel: ${host.folder}/images/vmlinuz`,
  ]) {
    expect(stdout).toContain(`${line}\n`);
  }
  expect(stdout).toContain('✓ drupal-web@1 disk: ');
  expect(stdout).toMatch(/xen-a: ready for nodes\n$/);
  const verbs = host.server.commands.map((command) => command.split(' ')[0]);
  expect(new Set(verbs)).toEqual(new Set(['inspect', 'check']));
});

test('what is missing is said with what to do, exit 1; and the same as one JSON object', async () => {
  await using host = await TestHost.start();
  const config = edit(edit(host.config, 'xenbr0', 'xenbr1'), '/images/vmlinuz', '/images/vmlinux');
  const { code, stdout } = await host.check(config);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^✗ bridge: xenbr1\n {4}make it there/m);
  expect(stdout).toMatch(/^✗ drupal-web@1 kernel: .*\/vmlinux\n {4}bring the kernel there/m);
  expect(stdout).toMatch(/xen-a: not ready, 2 things to fix\n$/);
  const json = await host.check(config, '--json');
  expect(json.code).toBe(1);
  const found = JSON.parse(json.stdout) as { readonly findings: readonly unknown[] };
  expect(found).toMatchObject({ host: 'xen-a', ok: false });
  expect(found.findings).toContainEqual(
    expect.objectContaining({ name: 'bridge', ok: false, text: 'xenbr1' }),
  );
});

test('what the host does not allow, and another installation, are said: exit 1', async () => {
  await using host = await TestHost.start();
  const config = edit(host.config, 'installation: acme', 'installation: other');
  const { code, stdout } = await host.check(edit(config, '/images/web.img', '/disks/web.img'));
  expect(code).toBe(1);
  expect(stdout).toMatch(/^✗ installation: acme, not other\n {4}compare INSTALLATION/m);
  expect(stdout).toMatch(/^✗ drupal-web@1 check: .*forbidden/m);
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
  await using host = await TestHost.start();
  bring(host.server);
  const { code, stdout } = await host.check(host.config);
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
