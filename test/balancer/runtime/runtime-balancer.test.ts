import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ask } from '../../../src/balancer/runtime/socket.ts';
import { ConfigError, PreconditionError, UnreachableError } from '../../../src/control/errors.ts';
import type { ServerChange } from '../../../src/control/ports.ts';
import { startHaproxy } from '../haproxy-rig.ts';
import { startLoad, until, WebNode } from '../site.ts';
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

test('a node that answers 503 gets no request before its check has passed', async () => {
  const ports = await pickPorts();
  await using first = await WebNode.start('127.0.0.2', ports.nodePort);
  await using second = await WebNode.start('127.0.0.3', ports.nodePort);
  second.status = 503;
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await until(() => see(balancer, 1), hasPassed);
  await using load = startLoad(ports.frontPort, 4);

  await balancer.setServers([change(2, 'drain')], never);
  await until(
    () => see(balancer, 2),
    (server) => server?.check === 'failed',
  );
  const tooEarly = balancer.setServers([change(2, 'ready', 'check-passed')], never);
  await expect(tooEarly).rejects.toThrow(PreconditionError);
  expect(await see(balancer, 2)).toMatchObject({ admin: 'drain', check: 'failed' });

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
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);
  {
    await using _tenant = await WebNode.start('127.0.0.3', ports.nodePort);
    await until(() => see(balancer, 2), hasPassed);
    await balancer.setServers([change(2, 'maint', 'none')], never);
    expect(await see(balancer, 2)).toMatchObject({ admin: 'maint', check: 'pending' });
  }

  await balancer.setServers([change(2, 'drain')], never);
  const seen = new Set<string | undefined>();
  await until(
    () => see(balancer, 2),
    (server) => {
      seen.add(server?.check);
      return server?.check === 'failed';
    },
  );

  // How long it is pending is up to the check, which may come before anybody looks.
  expect(seen).not.toContain('passed');
});

test('draining waits for open requests; only a quiet server goes to maintenance', async () => {
  const ports = await pickPorts();
  await using first = await WebNode.start('127.0.0.2', ports.nodePort);
  await using second = await WebNode.start('127.0.0.3', ports.nodePort);
  first.hold();
  second.hold();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.setServers([change(2, 'drain')], never);
  await until(() => see(balancer, 2), hasPassed);
  await balancer.setServers([change(2, 'ready', 'check-passed')], never);

  const open = Array.from({ length: 6 }, () => openRequest(ports.frontPort));
  await until(
    () => see(balancer, 2),
    (server) => server?.sessions === 3,
  );
  await balancer.setServers([change(2, 'drain')], never);
  const tooEarly = balancer.setServers([change(2, 'maint', 'quiet')], never);
  await expect(tooEarly).rejects.toThrow(/still has 3 sessions/);

  first.release();
  second.release();
  await until(
    () => see(balancer, 2),
    (server) => server?.sessions === 0,
  );
  await balancer.setServers([change(2, 'maint', 'quiet')], never);
  expect(await see(balancer, 2)).toMatchObject({ admin: 'maint', sessions: 0 });
  expect(await Promise.all(open)).toEqual(Array(6).fill(200));
});

test('waiting requests count as arrived, and only what nodes answer counts as served', async () => {
  const ports = await pickPorts();
  await using node = await WebNode.start('127.0.0.2', ports.nodePort);
  node.hold();
  await using rig = await startHaproxy(configFor(ports, { maxConnections: 2 }));
  const balancer = balancerOf(rig);
  await until(() => see(balancer, 1), hasPassed);

  const open = Array.from({ length: 10 }, () => openRequest(ports.frontPort));
  const full = await until(
    async () => (await balancer.inspect(never)).backends.get('news-web'),
    (backend) => backend?.queued === 8 && backend.requestRate.status !== 'absent',
  );
  expect(full).toMatchObject({ usedSlots: 2, totalSlots: 2 });
  expect(valueOf(full?.requestRate)).toBeGreaterThan(5);
  expect(valueOf(full?.servedRate)).toBe(0);

  node.serviceMs = 50;
  node.release();
  await Promise.all(open);
  const after = (await balancer.inspect(never)).backends.get('news-web');
  expect(valueOf(after?.servedRate)).toBeGreaterThan(1);
  expect(after?.queued).toBe(0);
});

test('what is so already is not sent again, and foreign servers are seen but never touched', async () => {
  const ports = await pickPorts();
  const own = configFor(ports);
  await using rig = await startHaproxy(
    (paths) => `${own(paths)}    server sorry 127.0.0.9:${ports.nodePort} no-check\n`,
  );
  const balancer = balancerOf(rig);
  const states = () => ask(rig.socketPath, ['show servers state news-web'], never);

  await balancer.setServers([change(1, 'ready'), change(3, 'maint', 'quiet')], never);
  const before = rig.log();
  await balancer.setServers([change(1, 'ready', 'check-passed')], never);

  expect(rig.log()).toBe(before);
  expect(await states()).toMatch(/ sorry 127.0.0.9 2 0 /);
  const snapshot = await balancer.inspect(never);
  expect(snapshot.backends.get('news-web')?.servers).toHaveLength(4);
  expect(snapshot.warnings).toEqual([
    'never admitted, because HAProxy does not check them: news-web/sorry',
  ]);
});

