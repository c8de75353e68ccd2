/** Three replicas, a real API server, real HAProxy under load: whatever befalls the leader, the site does not notice. */

import { afterAll, beforeAll, expect } from 'vitest';
import type { Term } from '../../src/scaler/term.ts';
import { rackfire } from '../cli/rackfire.ts';
import { TARGET_RPS, type SitePlan } from '../weather/site-config.ts';
import { weather } from '../weather/weather.ts';
import type { WeatherSite } from '../weather/weather-site.ts';
import { ApiServer, until } from './api-server.ts';
import { applyManifests } from './manifests.ts';
import {
  isFull,
  LEADS,
  LEASE_PATH,
  LOST,
  type Replica,
  Replicas,
  TAKEOVER_MS,
  TIMINGS,
} from './replicas.ts';

const PLAN: SitePlan = { minNodes: 2, maxNodes: 4 };
const STORM_RPS = 3.6 * TARGET_RPS;
const CALM_RPS = 0.6 * TARGET_RPS;
const STORM_NODES = 4;
const CALM_NODES = 2;
const TIMES = isFull ? 10 : 1;
const API_DOWN_MS = isFull ? 300_000 : 60_000;
/** As 8 s to a renew deadline of 10 s. */
const SLOW_ANSWER_MS = 0.8 * TIMINGS.renewDeadlineMs;
const ROW_DEADLINE_MS = TIMES * 20 * TIMINGS.leaseMs + API_DOWN_MS;
const NOT_LEADER = 75;

let api: ApiServer;

beforeAll(async () => {
  api = await ApiServer.start();
  await applyManifests(api);
}, 240_000);

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

/** A row with three replicas of which one leads. */
function replicated(
  name: string,
  row: (site: WeatherSite, replicas: Replicas) => Promise<void>,
): void {
  weather(
    name,
    PLAN,
    async (site) => {
      await using replicas = await Replicas.start(site, api);
      await row(site, replicas);
      const leader = await replicas.leader();
      // What is decided is decided again from the journals: one that has just begun would hold nothing.
      await leader.service.told('journal is written');
      replicas.expectOneActor();
    },
    ROW_DEADLINE_MS,
  );
}

interface Fault {
  readonly what: string;
  /**
   * When it strikes. A process that is stopped while it writes into the fence file would hold the lock on the hosts of this
   * machine for as long: no dom0 is stopped with its leader.
   */
  readonly after: 'action started' | 'action done';
  readonly strike: (replica: Replica) => Promise<void> | void;
  readonly heal: (replica: Replica, replicas: Replicas) => Promise<void> | void;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'killed',
    after: 'action started',
    strike: ({ service }) => service.kill(),
    heal: (replica, replicas) => replicas.restart(replica),
  },
  {
    what: 'stopped for longer than its lease, and resumed',
    after: 'action done',
    strike: ({ service }) => service.signal('SIGSTOP'),
    heal: async ({ service }) => {
      const since = service.lines.length;
      service.signal('SIGCONT');
      await service.told(LOST, since);
    },
  },
  {
    what: 'cut off from the API server',
    after: 'action started',
    strike: ({ link }) => link.turn('cut'),
    heal: ({ link }) => link.turn('open'),
  },
  {
    what: 'answered by the API server after too long a time',
    after: 'action started',
    strike: ({ link }) => link.turn({ delayAnswersMs: SLOW_ANSWER_MS }),
    heal: ({ link }) => link.turn('open'),
  },
];

