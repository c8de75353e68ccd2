import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { parseStats } from '../../../src/balancer/haproxy/stats.ts';
import { ask } from '../../../src/balancer/runtime/socket.ts';
import { PreconditionError, UnreachableError } from '../../../src/control/errors.ts';
import { startHaproxy } from '../haproxy-rig.ts';
import { get, startLoad, until, WebNode } from '../site.ts';
import {
  balancerOf,
  change,
  configFor,
  hasPassed,
  never,
  openRequest,
  pickPorts,
  see,
  valueOf,
} from './lab.ts';

test('three reloads under load: no request fails, and every server stays as it was', async () => {
  const ports = await pickPorts();
  await using _first = await WebNode.start('127.0.0.2', ports.nodePort);
  await using second = await WebNode.start('127.0.0.3', ports.nodePort);
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);
  await until(() => see(balancer, 2), hasPassed);
  // The first one is declared in rotation and the second one is not: the file must turn both round.
  await balancer.setServers([change(2, 'ready', 'check-passed'), change(1, 'drain')], never);

  const epochs = new Set([(await balancer.inspect(never)).epoch]);
  await using load = startLoad(ports.frontPort, 8);
  for (const reload of [1, 2, 3]) {
    const requests = second.requests;
    await rig.reload();
    await until(
      () => second.requests,
      (now) => now > requests + 50,
    );
    epochs.add((await balancer.inspect(never)).epoch);
    expect(epochs.size).toBe(1 + reload);
    expect(await see(balancer, 1)).toMatchObject({ admin: 'drain' });
    expect(await see(balancer, 2)).toMatchObject({ admin: 'ready' });
    expect(await see(balancer, 3)).toMatchObject({ admin: 'maint' });
  }

  expect(load.good).toBeGreaterThan(150);
  expect(load.bad).toEqual([]);
});

test('an old worker that still serves is seen, and nothing counts as quiet until it is gone', async () => {
  const ports = await pickPorts();
  await using node = await WebNode.start('127.0.0.2', ports.nodePort);
  node.hold();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await until(() => see(balancer, 1), hasPassed);
  expect((await balancer.inspect(never)).oldWorkers).toBe(false);

  const open = openRequest(ports.frontPort);
  await until(
    () => see(balancer, 1),
    (server) => server?.sessions === 1,
  );
  await balancer.setServers([change(1, 'drain')], never);
  await rig.reload();
  const young = await balancer.inspect(never);
  expect(young.oldWorkers).toBe(true);
  // The new worker knows nothing of the request that the old one still serves.
  expect(await see(balancer, 1)).toMatchObject({ admin: 'drain', sessions: 0 });
  await expect(balancer.setServers([change(1, 'maint', 'quiet')], never)).rejects.toThrow(
    PreconditionError,
  );

  node.release();
  expect(await open).toBe(200);
  await until(
    () => balancer.inspect(never),
    (snapshot) => !snapshot.oldWorkers,
  );
  await balancer.setServers([change(1, 'maint', 'quiet')], never);
});

test('without a master to ask, old workers are taken to live until hard-stop-after', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const careful = balancerOf(rig, { masterSocketPath: undefined, hardStopAfterMs: 60_000 });
  const short = balancerOf(rig, { masterSocketPath: undefined, hardStopAfterMs: 1_000 });
  const deaf = balancerOf(rig, { masterSocketPath: '/nonexistent/master.sock' });

  expect((await careful.inspect(never)).oldWorkers).toBe(true);
  await until(
    () => short.inspect(never),
    (snapshot) => !snapshot.oldWorkers,
  );
  const snapshot = await deaf.inspect(never);
  expect(snapshot.oldWorkers).toBe(true);
  expect(snapshot.warnings?.join()).toMatch(/old workers cannot be told.*no such socket/);
});

test('a check result of the state file admits nobody: the node died with the reload', async () => {
  const ports = await pickPorts();
  // The last of three: a young worker spreads its first checks over their interval, and this one is the latest.
  await using rig = await startHaproxy(configFor(ports, { minNodes: 3, intervalMs: 4_000 }));
  const balancer = balancerOf(rig);
  {
    await using _node = await WebNode.start('127.0.0.4', ports.nodePort);
    await balancer.setServers([change(3, 'drain')], never);
    await until(() => see(balancer, 3), hasPassed);
    // Any later change writes the file, with this server's passed check in it.
    await balancer.setServers([change(2, 'drain')], never);
  }
  await rig.reload();

  const stats = parseStats(await ask(rig.socketPath, ['show stat news-web 6 -1'], never));
  // The premise: before its first check the new worker shows exactly what an admission looks for.
  expect(stats.get('news-web')?.servers.get('news-web-3')).toMatchObject({
    status: 'DRAIN',
    checkStatus: 'L7OK',
  });
  expect(await see(balancer, 3)).toMatchObject({ check: 'pending' });
  const seen = new Set<string | undefined>();
  await until(
    () => see(balancer, 3),
    (server) => {
      seen.add(server?.check);
      return server?.check === 'failed';
    },
  );
  expect(seen).not.toContain('passed');
});

