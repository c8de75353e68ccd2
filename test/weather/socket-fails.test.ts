import { join } from 'node:path';
import { expect } from 'vitest';
import { readMetric, TickWatch, untilMetric } from './service-pages.ts';
import type { LineMatch, ServiceProcess } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { askSlowly } from './slow-request.ts';
import { SocketProxy } from './socket-proxy.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const SOCKET_NAME = 'rackfire.sock';
const SLOW_BOOTS = { embedded: { bootDelay: '3s' } };
/** Ticks are due each second, and on a busy machine a little later; one that waits for a hanging socket, never. */
const LONGEST_TICK_GAP_MS = 4_000;
/** Less than this is known only when the visitors of the storm have gone. */
const LOW_RPS = 1.5 * TARGET_RPS;

const balancerAnswers: LineMatch = ({ msg, balancer }) =>
  msg === 'source answers' && balancer !== undefined;
const takesAway: LineMatch = ({ msg, action }) =>
  msg === 'decided to scale in' ||
  (msg === 'action started' && ['drain', 'pause', 'destroy'].includes(String(action)));
const destroys: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'destroy';

weather(
  'the stats socket is gone for 30 s in a storm, and hangs, answers in half and answers garbage when it is over: nobody is let go, ticks go on, and each is said once',
  {
    minNodes: 2,
    maxNodes: 4,
    socketName: SOCKET_NAME,
    // The third may be ordered before the fourth, and must not serve yet when the socket is gone.
    hosts: [SLOW_BOOTS, SLOW_BOOTS],
    // Longer than an answer stays fresh, so that scale-in becomes due while nothing fresh is known.
    tier: { scaleIn: { stabilizationWindow: '6s', policies: [{ percent: 50, per: '2s' }] } },
  },
  async (site) => {
    await using proxy = await SocketProxy.start(
      join(site.folder, SOCKET_NAME),
      site.haproxy.socketPath,
    );
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await service.told(balancerAnswers);
    await using ticks = new TickWatch(site);

    // A little more than two nodes can do: what waits until help comes is answered in time.
    load.change(3.2 * TARGET_RPS);
    await service.told(({ msg, action, node }) => {
      return msg === 'action started' && action === 'boot' && node === site.nodeName(4);
    });
    await proxy.turn('gone');
    await site.lasts(30_000);
    expect(service.found('source does not answer')).toHaveLength(1);
    expect(site.watch.latest?.inService).toHaveLength(2);
    expect(site.watch.latest?.nodes).toHaveLength(4);
    await proxy.turn('clear');
    await site.untilConverged(4);

    load.change(0.5 * TARGET_RPS);
    for (const spoiled of ['hanging', 'cut'] as const) {
      await untilLowLoadIsKnown(site);
      const before = service.lines.length;
      await proxy.turn(spoiled);
      await service.told('source does not answer', before);
      await site.lasts(7_000);
      await clear(proxy, service);
    }
    expect(service.found(takesAway)).toEqual([]);

    // They are on all nodes, and end while nobody can tell that they did.
    const slow = Array.from({ length: 8 }, () => askSlowly(site, 14_000));
    await service.told(({ msg, action }) => msg === 'action done' && action === 'drain');
    await proxy.turn('garbage');
    const answers = await Promise.all(slow);
    await site.lasts(2_000);
    expect(service.found(destroys)).toEqual([]);
    await clear(proxy, service);

    await site.untilConverged(2);
    await load.end();
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(answers.map(({ node }) => node)).toContain(site.nodeName(4));
    const silences = reasonsOfSilences(service);
    // Later reasons of a silence depend on where it was cut.
    expect(silences.map(([first]) => first)).toEqual([
      expect.stringContaining('no such socket'),
      expect.stringContaining('did not answer in time'),
      expect.stringMatching(/HAProxy gave [0-9] of 3 answers/),
      expect.stringMatching(/HAProxy gave [0-9] of 3 answers/),
    ]);
    for (const reasons of silences) {
      expect(new Set(reasons).size).toBe(reasons.length);
    }
    expect(ticks.unhealthy).toBe(0);
    expect(ticks.longestGapMs).toBeLessThan(LONGEST_TICK_GAP_MS);
  },
);

async function untilLowLoadIsKnown(site: WeatherSite): Promise<void> {
  const signal = { signal: 'request-rate' };
  await untilMetric(site, 'rackfire_signal_ok', signal, (ok) => ok === 1);
  await untilMetric(site, 'rackfire_request_rate_rps', {}, (rps) => rps < LOW_RPS);
  expect(await readMetric(site, 'rackfire_signal_ok', signal)).toBe(1);
}

async function clear(proxy: SocketProxy, service: ServiceProcess): Promise<void> {
  const before = service.lines.length;
  await proxy.turn('clear');
  await service.told(balancerAnswers, before);
}

/** Why HAProxy did not answer: the reasons of each silence, of which each is said once. */
function reasonsOfSilences(service: ServiceProcess): readonly (readonly string[])[] {
  const silences: string[][] = [[]];
  for (const { msg, err } of service.lines) {
    if (msg === 'source does not answer') {
      silences.at(-1)?.push((err as { readonly message: string }).message);
    } else if (msg === 'source answers') {
      silences.push([]);
    }
  }
  return silences.filter((reasons) => reasons.length > 0);
}
