import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { untilMetric } from './service-pages.ts';
import type { LineMatch, LogLine, ServiceProcess } from './service-process.ts';
import { NODE_PORT, type SitePlan, TARGET_RPS } from './site-config.ts';
import { Stranger } from './stranger.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

/** A number that could not be used rests for a minute. */
const REST_MS = 60_000;
const SAID_AT_ONCE = 'a node would be a conflict, its number is blocked';
const SAID_WHEN_SEEN = 'nodes of our names are not ours or exist twice, left alone';
const ERROR_LEVEL = 50;

const actions: LineMatch = 'action started';
const boots: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'boot';

/** What an operator has in the backend beside the nodes: by name, the last octet of its address. */
const FOREIGN = { old: 200, 'news-web-99': 201, 'news-web-03': 202, broken: 203 };

const withForeignServers: SitePlan['editHaproxyConfig'] = (text) => {
  const [, subnet = ''] = /bind ([0-9]+\.[0-9]+\.[0-9]+)\.2:/.exec(text) ?? [];
  const servers = Object.entries(FOREIGN).map(([name, octet]) => {
    const disabled = name === 'news-web-03' ? ' disabled' : '';
    return `    server ${name} ${subnet}.${octet}:${NODE_PORT} weight 2${disabled}`;
  });
  return `${text.trimEnd()}\n${servers.join('\n')}\n`;
};

weather(
  'servers of somebody else in our backend, in any state: they stay as they are through a storm and a reload, and nobody takes them for nodes',
  { minNodes: 2, maxNodes: 4, editHaproxyConfig: withForeignServers },
  async (site) => {
    const at = (name: keyof typeof FOREIGN): string => `${site.place.subnet}.${FOREIGN[name]}`;
    // `broken` is in rotation, and nobody is there.
    await using old = await Stranger.at(at('old'));
    await using drained = await Stranger.at(at('news-web-99'));
    await using resting = await Stranger.at(at('news-web-03'));
    await askHaproxy(site, `set server ${site.tier.backend}/news-web-99 state drain`);
    await site.until('the old one serves', ({ foreignServers }) => {
      return foreignServers.get('old')?.status === 'UP';
    });
    const before = await foreignStates(site);

    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await service.told('source answers');
    load.change(4 * TARGET_RPS);
    await site.untilConverged(4);
    await untilMetric(site, 'rackfire_nodes', {}, (nodes) => nodes === 4);
    await site.haproxy.reload();
    await service.told('balancer was reloaded or restarted');
    load.change(0.6 * TARGET_RPS);
    await site.untilConverged(2);
    await load.end();

    expect(await foreignStates(site)).toEqual(before);
    expect(new Set(service.found(actions).map(({ node }) => node))).toEqual(
      new Set(names(site, [3, 4])),
    );
    await untilMetric(site, 'rackfire_nodes', {}, (nodes) => nodes === 2);
    expect(service.found(SAID_WHEN_SEEN)).toEqual([]);
    expect(old.visits).toBeGreaterThan(0);
    expect(drained.visits + resting.visits).toBe(0);
  },
);

weather(
  'nodes of our names with a foreign mark: left alone and said, their numbers are blocked until they are gone, others are used',
  { minNodes: 2, maxNodes: 7 },
  async (site) => {
    const [third, fourth] = [site.nodeName(3), site.nodeName(4)];
    const ofOther = await site.bootForeignNode(3, { installation: `other-${site.place.id}` });
    const ofNobody = await site.bootForeignNode(4, { uuid: randomUUID() });
    await askForNodes(site, 3);
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    const said = await service.told(SAID_WHEN_SEEN);
    expect(said).toMatchObject({ level: ERROR_LEVEL, nodes: [third, fourth] });
    const view = await site.untilConverged(3);
    expect(view.inService.toSorted()).toEqual(names(site, [1, 2, 5]));
    expect(actionsOn(service, [third, fourth])).toEqual([]);

    site.endForeignNode(ofOther);
    await service.told(({ msg, nodes }) => {
      return msg === SAID_WHEN_SEEN && String(nodes) === fourth;
    });
    await askForNodes(site, 4);
    const later = await site.untilConverged(4);
    expect(later.inService.toSorted()).toEqual(names(site, [1, 2, 3, 5]));

    await askForNodes(site, 2);
    load.change(0.6 * TARGET_RPS);
    await site.untilConverged(2);
    await load.end();
    expect(actionsOn(service, [fourth])).toEqual([]);
    expect(site.watch.latest?.servers.get(fourth)).toMatchObject({ admin: 'maint', requests: 0 });
    expect(ofNobody.state).toBe('running');
  },
);

