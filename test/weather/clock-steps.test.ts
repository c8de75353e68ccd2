import { expect } from 'vitest';
import { ask } from '../../src/balancer/runtime/socket.ts';
import type { LogLine, ServiceProcess } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { askAllSlowly } from './slow-request.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const HOUR_MS = 3_600_000;
const NODES = 3;
const STORM_NODES = 5;
/** Far enough from one node fewer and from one more (see the tolerance) for the noise of arrivals. */
const STEADY_RPS = (NODES - 0.4) * TARGET_RPS;
const STORM_RPS = (STORM_NODES - 0.4) * TARGET_RPS;
/** As long as the drain takes that they are to be seen in, and some. */
const SLOW_MS = 8_000;
const SLOW_REQUESTS = 10;
const BOOT_DEADLINE_MS = 4_000;
/** The log counts whole milliseconds. */
const GRAIN_MS = 20;

type Match = (line: LogLine) => boolean;
const scalings: Match = ({ msg }) => msg.startsWith('decided to scale');
const scalesIn: Match = ({ msg }) => msg === 'decided to scale in';
const boots: Match = ({ msg, action }) => msg === 'action started' && action === 'boot';

for (const [stepMs, direction] of [
  [HOUR_MS, 'forward'],
  [-HOUR_MS, 'back'],
] as const) {
  weather(
    `the clock steps ${direction} an hour, to and fro, at rest, while nodes boot and while they are drained: nothing scales for it, no boot or drain ends early`,
    {
      minNodes: 2,
      maxNodes: STORM_NODES,
      startNodes: NODES,
      hosts: [{ embedded: { bootDelay: '2s' } }, { embedded: { bootDelay: '2s' } }],
      // Before a boot was measured the noise is looked at a minute ahead, and asks for up to 3.9 of three nodes. And what
      // is beyond this asks for all of the storm's at once: beside four of them, the fifth would be tolerated.
      tier: { scaleOut: { tolerance: 0.5 } },
    },
    async (site) => {
      const load = site.load(STEADY_RPS);
      const service = await site.startService({});
      await service.told('source answers');
      // The first window, in which nothing may be let go whatever the clock says.
      await site.lasts(4_000);
      // Its first decision tolerates nothing, so one more node may have come and has to go again.
      await site.untilConverged(NODES);
      const since = service.lines.length;
      await step(service, stepMs);
      // Longer than the window: an hour of nothing, or a second of an hour's requests, would show.
      await site.lasts(4_500);
      expect(foundSince(service, since, scalings)).toEqual([]);
      expect(site.watch.latest?.inService).toHaveLength(NODES);

      load.change(STORM_RPS);
      await service.told(boots, since);
      await step(service, 0);
      await site.untilConverged(STORM_NODES);
      expect(foundSince(service, since, boots)).toHaveLength(STORM_NODES - NODES);
      expect(service.found('boot failed')).toEqual([]);
      expect(foundSince(service, since, scalesIn)).toEqual([]);

      load.change(0.6 * TARGET_RPS);
      const slow = await askAllSlowly(site, SLOW_REQUESTS, SLOW_MS);
      const leaver = site.nodeName(STORM_NODES);
      const view = await site.until(`${leaver} is drained`, ({ servers }) => {
        return servers.get(leaver)?.admin === 'drain';
      });
      expect(view.servers.get(leaver)?.sessions).toBeGreaterThan(0);
      await step(service, stepMs);
      const answers = await slow.answers;
      expect(answers.map(({ status }) => status)).toEqual(Array(SLOW_REQUESTS).fill(200));
      expect(answers.map(({ node }) => node)).toContain(leaver);
      await site.untilConverged(2);
      await load.end();
    },
  );

  weather(
    `the clock steps ${direction} an hour while a node boots that never becomes healthy: it is given up as long after that as after its birth, and another one serves`,
    {
      minNodes: 3,
      maxNodes: 5,
      startNodes: 2,
      tier: { boot: { deadline: `${BOOT_DEADLINE_MS}ms` } },
    },
    async (site) => {
      const name = site.nodeName(3);
      await drainForLong(site, name);
      const load = site.load(1.5 * TARGET_RPS);
      const service = await site.startService({ faults: [{ node: name, fault: 'never-healthy' }] });
      await service.told(({ msg, action, node }) => {
        return msg === 'action done' && action === 'boot' && node === name;
      });
      const stepped = await step(service, stepMs);
      const failed = await service.told('boot failed');
      expect(failed['node']).toBe(name);
      expect(failed.time - stepped.time).toBeGreaterThan(BOOT_DEADLINE_MS - GRAIN_MS);
      const view = await site.untilConverged(3);
      expect(view.inService).not.toContain(name);
      expect(service.found('boot failed')).toHaveLength(1);
      await load.end();
    },
  );
}

weather(
  'the clock is an hour back after Rackfire was killed during a boot that never becomes healthy: the next one gives it up all the same',
  {
    minNodes: 3,
    maxNodes: 5,
    startNodes: 2,
    tier: { boot: { deadline: `${BOOT_DEADLINE_MS}ms` } },
  },
  async (site) => {
    const name = site.nodeName(3);
    const load = site.load(1.5 * TARGET_RPS);
    const killed = await site.startService({ faults: [{ node: name, fault: 'never-healthy' }] });
    await killed.told(({ msg, action, node }) => {
      return msg === 'action done' && action === 'boot' && node === name;
    });
    await killed.kill();
    const service = await site.startService({ wallOffsetMs: -HOUR_MS });
    const [started] = service.found('started');
    const failed = await service.told('boot failed');
    expect(failed['node']).toBe(name);
    expect(failed.time - (started?.time ?? 0)).toBeGreaterThan(BOOT_DEADLINE_MS - GRAIN_MS);
    await site.untilConverged(3);
    await load.end();
  },
);

function foundSince(service: ServiceProcess, since: number, match: Match): readonly LogLine[] {
  return service.lines.slice(since).filter(match);
}

/** Sets Rackfire's wall clock; resolves when Rackfire has said so. @param offsetMs - Against the real one. */
async function step(service: ServiceProcess, offsetMs: number): Promise<LogLine> {
  const since = service.lines.length;
  service.meddle({ wallOffsetMs: offsetMs });
  const said = await service.told('wall clock jumped, deadlines restart', since);
  expect(Math.abs(Math.abs(Number(said['jumpMs'])) - HOUR_MS)).toBeLessThan(1_000);
  return said;
}

/**
 * Leaves a server as a Rackfire does that dies between draining it and booting its node: HAProxy's last change is
 * longer ago than any boot's deadline, so that only the node's birth says how old it is.
 */
async function drainForLong(site: WeatherSite, server: string): Promise<void> {
  const order = `set server ${site.tier.backend}/${server} state drain`;
  await ask(site.haproxy.socketPath, [order], AbortSignal.timeout(5_000));
  await site.lasts(BOOT_DEADLINE_MS + 1_500);
}
