/** A host whose script would mark guests with another installation than the config's: Rackfire would never know them. */

import { appendFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startWrappedSite } from './wrapped-site.ts';

const TEST_DEADLINE_MS = 120_000;

test(
  'A host with another INSTALLATION gets no boot and is told by name, until dom0.conf is corrected',
  async () => {
    await using site = await startWrappedSite({ minNodes: 1, maxNodes: 2, startNodes: 0 });
    const { confPath } = site.dom0;
    await appendFile(confPath, 'INSTALLATION=other\n');

    const service = await site.startService();
    await service.told((line) =>
      JSON.stringify(line).includes(
        'xen-1: INSTALLATION in dom0.conf there is other, and not acme',
      ),
    );
    await site.nextLook();
    await site.nextLook();
    expect(site.orders('create')).toEqual([]);
    expect(await site.domainsMade()).toBe(0);

    await appendFile(confPath, 'INSTALLATION=acme\n');
    await site.untilInService(['news-web-1']);
    await service.stop();
    expect([...site.violations], 'what must never happen').toEqual([]);
  },
  TEST_DEADLINE_MS,
);
