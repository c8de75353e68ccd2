/** `rackfire check --online` as a process, against a daemon of the Data Plane API in front of a real HAProxy. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { composeHaproxyConfig } from '../../src/compose.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { type DaemonOptions, startDaemon } from '../balancer/dataplane/daemon-rig.ts';
import { startHaproxy } from '../balancer/haproxy-rig.ts';
import { rackfire } from '../cli/rackfire.ts';
import { edit, minimal } from '../config/minimal.ts';

const runtime = 'driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state';

interface Site {
  readonly daemon?: Partial<DaemonOptions>;
  /** Of HAProxy's config, before the daemon sees it. */
  readonly change?: (text: string) => string;
  /** In the credentials file instead of the daemon's own. */
  readonly password?: string;
  readonly isStopped?: boolean;
}

/** Checks a site online. */
async function check(generation: 'v2' | 'v3', site: Site = {}) {
  const { daemon: options, change = (text) => text } = site;
  const configFor = (url: string, folder: string): string =>
    edit(
      minimal,
      runtime,
      `driver: dataplane, url: "${url}", credentialsFile: ${folder}/credentials`,
    );
  await using haproxy = await startHaproxy(({ socketPath, folder }) => {
    const { config } = parseConfig(configFor('http://127.0.0.1:1', folder), 'site.yaml');
    return change(composeHaproxyConfig(config, config.balancers[0]!, socketPath));
  });
  await using daemon = await startDaemon({ generation, haproxy, ...options });
  if (site.isStopped === true) {
    await daemon.stop();
  }
  const file = join(haproxy.folder, 'site.yaml');
  const password = site.password ?? daemon.password;
  await writeFile(join(haproxy.folder, 'credentials'), `${daemon.username}:${password}\n`, {
    mode: 0o600,
  });
  await writeFile(file, configFor(daemon.url, haproxy.folder));
  return await rackfire('check', '--online', '-c', file);
}

describe.each(['v2', 'v3'] as const)('a daemon of %s', (generation) => {
  test('on what `haproxy-config` prints: nothing to fix, every setting is seen, and that no frontend sends there yet', async () => {
    const { code, stdout, stderr } = await check(generation);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/✓ connection: the daemon answers at http/);
    expect(stdout).toContain(`✓ daemon: generation /${generation}, `);
    expect(stdout).toMatch(/✓ HAProxy: [0-9]+\.[0-9]+.*, pid [0-9]+/);
    expect(stdout).toContain('✓ news-web servers: all 32 are declared, with their addresses');
    expect(stdout).toContain('✓ news-web checks: every server is checked');
    expect(stdout).toContain('✓ news-web option redispatch: is set');
    expect(stdout).toContain('no frontend sends to this backend');
    expect(stdout).toContain('lb-a: 1 to look at');
  });

  test('with `master_runtime` it sees no servers, which is unknown and not none: said with what to do', async () => {
    const { code, stdout } = await check(generation, { daemon: { isGivenMasterSocket: true } });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /✗ stats socket: the daemon sees no servers.*\n {4}remove `master_runtime`/,
    );
    expect(stdout).toContain('✓ news-web servers: all 32');
  });

  test('a wrong password: exit 69, and it is not shown', async () => {
    const { code, stdout, stderr } = await check(generation, { password: 'wrong-password' });
    expect(code).toBe(69);
    expect(stdout).toMatch(/✗ login: .*\n {4}compare `credentialsFile`/);
    expect(stdout + stderr).not.toContain('wrong-password');
  });
});

test('a config that a storm, a dead node or a reload would hurt: each thing is said with what to do', async () => {
  const { code, stdout } = await check('v3', {
    change: (text) =>
      text
        .replace('    option redispatch 1\n', '')
        .replace('    option idle-close-on-response\n', '')
        .replace(/ {4}hard-stop-after .*\n/, '')
        .replace(/timeout queue .*\n/, 'timeout queue 1s\n')
        .replace('default-server check ', 'default-server ')
        .replace('news-web-3 127.0.1.22:80', 'news-web-3 127.0.1.99:81'),
  });
  expect(code).toBe(1);
  expect(stdout).toContain('with another address: news-web-3 (127.0.1.99:81 instead of');
  expect(stdout).toMatch(/✗ news-web checks: .*\n {4}add `check`/);
  expect(stdout).toMatch(/✗ news-web option redispatch: .*\n {4}add `option redispatch 1`/);
  expect(stdout).toMatch(/! news-web option idle-close-on-response: /);
  expect(stdout).toMatch(/! news-web timeout queue: 1000 ms, meant are 60000 ms/);
  expect(stdout).toMatch(/✗ hard-stop-after: .*\n {4}set `hard-stop-after 60000ms`/);
});

test('a backend that is not there: exit 1', async () => {
  const { code, stdout } = await check('v2', {
    change: (text) => text.replaceAll('news-web', 'other'),
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(/✗ backend news-web: HAProxy does not have it\n {4}put there what/);
});

test('nobody listens: exit 69, with what to do', async () => {
  const { code, stdout } = await check('v3', { isStopped: true });
  expect(code).toBe(69);
  expect(stdout).toMatch(/✗ connection: .*nobody listens.*\n {4}is the daemon running/);
});
