import { describe, expect, test } from 'vitest';
import { DataplaneClient } from '../../../src/balancer/dataplane/client.ts';
import type { ConfiguredServer } from '../../../src/balancer/dataplane/types.ts';
import { ask } from '../../../src/balancer/runtime/socket.ts';
import {
  ConfigError,
  ConflictError,
  PreconditionError,
  UnreachableError,
} from '../../../src/control/errors.ts';
import { change, hasPassed, never, see } from '../runtime/lab.ts';
import { startLoad, until, WebNode } from '../site.ts';
import { balancerOf, type DaemonSite, startDaemonSite } from './daemon-site.ts';
import { countOrders, openHttpGate, type Passage, type Reply } from './http-gate.ts';

const generations = ['v2', 'v3'] as const;

/** Somebody else who asks the same daemon, past the gate. */
function somebodyElse({ daemon }: DaemonSite): DataplaneClient {
  return new DataplaneClient(daemon);
}

/** Writes something of another server into the file: what others had in mind is outdated. */
async function writeMeanwhile(client: DataplaneClient): Promise<void> {
  const version = await client.configurationVersion(never);
  const server = await fileOf(client, 8);
  const weight = (server.weight ?? 1) + 1;
  await client.replaceServer('news-web', { ...server, weight }, { version }, never);
}

async function fileOf(client: DataplaneClient, node: number): Promise<ConfiguredServer> {
  const servers = await client.servers('news-web', never);
  const server = servers.find(({ name }) => name === `news-web-${node}`);
  if (server === undefined) {
    throw new Error(`news-web-${node} is not declared`);
  }
  return server;
}

function isWrite({ method, path }: Passage): boolean {
  return method === 'PUT' && path.includes('/configuration/');
}

/** Node 2 is drained, checked, and may come into rotation. */
async function warm({ balancer, ports }: DaemonSite): Promise<WebNode> {
  const node = await WebNode.start('127.0.0.3', ports.nodePort);
  await balancer.setServers([change(2, 'drain')], never);
  await until(() => see(balancer, 2), hasPassed);
  return node;
}

