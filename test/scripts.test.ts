/** The scripts that people and the gate start, seen to succeed and seen to fail. */

import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let world = '';

beforeEach(async () => {
  world = await mkdtemp(join(tmpdir(), 'rackfire-scripts-'));
});

afterEach(async () => {
  await rm(world, { recursive: true, force: true });
});

async function write(file: string, text: string, mode = 0o644): Promise<void> {
  const path = join(world, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, mode);
}

async function run(
  script: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ending> {
  return await new Promise((done, fail) => {
    const options = { cwd: '/', timeout: 25_000, env: { ...process.env, ...environment } };
    execFile(script, [...args], options, (error, stdout, stderr) => {
      if (error === null || typeof error.code === 'number') {
        done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      } else {
        fail(new Error(`${script} did not end by itself: ${stderr}`, { cause: error }));
      }
    });
  });
}

describe('scripts/setup', () => {
  test('finds nothing to do where all is there, from any folder', async () => {
    expect(await run(join(root, 'scripts/setup'))).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^setup: ready: HAProxy \d+\.\d+\S*, Node\.js v24\S*\n$/,
      ) as string,
      stderr: '',
    });
  });

  test('refuses an HAProxy that is too old', async () => {
    await write(
      'bin/haproxy',
      "#!/bin/sh\necho 'HA-Proxy version 2.2.9-2+deb11u6 2023/12/14 - https://haproxy.org/'\n",
      0o755,
    );

    const path = `${join(world, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`;

    expect(await run(join(root, 'scripts/setup'), [], { PATH: path })).toEqual({
      code: 1,
      stdout: '',
      stderr: 'setup: HAProxy 2.2.9 is too old; Rackfire needs 2.6 or newer.\n',
    });
  });

  test('installs what the tests of the dom0 script need', async () => {
    // A machine that has all but these, and an apt-get that keeps what it was asked for.
    const there = [
      'bash',
      'cat',
      'dirname',
      'env',
      'haproxy',
      'head',
      'id',
      'mktemp',
      'node',
      'npm',
      'prometheus',
      'rm',
      'sed',
      'sort',
    ];
    const found = await run('/bin/sh', [
      '-c',
      `for name in ${there.join(' ')}; do command -v $name; done`,
    ]);
    await mkdir(join(world, 'bin'));
    for (const path of found.stdout.trim().split('\n')) {
      await symlink(path, join(world, 'bin', basename(path)));
    }
    await write('bin/apt-get', `#!/bin/sh\necho "$*" >>'${world}/asked'\n`, 0o755);

    expect(await run(join(root, 'scripts/setup'), [], { PATH: join(world, 'bin') })).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^setup: installing dash busybox-static shellcheck from the distribution \(apt-get\)\nsetup: ready: /,
      ) as string,
      stderr: '',
    });
    expect(await readFile(join(world, 'asked'), 'utf8')).toBe(
      'update -q\ninstall -y -q --no-install-recommends dash busybox-static shellcheck\n',
    );
  });

  test('installs the packages of the lockfile where they are not as locked', async () => {
    await cp(join(root, 'scripts/setup'), join(world, 'scripts/setup'));
    const name = { name: 'empty', version: '1.0.0' };
    const lock = { ...name, lockfileVersion: 3, requires: true, packages: { '': name } };
    await write('package.json', JSON.stringify(name));
    await write('package-lock.json', JSON.stringify(lock));
    await write('node_modules/node/bin/node', '#!/bin/sh\necho v24.12.0\n', 0o755);
    await write('node_modules/.package-lock.json', '{"packages":{"node_modules/other":{}}}');

    expect(await run(join(world, 'scripts/setup'))).toEqual({
      code: 1,
      stdout: 'setup: installing the packages of package-lock.json (npm ci)\n',
      stderr:
        'setup: the package "node" came without its binary; allow its install script and run npm ci again.\n',
    });
  });
});

