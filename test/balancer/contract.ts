/**
 * What every `LoadBalancer` promises. Each adapter, and the simulated one that the loop is tested with, runs the
 * same tests: what holds for one of them and not for another is a finding.
 */

import { describe, expect, test } from 'vitest';
import { ConfigError, PreconditionError, UnreachableError } from '../../src/control/errors.ts';
import type { BackendReport, LoadBalancer, ServerReport } from '../../src/control/ports.ts';
import { change, hasPassed, never, openRequest, see, valueOf } from './runtime/lab.ts';
import { startLoad, until, type WebNode } from './site.ts';

/** Servers of the backend `news-web` of a site; the first is in rotation at first. No node runs. */
export const NODES = 8;

/** A balancer in its world. */
export interface ContractSite extends AsyncDisposable {
  readonly balancer: LoadBalancer;
  /** Node `number` answers its check from now on. */
  startNode(number: number): Promise<unknown>;
  /** It ends as a guest that is destroyed. */
  stopNode(number: number): Promise<void>;
  /** Puts a request on node `number`, the only one in rotation; it ends at disposal, answered. */
  hold(number: number): Promise<AsyncDisposable>;
  /** Sends more to node 1, the only one in rotation, than it can take at once; it ends at disposal, answered. */
  overload(): Promise<AsyncDisposable>;
  /** Nobody listens any more where the balancer is asked, until `restore`. */
  cutOff(): Promise<void>;
  restore(): Promise<void>;
  /** HAProxy does not answer, until it is thawed. */
  freeze(): void;
  thaw(): void;
  /** Somebody else reloads HAProxy; resolves when the new worker runs. */
  reload(): Promise<void>;
  /** How many orders to change something were sent so far. */
  countOrders(): number;
}

/** A site with a real HAProxy before real nodes. */
export interface RealSite extends ContractSite {
  readonly frontPort: number;
  startNode(number: number): Promise<WebNode>;
}

async function backendOf(balancer: LoadBalancer): Promise<BackendReport | undefined> {
  return (await balancer.inspect(never)).backends.get('news-web');
}

async function adminsOf(balancer: LoadBalancer): Promise<readonly string[]> {
  const servers = (await backendOf(balancer))?.servers ?? [];
  return servers.map(({ admin }) => admin);
}

/** Where nobody can be asked for old workers, HAProxy's own start counts as a reload. */
async function noOldWorkers(balancer: LoadBalancer): Promise<void> {
  await until(
    () => balancer.inspect(never),
    ({ oldWorkers }) => !oldWorkers,
  );
}

/** As declared: the first is in rotation, the others in maintenance. */
function declaredBut(changed: Readonly<Record<number, string>>): readonly string[] {
  return Array.from(
    { length: NODES },
    (_, index) => changed[index + 1] ?? (index === 0 ? 'ready' : 'maint'),
  );
}

/** Lets a node boot, be checked and come into rotation. */
async function admit(site: ContractSite, number: number): Promise<void> {
  await site.startNode(number);
  await site.balancer.setServers([change(number, 'drain')], never);
  await until(() => see(site.balancer, number), hasPassed);
  await site.balancer.setServers([change(number, 'ready', 'check-passed')], never);
}

