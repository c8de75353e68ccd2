/** What the wrapper takes for a request, and what it refuses before anything is done. */

import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Dom0 } from './dom0.ts';
import { create, destroy, fence, nodeOf, tenant, type Values, write } from './requests.ts';
import { describeShells, refusal, saying, success } from './rig.ts';

const node = nodeOf(1);

describeShells('a request', {}, (rig) => {
  async function expectRefused(request: string, code: string): Promise<void> {
    const { dom0 } = rig;
    await dom0.killNoMore();
    expect(await dom0.run(request)).toEqual(refusal(code));
    expect(await dom0.leftovers()).toEqual([]);
    // No command was run at all.
    await expect(dom0.points()).rejects.toThrow('ENOENT');
  }

  test.each([
    ['blanks', '  '],
    ['another verb', 'reboot'],
    ['the name of one of its functions', 'remove_node'],
    ['a shell', 'sh -c id'],
    ['a second command', 'inspect;id'],
    ['a second command after blanks', 'inspect ; id'],
    ['a second line', 'inspect\nid'],
    ['a line end', 'inspect\r'],
    ['a substitution', 'inspect $(id)'],
    ['an old substitution', 'inspect `id`'],
    ['a variable', 'inspect $HOME'],
    ['a pipe', 'inspect|id'],
    ['the background', 'inspect&id'],
    ['a redirection', 'inspect>/tmp/x'],
    ['a pattern', 'inspect *'],
    ['quotes', "inspect ''"],
    ['a backslash', 'inspect \\'],
    ['a comment', 'inspect #'],
    ['braces', 'inspect {a,b}'],
    ['a tab', 'inspect\tid'],
    ['a letter of another alphabet', 'inspect é'],
    ['a word that is not key=value', 'inspect name'],
    ['a key that the verb does not have', 'inspect name=news-web-1'],
    ['a key that nothing has', 'fence shard=main term=1.1 PATH=/tmp'],
    ['a key twice', 'fence shard=main term=1.1 term=1.2'],
    ['a key too few', 'fence shard=main'],
  ])('of %s is bad', async (_situation, request) => {
    await expectRefused(request, 'bad-request');
  });

  test.each([
    ['is empty', ''],
    ['did not come, as sudo drops it,', undefined],
  ])('that %s is told as such, with what sudo needs', async (_situation, request) => {
    expect(await rig.dom0.run(request)).toEqual(
      refusal('no-request', 'SSH_ORIGINAL_COMMAND .*env_keep'),
    );
  });

  test.each([4_097, 100_000])('of %d bytes is too long', async (bytes) => {
    await expectRefused(`fence shard=main term=1.1${' '.repeat(bytes - 25)}`, 'bad-request');
  });

  test('of 4096 bytes is not too long', async () => {
    const request = fence();
    expect(await rig.dom0.run(request + ' '.repeat(4_096 - request.length))).toEqual(success);
  });

  test('of 1 MiB does not even come to the wrapper', async () => {
    await expect(rig.dom0.run('x'.repeat(1_048_576))).rejects.toThrow('E2BIG');
  });

  test('is carried out although 1 MiB comes on standard input, of which nothing is read', async () => {
    const noise = Buffer.alloc(1_048_576, 'id;$(id)\n');

    expect(await rig.dom0.run(create(rig.dom0, node), noise)).toEqual(saying('created'));
    expect(await rig.dom0.run(destroy(node), noise)).toEqual(success);
  });

  test.each([
    ['name', ['', '-a', 'a_b', 'A', 'a.b', '17', 'a/b', '../a', 'a'.repeat(64)]],
    ['uuid', ['', '11111111222253338444000000000001', '11111111-2222-5333-8444-00000000000g']],
    ['born', ['', '-1', '1.5', '01', '1e3', '1234567890123456', '99999999999999999999']],
    ['shard', ['-main', 'Main', 'a/b', '..']],
    ['term', ['1', '1.', '.1', '1.1.1', '01.1', '1.01', '1234567890123.1', '1.1234567890', '-1.1']],
    ['image', ['web', 'web@', '@1', 'web@1@2', '.web@1', 'web@../1', 'w'.repeat(65) + '@1']],
    ['disk', ['', '/images/web.img', 'qcow2:/a', 'file:a', 'thin:vg0', 'thin:vg0/a/b', 'thin:/a']],
    ['kernel', ['vmlinuz', '/', '/a/../b', '/a//b', '/a/./b', '/a/', `/${'a'.repeat(512)}`]],
    ['ramdisk', ['initrd', '/..', '/a/..']],
    ['type', ['hvm', 'PV', 'pvhh']],
    ['memory', ['0', '-1', '0128', '128M', '12345678', '18446744073709551616']],
    ['vcpus', ['0', '1000', '1.5']],
    ['disk-mib', ['0', '123456789', '18446744073709551617']],
    ['mac', ['00:16:3e:00:00', '00:16:3e:00:00:0g', '01:16:3e:00:00:01', '00:16:3E:00:00:01']],
    ['bridge', ['-br0', 'a/b', '..', 'abcdefghijklmnop']],
    ['ip', ['10.0.0', '10.0.0.256', '10.0.0.01', '10.0.0.1.2', '.10.0.0.1', '10..0.1', 'a.b.c.d']],
    ['gateway', ['10.0.0.', '1.2.3.4444']],
    ['prefix', ['0', '33', '024', '255']],
    ['hash', ['', 'xyz', 'ABCDEF', '0'.repeat(65)]],
  ])('with a bad %s is refused', async (key, values) => {
    for (const value of values) {
      await expectRefused(create(rig.dom0, node, { [key]: value }), 'bad-value');
    }
  });

  test('with a deadline that no number is, is refused', async () => {
    for (const deadline of ['-1', '12345', '1h', '007']) {
      await expectRefused(destroy(node, { deadline }), 'bad-value');
    }
  });

  const outside: readonly [string, (dom0: Dom0) => Values][] = [
    ['an image from elsewhere', () => ({ disk: 'file:/etc/shadow' })],
    ['an image beside its folder', (dom0) => ({ disk: `file:${dom0.path('images2/web.img')}` })],
    ['the disk of a node', (dom0) => ({ disk: `file:${dom0.path('disks/news-web-2.img')}` })],
    ['a saved node', (dom0) => ({ disk: `file:${dom0.path('saved/news-web-2.save')}` })],
    ['a kernel from elsewhere', () => ({ kernel: '/boot/vmlinuz' })],
    ['a ramdisk from elsewhere', () => ({ ramdisk: '/boot/initrd' })],
    ['another bridge', () => ({ bridge: 'mgmt0' })],
    ['a volume where there are none', () => ({ disk: 'thin:vg0/img-web' })],
  ];

  test.each(outside)('for %s is forbidden', async (_situation, change) => {
    await expectRefused(create(rig.dom0, node, change(rig.dom0)), 'forbidden');
  });

  test('with an address and no gateway is bad', async () => {
    await expectRefused(create(rig.dom0, node, { gateway: undefined }), 'bad-request');
    await expectRefused(create(rig.dom0, node, { ip: undefined }), 'bad-request');
  });

  test('needs all that says whom it is for', async () => {
    for (const key of ['name', 'uuid', 'born', 'shard', 'term']) {
      await expectRefused(tenant('pause', node, { [key]: undefined }), 'bad-request');
    }
  });

  test('is refused by a conf that does not say whose nodes these are', async () => {
    await writeFile(rig.dom0.confPath, `DISK_DIR=/a\nSAVE_DIR=/b\nPATH=${rig.dom0.path('bin')}\n`);

    expect(await rig.dom0.run('inspect')).toEqual(refusal('xl-failed', 'INSTALLATION'));
  });
});