describe.each(generations)('a change by %s', (generation) => {
  test('sends every field back, so that no change needs a reload', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const other = somebodyElse(site);
    const version = await other.configurationVersion(never);
    await other.replaceServer(
      'news-web',
      { ...(await fileOf(other, 2)), weight: 11 },
      { version },
      never,
    );
    await using _node = await warm(site);
    const { epoch } = await site.balancer.inspect(never);

    await site.balancer.setServers([change(2, 'ready', 'check-passed')], never);

    expect(await fileOf(other, 2)).toMatchObject({ weight: 11, maintenance: 'disabled' });
    expect(await site.balancer.inspect(never)).toMatchObject({ epoch, warnings: [] });
  });

  test('that somebody else’s came in between of is made on what there is then', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    await using _node = await warm(site);
    const other = somebodyElse(site);
    let meddled = 0;
    site.gate.guard = async (passage) => {
      if (isWrite(passage) && meddled < 3) {
        meddled += 1;
        await writeMeanwhile(other);
      }
      return undefined;
    };

    await site.balancer.setServers([change(2, 'ready', 'check-passed')], never);

    expect(site.gate.asked.filter(isWrite)).toHaveLength(4);
    expect(await fileOf(other, 2)).toMatchObject({ maintenance: 'disabled' });
    expect((await fileOf(other, 8)).weight).toBe(4);
  });

  test('that comes in conflict each time is given up after ten tries', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    site.gate.guard = (passage) =>
      isWrite(passage)
        ? { status: 409, body: '{"code":409,"message":"version mismatch: …"}' }
        : undefined;

    const outcome = site.balancer.setServers([change(1, 'maint')], never);

    await expect(outcome).rejects.toThrow(UnreachableError);
    await expect(outcome).rejects.toThrow(/version mismatch/);
    expect(site.gate.asked.filter(isWrite)).toHaveLength(10);
    expect(await see(site.balancer, 1)).toMatchObject({ admin: 'ready' });
  });

  test('back from a drain into rotation is told to HAProxy, because the file says so already', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    await using _node = await warm(site);
    await site.balancer.setServers([change(2, 'ready', 'check-passed')], never);
    await site.balancer.setServers([change(2, 'drain')], never);
    const writes = site.gate.asked.filter(isWrite).length;

    await site.balancer.setServers([change(2, 'ready')], never);

    expect(await see(site.balancer, 2)).toMatchObject({ admin: 'ready' });
    expect(site.gate.asked.filter(isWrite)).toHaveLength(writes);
  });

  test('of who was never in rotation from its drain to maintenance gives it no request on the way', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    await using _first = await WebNode.start('127.0.0.2', site.ports.nodePort);
    await until(() => see(site.balancer, 1), hasPassed);
    await using node = await warm(site);
    await using load = startLoad(site.ports.frontPort, 8);
    for (const _cycle of [1, 2, 3, 4, 5]) {
      await site.balancer.setServers([change(2, 'maint', 'quiet')], never);
      expect(await see(site.balancer, 2)).toMatchObject({ admin: 'maint' });
      await site.balancer.setServers([change(2, 'drain')], never);
      await until(() => see(site.balancer, 2), hasPassed);
    }
    await until(
      () => load.good,
      (good) => good > 100,
    );

    expect(node.requests).toBe(0);
    expect(load.bad).toEqual([]);
    expect(await fileOf(somebodyElse(site), 2)).toMatchObject({ maintenance: 'enabled' });
  });

  test('that is taken back within its batch was none', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    await site.balancer.setServers(
      [change(1, 'ready'), change(1, 'drain'), change(2, 'maint', 'quiet'), change(2, 'drain')],
      never,
    );
    expect(await see(site.balancer, 1)).toMatchObject({ admin: 'drain' });
    expect(await see(site.balancer, 2)).toMatchObject({ admin: 'drain' });
  });

  test('that somebody made in HAProxy alone is written into the file, too', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const other = somebodyElse(site);
    await ask(site.rig.socketPath, ['set server news-web/news-web-1 state maint'], never);
    expect((await fileOf(other, 1)).maintenance ?? 'disabled').toBe('disabled');

    await site.balancer.setServers([change(1, 'maint')], never);

    expect(await fileOf(other, 1)).toMatchObject({ maintenance: 'enabled' });
  });

  test('of a server that the file does not have is refused, and the others are made', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    site.gate.reword = ({ method, path }, reply): Reply =>
      method === 'GET' && path.includes('/configuration/')
        ? { ...reply, body: (reply.body ?? '').replace('"news-web-1"', '"renamed"') }
        : reply;

    const outcome = site.balancer.setServers([change(1, 'maint'), change(2, 'drain')], never);

    await expect(outcome).rejects.toThrow(PreconditionError);
    await expect(outcome).rejects.toThrow(/news-web\/news-web-1 is not set to maint/);
    expect(await see(site.balancer, 2)).toMatchObject({ admin: 'drain' });
  });

  test('is told to be too early when a request came at the last moment', async () => {
    await using site = await startDaemonSite(generation, { hardStopAfterMs: 1 });
    await using _rig = site.rig;
    await until(
      () => site.balancer.inspect(never),
      ({ oldWorkers }) => !oldWorkers,
    );
    site.gate.reword = ({ path }, reply): Reply =>
      path.endsWith('/stats/native') && site.gate.asked.some(isWrite)
        ? { ...reply, body: (reply.body ?? '').replaceAll('"scur":0', '"scur":1') }
        : reply;

    const outcome = site.balancer.setServers([change(1, 'maint', 'quiet')], never);

    await expect(outcome).rejects.toThrow(PreconditionError);
    await expect(outcome).rejects.toThrow(/at the last moment/);
  });

  test('that the daemon reloads HAProxy for is done when the new worker answers, and is told', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const { epoch } = await site.balancer.inspect(never);
    const polls: string[] = [];
    let reloaded: Promise<void> | undefined;
    site.gate.reword = (passage, reply): Reply =>
      isWrite(passage) ? { ...reply, status: 202, headers: { 'Reload-ID': 'r-1' } } : reply;
    site.gate.guard = ({ path }) => {
      if (!path.endsWith('/reloads/r-1')) {
        return undefined;
      }
      polls.push(path);
      // It counts as done a moment before the new worker answers.
      if (polls.length === 2) {
        reloaded = site.rig.reload();
      }
      const status = polls.length < 2 ? 'in_progress' : 'succeeded';
      return { status: 200, body: JSON.stringify({ id: 'r-1', status }) };
    };

    await site.balancer.setServers([change(1, 'maint')], never);

    expect(polls).toHaveLength(2);
    const after = await site.balancer.inspect(never);
    expect(after.epoch).not.toBe(epoch);
    expect(after.warnings).toEqual([expect.stringContaining('HAProxy was reloaded to set')]);
    await reloaded;
    site.gate.reword = (_, reply) => reply;
    await site.balancer.setServers([change(1, 'ready')], never);
    expect((await site.balancer.inspect(never)).warnings).toEqual([]);
  });

  test('whose reload fails is told with what HAProxy says', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    site.gate.reword = (passage, reply): Reply =>
      isWrite(passage) ? { ...reply, status: 202, headers: { 'Reload-ID': 'r-1' } } : reply;
    site.gate.guard = ({ path }) =>
      path.endsWith('/reloads/r-1')
        ? { status: 200, body: '{"id":"r-1","status":"failed","response":"no such file"}' }
        : undefined;

    const outcome = site.balancer.setServers([change(1, 'maint')], never);

    await expect(outcome).rejects.toThrow(UnreachableError);
    await expect(outcome).rejects.toThrow(/could not be reloaded.*no such file/);
  });
});

