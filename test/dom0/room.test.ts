/** Memory and disk are promised once, and creates do not wait for each other. */

import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { memoryOnXenMiB } from '../../src/scaler/guest-memory.ts';
import type { Dom0 } from './dom0.ts';
import { create, destroy, linesOf, nodeOf, tenant } from './requests.ts';
import { describeShells, refusal, saying, success } from './rig.ts';

const [first, second] = [nodeOf(1), nodeOf(2)];

/** What `df` says of every file system, on which others of this machine write, too. */
function sayAvailable(dom0: Dom0, mib: number): Promise<void> {
  const script = `#!/bin/sh\necho "fs 0 0 ${mib * 1_024} 0% /"\n`;
  return writeFile(dom0.path('bin/df'), script, { mode: 0o755 });
}

async function freeDiskMiB(dom0: Dom0): Promise<number> {
  return Number(/^free-disk (\d+)$/m.exec((await dom0.run('inspect')).stdout)?.[1]);
}

const startsWith = (word: string) => (line: string) => line.startsWith(`${word} `);

// 768 MiB are dom0's; two guests of 128 MiB would need 272.
describeShells('the last memory of a host', { totalMiB: 768 + 271 }, (rig) => {
  test('is had by exactly one of two creators, 50 times', { timeout: 240_000 }, async () => {
    const { dom0 } = rig;
    for (let race = 1; race <= 50; race += 1) {
      const answers = await Promise.all(
        [first, second].map((node) => dom0.run(create(dom0, node))),
      );
      expect(answers).toContainEqual(saying('created'));
      expect(answers).toContainEqual(refusal('no-memory'));
      expect(await dom0.domains()).toHaveLength(1);
      await Promise.all(
        [first, second].map(async (node) => {
          expect(await dom0.run(destroy(node, { deadline: 0 }))).toEqual(success);
        }),
      );
      expect(await dom0.leftovers()).toEqual([]);
    }
  });

  test('is promised to who wakes as to who is made', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, first));
    await dom0.run(tenant('save', first));
    const held = dom0.hold('xl-restore-building');
    const waking = dom0.run(tenant('restore', first));
    await held.reached();

    expect(await dom0.run(create(dom0, second))).toEqual(refusal('no-memory', '135 MiB are free'));
    await held.release();
    expect(await waking).toEqual(saying('restored'));
  });

  test('is free again as soon as a create has failed', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create');
    const failing = dom0.run(create(dom0, first));
    await held.reached();
    expect(await dom0.run(create(dom0, second))).toEqual(refusal('no-memory'));
    await dom0.fail('xl-create', 3, 'libxl: error: odd\n');
    await held.release();
    expect(await failing).toEqual(refusal('create-failed'));
    await dom0.mend('xl-create');

    expect(await dom0.run(create(dom0, second))).toEqual(saying('created'));
  });

  test('is not promised for ever to who was killed', async () => {
    const { dom0 } = rig;
    await dom0.killAt(8);
    expect(await dom0.run(create(dom0, first))).toMatchObject({ exitCode: -1 });
    await dom0.killNoMore();
    expect(await readFile(dom0.path('run/reservations', first.name), 'utf8')).toBe('136 128\n');

    // Its own promise of then is not counted against whoever is ordered again.
    expect(await dom0.run(create(dom0, first))).toEqual(saying('created'));
    expect(await dom0.run(destroy(first))).toEqual(success);
    expect(await dom0.run(create(dom0, second))).toEqual(saying('created'));
  });
});

describeShells('two creates', { totalMiB: 4_096 }, (rig) => {
  test('run side by side, and both are seen with what they are promised', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const creating = [first, second].map((node) => dom0.run(create(dom0, node)));
    await vi.waitFor(
      async () => {
        const points = await dom0.points();
        expect(points.filter((point) => point === 'xl-create-building')).toHaveLength(2);
      },
      { timeout: 20_000, interval: 10 },
    );

    const lines = linesOf((await dom0.run('inspect')).stdout);
    expect(lines.filter(startsWith('operation'))).toEqual([
      expect.stringMatching(/^operation news-web-1 create 1795501400001 \d+$/) as string,
      expect.stringMatching(/^operation news-web-2 create 1795501400002 \d+$/) as string,
    ]);
    expect(lines.filter(startsWith('reservation'))).toEqual([
      'reservation news-web-1 136',
      'reservation news-web-2 136',
    ]);
    await held.release();
    expect(await Promise.all(creating)).toEqual([saying('created'), saying('created')]);
  });

  test('of one name are one', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const creating = dom0.run(create(dom0, first));
    await held.reached();

    expect(await dom0.run(create(dom0, first))).toEqual(refusal('busy'));
    expect(await dom0.run(destroy(first))).toEqual(refusal('busy'));
    await held.release();
    expect(await creating).toEqual(saying('created'));
    expect(await dom0.run(create(dom0, first))).toEqual(saying('present'));
    expect(await dom0.domains()).toHaveLength(1);
  });
});

