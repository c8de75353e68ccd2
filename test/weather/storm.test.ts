import { expect } from 'vitest';
import { TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';

weather(
  'a storm in good weather: as many nodes come as there may be, and go again when it is over',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await service.told('source answers');
    load.change(6 * TARGET_RPS);
    await site.untilConverged(5);
    load.change(0.5 * TARGET_RPS);
    const view = await site.untilConverged(2);
    expect(view.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    // One would be enough now, and a window passes in which it could be let go.
    await site.until('five more seconds', ({ atMs }) => atMs > view.atMs + 5_000);
    expect(site.watch.latest?.inService).toHaveLength(2);
    await load.end();
  },
);