describe('lab/kubernetes/build', () => {
  const build = join(root, 'lab/kubernetes/build');
  /** A machine that has these commands and no other. @returns Its PATH. */
  async function machineWith(commands: readonly string[]): Promise<string> {
    const found = await run('/bin/sh', [
      '-c',
      `for name in ${commands.join(' ')}; do command -v $name; done`,
    ]);
    const path = join(world, 'bin');
    await mkdir(path);
    for (const command of found.stdout.trim().split('\n')) {
      await symlink(command, join(path, basename(command)));
    }
    return path;
  }
  const usual = ['bash', 'dirname', 'env', 'head', 'sed', 'sort'];

  test('says what to install where etcd is missing', async () => {
    const PATH = await machineWith(usual);
    expect(await run(build, [], { PATH, XDG_CACHE_HOME: world })).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'kubernetes: etcd is missing, which keeps what the API server knows; install it (Debian: apt-get install etcd-server).\n',
    });
  });

  test('says what to install where Go is missing or too old', async () => {
    const PATH = await machineWith(usual);
    await write('bin/etcd', '#!/bin/sh\n', 0o755);
    expect(await run(build, [], { PATH, XDG_CACHE_HOME: world })).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'kubernetes: Go is missing, which builds the API server; install Go 1.24 or newer (https://go.dev/doc/install).\n',
    });
    await write('bin/go', '#!/bin/sh\necho go1.19.8\n', 0o755);
    expect((await run(build, [], { PATH, XDG_CACHE_HOME: world })).stderr).toBe(
      'kubernetes: Go 1.19.8 is too old for the API server; install 1.24 or newer (https://go.dev/doc/install).\n',
    );
  });

  test('builds nothing where it has been built, and needs no Go then', async () => {
    const PATH = await machineWith(usual);
    await write('bin/etcd', '#!/bin/sh\n', 0o755);
    const { stdout: version } = await run('/bin/sh', [
      '-c',
      `sed -n 's/^require k8s.io.kubernetes //p' '${root}/lab/kubernetes/apiserver/go.mod'`,
    ]);
    const binary = `rackfire-kubernetes/kube-apiserver-${version.trim()}`;
    await write(binary, '', 0o755);
    expect(await run(build, [], { PATH, XDG_CACHE_HOME: world })).toEqual({
      code: 0,
      stdout: `${join(world, binary)}\n`,
      stderr: '',
    });
  });
});

