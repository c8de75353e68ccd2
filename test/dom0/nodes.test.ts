/** The life of a node on a dom0: made, frozen, saved, woken, ended, and each of it twice. */

import {
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { create, destroy, fence, linesOf, nodeOf, tenant, term, thin, write } from './requests.ts';
import { describeShells, refusal, saying, success } from './rig.ts';

const node = nodeOf(1);
const next = { ...node, born: '1795501499999' };
const marks = (installation: string, born: string): string =>
  `rackfire.installation=${installation} rackfire.born=${born} rackfire.image=web@1 rackfire.hash=0`;

const lifecycle = (
  volumeGroup: boolean,
  diskFile: string,
  createRequest: typeof create | typeof thin,
): void => {
  describeShells(volumeGroup ? 'a node on a thin volume' : 'a node', { volumeGroup }, (rig) => {
    test('is made with a disk of its size, and with its marks', async () => {
      const { dom0 } = rig;
      expect(await dom0.run(createRequest(dom0, node))).toEqual(saying('created'));

      expect((await stat(dom0.path(diskFile))).size).toBe(16 * 1_048_576);
      const { stdout } = await dom0.run('inspect');
      expect(stdout).toMatch(/^rackfire-dom0 1\ntime \d+\ninstallation acme\n/);
      expect(linesOf(stdout)).toEqual([
        `node ${node.name} ${node.uuid} ${node.born} web@2026-11-01 128 1 16`,
        `disk ${node.name}`,
      ]);
      expect(stdout).toContain(
        '"cmdline": "console=hvc0 root=/dev/xvda rw quiet ' +
          `ip=10.77.0.101::10.77.0.254:255.255.255.0:${node.name}:eth0:off ` +
          `rackfire.installation=acme rackfire.born=${node.born} ` +
          'rackfire.image=web@2026-11-01 rackfire.hash=0123456789abcdef"',
      );
      expect(stdout.endsWith('\n== end\n')).toBe(true);
    });

    test('goes through all its states, and each order may come twice', async () => {
      const { dom0 } = rig;
      const steps = [
        [createRequest(dom0, node), saying('created'), saying('present')],
        [tenant('pause', node), success, success],
        [tenant('unpause', node), success, success],
        [tenant('save', node), success, saying('present')],
        [tenant('restore', node), saying('restored'), saying('present')],
        [destroy(node), success, success],
      ] as const;
      for (const [request, first, second] of steps) {
        expect([request, await dom0.run(request)]).toEqual([request, first]);
        expect([request, await dom0.run(request)]).toEqual([request, second]);
      }
      expect(await dom0.domains()).toEqual([]);
      expect(await dom0.leftovers()).toEqual([]);
    });

    test('is woken by what is known of its number, and not of another domain that has its name and UUID', async () => {
      const { dom0 } = rig;
      await dom0.run(createRequest(dom0, node));
      await dom0.run(tenant('pause', node));
      const [paused] = await dom0.domains();
      const config = dom0.path('xen/domains', paused!.id, 'long');
      await rename(config, `${config}.hidden`);
      expect(await dom0.run(tenant('unpause', node))).toEqual(success);
      await rename(`${config}.hidden`, config);
      await dom0.run(tenant('pause', node));

      await rm(dom0.path('xen/domains', paused!.id), { recursive: true });
      await dom0.addDomain({ name: node.name, uuid: node.uuid, state: '--p---', cmdline: 'quiet' });
      expect(await dom0.run(tenant('unpause', node))).toEqual(refusal('not-ours'));
    });

    test('is not known to a dom0 that has become one of another installation', async () => {
      const { dom0 } = rig;
      await dom0.run(createRequest(dom0, node));
      await dom0.run(tenant('pause', node));
      const conf = await readFile(dom0.confPath, 'utf8');
      await writeFile(dom0.confPath, `${conf}\nINSTALLATION=other\n`);
      expect(await dom0.run(tenant('unpause', node))).toEqual(refusal('not-ours'));
    });

    test('is known no more when it is gone', async () => {
      const { dom0 } = rig;
      await dom0.run(createRequest(dom0, node));
      await dom0.run(tenant('pause', node));
      expect(await readdir(dom0.path('run/known'))).toEqual([node.name]);
      await dom0.run(destroy(node));
      expect(await readdir(dom0.path('run/known'))).toEqual([]);
    });

    test('that is saved has no domain, and its file is seen', async () => {
      const { dom0 } = rig;
      await dom0.run(createRequest(dom0, node));
      expect(await dom0.run(tenant('save', node))).toEqual(success);

      expect(await dom0.domains()).toEqual([]);
      expect(linesOf((await dom0.run('inspect')).stdout).toSorted()).toEqual([
        `disk ${node.name}`,
        expect.stringMatching(/^node /) as string,
        `saved ${node.name} 1`,
      ]);
      expect(await dom0.run(destroy(node))).toEqual(success);
      expect(await dom0.leftovers()).toEqual([]);
    });
  });
};

lifecycle(false, 'disks/news-web-1.img', create);
lifecycle(true, 'xen/dev/vg0/rackfire-news-web-1', thin);

describeShells('the end of a node', {}, (rig) => {
  test.each([
    ['obeys', undefined, 'r-----'],
    ['does not obey', 'deaf', 'r-----'],
    ['lost its monitor and stays shut down', 'no-monitor', 'r-----'],
    ['takes its time to die', 'slow-to-die', 'r-----'],
    ['is paused', undefined, '--p---'],
    ['is paused and could not obey', 'deaf', '--p---'],
    ['has crashed and is not reaped', 'deaf', '--psc-'],
    ['waits for a restart for ever', 'deaf', '---sr-'],
  ] as const)('comes when it %s', async (_situation, property, state) => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    const [{ id } = { id: '' }] = await dom0.domains();
    await writeFile(
      dom0.path('xen/domains', id, 'row'),
      `${node.name} ${node.uuid} 128 1 ${state}\n`,
    );
    if (property !== undefined) {
      await dom0.set(property);
    }
    await dom0.killNoMore();

    expect(await dom0.run(destroy(node, { deadline: 1 }))).toEqual(success);
    expect(await dom0.domains()).toEqual([]);
    expect(await dom0.leftovers()).toEqual([]);
    const isAsked = state === 'r-----';
    expect((await dom0.points()).includes('xl-shutdown')).toBe(isAsked);
  });

  test('does not wait for the deadline when xl cannot ask the guest', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.fail(
      'xl-shutdown',
      1,
      "libxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9\n" +
        'shutdown failed (rc=-9)\n',
    );

    expect(await dom0.run(destroy(node, { deadline: 9_999 }))).toEqual(success);
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('gives the room of its disk back although its loop device was left', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.attachLoop('loop0', dom0.path('disks', `${node.name}.img`));
    await dom0.attachLoop('loop1', dom0.path('disks', `${node.name}.img (deleted)`));
    await dom0.attachLoop('loop2', dom0.path('disks', `${node.name}1.img`));
    await dom0.attachLoop('loop3', dom0.path('disks', `other-${node.name}.img`));
    await dom0.attachLoop('loop4', `/elsewhere/${node.name}.img`);
    await mkdir(dom0.path('sys/block/loop5'));

    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.loops()).toEqual(['loop2', 'loop3', 'loop4']);
    const points = await dom0.points();
    expect(points.indexOf('losetup'), 'after its domain').toBeGreaterThan(
      points.lastIndexOf('xl-list'),
    );
  });

  test('finds its loop device although the kernel names no symbolic links', async () => {
    const { dom0 } = rig;
    await rename(dom0.path('disks'), dom0.path('moved'));
    await symlink(dom0.path('moved'), dom0.path('disks'));
    await dom0.run(create(dom0, node));
    await dom0.attachLoop('loop0', join(await realpath(dom0.path('moved')), `${node.name}.img`));

    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.loops()).toEqual([]);
  });

  test('at a deadline of 0 is not asked for', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.killNoMore();

    expect(await dom0.run(destroy(node, { deadline: 0 }))).toEqual(success);
    expect(await dom0.points()).not.toContain('xl-shutdown');
  });
});

