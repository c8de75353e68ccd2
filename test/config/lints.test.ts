import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Experience } from '../../src/config/advice.ts';
import { findLints } from '../../src/config/lints.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { edit, minimal } from './minimal.ts';

const root = resolve(import.meta.dirname, '../..');
const example = await readFile(resolve(root, 'config/rackfire.example.yaml'), 'utf8');
const xenExample = await readFile(resolve(root, 'config/rackfire.xen.example.yaml'), 'utf8');

/** A Thursday. */
const EXPERIENCE: Experience = {
  serverTimeoutMs: 60_000,
  wallMs: Date.UTC(2026, 10, 26, 12),
};

function lint(text: string, experience: Partial<Experience> = {}) {
  return findLints(parseConfig(text, 'rackfire.yaml'), { ...EXPERIENCE, ...experience });
}

/** Where the first line with this text is. */
function lineOf(text: string, part: string): number {
  return text.split('\n').findIndex((line) => line.includes(part)) + 1;
}

/** One line of the example in another way, the key that is to be looked at, and what is said. */
interface Mistake {
  readonly mistake: string;
  readonly from: string;
  readonly to: string;
  /** Without it, the line would be none. */
  readonly beside?: readonly [from: string, to: string];
  readonly path: string;
  readonly says: string;
  readonly proposes: string;
  readonly experience?: Partial<Experience>;
}

const WEB = 'clusters[0].tiers.web';
const LOOKS_AT_WHAT_IS = ['storm: { enabled: true }', 'storm: { enabled: false }'] as const;

