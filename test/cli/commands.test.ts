import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { edit, minimal } from '../config/minimal.ts';
import { Folder, rackfire } from './rackfire.ts';

const broken = edit(minimal, '        backend: news-web', '        backnd: news-web');
const example = fileURLToPath(new URL('../../config/rackfire.example.yaml', import.meta.url));

/** Sockets below a folder of the test's own, where nobody listens. */
function withSockets(folder: Folder, text = minimal): string {
  return edit(
    edit(text, '/run/haproxy.sock', folder.file('admin.sock')),
    '/var/lib/haproxy/state',
    folder.file('state'),
  );
}

test('check: a config that can be used is ok', async () => {
  await using folder = await Folder.create({ 'site.yaml': edit(minimal, 'max: 12', 'max: 8') });
  const file = folder.file('site.yaml');
  expect(await rackfire('check', '-c', file)).toEqual({
    code: 0,
    stdout: `${file}: ok\n`,
    stderr: '',
  });
  const json = await rackfire('check', '-c', file, '--json');
  expect([json.code, JSON.parse(json.stdout)]).toEqual([0, { ok: true, problems: [], lints: [] }]);
});

test('check: RACKFIRE_CONFIG names the config where -c does not, as for the commands that ask the service', async () => {
  await using folder = await Folder.create({ 'site.yaml': broken, 'good.yaml': minimal });
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  vi.stubEnv('RACKFIRE_CONFIG', folder.file('site.yaml'));
  const outcome = await rackfire('check');
  expect(outcome.code).toBe(78);
  expect(outcome.stderr).toContain(`${folder.file('site.yaml')}:18:9`);
  expect((await rackfire('check', '-c', folder.file('good.yaml'))).code).toBe(0);
});

test('check: what is better otherwise is said with its numbers and a proposal, and is ok all the same', async () => {
  await using folder = await Folder.create({ 'site.yaml': minimal });
  const file = folder.file('site.yaml');
  const says =
    'the host has room for 8 nodes of size `small` beside what the other tiers have at least, so 12 are never reached';
  const proposal = 'write 8, or give the hosts room for 4 more (rackfire capacity)';
  expect(await rackfire('check', '-c', file)).toEqual({
    code: 0,
    stdout: `${file}: ok, 1 to look at\n! ${file}:16:31 clusters[0].tiers.web.nodes.max: ${says}\n    ${proposal}\n`,
    stderr: '',
  });
  const json = await rackfire('check', '-c', file, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: true,
    lints: [{ file, line: 16, path: 'clusters[0].tiers.web.nodes.max', message: says, proposal }],
  });
});

test('check: a problem is said with file, line, column and what may have been meant; exit 78', async () => {
  await using folder = await Folder.create({ 'site.yaml': broken });
  const file = folder.file('site.yaml');
  const { code, stdout, stderr } = await rackfire('check', '-c', file);
  expect([code, stdout]).toEqual([78, '']);
  expect(stderr).toContain(`${file}:18:9`);
  expect(stderr).toContain('did you mean `backend`?');
  expect(stderr).not.toContain('    at ');
});

test('check --json: problems as one object for scripts; exit 78', async () => {
  await using folder = await Folder.create({ 'site.yaml': broken });
  const { code, stdout, stderr } = await rackfire(
    'check',
    '-c',
    folder.file('site.yaml'),
    '--json',
  );
  expect([code, stderr]).toEqual([78, '']);
  const result = JSON.parse(stdout) as { ok: boolean; problems: readonly unknown[] };
  expect(result).toMatchObject({ ok: false });
  expect(result.problems).toContainEqual(expect.objectContaining({ line: 18, column: 9 }));
});

test('check --effective: every value in force with its origin', async () => {
  await using folder = await Folder.create({ 'site.yaml': minimal });
  const { code, stdout } = await rackfire('check', '-c', folder.file('site.yaml'), '--effective');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^installation = example {2}\(.*1.*\)$/m);
  expect(stdout).toMatch(/^clusters.*drain.*= 5m {2}\(default\)$/m);
  const json = await rackfire('check', '-c', folder.file('site.yaml'), '--effective', '--json');
  const { values } = JSON.parse(json.stdout) as { values: readonly unknown[] };
  expect(values).toContainEqual(
    expect.objectContaining({ path: 'installation', value: 'example' }),
  );
});

