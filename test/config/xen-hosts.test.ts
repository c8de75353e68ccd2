import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { edit, minimal, minimalXen, problemsOf } from './minimal.ts';

const web = 'clusters[0].tiers.web';
const host = '{ name: xen-a, driver: xen, address: 10.0.0.11 }';
const db =
  '      db: { scaling: none, nodes: 1, image: mysql, size: small, addresses: 10.9.0.5 }\n';

function withHost(more: string): string {
  return edit(minimalXen, 'address: 10.0.0.11', `address: 10.0.0.11, ${more}`);
}

function withImage(from: string, to: string): string {
  return edit(minimalXen, from, to);
}

describe('a config of Xen hosts that says only what must be said', () => {
  test('is compiled with every default', () => {
    const { config } = parseConfig(minimalXen, 'site.yaml');
    expect({
      hosts: config.hosts,
      network: config.network,
      images: config.images,
      placement: config.placement,
    }).toEqual({
      hosts: [
        {
          name: 'xen-a',
          driver: 'xen',
          failureDomain: 'xen-a',
          address: '10.0.0.11',
          port: 22,
          user: 'rackfire',
          keyFile: '/etc/rackfire/id_ed25519',
          knownHostsFile: '/etc/rackfire/known_hosts',
          reserveMemoryMiB: 64,
          vcpusPerCpu: 1,
        },
      ],
      network: {
        bridge: 'xenbr0',
        addressing: 'kernel',
        gateway: '10.0.1.1',
        prefixLength: 24,
      },
      images: [
        {
          name: 'drupal-web',
          version: '1',
          type: 'pv',
          disk: { thin: 'vg0/drupal-web' },
          kernel: '/boot/guest/vmlinuz',
        },
      ],
      placement: { hostFailuresToTolerate: 1 },
    });
  });

  test('takes over what differs from the defaults', () => {
    const text = edit(
      withImage(
        'disk: { lvmThin: vg0/drupal-web }, kernel: /boot/guest/vmlinuz',
        'type: pvh, disk: { file: /srv/web.img }, kernel: /boot/k, ramdisk: /boot/r',
      ),
      host,
      `{ name: xen-a, driver: xen, address: "xen-a.example.org:2222", failureDomain: rack-1, vcpusPerCpu: 4,
      ssh: { user: root, keyFile: /k, knownHostsFile: /n }, reserve: { memory: 1GiB } }`,
    );
    const { config } = parseConfig(text, 'site.yaml');
    expect(config).toMatchObject({
      hosts: [
        {
          failureDomain: 'rack-1',
          address: 'xen-a.example.org',
          port: 2222,
          user: 'root',
          keyFile: '/k',
          knownHostsFile: '/n',
          reserveMemoryMiB: 1_024,
          vcpusPerCpu: 4,
        },
      ],
      images: [
        { type: 'pvh', disk: { file: '/srv/web.img' }, kernel: '/boot/k', ramdisk: '/boot/r' },
      ],
    });
  });

  test('needs no image of a tier that is only watched, nor its addresses in the network', () => {
    const text = withImage('images:\n', 'images:\n  mysql: { version: "8" }\n') + db;
    expect(problemsOf(text)).toEqual([]);
    expect(parseConfig(text, 'site.yaml').config.images.map(({ name }) => name)).toEqual([
      'drupal-web',
    ]);
  });
});

const path200 = 'expected an absolute path of at most 200 letters, digits and . _ @ + -';
const address =
  'expected an IPv4 address or a host name, such as 10.0.0.11 or xen-a.example.org:22';
const bridge = 'expected the name of a bridge, at most 15 letters, digits and . _ -';

