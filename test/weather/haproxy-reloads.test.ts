import { expect } from 'vitest';
import type { LineMatch } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { askAllSlowly } from './slow-request.ts';
import { weather } from './weather.ts';

const destroys: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'destroy';

/**
 * Rates are unknown for 10 s after a reload, which alone keeps every node. These last longer, counted from the
 * second reload, so that in the end only the old worker keeps them: 12 s of them there.
 */
const SLOW_MS = 20_000;
const SLOW_REQUESTS = 6;

weather(
  'HAProxy is reloaded, and reloaded twice during a drain with slow requests in the old worker: their node is kept for them, and nobody fails',
  { minNodes: 2, maxNodes: 3, startNodes: 3 },
  async (site) => {
    const leaver = site.nodeName(3);
    const service = await site.startService();
    const load = site.load(2.5 * TARGET_RPS);
    await service.told('source answers');

    load.change(0.5 * TARGET_RPS);
    const slow = await askAllSlowly(site, SLOW_REQUESTS, SLOW_MS);
    await service.told(({ msg, action }) => msg === 'action done' && action === 'drain');
    const [oldWorker] = site.haproxy.workerPids();
    await site.haproxy.reload();
    await site.haproxy.reload();
    const view = await site.until('the new worker answers', ({ oldWorkerPids }) => {
      return oldWorker !== undefined && oldWorkerPids.includes(oldWorker);
    });
    expect(view.servers.get(leaver)).toMatchObject({ admin: 'drain' });
    expect(view.servers.get(leaver)?.sessions).toBeGreaterThan(0);

    const answers = await slow.answers;
    expect(answers.map(({ status }) => status)).toEqual(Array(SLOW_REQUESTS).fill(200));
    expect(answers.map(({ node }) => node)).toContain(leaver);
    await site.untilConverged(2);
    expect(service.found(destroys)).toHaveLength(1);

    await site.haproxy.reload();
    await site.until('the last worker is alone', ({ oldWorkerPids }) => oldWorkerPids.length === 0);
    const last = await site.untilConverged(2);
    expect(last.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    await load.end();
  },
);
