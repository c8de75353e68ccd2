import { join } from 'node:path';
import { expect } from 'vitest';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { readMetric, untilMetric } from './service-pages.ts';
import type { LineMatch } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { askSlowly } from './slow-request.ts';
import { SocketProxy } from './socket-proxy.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const SOCKET_NAME = 'rackfire.sock';
const NODES = 3;
const RPS = 2.2 * TARGET_RPS;
const FORMER_REQUESTS = 500;

const changes: LineMatch = ({ msg }) =>
  msg.startsWith('decided to scale') || msg === 'action started';

weather(
  'counters are cleared again and again, wrap, and begin at 0 after a reload, under a steady load: no node comes or goes',
  {
    minNodes: 1,
    maxNodes: 6,
    startNodes: NODES,
    socketName: SOCKET_NAME,
    // Wide enough for the noise of arrivals, and not for anything that is taken for nothing or for a storm.
    tier: {
      scaleOut: { tolerance: 0.6 },
      scaleIn: { tolerance: 0.45, stabilizationWindow: '3s', policies: [{ nodes: 1, per: '2s' }] },
    },
  },
  async (site) => {
    await using proxy = await SocketProxy.start(
      join(site.folder, SOCKET_NAME),
      site.haproxy.socketPath,
    );
    // The counter is much greater then than what comes in a second: taken for a rate, it would be a storm.
    await Promise.all(Array.from({ length: FORMER_REQUESTS }, () => askSlowly(site, 1)));
    const load = site.load(RPS);
    const service = await site.startService();
    await untilRateIsKnown(site);

    for (const _time of Array(5)) {
      await clearCounters(site);
      await site.lasts(1_300);
    }
    await proxy.turn('wrapping');
    await site.lasts(5_000);
    // What was left out while they wrapped must not come all at once.
    await clearCounters(site);
    await proxy.turn('clear');

    await site.haproxy.reload();
    await service.told('balancer was reloaded or restarted');
    await untilRateIsKnown(site);
    // Longer than the window: whoever took nothing for zero would let nodes go now.
    await site.lasts(4_000);

    expect(service.found(changes)).toEqual([]);
    expect(await readMetric(site, 'rackfire_nodes_desired')).toBe(NODES);
    expect(site.watch.latest?.inService).toHaveLength(NODES);
    await load.end();
  },
);

async function untilRateIsKnown(site: WeatherSite): Promise<void> {
  await untilMetric(site, 'rackfire_signal_ok', { signal: 'request-rate' }, (ok) => ok === 1);
}

async function clearCounters({ haproxy }: WeatherSite): Promise<void> {
  await ask(haproxy.socketPath, ['clear counters all'], AbortSignal.timeout(5_000));
}
