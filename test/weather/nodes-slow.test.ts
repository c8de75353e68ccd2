import { expect } from 'vitest';
import { CheckGate } from './check-gate.ts';
import type { ServiceProcess } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import type { View } from './watch.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

/** As long as a failing check may last before Rackfire takes a single node for sick, and some ticks more. */
const LONGER_THAN_SICK_MS = 17_000;
/** So that some ticks of Rackfire see it. */
const TICKS_MS = 2_000;

weather(
  'all nodes are crowded, their checks wait for a slot as everybody does and fail here and there: nobody is let go for it',
  {
    minNodes: 2,
    maxNodes: 4,
    startNodes: 4,
    startFault: 'health-takes-slot',
    // Three times what a node can do at once, which is the mistake that makes checks late in a crowd.
    tier: { maxConnections: 24 },
    // An operator without patience: 0.2 s are usual and 0.6 s in the crowd.
    editHaproxyConfig: (text) => text.replace('timeout check 3s', 'timeout check 450ms'),
  },
  async (site) => {
    const before = processesOf(site);
    const service = await site.startService();
    const load = site.load(3.4 * TARGET_RPS, { mayFail: true });
    await service.told('source answers');
    await site.untilConverged(4);

    load.change(6.5 * TARGET_RPS);
    const failed = new Set<string>();
    await site.until('the check of each has failed', (view) => {
      for (const name of downOf(view)) {
        failed.add(name);
      }
      return failed.size === 4;
    });
    await site.lasts(6_000);
    load.change(3.4 * TARGET_RPS);
    await site.until('the crowd has gone', ({ queued }) => queued === 0);
    await site.untilConverged(4);
    await load.end();

    expectNobodyTouched(site, service, before);
    // While no server was up, HAProxy itself turned visitors away, which nobody behind it can help; whoever was
    // let in was served.
    expect(load.run.failures.get('status')?.samples.map(({ message }) => message) ?? []).toEqual(
      Array(Math.min(load.run.failed, 20)).fill('503 Service Unavailable'),
    );
  },
);

const gate = new CheckGate();

weather(
  'the checks of nodes that serve well come late: in turn, then those of two at once for long, then that of one while requests queue: nobody is let go for it',
  {
    // Without room for replacements, who is taken for sick goes first.
    minNodes: 4,
    maxNodes: 4,
    editHaproxyConfig: (text) =>
      gate.install(text.replace('timeout check 3s', 'timeout check 500ms')),
  },
  async (site) => {
    await using checks = gate;
    const before = processesOf(site);
    const service = await site.startService();
    // What two nodes can do, so that nothing queues at first.
    const load = site.load(2 * TARGET_RPS);
    await service.told('source answers');
    await site.untilConverged(4);

    for (const number of [1, 2]) {
      checks.hold(number);
      await untilDown(site, [number]);
      await site.lasts(TICKS_MS);
      checks.release(number);
      await untilDown(site, []);
    }
    expectNobodyTouched(site, service, before);

    checks.hold(3);
    await untilDown(site, [3]);
    await site.lasts(TICKS_MS);
    checks.hold(4);
    await untilDown(site, [3, 4]);
    await site.lasts(LONGER_THAN_SICK_MS);
    expectNobodyTouched(site, service, before);
    expect(
      service.found('too many nodes fail their checks at once, none is replaced'),
    ).toHaveLength(1);

    load.change(4 * TARGET_RPS);
    await site.until('requests queue', ({ queued }) => queued > 50);
    checks.release(3);
    await untilDown(site, [4]);
    await site.lasts(TICKS_MS);
    expect(site.watch.latest?.queued).toBeGreaterThan(0);
    checks.release(4);
    await site.untilConverged(4);
    await load.end();

    expectNobodyTouched(site, service, before);
  },
);

function processesOf(site: WeatherSite): ReadonlySet<number> {
  return new Set(site.ownNodes().map(({ pid }) => pid));
}

/** Names of servers in rotation whose check fails. */
function downOf({ servers }: View): readonly string[] {
  return [...servers]
    .filter(([, { admin, status }]) => admin === 'ready' && status.startsWith('DOWN'))
    .map(([name]) => name);
}

async function untilDown(site: WeatherSite, numbers: readonly number[]): Promise<void> {
  const names = numbers.map((number) => site.nodeName(number));
  await site.until(
    `down are: ${names.join(', ')}`,
    (view) => String(downOf(view)) === String(names),
  );
}

function expectNobodyTouched(
  site: WeatherSite,
  service: ServiceProcess,
  before: ReadonlySet<number>,
): void {
  expect(service.found('action started')).toEqual([]);
  expect(processesOf(site)).toEqual(before);
}
