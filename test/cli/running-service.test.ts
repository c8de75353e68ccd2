/** The commands against the service itself, as its users start it. */

import { chmod, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { findFreePorts } from '../../src/cli/demo/processes.ts';
import { edit, minimal } from '../config/minimal.ts';
import { Folder, RunningCommand, rackfire } from './rackfire.ts';

/** Each command is a process of its own, and so is each start of the service. */
const timeout = 90_000;

const SAID = ['--for', '2h', '--reason', 'deploy of the shop'];

/** A service on an embedded host with a balancer where nobody listens, and with all its files in one folder. */
async function prepare(folder: Folder, name: string): Promise<string> {
  const [port = 0] = await findFreePorts(1);
  const id = folder.path.slice(-6).toLowerCase();
  const own = [
    `http: { listen: "127.0.0.1:${port}", tokenFile: ${folder.file('token')} }`,
    `leadership: { path: ${folder.file('leader')} }`,
    `journal: { path: ${folder.file('journal.db')} }`,
    'clusters:',
  ].join('\n');
  const site = [
    ['installation: example', `installation: test-${id}`],
    ['local-a', `host-${id}`],
    ['/run/haproxy.sock', folder.file('admin.sock')],
    ['/var/lib/haproxy/state', folder.file('state')],
    ['clusters:', own],
  ].reduce((text, [from, to]) => edit(text, from ?? '', to ?? ''), minimal);
  await writeFile(folder.file(name), site);
  await writeFile(folder.file('token'), 'a-token-of-this-test\n');
  await chmod(folder.file('token'), 0o600);
  return folder.file(name);
}

/** A service that leads, has opened its journal, where it finds what was said before, and has looked around. */
async function startLeading(config: string): Promise<RunningCommand> {
  const service = new RunningCommand('run', '-c', config);
  await service.told('started');
  await service.told('leads from now on');
  await service.told('journal is written');
  await service.told('source does not answer');
  return service;
}

test('an override is kept over a restart, and what was decided before is explained after', {
  timeout,
}, async () => {
  await using folder = await Folder.create();
  const config = await prepare(folder, 'site.yaml');
  let decidedAt = '';
  {
    await using service = await startLeading(config);
    await service.told('decided to scale out');
    const given = await rackfire('pause', 'in', 'news', '--json', ...SAID, '-c', config);
    expect([given.code, given.stderr]).toEqual([0, '']);
    expect(JSON.parse(given.stdout)).toMatchObject({ override: { id: 'o1' }, kept: true });

    const status = await rackfire('status', '-c', config);
    expect([status.code, status.stderr]).toEqual([0, '']);
    expect(status.stdout).toMatch(/^rackfire \S+ leads, started /);
    expect(status.stdout).toMatch(/^✗ lb-a does not answer: HAProxy at /m);
    expect(status.stdout).toMatch(/^! o1: scale-in of news\/web paused since /m);

    const explained = await rackfire('explain', 'news', '--json', '-c', config);
    expect([explained.code, explained.stderr]).toEqual([0, '']);
    decidedAt = (JSON.parse(explained.stdout) as { readonly decision: { readonly at: string } })
      .decision.at;
    const events = await rackfire('events', '--cluster', 'news/web', '-c', config);
    expect(events.stdout).toContain('override given  override=o1');
    service.child.kill('SIGTERM');
    expect((await service.outcome).code).toBe(0);
  }
  await using service = await startLeading(config);
  const status = await rackfire('status', '-c', config);
  expect(status.stdout).toMatch(/^! o1: scale-in of news\/web paused since /m);
  const past = await rackfire('explain', 'news/web', '--at', decidedAt, '--json', '-c', config);
  expect([past.code, past.stderr]).toEqual([0, '']);
  expect(JSON.parse(past.stdout)).toMatchObject({ source: 'journal', tier: 'news/web' });
  const events = await rackfire('events', '--since', '1h', '-c', config);
  expect(events.stdout.match(/override given/g)).toHaveLength(1);

  expect((await rackfire('resume', 'news', '-c', config)).code).toBe(0);
  expect((await rackfire('status', '-c', config)).stdout).not.toContain('paused');
  expect(service.child.exitCode).toBe(null);
});

test('of two services the one that does not lead tells who does, and is told nothing', {
  timeout,
}, async () => {
  await using folder = await Folder.create();
  const first = await prepare(folder, 'first.yaml');
  const second = await prepare(folder, 'second.yaml');
  await using leader = await startLeading(first);
  await using follower = new RunningCommand('run', '-c', second);
  await follower.told('another one leads, only observing');

  const refused = await rackfire('pause', 'in', 'news/web', ...SAID, '-c', second);
  expect([refused.code, refused.stdout]).toEqual([75, '']);
  expect(refused.stderr).toContain(`another Rackfire leads: pid ${leader.child.pid}`);
  const { stdout } = await rackfire('status', '-c', second);
  expect(stdout).toContain('does not lead');
  expect(stdout).toContain(`pid ${leader.child.pid} on `);
  expect((await rackfire('pause', 'in', 'news/web', ...SAID, '-c', first)).code).toBe(0);
});

test('who follows the events sees the service end and begin again', { timeout }, async () => {
  await using folder = await Folder.create();
  const config = await prepare(folder, 'site.yaml');
  await using follower = await (async () => {
    await using service = await startLeading(config);
    const command = new RunningCommand('events', '-f', '-c', config);
    await command.printed('source does not answer');
    service.child.kill('SIGTERM');
    await service.outcome;
    return command;
  })();
  await follower.complained('the service does not answer any more, trying again');
  await using service = await startLeading(config);
  await follower.complained('the service answers again');
  expect((await rackfire('reload', '-c', config)).stdout).toBe(
    'the config says the same as before\n',
  );
  await rackfire('hold', '3', 'news/web', ...SAID, '-c', config);
  await follower.printed('override given  override=o1');
  expect(service.child.exitCode).toBe(null);
});