test.each(['check', 'plan', 'run', 'haproxy-config'])(
  '%s: a file that is not there is a config error, not a stack trace',
  async (command) => {
    const { code, stdout, stderr } = await rackfire(command, '-c', '/nowhere/site.yaml');
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^rackfire: .*\/nowhere\/site\.yaml/);
    expect(stderr).not.toContain('    at ');
  },
);

test.each([
  { config: 'minimal', text: minimal },
  { config: 'the example', text: readFileSync(example, 'utf8') },
])('haproxy-config: what it prints for $config passes haproxy -c', async ({ text }) => {
  await using folder = await Folder.create({ state: '' });
  const site = text
    .replace(/ \/run\/haproxy-master\.sock/, ` ${folder.file('master.sock')}`)
    .replace(/ \/run\/haproxy[a-z/]*\.sock/, ` ${folder.file('admin.sock')}`)
    .replaceAll(/\/var\/lib\/haproxy\/[a-z-]+/g, folder.file('state'))
    .replace('"*:80"', '"127.0.0.1:18080"');
  await writeFile(folder.file('site.yaml'), site);
  const { code, stdout, stderr } = await rackfire('haproxy-config', '-c', folder.file('site.yaml'));
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('backend news-web');

  await writeFile(folder.file('haproxy.cfg'), stdout);
  const checked = spawnSync('haproxy', ['-c', '-f', folder.file('haproxy.cfg')], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
  });
  expect(checked.stderr).not.toContain('ALERT');
  expect(checked.status).toBe(0);
});

test('haproxy-config: with several balancers it must be said which', async () => {
  const second =
    '  - { name: lb-b, driver: runtime, socket: /run/b.sock, stateFile: /run/b.state }\n';
  const text = edit(minimal, 'sizes:\n', `${second}sizes:\n`);
  await using folder = await Folder.create({ 'site.yaml': text });
  const file = folder.file('site.yaml');
  const unsaid = await rackfire('haproxy-config', '-c', file);
  expect([unsaid.code, unsaid.stdout]).toEqual([78, '']);
  expect(unsaid.stderr).toContain('lb-a, lb-b');
  const said = await rackfire('haproxy-config', '-c', file, '--balancer', 'lb-b');
  expect(said.code).toBe(0);
  expect(said.stdout).toContain('/run/b.sock');
});

test('plan --against: the values that differ, and what they would change now', async () => {
  await using folder = await Folder.create();
  const text = withSockets(folder);
  await writeFile(folder.file('site.yaml'), text);
  await writeFile(folder.file('new.yaml'), edit(text, 'min: 2', 'min: 3'));
  const args = ['plan', '-c', folder.file('site.yaml'), '--against'];
  const [plain, json, same] = await Promise.all([
    rackfire(...args, folder.file('new.yaml')),
    rackfire(...args, folder.file('new.yaml'), '--json'),
    rackfire(...args, folder.file('site.yaml')),
  ]);
  expect([plain.code, json.code, same.code]).toEqual([69, 69, 69]);
  expect(plain.stdout.split('\n')).toEqual([
    'clusters.news.tiers.web.nodes.min: 2 → 3',
    'news/web:',
    '  - 0 → 2 nodes (minimum, need unknown)',
    '  + 0 → 3 nodes (minimum, need unknown)',
    '  + would boot news-web-3 on local-a at 127.0.1.22 (needed)',
    '',
  ]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    tiers: [{ desiredNodes: 2 }],
    changes: [{ path: 'clusters.news.tiers.web.nodes.min', from: '2', to: '3' }],
    against: { tiers: [{ desiredNodes: 3 }] },
  });
  const [said, tier] = same.stdout.split('\n');
  expect(said).toBe(`${folder.file('site.yaml')} says the same as ${folder.file('site.yaml')}`);
  expect(tier).toBe('news/web: the same, 0 → 2 nodes (minimum, need unknown)');
});

test('plan --against: a tier that is gone is left as it is, one that comes is new', async () => {
  await using folder = await Folder.create();
  const text = withSockets(folder);
  await writeFile(folder.file('site.yaml'), text);
  await writeFile(folder.file('new.yaml'), edit(text, '      web:', '      api:'));
  const { stdout } = await rackfire(
    'plan',
    '-c',
    folder.file('site.yaml'),
    '--against',
    folder.file('new.yaml'),
  );
  const lines = stdout.split('\n');
  expect(lines).toContain(
    'news/web: would be paused and left as it is, because it is not scaled there',
  );
  expect(lines).toContain('news/api: is new there');
});

