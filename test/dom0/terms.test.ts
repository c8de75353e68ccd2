/** The fence against leaders of the past. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { create, destroy, fence, nodeOf, tenant, term } from './requests.ts';
import { describeShells, refusal, saying, success } from './rig.ts';

const node = nodeOf(1);
const newer = '1795500000.4';
const ofNewLease = '1795500001.0';

describeShells('a term', {}, (rig) => {
  const termLine = async (): Promise<string> =>
    /^term .*$/m.exec((await rig.dom0.run('inspect')).stdout)?.[0] ?? '';

  test('is kept, and can be shown again', async () => {
    expect(await rig.dom0.run(fence())).toEqual(success);
    expect(await termLine()).toBe(`term main ${term}`);
  });

  test.each([
    ['has fewer transitions', '1795500000.2'],
    ['is of an older lease, with more transitions', '1795499999.99'],
    ['is of an older lease, whose text is greater', '999999999.3'],
  ])('that %s is refused by every verb that changes something', async (_situation, older) => {
    expect(await rig.dom0.run(create(rig.dom0, node))).toEqual(saying('created'));

    const stale = { term: older };
    const requests = [
      fence(stale),
      create(rig.dom0, nodeOf(2), stale),
      ...['pause', 'unpause', 'save', 'restore'].map((verb) => tenant(verb, node, stale)),
      destroy(node, stale),
    ];
    for (const request of requests) {
      expect(await rig.dom0.run(request)).toEqual(refusal('stale-term'));
    }
    expect(await rig.dom0.domains()).toMatchObject([{ name: node.name, state: 'r-----' }]);
  });

  test.each([newer, ofNewLease, '1795500000.10'])('%s is newer', async (text) => {
    expect(await rig.dom0.run(fence({ term: text }))).toEqual(success);
    expect(await rig.dom0.run(fence())).toEqual(refusal('stale-term'));
  });

  test('of another shard is another term', async () => {
    expect(await rig.dom0.run(fence({ shard: 'other', term: '7.0' }))).toEqual(success);
    expect(await rig.dom0.run(create(rig.dom0, node))).toEqual(saying('created'));
  });

  test('that was not shown by fence boots and restores nothing', async () => {
    expect(await rig.dom0.run(create(rig.dom0, node, { term: newer }))).toEqual(
      refusal('not-fenced'),
    );
    // Shown twice is not shown by fence either.
    expect(await rig.dom0.run(tenant('restore', node, { term: newer }))).toEqual(
      refusal('not-fenced'),
    );
    expect(await rig.dom0.run(create(rig.dom0, node))).toEqual(refusal('stale-term'));

    expect(await rig.dom0.run(fence({ term: newer }))).toEqual(success);
    expect(await rig.dom0.run(create(rig.dom0, node, { term: newer }))).toEqual(saying('created'));
  });

  test('that any verb has shown is the newest from then on', async () => {
    expect(await rig.dom0.run(create(rig.dom0, node))).toEqual(saying('created'));
    expect(await rig.dom0.run(tenant('pause', node, { term: newer }))).toEqual(success);

    expect(await termLine()).toBe(`term main ${newer}`);
    expect(await rig.dom0.run(tenant('unpause', node))).toEqual(refusal('stale-term'));
  });

  test('that is shown while a create waits for room stops that create', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-list');
    const creating = dom0.run(create(dom0, node));
    await held.reached();
    expect(await dom0.run(fence({ term: newer }))).toEqual(success);
    await held.release();

    expect(await creating).toEqual(refusal('stale-term'));
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('is kept where a reboot does not reach', async () => {
    expect(await readFile(rig.dom0.path('state/terms/main'), 'utf8')).toBe(`${term} ${term}\n`);
  });
});
