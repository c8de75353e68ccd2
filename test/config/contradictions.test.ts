import { expect, test } from 'vitest';
import { edit, minimal, problemsOf, withWebLine, withRootLines } from './minimal.ts';

const web = 'clusters[0].tiers.web';
const cluster = minimal.slice(minimal.indexOf('  - name: news'));
/** A second cluster that is at peace with the first; its `- name` is line 20, its tier line 22. */
const shop = cluster
  .replace('news', 'shop')
  .replace('news-web', 'shop-web')
  .replace('127.0.1.20-127.0.1.51', '127.0.3.1-127.0.3.20');
const host = minimal.split('\n')[2];
const balancer = minimal.split('\n')[4];

test.each([
  [
    'more nodes than addresses',
    edit(minimal, 'max: 12', 'max: 33'),
    [`16:31 ${web}.nodes.max: up to 33 nodes, but \`addresses\` has only 32`],
  ],
  [
    'more fixed nodes than addresses',
    `${minimal}      db: { scaling: none, image: drupal-web, size: small, nodes: 3, addresses: 127.0.2.1-127.0.2.2 }\n`,
    ['20:67 clusters[0].tiers.db.nodes: 3 nodes, but `addresses` has only 2'],
  ],
  [
    'standby nodes that never fit',
    withWebLine('standby: { nodes: 11 }'),
    [
      `19:27 ${web}.standby.nodes: 11 on standby beside 2 in service are more than \`nodes.max\` (12)`,
    ],
  ],
  [
    'an image that is not there',
    edit(minimal, 'image: drupal-web', 'image: drupal-wep'),
    [`14:16 ${web}.image: there is no \`drupal-wep\` in \`images\`; did you mean \`drupal-web\`?`],
  ],
  [
    'a size with a name that every JavaScript object has',
    edit(minimal, 'size: small', 'size: constructor'),
    [`15:15 ${web}.size: there is no \`constructor\` in \`sizes\``],
  ],
  [
    'two hosts of one name',
    edit(minimal, `${host}\n`, `${host}\n${host}\n`),
    ['4:13 hosts[1].name: host name `local-a` is already used by hosts[0].name'],
  ],
  [
    'one balancer twice',
    edit(minimal, `${balancer}\n`, `${balancer}\n${balancer}\n`),
    [
      '6:13 balancers[1].name: balancer name `lb-a` is already used by balancers[0].name',
      '6:44 balancers[1].socket: socket `/run/haproxy.sock` is already used by balancers[0].socket',
      '6:74 balancers[1].stateFile: file `/var/lib/haproxy/state` is already used by balancers[0].stateFile',
    ],
  ],
  [
    'one file for lock and journal',
    withRootLines('leadership: { path: /run/one }\njournal: { path: /run/one }'),
    ['7:18 journal.path: file `/run/one` is already used by leadership.path'],
  ],
  [
    'two clusters of one name',
    minimal + edit(shop, 'shop', 'news'),
    ['20:11 clusters[1].name: cluster name `news` is already used by clusters[0].name'],
  ],
  [
    'two tiers with one backend',
    minimal + edit(shop, 'shop-web', 'news-web'),
    [`27:18 clusters[1].tiers.web.backend: backend \`news-web\` is already used by ${web}.backend`],
  ],
  [
    'one bind in two spellings',
    withWebLine('frontend: { bind: ":80" }') +
      withWebLine('frontend: { bind: "0.0.0.0:80" }', shop),
    [
      `29:27 clusters[1].tiers.web.frontend.bind: bind \`*:80\` is already used by ${web}.frontend.bind`,
    ],
  ],
  [
    'ranges that share one address',
    minimal + edit(shop, '127.0.3.1-127.0.3.20', '127.0.1.51-127.0.1.70'),
    [
      `26:20 clusters[1].tiers.web.addresses: 127.0.1.51-127.0.1.70 overlaps 127.0.1.20-127.0.1.51 of ${web}`,
    ],
  ],
  [
    'a range around an earlier one',
    minimal + edit(shop, '127.0.3.1-127.0.3.20', '127.0.1.1-127.0.1.100'),
    [
      `26:20 clusters[1].tiers.web.addresses: 127.0.1.1-127.0.1.100 overlaps 127.0.1.20-127.0.1.51 of ${web}`,
    ],
  ],
  [
    'nodes of two tiers that would have the same names',
    edit(minimal, 'news', 'news-a') + edit(edit(shop, 'shop', 'news'), 'web:', 'a-web:'),
    [`22:7 clusters[1].tiers.a-web: node name \`news-a-web-1\` is already used by ${web}`],
  ],
  [
    'a boot deadline that equals the boot delay',
    withWebLine('boot: { deadline: 5s }'),
    [
      `19:27 ${web}.boot.deadline: must be longer than the boot delay of host \`local-a\` (5s), got 5s`,
    ],
  ],
  [
    'a boot delay beyond the default deadline',
    edit(minimal, 'embedded,', 'embedded, embedded: { bootDelay: 301s },'),
    [
      `13:7 ${web}.boot.deadline: must be longer than the boot delay of host \`local-a\` (301s), got auto, which is 5m at first`,
    ],
  ],
  [
    'a node larger than every host',
    edit(minimal, '512MiB', '9GiB'),
    [`15:15 ${web}.size: no host has room for one node of size \`small\` (9GiB, 1 vcpus, 4GiB)`],
  ],
  [
    'a node that only the reserve keeps off the host',
    edit(edit(minimal, '512MiB', '8GiB'), 'embedded,', 'embedded, reserve: { memory: 1MiB },'),
    [`15:15 ${web}.size: no host has room for one node of size \`small\` (8GiB, 1 vcpus, 4GiB)`],
  ],
  [
    'a reserve of everything',
    edit(minimal, 'embedded,', 'embedded, reserve: { memory: 8GiB },'),
    [
      "3:59 hosts[0].reserve.memory: leaves nothing of the host's 8GiB",
      `15:15 ${web}.size: no host has room for one node of size \`small\` (512MiB, 1 vcpus, 4GiB)`,
    ],
  ],
  [
    'embedded nodes with addresses of a network',
    edit(minimal, '127.0.1.20-127.0.1.51', '10.0.1.20-10.0.1.51'),
    [
      `17:20 ${web}.addresses: embedded nodes need loopback addresses (127.0.0.0/8), got 10.0.1.20-10.0.1.51`,
    ],
  ],
  [
    'several contradictions at once',
    edit(edit(minimal, 'max: 12', 'max: 40'), 'image: drupal-web', 'image: other'),
    [
      `14:16 ${web}.image: there is no \`other\` in \`images\``,
      `16:31 ${web}.nodes.max: up to 40 nodes, but \`addresses\` has only 32`,
    ],
  ],
])('%s', (_situation, text, problems) => {
  expect(problemsOf(text)).toEqual(problems);
});

test.each([
  ['two clusters side by side', minimal + shop],
  ['ranges that touch', minimal + edit(shop, '127.0.3.1-127.0.3.20', '127.0.1.52-127.0.1.70')],
  ['as many nodes as addresses', edit(minimal, 'max: 12', 'max: 32')],
  ['a node as large as its host', edit(minimal, '512MiB', '8GiB')],
  ['standby nodes that fill the rest', withWebLine('standby: { nodes: 10 }')],
  ['a deadline just longer than the boot', withWebLine('boot: { deadline: 5001ms }')],
  [
    'one port on two addresses',
    withWebLine('frontend: { bind: "127.0.0.1:80" }') +
      withWebLine('frontend: { bind: "127.0.0.2:80" }', shop),
  ],
])('%s is no contradiction', (_situation, text) => {
  expect(problemsOf(text)).toEqual([]);
});
