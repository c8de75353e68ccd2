import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { parseStats } from '../../../src/balancer/haproxy/stats.ts';
import { ask } from '../../../src/balancer/runtime/socket.ts';
import { UnreachableError } from '../../../src/control/errors.ts';
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
} from './lab.ts';

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

test('HAProxy is killed before a change: the state file is left whole', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);

  await rig.kill();

  await expect(balancer.setServers([change(2, 'maint')], never)).rejects.toThrow(UnreachableError);
  // In drain, running or found dead by its check in the meantime.
  expect(await readFile(rig.stateFilePath, 'utf8')).toMatch(/ news-web-2 \S+ [02] 12 /);
});