/** @param start - A new world for each test. */
export function describePort(name: string, start: () => Promise<ContractSite>): void {
  describe(`the port of ${name}`, () => {
    test('every declared server is seen with its state, and a server in maintenance has no check', async () => {
      await using site = await start();
      await site.startNode(1);
      await until(() => see(site.balancer, 1), hasPassed);
      await noOldWorkers(site.balancer);

      const snapshot = await site.balancer.inspect(never);

      expect([...snapshot.backends.keys()]).toEqual(['news-web']);
      const servers = snapshot.backends.get('news-web')?.servers ?? [];
      expect(servers.map((server) => server.name)).toEqual(
        Array.from({ length: NODES }, (_, index) => `news-web-${index + 1}`),
      );
      expect(await adminsOf(site.balancer)).toEqual(declaredBut({}));
      expect(servers[1]).toMatchObject({ admin: 'maint', check: 'pending', sessions: 0 });
    });

    test('a node comes into rotation by way of its check, and leaves it by way of a drain', async () => {
      await using site = await start();
      await admit(site, 2);
      expect(await see(site.balancer, 2)).toMatchObject({ admin: 'ready', check: 'passed' });

      await site.balancer.setServers([change(2, 'drain')], never);
      expect(await see(site.balancer, 2)).toMatchObject({ admin: 'drain', sessions: 0 });
      await noOldWorkers(site.balancer);
      await site.balancer.setServers([change(2, 'maint', 'quiet')], never);
      expect(await adminsOf(site.balancer)).toEqual(declaredBut({}));
    });

    test('the time of the last change starts anew with each', async () => {
      await using site = await start();
      await site.startNode(2);
      await until(
        () => see(site.balancer, 2),
        (server) => (server?.sinceChangeMs ?? 0) >= 4_000,
      );

      await site.balancer.setServers([change(2, 'drain')], never);

      // HAProxy counts whole seconds, one of which may end in between.
      expect((await see(site.balancer, 2))?.sinceChangeMs).toBeLessThan(3_000);
    });

    test('who is not there fails its check and is not admitted; who dies in rotation fails it there', async () => {
      await using site = await start();
      await site.balancer.setServers([change(2, 'drain')], never);
      const failed = (server: ServerReport | undefined): boolean => server?.check === 'failed';
      await until(() => see(site.balancer, 2), failed);

      const tooEarly = site.balancer.setServers([change(2, 'ready', 'check-passed')], never);

      await expect(tooEarly).rejects.toThrow(PreconditionError);
      expect(await see(site.balancer, 2)).toMatchObject({ admin: 'drain', check: 'failed' });
      await site.startNode(2);
      await until(() => see(site.balancer, 2), hasPassed);
      await site.balancer.setServers([change(2, 'ready', 'check-passed')], never);
      await site.stopNode(2);
      await until(() => see(site.balancer, 2), failed);
      expect(await see(site.balancer, 2)).toMatchObject({ admin: 'ready' });
    });

    test('what is so already is not sent again, whatever it requires', async () => {
      await using site = await start();
      await site.balancer.setServers([change(2, 'drain'), change(1, 'ready')], never);
      const orders = site.countOrders();
      expect(orders).toBeGreaterThan(0);

      // Nothing runs: neither check has passed.
      await site.balancer.setServers(
        [change(1, 'ready', 'check-passed'), change(2, 'drain'), change(3, 'maint', 'quiet')],
        never,
      );
      await site.balancer.setServers([], never);

      expect(site.countOrders()).toBe(orders);
      expect(await adminsOf(site.balancer)).toEqual(declaredBut({ 2: 'drain' }));
    });

    test('only a quiet server goes to maintenance', async () => {
      await using site = await start();
      await site.startNode(1);
      await until(() => see(site.balancer, 1), hasPassed);
      {
        await using _request = await site.hold(1);
        await until(
          () => see(site.balancer, 1),
          (server) => server?.sessions === 1,
        );
        await site.balancer.setServers([change(1, 'drain')], never);
        await noOldWorkers(site.balancer);

        const tooEarly = site.balancer.setServers([change(1, 'maint', 'quiet')], never);

        await expect(tooEarly).rejects.toThrow(PreconditionError);
        expect(await see(site.balancer, 1)).toMatchObject({ admin: 'drain', sessions: 1 });
      }
      await until(
        () => see(site.balancer, 1),
        (server) => server?.sessions === 0,
      );
      await site.balancer.setServers([change(1, 'maint', 'quiet')], never);
      expect(await see(site.balancer, 1)).toMatchObject({ admin: 'maint' });
    });

    test('one refused change does not hold back the others, and all refusals are said', async () => {
      await using site = await start();
      const batch = [
        change(99, 'drain'),
        change(2, 'drain'),
        change(3, 'ready', 'check-passed'),
        { ...change(4, 'drain'), backend: 'gone' },
        change(5, 'drain'),
      ];

      const outcome = site.balancer.setServers(batch, never);

      await expect(outcome).rejects.toThrow(PreconditionError);
      await expect(outcome).rejects.toThrow(/news-web-99.*news-web-3.*gone/);
      expect(await adminsOf(site.balancer)).toEqual(declaredBut({ 2: 'drain', 5: 'drain' }));
    });

    test.each(['x;disable server news-web/news-web-1', 'x\nset server', '../a?force_reload=true#'])(
      'a server named %j is refused, and nothing beside it is sent',
      async (server) => {
        await using site = await start();
        const orders = site.countOrders();

        const outcome = site.balancer.setServers(
          [change(1, 'drain'), { ...change(1, 'drain'), server }],
          never,
        );

        await expect(outcome).rejects.toThrow(ConfigError);
        expect(site.countOrders()).toBe(orders);
        expect(await adminsOf(site.balancer)).toEqual(declaredBut({}));
      },
    );

    test('of two changes of one server in a batch the last counts', async () => {
      await using site = await start();
      const batch = [change(2, 'ready', 'check-passed'), change(2, 'drain')];
      await site.balancer.setServers(batch, never);
      expect(await adminsOf(site.balancer)).toEqual(declaredBut({ 2: 'drain' }));
    });

    test('changes that are asked at the same time are all made, in their order', async () => {
      await using site = await start();
      const { balancer } = site;

      await Promise.all([
        ...[2, 3, 4, 5].map((number) => balancer.setServers([change(number, 'drain')], never)),
        balancer.inspect(never),
        balancer.setServers([change(2, 'maint'), change(6, 'drain')], never),
        balancer.setServers([change(3, 'maint')], never),
        balancer.setServers([change(3, 'drain')], never),
      ]);

      const drained = { 3: 'drain', 4: 'drain', 5: 'drain', 6: 'drain' };
      expect(await adminsOf(balancer)).toEqual(declaredBut(drained));
    });

    test('a balancer that is cut off is unreachable; answering again, it has every state and takes orders', async () => {
      await using site = await start();
      const { balancer } = site;
      await admit(site, 2);
      await balancer.setServers([change(1, 'maint')], never);
      await site.cutOff();

      await expect(balancer.inspect(never)).rejects.toThrow(UnreachableError);
      const outcome = balancer.setServers([change(3, 'drain')], never);
      await expect(outcome).rejects.toThrow(UnreachableError);

      await site.restore();
      await until(
        () => adminsOf(balancer).catch(() => undefined),
        (admins) => admins !== undefined,
      );
      expect(await adminsOf(balancer)).toEqual(declaredBut({ 1: 'maint', 2: 'ready' }));
      await balancer.setServers([change(3, 'drain')], never);
      expect(await adminsOf(balancer)).toEqual(declaredBut({ 1: 'maint', 2: 'ready', 3: 'drain' }));
    });

    test('who gives up is answered at once, nothing is sent, and the next question is answered', async () => {
      await using site = await start();
      const { balancer } = site;
      const orders = site.countOrders();
      const gone = AbortSignal.abort(new Error('no longer'));
      await expect(balancer.inspect(gone)).rejects.toThrow(UnreachableError);
      await expect(balancer.setServers([change(2, 'drain')], gone)).rejects.toThrow(
        UnreachableError,
      );

      site.freeze();
      // Time enough for the questions to be under way, and less than any adapter waits by itself.
      const signal = AbortSignal.timeout(300);
      let abortedAtMs = Number.NaN;
      signal.addEventListener('abort', () => {
        abortedAtMs = performance.now();
      });
      const outcomes = await Promise.allSettled([
        balancer.inspect(signal),
        balancer.setServers([change(2, 'drain')], signal),
      ]);
      const tookMs = performance.now() - abortedAtMs;
      site.thaw();

      for (const outcome of outcomes) {
        expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(UnreachableError);
      }
      expect(tookMs).toBeLessThan(1_000);
      expect(site.countOrders()).toBe(orders);
      expect(await adminsOf(balancer)).toEqual(declaredBut({}));
    });

    test('a reload by somebody else changes the epoch and no state: who serves goes on, who does not gets no traffic', async () => {
      await using site = await start();
      const { balancer } = site;
      await admit(site, 2);
      await balancer.setServers([change(1, 'maint'), change(3, 'drain')], never);
      const { epoch } = await balancer.inspect(never);
      expect((await balancer.inspect(never)).epoch).toBe(epoch);

      await site.reload();

      const after = await until(
        () => balancer.inspect(never).catch(() => undefined),
        (snapshot) => snapshot !== undefined && snapshot.epoch !== epoch,
      );
      expect(after?.backends.get('news-web')?.requestRate.status).toBe('absent');
      const [first, second, third, ...others] = await adminsOf(balancer);
      expect([first, second]).toEqual(['maint', 'ready']);
      expect(new Set(others)).toEqual(new Set(['maint']));
      expect(['drain', 'maint']).toContain(third);
      await balancer.setServers([change(3, 'drain')], never);
      expect(await see(balancer, 3)).toMatchObject({ admin: 'drain' });
    });

    test('more than the nodes can take: the slots are full, the queue is seen, and what arrives is more than what is served', async () => {
      await using site = await start();
      await site.startNode(1);
      await until(() => see(site.balancer, 1), hasPassed);
      const calm = await backendOf(site.balancer);
      expect(calm).toMatchObject({ queued: 0, usedSlots: 0 });
      {
        await using _requests = await site.overload();
        const full = await until(
          () => backendOf(site.balancer),
          (backend) => (backend?.queued ?? 0) > 0 && backend?.requestRate.status === 'ok',
        );
        expect(full?.usedSlots).toBe(full?.totalSlots);
        expect(full?.usedSlots).toBeGreaterThan(0);
        expect(full?.servers[0]?.sessions).toBeGreaterThan(0);
        expect(full?.servers[1]?.sessions).toBe(0);
        expect(valueOf(full?.requestRate)).toBeGreaterThan(valueOf(full?.servedRate) ?? 1e9);
      }
      await until(
        () => backendOf(site.balancer),
        (backend) => backend?.queued === 0 && backend.usedSlots === 0,
      );
    });
  });
}