describeShells('a conf', {}, (rig) => {
  test.each([
    ['IMAGE_DIRS', (images: string) => `/nowhere ${images}/`],
    ['IMAGE_DIRS', () => 'images'],
    ['DISK_DIR', (images: string) => `${images}/`],
    ['RUN_DIR', () => ''],
  ])(
    'is refused with a %s that is no absolute path or has a slash at its end',
    async (key, valueOf) => {
      const { dom0 } = rig;
      const value = valueOf(dom0.path('images'));
      await writeFile(dom0.confPath, `${key}="${value}"\n`, { flag: 'a' });

      const said = `${key}: '${value.split(' ').at(-1)}' in ${dom0.confPath} must be an absolute path`;
      expect(await dom0.run('inspect')).toEqual(refusal('xl-failed', said));
    },
  );

  test.each([
    ['DISK_DIR', 'xl-failed'],
    ['SAVE_DIR', 'xl-failed'],
    ['INSTALLATION', 'xl-failed'],
    ['IMAGE_DIRS', 'forbidden'],
    ['BRIDGES', 'forbidden'],
  ])('with a misspelled %s is told by that key', async (key, code) => {
    const { dom0 } = rig;
    const conf = await readFile(dom0.confPath, 'utf8');
    await writeFile(dom0.confPath, conf.replace(`${key}=`, `MY_${key}=`));

    expect(await dom0.run(create(dom0, node))).toEqual(
      refusal(code, `${key}.*in ${dom0.confPath} `),
    );
  });

  test('with a misspelled VOLUME_GROUP is told by that key', async () => {
    const { dom0 } = rig;

    expect(await dom0.run(create(dom0, node, { disk: 'thin:vg0/img-web' }))).toEqual(
      refusal('forbidden', `VOLUME_GROUP in ${dom0.confPath} is empty`),
    );
  });

  test('without BRIDGES and IMAGE_DIRS still lets nodes be seen and destroyed', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    await writeFile(dom0.confPath, "BRIDGES=''\nIMAGE_DIRS=''\n", { flag: 'a' });

    expect(await dom0.run('check bridge=xenbr0')).toEqual(refusal('forbidden', 'BRIDGES in'));
    expect((await dom0.run('inspect')).stdout).toContain(`node ${node.name} `);
    expect(await dom0.run(destroy(node))).toEqual(success);
    expect(await dom0.domains()).toEqual([]);
  });
});

