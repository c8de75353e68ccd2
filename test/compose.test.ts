import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closePorts, composeSetup, createUuidOf, dryRun, recomposeSetup } from '../src/compose.ts';
import type { Config } from '../src/config/config.ts';
import { parseConfig } from '../src/config/load-config.ts';
import type { Setup } from '../src/control/controller.ts';
import { ConfigError, UnreachableError } from '../src/control/errors.ts';
import { createSystemClock } from '../src/control/clock.ts';
import { until } from './balancer/site.ts';
import { edit, minimal, minimalXen } from './config/minimal.ts';
import { TestClock } from './control/test-clock.ts';
import { TestSshServer } from './xen/ssh-server.ts';

const shop = `  - name: shop
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 1, max: 2 }
        addresses: 127.0.2.20-127.0.2.29
        backend: shop-web
        signals: { requestRate: { targetPerNode: 10 } }
`;
const hostB =
  '  - { name: local-b, driver: embedded, capacity: { memory: 1GiB, vcpus: 8, disk: 100GiB } }\n';
const balancerB =
  '  - { name: lb-b, driver: runtime, socket: /run/b.sock, stateFile: /var/lib/haproxy/b }\n';

/** Two hosts, two balancers, and the clusters `shop` and `news` in this order. */
const site = edit(
  edit(edit(minimal, 'hosts:\n', `hosts:\n${hostB}`), 'balancers:\n', `balancers:\n${balancerB}`),
  'clusters:\n',
  `clusters:\n${shop}`,
);
const withoutShop = edit(site, shop, '');

const clock = new TestClock();

function configOf(text: string): Config {
  return parseConfig(text, 'site.yaml').config;
}

/** A service that began with the first text and was reloaded with each of the others. */
function reload(first: string, ...others: readonly string[]): readonly Setup[] {
  let config = configOf(first);
  let setup = composeSetup(config, clock);
  const setups = [setup];
  for (const text of others) {
    const next = configOf(text);
    setup = recomposeSetup(next, clock, { config, setup });
    config = next;
    setups.push(setup);
  }
  return setups;
}

/** Names of the ports of `after` that are other objects than in `before`. */
function replaced(before: Setup | undefined, after: Setup | undefined): readonly string[] {
  const known = new Set<unknown>([
    ...(before?.hypervisors.values() ?? []),
    ...(before?.balancers ?? []),
  ]);
  return [
    ...[...(after?.hypervisors.values() ?? [])]
      .filter((port) => !known.has(port))
      .map(({ host }) => host),
    ...(after?.balancers ?? []).filter((port) => !known.has(port)).map(({ name }) => name),
  ];
}

function modes(setup: Setup | undefined): readonly string[] {
  return (setup?.clusters ?? []).map(({ name, mode }) => `${mode} ${name}`);
}

test('the same config again has the same ports', () => {
  const [before, after] = reload(site, site);
  expect(replaced(before, after)).toEqual([]);
  expect([...(after?.hypervisors.keys() ?? [])]).toEqual(['local-b', 'local-a']);
  expect(after?.balancers.map(({ name }) => name)).toEqual(['lb-b', 'lb-a']);
  expect(after?.clusters).toEqual(before?.clusters);
});

test('what changes for a tier or for the limits changes no port', () => {
  const text = edit(
    edit(site, 'max: 12', 'max: 9'),
    'sizes:\n',
    'limits: { maxNodes: 7 }\nsizes:\n',
  );
  const [before, after] = reload(site, text);
  expect(replaced(before, after)).toEqual([]);
  expect(after?.limits.maxNodes).toBe(7);
  expect(after?.clusters[1]?.tiers[0]).toMatchObject({ policy: { maxNodes: 9 } });
});

test.each<[string, string, readonly string[]]>([
  ['another capacity', edit(site, 'memory: 8GiB', 'memory: 9GiB'), ['local-a']],
  ['another socket', edit(site, '/run/haproxy.sock', '/run/a.sock'), ['lb-a']],
  ['another name of a host', edit(site, 'local-b', 'local-c'), ['local-c']],
  ['a host that goes', edit(site, hostB, ''), []],
  ['a balancer that goes', edit(site, balancerB, ''), []],
  ['hosts in another order', edit(edit(site, hostB, ''), 'balancers:', `${hostB}balancers:`), []],
  ['another backend', edit(site, 'backend: shop-web', 'backend: store-web'), ['lb-b', 'lb-a']],
  ['a cluster that goes', withoutShop, []],
  ['clusters in another order', `${withoutShop}${shop}`, []],
])('%s: only the ports that it is about are new', (_, text, names) => {
  const [before, after] = reload(site, text);
  expect(replaced(before, after)).toEqual(names);
});

