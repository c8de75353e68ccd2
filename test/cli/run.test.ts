import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { findFreePorts } from '../../src/cli/demo/processes.ts';
import { until } from '../balancer/site.ts';
import { edit, minimal } from '../config/minimal.ts';
import { Folder, RunningCommand, rackfire } from './rackfire.ts';

/** The service on an embedded host, with a balancer where nobody listens. */
async function startService(folder: Folder) {
  const [port = 0] = await findFreePorts(1);
  await writeConfig(folder, port);
  const command = new RunningCommand('run', '-c', folder.file('site.yaml'));
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return { command, get, port };
}

async function writeConfig(folder: Folder, port: number): Promise<void> {
  const id = folder.path.slice(-6).toLowerCase();
  const site = [
    ['installation: example', `installation: test-${id}`],
    ['local-a', `host-${id}`],
    ['/run/haproxy.sock', folder.file('admin.sock')],
    ['/var/lib/haproxy/state', folder.file('state')],
    [
      'clusters:',
      `http: { listen: "127.0.0.1:${port}" }
leadership: { path: ${folder.file('leader')} }
journal: { path: ${folder.file('journal.db')} }
clusters:`,
    ],
  ].reduce((text, [from, to]) => edit(text, from ?? '', to ?? ''), minimal);
  await writeFile(folder.file('site.yaml'), site);
}

test('run: with a balancer that does not answer it is healthy, not ready, measured, and boots nothing', async () => {
  await using folder = await Folder.create();
  const { command, get } = await startService(folder);
  await using running = command;
  expect(await running.told('source does not answer')).toMatchObject({
    balancer: 'lb-a',
    err: { code: 'unreachable' },
  });
  const healthy = await until(
    () => get('/healthz'),
    ({ status }) => status === 200,
  );
  expect(healthy.text).toBe('ok\n');
  expect((await get('/readyz')).status).toBe(503);

  const { status, text } = await get('/metrics');
  expect(status).toBe(200);
  for (const line of text.split('\n').filter((one) => one !== '')) {
    expect(line).toMatch(
      /^(?:# (?:HELP|TYPE) (?:rackfire|process)_|(?:rackfire|process)_[a-z0-9_]+(?:\{.*\})? (?:Nan|[-+0-9.e]+)$)/,
    );
  }
  expect(text).toContain('rackfire_source_up{kind="balancer",name="lb-a"} 0');
  expect(text).toContain('rackfire_nodes_min{cluster="news",tier="web"} 2');
  const acted = /^rackfire_action_duration_seconds_count\{.*\} (?<times>\d+)$/gm;
  const times = [...text.matchAll(acted)].map(({ groups }) => groups?.['times']);
  expect(new Set(times)).toEqual(new Set(['0']));

  const second = await rackfire('run', '-c', folder.file('site.yaml'));
  expect(second.code).toBe(75);
  expect(second.stderr).toMatch(
    new RegExp(`^rackfire: another Rackfire leads already: pid ${running.child.pid} on .*\\n$`),
  );

  const sentAtMs = performance.now();
  running.child.kill('SIGTERM');
  const { code, stdout, stderr } = await running.outcome;
  expect([code, stderr]).toEqual([0, '']);
  // Nothing was begun, so nothing is given its 10 s to end.
  expect(performance.now() - sentAtMs).toBeLessThan(9_000);
  expect(stdout).toContain('"signal":"SIGTERM","msg":"stopped');
});

test('run: SIGINT ends it, too, also while the balancer hangs', async () => {
  await using folder = await Folder.create();
  const listener = createServer().listen(folder.file('admin.sock'));
  await once(listener, 'listening');
  const { command } = await startService(folder);
  await using running = command;
  const connected = once(listener, 'connection');
  await running.told('started');
  await connected;
  running.child.kill('SIGINT');
  expect((await running.outcome).code).toBe(0);
  listener.close();
});

test('run: where somebody else listens at its address, it says so and ends, though it leads', async () => {
  await using folder = await Folder.create();
  const [port = 0] = await findFreePorts(1);
  const listener = createServer().listen(port, '127.0.0.1');
  await once(listener, 'listening');
  await writeConfig(folder, port);
  const { code, stdout, stderr } = await rackfire('run', '-c', folder.file('site.yaml'));
  listener.close();
  expect(stdout).toContain('"msg":"leads from now on"');
  expect(stdout).not.toContain('journal cannot be read');
  expect([code, stderr]).toEqual([
    1,
    `rackfire: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
  ]);
});

test.each(['alone', 'beside a leader'])(
  'run: with credentials that cannot be read, %s, it says so and ends, and has taken nothing',
  async (situation) => {
    await using folder = await Folder.create();
    const { command } = await startService(folder);
    await using running = command;
    await running.told('leads from now on');
    const text = await readFile(folder.file('site.yaml'), 'utf8');
    if (situation === 'alone') {
      running.child.kill('SIGTERM');
      await running.outcome;
    }
    const dataplane = `driver: dataplane, url: "http://127.0.0.1:1", credentialsFile: ${folder.file('none')}`;
    const other = text
      .replace(/driver: runtime, .*(?= })/, dataplane)
      .replace(/http: .*\n/, '')
      .replace(folder.file('journal.db'), folder.file('other.db'));
    await writeFile(folder.file('other.yaml'), other);
    const before = await readFile(folder.file('leader'));

    const { code, stdout, stderr } = await rackfire('run', '-c', folder.file('other.yaml'));

    expect(stderr).toMatch(/^rackfire: cannot read the credentials file \S+none: ENOENT[^\n]*\n$/);
    expect([code, stdout]).toEqual([78, '']);
    expect(await readFile(folder.file('leader'))).toEqual(before);
    expect(await readdir(folder.path)).not.toContain('other.db');
  },
);
