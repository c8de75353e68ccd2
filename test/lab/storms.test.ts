import { afterAll, expect } from 'vitest';
import type { LogLine, ServiceProcess } from '../weather/service-process.ts';
import type { Dom0 } from './dom0.ts';
import { askGuest } from './guest.ts';
import type { Pace } from './measure.ts';
import { print } from './print.ts';
import { CALM, expectNoResidue, lab, scenario } from './scenario.ts';
import type { SitePlan } from './site-config.ts';
import { type LabSite, PATIENCE_MS } from './site.ts';

/** How a node comes to serve, and how long each took from the decision to its first request, in milliseconds. */
const servedAfterMs = { cold: [] as number[], saved: [] as number[], paused: [] as number[] };
type Start = keyof typeof servedAfterMs;

const CLOCK_TOLERANCE_S = 2;
const PAUSED_WITHIN_MS = 3_000;

afterAll(() => {
  const columns = Object.entries(servedAfterMs).map(([start, times]) => {
    const list = times.map((ms) => `${(ms / 1_000).toFixed(1)} s`).join(', ');
    return `${start} ${list || '–'}`;
  });
  print(`from the decision to the first request served: ${columns.join(' | ')}`);
});

scenario(
  'a storm makes Rackfire boot three guests of the golden image, and destroy them when it is over',
  ({ targetRps }) => ({ minNodes: 1, maxNodes: 4, targetRps }),
  async (site, { targetRps }) => {
    const service = await site.startService();
    const phases = new Phases();
    await site.untilConverged(1);
    phases.end('the minimum, booted from nothing');
    const load = site.load(CALM * targetRps);
    await site.until('somebody was served', () => load.run.ok > 0);
    phases.end('first pages');

    const since = service.lines.length;
    load.change(3.6 * targetRps);
    const started = await toldAction(service, 'boot', since);
    phases.end('storm until the first boot is ordered');
    const view = await site.untilConverged(4);
    phases.end('three more guests in service');
    expect(new Set(view.domains.map(({ host }) => host)).size, 'hosts in use').toBe(2);
    const first = String(started['node']);
    await untilServes(site, first);
    noteStart('cold', site, decisionBefore(service, started), first);
    for (const { name } of view.domains) {
      const status = await askGuest(site.addressOf(name));
      expect(status).toMatchObject({ name, image: 'web@1', uuid: site.uuidOf(name) });
    }

    load.change(CALM * targetRps);
    await site.until('the first goes', ({ inService }) => inService.length < 4);
    phases.end('calm until the first is drained');
    await site.untilConverged(1);
    phases.end('back at the minimum');
    await load.end();
    await expectNoResidue(site, [site.nodeName(1)]);
    print(`a storm, ${phases.text()}`);
  },
);

for (const state of ['paused', 'saved'] as const) {
  scenario(
    `a storm wakes the ${state} standby first: its clock and address are right before anybody is sent to it`,
    (pace) => withStandby(state, pace),
    async (site, { targetRps }) => {
      const service = await site.startService();
      const phases = new Phases();
      await toldDone(service, state === 'paused' ? 'pause' : 'save');
      const asleep = state === 'paused' ? 1 : 0;
      await site.untilConverged(1, asleep);
      phases.end(`the minimum and a ${state} node`);
      await expectAsleep(state, lab.hosts);
      const load = site.load(CALM * targetRps);
      await site.until('somebody was served', () => load.run.ok > 0);

      const since = service.lines.length;
      load.change(2.6 * targetRps);
      const woken = await toldAction(service, 'wake', since);
      const name = String(woken['node']);
      await expectRightFromTheStart(site, name);
      await untilServes(site, name);
      const tookMs = noteStart(state, site, decisionBefore(service, woken), name);
      phases.end('storm until the woken node serves');
      if (state === 'paused') {
        expect(tookMs, 'ms from the decision to the first request served').toBeLessThanOrEqual(
          PAUSED_WITHIN_MS,
        );
      }
      await site.until('three serve', ({ inService }) => inService.length === 3);
      phases.end('a third one, booted');
      const [booted] = service.lines.slice(since).filter(isStart('boot'));
      if (booted !== undefined) {
        const third = String(booted['node']);
        await untilServes(site, third);
        noteStart('cold', site, decisionBefore(service, booted), third);
      }

      const calmSince = service.lines.length;
      load.change(CALM * targetRps);
      await toldDone(service, state === 'paused' ? 'pause' : 'save', calmSince);
      await site.untilConverged(1, asleep);
      phases.end('back at the minimum, the standby refilled');
      await load.end();
      await expectAsleep(state, lab.hosts);
      print(`a storm over a ${state} node, ${phases.text()}`);
    },
  );
}

