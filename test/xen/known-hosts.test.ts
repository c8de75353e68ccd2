import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  judgeHostKey,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from '../../src/xen/known-hosts.ts';
import { generateKey } from './ssh-server.ts';

const ed25519 = generateKey('ed25519').public;
const ecdsa = generateKey('ecdsa').public;
const other = generateKey('ed25519').public;

function blobOf(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
}

function hashed(name: string): string {
  const salt = Buffer.from('01234567890123456789');
  const hash = createHmac('sha1', salt).update(name).digest('base64');
  return `|1|${salt.toString('base64')}|${hash}`;
}

function judge(text: string, publicKey = ed25519, name = '10.0.0.2') {
  return judgeHostKey(parseKnownHosts(text), name, blobOf(publicKey));
}

test('A host is called by its address, and with any port but 22 also by that', () => {
  expect(knownHostName('10.0.0.2', 22)).toBe('10.0.0.2');
  expect(knownHostName('10.0.0.2', 2222)).toBe('[10.0.0.2]:2222');
});

test.each([
  ['a plain entry', `10.0.0.2 ${ed25519}`, { kind: 'known' }],
  ['a plain entry with a comment', `10.0.0.2 ${ed25519} root@xen-1`, { kind: 'known' }],
  ['one of several names', `xen-1,10.0.0.2 ${ed25519}`, { kind: 'known' }],
  ['a hashed entry', `${hashed('10.0.0.2')} ${ed25519}`, { kind: 'known' }],
  ['a pattern', `10.0.0.* ${ed25519}`, { kind: 'known' }],
  ['a pattern for one character', `10.0.?.2 ${ed25519}`, { kind: 'known' }],
  ['a pattern that excepts it', `10.0.0.*,!10.0.0.2 ${ed25519}`, { kind: 'unknown' }],
  ['the second of two keys', `10.0.0.2 ${ecdsa}\n10.0.0.2 ${ed25519}`, { kind: 'known' }],
  ['the second key of one type', `10.0.0.2 ${other}\n10.0.0.2 ${ed25519}`, { kind: 'known' }],
  ['nothing', '', { kind: 'unknown' }],
  ['a comment', `# 10.0.0.2 ${ed25519}`, { kind: 'unknown' }],
  ['another host', `10.0.0.3 ${ed25519}`, { kind: 'unknown' }],
  ['a dot is no pattern', `10x0.0.2 ${ed25519}`, { kind: 'unknown' }],
  ['another port', `[10.0.0.2]:2222 ${ed25519}`, { kind: 'unknown' }],
  ['another host, hashed', `${hashed('10.0.0.3')} ${ed25519}`, { kind: 'unknown' }],
  ['only another type', `10.0.0.2 ${ecdsa}`, { kind: 'unknown' }],
  ['another key', `\n# ours\n10.0.0.2 ${other}`, { kind: 'changed', line: 3 }],
  ['another key, hashed', `${hashed('10.0.0.2')} ${other}`, { kind: 'changed', line: 1 }],
  ['the key, revoked', `@revoked * ${ed25519}`, { kind: 'revoked', line: 1 }],
  [
    'the key, and revoked',
    `10.0.0.2 ${ed25519}\n@revoked 10.0.0.2 ${ed25519}`,
    { kind: 'revoked', line: 2 },
  ],
  ['another key, revoked', `10.0.0.2 ${ed25519}\n@revoked * ${other}`, { kind: 'known' }],
  ['an authority', `@cert-authority * ${ed25519}`, { kind: 'unknown' }],
  ['half a line', `10.0.0.2 ssh-ed25519`, { kind: 'unknown' }],
  ['no base64', `10.0.0.2 ssh-ed25519 ????`, { kind: 'changed', line: 1 }],
])('A file with %s', (_situation, text, verdict) => {
  expect(judge(text)).toEqual(verdict);
});

test('The types that are known of a host are asked for, revoked ones are not', () => {
  const known = parseKnownHosts(`10.0.0.2 ${ecdsa}\n10.0.0.3 ${ed25519}\n@revoked * ${other}`);

  expect(knownKeyTypes(known, '10.0.0.2')).toEqual(['ecdsa-sha2-nistp256']);
});