describe.each(generations)('what is not known by %s', (generation) => {
  test('a daemon that asks HAProxy’s master sees no servers: unknown, with what to do', async () => {
    await using site = await startDaemonSite(generation, { isGivenMasterSocket: true });
    await using _rig = site.rig;
    for (const question of [
      () => site.balancer.inspect(never),
      () => site.balancer.setServers([change(2, 'drain')], never),
    ]) {
      const outcome = question();
      await expect(outcome).rejects.toThrow(UnreachableError);
      await expect(outcome).rejects.toThrow(/master_runtime/);
    }
    expect(countOrders(site.gate)).toBe(0);
  });

  test('a server that is in one table and not in the other is not taken to be gone', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    site.gate.reword = ({ path }, reply): Reply =>
      path.endsWith('/stats/native')
        ? { ...reply, body: (reply.body ?? '').replace('"name":"news-web-3"', '"name":"lost"') }
        : reply;
    await expect(site.balancer.inspect(never)).rejects.toThrow(UnreachableError);
  });

  test('a server without a counter is not taken to have none', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    site.gate.reword = ({ path }, reply): Reply =>
      path.endsWith('/stats/native')
        ? { ...reply, body: (reply.body ?? '').replaceAll('"scur":', '"curs":') }
        : reply;
    await expect(site.balancer.inspect(never)).rejects.toThrow(/no scur/);
  });

  test('a backend that HAProxy does not have is missing', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const balancer = balancerOf(site.gate.url, site.daemon, { backends: ['gone', 'news-web'] });
    expect([...(await balancer.inspect(never)).backends.keys()]).toEqual(['news-web']);
  });

  test('who has another password is told so, without any', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const password = 'another-secret';
    const balancer = balancerOf(site.gate.url, { ...site.daemon, password });
    const outcome = balancer.inspect(never);
    await expect(outcome).rejects.toThrow(/does not accept this user and password/);
    await expect(outcome).rejects.not.toThrow(/another-secret/);
  });
});