describeShells('what is not the tenant', {}, (rig) => {
  const orders = ['pause', 'unpause', 'save', 'restore'].map((verb) => tenant(verb, node));

  test.each([
    ['no mark', { uuid: node.uuid, cmdline: 'root=/dev/xvda' }],
    ['the mark of another installation', { uuid: node.uuid, cmdline: marks('other', node.born) }],
    [
      'its mark, overruled by a later one',
      {
        uuid: node.uuid,
        cmdline: `${marks('acme', node.born)} ${marks('other', node.born)}`,
      },
    ],
    ['a longer mark', { uuid: node.uuid, cmdline: marks('acme-2', node.born) }],
    [
      'another UUID',
      { uuid: '99999999-2222-5333-8444-000000000001', cmdline: marks('acme', node.born) },
    ],
    [
      'a mark in the name of a disk',
      { uuid: node.uuid, disk: `/srv/${marks('acme', node.born)}/cmdline: {` },
    ],
    ['half a config', { uuid: '99999999-2222-5333-8444-000000000001', isHalfMade: true }],
  ])('is not touched when it has %s', async (_situation, domain) => {
    const { dom0 } = rig;
    await dom0.addDomain({ name: node.name, state: 'r-----', ...domain });
    const before = await dom0.domains();

    for (const request of [...orders, destroy(node)]) {
      expect([request, await dom0.run(request)]).toEqual([request, refusal('not-ours')]);
    }
    expect(await dom0.run(create(dom0, node))).toEqual(refusal('name-taken'));
    expect(await dom0.domains()).toEqual(before);
  });

  test.each([
    ['its next tenant', next.name, marks('acme', next.born), success],
    ['nobody of ours', node.name, 'root=/dev/xvda', refusal('not-ours')],
    ['a domain of another name', 'somebody', 'root=/dev/xvda', refusal('disk-in-use')],
  ])('keeps the loop device of its disk: %s has it', async (_situation, name, cmdline, answer) => {
    const { dom0 } = rig;
    const disk = dom0.path('disks', `${node.name}.img`);
    await writeFile(disk, 'in use');
    await dom0.attachLoop('loop0', disk);
    const uuid = name === node.name ? node.uuid : '99999999-2222-5333-8444-000000000001';
    await dom0.addDomain({ name, uuid, cmdline, disk });

    expect(await dom0.run(destroy(node))).toEqual(answer);
    expect(await dom0.loops()).toEqual(['loop0']);
    expect(await readFile(disk, 'utf8')).toBe('in use');
  });

  test('is not touched when it was born at another time', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, next));
    const left = await dom0.leftovers();

    for (const request of orders) {
      expect([request, await dom0.run(request)]).toEqual([request, refusal('not-there')]);
    }
    expect(await dom0.run(create(dom0, node))).toEqual(refusal('name-taken'));
    // This tenant is absent, which is a success; the other one stays whole.
    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.domains()).toMatchObject([{ name: node.name, state: 'r-----' }]);
    expect(await dom0.leftovers()).toEqual(left);
  });

  test('is not touched when it was born at another time and is saved', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, next));
    await dom0.run(tenant('save', next));
    const left = await dom0.leftovers();

    expect(await dom0.run(create(dom0, node))).toEqual(refusal('name-taken'));
    expect(await dom0.run(tenant('restore', node))).toEqual(refusal('not-there'));
    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.leftovers()).toEqual(left);
  });

  test('is not there: nothing can be done to nobody', async () => {
    for (const request of orders) {
      expect(await rig.dom0.run(request)).toEqual(refusal('not-there'));
    }
    expect(await rig.dom0.run(destroy(node))).toEqual(success);
  });

  test('is not found by a number that another domain has as its name', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.addDomain({ name: '1', uuid: '99999999-2222-5333-8444-000000000001' });

    expect(await dom0.run(destroy({ ...node, name: '1' }))).toEqual(refusal('bad-value'));
    expect(await dom0.run(tenant('pause', node))).toEqual(success);
    expect(await dom0.domains()).toMatchObject([
      { state: '--p---' },
      { name: '1', state: '-b----' },
    ]);
  });

  test.each([
    ['its UUID', { uuid: node.uuid }, 'uuid-taken'],
    ['its UUID and no config yet', { uuid: node.uuid, isHalfMade: true }, 'uuid-taken'],
    ['its MAC', { mac: node.mac }, 'address-taken'],
    ['its address', { ip: node.ip }, 'address-taken'],
    [
      'its address on the command line',
      { cmdline: `ip=${node.ip}::10.77.0.254:255.255.255.0:x:eth0:off a:} {` },
      'address-taken',
    ],
  ])('has %s: nothing is made', async (_situation, domain, code) => {
    const { dom0 } = rig;
    const uuid = '99999999-2222-5333-8444-000000000001';
    await dom0.addDomain({ name: 'somebody', uuid, ...domain });

    expect(await dom0.run(create(dom0, node))).toEqual(refusal(code));
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('has its disk: nothing is made, and the disk is not removed', async () => {
    const { dom0 } = rig;
    const disk = dom0.path(`disks/${node.name}.img`);
    await writeFile(disk, 'precious');
    const uuid = '99999999-2222-5333-8444-000000000001';
    await dom0.addDomain({ name: 'somebody', uuid, disk });

    expect(await dom0.run(create(dom0, node))).toEqual(refusal('disk-in-use'));
    expect(await dom0.run(destroy(node))).toEqual(refusal('disk-in-use'));
    expect(await readFile(disk, 'utf8')).toBe('precious');
  });

  test.each([
    ['UUID', { uuid: node.uuid }, 'uuid-taken'],
    ['MAC', { mac: node.mac }, 'address-taken'],
    ['address', { ip: node.ip }, 'address-taken'],
  ])('is saved and has its %s: nothing is made', async (_situation, change, code) => {
    const { dom0 } = rig;
    const saved = { ...nodeOf(2), ...change };
    await dom0.run(create(dom0, saved));
    await dom0.run(tenant('save', saved));

    expect(await dom0.run(create(dom0, node))).toEqual(refusal(code));
  });

  test('is dying under no name: its node is made when that has gone', async () => {
    const { dom0 } = rig;
    await dom0.addDomain({
      name: '(null)',
      uuid: node.uuid,
      state: '-----d',
      isHalfMade: true,
    });

    expect(await dom0.run(create(dom0, node))).toEqual(refusal('busy'));
    await rm(dom0.path('xen/domains/1'), { recursive: true });
    expect(await dom0.run(create(dom0, node))).toEqual(saying('created'));
  });
});

