/** `rackfire balancer declare` as a process, against a daemon of the Data Plane API in front of a real HAProxy. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  composeDataplaneBalancer,
  composeHaproxyConfig,
  listScaledTiers,
} from '../../src/compose.ts';
import type { DataplaneBalancerConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { createSystemClock } from '../../src/control/clock.ts';
import { type Daemon, type GenerationName, startDaemon } from '../balancer/dataplane/daemon-rig.ts';
import { type HaproxyRig, startHaproxy } from '../balancer/haproxy-rig.ts';
import { change, hasPassed, never, openRequest, pickPorts, see } from '../balancer/runtime/lab.ts';
import { until, WebNode } from '../balancer/site.ts';
import { Folder, rackfire } from '../cli/rackfire.ts';
import { edit, minimal, withWebLine } from '../config/minimal.ts';

const runtime = 'driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state';

interface Site extends AsyncDisposable {
  readonly haproxy: HaproxyRig;
  readonly daemon: Daemon;
  readonly frontPort: number;
  readonly nodePort: number;
  /** A config file for these addresses, for tiers that HAProxy knows. */
  writeConfig(addresses: string): Promise<string>;
  readonly countReloads: () => number;
}

/** HAProxy has two servers for each tier, and the daemon has written its file. */
async function startSite(generation: GenerationName, hasTwoTiers = false): Promise<Site> {
  const { frontPort, nodePort } = await pickPorts();
  const textFor = (url: string, folder: string, addresses: string): string => {
    const web = [
      `health: { port: ${nodePort}, interval: 1s }`,
      `frontend: { bind: "127.0.0.1:${frontPort}" }`,
    ].join('\n        ');
    const text = edit(
      edit(
        withWebLine(web),
        runtime,
        `driver: dataplane, url: "${url}", credentialsFile: ${folder}/credentials`,
      ),
      '127.0.1.20-127.0.1.51',
      addresses,
    );
    const other = minimal
      .slice(minimal.indexOf('  - name: news'))
      .replace('name: news', 'name: shop')
      .replace('news-web', 'shop-web')
      .replace('127.0.1.20-127.0.1.51', '127.0.2.20-127.0.2.25');
    return (hasTwoTiers ? `${text}${other}` : text).replaceAll('max: 12', 'max: 6');
  };
  const haproxy = await startHaproxy(({ socketPath, folder }) => {
    const text = textFor('http://127.0.0.1:1', folder, '127.0.0.2-127.0.0.7');
    const { config } = parseConfig(text, 'site.yaml');
    const sections = composeHaproxyConfig(config, config.balancers[0]!, socketPath);
    return sections.replaceAll(/^ +server \S+-[3-6] .*\n/gm, '');
  });
  const daemon = await startDaemon({ generation, haproxy });
  const { folder } = haproxy;
  await writeFile(join(folder, 'credentials'), `${daemon.username}:${daemon.password}\n`, {
    mode: 0o600,
  });
  return {
    haproxy,
    daemon,
    frontPort,
    nodePort,
    writeConfig: async (addresses) => {
      const file = join(folder, `${addresses}.yaml`);
      await writeFile(file, textFor(daemon.url, folder, addresses));
      return file;
    },
    countReloads: () => haproxy.log().split('Loading success.').length - 2,
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      await haproxy[Symbol.asyncDispose]();
    },
  };
}

describe.each(['v2', 'v3'] as const)('a backend that lacks servers, by %s', (generation) => {
  test('they are declared with one reload; one of them is warmed, checked, admitted and serves', async () => {
    await using site = await startSite(generation);
    const file = await site.writeConfig('127.0.0.2-127.0.0.7');
    const online = await rackfire('check', '--online', '-c', file);
    expect(online.stdout).toMatch(
      /✗ news-web servers: of 6, missing: .*\n {4}`rackfire balancer declare lb-a -c FILE` /,
    );

    expect(await rackfire('balancer', 'declare', 'lb-a', '-c', file)).toEqual({
      code: 0,
      stdout: 'news-web: 4 servers declared (news-web-3 … news-web-6), HAProxy was reloaded once\n',
      stderr: 'news-web: wrote 4 servers, waiting for HAProxy to be reloaded\n',
    });
    await until(site.countReloads, (reloads) => reloads === 1);
    await expectSameServers(site, file);
    await serveBy5(site, file);

    const again = await rackfire('balancer', 'declare', 'lb-a', '-c', file, '--json');
    expect([again.code, again.stderr]).toEqual([0, '']);
    expect(JSON.parse(again.stdout)).toEqual({
      balancer: 'lb-a',
      backends: [{ backend: 'news-web', declared: [] }],
    });
    expect(site.countReloads()).toBe(1);
  });
});

