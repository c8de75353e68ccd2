import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { untilMetric } from './service-pages.ts';
import type { ServiceProcess } from './service-process.ts';
import { askSlowly } from './slow-request.ts';
import type { View } from './watch.ts';
import { weather } from './weather.ts';
import type { Balancer, WeatherSite } from './weather-site.ts';

/** Of one node; one that is full serves a third more. */
const TARGET_RPS = 60;
/** For three nodes, and half of it at each HAProxy. What is counted twice for a second asks for a fourth. */
const TOTAL_RPS = 2.5 * TARGET_RPS;
/** Longer than the row. */
const SLOW_MS = 60_000;
const SLOW_REQUESTS = 8;
/** Two windows: whatever was to be mistaken has been by then. */
const OUTAGE_MS = 6_000;

weather(
  'one of two HAProxys dies in the middle of a drain, its visitors go to the other, and it returns with an old state file: nothing is booted or destroyed meanwhile, and it is put right before anything else is done',
  {
    minNodes: 2,
    maxNodes: 6,
    startNodes: 4,
    isPair: true,
    hosts: [{ embedded: { serviceTime: '100ms' } }, { embedded: { serviceTime: '100ms' } }],
    tier: {
      signals: { requestRate: { targetPerNode: TARGET_RPS } },
      scaleOut: { tolerance: 0.25 },
      scaleIn: { tolerance: 0.1, stabilizationWindow: '3s', policies: [{ nodes: 1, per: '2s' }] },
    },
  },
  async (site) => {
    const [survivor, mortal] = site.balancers as readonly [Balancer, Balancer];
    const oldStates = await readOldStates(site, mortal);
    const service = await site.startService();
    const load = site.load(TOTAL_RPS / 2);
    const lost = site.load(TOTAL_RPS / 2, { url: mortal.url, mayFail: true });
    // Only the one that dies knows of them: without it the drained node would pass for quiet.
    const slow = Array.from({ length: SLOW_REQUESTS }, () => askSlowly(mortal, SLOW_MS));
    await service.told(({ msg, action }) => msg === 'action done' && action === 'drain');
    for (const { watch } of site.balancers) {
      await site.until('one is drained', (view) => isSo(view, 'ready ready ready drain'), watch);
    }

    const killedAt = service.lines.length;
    await mortal.haproxy.kill();
    load.change(TOTAL_RPS);
    await lost.end();
    await service.told(
      ({ msg, balancer }) => msg === 'source does not answer' && balancer === 'lb-b',
      killedAt,
    );
    await untilMetric(site, 'rackfire_balancer_in_sync', { balancer: 'lb-b' }, (is) => is === 0);
    await site.lasts(OUTAGE_MS);
    expect(actionsSince(service, killedAt), 'while it was dead').toEqual([]);
    expect(survivor.watch.latest?.nodes).toHaveLength(4);
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(
      Array(SLOW_REQUESTS).fill(0),
    );

    const returnedAt = service.lines.length;
    await writeFile(mortal.haproxy.stateFilePath, oldStates);
    await mortal.haproxy.start();
    load.change(TOTAL_RPS / 2);
    site.load(TOTAL_RPS / 2, { url: mortal.url, mayFail: true });
    // The fourth serves again, and so does the fifth, which is not there.
    const said = await service.told('balancer was reloaded or restarted', returnedAt);
    expect(said['reasserted']).toBe(2);
    await site.until(
      'it is put right',
      (view) => isSo(view, 'ready ready ready drain'),
      mortal.watch,
    );
    await service.told(
      ({ msg, action }) => msg === 'action done' && action === 'destroy',
      killedAt,
    );
    expect(actionsSince(service, killedAt)).toEqual(['destroy news-web-4']);

    await site.untilConverged(3);
    await expectRepaired(site, service, mortal);
  },
);

/** Somebody has drained a node at the one whose traffic nobody misses. */
async function expectRepaired(
  site: WeatherSite,
  service: ServiceProcess,
  { haproxy, watch }: Balancer,
): Promise<void> {
  const since = service.lines.length;
  const order = `set server ${site.tier.backend}/${site.nodeName(1)} state drain`;
  await ask(haproxy.socketPath, [order], AbortSignal.timeout(5_000));
  await service.told(({ msg, action }) => msg === 'action done' && action === 'repair', since);
  await site.until('it is repaired', (view) => isSo(view, 'ready ready ready maint'), watch);
  await untilMetric(site, 'rackfire_balancer_in_sync', { balancer: 'lb-b' }, (is) => is === 1);
  expect(actionsSince(service, since)).toEqual(['repair news-web-1']);
}

/** The states as they are, but for the fifth node, of which there is nothing, in rotation. */
async function readOldStates(site: WeatherSite, { haproxy }: Balancer): Promise<string> {
  const server = `${site.tier.backend}/${site.nodeName(5)}`;
  const signal = AbortSignal.timeout(5_000);
  const questions = [`set server ${server} state ready`, 'show servers state'];
  const states = await ask(haproxy.socketPath, questions, signal);
  await ask(haproxy.socketPath, [`set server ${server} state maint`], signal);
  return states.trimStart();
}

/** Of the first four. */
function isSo({ servers }: View, states: string): boolean {
  const shown = [...servers.values()].slice(0, 4).map(({ admin }) => admin);
  return shown.join(' ') === states;
}

function actionsSince({ lines }: ServiceProcess, since: number): readonly string[] {
  return lines
    .slice(since)
    .filter(({ msg }) => msg === 'action started')
    .map(({ action, node }) => `${String(action)} ${String(node)}`);
}