describeShells('a boot that cannot be', {}, (rig) => {
  const libxl = 'libxl: error: ';
  const tail =
    `${libxl}libxl_domain.c:1183:libxl__destroy_domid: Domain 7:Non-existant domain\n` +
    `${libxl}libxl_domain.c:1137:domain_destroy_callback: Domain 7:Unable to destroy guest\n` +
    `${libxl}libxl_domain.c:1064:domain_destroy_cb: Domain 7:Destruction of domain failed\n`;

  // Of Xen 4.17, but for the kernel that is none: that is worded as its source has it.
  test.each([
    [
      'no-memory',
      "xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory for domain: Out of memory\n" +
        `${libxl}libxl_dom.c:586:libxl__build_dom: xc_dom_boot_mem_init failed: Cannot allocate memory\n${tail}`,
      3,
      "can't allocate low memory",
    ],
    [
      'no-bridge',
      `${libxl}libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/vif-bridge online [1706] exited with error status 1\n` +
        `${libxl}libxl_device.c:1337:device_hotplug_child_death_cb: script: Could not find bridge device nobr0\n${tail}`,
      3,
      'Could not find bridge device nobr0',
    ],
    [
      'no-disk',
      `${libxl}libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=xvda failed to stat: /srv/x.img: No such file or directory\n` +
        `${libxl}libxl_create.c:1318:initiate_domain_create: Domain 7:Unable to set disk defaults for disk 0\n${tail}`,
      3,
      'failed to stat',
    ],
    [
      'no-kernel',
      "xc: error: panic: xg_dom_core.c:205: failed to open file '/srv/nokernel': No such file or directory: Internal error\n" +
        `${libxl}libxl_dom.c:646:libxl__build_pv: xc_dom_kernel_file failed: No such file or directory\n${tail}`,
      3,
      'failed to open file',
    ],
    [
      'bad-kernel',
      'xc: error: panic: xg_dom_core.c:702: xc_dom_find_loader: no loader found: Invalid kernel\n' +
        `${libxl}libxl_dom.c:577:libxl__build_dom: xc_dom_parse_image failed\n${tail}`,
      3,
      'no loader found',
    ],
    [
      'name-taken',
      `${libxl}libxl_domain.c:81:libxl__domain_rename: Domain 6:Domain with name "web1" already exists.\n` +
        `${libxl}libxl_create.c:1296:initiate_domain_create: Domain 6:cannot make domain: -6\n${tail}`,
      3,
      'already exists',
    ],
    [
      'create-failed',
      'Failed to read config file: /etc/xen/nodes/missing.cfg: No such file or directory\n',
      3,
      'Failed to read config file',
    ],
    [
      'create-failed',
      'syntax.cfg:8: config parsing error near `"unterminated\': lexical error\n' +
        'Failed to parse config: Invalid argument\n',
      1,
      'config parsing error',
    ],
    ['create-failed', '\u001B[31mfailed\u0007 \u00FC\n', 1, 'failed'],
    ['create-failed', '', 139, 'did not say why'],
  ])('is %s, by the first telling line', async (code, stderr, exitCode, said) => {
    const { dom0 } = rig;
    await dom0.fail('xl-create', exitCode, `Parsing config from x\n${stderr}`);

    const answer = await dom0.run(create(dom0, node));

    expect(answer).toEqual(refusal(code, said));
    expect(answer.stderr).toMatch(/^[ -~]+\n$/);
    expect(await dom0.domains()).toEqual([]);
    expect(await dom0.leftovers()).toEqual([]);
    await dom0.mend('xl-create');
    expect(await dom0.run(create(dom0, node))).toEqual(saying('created'));
  });

  test.each([
    ['no-image', { image: 'images/none.img' }],
    ['no-kernel', { kernel: 'images/none' }],
    ['no-kernel', { ramdisk: 'images/none' }],
  ])('is %s before anything is made', async (code, change) => {
    const { dom0 } = rig;
    const paths = Object.entries(change).map(([key, path]) =>
      key === 'image' ? ['disk', `file:${dom0.path(path)}`] : [key, dom0.path(path)],
    );

    const request = create(dom0, node, Object.fromEntries(paths) as Record<string, string>);

    expect(await dom0.run(request)).toEqual(refusal(code));
    expect(await dom0.leftovers()).toEqual([]);
  });

  test.each([
    ['no-bridge', { bridge: 'xenbr1' }, 'xenbr1'],
    ['no-disk', { 'disk-mib': 99_999_999 }, '99999999 MiB are needed'],
    ['no-memory', { memory: 4_096 }, '1280 MiB are free'],
  ])('is %s before anything is made, too', async (code, change, said) => {
    const { dom0 } = rig;
    expect(await dom0.run(create(dom0, node, change))).toEqual(refusal(code, said));
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('is no-disk when the image is larger than the disk', async () => {
    const { dom0 } = rig;
    await writeFile(dom0.path('images/web.img'), Buffer.alloc(1_048_577));

    expect(await dom0.run(create(dom0, node, { 'disk-mib': 1 }))).toEqual(refusal('no-disk'));
  });

  test.each([
    ['no-disk', 'cp', "cp: error writing '/x.part': No space left on device\n"],
    ['create-failed', 'cp', "cp: error reading '/x': Input/output error\n"],
    ['create-failed', 'truncate', "truncate: failed to truncate '/x': Read-only file system\n"],
    ['create-failed', 'mv', "mv: cannot move '/x': Read-only file system\n"],
  ])('is %s when %s fails', async (code, point, stderr) => {
    const { dom0 } = rig;
    if (point === 'mv') {
      // The mark needs mv, too: from the copy on it fails.
      const held = dom0.hold('truncate');
      const creating = dom0.run(create(dom0, node));
      await held.reached();
      await dom0.fail('mv', 1, stderr);
      await held.release();
      expect(await creating).toEqual(refusal(code));
    } else {
      await dom0.fail(point, 1, stderr);
      expect(await dom0.run(create(dom0, node))).toEqual(refusal(code));
    }
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('leaves nothing when its domain is there although xl has failed', async () => {
    const { dom0 } = rig;
    await dom0.fail('xl-create-done', 3, `${libxl}libxl_create.c:1921:domcreate: Domain 1:odd\n`);

    expect(await dom0.run(create(dom0, node))).toEqual(refusal('create-failed', 'odd'));
    expect(await dom0.domains()).toEqual([]);
    expect(await dom0.leftovers()).toEqual([]);
  });
});

describeShells('a boot from a volume that cannot be', { volumeGroup: true }, (rig) => {
  test.each([
    ['no-disk', 'lvcreate', '  Insufficient free space: 25 extents needed\n'],
    ['create-failed', 'lvcreate', '  Cannot create new thin volume, free space in pool reached\n'],
    ['create-failed', 'lvextend', '  Failed to suspend logical volume\n'],
  ])('is %s when %s fails, and leaves nothing', async (code, point, stderr) => {
    const { dom0 } = rig;
    await dom0.fail(point, 5, stderr);

    expect(await dom0.run(thin(dom0, node))).toEqual(refusal(code));
    expect(await dom0.leftovers()).toEqual([]);
  });

  test('is no-disk when the pool is booked, however little of it is written', async () => {
    const { dom0 } = rig;
    await writeFile(dom0.path('xen/pool-mib'), '30\n');
    expect(await dom0.run(thin(dom0, node))).toEqual(saying('created'));

    expect(await dom0.run(thin(dom0, nodeOf(2)))).toEqual(refusal('no-disk', '6 MiB'));
  });
});

describeShells('a standby', {}, (rig) => {
  test('is woken although xl says of a running domain that it cannot be', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('pause', node));
    await dom0.fail(
      'xl-unpause',
      0,
      'libxl: error: libxl_domain.c:688:domain_unpause_done: Domain 3:Unpausing domain: Invalid argument\n',
    );

    // The simulated one stays paused then, which the exit code of xl does not say.
    expect(await dom0.run(tenant('unpause', node))).toEqual(refusal('xl-failed', 'Unpausing'));
  });

  test('cannot be saved while it is paused, and stays', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('pause', node));

    expect(await dom0.run(tenant('save', node))).toEqual(refusal('save-failed', 'paused'));
    expect(await dom0.domains()).toMatchObject([{ state: '--p---' }]);
  });

  test('that cannot be saved runs on, and no file is left', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    const left = await dom0.leftovers();
    await dom0.fail('xl-save', 1, 'libxl: error: libxl_stream_write.c:347: write failed\n');

    expect(await dom0.run(tenant('save', node))).toEqual(refusal('save-failed'));
    expect(await dom0.leftovers()).toEqual(left);
    expect(await dom0.domains()).toMatchObject([{ state: 'r-----' }]);
  });

  test.each([
    ['no-memory', 'xc: error: panic: xg_dom_boot.c:119: Out of memory\n'],
    ['restore-failed', 'libxl: error: libxl_utils.c:505: file/stream truncated reading\n'],
  ])('whose restore fails as %s stays saved', async (code, stderr) => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('save', node));
    await dom0.fail('xl-restore', 3, stderr);

    expect(await dom0.run(tenant('restore', node))).toEqual(refusal(code));
    await dom0.mend('xl-restore');
    expect(await dom0.run(tenant('restore', node))).toEqual(saying('restored'));
  });

  test('is restored only where there is room for its memory', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await dom0.run(tenant('save', node));
    await dom0.run(create(dom0, nodeOf(2), { memory: 1_140 }));

    expect(await dom0.run(tenant('restore', node))).toEqual(refusal('no-memory', '136 MiB'));
    expect(await dom0.run(destroy(nodeOf(2)))).toEqual(success);
    expect(await dom0.run(tenant('restore', node))).toEqual(saying('restored'));
  });
});