for (const { what, after, strike, heal } of FAULTS) {
  replicated(
    `the leader is ${what}, in the middle of a scale-out and of a scale-in: another one goes on`,
    async (site, replicas) => {
      const load = site.load(CALM_RPS);
      for (let time = 0; time < TIMES; time += 1) {
        for (const [rps, action, nodes] of [
          [STORM_RPS, 'boot', STORM_NODES],
          [CALM_RPS, 'drain', CALM_NODES],
        ] as const) {
          const leader = await replicas.leader();
          const since = replicas.now;
          load.change(rps);
          await leader.service.told(
            (line) => line.msg === after && line['action'] === action,
            since.get(leader),
          );
          const struckAtMs = Date.now();
          await strike(leader);
          const { line } = await replicas.successor(leader, since);
          process.stdout.write(
            `${what}, ${action}: took over after ${line.time - struckAtMs} ms\n`,
          );
          expect(line.time - struckAtMs).toBeLessThanOrEqual(TAKEOVER_MS);
          await site.untilConverged(nodes);
          await heal(leader, replicas);
          await replicas.leader();
        }
      }
      await load.end();
    },
  );
}

replicated(
  'the API server goes down while nodes come: the leader stops to act, the site goes on, and all converge after',
  async (site, replicas) => {
    const load = site.load(CALM_RPS);
    const leader = await replicas.leader();
    const since = replicas.now;
    load.change(STORM_RPS);
    await leader.service.told('action started', since.get(leader));
    // Nobody will admit what comes, so the storm must pass: what those that serve can do is enough.
    load.change(CALM_RPS);
    await api.down();
    const downAtMs = Date.now();
    const lost = await leader.service.told(LOST, since.get(leader));
    expect(lost.time - downAtMs).toBeLessThanOrEqual(TIMINGS.renewDeadlineMs + 500);
    await site.lasts(API_DOWN_MS - (Date.now() - downAtMs));
    for (const { service } of replicas.all) {
      const begun = service.found(
        ({ msg, time }) => msg === 'action started' && time > lost.time && time < Date.now(),
      );
      expect(begun).toEqual([]);
    }
    await api.up();
    await replicas.leader();
    await site.untilConverged(CALM_NODES);
    load.change(STORM_RPS);
    await site.untilConverged(STORM_NODES);
    await load.end();
  },
);

replicated(
  'the Lease is labelled, edited, held by a stranger and deleted: as documented each time',
  async (site, replicas) => {
    const load = site.load(CALM_RPS);
    const first = await replicas.leader();
    const since = replicas.now;
    await patchLease({ metadata: { labels: { team: 'web' } } });
    await until(
      'the leader has renewed on',
      async () => (await readLease()).metadata.labels?.['team'] === 'web',
    );
    await site.lasts(TIMINGS.renewDeadlineMs + 1_000);
    expect((await replicas.leader()).number).toBe(first.number);
    expect(first.service.found(LOST)).toEqual([]);
    expect((await readLease()).metadata.labels).toEqual({ team: 'web' });

    await patchLease({ spec: { leaseDurationSeconds: 40 } });
    await until(
      'the leader has renewed it with its own duration',
      async () => (await readLease()).spec.leaseDurationSeconds === TIMINGS.leaseMs / 1_000,
    );
    expect(first.service.found(LOST)).toEqual([]);

    // A stranger that renews is left the lease for as long as it does.
    await patchLease({ spec: { holderIdentity: 'a-stranger', leaseDurationSeconds: 2 } });
    await first.service.told(LOST, since.get(first));
    for (let renewed = 0; renewed < 3; renewed += 1) {
      await site.lasts(0.6 * TIMINGS.leaseMs);
      await patchLease({ metadata: { annotations: { renewed: String(renewed) } } });
      expect(replicas.all.filter(({ leads }) => leads)).toEqual([]);
    }
    const status = await getJson(`${first.url}/api/v1/status`);
    expect(status).toMatchObject({
      leader: { isLeader: false, driver: 'kubernetes', holder: { name: 'a-stranger' } },
    });
    const strangerGoneAtMs = Date.now();
    const second = await replicas.leader();
    expect(Date.now() - strangerGoneAtMs).toBeLessThanOrEqual(TAKEOVER_MS);
    const termBefore = termOf(second);

    const beforeEdit = replicas.now;
    const editedAtMs = Date.now();
    await patchLease({ spec: { leaseTransitions: termBefore.transitions + 10 } });
    await second.service.told(LOST, beforeEdit.get(second));
    await until('a newer term leads', () =>
      replicas.all.some(
        (replica) => replica.leads && termOf(replica).transitions === termBefore.transitions + 11,
      ),
    );
    expect(Date.now() - editedAtMs).toBeLessThanOrEqual(TAKEOVER_MS);
    const third = await replicas.leader();

    const beforeDeletion = replicas.now;
    await api.ask('DELETE', LEASE_PATH);
    await third.service.told(LOST, beforeDeletion.get(third));
    const last = await replicas.leader();
    expect(termOf(last).createdAtSeconds).toBeGreaterThan(termBefore.createdAtSeconds);
    load.change(STORM_RPS);
    await site.untilConverged(STORM_NODES);
    await load.end();
  },
);