const MISTAKES: readonly Mistake[] = [
  {
    mistake: 'a window so short that noise lets nodes go',
    from: 'stabilizationWindow: auto',
    to: 'stabilizationWindow: 5s',
    beside: LOOKS_AT_WHAT_IS,
    path: `${WEB}.scaleIn.stabilizationWindow`,
    says: 'at `nodes.min`, one second of 160 rps is anything from 135 to 185 by chance alone, and after 5s of the lower ones a node is let go: nodes come and go without a reason',
    proposes: 'write `auto`: about as long as a boot takes, at least 30s',
  },
  {
    mistake: 'a tolerance for scale-out that is half a node',
    from: 'by less than this share.\n          tolerance: 0',
    to: 'by less than this share.\n          tolerance: 0.5',
    path: `${WEB}.scaleOut.tolerance`,
    says: 'with 2 nodes, none is added until each has 120 rps, 50 % above its target of 80',
    proposes: 'write 0.1 or less; where nodes bear 120 rps well, make that the target',
  },
  {
    mistake: 'a tolerance for scale-in that is more than one node’s share at the minimum',
    from: 'scaleIn:\n          tolerance: 0',
    to: 'scaleIn:\n          tolerance: 0.5',
    path: `${WEB}.scaleIn.tolerance`,
    says: 'of 3 nodes one is let go only when the load is that of 1.5, though 2 would do below 2',
    proposes: 'write at most 0.33, the share of one node of 3',
  },
  {
    mistake: 'a maximum that the hosts have no room for',
    from: 'max: 12',
    to: 'max: 20',
    path: `${WEB}.nodes.max`,
    says: 'the hosts have room for 12 nodes of size `small` beside what the other tiers have at least, so 20 are never reached',
    proposes: 'write 12, or give the hosts room for 8 more (rackfire capacity)',
  },
  {
    mistake: 'as many addresses as nodes',
    from: '127.0.1.20-127.0.1.51',
    to: '127.0.1.20-127.0.1.31',
    path: `${WEB}.addresses`,
    says: '12 addresses for up to 12 nodes leave none for the replacement of a node on a lost host, or while a number rests after a failed boot',
    proposes: 'widen the range to 15 addresses',
  },
  {
    mistake: 'a boot deadline below what boots were learned to take',
    from: 'deadline: auto',
    to: 'deadline: 1m',
    path: `${WEB}.boot.deadline`,
    says: 'boots take 55s, so one that is a little slower than usual is destroyed after 1m, and three of those stop all boots',
    proposes: 'write `auto`, or 109s',
    experience: { bootTimesMs: new Map([['news/web', 54_321]]) },
  },
  {
    mistake: 'a drain deadline below `timeout server`',
    from: 'deadline: 5m',
    to: 'deadline: 20s',
    path: `${WEB}.drain.deadline`,
    says: 'HAProxy waits up to 1m for an answer (`timeout server`), and a node that is let go is destroyed after 20s, with the requests on it',
    proposes: 'write 1m or more',
  },
  {
    mistake: 'a target that a node cannot serve',
    from: 'targetPerNode: 80',
    to: 'targetPerNode: 150',
    path: `${WEB}.signals.requestRate.targetPerNode`,
    says: 'a node on local-a works on 10 requests of 100ms at once, which makes 100 rps: with 150 the queue grows before a node is added',
    proposes: 'write 80, four fifths of what a node can do',
  },
  {
    mistake: 'more web nodes than the database has connections for',
    from: 'connections: 151',
    to: 'connections: 100',
    path: `${WEB}.nodes.max`,
    says: '12 nodes with 10 requests each (`maxConnections`) may open 120 connections to `db`, which takes 100: beyond 10 nodes they fail',
    proposes: 'write 10, or let `db` take 120',
  },
  {
    mistake: 'a queue that turns requests away before a boot has ended',
    from: 'queueTimeout: 60s',
    to: 'queueTimeout: 3s',
    path: `${WEB}.frontend.queueTimeout`,
    says: 'in a storm requests are answered with 503 after 3s, and help takes 5s to boot',
    proposes: 'write 10s or more',
  },
  {
    mistake: 'a wait in the queue that nobody lives to see',
    from: 'maxWait: 100ms',
    to: 'maxWait: 90s',
    path: `${WEB}.signals.queue.maxWait`,
    says: 'after 1m in the queue a request is answered with 503, before a wait of 90s asks for more nodes',
    proposes: 'write 100ms',
  },
  {
    mistake: 'one node a minute in a storm',
    from: 'policies: []',
    to: 'policies: [{ nodes: 1, per: 1m }]',
    path: `${WEB}.scaleOut.policies`,
    says: 'from 2 to 12 nodes takes 9m at this speed, beside the boots',
    proposes: 'leave them out, or write [{ percent: 100, per: 15s }, { nodes: 4, per: 15s }]',
  },
  {
    mistake: 'more requests at once than a node has workers',
    from: 'maxConnections: 10',
    to: 'maxConnections: 12',
    path: `${WEB}.maxConnections`,
    says: 'a node on local-a works on 10 requests at once; the other 2 of 12 wait in it, where no new node can take them',
    proposes: 'write 10, as many as the node has workers',
  },
  {
    mistake: 'a check each ten seconds',
    from: 'interval: 1s',
    to: 'interval: 10s',
    path: `${WEB}.health.interval`,
    says: 'HAProxy notices after 3 checks that a node fails: for 30s it gets its share of the requests',
    proposes: 'write 1s, with a path that is cheap',
  },
  {
    mistake: 'a single node at night',
    from: 'min: 2',
    to: 'min: 1',
    path: `${WEB}.nodes.min`,
    says: 'while the only node is sick, rebooted or replaced, nobody serves',
    proposes: 'write 2: what an ordinary night needs, and one more',
  },
  {
    mistake: 'a limit of the installation that the maxima pass by',
    from: 'maxNodes: 200',
    to: 'maxNodes: 10',
    path: 'limits.maxNodes',
    says: 'all tiers together may have 13 nodes, and no more than 10 are made: the storm that comes last gets none',
    proposes: 'write 13, or lower `nodes.max` of a tier',
  },
  {
    mistake: 'a breaker that opens at once',
    from: 'failures: 3',
    to: 'failures: 1',
    path: 'limits.breaker.failures',
    says: 'a single failed boot stops all others of its tier and its host for 5m',
    proposes: 'write 3',
  },
  {
    mistake: 'hosts that all fail together',
    from: '- name: local-b',
    to: '- name: local-b\n    failureDomain: local-a',
    path: 'hosts[0].failureDomain',
    says: 'all 2 hosts fail together with `local-a`, so spreading nodes over them helps nobody',
    proposes: 'name what really fails together, or leave it out',
  },
  {
    mistake: 'hosts so small that none of them may be lost',
    from: '- name: local-b\n    driver: embedded\n    capacity: { memory: 8GiB, vcpus: 8, disk: 100GiB }',
    to: '- name: local-b\n    driver: embedded\n    capacity: { memory: 2GiB, vcpus: 8, disk: 100GiB }',
    path: 'placement.hostFailuresToTolerate',
    says: 'without local-a, 1 of the 3 nodes that all tiers have at least find no room',
    proposes:
      'give the other hosts more room, lower `nodes.min`, or write 0 and take it as it comes',
  },
  {
    mistake: 'a minimum by the clock that is none beside the tier’s own',
    from: 'schedules: []',
    to: 'schedules: [{ cron: "0 8 * * *", duration: 1h, timeZone: UTC, nodes: { min: 2 } }]',
    path: `${WEB}.schedules[0].nodes.min`,
    says: 'the tier has at least 2 at all times, so `min: 2` changes nothing',
    proposes: 'write more than 2, or leave it out',
  },
  {
    mistake: 'a maximum by the clock that ends in the hour in which a higher minimum begins',
    from: 'schedules: []',
    to: `schedules:
          - { cron: "0 8 * * mon-fri", duration: 10h, timeZone: Europe/Berlin, nodes: { min: 8 } }
          - { cron: "0 22 * * *", duration: 11h, timeZone: Europe/Berlin, nodes: { max: 4 } }`,
    path: `${WEB}.schedules[1].nodes.max`,
    says: 'from 2026-11-27T07:00:00Z on, `schedules[0]` holds as well: then its minimum of 8 nodes counts, and this maximum of 4 does not',
    proposes: 'write 8 or more, or let one end before the other begins',
  },
  {
    mistake: 'a maximum by the clock that the hosts have no room for',
    from: 'schedules: []',
    to: 'schedules: [{ cron: "0 8 * * *", duration: 1h, timeZone: UTC, nodes: { max: 20 } }]',
    path: `${WEB}.schedules[0].nodes.max`,
    says: 'the hosts have room for 12 nodes of size `small` beside what the other tiers have at least, so 20 are never reached',
    proposes: 'write 12, or give the hosts room for 8 more (rackfire capacity)',
  },
  {
    mistake: 'a maximum by the clock that the database has no connections for',
    from: 'schedules: []',
    to: 'schedules: [{ cron: "0 8 * * *", duration: 1h, timeZone: UTC, nodes: { max: 16 } }]',
    path: `${WEB}.schedules[0].nodes.max`,
    says: '16 nodes with 10 requests each (`maxConnections`) may open 160 connections to `db`, which takes 151: beyond 15 nodes they fail',
    proposes: 'write 15, or let `db` take 160',
  },
];

