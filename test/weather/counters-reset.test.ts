import { join } from 'node:path';
import { expect } from 'vitest';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { readMetric, untilMetric } from './service-pages.ts';
import type { LineMatch } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { SocketProxy } from './socket-proxy.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const SOCKET_NAME = 'rackfire.sock';
const NODES = 3;
/** Far enough from one node fewer and from one more (see the tolerance) for the noise of arrivals. */
const RPS = (NODES - 0.4) * TARGET_RPS;

const changes: LineMatch = ({ msg }) =>
  msg.startsWith('decided to scale') || msg === 'action started';

weather(
  'counters wrap, are cleared again and again, and begin at 0 after a reload, under a steady load: no node comes or goes',
  {
    minNodes: 1,
    maxNodes: 6,
    startNodes: NODES,
    socketName: SOCKET_NAME,
    tier: { scaleOut: { tolerance: 0.6 } },
  },
  async (site) => {
    await using proxy = await SocketProxy.start(
      join(site.folder, SOCKET_NAME),
      site.haproxy.socketPath,
    );
    const load = site.load(RPS);
    const service = await site.startService();
    await untilRateIsKnown(site);

    await proxy.turn('wrapping');
    await site.lasts(5_000);
    await proxy.turn('clear');
    await untilRateIsKnown(site);

    // By now the counter is much greater than what comes in a second: taken for a rate, it would be a storm.
    for (const _time of Array(5)) {
      await ask(site.haproxy.socketPath, ['clear counters all'], AbortSignal.timeout(5_000));
      await site.lasts(1_300);
    }

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