test('plan --against: a config of another installation is refused', async () => {
  await using folder = await Folder.create({
    'site.yaml': minimal,
    'new.yaml': edit(minimal, 'installation: example', 'installation: other'),
  });
  const { code, stderr } = await rackfire(
    'plan',
    '-c',
    folder.file('site.yaml'),
    '--against',
    folder.file('new.yaml'),
  );
  expect(code).toBe(78);
  expect(stderr).toContain('must stay `example`');
});

test('plan: with a balancer that cannot be reached, what is known is printed; exit 69', async () => {
  await using folder = await Folder.create();
  await writeFile(folder.file('site.yaml'), withSockets(folder));
  const file = folder.file('site.yaml');
  const [plain, json] = await Promise.all([
    rackfire('plan', '-c', file),
    rackfire('plan', '-c', file, '--json'),
  ]);
  expect(plain.code).toBe(69);
  expect(plain.stdout).toContain('news/web: ');
  expect(plain.stdout).toContain('signal request-rate: absent, says nothing');
  expect(plain.stderr).toContain(
    'rackfire: the plan is incomplete, no answer from lb-a: HAProxy at ',
  );
  expect(json.code).toBe(69);
  expect(JSON.parse(json.stdout)).toMatchObject({ tiers: [{ tier: 'news/web' }] });
});

test('plan: which schedule holds, and when the next begins', async () => {
  await using folder = await Folder.create();
  const schedules = `        schedules:
          - { cron: "0 0 * * *", duration: 1d, timeZone: UTC, nodes: { min: 3 } }
`;
  await writeFile(folder.file('site.yaml'), `${withSockets(folder)}${schedules}`);
  const [plain, json] = await Promise.all([
    rackfire('plan', '-c', folder.file('site.yaml')),
    rackfire('plan', '-c', folder.file('site.yaml'), '--json'),
  ]);
  expect(plain.stdout).toMatch(
    /^ {2}Schedule “0 0 \* \* \*” \(24 h, UTC\) holds until .*: at least 3 nodes\.$/m,
  );
  expect(plain.stdout).toContain('stage schedule: 2 → 3');
  expect(plain.stderr).not.toContain('as if each boot');
  expect(JSON.parse(json.stdout)).toMatchObject({
    tiers: [{ schedules: [{ cron: '0 0 * * *', minNodes: 3 }] }],
  });
});

test('plan: what is ordered ahead of a schedule is said to be ordered later by a service that has seen boots', async () => {
  await using folder = await Folder.create();
  const soon = new Date(Date.now() + 180_000);
  const cron = `${soon.getUTCMinutes()} ${soon.getUTCHours()} * * *`;
  const schedules = `        schedules:
          - { cron: "${cron}", duration: 1h, timeZone: UTC, nodes: { min: 3 } }
`;
  await writeFile(folder.file('site.yaml'), `${withSockets(folder)}${schedules}`);
  const { stdout, stderr } = await rackfire('plan', '-c', folder.file('site.yaml'));
  expect(stdout).toContain('stage schedule: 2 → 3');
  expect(stderr).toContain('as if each boot took as long as it may');
});

test.each([
  { args: [], says: 'Usage: rackfire' },
  { args: ['scale'], says: "unknown command 'scale'" },
  { args: ['check'], says: "required option '-c, --config <file>'" },
  { args: ['check', '-c'], says: 'argument missing' },
  { args: ['check', '-c', example, '--loud'], says: "unknown option '--loud'" },
  { args: ['check', '-c', example, 'more'], says: 'too many arguments' },
  { args: ['run', '-c', example, '--log-level', 'loud'], says: "argument 'loud' is invalid" },
])('rackfire $args is a usage error: exit 2', async ({ args, says }) => {
  const { code, stdout, stderr } = await rackfire(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(says);
  expect(stderr).not.toContain('    at ');
});

test('--version is that of the package; --help names every command and exit code', async () => {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  expect(await rackfire('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  const { code, stdout } = await rackfire('--help');
  expect(code).toBe(0);
  for (const word of ['run', 'demo', 'check', 'plan', 'haproxy-config', '69', '78']) {
    expect(stdout).toContain(word);
  }
});