weather(
  'a stranger listens where the next node would, and another one where a node in rotation was: both are left alone and said, their numbers are blocked until they are gone, others are used',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    const [second, third] = [site.nodeName(2), site.nodeName(3)];
    await using early = await Stranger.at(addressOf(site, 3));
    await askForNodes(site, 3);
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    const blocked = await service.told(SAID_AT_ONCE);
    expect(blocked).toMatchObject({ level: ERROR_LEVEL, node: third });
    const view = await site.untilConverged(3);
    expect(view.inService.toSorted()).toEqual(names(site, [1, 2, 4]));

    await using late = await takePlaceOf(site, service, 2);
    const said = await service.told(SAID_WHEN_SEEN);
    expect(said).toMatchObject({ level: ERROR_LEVEL, nodes: [second] });
    const healed = await site.until('another node is in its place', ({ inService }) => {
      return inService.length === 3;
    });
    expect(healed.inService.toSorted()).toEqual(names(site, [1, 4, 5]));
    expect(healed.servers.get(second)).toMatchObject({ admin: 'ready', status: 'UP' });
    expect(actionsOn(service, [second])).toEqual([]);
    expect([early.isListening, late.isListening]).toEqual([true, true]);
    expect(late.visits).toBeGreaterThan(0);
    // Nobody tried again and again.
    expect(service.found(SAID_AT_ONCE)).toHaveLength(1);

    await late[Symbol.asyncDispose]();
    await site.until('its server is parked', ({ servers }) => {
      return servers.get(second)?.admin === 'maint';
    });
    await askForNodes(site, 4);
    const later = await site.untilConverged(4);
    expect(later.inService.toSorted()).toEqual(names(site, [1, 2, 4, 5]));

    expect(early.visits).toBe(0);
    expect(later.servers.get(third)?.requests).toBe(0);
    await early[Symbol.asyncDispose]();
    await site.lasts(Math.max(0, blocked.time + REST_MS - Date.now()) + 1_000);
    await askForNodes(site, 5);
    const last = await site.untilConverged(5);
    expect(last.inService.toSorted()).toEqual(names(site, [1, 2, 3, 4, 5]));
    expect(service.found(boots).map(({ node }) => node)).toEqual(names(site, [3, 4, 5, 2, 3]));
    await load.end();
  },
);

/** By the minimum, because the noise of a load would now and then ask for one more. */
async function askForNodes(site: WeatherSite, nodes: number): Promise<void> {
  await site.rewriteConfig({ tier: { nodes: { min: nodes, max: site.plan.maxNodes } } });
}

/** A node dies, and before Rackfire looks again there is somebody else in its place who answers as well. */
async function takePlaceOf(
  site: WeatherSite,
  service: ServiceProcess,
  number: number,
): Promise<Stranger> {
  service.signal('SIGSTOP');
  const name = site.nodeName(number);
  site.strike(site.node(name), 'SIGKILL');
  const stranger = await Stranger.at(addressOf(site, number));
  await site.until('it gets visitors', ({ servers }) => {
    return stranger.visits > 0 && servers.get(name)?.status === 'UP';
  });
  service.signal('SIGCONT');
  return stranger;
}

function addressOf(site: WeatherSite, number: number): string {
  return site.tier.addresses[number - 1] ?? '';
}

function names(site: WeatherSite, numbers: readonly number[]): readonly string[] {
  return numbers.map((number) => site.nodeName(number));
}

function actionsOn(service: ServiceProcess, nodes: readonly string[]): readonly LogLine[] {
  return service.found(actions).filter(({ node }) => nodes.includes(String(node)));
}

/** All that can be set on the servers that are not ours: addresses, states, weights. */
async function foreignStates(site: WeatherSite): Promise<readonly string[]> {
  const table = await askHaproxy(site, `show servers state ${site.tier.backend}`);
  const rows = table.split('\n').map((line) => line.split(' '));
  return rows
    .filter(([, , , name = '']) => name in FOREIGN)
    .map(([, , , name, address, , admin, weight]) => `${name} ${address} ${admin} ${weight}`);
}

async function askHaproxy(site: WeatherSite, question: string): Promise<string> {
  return await ask(site.haproxy.socketPath, [question], AbortSignal.timeout(5_000));
}
