/**
 * Seen to fail: files that break a layer rule on purpose are laid out as `src/` would have them, under
 * the project's own configuration files, and every guard has to report its file and no other.
 */

import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const fixtures = join(root, 'test/fixtures/layers');

interface Finding {
  readonly rule: string;
  readonly text: string;
}

/** By file, relative to the tree. */
type Findings = ReadonlyMap<string, readonly Finding[]>;

const adapters = [
  'xen',
  'balancer',
  'signals',
  'leader',
  'store',
  'telemetry',
  'config',
  'sim',
  'embedded',
];

const trees: string[] = [];

afterAll(async () => {
  for (const tree of trees) {
    await rm(tree, { recursive: true, force: true });
  }
});

/** A project of its own: the real configuration, and of `src/` only what is given (target, source). */
async function createTree(files: Iterable<readonly [string, string]>): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'rackfire-layers-'));
  trees.push(tree);
  for (const name of ['.oxlintrc.json', 'package.json', 'tsconfig.json']) {
    await cp(join(root, name), join(tree, name));
  }
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  for (const [target, source] of files) {
    await mkdir(dirname(join(tree, target)), { recursive: true });
    await cp(join(fixtures, source), join(tree, target), { recursive: true });
  }
  await mkdir(join(tree, 'src/scaler'), { recursive: true });
  await cp(join(root, 'src/scaler/tsconfig.json'), join(tree, 'src/scaler/tsconfig.json'));
  return tree;
}

/** Both tools exit with 1 when they find something, which is no failure here; a silent one is. */
async function run(tree: string, tool: string, args: readonly string[]): Promise<string> {
  return await new Promise((done, fail) => {
    execFile(
      process.execPath,
      [join(root, 'node_modules', tool), ...args],
      { cwd: tree, timeout: 20_000 },
      (error, stdout, stderr) => {
        const ended = error === null || typeof error.code === 'number';
        if (ended && stderr === '') {
          done(stdout);
        } else {
          fail(new Error(`${tool} did not run: ${stderr}`, { cause: error }));
        }
      },
    );
  });
}

function grouped(entries: readonly (Finding & { readonly file: string })[]): Findings {
  const findings = new Map<string, Finding[]>();
  for (const { file, rule, text } of entries) {
    findings.set(file, [...(findings.get(file) ?? []), { rule, text }]);
  }
  return findings;
}

async function lint(tree: string): Promise<Findings> {
  const output = await run(tree, 'oxlint/bin/oxlint', ['--type-aware', '-f', 'json', 'src']);
  const { diagnostics } = JSON.parse(output) as {
    readonly diagnostics: readonly {
      readonly filename: string;
      readonly code: string;
      readonly message: string;
      readonly help?: string;
    }[];
  };
  return grouped(
    diagnostics.map(({ filename, code, message, help }) => ({
      file: filename,
      rule: code,
      text: `${message} ${help ?? ''}`,
    })),
  );
}

async function compile(tree: string): Promise<Findings> {
  const args = ['-p', 'src/scaler', '--noEmit', '--pretty', 'false'];
  const output = await run(tree, 'typescript/bin/tsc', args);
  const lines = output.matchAll(/^(?<file>\S+)\(\d+,\d+\): error (?<rule>TS\d+): (?<text>.*)$/gm);
  return grouped(
    [...lines].map(({ groups }) => ({
      file: groups?.['file'] ?? '',
      rule: groups?.['rule'] ?? '',
      text: groups?.['text'] ?? '',
    })),
  );
}

const imports = 'eslint(no-restricted-imports)';
const globals = 'eslint(no-restricted-globals)';
const properties = 'eslint(no-restricted-properties)';

const linted = [
  ['the core imports Node', 'scaler/imports-node', imports, 'core imports nothing but'],
  ['the core imports a package', 'scaler/imports-package', imports, 'core imports nothing but'],
  [
    'the core imports a package while it runs',
    'scaler/imports-package-dynamically',
    imports,
    'core imports nothing but',
  ],
  [
    'the core names a type of a package in place',
    'scaler/imports-package-type',
    'typescript(consistent-type-imports)',
    'forbidden',
  ],
  ['the core imports the loop', 'scaler/imports-control', imports, 'core imports nothing but'],
  [
    'the core imports the loop by a detour',
    'scaler/imports-parent-by-detour',
    imports,
    'core imports nothing but',
  ],
  [
    'the core takes in Node by a reference',
    'scaler/references-node-types',
    'typescript(triple-slash-reference)',
    'node',
  ],
  ['the core reads the time', 'scaler/uses-date', globals, 'time is passed'],
  ['the core reads the time by a detour', 'scaler/uses-date-by-global', globals, 'time is passed'],
  ['the core draws a number', 'scaler/uses-random', properties, 'chance is passed'],
  [
    'the core takes the drawing out of its box',
    'scaler/uses-random-by-destructuring',
    properties,
    'chance is passed',
  ],
  ['the core prints', 'scaler/uses-console', 'eslint(no-console)', 'console'],
  ['two files of the core import each other', 'scaler/cycle-here', 'import(no-cycle)', 'cycle'],
  ['… which both are told', 'scaler/cycle-there', 'import(no-cycle)', 'cycle'],
  ['the loop imports an adapter', 'control/imports-adapter', imports, 'through a port'],
  ["the loop imports an adapter's type", 'control/imports-adapter-type', imports, 'through a port'],
  ['the loop imports the composition', 'control/imports-compose', imports, 'through a port'],
  ['the loop imports a package', 'control/imports-package', imports, 'through a port'],
  ['the loop reads the time', 'control/uses-date', globals, 'its Clock'],
  ['the loop reads the time of the process', 'control/uses-performance', globals, 'its Clock'],
  ['the loop waits by itself', 'control/uses-timer', globals, 'its Clock'],
  ['the loop ticks by itself', 'control/uses-interval', globals, 'its Clock'],
  ['an adapter imports another', 'xen/imports-adapter', imports, 'never import each other'],
  [
    'an adapter imports another from a folder further down',
    'balancer/runtime/imports-adapter',
    imports,
    'never import each other',
  ],
  [
    "an adapter imports another's type",
    'telemetry/imports-adapter-type',
    imports,
    'never import each other',
  ],
  ['an adapter imports the composition', 'xen/imports-compose', imports, 'puts it together'],
  ['an adapter imports the service', 'xen/imports-service', imports, 'puts it together'],
  ['an adapter imports a command', 'xen/imports-command', imports, 'puts it together'],
  ['an adapter imports a page', 'xen/imports-http', imports, 'puts it together'],
  ['a page imports a command', 'http/imports-command', imports, 'only src/main.ts'],
  ['a command imports the entry', 'cli/imports-main', imports, 'only src/main.ts'],
] as const;