const xenB = '  - { name: xen-b, driver: xen, address: 10.0.0.12 }\n';
const xenSite = edit(minimalXen, 'balancers:\n', `${xenB}balancers:\n`);

test.each<[string, string, readonly string[]]>([
  ['the same again', xenSite, []],
  ['another address', edit(xenSite, '10.0.0.11', '10.0.0.13'), ['xen-a']],
  [
    'another version of an image',
    edit(xenSite, 'version: "1"', 'version: "2"'),
    ['xen-a', 'xen-b'],
  ],
  ['another bridge', edit(xenSite, 'xenbr0', 'xenbr1'), ['xen-a', 'xen-b']],
  ['more nodes', edit(xenSite, 'max: 12', 'max: 13'), []],
  [
    'another failure domain',
    edit(xenSite, '10.0.0.12', '10.0.0.12, failureDomain: rack-1'),
    ['xen-b'],
  ],
])('Xen hosts, %s: whose guests would be made otherwise is new', (_, text, names) => {
  const [before, after] = reload(xenSite, text);
  expect(replaced(before, after)).toEqual(names);
});

test('the placement says which hosts fail together, and how many may', () => {
  const text = edit(xenSite, '10.0.0.12', '10.0.0.12, failureDomain: rack-1');
  const [one, other] = reload(text, `${text}placement: { hostFailuresToTolerate: 0 }\n`);
  const failureDomains = new Map([
    ['xen-a', 'xen-a'],
    ['xen-b', 'rack-1'],
  ]);
  expect(one?.placement).toEqual({ hostFailuresToTolerate: 1, failureDomains });
  expect(other?.placement).toEqual({ hostFailuresToTolerate: 0, failureDomains });
});

/** The minimal config, with a host that is this server. */
function configWith({ settings }: TestSshServer): string {
  const { address, port, keyFile, knownHostsFile } = settings;
  const ssh = `ssh: { port: ${port}, keyFile: ${keyFile}, knownHostsFile: ${knownHostsFile} }`;
  return edit(minimalXen, 'address: 10.0.0.11', `address: ${address}, ${ssh}`);
}

test('connections end with the ports that a reload has dropped, and the others stay', async () => {
  // It takes the question and says nothing.
  await using server = await TestSshServer.start(() => undefined);
  const text = configWith(server);
  const [before, same, other] = reload(text, text, edit(text, 'xenbr0', 'xenbr1'));
  const asking = before?.hypervisors.get('xen-a')?.inspect(new AbortController().signal);
  const rejected = expect(asking).rejects.toBeInstanceOf(UnreachableError);
  await until(
    () => server.commands.length,
    (count) => count === 1,
  );
  closePorts(before!.hypervisors.values(), same!.hypervisors.values());
  expect(server.openConnections).toBe(1);
  closePorts(same!.hypervisors.values(), other!.hypervisors.values());
  await rejected;
  await until(
    () => server.openConnections,
    (count) => count === 0,
  );
});

test('a dry run leaves nothing open, also when it is given up', async () => {
  await using server = await TestSshServer.start(() => undefined);
  const stop = new AbortController();
  const running = dryRun(configOf(configWith(server)), createSystemClock(), stop.signal);
  await until(
    () => server.commands.length,
    (count) => count > 0,
  );
  stop.abort();
  await running.catch(() => undefined);
  const open = await until(
    () => server.openConnections,
    (count) => count === 0,
  );
  expect(open).toBe(0);
});

test('a host and a balancer that come are new, beside those that are there', () => {
  const [before, after] = reload(minimal, site);
  // A cluster comes, too: every balancer has to be asked about its backend.
  expect(replaced(before, after)).toEqual(['local-b', 'lb-b', 'lb-a']);
  expect(after?.hypervisors.get('local-a')).toBe(before?.hypervisors.get('local-a'));
});

