import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ask } from '../../../src/balancer/runtime/socket.ts';
import { ConfigError, UnreachableError } from '../../../src/control/errors.ts';
import { startHaproxy } from '../haproxy-rig.ts';
import { balancerOf, change, configFor, never, pickPorts, see } from './lab.ts';

test('foreign servers are seen but never touched', async () => {
  const ports = await pickPorts();
  const own = configFor(ports);
  await using rig = await startHaproxy(
    (paths) => `${own(paths)}    server sorry 127.0.0.9:${ports.nodePort} no-check\n`,
  );
  const balancer = balancerOf(rig);
  const states = () => ask(rig.socketPath, ['show servers state news-web'], never);

  await balancer.setServers([change(1, 'drain'), change(3, 'maint', 'quiet')], never);

  expect(await states()).toMatch(/ sorry 127.0.0.9 2 0 /);
  const snapshot = await balancer.inspect(never);
  expect(snapshot.backends.get('news-web')?.servers).toHaveLength(4);
  expect(snapshot.warnings).toEqual([
    'never admitted, because HAProxy does not check them: news-web/sorry',
  ]);
});

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
