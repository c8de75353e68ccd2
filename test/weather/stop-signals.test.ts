import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ServiceProcess } from './service-process.ts';
import { NODE_PORT, TARGET_RPS } from './site-config.ts';
import { openGate, type SocketGate } from './socket-gate.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

/** Begun actions may take so long to end; the rest is for a machine that is busy. */
const GRACE_MS = 10_000;
const SLACK_MS = 3_000;
/** The second signal ends it at once; the same for that machine. */
const AT_ONCE_MS = 2_000;
/** What a node answers in a second. */
const NODE_RPS = 40;

/** More than three nodes are rated for, whatever chance makes of a second, and less than four can do. */
const STORM_RPS = 5 * TARGET_RPS;

const GATED = { minNodes: 2, maxNodes: 4, socketName: 'gate.sock' };

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  weather(
    `${signal} while two nodes are being booted: both boots end, nothing else begins, and the next Rackfire takes them in`,
    GATED,
    async (site) => {
      await using gate = await gateOf(site);
      // Before Rackfire: a first second that is half a second of the storm asks for one node only.
      const load = site.load(STORM_RPS);
      const service = await site.startService();
      await gate.catch('state drain');
      const sentAtMs = performance.now();
      service.signal(signal);
      await stillRuns(site, service);
      gate.open();
      await service.ended();
      expect(performance.now() - sentAtMs).toBeLessThan(GRACE_MS);
      expect(service.exitCode).toBe(0);
      expectWholeActions(service, ['boot', 'boot']);
      const booted = site.ownNodes();
      expect(booted).toHaveLength(4);
      for (const { name, pid } of booted) {
        // A terminal sends Ctrl-C to a whole group of processes.
        expect(groupOf(pid), name).not.toBe(groupOf(process.pid));
      }
      await site.startService();
      const { nodes } = await site.untilConverged(4);
      expect(new Set(nodes.map(({ pid }) => pid))).toEqual(new Set(booted.map(({ pid }) => pid)));
      await load.end();
    },
  );
}

weather(
  'SIGTERM twice while two nodes are being booted: Rackfire ends at once, and the next one boots them',
  GATED,
  async (site) => {
    await using gate = await gateOf(site);
    const load = site.load(STORM_RPS);
    const service = await site.startService();
    await gate.catch('state drain');
    service.signal('SIGTERM');
    await stillRuns(site, service);
    const sentAtMs = performance.now();
    service.signal('SIGTERM');
    await service.ended();
    expect(performance.now() - sentAtMs).toBeLessThan(AT_ONCE_MS);
    expect(service.exitCode).toBe(1);
    // HAProxy gets to it only now: a server is drained for a node that nobody boots.
    gate.open();
    await site.startService();
    await site.untilConverged(4);
    await load.end();
  },
);

weather(
  'SIGTERM while a node is being destroyed: it ends what it is about, and Rackfire waits for it',
  { ...GATED, maxNodes: 3, startNodes: 3 },
  async (site) => {
    await using gate = await gateOf(site);
    const service = await site.startService();
    const load = site.load(0.6 * TARGET_RPS);
    await gate.catch('state maint');
    const { answered } = await visitDirectly(site, 3, 3 * NODE_RPS);
    const sentAtMs = performance.now();
    service.signal('SIGTERM');
    await stillRuns(site, service);
    gate.open();
    await service.ended();
    expect(performance.now() - sentAtMs).toBeLessThan(GRACE_MS);
    expect(service.exitCode).toBe(0);
    expectWholeActions(service, ['drain', 'destroy']);
    expect(site.ownNodes().map(({ name }) => name)).not.toContain(site.nodeName(3));
    expect(new Set(await answered)).toEqual(new Set([200]));
    await site.startService();
    await site.untilConverged(2);
    await load.end();
  },
);

weather(
  'SIGTERM while a node takes longer to be destroyed than Rackfire may wait: it ends without Rackfire',
  { ...GATED, maxNodes: 3, startNodes: 3 },
  async (site) => {
    await using gate = await gateOf(site);
    const service = await site.startService();
    const load = site.load(0.6 * TARGET_RPS);
    await gate.catch('state maint');
    const { answered } = await visitDirectly(site, 3, 14 * NODE_RPS);
    gate.open();
    await site.until('it stops', ({ nodes }) => nodes.some(({ state }) => state === 'stopping'));
    const sentAtMs = performance.now();
    service.signal('SIGTERM');
    await service.ended();
    const tookMs = performance.now() - sentAtMs;
    expect(tookMs).toBeGreaterThan(GRACE_MS - SLACK_MS);
    expect(tookMs).toBeLessThan(GRACE_MS + SLACK_MS);
    expect(service.exitCode).toBe(0);
    expect(site.node(site.nodeName(3)).state).toBe('stopping');
    await site.startService();
    await site.untilConverged(2);
    expect(new Set(await answered)).toEqual(new Set([200]));
    await load.end();
  },
);

async function gateOf(site: WeatherSite): Promise<SocketGate> {
  return await openGate(join(site.folder, 'gate.sock'), site.haproxy.socketPath);
}

/** It has had the time to end, and has not. */
async function stillRuns(site: WeatherSite, service: ServiceProcess): Promise<void> {
  const { atMs } = await site.until('a view', () => true);
  await site.until('half a second later', (view) => view.atMs > atMs + 500);
  expect(service.isRunning).toBe(true);
}

/** What it began, it ended, and after the signal it began nothing. */
function expectWholeActions(service: ServiceProcess, actions: readonly string[]): void {
  const actionsOf = (msg: string): readonly unknown[] =>
    service.found(msg).map(({ action }) => action);
  expect(actionsOf('action started')).toEqual(actions);
  expect(actionsOf('action done')).toEqual(actions);
  expect(service.lines.at(-1)?.msg).toBe('stopped, nodes and traffic stay as they are');
}

/**
 * Gives a node work that HAProxy knows nothing of; resolves when the node has begun with it.
 *
 * @returns `answered` resolves to all answers' codes; 0 for a broken connection.
 */
async function visitDirectly(
  site: WeatherSite,
  number: number,
  visits: number,
): Promise<{ readonly answered: Promise<readonly number[]> }> {
  const host = site.tier.addresses[number - 1];
  const answers = Array.from({ length: visits }, async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    get({ host, port: NODE_PORT, path: '/', agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    }).on('error', () => resolve(0));
    return await promise;
  });
  await Promise.race(answers);
  return { answered: Promise.all(answers) };
}

function groupOf(pid: number): string {
  const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[2] ?? '';
}