describe('answers', () => {
  describeShells('the host', {}, (rig) => {
    test('is said to be ill when xl is', async () => {
      const { dom0 } = rig;
      await dom0.fail('xl-list', 1, 'xencall: error: Could not obtain handle on privcmd\n');

      for (const request of ['inspect', create(dom0, node), tenant('pause', node), destroy(node)]) {
        expect(await dom0.run(request)).toEqual(refusal('xl-failed', 'privcmd'));
      }
      expect(await dom0.leftovers()).toEqual([]);
    });

    test('is checked with all that a boot needs', async () => {
      const { dom0 } = rig;
      const request = write('check', {
        bridge: 'xenbr1',
        disk: `file:${dom0.path('images/web.img')}`,
        kernel: dom0.path('images/none'),
      });

      const { exitCode, stdout } = await dom0.run(request);

      expect(exitCode).toBe(0);
      expect(stdout.trim().split('\n')).toEqual([
        expect.stringMatching(/^ok time \d{10}$/) as string,
        'ok installation acme',
        'ok xl Xen 4.17.7',
        'ok free-memory 1280 MiB',
        'bad bridge xenbr1',
        `ok disk ${dom0.path('images/web.img')}`,
        `bad kernel ${dom0.path('images/none')}`,
        ...['state', 'run', 'disks', 'saved'].map((name) => `ok folder ${dom0.path(name)}`),
        `ok lock ${dom0.path('run')}`,
        expect.stringMatching(/^ok free-disk \d+ MiB \(file\)$/) as string,
      ]);
    });

    test('is checked to the end although a folder is not there', async () => {
      const { dom0 } = rig;
      await rm(dom0.path('disks'), { recursive: true });

      const { exitCode, stdout } = await dom0.run('check');

      expect(exitCode).toBe(0);
      expect(stdout.trim().split('\n').slice(-4)).toEqual([
        `bad folder ${dom0.path('disks')}`,
        `ok folder ${dom0.path('saved')}`,
        `ok lock ${dom0.path('run')}`,
        'bad free-disk unknown (file)',
      ]);
    });

    test('is inspected by three questions to xl, because a process is dear in a dom0', async () => {
      const { dom0 } = rig;
      await dom0.run(create(dom0, node));
      await dom0.killNoMore();

      expect(await dom0.run('inspect')).toMatchObject({ exitCode: 0 });
      expect(await dom0.points()).toEqual(['xl-list', 'xl-info', 'xl-list']);
    });

    test('shows a mark that cannot be read, and lets it be destroyed', async () => {
      const { dom0 } = rig;
      await dom0.run(create(dom0, nodeOf(2)));
      await writeFile(dom0.path('state/nodes', node.name), `${node.uuid} 17955`);
      await writeFile(dom0.path('disks', `${node.name}.img`), 'a disk');

      expect(linesOf((await dom0.run('inspect')).stdout)).toContain(
        `node ${node.name} 00000000-0000-0000-0000-000000000000 0 unknown@0 0 0 0`,
      );
      expect(await dom0.run(destroy({ ...node, born: '0' }))).toEqual(success);
      expect(await dom0.leftovers()).toEqual(['disks/news-web-2.img', 'state/nodes/news-web-2']);
    });

    test('keeps its term when it has forgotten everything else', async () => {
      const { dom0 } = rig;
      await rm(dom0.path('run'), { recursive: true });

      expect(await dom0.run(create(dom0, node))).toEqual(saying('created'));
      expect(await dom0.run(fence({ term: '1.1' }))).toEqual(refusal('stale-term', term));
    });
  });
});
