/** The fence against leaders of the past. */

import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { create, destroy, fence, linesOf, nodeOf, tenant, term } from './requests.ts';
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

  test('that is shown while a restore waits for room stops that restore', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('save', node));
    const held = dom0.hold('xl-list');
    const restoring = dom0.run(tenant('restore', node));
    await held.reached();
    expect(await dom0.run(fence({ term: newer }))).toEqual(success);
    await held.release();

    expect(await restoring).toEqual(refusal('stale-term'));
    expect(await dom0.domains()).toEqual([]);
    expect(await dom0.run(tenant('restore', node, { term: newer }))).toEqual(saying('restored'));
  });

  test.each([
    ['pause', tenant('pause', node)],
    ['save', tenant('save', node)],
    ['destroy', destroy(node)],
  ])('that is shown to a host before it carries a %s out, stops that', async (_verb, order) => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.watchNodeLocks();
    const held = dom0.hold('lock-node');
    const ordered = dom0.run(order);
    await held.reached();
    expect(await dom0.run(fence({ term: newer }))).toEqual(success);
    // Whoever shows a term decides by what is seen from then on.
    expect(linesOf((await dom0.run('inspect')).stdout)).not.toContainEqual(
      expect.stringMatching(/^operation /),
    );
    await held.release();

    expect(await ordered).toEqual(refusal('stale-term'));
    expect(await dom0.domains()).toMatchObject([{ name: node.name, state: 'r-----' }]);
    expect(await dom0.run(tenant('pause', node, { term: newer }))).toEqual(success);
  });

  test('that is shown while an order is carried out finds that order at work', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const creating = dom0.run(create(dom0, node));
    await held.reached();

    expect(await dom0.run(fence({ term: newer }))).toEqual(success);
    expect(linesOf((await dom0.run('inspect')).stdout)).toContainEqual(
      expect.stringMatching(`^operation ${node.name} create ${node.born} `),
    );
    await held.release();
    expect(await creating).toEqual(saying('created'));
    expect(await dom0.run(destroy(node))).toEqual(refusal('stale-term'));
  });

  test('of two that are shown at once, the newer one stays', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('mv');
    const first = dom0.run(fence({ term: ofNewLease }));
    await held.reached();
    const second = dom0.run(fence({ term: newer }));
    await held.release();

    expect(await first).toEqual(success);
    // It waited: nobody is told that a term is in force which is not.
    expect(await second).toEqual(refusal('stale-term'));
    expect(await termLine()).toBe(`term main ${ofNewLease}`);
    expect(await dom0.run(create(dom0, node, { term: newer }))).toEqual(refusal('stale-term'));
  });

  test('that a host could not keep is not acknowledged, and boots nothing', async () => {
    const { dom0 } = rig;
    await dom0.fail('mv', 1, 'mv: cannot move: No space left on device');
    expect(await dom0.run(fence({ term: newer }))).toEqual(
      refusal('xl-failed', 'terms/main cannot be written'),
    );
    await dom0.mend('mv');

    expect(await dom0.run(create(dom0, node, { term: newer }))).toEqual(refusal('not-fenced'));
    expect(await dom0.domains()).toEqual([]);
  });

  test('is the old one or the new one after a power cut, at whatever step', async () => {
    const { dom0 } = rig;
    let exitCode = -1;
    let transitions = 3;
    for (let step = 1; exitCode === -1; step += 1) {
      await dom0.killAt(step);
      ({ exitCode } = await dom0.run(fence({ term: `1795500000.${transitions + 1}` })));
      await dom0.killNoMore();
      const kept = Number(/\d+$/.exec(await termLine())?.[0]);
      expect([transitions, transitions + 1]).toContain(kept);
      transitions = kept;
    }
    expect(transitions).toBeGreaterThan(3);
    const inForce = { term: `1795500000.${transitions}` };
    expect(await dom0.run(create(dom0, node, inForce))).toEqual(saying('created'));
  });

  test('of which nothing can be read any more carries out nothing, and says what to do', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await writeFile(dom0.path('state/terms/main'), '');

    for (const request of [fence({ term: newer }), tenant('pause', node), destroy(node)]) {
      expect(await dom0.run(request)).toEqual(refusal('stale-term', 'is damaged; remove it'));
    }
  });

  test('is kept where a reboot does not reach', async () => {
    expect(await readFile(rig.dom0.path('state/terms/main'), 'utf8')).toBe(`${term} ${term}\n`);
  });
});
