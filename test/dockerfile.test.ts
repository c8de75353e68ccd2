/**
 * Does by hand what `docker build` and `docker run` would do, step by step as the Dockerfile has them, so
 * that the image is tested where no container can run: each stage is a folder of its own. Two things are
 * done otherwise: the build stage borrows this checkout's packages, and Node is the one that runs the test.
 */

import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

interface Stage {
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** Splits a Dockerfile into its stages; a stage without a name is called by its number. */
function parseDockerfile(text: string): Stage[] {
  const stages: { name: string; instructions: Instruction[] }[] = [];
  for (const line of text.split('\n')) {
    const { word, rest } = /^(?<word>[A-Z]+)\s+(?<rest>.*)$/.exec(line)?.groups ?? {};
    if (word === undefined || rest === undefined) {
      continue;
    }
    if (word === 'FROM') {
      stages.push({ name: / AS (\S+)$/.exec(rest)?.[1] ?? `${stages.length}`, instructions: [] });
    }
    stages.at(-1)?.instructions.push({ word, rest });
  }
  return stages;
}

interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

function parseCopy(rest: string): Copy {
  const words = rest.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  return { from, sources: words, target };
}

/** Ends a command that hangs, and says what it printed when it fails. */
async function run(folder: string, command: string, args: readonly string[]): Promise<string> {
  return await new Promise((done, fail) => {
    const env = {
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: process.env['HOME'],
      npm_config_prefer_offline: 'true',
    };
    const options = { cwd: folder, env, timeout: 120_000 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) {
        done(stdout);
      } else {
        fail(new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`, { cause: error }));
      }
    }).stdin?.end();
  });
}

const stages = parseDockerfile(await readFile(join(root, 'Dockerfile'), 'utf8'));
const last = stages.at(-1)?.instructions ?? [];

function only(word: string): string {
  const found = last.filter((instruction) => instruction.word === word);
  expect(found).toHaveLength(1);
  return found[0]?.rest ?? '';
}

describe('the Dockerfile', () => {
  test('builds in one stage and runs in another', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', '1']);
  });

  test('runs as a user without rights, from before its entry point on', () => {
    const words = last.map(({ word }) => word);

    expect(only('USER')).toBe('node');
    expect(words.indexOf('USER')).toBeLessThan(words.indexOf('ENTRYPOINT'));
    expect(words.lastIndexOf('RUN')).toBeLessThan(words.indexOf('USER'));
  });

  test('is asked to end by SIGTERM, which reaches Node without a shell between', () => {
    expect(only('STOPSIGNAL')).toBe('SIGTERM');
    expect(JSON.parse(only('ENTRYPOINT'))).toEqual(['node', 'dist/main.js']);
    expect(JSON.parse(only('CMD'))).toEqual(['run', '-c', '/etc/rackfire/rackfire.yaml']);
  });

  test('asks the address that it documents for its health', () => {
    expect(only('HEALTHCHECK')).toContain('process.env.RACKFIRE_HEALTH_URL');
    expect(last.filter(({ word }) => word === 'ENV').map(({ rest }) => rest)).toContain(
      'RACKFIRE_HEALTH_URL=http://127.0.0.1:9500/healthz',
    );
  });

  test('starts from a Node that the package accepts', async () => {
    const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      readonly engines: { readonly node: string };
    };

    const major = /^>=(\d+)\./.exec(engines.node)?.[1];

    for (const { instructions } of stages) {
      expect(instructions[0]?.rest).toMatch(new RegExp(`^node:${major}-`));
    }
  });

  test('copies only what is there and what .dockerignore lets through', async () => {
    const ignore = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n');
    const sources = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ word }) => word === 'COPY')
      .map(({ rest }) => parseCopy(rest))
      .filter(({ from }) => from === undefined)
      .flatMap((copy) => copy.sources);

    expect(ignore).toContain('*');
    expect(ignore.filter((line) => line.startsWith('!')).toSorted()).toEqual(
      [...new Set(sources)].map((source) => `!${source}`).toSorted(),
    );
    for (const source of sources) {
      await access(join(root, source));
    }
  });
});

describe('the image', () => {
  let world = '';

  async function carryOutCopy(folder: string, { from, sources, target }: Copy): Promise<void> {
    for (const source of sources) {
      // The stages' WORKDIR is /app, and so is the prefix of what one takes from the other.
      const origin = from === undefined ? join(root, source) : join(world, from, source.slice(5));
      const isFolder = (await stat(origin)).isDirectory();
      const destination = isFolder ? join(folder, target) : join(folder, target, source);
      await cp(origin, destination, { recursive: true });
    }
  }

  async function carryOut({ name, instructions }: Stage): Promise<void> {
    const folder = join(world, name);
    await mkdir(folder);
    for (const { word, rest } of instructions) {
      if (word === 'WORKDIR') {
        expect(rest).toBe('/app');
      } else if (word === 'COPY') {
        await carryOutCopy(folder, parseCopy(rest));
      } else if (word === 'RUN' && name === 'build' && rest.startsWith('npm ci')) {
        await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
      } else if (word === 'RUN') {
        await run(folder, 'sh', ['-c', rest]);
      }
    }
  }

  beforeAll(async () => {
    world = await mkdtemp(join(tmpdir(), 'rackfire-image-'));
    for (const stage of stages) {
      await carryOut(stage);
    }
  }, 240_000);

  afterAll(async () => {
    await rm(world, { recursive: true, force: true });
  });

  async function start(...args: readonly string[]): Promise<string> {
    const entry = JSON.parse(only('ENTRYPOINT')) as readonly string[];
    return await run(join(world, '1'), process.execPath, [...entry.slice(1), ...args]);
  }

  test('holds what was built and what production needs, and no tool', async () => {
    await access(join(world, '1/dist/main.js'));
    await access(join(world, '1/node_modules/zod'));
    await expect(access(join(world, '1/node_modules/typescript'))).rejects.toThrow('ENOENT');
    await expect(access(join(world, '1/src'))).rejects.toThrow('ENOENT');
  });

  test('says its version', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      readonly version: string;
    };

    expect(await start('--version')).toBe(`${version}\n`);
  });

  test('accepts the example of a config', async () => {
    const example = join(root, 'config/rackfire.example.yaml');

    await expect(start('check', '-c', example)).resolves.toEqual(expect.any(String));
  });
});
