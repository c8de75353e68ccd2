/**
 * The config file: the one source of its types, its defaults, its messages, and the JSON Schema that editors
 * use. Values keep the form in which they are written (`15s`, `512MiB`); `compile.ts` gives them their units.
 */

import { z } from 'zod';
import { WrittenBalancer } from './balancer-schema.ts';
import { WrittenHost, WrittenImage, WrittenNetwork } from './host-schema.ts';
import { WrittenLeadership } from './leadership-schema.ts';
import { WrittenTier } from './tier-schema.ts';
import {
  absolutePath,
  amount,
  choice,
  count,
  duration,
  loopbackListen,
  name,
  section,
  vcpus,
} from './values.ts';

/** No larger than `rackfire-dom0` takes: 7 digits of MiB, 3 of vCPUs, 8 of MiB. */
const size = section({
  memory: amount('1MiB', '9999999MiB').describe('Memory of one node.'),
  vcpus: vcpus(999),
  disk: amount('1MiB', '99999999MiB').describe('Disk of one node.'),
});

const cluster = section({
  name: name().describe("Unique; the first part of its nodes' names."),
  mode: choice(['observe', 'scale-out-only', 'full'])
    .default('full')
    .describe('What Rackfire may do here; what it would do is always recorded.'),
  tiers: z
    .record(name(), WrittenTier)
    .refine((tiers) => Object.keys(tiers).length > 0, { error: 'at least one tier is needed' })
    .describe('The web and database nodes of one site.'),
});

const limits = section({
  maxNodes: count(1, 10_000, 'nodes').default(200).describe('Nodes of all clusters together.'),
  concurrentBootsPerHost: count(1, 100)
    .default(4)
    .describe('More boots slow each other down. A wake counts, but never waits.'),
  breaker: section({
    failures: count(1, 100).default(3).describe('So many failed boots …'),
    window: duration('1s', '1d').default('10m').describe('… within this time stop the boots …'),
    open: duration('1s', '1d').default('5m').describe('… for this time; then one boot is tried.'),
  })
    .prefault({})
    .describe('Stops booting where boots keep failing.'),
});

const placement = section({
  hostFailuresToTolerate: count(0, 1)
    .default(1)
    .describe(
      'So many hosts may fail and the `nodes.min` of every tier still fit; at most one less than there are.',
    ),
});

const journal = section({
  path: absolutePath(255)
    .default('/var/lib/rackfire/journal.db')
    .describe('SQLite file with samples, decisions, events and overrides.'),
  retention: duration('1h', '366d').default('30d').describe('Older entries are removed.'),
  maxSize: amount('16MiB').default('1GiB').describe('Beyond it the oldest entries are removed.'),
});

/** The whole file as it is written, defaults filled in. */
export const WrittenConfig = section({
  installation: name().describe(
    'Namespace of every node. Two installations never see each other; never change it.',
  ),
  hosts: z.array(WrittenHost).min(1).max(100).describe('Machines that nodes run on.'),
  balancers: z.array(WrittenBalancer).min(1).max(20).describe('HAProxies that send them traffic.'),
  network: WrittenNetwork.optional().describe(
    'What guests are connected to. Needed where the hosts are Xen hosts.',
  ),
  sizes: z.record(name(), size).describe('What nodes take from their hosts, by name.'),
  images: z.record(name(), WrittenImage).describe('What nodes boot from, by name.'),
  clusters: z.array(cluster).min(1).max(100).describe('The sites.'),
  placement: placement.prefault({}).describe('Where nodes may be.'),
  limits: limits.prefault({}).describe('Safety limits of the whole installation.'),
  leadership: WrittenLeadership.prefault({}).describe('Which one of several Rackfires acts.'),
  journal: journal.prefault({}).describe('What is remembered; losing it is harmless.'),
  http: section({
    listen: loopbackListen()
      .default('127.0.0.1:9500')
      .describe('Loopback address of health, metrics and the API.'),
    tokenFile: absolutePath(255)
      .optional()
      .describe('File with the token that the API asks for before it changes anything.'),
  })
    .prefault({})
    .describe('Health, metrics and the API.'),
});
export type WrittenConfig = z.output<typeof WrittenConfig>;
