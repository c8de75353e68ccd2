import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Term } from '../../src/scaler/term.ts';
import { type LineMatch, type LogLine, ServiceProcess } from './service-process.ts';
import { type SitePlan, TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const STORM_RPS = 3.6 * TARGET_RPS;
const CALM_RPS = 0.6 * TARGET_RPS;
const NOT_LEADER = 75;
/** A follower tries every 2 s and waits for half a second more; the rest is for a machine that is busy. */
const TAKEOVER_MS = 6_000;

const PLAN: SitePlan = { minNodes: 2, maxNodes: 4 };

const LEADS = 'leads from now on';
const FOLLOWS = 'another one leads, only observing';
const LOST = 'leadership is lost';
const actions: LineMatch = 'action started';
const boots: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'boot';

weather(
  'two Rackfires on one config: the second ends and names the first; on a copy with another port it watches, does nothing in a storm, and takes over when the first is killed',
  PLAN,
  async (site) => {
    const first = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    await using refused = new ServiceProcess(site.configFile);
    await refused.ended();
    expect(refused.exitCode).toBe(NOT_LEADER);
    expect(refused.output()).toMatch(
      new RegExp(`another Rackfire leads already: pid ${first.pid} on `),
    );
    expect(refused.found(actions)).toEqual([]);

    const second = await startSecond(site);
    const said = await second.told(FOLLOWS);
    expect(said['leader']).toMatchObject({ pid: first.pid });
    await second.told('source answers');
    // It decides by itself, not by what the first one has ordered, and leaves it at that.
    process.kill(first.pid, 'SIGSTOP');
    load.change(STORM_RPS);
    await second.told('decided to scale out');
    const since = first.lines.length;
    process.kill(first.pid, 'SIGCONT');
    await first.told(boots, since);
    await first.kill();
    const killedAtMs = Date.now();
    const leads = await second.told(LEADS);
    expect(leads.time - killedAtMs).toBeLessThan(TAKEOVER_MS);
    await site.untilConverged(4);
    expect(second.found(actions).filter(({ time }) => time < leads.time)).toEqual([]);
    const [led] = first.found(LEADS);
    expect(isNewerTerm(termOf(leads), termOf(led))).toBe(true);

    load.change(CALM_RPS);
    const view = await site.untilConverged(2);
    expect(view.inService.toSorted()).toEqual([site.nodeName(1), site.nodeName(2)]);
    await load.end();
  },
);

weather(
  'the lock is deleted under the leader again and again while it acts: at no moment both act, and in the end all is as it should be',
  PLAN,
  async (site) => {
    const services = [await site.startService(), await startSecond(site)];
    const load = site.load(1.5 * TARGET_RPS);
    for (const rps of [STORM_RPS, CALM_RPS, STORM_RPS, CALM_RPS]) {
      const since = services.map(({ lines }) => lines.length);
      load.change(rps);
      await Promise.any(services.map((one, index) => one.told(actions, since[index])));
      await rm(lockOf(site));
      await Promise.any(services.map((one, index) => one.told(LEADS, since[index])));
      await site.untilConverged(rps === STORM_RPS ? 4 : 2);
    }
    await load.end();
    expectOneActor(services);
    expect(services.flatMap((one) => one.found(LOST))).toHaveLength(4);
  },
);

function lockOf({ config: { leadership } }: WeatherSite): string {
  if (leadership.driver !== 'file') {
    throw new Error('the site has no lock');
  }
  return leadership.path;
}

/** On a copy of the config, as somebody makes it who wonders why the port is taken. */
async function startSecond(site: WeatherSite): Promise<ServiceProcess> {
  const file = join(site.folder, 'second.yaml');
  const http = { listen: `${site.place.subnet}.4:9500` };
  await writeFile(file, site.renderConfig({ file: { http } }));
  return await site.startService(undefined, file);
}

/** Whoever begins an action leads by its own word, and the other one does not. */
function expectOneActor(services: readonly ServiceProcess[]): void {
  for (const service of services) {
    let leads = false;
    for (const line of service.lines) {
      leads = line.msg === LEADS || (leads && line.msg !== LOST);
      if (line.msg === 'action started') {
        const others = services.filter((one) => one !== service && leadsAt(one, line.time));
        expect([leads, others.map(({ pid }) => pid)], JSON.stringify(line)).toEqual([true, []]);
      }
    }
  }
}

function leadsAt(service: ServiceProcess, atMs: number): boolean {
  const before = service.found(({ msg, time }) => {
    return time <= atMs && (msg === LEADS || msg === LOST);
  });
  return before.at(-1)?.msg === LEADS;
}

function termOf(line: LogLine | undefined): Term {
  return line?.['term'] as Term;
}

function isNewerTerm(term: Term, other: Term): boolean {
  return term.createdAtSeconds === other.createdAtSeconds
    ? term.transitions > other.transitions
    : term.createdAtSeconds > other.createdAtSeconds;
}
