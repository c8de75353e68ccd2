import { get } from 'node:http';
import { expect } from 'vitest';
import type { LineMatch } from './service-process.ts';
import { NODE_PORT, TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

weather(
  'a booting node answers its check with 503 for seconds, then with 200: it gets no request before',
  { minNodes: 2, maxNodes: 3, tier: { boot: { deadline: '15s' } } },
  async (site) => {
    const name = site.nodeName(3);
    const service = await site.startService({ faults: [{ node: name, fault: '503-for-ms:3000' }] });
    const load = site.load(2.5 * TARGET_RPS);
    await service.told(({ msg, action, node }) => {
      return msg === 'action done' && action === 'boot' && node === name;
    });
    const checks: number[] = [];
    for await (const { servers } of site.watch.views()) {
      // Asked *after* HAProxy was: who is not healthy now was not healthy then.
      const status = await askHealth(site, 3);
      checks.push(status);
      if (status === 200) {
        break;
      }
      const { admin, requests } = servers.get(name)!;
      expect(requests, `requests on ${name} before it was healthy`).toBe(0);
      // HAProxy sends it none as long as its check fails; it was not to be asked to.
      expect(admin, `${name} before it was healthy`).toBe('drain');
    }
    // It did answer 503 for most of the time, so there was something to wait for.
    expect(checks.filter((status) => status === 503).length).toBeGreaterThan(10);
    await site.untilConverged(3);
    await site.until('it serves', ({ servers }) => (servers.get(name)?.requests ?? 0) > 10);
    await load.end();
  },
);

weather(
  'a node that never becomes healthy is given up, and another one serves instead',
  // The other one needs 1.5 s of it, and 2.5 s where two processes share its core.
  { minNodes: 2, maxNodes: 3, tier: { boot: { deadline: '6s' } } },
  async (site) => {
    const name = site.nodeName(3);
    const service = await site.startService({ faults: [{ node: name, fault: 'never-healthy' }] });
    site.load(2.5 * TARGET_RPS);
    await service.told(({ msg, node }) => msg === 'boot failed' && node === name);
    const view = await site.untilConverged(3);
    expect(view.inService).not.toContain(name);
    expect(view.servers.get(name)?.requests).toBe(0);
    expect(service.found('boot failed')).toHaveLength(1);
  },
);

weather(
  'every node that is booted never becomes healthy: three attempts, then it is said, and the old fleet serves on',
  {
    minNodes: 2,
    maxNodes: 3,
    tier: { boot: { deadline: '2s' } },
    // Until the row's end, so that no probe comes in between.
    limits: { breaker: { failures: 3, window: '10m', open: '5m' } },
  },
  async (site) => {
    const service = await site.startService({ faults: [{ fault: 'never-healthy' }] });
    // More than two nodes are rated for, and less than what they can: 80 a second.
    site.load(2.2 * TARGET_RPS);
    const said = await service.told(({ msg, why }) => {
      return msg === 'needed nodes cannot be booted' && why === 'breaker';
    });
    expect(said['nodes']).toBe(1);
    const view = await site.untilConverged(2);
    expect(view.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    // Some ticks of Rackfire later it is needed as before, and not tried again.
    await site.until('four more seconds', ({ atMs }) => atMs > view.atMs + 4_000);
    const isBoot: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'boot';
    expect(service.found(isBoot)).toHaveLength(3);
    expect(service.found('boot failed')).toHaveLength(3);
  },
);

/** The node's own word, not HAProxy's. @returns 0 when it does not listen yet. */
async function askHealth(site: WeatherSite, number: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const host = site.tier.addresses[number - 1] ?? '';
  get({ host, port: NODE_PORT, path: '/health', agent: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode ?? 0);
  }).on('error', () => resolve(0));
  return await promise;
}
