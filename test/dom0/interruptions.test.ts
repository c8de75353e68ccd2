/** Whatever ends an operation, at whatever moment: what is left is seen, and `destroy` removes all of it. */

import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import type { Dom0 } from './dom0.ts';
import { create, destroy, linesOf, nodeOf, type OrderedNode, tenant, thin } from './requests.ts';
import { describeShells, refusal, saying, success } from './rig.ts';

const node = nodeOf(1);
const next = { ...node, born: '1795501499999' };

type Order = (dom0: Dom0, ordered: OrderedNode) => string;

const save: Order = (_dom0, ordered) => tenant('save', ordered);
const restore: Order = (_dom0, ordered) => tenant('restore', ordered);
const end: Order = (_dom0, ordered) => destroy(ordered);
/** What has to be done before, and then what is interrupted. */
const operations: readonly [string, boolean, readonly Order[], Order][] = [
  ['create', false, [], create],
  ['create on a thin volume', true, [], thin],
  ['destroy', false, [create], end],
  ['destroy on a thin volume', true, [thin], end],
  ['destroy of a saved node', false, [create, save], end],
  ['save', false, [create], save],
  ['restore', false, [create, save], restore],
];

/** A mark for each thing that there is. */
async function expectMarked(dom0: Dom0): Promise<void> {
  const { exitCode, stdout } = await dom0.run('inspect');
  expect(exitCode).toBe(0);
  const lines = linesOf(stdout);
  const domains = await dom0.domains();
  const things = [...domains, ...lines.filter((line) => /^(?:disk|saved) /.test(line))];
  expect(lines.filter((line) => line.startsWith('operation '))).toEqual([]);
  expect(lines.filter((line) => line.startsWith('reservation '))).toEqual([]);
  if (things.length > 0) {
    expect(lines).toContainEqual(
      `node ${node.name} ${node.uuid} ${node.born} web@2026-11-01 128 1 16`,
    );
  }
}

for (const [name, volumeGroup, before, operation] of operations) {
  describeShells(`a power cut at each step of ${name}`, { volumeGroup }, (rig) => {
    test('leaves what destroy removes, and the order can be given again', {
      timeout: 120_000,
    }, async () => {
      const { dom0 } = rig;
      let step = 0;
      let exitCode = -1;
      // Until the operation is through before its cut comes.
      while (exitCode === -1) {
        step += 1;
        for (const order of before) {
          expect(await dom0.run(order(dom0, node))).toMatchObject({ exitCode: 0 });
        }
        await dom0.killAt(step);
        ({ exitCode } = await dom0.run(operation(dom0, node)));
        await dom0.killNoMore();
        await expectMarked(dom0);
        if (step % 2 === 0) {
          const again = await dom0.run(operation(dom0, node));
          // What was saved or restored by halves is there no more: that is no state to go on from.
          expect([0, 5]).toContain(again.exitCode);
        }
        expect(await dom0.run(destroy(node))).toEqual(success);
        expect(await dom0.domains()).toEqual([]);
        expect(await dom0.leftovers()).toEqual([]);
      }
      expect(step).toBeGreaterThan(3);
    });
  });
}

describeShells('a power cut in create', {}, (rig) => {
  test('leaves what the next tenant of the name replaces', { timeout: 120_000 }, async () => {
    const { dom0 } = rig;
    let exitCode = -1;
    for (let step = 1; exitCode === -1; step += 1) {
      await dom0.killAt(step);
      ({ exitCode } = await dom0.run(create(dom0, node)));
      await dom0.killNoMore();
      const hasDomain = (await dom0.domains()).length > 0;
      // Only a domain is somebody: a mark, a disk or half a disk is nobody's any more.
      expect(await dom0.run(create(dom0, next))).toEqual(
        hasDomain ? refusal('name-taken') : saying('created'),
      );
      expect(await dom0.run(destroy(node))).toEqual(success);
      expect(await dom0.run(destroy(next))).toEqual(success);
      expect(await dom0.domains()).toEqual([]);
      expect(await dom0.leftovers()).toEqual([]);
    }
  });
});

describeShells('a script that is killed', {}, (rig) => {
  test('is seen at work for as long as its xl is, and nobody gets in between', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const child = dom0.spawn(create(dom0, node));
    await held.reached();
    const killed = once(child, 'exit');
    child.kill('SIGKILL');
    await killed;

    expect(linesOf((await dom0.run('inspect')).stdout)).toEqual([
      `operation ${node.name} create ${node.born} ${child.pid}`,
      `reservation ${node.name} 136`,
      expect.stringMatching(/^node /) as string,
      `disk ${node.name}`,
    ]);
    expect(await dom0.run(destroy(node))).toEqual(refusal('busy'));
    expect(await dom0.run(create(dom0, node))).toEqual(refusal('busy'));

    await held.release();
    await vi.waitFor(
      async () => {
        expect(await dom0.run(create(dom0, node))).toEqual(saying('present'));
      },
      { timeout: 10_000 },
    );
    expect(linesOf((await dom0.run('inspect')).stdout)).toEqual([
      expect.stringMatching(/^node /) as string,
      `disk ${node.name}`,
    ]);
    expect(await dom0.run(destroy(node))).toEqual(success);
  });

  test('is not taken for another process that has its number', async () => {
    const { dom0 } = rig;
    await dom0.killAt(8);
    expect(await dom0.run(create(dom0, node))).toMatchObject({ exitCode: -1 });
    await dom0.killNoMore();
    const file = dom0.path('run/operations', node.name);
    await writeFile(file, `create ${node.born} ${process.pid} 12345\n`);

    expect(linesOf((await dom0.run('inspect')).stdout).join()).not.toContain('operation');
  });
});

describeShells('a node that was woken', {}, (rig) => {
  test('is never woken from the same file again, even if nobody was left to remove it', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('save', node));
    const held = dom0.hold('rm');
    const child = dom0.spawn(tenant('restore', node));
    const ended = once(child, 'exit');
    await held.reached();
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await ended;
    const [{ id } = { id: '' }] = await dom0.domains();
    await rm(dom0.path('xen/hold/rm'));
    // It has run, has written to its disk, and has gone.
    await rm(dom0.path('xen/domains', id), { recursive: true });

    expect(linesOf((await dom0.run('inspect')).stdout).join()).not.toContain('saved');
    expect(await dom0.run(tenant('restore', node))).toEqual(refusal('not-there'));
    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.leftovers()).toEqual([]);
  });
});

describeShells('a connection that is lost', {}, (rig) => {
  test('does not end a create half-way', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const child = dom0.spawn(create(dom0, node));
    await held.reached();
    child.stdout.destroy();
    child.stderr.destroy();
    // To the whole group, as sshd does.
    process.kill(-(child.pid ?? 0), 'SIGHUP');
    process.kill(-(child.pid ?? 0), 'SIGPIPE');
    await held.release();

    await vi.waitFor(
      async () => {
        expect(await dom0.run(create(dom0, node))).toEqual(saying('present'));
      },
      { timeout: 10_000 },
    );
    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.leftovers()).toEqual([]);
  });
});