test('rates are partial after a reload, from the new worker’s own counters', async () => {
  const ports = await pickPorts();
  await using _node = await WebNode.start('127.0.0.2', ports.nodePort);
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  const rate = async () => (await balancer.inspect(never)).backends.get('news-web')?.requestRate;
  await until(() => see(balancer, 1), hasPassed);
  await using load = startLoad(ports.frontPort, 2);
  await until(rate, (sample) => sample?.status === 'ok' && sample.value > 10);

  await rig.reload();

  expect(await rate()).toMatchObject({ status: 'absent' });
  const sample = await until(rate, (later) => later?.status !== 'absent');
  expect(sample?.status).toBe('partial');
  expect(valueOf(sample)).toBeGreaterThan(0);
  expect(load.bad).toEqual([]);
});

test('cleared counters are not a rate', async () => {
  const ports = await pickPorts();
  await using _node = await WebNode.start('127.0.0.2', ports.nodePort);
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  const rate = async () => (await balancer.inspect(never)).backends.get('news-web')?.requestRate;
  await until(() => see(balancer, 1), hasPassed);
  for (const _request of Array(5)) {
    await get(ports.frontPort);
  }
  await rate();

  await ask(rig.socketPath, ['clear counters all'], never);

  expect(await rate()).toEqual({
    status: 'absent',
    why: 'the counter went back: somebody cleared it',
  });
});

test('a node that dies with requests queued behind it: they go elsewhere, and HAProxy lives', async () => {
  const ports = await pickPorts();
  await using first = await WebNode.start('127.0.0.2', ports.nodePort);
  await using second = await WebNode.start('127.0.0.3', ports.nodePort);
  first.serviceMs = 20;
  second.serviceMs = 20;
  await using rig = await startHaproxy(configFor(ports, { maxConnections: 2 }));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);
  await until(() => see(balancer, 2), hasPassed);
  await balancer.setServers([change(2, 'ready', 'check-passed')], never);
  const { epoch } = await balancer.inspect(never);
  await using load = startLoad(ports.frontPort, 20);
  await until(
    () => load.good,
    (good) => good > 20,
  );

  await second[Symbol.asyncDispose]();
  await until(
    () => see(balancer, 2),
    (server) => server?.check === 'failed',
  );
  const good = load.good;
  await until(
    () => load.good,
    (now) => now > good + 20,
  );

  expect(load.bad).toEqual([]);
  expect((await balancer.inspect(never)).epoch).toBe(epoch);
});

test('who gives up waiting leaves the queue and costs no node anything', async () => {
  const ports = await pickPorts();
  await using node = await WebNode.start('127.0.0.2', ports.nodePort);
  node.hold();
  await using rig = await startHaproxy(configFor(ports, { maxConnections: 1 }));
  const balancer = balancerOf(rig);
  await until(() => see(balancer, 1), hasPassed);
  const queued = async () => (await balancer.inspect(never)).backends.get('news-web')?.queued;
  const stays = openRequest(ports.frontPort);
  await until(
    () => node.requests,
    (requests) => requests === 1,
  );

  const agent = new Agent();
  const leavers = Array.from({ length: 5 }, () => get(ports.frontPort, agent));
  await until(queued, (requests) => requests === 5);
  agent.destroy();

  await Promise.allSettled(leavers);
  await until(queued, (requests) => requests === 0);
  node.release();
  expect(await stays).toBe(200);
  expect(node.requests).toBe(1);
});

test('HAProxy is killed: unreachable, and the state file is left whole', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);

  await rig.kill();

  await expect(balancer.inspect(never)).rejects.toThrow(UnreachableError);
  await expect(balancer.setServers([change(2, 'maint')], never)).rejects.toThrow(UnreachableError);
  // In drain, running or found dead by its check in the meantime.
  expect(await readFile(rig.stateFilePath, 'utf8')).toMatch(/ news-web-2 \S+ [02] 12 /);
});