test('a server of such a name at another address: nothing is changed, exit 1 with what to do', async () => {
  await using site = await startSite('v3');
  const before = await readFile(site.haproxy.configPath, 'utf8');
  const file = await site.writeConfig('127.0.0.12-127.0.0.20');
  const { code, stdout, stderr } = await rackfire('balancer', 'declare', 'lb-a', '-c', file);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /news-web\/news-web-1 at 127\.0\.0\.2:\d+, not at 127\.0\.0\.12:.*put right the one/,
  );
  expect(await readFile(site.haproxy.configPath, 'utf8')).toBe(before);
  expect(site.countReloads()).toBe(0);
});

test('two tiers: one backend is declared after the other', async () => {
  await using site = await startSite('v3', true);
  const file = await site.writeConfig('127.0.0.2-127.0.0.7');
  const { code, stdout, stderr } = await rackfire('balancer', 'declare', 'lb-a', '-c', file);
  expect([code, stderr]).toEqual([0, expect.stringContaining('shop-web: wrote 4 servers')]);
  expect(stdout).toBe(
    [
      'news-web: 4 servers declared (news-web-3 … news-web-6), HAProxy was reloaded once\n',
      'shop-web: 4 servers declared (shop-web-3 … shop-web-6), HAProxy was reloaded once\n',
    ].join(''),
  );
  await expectSameServers(site, file);
});

test('HAProxy cannot be reloaded with them: exit 1, and its file is as it was', async () => {
  await using site = await startSite('v3');
  const faults = site.daemon.faults;
  if (faults === undefined) {
    return;
  }
  faults.reloadFailsWith = 'Job for haproxy.service failed';
  const file = await site.writeConfig('127.0.0.2-127.0.0.7');
  const { code, stderr } = await rackfire('balancer', 'declare', 'lb-a', '-c', file);
  expect(code).toBe(1);
  expect(stderr).toMatch(/news-web is as it was.*Job for haproxy\.service failed/);
  expect(await readFile(site.haproxy.configPath, 'utf8')).not.toContain('server news-web-3');
});

test('the daemon is not there: exit 69', async () => {
  await using site = await startSite('v2');
  await site.daemon.stop();
  const file = await site.writeConfig('127.0.0.2-127.0.0.7');
  const { code, stderr } = await rackfire('balancer', 'declare', 'lb-a', '-c', file);
  expect(code).toBe(69);
  expect(stderr).toContain('nobody listens there');
});

test('a balancer that the config does not have: exit 78; one by its runtime socket: exit 1, with what to do', async () => {
  await using folder = await Folder.create({ 'site.yaml': minimal });
  const file = folder.file('site.yaml');
  const unknown = await rackfire('balancer', 'declare', 'lb-x', '-c', file);
  expect(unknown).toMatchObject({ code: 78, stdout: '' });
  expect(unknown.stderr).toContain('the config has no balancer lb-x; it has lb-a');
  const refused = await rackfire('balancer', 'declare', 'lb-a', '-c', file);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/lb-a is driven by its runtime socket.*rackfire haproxy-config/);
});

/** Each server line of HAProxy's file is one that `haproxy-config` prints, and none is missing. */
async function expectSameServers({ haproxy }: Site, file: string): Promise<void> {
  const { config } = parseConfig(await readFile(file, 'utf8'), file);
  const printed = composeHaproxyConfig(config, config.balancers[0]!, haproxy.socketPath);
  const lines = (text: string): readonly string[] =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('server '));
  expect(lines(await readFile(haproxy.configPath, 'utf8'))).toEqual(lines(printed));
  expect(lines(printed)).toHaveLength(listScaledTiers(config).length * 6);
}

/** Node 5, whose server was declared, is the only one that there is: who is answered was served by it. */
async function serveBy5({ nodePort, frontPort }: Site, file: string): Promise<void> {
  const { config } = parseConfig(await readFile(file, 'utf8'), file);
  const driver = config.balancers[0] as DataplaneBalancerConfig;
  const balancer = composeDataplaneBalancer(config, driver, createSystemClock());
  expect(await see(balancer, 5)).toMatchObject({ admin: 'maint', sessions: 0 });
  await using node = await WebNode.start('127.0.0.6', nodePort);
  await balancer.setServers([change(5, 'drain')], never);
  await until(() => see(balancer, 5), hasPassed);
  expect(node.requests).toBe(0);
  await balancer.setServers([change(5, 'ready', 'check-passed')], never);
  await until(
    () => openRequest(frontPort),
    (status) => status === 200,
  );
  expect(node.requests).toBeGreaterThan(0);
}
