import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { beforeEach, expect, test, vi } from 'vitest';
import { createProgram } from '../../src/cli/cli.ts';
import { createJsonSchema } from '../../src/config/json-schema.ts';

const runbook = readFileSync(resolve(import.meta.dirname, '../../docs/runbook.md'), 'utf8');

/** Code, between backticks or fences. */
const code = [...runbook.matchAll(/```sh\n([^`]+)```|`([^`]+)`/g)]
  .flatMap(([, block, span]) => (block ?? span ?? '').split('\n'))
  .map((line) => line.replace(/ +#.*$/, '').trim());

const commands = [...new Set(code.filter((text) => text.startsWith('rackfire ')))];

// As its first command does.
beforeEach(() => {
  vi.stubEnv('RACKFIRE_CONFIG', '/etc/rackfire/rackfire.yaml');
});

/** Words, those in quotes as one. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/** Reads the line as the command line is read, and carries nothing out. */
async function parse(line: string): Promise<void> {
  const program = createProgram(() => undefined);
  disarm(program);
  await program.parseAsync(wordsOf(line).slice(1), { from: 'user' });
}

function disarm(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  if (command.commands.length === 0) {
    command.action(() => undefined);
  }
  command.commands.forEach(disarm);
}

test('the runbook has commands', () => {
  expect(commands.length).toBeGreaterThan(15);
});

test.each(commands)('%s', async (line) => {
  await expect(parse(line)).resolves.toBeUndefined();
});

test.each([
  'rackfire statos',
  'rackfire pause in news/web --for 2h',
  'rackfire host check',
  'rackfire events --sinse 1h',
])('a command that there is not (%s) is refused', async (line) => {
  await expect(parse(line)).rejects.toThrow();
});

test('every key of the config that it names is one', () => {
  const keys = new Set<string>();
  const collect = (schema: unknown, path: string): void => {
    if (Array.isArray(schema)) {
      schema.forEach((one) => collect(one, path));
    } else if (typeof schema === 'object' && schema !== null) {
      for (const [key, value] of Object.entries(schema)) {
        if (key === 'properties') {
          for (const [name, inner] of Object.entries(value as object)) {
            keys.add(`${path}.${name}`);
            collect(inner, `${path}.${name}`);
          }
        } else {
          collect(value, path);
        }
      }
    }
  };
  collect(createJsonSchema(), '');
  const named = code.flatMap(
    (text) => /^[a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+(?=$|:)/.exec(text) ?? [],
  );
  const files = new Set(['rackfire.yaml', 'new.yaml', 'hour.csv']);
  expect(named.length).toBeGreaterThan(8);
  for (const name of named.filter((one) => !files.has(one))) {
    expect(
      [...keys].some((key) => key.endsWith(`.${name}`)),
      name,
    ).toBe(true);
  }
});