describeShells('what was promised', {}, (rig) => {
  test('is counted until the domain has taken it', async () => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-built');
    const creating = dom0.run(create(dom0, first));
    await held.reached();

    const { stdout } = await dom0.run('inspect');
    expect(linesOf(stdout).filter(startsWith('reservation'))).toEqual([]);
    expect(stdout).toMatch(/^free_memory +: 1144$/m);
    await held.release();
    expect(await creating).toEqual(saying('created'));
  });

  test.each([
    [128, 1, 136],
    [129, 1, 138],
    [512, 2, 524],
    [1_024, 4, 1_042],
  ])("of a guest of %d MiB and %d vCPUs is %d MiB, with Xen's part", async (memory, vcpus, mib) => {
    const { dom0 } = rig;
    const held = dom0.hold('xl-create-building');
    const creating = dom0.run(create(dom0, first, { memory, vcpus }));
    await held.reached();

    const lines = linesOf((await dom0.run('inspect')).stdout);
    expect(lines.filter(startsWith('reservation'))).toEqual([`reservation news-web-1 ${mib}`]);
    expect(memoryOnXenMiB(memory, vcpus), 'what the core counts').toBe(mib);
    await held.release();
    expect(await creating).toEqual(saying('created'));
  });

  test('of disk is the full size of each node, however little of it is written', async () => {
    const { dom0 } = rig;
    const half = Math.floor((await freeDiskMiB(dom0)) * 0.6);

    expect(await dom0.run(create(dom0, first, { 'disk-mib': half }))).toEqual(saying('created'));
    expect(await dom0.run(create(dom0, second, { 'disk-mib': half }))).toEqual(refusal('no-disk'));
    expect(await dom0.run(destroy(first))).toEqual(success);
    expect(await dom0.run(create(dom0, second, { 'disk-mib': half }))).toEqual(saying('created'));
  });

  test('of disk is not counted twice when all of it is written', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, first));
    await sayAvailable(dom0, 100);
    const before = await freeDiskMiB(dom0);
    await writeFile(dom0.path('disks/news-web-1.img'), Buffer.alloc(16 * 1_048_576, 1));
    await sayAvailable(dom0, 84);

    expect([before, await freeDiskMiB(dom0)]).toEqual([84, 84]);
  });

  test('of disk is not taken by a save either: sparse disks are still to be written', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, first, { 'disk-mib': 100 }));

    // 138 MiB for the memory of 128, and 100 for the disk.
    await sayAvailable(dom0, 237);
    expect(await dom0.run(tenant('save', first))).toEqual(refusal('no-disk', '137 MiB in'));
    await sayAvailable(dom0, 238);
    expect(await dom0.run(tenant('save', first))).toEqual(success);
  });

  test('of disk is 0 in every answer when the disks that there are need more than is left', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, first, { 'disk-mib': 100 }));
    await sayAvailable(dom0, 50);

    const saving = await dom0.run(tenant('save', first));
    expect(saving).toEqual(refusal('no-disk', 'do not fit into 0 MiB in'));
    const creating = await dom0.run(create(dom0, second));
    expect(creating).toEqual(refusal('no-disk', '16 MiB are needed, 0 MiB are not booked'));
    expect((await dom0.run('check')).stdout).toContain('ok free-disk 0 MiB (file)\n');
    expect(await freeDiskMiB(dom0)).toBe(0);
  });
});