describe.each(generations)('servers that the backend lacks, by %s', (generation) => {
  const nine = { name: 'news-web-9', address: '127.0.0.10', port: 8009 };
  const ten = { name: 'news-web-10', address: '127.0.0.11', port: 8009 };

  test('are declared in maintenance, all with one reload; who is there stays as it was', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const { balancer } = site;
    await using _node = await warm(site);
    await balancer.setServers([change(2, 'ready', 'check-passed')], never);
    const { epoch } = await balancer.inspect(never);
    const two = { name: 'news-web-2', address: '127.0.0.3', port: site.ports.nodePort };

    await balancer.declareServers('news-web', [two, nine, ten], never);

    const after = await balancer.inspect(never);
    expect(after.epoch).not.toBe(epoch);
    expect(await see(balancer, 2)).toMatchObject({ admin: 'ready' });
    expect(await see(balancer, 9)).toMatchObject({ admin: 'maint', sessions: 0 });
    expect(await see(balancer, 10)).toMatchObject({ admin: 'maint', sessions: 0 });
    const orders = countOrders(site.gate);
    await balancer.declareServers('news-web', [two, nine, ten], never);
    expect(countOrders(site.gate)).toBe(orders);
    expect(site.gate.asked.filter(({ path }) => /reloads\/./.test(path)).length).toBeGreaterThan(0);
  });

  test('are not declared where one has another address already', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const two = { name: 'news-web-2', address: '10.9.9.9', port: 80 };
    const outcome = site.balancer.declareServers('news-web', [nine, two], never);
    await expect(outcome).rejects.toThrow(ConflictError);
    expect(countOrders(site.gate)).toBe(0);
  });

  test('are declared anew on what there is when somebody else was quicker', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    let meddled = 0;
    site.gate.guard = async ({ method, path }) => {
      if (method === 'PUT' && path.includes('/transactions/') && meddled < 2) {
        meddled += 1;
        await writeMeanwhile(somebodyElse(site));
      }
      return undefined;
    };

    await site.balancer.declareServers('news-web', [nine], never);

    expect(await see(site.balancer, 9)).toMatchObject({ admin: 'maint' });
    const ended = site.gate.asked.filter(({ method }) => method === 'DELETE');
    expect(ended).toHaveLength(2);
  });

  test('leave no transaction open when they cannot be declared', async () => {
    await using site = await startDaemonSite(generation, { maxOpenTransactions: 1 });
    await using _rig = site.rig;
    let fails = true;
    site.gate.guard = ({ method, path }) =>
      fails && method === 'POST' && path.includes('/configuration/')
        ? { status: 500, body: '{"code":500,"message":"disk full"}' }
        : undefined;
    await expect(site.balancer.declareServers('news-web', [nine], never)).rejects.toThrow(
      UnreachableError,
    );

    fails = false;
    await site.balancer.declareServers('news-web', [nine], never);
    expect(await see(site.balancer, 9)).toMatchObject({ admin: 'maint' });
  });

  test('wait for a transaction of somebody else to end, and not for ever', async () => {
    await using site = await startDaemonSite(generation, { maxOpenTransactions: 1 });
    await using _rig = site.rig;
    const other = somebodyElse(site);
    const id = await other.startTransaction(await other.configurationVersion(never), never);
    await expect(site.balancer.declareServers('news-web', [nine], never)).rejects.toThrow(
      UnreachableError,
    );
    let tries = 0;
    site.gate.guard = async ({ method, path }) => {
      if (method === 'POST' && path.includes('/transactions')) {
        tries += 1;
        if (tries === 3) {
          await other.deleteTransaction(id, never);
        }
      }
      return undefined;
    };
    await site.balancer.declareServers('news-web', [nine], never);
    expect(tries).toBe(3);
  });

  test('are refused in a backend that is not there', async () => {
    await using site = await startDaemonSite(generation);
    await using _rig = site.rig;
    const outcome = site.balancer.declareServers('gone', [nine], never);
    await expect(outcome).rejects.toThrow(PreconditionError);
    expect(countOrders(site.gate)).toBe(0);
  });
});

describe('the daemon', () => {
  const releases = [
    ['v2.7.9 8f1e2c3', true],
    ['2.7.10', false],
    ['v2.8.5', true],
    ['v2.8.6', false],
    ['v2.9.0', true],
    ['v2.9.1', true],
    ['v2.9.2', false],
    ['v2.9.27', false],
    ['2.6.3', true],
    ['v1.2.4', true],
    ['v3.0.0', false],
    ['v3.2.15', false],
    [' dev.dirty', false],
    ['', false],
  ] as const;
  test.each(releases)('%j is refused: %s', async (version, isRefused) => {
    await using gate = await openHttpGate();
    gate.guard = ({ path }) =>
      path === '/v2/info'
        ? { status: 200, body: JSON.stringify({ api: { version }, system: {} }) }
        : undefined;
    const balancer = balancerOf(gate.url, { username: 'u', password: 'p' });
    const outcome = balancer.inspect(never);
    await expect(outcome).rejects.toThrow(UnreachableError);
    await (isRefused
      ? expect(outcome).rejects.toThrow(/reloads HAProxy for each change of a server; use 2.9.2/)
      : expect(outcome).rejects.toThrow(/404/));
  });

  test('that was replaced by one of the other API is asked again who it is', async () => {
    await using site = await startDaemonSite('v3');
    await using _rig = site.rig;
    let replaced = false;
    site.gate.guard = ({ path }) => {
      if (replaced) {
        return undefined;
      }
      if (path === '/v2/info') {
        return { status: 200, body: '{"api":{},"system":{}}' };
      }
      return path.startsWith('/v2/services/haproxy/runtime/info')
        ? { status: 200, body: '[]' }
        : { status: 404, body: '{"code":404,"message":"path was not found"}' };
    };
    await expect(site.balancer.inspect(never)).rejects.toThrow(UnreachableError);
    replaced = true;

    await expect(site.balancer.inspect(never)).rejects.toThrow(UnreachableError);
    expect([...(await site.balancer.inspect(never)).backends.keys()]).toEqual(['news-web']);
  });

  test.each([
    { url: 'http://u:p@127.0.0.1:1' },
    { url: 'https://127.0.0.1:1', tls: { cert: 'none', key: 'none' } },
    { backends: ['a b'] },
  ])('cannot be asked with %j', (changed) => {
    const create = (): unknown =>
      balancerOf('http://127.0.0.1:1', { username: 'u', password: 'p' }, changed);
    expect(create).toThrow(ConfigError);
  });
});
