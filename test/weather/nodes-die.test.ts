import { expect } from 'vitest';
import { NODE, TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';

weather(
  'kill -9 of nodes in service: GETs without an answer yet are answered by others, which are soon full, and each node is replaced',
  { minNodes: 3, maxNodes: 3, hosts: [{ embedded: { bootDelay: '500ms' } }, {}] },
  async (site) => {
    await site.startService();
    // More than two nodes can do: who tries again soon finds that only the dead one has nothing to do.
    const load = site.load(3 * TARGET_RPS);
    for (const number of [3, 1, 2, 3]) {
      // Not all slots are in use, so HAProxy has idle connections to the node as well: each dies, too.
      await site.until('all are busy and none is full', ({ servers, queued }) =>
        [1, 2, 3].every((one) => {
          const sessions = servers.get(site.nodeName(one))?.sessions ?? 0;
          return queued === 0 && sessions >= 3 && sessions < NODE.slots;
        }),
      );
      const killed = site.node(site.nodeName(number));
      site.strike(killed, 'SIGKILL');
      await site.until(
        `${killed.name} is dead`,
        ({ nodes }) => !nodes.some(({ pid }) => pid === killed.pid),
      );
      await site.untilConverged(3);
    }
    await load.end();
    expect(load.run.ok).toBeGreaterThan(500);
  },
);