describe('scripts/readme-command', () => {
  beforeEach(async () => {
    await cp(join(root, 'scripts/readme-command'), join(world, 'scripts/readme-command'));
  });

  test('prints the block that follows the marker and no other', async () => {
    await write(
      'README.md',
      [
        '```sh\nfirst\n```\n',
        '<!-- command: demo -->\n\n```sh\nsecond\n```\n',
        '<!-- command: test -->\n```sh\nthird &&\n  fourth\n```\n',
        '```sh\nfifth\n```\n',
      ].join('\n'),
    );

    expect(await run(join(world, 'scripts/readme-command'), ['test'])).toEqual({
      code: 0,
      stdout: 'third &&\n  fourth\n',
      stderr: '',
    });
  });

  test.each([
    ['there is no marker', '```sh\nnpm test\n```\n'],
    ['prose stands between marker and block', '<!-- command: test -->\nRun:\n\n```sh\nx\n```\n'],
    ['the block is empty', '<!-- command: test -->\n```sh\n```\n'],
  ])('fails when %s', async (_situation, readme) => {
    await write('README.md', readme);

    const { code, stdout } = await run(join(world, 'scripts/readme-command'), ['test']);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('.ci/run', () => {
  /** A report as vitest writes it, by a command that stands for the tests. */
  const reporting = (passed: number, failed: number, files: readonly object[] = []): string =>
    `printf %s '${JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: files,
    })}' > "$RACKFIRE_TEST_REPORT"`;

  async function runGate(
    check: string,
    command: string,
    environment: Readonly<Record<string, string>> = {},
    suites: Readonly<Record<string, string>> = {},
  ): Promise<Pick<Ending, 'code' | 'stdout'> & { readonly lastLine: string | undefined }> {
    await cp(join(root, '.ci/run'), join(world, '.ci/run'));
    await cp(join(root, 'scripts/readme-command'), join(world, 'scripts/readme-command'));
    await write('scripts/setup', '#!/bin/sh\n', 0o755);
    await write('package.json', JSON.stringify({ scripts: { check, ...suites } }));
    await write('README.md', `<!-- command: test -->\n\n\`\`\`sh\n${command}\n\`\`\`\n`);
    const { code, stdout } = await run(join(world, '.ci/run'), [], environment);
    return { code, stdout, lastLine: stdout.trimEnd().split('\n').at(-1) };
  }

  const check = 'true && true first && npm test';
  const unloadable = { status: 'failed', assertionResults: [] };

  test.each([
    ['all is well', check, reporting(7, 0), '9 passed, 0 failed', 0],
    ['a static part fails', 'false && true && npm test', reporting(7, 0), '8 passed, 1 failed', 1],
    ['tests fail', check, `${reporting(5, 2)}; exit 1`, '7 passed, 2 failed', 1],
    [
      'a file of tests cannot be loaded',
      check,
      `${reporting(5, 0, [unloadable])}; exit 1`,
      '7 passed, 1 failed',
      1,
    ],
    [
      'the command fails, its tests do not',
      check,
      `${reporting(5, 0)}; exit 1`,
      '7 passed, 1 failed',
      1,
    ],
    ['no test ran', check, reporting(0, 0), '2 passed, 1 failed', 1],
    ['nothing is reported', check, 'true', '2 passed, 1 failed', 1],
    ['the README has no command', check, '', '2 passed, 1 failed', 1],
  ])('counts right when %s', async (_situation, parts, command, lastLine, code) => {
    expect(await runGate(parts, command)).toMatchObject({ code, lastLine });
  });

  test('ends what is past the budget', async () => {
    const { code, stdout } = await runGate('npm test', 'sleep 60', { CI_BUDGET_SECONDS: '5' });

    expect(code).toBe(1);
    // Less than all of it is left when the clock's second has ended once before the part begins.
    expect(stdout).toMatch(/^stopped: its budget of [1-5] s is used up$/m);
  });

  test.each([
    ['pass', { 'test:a': reporting(3, 0), 'test:b': reporting(4, 0) }, '16 passed, 0 failed'],
    ['fail', { 'test:a': `${reporting(3, 1)}; exit 1` }, '12 passed, 1 failed'],
    // What the suite before it has reported is not counted again.
    ['report nothing', { 'test:a': 'true' }, '9 passed, 1 failed'],
    ['do not start', { 'test:a': 'exit 3' }, '9 passed, 1 failed'],
  ])('counts long suites that %s', async (_situation, suites, lastLine) => {
    expect(await runGate(check, reporting(7, 0), {}, suites)).toMatchObject({ lastLine });
  });

  test.each([
    ['passes', 'test "$1" = --quick', '10 passed, 0 failed'],
    ['fails', 'false', '9 passed, 1 failed'],
  ])(
    'runs the benchmark of elasticity in short, and counts that it %s',
    async (_, body, lastLine) => {
      const suites = { 'bench:elasticity': `sh -c '${body}' bench` };

      expect(await runGate(check, reporting(7, 0), {}, suites)).toMatchObject({ lastLine });
    },
  );

  test('tells what failed once more above its last line, suite after suite', async () => {
    const failing = (file: string, fullName: string): object => ({
      name: join(world, file),
      status: 'failed',
      assertionResults: [
        { status: 'passed', fullName: 'well', failureMessages: [] },
        { status: 'failed', fullName, failureMessages: ['expected 1 to be 2\n  at a.test.ts:7'] },
      ],
    });
    const unreadable = { ...unloadable, name: join(world, 'c.test.ts'), message: 'no such module' };
    const suites = { 'test:b': `${reporting(1, 1, [failing('b.test.ts', 'two')])}; exit 1` };
    const command = `${reporting(5, 1, [failing('a.test.ts', 'one'), unreadable])}; exit 1`;

    const { stdout, lastLine } = await runGate('false && npm test', command, {}, suites);

    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(lines.indexOf('== what failed') + 1)).toEqual([
      'false',
      'a.test.ts: one',
      '    expected 1 to be 2',
      '      at a.test.ts:7',
      'c.test.ts: the file itself',
      '    no such module',
      'b.test.ts: two',
      '    expected 1 to be 2',
      '      at a.test.ts:7',
      '',
      expect.stringContaining('skipped tests: 0'),
      lastLine,
    ]);
  });

  test('starts nothing that has no budget left', async () => {
    const budget = { CI_BUDGET_SECONDS: '0' };

    expect(await runGate(check, reporting(7, 0), budget)).toMatchObject({
      code: 1,
      lastLine: '0 passed, 4 failed',
    });
  });
});