test('one refused change does not hold back the others', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);

  const batch = [change(9, 'drain'), change(2, 'drain'), change(3, 'ready', 'check-passed')];
  const outcome = balancer.setServers(batch, never);

  await expect(outcome).rejects.toThrow(PreconditionError);
  await expect(outcome).rejects.toThrow(/news-web-9.*rackfire haproxy-config.*news-web-3/);
  expect(await see(balancer, 2)).toMatchObject({ admin: 'drain' });
  expect(await see(balancer, 3)).toMatchObject({ admin: 'maint' });
});

test.each(['x;disable server news-web/news-web-1', 'x\nset server', 'news-web-1 state maint #'])(
  'a server named %j is refused before anything is sent',
  async (server) => {
    const ports = await pickPorts();
    await using rig = await startHaproxy(configFor(ports));
    const balancer = balancerOf(rig);
    const evil: ServerChange = { backend: 'news-web', server, to: 'drain', requires: 'none' };

    await expect(balancer.setServers([change(1, 'drain'), evil], never)).rejects.toThrow(
      ConfigError,
    );
    expect(await see(balancer, 1)).toMatchObject({ admin: 'ready' });
  },
);

test('a backend that was not handed over, or that HAProxy lacks, is refused and missing', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig, { backends: ['news-web', 'gone'] });

  expect([...(await balancer.inspect(never)).backends.keys()]).toEqual(['news-web']);
  for (const backend of ['gone', 'never-told']) {
    const outcome = balancer.setServers([{ ...change(1, 'drain'), backend }], never);
    await expect(outcome).rejects.toThrow(/no such backend/);
  }
  expect(() => balancerOf(rig, { backends: ['a b'] })).toThrow(ConfigError);
});

test('a socket of level operator: seen, but not changed, and told what to do', async () => {
  const ports = await pickPorts();
  const own = configFor(ports);
  await using rig = await startHaproxy((paths) =>
    own(paths).replace('level admin', 'level operator'),
  );
  const balancer = balancerOf(rig);

  expect(await see(balancer, 1)).toMatchObject({ admin: 'ready' });
  const outcome = balancer.setServers([change(1, 'drain')], never);
  await expect(outcome).rejects.toThrow(UnreachableError);
  await expect(outcome).rejects.toThrow(/level admin/);
});

test('the state file is replaced as a whole and keeps its mode', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const balancer = balancerOf(rig);
  await balancer.inspect(never);
  await expect(stat(rig.stateFilePath)).rejects.toThrow(/ENOENT/);

  await balancer.setServers([], never);
  expect((await stat(rig.stateFilePath)).mode & 0o777).toBe(0o644);
  await chmod(rig.stateFilePath, 0o640);
  await balancer.setServers([change(2, 'drain')], never);

  expect((await stat(rig.stateFilePath)).mode & 0o777).toBe(0o640);
  // In drain, running or found dead by its check in the meantime.
  expect(await readFile(rig.stateFilePath, 'utf8')).toMatch(
    /^1\n# be_id .* news-web-2 \S+ [02] 12 /s,
  );
});

test('what was left by one that was killed while it replaced the state file is removed, not that of a living one', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const killed = spawnSync(process.execPath, ['--version']).pid;
  const names = [killed, process.ppid, 'else'].map((who) => `server-state.rackfire-${who}`);
  await Promise.all(names.map((name) => writeFile(`${rig.folder}/${name}`, '1\n# half')));

  await balancerOf(rig).setServers([], never);

  const left = (await readdir(rig.folder)).filter((name) => name.startsWith('server-state'));
  expect(left.toSorted()).toEqual(['server-state', ...names.slice(1)].toSorted());
});

test('an unwritable state file fails no change; it is said until it is mended', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports));
  const missing = `${rig.folder}/missing`;
  const balancer = balancerOf(rig, { stateFilePath: `${missing}/server-state` });

  await balancer.setServers([change(2, 'drain')], never);
  expect(await see(balancer, 2)).toMatchObject({ admin: 'drain' });
  expect((await balancer.inspect(never)).warnings?.join()).toMatch(/cannot be written.*ENOENT/);

  await mkdir(missing);
  await balancer.setServers([], never);
  expect((await balancer.inspect(never)).warnings).toEqual([]);
  expect(await readFile(`${missing}/server-state`, 'utf8')).toContain('news-web-2');
});

test('200 servers are seen and set', async () => {
  const ports = await pickPorts();
  await using rig = await startHaproxy(configFor(ports, { nodes: 200 }));
  const balancer = balancerOf(rig);
  const all = Array.from({ length: 200 }, (_, index) => change(index + 1, 'drain'));

  await balancer.setServers(all, never);

  const servers = (await balancer.inspect(never)).backends.get('news-web')?.servers ?? [];
  expect(servers.filter((server) => server.admin === 'drain')).toHaveLength(200);
});
