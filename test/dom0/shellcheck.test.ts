/** The scripts that run as root on a dom0, those that stand for one, and the lab's, as a strict reader sees them. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { shells } from './dom0.ts';

const root = resolve(import.meta.dirname, '../..');
const fakes = readdirSync(join(import.meta.dirname, 'fake'));
const scripts = ['config/dom0/rackfire-dom0', ...fakes.map((name) => `test/dom0/fake/${name}`)];

function runIn(
  folder: string,
  command: readonly string[],
): { status: number | null; said: string } {
  const [name = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(name, args, {
    cwd: folder,
    encoding: 'utf8',
  });
  if (error !== undefined) {
    throw error;
  }
  return { status, said: stdout + stderr };
}

const labScripts = [
  'lab',
  'image/build',
  'image/dom0/init',
  'image/dom0/overlay/usr/local/sbin/lab-network',
  'image/dom0/overlay/usr/local/sbin/lab-storage',
  'image/guest/init',
  'image/guest/overlay/etc/rc',
].map((name) => `lab/xen/${name}`);

test('shellcheck finds nothing in the scripts of the lab', () => {
  const command = ['shellcheck', '--external-sources', '--source-path=SCRIPTDIR', ...labScripts];
  expect(runIn(root, command)).toEqual({ status: 0, said: '' });
});

test('shellcheck finds nothing', () => {
  expect(runIn(root, ['shellcheck', ...scripts])).toEqual({ status: 0, said: '' });
});

test('the example of a conf is a conf', () => {
  const example = ['--shell=sh', '--exclude=SC2034', 'config/dom0/dom0.conf.example'];
  expect(runIn(root, ['shellcheck', ...example])).toEqual({ status: 0, said: '' });
});

test.each(Object.entries(shells))('%s can read the wrapper', (_name, shell) => {
  const command = [...shell, '-n', 'config/dom0/rackfire-dom0'];
  expect(runIn(root, command)).toEqual({ status: 0, said: '' });
});