/** Saved nodes are made of a thin volume, so that both kinds of disk are met. */
function withStandby(state: 'paused' | 'saved', { targetRps }: Pace): SitePlan {
  return {
    minNodes: 1,
    maxNodes: 3,
    targetRps,
    golden: state === 'saved' ? 'thin' : 'file',
    tier: { standby: { state, nodes: 1 } },
  };
}

async function expectAsleep(state: 'paused' | 'saved', hosts: readonly Dom0[]): Promise<void> {
  const looks = await Promise.all(hosts.map((host) => host.look()));
  const paused = looks.flatMap(({ domains }) => domains).filter((one) => one.state === 'paused');
  const files = await Promise.all(hosts.map((host) => host.must('ls /srv/rackfire/saved')));
  const saved = files.flatMap((text) => text.split('\n')).filter((line) => line !== '');
  const found = { paused: paused.map(({ name }) => name).length, saved: saved.length };
  expect(found).toEqual({ paused: 0, saved: 0, [state]: 1 });
}

/** What a woken node says first, which is before its check can have passed. */
async function expectRightFromTheStart(site: LabSite, name: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  let status = await askGuest(site.addressOf(name));
  while (status === undefined && performance.now() < deadlineMs) {
    status = await askGuest(site.addressOf(name));
  }
  const offSeconds = (status?.timeSeconds ?? 0) - Date.now() / 1_000;
  expect(site.watch.firstSeen(name).servedAtMs, 'its first request').toBeUndefined();
  expect(status).toMatchObject({ name, uuid: site.uuidOf(name) });
  expect(Math.abs(offSeconds), 'seconds its clock is off').toBeLessThanOrEqual(CLOCK_TOLERANCE_S);
  print(
    `${name} is awake, its clock ${offSeconds.toFixed(2)} s off, and nobody was sent to it yet`,
  );
}

async function untilServes(site: LabSite, node: string): Promise<void> {
  await site.until(`${node} serves`, () => site.watch.firstSeen(node).servedAtMs !== undefined);
}

function isStart(action: string): (line: LogLine) => boolean {
  return (line) => line.msg === 'action started' && line['action'] === action;
}

async function toldAction(service: ServiceProcess, action: string, since = 0): Promise<LogLine> {
  return await service.told(isStart(action), since, PATIENCE_MS);
}

async function toldDone(service: ServiceProcess, action: string, since = 0): Promise<LogLine> {
  return await service.told(
    (line) => line.msg === 'action done' && line['action'] === action,
    since,
    PATIENCE_MS,
  );
}

/** The decision that an action follows from. */
function decisionBefore(service: ServiceProcess, action: LogLine): LogLine {
  const index = service.lines.indexOf(action);
  return (
    service.lines.slice(0, index).findLast(({ msg }) => msg === 'decided to scale out') ?? action
  );
}

/** Notes how long it took from the decision to the node's first request. @returns Milliseconds. */
function noteStart(start: Start, site: LabSite, decision: LogLine, node: string): number {
  const { servedAtMs = Number.NaN } = site.watch.firstSeen(node);
  const tookMs = servedAtMs - decision.time;
  servedAfterMs[start].push(tookMs);
  return tookMs;
}

/** How long each part of a scenario took. */
class Phases {
  readonly #parts: string[] = [];
  #sinceMs = performance.now();

  end(what: string): void {
    const nowMs = performance.now();
    this.#parts.push(`${what}: ${((nowMs - this.#sinceMs) / 1_000).toFixed(1)} s`);
    this.#sinceMs = nowMs;
  }

  text(): string {
    return this.#parts.join('; ');
  }
}
