/** `rackfire check --online` as a process, against a real HAProxy by its socket. */

import { chmod, copyFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { composeHaproxyConfig } from '../../src/compose.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { type HaproxyRig, type RigPaths, startHaproxy } from '../balancer/haproxy-rig.ts';
import { edit, minimal, minimalXen } from '../config/minimal.ts';
import { Folder, rackfire } from './rackfire.ts';

/** The minimal config with the sockets of a rig, and with a master's. */
function configFor(paths: RigPaths): string {
  const sockets = `${paths.socketPath}, masterSocket: ${paths.masterSocketPath}`;
  return edit(
    edit(minimal, '/run/haproxy.sock', sockets),
    '/var/lib/haproxy/state',
    paths.stateFilePath,
  );
}

/** HAProxy on what `haproxy-config` prints for that config, edited. */
async function start(change = (text: string): string => text): Promise<HaproxyRig> {
  return await startHaproxy((paths) => {
    const { config } = parseConfig(configFor(paths), 'site.yaml');
    return change(composeHaproxyConfig(config, config.balancers[0]!));
  });
}

async function check(text: string, ...args: readonly string[]) {
  await using folder = await Folder.create({ 'site.yaml': text });
  return await rackfire('check', '--online', '-c', folder.file('site.yaml'), ...args);
}

test('HAProxy on what `haproxy-config` prints: nothing to fix, and what the socket does not show is said', async () => {
  await using rig = await start();

  const { code, stdout, stderr } = await check(configFor(rig));

  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`✓ connection: HAProxy answers at ${rig.socketPath}`);
  expect(stdout).toMatch(/✓ HAProxy: [0-9]+\.[0-9]+.*, pid [0-9]+/);
  expect(stdout).toContain('✓ news-web servers: all 32 are declared, with their addresses');
  expect(stdout).toContain('✓ news-web checks: every server is checked');
  expect(stdout).toMatch(/\? option redispatch: cannot be seen by the socket\n {4}compare/);
  expect(stdout).toContain('lb-a: 5 not seen');
  expect(stdout).not.toContain('✗');
});

test('nothing is changed by it: no state, no file', async () => {
  await using rig = await start();
  const log = rig.log();
  await check(configFor(rig));
  expect(rig.log()).toBe(log);
  await expect(stat(rig.stateFilePath)).rejects.toThrow(/ENOENT/);
});

test('HAProxy on something else: each thing is said with what to do; exit 1', async () => {
  await using rig = await start((text) => {
    const lines = text.split('\n').filter((line) => !line.includes('server news-web-32 '));
    return lines
      .join('\n')
      .replace('level admin', 'level operator')
      .replace('news-web-3 127.0.1.22:80', 'news-web-3 127.0.1.99:81')
      .replace('default-server check ', 'default-server ')
      .replace(/maxconn [0-9]+ observe/, 'maxconn 3 observe');
  });

  const { code, stdout } = await check(configFor(rig));

  expect(code).toBe(1);
  expect(stdout).toMatch(/✗ level: HAProxy permits no changes.*\n {4}add `level admin`/);
  expect(stdout).toContain(
    'of 32, missing: news-web-32; with another address: news-web-3 (127.0.1.99:81 instead of 127.0.1.22:80)',
  );
  expect(stdout).toMatch(/✗ news-web checks: not checked.* and 26 more\n {4}add `check`/);
  expect(stdout).toMatch(/! news-web maxconn: news-web-1 has 3, .* is 10 \(and 30 more\)/);
  expect(stdout).toContain('lb-a: 3 to fix, 1 to look at, 5 not seen');
});

test('a backend that is not there, no master and no folder for the state file: exit 1, and once for scripts', async () => {
  await using rig = await start((text) => text.replaceAll('news-web', 'other'));
  const text = edit(
    edit(configFor(rig), rig.stateFilePath, '/nonexistent/state'),
    `, masterSocket: ${rig.masterSocketPath}`,
    '',
  );

  const { code, stdout } = await check(text, '--json');

  expect(code).toBe(1);
  const result = JSON.parse(stdout) as {
    ok: boolean;
    answers: { findings: { name: string; verdict: string; fix?: string }[] }[];
  };
  expect(result.ok).toBe(false);
  const [answer] = result.answers;
  expect(answer).toMatchObject({
    kind: 'balancer',
    name: 'lb-a',
    driver: 'runtime',
    isReached: true,
  });
  const troubles = answer?.findings.filter(({ verdict }) => /warn|bad/.test(verdict));
  expect(troubles?.map(({ name, verdict }) => `${verdict} ${name}`)).toEqual([
    'warn master socket',
    'bad state file',
    'bad backend news-web',
  ]);
  expect(troubles?.every(({ fix }) => fix !== undefined)).toBe(true);
});