describe('what reaches a dom0 is held to what its script takes', () => {
  test.each([
    [
      'an option for an address',
      edit(minimalXen, '10.0.0.11', '-oProxyCommand=x'),
      `3:42 hosts[0].address: ${address}, got "-oProxyCommand=x"`,
    ],
    [
      'an address beyond IPv4',
      edit(minimalXen, '10.0.0.11', '10.0.0.256'),
      `3:42 hosts[0].address: ${address}, got "10.0.0.256"`,
    ],
    [
      'a port beyond all',
      edit(minimalXen, '10.0.0.11', '"10.0.0.11:65536"'),
      `3:42 hosts[0].address: ${address}, got "10.0.0.11:65536"`,
    ],
    [
      'a user with a space',
      withHost('ssh: { user: "a b" }'),
      '3:66 hosts[0].ssh.user: expected a user name of a-z, 0-9, _ and -, at most 32 characters, got "a b"',
    ],
    [
      'no CPU to sell',
      withHost('vcpusPerCpu: 0'),
      '3:66 hosts[0].vcpusPerCpu: must be at least 1, got 0',
    ],
    [
      'a bridge that the kernel could not name',
      edit(minimalXen, 'xenbr0', 'a-bridge-of-16-c'),
      `6:20 network.bridge: ${bridge}, got "a-bridge-of-16-c"`,
    ],
    [
      'a bridge with more in it',
      edit(minimalXen, 'xenbr0', '"xenbr0,script=x"'),
      `6:20 network.bridge: ${bridge}, got "xenbr0,script=x"`,
    ],
    [
      'a gateway that is none',
      edit(minimalXen, 'gateway: 10.0.1.1,', 'gateway: 10.0.1,'),
      '6:37 network.gateway: expected an IPv4 address such as 10.0.1.1, got "10.0.1"',
    ],
    [
      'a network of one address',
      edit(minimalXen, 'prefixLength: 24', 'prefixLength: 31'),
      '6:61 network.prefixLength: must be at most 30, got 31',
    ],
    [
      'a kernel above its folder',
      withImage('/boot/guest/vmlinuz', '/boot/../etc/shadow'),
      '10:74 images.drupal-web.kernel: must be a path without `..` and `/./`, got "/boot/../etc/shadow"',
    ],
    [
      'a kernel with a command',
      withImage('/boot/guest/vmlinuz', '"/boot/k;reboot"'),
      `10:74 images.drupal-web.kernel: ${path200}, got "/boot/k;reboot"`,
    ],
    [
      'a relative disk',
      withImage('lvmThin: vg0/drupal-web', 'file: web.img'),
      `10:45 images.drupal-web.disk.file: ${path200}, got "web.img"`,
    ],
    [
      'a volume by its device',
      withImage('vg0/drupal-web', '/dev/vg0/drupal-web'),
      '10:48 images.drupal-web.disk.lvmThin: expected a volume such as vg0/drupal-web, that is not the disk of a node (rackfire-…), got "/dev/vg0/drupal-web"',
    ],
    [
      'the disk of a node',
      withImage('vg0/drupal-web', 'vg0/rackfire-news-web-1'),
      '10:48 images.drupal-web.disk.lvmThin: expected a volume such as vg0/drupal-web, that is not the disk of a node (rackfire-…), got "vg0/rackfire-news-web-1"',
    ],
    [
      'a kernel by another way',
      withImage('/boot/guest/vmlinuz', '/boot/./vmlinuz'),
      '10:74 images.drupal-web.kernel: must be a path without `..` and `/./`, got "/boot/./vmlinuz"',
    ],
    [
      'two disks',
      withImage('lvmThin: vg0/drupal-web', 'lvmThin: vg0/drupal-web, file: /a'),
      '10:37 images.drupal-web.disk: needs either `file` or `lvmThin`',
    ],
    [
      'no disk in a section for it',
      withImage('lvmThin: vg0/drupal-web', ''),
      '10:37 images.drupal-web.disk: needs either `file` or `lvmThin`',
    ],
    [
      'two failures to tolerate',
      `${minimalXen}placement: { hostFailuresToTolerate: 2 }\n`,
      '21:38 placement.hostFailuresToTolerate: must be at most 1, got 2',
    ],
  ])('%s', (_situation, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

describe('keys of the other driver', () => {
  test.each([
    [
      'of embedded hosts',
      withHost('capacity: { memory: 1GiB, vcpus: 1, disk: 1GiB }, embedded: {}'),
      [
        '3:53 hosts[0].capacity: has no meaning with `driver: xen`: a Xen host says itself what it has; remove it',
        '3:103 hosts[0].embedded: has no meaning with `driver: xen`: a Xen host says itself what it has; remove it',
      ],
    ],
    [
      'of Xen hosts',
      edit(minimal, 'embedded,', 'embedded, address: 10.0.0.11, ssh: {}, vcpusPerCpu: 2,'),
      [
        '3:40 hosts[0].address: has no meaning with `driver: embedded`; remove it',
        '3:60 hosts[0].ssh: has no meaning with `driver: embedded`; remove it',
        '3:69 hosts[0].vcpusPerCpu: has no meaning with `driver: embedded`; remove it',
      ],
    ],
    [
      'of no driver at all',
      edit(minimalXen, ', driver: xen', ''),
      ['3:5 hosts[0].driver: `driver` is missing: `embedded` or `xen`'],
    ],
    [
      'of a host that is no section',
      edit(minimalXen, host, 'xen-a'),
      ['3:5 hosts[0]: expected a section with `name`, `driver` …, got "xen-a"'],
    ],
    [
      'misspelt',
      withHost('failuredomain: rack-1'),
      ['3:53 hosts[0].failuredomain: unknown key `failuredomain`; did you mean `failureDomain`?'],
    ],
  ])('%s', (_situation, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('contradictions', () => {
  const second = '  - { name: xen-b, driver: xen, address: "10.0.0.11:22" }\n';
  test.each([
    [
      'hosts of two drivers',
      edit(
        minimalXen,
        'balancers:\n',
        '  - { name: local-a, driver: embedded, capacity: { memory: 8GiB, vcpus: 8, disk: 9GiB } }\nbalancers:\n',
      ),
      [
        '4:30 hosts[1].driver: all hosts of a config have one driver, and hosts[0] has `xen`: embedded nodes need loopback addresses, guests those of a network',
      ],
    ],
    [
      'one dom0 under two names',
      edit(minimalXen, 'balancers:\n', `${second}balancers:\n`),
      ['4:42 hosts[1].address: host address `10.0.0.11:22` is already used by hosts[0].address'],
    ],
    [
      'two ports for one host',
      edit(withHost('ssh: { port: 2200 }'), '10.0.0.11', '"10.0.0.11:2222"'),
      ['3:73 hosts[0].ssh.port: `address` says port 2222 already; say it once'],
    ],
    [
      'guests without a network',
      edit(minimalXen, 'network: { bridge: xenbr0, gateway: 10.0.1.1, prefixLength: 24 }\n', ''),
      ['1:1 network: `network` is missing: guests of Xen hosts need a bridge and a gateway'],
    ],
    [
      'guests without a golden image',
      withImage(', disk: { lvmThin: vg0/drupal-web }, kernel: /boot/guest/vmlinuz', ''),
      [
        '10:3 images.drupal-web.disk: `disk` is missing: guests of Xen hosts boot from it',
        '10:3 images.drupal-web.kernel: `kernel` is missing: guests of Xen hosts boot from it',
      ],
    ],
    [
      'addresses beside the network',
      edit(minimalXen, '10.0.1.20-10.0.1.51', '10.0.2.20-10.0.2.51'),
      [
        `18:20 ${web}.addresses: must lie in the network of the gateway (10.0.1.1/24: 10.0.1.1-10.0.1.254), got 10.0.2.20-10.0.2.51`,
      ],
    ],
    [
      'the broadcast address for a node',
      edit(minimalXen, '10.0.1.20-10.0.1.51', '10.0.1.224-10.0.1.255'),
      [
        `18:20 ${web}.addresses: must lie in the network of the gateway (10.0.1.1/24: 10.0.1.1-10.0.1.254), got 10.0.1.224-10.0.1.255`,
      ],
    ],
    [
      "the gateway's address for a node",
      edit(minimalXen, 'gateway: 10.0.1.1,', 'gateway: 10.0.1.51,'),
      [`18:20 ${web}.addresses: contains the gateway 10.0.1.51, got 10.0.1.20-10.0.1.51`],
    ],
    [
      'the address of a dom0 for a node',
      edit(minimalXen, 'address: 10.0.0.11', 'address: "10.0.1.20:2222"'),
      [`18:20 ${web}.addresses: contains host xen-a at 10.0.1.20, got 10.0.1.20-10.0.1.51`],
    ],
    [
      'nodes with names that no dom0 takes',
      edit(
        edit(minimalXen, 'name: news', `name: ${'n'.repeat(40)}`),
        '      web:',
        `      ${'w'.repeat(20)}:`,
      ),
      [
        `14:7 clusters[0].tiers.${'w'.repeat(20)}: the names of its nodes are too long for a dom0: \`${'n'.repeat(40)}-${'w'.repeat(20)}-32\` has 64 characters of at most 63`,
      ],
    ],
    [
      'embedded nodes saved to disk',
      edit(
        minimal,
        '        backend:',
        '        standby: { state: saved, nodes: 1 }\n        backend:',
      ),
      [
        `18:27 ${web}.standby.state: embedded nodes are processes, and a process cannot be saved to disk; write \`paused\`, or use Xen hosts`,
      ],
    ],
  ])('%s', (_situation, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test.each([
    ['one port said twice', edit(withHost('ssh: { port: 2222 }'), '10.0.0.11', '"10.0.0.11:2222"')],
    [
      'two dom0s behind one address',
      edit(minimalXen, 'balancers:\n', `${edit(second, ':22"', ':23"')}balancers:\n`),
    ],
    [
      'a gateway just below the nodes',
      edit(minimalXen, 'gateway: 10.0.1.1,', 'gateway: 10.0.1.19,'),
    ],
    [
      'a network that the nodes fill',
      edit(
        edit(minimalXen, '10.0.1.20-10.0.1.51', '10.0.1.33-10.0.1.61'),
        'gateway: 10.0.1.1, prefixLength: 24',
        'gateway: 10.0.1.62, prefixLength: 27',
      ),
    ],
    [
      'saved nodes on standby',
      edit(
        minimalXen,
        '        backend:',
        '        standby: { state: saved, nodes: 1 }\n        backend:',
      ),
    ],
    [
      'network and golden image with embedded hosts',
      edit(
        minimalXen,
        host,
        '{ name: xen-a, driver: embedded, capacity: { memory: 8GiB, vcpus: 8, disk: 9GiB } }',
      ).replace('10.0.1.20-10.0.1.51', '127.0.1.20-127.0.1.51'),
    ],
  ])('%s is no contradiction', (_situation, text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});
