/** `rackfire capacity` as a process. */

import { expect, test } from 'vitest';
import { edit, minimal, minimalXen } from '../config/minimal.ts';
import { Folder, rackfire } from './rackfire.ts';

const hostB =
  '  - { name: local-b, driver: embedded, capacity: { memory: 3GiB, vcpus: 8, disk: 100GiB } }\n';
const large = '  large: { memory: 4GiB, vcpus: 2, disk: 40GiB }\n';
/** Nobody else has nodes of this installation. */
const alone = edit(minimal, 'installation: example', 'installation: empty-site');
const site = edit(
  edit(alone, 'balancers:\n', `${hostB}balancers:\n`),
  'images:\n',
  `${large}images:\n`,
);

async function capacity(text: string, ...args: readonly string[]) {
  await using folder = await Folder.create({ 'site.yaml': text });
  return await rackfire('capacity', '-c', folder.file('site.yaml'), ...args);
}

test('how many more nodes of each size fit, now and with the worst host down, and what stops the next', async () => {
  const { code, stdout, stderr } = await capacity(site);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe(`SIZE                 local-a  local-b  IN ALL  THE NEXT
small  now           8        6        14      local-a: vcpus, 0 left; local-b: memory, 0 left
       local-a down  –        6        6       local-b: memory, 0 left
large  now           2        0        2       local-a: memory, 0 left; local-b: memory, 3072 left
       local-a down  –        0        0       local-b: memory, 3072 left
`);
});

test('a single host has nothing to compare with; limits.maxNodes may come first', async () => {
  const limited = edit(alone, 'sizes:\n', 'limits: { maxNodes: 3 }\nsizes:\n');
  const { code, stdout } = await capacity(limited);
  expect(code).toBe(0);
  expect(stdout).toBe(`SIZE        local-a  IN ALL  THE NEXT
small  now  3        3       limits.maxNodes
`);
});

test('--json: the same as one object for scripts', async () => {
  const { code, stdout } = await capacity(site, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    hosts: ['local-a', 'local-b'],
    unanswered: [],
    sizes: [
      {
        size: { name: 'small', memoryMiB: 512 },
        now: { nodes: 14, next: { why: 'no-host' } },
        oneHostDown: { host: 'local-a', nodes: 6, isCovered: true },
      },
      { size: { name: 'large' }, now: { nodes: 2 } },
    ],
  });
});

test('a host that does not answer has room for nothing: said, and exit 69', async () => {
  const { code, stdout, stderr } = await capacity(minimalXen);
  expect(code).toBe(69);
  expect(stdout).toMatch(/^small +now +0 +0 +xen-a: unreachable$/m);
  expect(stderr).toContain('only part of the capacity is known, no answer from ');
  expect(stderr).toContain('xen-a');
});