/** What a site's users notice of it: with real nodes, and clients that ask all the time. */
export function describeTraffic(name: string, start: () => Promise<RealSite>): void {
  describe(`traffic by ${name}`, () => {
    test('a node that answers 503 gets no request before its check has passed', async () => {
      await using site = await start();
      const { balancer } = site;
      const first = await site.startNode(1);
      const second = await site.startNode(2);
      second.status = 503;
      await until(() => see(balancer, 1), hasPassed);
      await using load = startLoad(site.frontPort, 4);

      await balancer.setServers([change(2, 'drain')], never);
      await until(
        () => see(balancer, 2),
        (server) => server?.check === 'failed',
      );
      const tooEarly = balancer.setServers([change(2, 'ready', 'check-passed')], never);
      await expect(tooEarly).rejects.toThrow(PreconditionError);

      second.status = 200;
      await until(() => see(balancer, 2), hasPassed);
      expect(second.checks).toBeGreaterThan(1);
      expect(second.requests).toBe(0);
      await balancer.setServers([change(2, 'ready', 'check-passed')], never);
      await until(
        () => second.requests,
        (requests) => requests > 20,
      );

      expect(first.requests).toBeGreaterThan(20);
      expect(load.bad).toEqual([]);
    });

    test('a former tenant’s passed check admits nobody: the next one is checked first', async () => {
      await using site = await start();
      const { balancer } = site;
      await site.startNode(2);
      await balancer.setServers([change(2, 'drain')], never);
      await until(() => see(balancer, 2), hasPassed);
      await balancer.setServers([change(2, 'maint')], never);
      expect(await see(balancer, 2)).toMatchObject({ admin: 'maint', check: 'pending' });
      await site.stopNode(2);

      await balancer.setServers([change(2, 'drain')], never);
      const seen = new Set<string | undefined>();
      await until(
        () => see(balancer, 2),
        (server) => {
          seen.add(server?.check);
          return server?.check === 'failed';
        },
      );

      expect([...seen]).not.toContain('passed');
    });

    test('a drain lets open requests end, and sends no new ones', async () => {
      await using site = await start();
      const { balancer } = site;
      const first = await site.startNode(1);
      await until(() => see(balancer, 1), hasPassed);
      await admit(site, 2);
      const drained = await site.startNode(2);
      await balancer.setServers([change(1, 'drain')], never);
      {
        // Ends without an error only if its client is answered.
        await using _request = await site.hold(2);
        await until(() => see(balancer, 1), hasPassed);
        await balancer.setServers([change(1, 'ready', 'check-passed'), change(2, 'drain')], never);
        const before = { first: first.requests, drained: drained.requests };

        const statuses = await Promise.all(
          Array.from({ length: 6 }, () => openRequest(site.frontPort)),
        );

        expect(statuses).toEqual(Array(6).fill(200));
        expect(first.requests).toBe(before.first + 6);
        expect(drained.requests).toBe(before.drained);
        expect(await see(balancer, 2)).toMatchObject({ admin: 'drain', sessions: 1 });
      }
    });

    test('admissions and drains under load: no request fails, and HAProxy is never reloaded', async () => {
      await using site = await start();
      const { balancer } = site;
      await site.startNode(1);
      const nodes = [await site.startNode(2), await site.startNode(3)];
      await until(() => see(balancer, 1), hasPassed);
      await noOldWorkers(balancer);
      const { epoch } = await balancer.inspect(never);
      await using load = startLoad(site.frontPort, 8);

      for (const _cycle of [1, 2]) {
        await balancer.setServers([change(2, 'drain'), change(3, 'drain')], never);
        for (const [index, node] of nodes.entries()) {
          await until(() => see(balancer, index + 2), hasPassed);
          await balancer.setServers([change(index + 2, 'ready', 'check-passed')], never);
          const { requests } = node;
          await until(
            () => node.requests,
            (now) => now > requests + 10,
          );
        }
        await balancer.setServers([change(2, 'drain'), change(3, 'drain')], never);
        await until(
          async () => [await see(balancer, 2), await see(balancer, 3)],
          (servers) => servers.every((server) => server?.sessions === 0),
        );
        await balancer.setServers(
          [change(2, 'maint', 'quiet'), change(3, 'maint', 'quiet')],
          never,
        );
      }

      expect(load.bad).toEqual([]);
      expect(load.good).toBeGreaterThan(40);
      expect((await balancer.inspect(never)).epoch).toBe(epoch);
    });

    test('three reloads under load: no request fails, and every server stays as it was', async () => {
      await using site = await start();
      const { balancer } = site;
      await site.startNode(1);
      const second = await site.startNode(2);
      await admit(site, 2);
      // The first one is declared in rotation and the second one is not: both are turned round.
      await balancer.setServers([change(1, 'maint')], never);

      const epochs = new Set([(await balancer.inspect(never)).epoch]);
      await using load = startLoad(site.frontPort, 8);
      for (const reload of [1, 2, 3]) {
        const { requests } = second;
        await site.reload();
        await until(
          () => second.requests,
          (now) => now > requests + 50,
        );
        // While one worker takes over from the other, a question may go unanswered.
        const young = await until(
          () => balancer.inspect(never).catch(() => undefined),
          (snapshot) => snapshot !== undefined && !epochs.has(snapshot.epoch),
        );
        epochs.add(young?.epoch ?? '');
        expect(epochs.size).toBe(1 + reload);
        expect(await adminsOf(balancer)).toEqual(declaredBut({ 1: 'maint', 2: 'ready' }));
      }

      expect(load.good).toBeGreaterThan(150);
      expect(load.bad).toEqual([]);
    });

    test('an old worker that still serves is seen, and nothing counts as quiet while it may', async () => {
      await using site = await start();
      const { balancer } = site;
      await site.startNode(1);
      await until(() => see(balancer, 1), hasPassed);
      {
        await using _request = await site.hold(1);
        await balancer.setServers([change(1, 'drain')], never);
        await site.reload();
        const young = await until(
          () => balancer.inspect(never).catch(() => undefined),
          (snapshot) => snapshot?.oldWorkers === true,
        );
        // The new worker knows nothing of the request that the old one still serves.
        expect(young?.backends.get('news-web')?.servers[0]?.sessions).toBe(0);
        await balancer.setServers([change(1, 'drain')], never);
        const tooEarly = balancer.setServers([change(1, 'maint', 'quiet')], never);
        await expect(tooEarly).rejects.toThrow(PreconditionError);
      }
    });

    test('rates are partial after a reload, from the new worker’s own counters', async () => {
      await using site = await start();
      await site.startNode(1);
      const rate = async () => (await backendOf(site.balancer).catch(() => undefined))?.requestRate;
      await until(() => see(site.balancer, 1), hasPassed);
      await using load = startLoad(site.frontPort, 2);
      await until(rate, (sample) => sample?.status === 'ok' && sample.value > 10);

      await site.reload();

      await until(rate, (sample) => sample?.status === 'absent');
      const sample = await until(rate, (later) => later !== undefined && later.status !== 'absent');
      expect(sample?.status).toBe('partial');
      expect(valueOf(sample)).toBeGreaterThan(0);
      expect(load.bad).toEqual([]);
    });
  });
}
