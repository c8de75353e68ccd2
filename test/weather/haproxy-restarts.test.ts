import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { expect } from 'vitest';
import { parseServerStates } from '../../src/balancer/haproxy/server-states.ts';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { until } from '../balancer/site.ts';
import type { ServiceProcess } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { askSlowly } from './slow-request.ts';
import type { View } from './watch.ts';
import { weather } from './weather.ts';
import type { WeatherLoad } from './weather-load.ts';
import type { WeatherSite } from './weather-site.ts';

/** For three nodes, in the middle between what asks for four and what two can do: by more than chance does to a second. */
const STEADY_RPS = 2.5 * TARGET_RPS;
/** Longer than the row. */
const SLOW_MS = 60_000;
const SLOW_REQUESTS = 8;
/** Those beside all others must not crowd three nodes, however slow a machine makes these. */
const ROOMY = { embedded: { slots: 16 } };
/** A request is served within this time; a machine that is busy with other things may need it, too. */
const IN_FLIGHT_MS = 1_500;

interface Outage {
  readonly killedAtMs: number;
  readonly listensAtMs: number;
}

weather(
  'HAProxy is killed and started again, with its state file, with none, and with an old one: who asks while nobody listens fails and nobody else, and every server is as it was before anything else is done',
  {
    minNodes: 2,
    maxNodes: 5,
    startNodes: 4,
    hosts: [ROOMY, ROOMY],
    // Wide enough for the noise of arrivals: from four nodes to three, and then neither back nor on to two. By what
    // arrives alone: the slow requests below take slots, as those of slow nodes would.
    tier: {
      storm: { enabled: false },
      maxConnections: ROOMY.embedded.slots,
      scaleOut: { tolerance: 0.6 },
      scaleIn: { tolerance: 0.25, stabilizationWindow: '3s', policies: [{ nodes: 1, per: '2s' }] },
    },
  },
  async (site) => {
    const oldStates = await writeOldStates(site);
    const service = await site.startService();
    const load = site.load(STEADY_RPS, { mayFail: true });
    // They keep the node that is drained next until HAProxy is killed, and then rates are unknown.
    const slow = Array.from({ length: SLOW_REQUESTS }, () => askSlowly(site, SLOW_MS));
    await service.told(({ msg, action }) => msg === 'action done' && action === 'drain');
    const before = await site.until('one is drained', (view) => statesOf(view)[3] === 'drain');
    expect(statesOf(before).slice(0, 5).join(' ')).toBe('ready ready ready drain maint');
    expect(load.run.failed).toBe(0);

    const { stateFilePath } = site.haproxy;
    const outages: Outage[] = [];
    for (const [reasserted, spoil] of [
      [0, () => Promise.resolve()],
      // Declared `disabled`: the third and the fourth.
      [2, () => rm(stateFilePath)],
      // The fourth serves again, and so does the fifth, which is not there.
      [2, () => writeFile(stateFilePath, oldStates)],
    ] as const) {
      const since = service.lines.length;
      outages.push(await restart(site, load, spoil));
      await expectRestored(site, service, { before, since, reasserted });
    }

    const answers = await Promise.all(slow);
    expect(answers.map(({ status }) => status)).toEqual(Array(SLOW_REQUESTS).fill(0));
    const { failed } = load.run;
    await site.untilConverged(3);
    await load.end();
    expect(load.run.failed).toBe(failed);
    expectFailuresWithin(load, outages);
  },
);

/** A state file in which the fifth node, of which there is nothing, is in rotation. */
async function writeOldStates(site: WeatherSite): Promise<string> {
  const server = `${site.tier.backend}/${site.nodeName(5)}`;
  const { socketPath } = site.haproxy;
  const signal = AbortSignal.timeout(5_000);
  const states = await ask(
    socketPath,
    [`set server ${server} state ready`, 'show servers state'],
    signal,
  );
  await ask(socketPath, [`set server ${server} state maint`], signal);
  return states.trimStart();
}

/** Kills HAProxy and starts it again. @returns When nobody listened, by the load's clock. */
async function restart(
  site: WeatherSite,
  load: WeatherLoad,
  spoil: () => Promise<void>,
): Promise<Outage> {
  const { run } = load;
  const failedBefore = run.failed;
  const inFlight = run.inFlight;
  const dueBefore = run.due;
  const killedAtMs = run.elapsedMs;
  await site.haproxy.kill();
  await spoil();
  const okBefore = run.ok;
  const listens = untilListens(site).then(() => run.elapsedMs);
  const started = site.haproxy.start();
  const listensAtMs = await listens;
  // By the machine's own clock: the load's stands still with it, and this is to be short whatever happens.
  const listenedAtMs = performance.now();
  const due = run.due - dueBefore;
  await until(
    () => run.ok,
    (ok) => ok > okBefore,
  );
  const firstOkMs = performance.now() - listenedAtMs;
  await started;

  expect(firstOkMs, 'until the first answer').toBeLessThan(1_000);
  expect(run.failed - failedBefore, 'failed').toBeLessThanOrEqual(inFlight + due);
  return { killedAtMs, listensAtMs };
}

async function untilListens(site: WeatherSite): Promise<void> {
  const [host = '', port] = (site.tier.frontend?.bind ?? '').split(':');
  await until(
    async () => {
      const socket = connect({ host, port: Number(port) });
      const listens = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      return listens;
    },
    (listens) => listens,
  );
}

async function expectRestored(
  site: WeatherSite,
  service: ServiceProcess,
  hopes: { readonly before: View; readonly since: number; readonly reasserted: number },
): Promise<void> {
  const { before, since, reasserted } = hopes;
  const said = await service.told('balancer was reloaded or restarted', since);
  expect(said['reasserted']).toBe(reasserted);
  await site.until('every server is as it was', (view) => {
    return String(statesOf(view)) === String(statesOf(before));
  });
  // It survives the next restart; and nothing is written any more that the row might spoil too early.
  await until(
    () => readStateFile(site),
    (states) => states === String(statesOf(before)),
  );
  const acted = service.lines.slice(since).filter(({ msg }) => msg === 'action started');
  expect(acted).toEqual([]);
}

/** As {@link statesOf}, of what HAProxy would start from. */
async function readStateFile({ haproxy, tier }: WeatherSite): Promise<string> {
  const text = await readFile(haproxy.stateFilePath, 'utf8').catch(() => undefined);
  const servers = text === undefined ? undefined : parseServerStates(text).get(tier.backend);
  return String([...(servers?.values() ?? [])].map(({ admin }) => admin));
}

/** In the order of the numbers, from 1. */
function statesOf({ servers }: View): readonly string[] {
  return [...servers.values()].map(({ admin }) => admin);
}

/** The first failures are known one by one; of all of them, that none came between the outages. */
function expectFailuresWithin({ run }: WeatherLoad, outages: readonly Outage[]): void {
  expect([...run.failures.keys()]).toEqual(['connection']);
  const samples = [...run.failures.values()].flatMap((group) => group.samples);
  const others = samples.filter(
    ({ intendedMs }) =>
      !outages.some(
        ({ killedAtMs, listensAtMs }) =>
          intendedMs > killedAtMs - IN_FLIGHT_MS && intendedMs < listensAtMs,
      ),
  );
  expect(others).toEqual([]);
}