describeShells('a RUN_DIR', {}, (rig) => {
  const blockBy = {
    // Both are refused to root, too.
    'read-only': (path: string) => mkdir(path),
    full: (path: string) => symlink('/dev/full', path),
  };

  test.each([
    ['read-only', 'host.lock'],
    ['read-only', `operations/${node.name}`],
    ['full', `operations/${node.name}`],
    ['read-only', `reservations/${node.name}`],
  ] as const)('that is %s where %s belongs is told, and nothing is made', async (kind, file) => {
    const { dom0 } = rig;
    const path = dom0.path('run', file);
    await rm(path, { force: true });
    await blockBy[kind](path);

    expect(await dom0.run(create(dom0, node))).toEqual(
      refusal('xl-failed', `${path} cannot be written; make room in ${dom0.path('run')}`),
    );
    expect(await dom0.domains()).toEqual([]);
    await rm(path, { recursive: true, force: true });
    expect(await dom0.leftovers()).toEqual([]);
    expect(await dom0.run(create(dom0, node))).toEqual(saying('created'));
  });

  test('that is read-only where the words of xl belong is told before anything is ended', async () => {
    const { dom0 } = rig;
    await dom0.run(create(dom0, node));
    const path = dom0.path('run/work', `${node.name}.err`);
    await mkdir(path);

    expect(await dom0.run(destroy(node, { deadline: 0 }))).toEqual(
      refusal('xl-failed', `${path} cannot be written`),
    );
    expect(await dom0.domains()).toHaveLength(1);
  });
});

describeShells('a request for volumes', { volumeGroup: true }, (rig) => {
  test.each([
    ['another volume group', 'thin:vg1/img-web'],
    ['the disk of a node', 'thin:vg0/rackfire-news-web-2'],
  ])('of %s is forbidden', async (_situation, disk) => {
    expect(await rig.dom0.run(create(rig.dom0, node, { disk }))).toEqual(refusal('forbidden'));
  });

  test('is refused when LVM is not there', async () => {
    await rig.dom0.removeCommand('dmsetup');
    await writeFile(rig.dom0.confPath, `PATH=${rig.dom0.path('bin')}\n`, { flag: 'a' });

    expect(await rig.dom0.run(write('inspect'))).toEqual(refusal('xl-failed', 'not installed'));
  });
});
