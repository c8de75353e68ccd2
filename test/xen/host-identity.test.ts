import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { UnreachableError } from '../../src/control/errors.ts';
import { TestClock } from '../control/test-clock.ts';
import { failureOf, never } from './scripted-host.ts';
import { connectTo, echo, order, question, startServer } from './ssh-rig.ts';
import { generateKey } from './ssh-server.ts';

test('A host whose key is not known is refused, with the line that would add it', async () => {
  const server = await startServer();
  server.writeKnownHosts('# nobody yet\n');
  const { port, knownHostsFile } = server.settings;

  const failure = await failureOf(connectTo(server).run('create', order, never));

  expect(failure).toBeInstanceOf(UnreachableError);
  expect(failure.message).toContain(
    `xen-1 shows a host key that ${knownHostsFile} does not have for [127.0.0.1]:${port}: ssh-ed25519 SHA256:`,
  );
  expect(failure.message).toContain(
    `ssh-keyscan -p ${port} -t ed25519 127.0.0.1 >> ${knownHostsFile}`,
  );
  expect(server.commands).toEqual([]);
});

test('A host whose key has changed is refused, with the line to replace', async () => {
  const server = await startServer();
  const { port, knownHostsFile } = server.settings;
  server.writeKnownHosts(`# ours\n[127.0.0.1]:${port} ${generateKey().public}\n`);

  const failure = await failureOf(connectTo(server).run('create', order, never));

  expect(failure.message).toContain(`another host key than ${knownHostsFile} has in line 2`);
  expect(failure.message).toContain(`replace line 2 of ${knownHostsFile} by what`);
  expect(server.commands).toEqual([]);
});

test('A corrected file needs no restart', async () => {
  const clock = new TestClock();
  const server = await startServer();
  const { knownHostsFile } = server.settings;
  const right = readFileSync(knownHostsFile, 'utf8');
  server.writeKnownHosts('');
  const connection = connectTo(server, { clock });
  await failureOf(connection.run('a', question, never));

  server.writeKnownHosts(right);
  await clock.step(1_000);

  await expect(connection.run('b', question, never)).resolves.toMatchObject({ stdout: 'b' });
});

test('Of a host with two keys, the one that is known is asked for', async () => {
  const server = await startServer(echo, [generateKey('ed25519'), generateKey('ecdsa')]);
  const { port } = server.settings;
  server.writeKnownHosts(`[127.0.0.1]:${port} ${server.hostKeys[1]?.public}\n`);

  await expect(connectTo(server).run('a', question, never)).resolves.toMatchObject({ code: 0 });
});

test('A host that refuses our key is told by whom to let in', async () => {
  const server = await startServer();
  server.refusesAuth = true;

  const failure = await failureOf(connectTo(server).run('a', question, never));

  expect(failure.message).toMatch(/^xen-1: rackfire@127.0.0.1:\d+ refuses the key; put its public/);
});

test('A private key that others may read is not used', async () => {
  const server = await startServer();
  const { keyFile } = server.settings;
  chmodSync(keyFile, 0o640);

  const failure = await failureOf(connectTo(server).run('a', question, never));

  expect(failure.message).toBe(
    `xen-1: the private key ${keyFile} may be read by others than its owner (mode 640); chmod 600 ${keyFile}`,
  );
  expect(server.connections).toBe(0);
});

const key = generateKey().private;
test.each([
  ['no key at all', 'secret but no key'],
  ['a key that is cut off', key.slice(0, 200)],
  ['a key with a letter changed', key.replace('b3BlbnNza', 'b3BlbnNzb')],
  [
    'a key with a passphrase',
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nc2VjcmV0\n',
  ],
])('%s is refused without a word of it', async (_situation, text) => {
  const server = await startServer();
  writeFileSync(server.settings.keyFile, text);

  const failure = await failureOf(connectTo(server).run('a', question, never));

  expect(failure).toBeInstanceOf(UnreachableError);
  expect(failure.message).toContain('private key');
  expect(failure.message).toContain('ssh-keygen');
  for (const word of text
    .split(/\s+/)
    .filter((part) => part.length > 12 && !/KEY|OPENSSH/.test(part))) {
    expect(JSON.stringify([failure.message, failure.stack, failure.cause])).not.toContain(word);
  }
});