test('a host that is changed and changed back is a new one each time', () => {
  const larger = edit(site, 'memory: 8GiB', 'memory: 9GiB');
  const [first, second, third] = reload(site, larger, site);
  expect(replaced(first, second)).toEqual(['local-a']);
  expect(replaced(second, third)).toEqual(['local-a']);
});

test('a cluster that goes is observed, over later reloads, too, until it is written again', () => {
  const setups = reload(site, withoutShop, edit(withoutShop, 'max: 12', 'max: 9'), site);
  expect(setups.map(modes)).toEqual([
    ['full shop', 'full news'],
    ['full news', 'observe shop'],
    ['full news', 'observe shop'],
    ['full shop', 'full news'],
  ]);
  expect(replaced(setups[0], setups.at(-1))).toEqual([]);
});

test('a new balancer is asked about the cluster that goes, too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-compose-'));
  const socket = join(folder, 'lb.sock');
  let asked = '';
  // It hears the question and hangs up, which is no answer.
  const server = createServer((connection) => {
    connection.once('data', (bytes) => {
      asked += bytes.toString();
      connection.destroy();
    });
  }).listen(socket);
  await once(server, 'listening');
  try {
    const [, after] = reload(site, edit(withoutShop, '/run/haproxy.sock', socket));
    const balancer = after?.balancers.find(({ name }) => name === 'lb-a');
    const answer = balancer?.inspect(new AbortController().signal);
    await expect(answer).rejects.toBeInstanceOf(UnreachableError);
    expect(asked).toContain('show stat news-web');
    expect(asked).toContain('show stat shop-web');
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test('a balancer by its Data Plane API is kept by a reload, and made anew with what is said of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-compose-'));
  const credentials = join(folder, 'credentials');
  const lines = (url: string): string =>
    `  - { name: lb-c, driver: dataplane, url: "${url}", credentialsFile: ${credentials} }\nsizes:\n`;
  const text = edit(site, 'sizes:\n', lines('http://127.0.0.1:5555'));
  const moved = edit(site, 'sizes:\n', lines('http://127.0.0.1:5556'));
  try {
    expect(() => reload(text)).toThrow(/cannot read the credentials file/);
    await writeFile(credentials, 'rackfire:topsecret\n', { mode: 0o640 });
    const [first, second, third] = reload(text, text, moved);
    expect(first?.balancers.map(({ name }) => name)).toEqual(['lb-b', 'lb-a', 'lb-c']);
    expect(replaced(first, second)).toEqual([]);
    expect(replaced(second, third)).toEqual(['lb-c']);

    await writeFile(credentials, 'no password\n');
    const config = configOf(text);
    const previous = { config, setup: first! };
    expect(() => recomposeSetup(configOf(moved), clock, previous)).toThrow(ConfigError);
    expect(replaced(first, recomposeSetup(config, clock, previous))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a cluster whose addresses another one has now is gone altogether', () => {
  const moved = edit(site, shop, shop.replaceAll('shop', 'store'));
  const [before, after] = reload(site, moved);
  expect(modes(after)).toEqual(['full store', 'full news']);
  expect(replaced(before, after)).toEqual(['lb-b', 'lb-a']);
});

test('a backend that HAProxy cannot have leaves what is in force as it is', () => {
  const config = configOf(site);
  const setup = composeSetup(config, clock);
  const [news, ...others] = config.clusters;
  const tier = { ...news!.tiers[0]!, backend: 'two words' };
  const next = { ...config, clusters: [{ ...news!, tiers: [tier] }, ...others] } as Config;
  expect(() => recomposeSetup(next, clock, { config, setup })).toThrow(ConfigError);
  expect(replaced(setup, recomposeSetup(config, clock, { config, setup }))).toEqual([]);
});

test('the UUID of a node is a function of the installation and its name', () => {
  const uuid = createUuidOf('example')('news-web-1');
  expect(uuid).toBe(createUuidOf('example')('news-web-1'));
  expect(uuid).not.toBe(createUuidOf('example')('news-web-2'));
  expect(uuid).not.toBe(createUuidOf('other')('news-web-1'));
});