test.each(MISTAKES)('$mistake', ({ from, to, beside, path, says, proposes, experience }) => {
  const text = edit(beside === undefined ? example : edit(example, ...beside), from, to);
  const lints = lint(text, experience);
  expect(lints).toContainEqual(
    expect.objectContaining({ file: 'rackfire.yaml', path, message: says, proposal: proposes }),
  );
  const { line } = lints.find((one) => one.message === says)!;
  const [key = ''] = path.split('.').slice(-1);
  expect(text.split('\n')[line - 1]).toContain(key);
});

test.each([
  ['rackfire.example.yaml', example],
  ['rackfire.xen.example.yaml', xenExample],
])('nothing is said of %s', (_, text) => {
  expect(lint(text)).toEqual([]);
});

test('nothing is said of a short window where the load is foreseen: what is foreseen has no noise in it', () => {
  expect(lint(edit(example, 'stabilizationWindow: auto', 'stabilizationWindow: 5s'))).toEqual([]);
});

test('nothing is said of schedules that agree: by turns, in the same hours with room between them, or once for all', () => {
  const schedules = `schedules:
          - { cron: "0 8 * * mon-fri", duration: 10h, timeZone: Europe/Berlin, nodes: { min: 4 } }
          - { cron: "0 18 * * mon-fri", duration: 14h, timeZone: Europe/Berlin, nodes: { max: 3 } }
          - { cron: "0 12 * * *", duration: 1h, timeZone: Europe/Berlin, nodes: { max: 6 }, freeze: scale-in }`;
  expect(lint(edit(example, 'schedules: []', schedules))).toEqual([]);
});

test('a boot deadline is let alone where nobody has learned how long boots take on Xen hosts', () => {
  const text = edit(xenExample, 'boot: { deadline: 2m }', 'boot: { deadline: 30s }');
  expect(lint(text)).toEqual([]);
  const bootTimesMs = new Map([['news/web', 60_000]]);
  expect(lint(text, { bootTimesMs }).map(({ path }) => path)).toEqual([
    'clusters[0].tiers.web.boot.deadline',
  ]);
});

test('a node on Xen hosts is not known; a target that leaves each answer 10 ms is said', () => {
  const target = /targetPerNode: \d+/.exec(xenExample)?.[0] ?? '';
  const text = edit(xenExample, target, 'targetPerNode: 1000');
  expect(lint(text)).toMatchObject([{ line: lineOf(text, 'targetPerNode: 1000') }]);
  expect(lint(text)[0]?.message).toMatch(
    /^\d+ requests at once \(`maxConnections`\) make 1000 rps only if each takes less than [\d.]+ ms$/,
  );
});

/** As many clusters as an agency has sites, each with four minimums and a maximum that never meet. */
function manySites(sites: number): string {
  const cluster = (site: number): string => `
  - name: site-${site}
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 12 }
        addresses: 127.1.${site}.1-127.1.${site}.32
        backend: site-${site}
        frontend: { bind: "*:${8_000 + site}" }
        signals: { requestRate: { targetPerNode: 80 } }
        schedules:
          - { cron: "0 8 * * mon-fri", duration: 5h, timeZone: Europe/Berlin, nodes: { min: 6 } }
          - { cron: "0 13 * * mon-fri", duration: 7h, timeZone: Europe/Berlin, nodes: { min: 8 } }
          - { cron: "0 10 * * sat", duration: 8h, timeZone: Europe/Berlin, nodes: { min: 6 } }
          - { cron: "0 9 * * sun", duration: 8h, timeZone: Europe/Berlin, nodes: { min: 8 } }
          - { cron: "0 22 * * *", duration: 8h, timeZone: Europe/Berlin, nodes: { max: 4 } }`;
  const [head] = minimal.split('clusters:');
  return `${head}clusters:${Array.from({ length: sites }, (_, site) => cluster(site)).join('')}\n`;
}

test('the schedules of a hundred sites are looked at in a second, not in minutes', () => {
  const text = manySites(100);
  const startedAt = process.cpuUsage();
  const lints = lint(text);
  const { user, system } = process.cpuUsage(startedAt);
  expect(lints.filter(({ path }) => path.includes('schedules'))).toEqual([]);
  expect((user + system) / 1e6).toBeLessThan(5);
});