describeShells('the last disk of a host', { totalMiB: 4_096 }, (rig) => {
  test('is had by exactly one of two creators, 25 times', { timeout: 120_000 }, async () => {
    const { dom0 } = rig;
    // Each takes 16 MiB.
    await sayAvailable(dom0, 31);
    for (let race = 1; race <= 25; race += 1) {
      const answers = await Promise.all(
        [first, second].map((node) => dom0.run(create(dom0, node))),
      );
      expect(answers).toContainEqual(saying('created'));
      expect(answers).toContainEqual(refusal('no-disk', '15 MiB are not booked'));
      for (const node of [first, second]) {
        expect(await dom0.run(destroy(node, { deadline: 0 }))).toEqual(success);
      }
      expect(await dom0.leftovers()).toEqual([]);
    }
  });
});

// Both disks take 16 MiB, and the file of each save 138.
describeShells('the last room for a saved node', { totalMiB: 4_096 }, (rig) => {
  const madeBoth = async (): Promise<void> => {
    await rig.dom0.run(create(rig.dom0, first));
    await rig.dom0.run(create(rig.dom0, second));
    await sayAvailable(rig.dom0, 2 * 16 + 2 * 138 - 1);
  };

  test('is had by exactly one of two saves, 10 times', { timeout: 120_000 }, async () => {
    const { dom0 } = rig;
    await madeBoth();
    for (let race = 1; race <= 10; race += 1) {
      const held = dom0.hold('xl-save');
      const saving = [first, second].map((node) => dom0.run(tenant('save', node)));
      // The other one waits in xl.
      expect(await Promise.race(saving)).toEqual(refusal('no-disk', '137 MiB in'));
      await held.reached();
      await held.release();
      expect(await Promise.all(saving)).toContainEqual(success);
      const saved = (await dom0.run('inspect')).stdout.includes('saved news-web-1 ')
        ? first
        : second;
      expect(await dom0.run(tenant('restore', saved))).toEqual(saying('restored'));
    }
  });

  test('is not had by a create either, but for what is written already', async () => {
    const { dom0 } = rig;
    await madeBoth();
    const held = dom0.hold('xl-save-written');
    const saving = dom0.run(tenant('save', first));
    await held.reached();

    expect(await freeDiskMiB(dom0)).toBe(137);
    expect(await dom0.run(create(dom0, nodeOf(3), { 'disk-mib': 138 }))).toEqual(
      refusal('no-disk', '137 MiB are not booked'),
    );
    await writeFile(dom0.path('saved/news-web-1.save.part'), Buffer.alloc(8 * 1_048_576, 1));
    expect(await freeDiskMiB(dom0)).toBeGreaterThanOrEqual(137 + 8);
    await held.release();
    expect(await saving).toEqual(success);
    expect(await dom0.run(tenant('save', second))).toEqual(success);
  });

  test('takes nothing from disks on another file system', async () => {
    const { dom0 } = rig;
    const otherDevice = '/usr/bin/stat "$@" | sed \'s|^[0-9]*\\( .*/saved\\)$|0\\1|\'';
    await writeFile(dom0.path('bin/stat'), `#!/bin/sh\n${otherDevice}\n`, { mode: 0o755 });
    await madeBoth();
    const held = dom0.hold('xl-save');
    // Nor do the disks take from what is there for saves.
    const saving = [first, second].map((node) => dom0.run(tenant('save', node)));
    await vi.waitFor(
      async () => {
        const points = await dom0.points();
        expect(points.filter((point) => point === 'xl-save')).toHaveLength(2);
      },
      { timeout: 20_000, interval: 10 },
    );

    expect(await freeDiskMiB(dom0)).toBe(2 * 138 - 1);
    await held.release();
    expect(await Promise.all(saving)).toEqual([success, success]);
  });

  test('is nobody’s when a save was killed', async () => {
    const { dom0 } = rig;
    await madeBoth();
    const held = dom0.hold('xl-save');
    const child = dom0.spawn(tenant('save', first));
    await held.reached();
    expect(await dom0.run(tenant('save', second))).toEqual(refusal('no-disk'));
    const killed = once(child, 'exit');
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await killed;
    await held.forget();

    expect(await dom0.run(tenant('save', second))).toEqual(success);
    expect(await dom0.run(tenant('restore', second))).toEqual(saying('restored'));
    expect(await dom0.run(tenant('save', first))).toEqual(success);
  });
});