replicated(
  'followers show all and change nothing; a leader that ends hands over at once; one that reaches no HAProxy resigns',
  async (site, replicas) => {
    const load = site.load(CALM_RPS);
    const leader = await replicas.leader();
    const [follower] = replicas.all.filter((one) => one !== leader);
    await follower!.service.told('another one leads, only observing');
    await until('the follower is ready', async () => (await fetch(`${follower!.url}/readyz`)).ok);
    const status = await getJson(`${follower!.url}/api/v1/status`);
    const { holder } = status.leader;
    expect(status).toMatchObject({ leader: { isLeader: false, driver: 'kubernetes' } });
    expect(holder?.name).toBe((await readLease()).spec.holderIdentity);
    expect((await fetch(`${follower!.url}/healthz`)).ok).toBe(true);
    const page = await (await fetch(`${follower!.url}/metrics`)).text();
    expect(page).toContain('\nrackfire_leader 0\n');
    expect(page).toContain('\nrackfire_leadership_shared 1\n');
    const explained = await rackfire('explain', 'news/web', '--url', follower!.url);
    expect(explained.code).toBe(0);
    const hold = ['hold', '3', 'news/web', '--for', '1h', '--reason', 'a test'];
    const refused = await rackfire(
      ...hold,
      '--url',
      follower!.url,
      '--token-file',
      `${site.folder}/token`,
    );
    expect(refused.code).toBe(NOT_LEADER);
    expect(refused.stderr).toContain(`another Rackfire leads: ${holder?.name}`);

    const beforeEnd = replicas.now;
    await leader.service.stop();
    const endedAtMs = Date.now();
    const { replica: second, line } = await replicas.successor(leader, beforeEnd);
    expect(line.time - endedAtMs).toBeLessThanOrEqual(1.2 * TIMINGS.retryMs + 500);
    await replicas.restart(leader);

    const beforeSilence = replicas.now;
    await second.tap.close();
    const resigned = await second.service.told(
      'resigns, another one may be able to work',
      beforeSilence.get(second),
    );
    const { replica: third, line: took } = await replicas.successor(second, beforeSilence);
    expect(took.time - resigned.time).toBeLessThanOrEqual(1.2 * TIMINGS.retryMs + 500);
    await second.tap.listen();
    load.change(STORM_RPS);
    await site.untilConverged(STORM_NODES);
    expect((await replicas.leader()).number).toBe(third.number);
    await load.end();
  },
);

interface Lease {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number };
}

async function readLease(): Promise<Lease> {
  return (await api.ask('GET', LEASE_PATH)).body as Lease;
}

async function patchLease(body: unknown): Promise<void> {
  const { code } = await api.ask('PATCH', LEASE_PATH, {
    body,
    type: 'application/merge-patch+json',
  });
  expect(code).toBe(200);
}

async function getJson(url: string): Promise<{
  readonly leader: { readonly holder: { readonly name: string } | null };
}> {
  return (await (await fetch(url)).json()) as never;
}

function termOf({ service }: Replica): Term {
  return service.lines.findLast(({ msg }) => msg === LEADS)?.['term'] as never;
}
