/** The machines that nodes run on, and what a guest of one of them needs: bridge and golden image. */

import { z } from 'zod';
import { describeChoice, show } from './problems.ts';
import {
  absolutePath,
  amount,
  choice,
  count,
  domZeroPath,
  duration,
  hostAddress,
  ipv4,
  lvmVolume,
  name,
  refused,
  section,
  text,
  vcpus,
} from './values.ts';

const embeddedOnly = refused(
  'has no meaning with `driver: xen`: a Xen host says itself what it has; remove it',
);
const xenOnly = refused('has no meaning with `driver: embedded`; remove it');

const hostName = name().describe('Unique; stands in logs, metrics and commands.');
const failureDomain = name()
  .optional()
  .describe('Hosts that fail together (a rack, a switch). Default: the name of the host.');

const embeddedHost = section({
  name: hostName,
  driver: z.literal('embedded').describe('Nodes are local processes.'),
  address: xenOnly,
  failureDomain,
  ssh: xenOnly,
  capacity: section({
    memory: amount('1MiB').describe('Memory for nodes.'),
    vcpus: vcpus(),
    disk: amount('1MiB').describe('Disk for nodes.'),
  }).describe('What the host has for nodes, before `reserve`.'),
  vcpusPerCpu: xenOnly,
  reserve: section({
    memory: amount('0MiB').default('0MiB').describe('Memory that nodes never get.'),
  })
    .prefault({})
    .describe('What the host keeps for itself.'),
  embedded: section({
    bootDelay: duration('0s').default('5s').describe('From the order until the node serves.'),
    serviceTime: duration('0s').default('100ms').describe('Time to answer one request.'),
    slots: count(1, 10_000).default(10).describe('Requests that a node works on at once.'),
    fenceFile: absolutePath(255)
      .optional()
      .describe(
        'SQLite file in which the host notes terms and orders, so that it refuses a former leader. For replicas of this machine.',
      ),
  })
    .prefault({})
    .describe('How an embedded node behaves.'),
});

const xenHost = section({
  name: hostName,
  driver: z.literal('xen').describe('Nodes are guests of this Xen host, made by its dom0.'),
  address: hostAddress().describe(
    'Where sshd of the dom0 listens: an IPv4 address or a host name, with `:port` if need be.',
  ),
  failureDomain,
  ssh: section({
    user: text(
      /^[a-z_][a-z0-9_-]{0,31}$/,
      'a user name of a-z, 0-9, _ and -, at most 32 characters',
    )
      .default('rackfire')
      .describe('Whose `authorized_keys` has the forced command.'),
    port: count(1, 65_535).default(22).describe('A port in `address` goes before it.'),
    keyFile: absolutePath(255)
      .default('/etc/rackfire/id_ed25519')
      .describe('Private key without passphrase, readable for Rackfire alone.'),
    knownHostsFile: absolutePath(255)
      .default('/etc/rackfire/known_hosts')
      .describe("The hosts' public keys. A host whose key is not in it is not talked to."),
  })
    .prefault({})
    .describe('How the dom0 is reached.'),
  capacity: embeddedOnly,
  vcpusPerCpu: count(1, 32)
    .default(1)
    .describe('vCPUs sold for each physical CPU. Above 1, nodes share CPUs: your explicit choice.'),
  reserve: section({
    memory: amount('0MiB').default('64MiB').describe('Free memory that nodes never get.'),
  })
    .prefault({})
    .describe('What the host keeps for itself.'),
  embedded: embeddedOnly,
});

/** A host as it stands in the file, defaults filled in. */
export const WrittenHost = z.discriminatedUnion('driver', [embeddedHost, xenHost], {
  error: ({ code, input }) => {
    if (code !== 'invalid_union') {
      return `expected a section with \`name\`, \`driver\` …, got ${show(input)}`;
    }
    return typeof input === 'object' && input !== null && 'driver' in input
      ? describeChoice(['embedded', 'xen'], input.driver)
      : '`driver` is missing: `embedded` or `xen`';
  },
});
export type WrittenHost = z.output<typeof WrittenHost>;

/** The longest name that the kernel lets a bridge have. @see netdevice(7), IFNAMSIZ */
const maxBridgeLength = 15;

/** What guests of Xen hosts are connected to. */
export const WrittenNetwork = section({
  bridge: text(
    new RegExp(String.raw`^[A-Za-z0-9][A-Za-z0-9._-]{0,${maxBridgeLength - 1}}$`),
    `the name of a bridge, at most ${maxBridgeLength} letters, digits and . _ -`,
  ).describe('The bridge that guests are plugged into; the same name on every host.'),
  addressing: choice(['kernel', 'dhcp'])
    .default('kernel')
    .describe(
      "`kernel`: a guest gets its address by its kernel's command line. `dhcp`: by its MAC address.",
    ),
  gateway: ipv4().describe("The guests' default gateway."),
  prefixLength: count(8, 30).describe(
    'Length of the network part: 24 for a netmask 255.255.255.0.',
  ),
});

export type WrittenNetwork = z.output<typeof WrittenNetwork>;

/** What a node boots from. */
export const WrittenImage = section({
  version: text(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'text of at most 64 letters, digits and . _ - (in quotes when it looks like a number)',
  ).describe('Part of each node\'s marks. Quote it: "8".'),
  disk: section({
    file: domZeroPath().optional().describe('A raw disk image on each host; nodes get a copy.'),
    lvmThin: lvmVolume()
      .optional()
      .describe('A thin volume `group/volume` on each host; nodes get a snapshot.'),
  })
    .refine(({ file, lvmThin }) => (file === undefined) !== (lvmThin === undefined), {
      error: 'needs either `file` or `lvmThin`',
    })
    .optional()
    .describe('The golden image. Needed where the hosts are Xen hosts.'),
  kernel: domZeroPath()
    .optional()
    .describe('The kernel, a file of the dom0. Needed where the hosts are Xen hosts.'),
  ramdisk: domZeroPath().optional().describe('The initial ramdisk, a file of the dom0.'),
  type: choice(['pv', 'pvh'])
    .default('pv')
    .describe('How Xen runs it. `pvh` needs hardware virtualization and a kernel made for it.'),
});