test('nobody listens: exit 69, with what to do', async () => {
  const { code, stdout } = await check(edit(minimal, '/run/haproxy.sock', '/nonexistent/a.sock'));
  expect(code).toBe(69);
  expect(stdout).toMatch(/✗ connection: .*no such socket\n {4}is HAProxy running/);
});

test('the file with the password of a Data Plane API is not there: exit 69, before anybody is asked', async () => {
  const { code, stdout } = await check(
    edit(
      minimal,
      'driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state',
      'driver: dataplane, url: "https://127.0.0.1:1", credentialsFile: /nonexistent/credentials',
    ),
  );
  expect(code).toBe(69);
  expect(stdout).toMatch(/✗ credentials: cannot read the credentials file \/nonexistent/);
});

test('a Xen host is asked, too: as by `host check`, and beside a balancer that is well', async () => {
  await using rig = await start();
  const host =
    '  - { name: xen-a, driver: xen, address: 127.0.0.1:1, ssh: { keyFile: /nonexistent } }';
  const sockets = configFor(rig)
    .split('\n')
    .find((line) => line.includes('driver: runtime'))!;
  const text = edit(minimalXen, '  - { name: xen-a, driver: xen, address: 10.0.0.11 }', host)
    .split('\n')
    .map((line) => (line.includes('driver: runtime') ? sockets : line))
    .join('\n');

  const { code, stdout } = await check(text);

  expect(code).toBe(69);
  expect(stdout).toMatch(/host xen-a \(xen\)\n✗ key file: .*\n {4}/);
  expect(stdout).toContain('✓ connection: HAProxy answers');
});

test('without --online nobody is asked', async () => {
  await using folder = await Folder.create({ 'site.yaml': edit(minimal, 'max: 12', 'max: 8') });
  const { code, stdout } = await rackfire('check', '-c', folder.file('site.yaml'));
  expect([code, stdout]).toEqual([0, `${folder.file('site.yaml')}: ok\n`]);
});

describe('TLS files that cannot be used are a finding of their balancer, and the others are asked all the same', () => {
  const runtime = 'driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state';

  async function checkWith(tls: (folder: Folder) => string) {
    await using folder = await Folder.create({ credentials: 'rackfire:secret\n' });
    await chmod(folder.file('credentials'), 0o600);
    for (const name of ['client.crt', 'server.key']) {
      const fixture = join(resolve(import.meta.dirname, '../fixtures/tls'), name);
      await copyFile(fixture, folder.file(name));
      await chmod(folder.file(name), 0o600);
    }
    const keys = `url: "https://127.0.0.1:1", credentialsFile: ${folder.file('credentials')}, tls: { ${tls(folder)} }`;
    const other = `  - { name: lb-b, ${runtime.replace('/run', folder.path)} }\nsizes:\n`;
    const text = edit(edit(minimal, runtime, `driver: dataplane, ${keys}`), 'sizes:\n', other);
    await writeFile(folder.file('site.yaml'), text);
    return await rackfire('check', '--online', '-c', folder.file('site.yaml'));
  }

  test.each([
    [
      'a certificate with the key of another',
      (folder: Folder) =>
        `certFile: ${folder.file('client.crt')}, keyFile: ${folder.file('server.key')}`,
      /✗ connection: the certificate, its key or the authorities for TLS cannot be used: .*mismatch\n {4}are `certFile` and `keyFile`/,
    ],
    [
      'authorities that are none',
      (folder: Folder) => `caFile: ${folder.file('server.key')}`,
      /✗ credentials: the CA file \S+server\.key has no certificate that can be read: expected/,
    ],
  ])('%s: exit 69', async (_situation, tls, finding) => {
    const { code, stdout, stderr } = await checkWith(tls);
    expect([code, stderr]).toEqual([69, '']);
    expect(stdout).toMatch(finding);
    expect(stdout).toMatch(/balancer lb-b \(runtime\)\n✗ connection: /);
  });
});
