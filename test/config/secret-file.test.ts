import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCredentials } from '../../src/config/secret-file.ts';
import { ConfigError } from '../../src/control/errors.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rackfire-secret-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(text: string, mode = 0o640): string {
  const path = join(folder, 'credentials');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test.each([
  ['rackfire:secret word:s\n', 'rackfire', 'secret word:s'],
  ['rackfire:secret', 'rackfire', 'secret'],
  ['rackfire:sécret\r\n', 'rackfire', 'sécret'],
])('%j is a name and a password', (text, username, password) => {
  expect(readCredentials(put(text))).toEqual({ username, password });
});

test.each([
  ['nothing', ''],
  ['a password alone', 'topsecret\n'],
  ['no name', ':topsecret\n'],
  ['no password', 'rackfire:\n'],
  ['two lines', 'rackfire:topsecret\nroot:topsecret\n'],
  ['a name with a space', 'rack fire:topsecret\n'],
])('%s is refused, and never shown', (_situation, text) => {
  const read = () => readCredentials(put(text));
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/credentials must have one line `user:password` and nothing else/);
  expect(read).not.toThrow(/topsecret/);
});

test('a file that everybody may read is refused, with what to do', () => {
  const read = () => readCredentials(put('rackfire:topsecret\n', 0o644));
  expect(read).toThrow(/mode 0644.*chmod 0640 or less, and change the password/);
  expect(read).not.toThrow(/topsecret/);
});

test('a file that is not there, a folder, or a huge one is refused', () => {
  expect(() => readCredentials(join(folder, 'none'))).toThrow(/cannot read.*ENOENT/);
  mkdirSync(join(folder, 'sub'));
  expect(() => readCredentials(join(folder, 'sub'))).toThrow(/not a regular file/);
  expect(() => readCredentials(put('x'.repeat(70_000)))).toThrow(/more than 65536 bytes/);
});