/** One in each place, importing all that its place may import. */
const clean = [
  'scaler/good.ts',
  'control/good.ts',
  'control/clock.ts',
  'xen/good.ts',
  'balancer/runtime/good.ts',
  'config/good.ts',
  'compose.ts',
  'service.ts',
  'http/good.ts',
  'cli/good.ts',
  'main.ts',
];

/** What the compiler says of the core: each alone, since one of them can bring Node's types to all. */
const compiled = [
  ['the core imports Node', 'imports-node', 'TS2591', 'node:fs'],
  ['the core asks for its process', 'uses-process', 'TS2591', "'process'"],
  ['the core prints', 'uses-console', 'TS2584', "'console'"],
  ['the core sets a timer', 'uses-timer', 'TS2304', "'setTimeout'"],
  ['the core fetches', 'uses-fetch', 'TS2304', "'fetch'"],
] as const;

describe('the linter', () => {
  let findings: Findings = new Map();

  beforeAll(async () => {
    findings = await lint(await createTree([['src', 'src']]));
  });

  test.each(linted)('reports it when %s', (_situation, file, rule, text) => {
    expect(findings.get(`src/${file}.ts`)).toEqual([
      { rule, text: expect.stringContaining(text) as string },
    ]);
  });

  test.each(clean)('reports nothing about %s, which keeps the rules', async (file) => {
    await access(join(fixtures, 'src', file));

    expect(findings.get(`src/${file}`)).toBeUndefined();
  });

  test('reports nothing beside what is expected', () => {
    expect([...findings.keys()].toSorted()).toEqual(
      linted.map(([, file]) => `src/${file}.ts`).toSorted(),
    );
  });

  test('reports it when any adapter imports any other', async () => {
    const tree = await createTree([]);
    const bad: string[] = [];
    for (const adapter of adapters) {
      await mkdir(join(tree, 'src', adapter));
      for (const other of adapters.filter((name) => name !== adapter)) {
        const file = `src/${adapter}/imports-${other}.ts`;
        bad.push(file);
        await writeFile(join(tree, file), `export { name } from '../${other}/name.ts';\n`);
      }
    }

    expect([...(await lint(tree)).keys()].toSorted()).toEqual(bad.toSorted());
  });

  test('knows every folder of src', async () => {
    const entries = await readdir(join(root, 'src'), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);

    const known = ['scaler', 'control', 'http', 'cli', ...adapters];
    expect(folders.filter((name) => !known.includes(name))).toEqual([]);
  });

  test.each([
    ['the composition imports a command', 'compose', 'imports-command'],
    ['the composition imports a page', 'compose', 'imports-http'],
    ['the composition imports the service', 'compose', 'imports-service'],
    ['the service imports a command', 'service', 'imports-command'],
    ['the service imports a page', 'service', 'imports-http'],
  ])('reports it when %s', async (_situation, place, file) => {
    const tree = await createTree([
      ['src', 'src'],
      [`src/${place}.ts`, `${place}/${file}.ts`],
    ]);

    expect((await lint(tree)).get(`src/${place}.ts`)).toContainEqual({
      rule: imports,
      text: expect.stringContaining('not the other way round') as string,
    });
  });
});

describe('the compiler', () => {
  test.each(compiled)('reports it when %s', async (_situation, name, rule, text) => {
    const file = `src/scaler/${name}.ts`;

    const findings = await compile(await createTree([[file, file]]));

    expect([...findings]).toEqual([
      [file, [{ rule, text: expect.stringContaining(text) as string }]],
    ]);
  });

  test('reports it when the core imports what lies outside of it', async () => {
    const tree = await createTree(
      ['scaler/imports-control.ts', 'control/good.ts'].map((file) => [
        `src/${file}`,
        `src/${file}`,
      ]),
    );

    expect((await compile(tree)).get('src/scaler/imports-control.ts')).toEqual([
      { rule: 'TS6059', text: expect.stringContaining("not under 'rootDir'") as string },
    ]);
  });

  test('reports nothing about a core that keeps the rules', async () => {
    const tree = await createTree(
      ['scaler/good.ts', 'scaler/neighbor.ts'].map((file) => [`src/${file}`, `src/${file}`]),
    );

    expect(await compile(tree)).toEqual(new Map());
  });
});
