/** Which key a host must show: OpenSSH's known_hosts, read strictly. */

import { createHash, createHmac } from 'node:crypto';

interface KnownHost {
  /** From 1. */
  readonly line: number;
  readonly revoked: boolean;
  readonly patterns: string;
  readonly keyType: string;
  readonly key: Buffer;
}

/** What known_hosts says of a key that a host has shown. */
export type HostKeyVerdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed'; readonly line: number }
  | { readonly kind: 'revoked'; readonly line: number };

/**
 * Reads plain and hashed (`|1|`) entries, `[host]:port`, wildcards, negations and `@revoked`. Certificate
 * authorities, which the SSH client does not know, and lines that cannot be read are passed over: whoever
 * is known by those alone is unknown.
 *
 * @see https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT
 */
export function parseKnownHosts(text: string): readonly KnownHost[] {
  return text.split('\n').flatMap((line, index) => {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [patterns, keyType, base64] = fields;
    if (
      patterns === undefined ||
      patterns.startsWith('#') ||
      keyType === undefined ||
      base64 === undefined ||
      (marker !== undefined && marker !== '@revoked')
    ) {
      return [];
    }
    const key = Buffer.from(base64, 'base64');
    return [{ line: index + 1, revoked: marker !== undefined, patterns, keyType, key }];
  });
}

/** `address`, or `[address]:port` for any port but 22: the name that known_hosts has for it. */
export function knownHostName(address: string, port: number): string {
  return port === 22 ? address : `[${address}]:${port}`;
}

/** A revoked key is refused whatever else the file says of it. */
export function judgeHostKey(
  known: readonly KnownHost[],
  name: string,
  key: Buffer,
): HostKeyVerdict {
  const entries = known.filter((entry) => isFor(entry.patterns, name));
  const same = entries.filter((entry) => entry.key.equals(key));
  const revoked = same.find((entry) => entry.revoked);
  if (revoked !== undefined) {
    return { kind: 'revoked', line: revoked.line };
  }
  if (same.length > 0) {
    return { kind: 'known' };
  }
  const other = entries.find((entry) => !entry.revoked && entry.keyType === keyTypeOf(key));
  return other === undefined ? { kind: 'unknown' } : { kind: 'changed', line: other.line };
}

/**
 * Key types that the file has for a host. The client must ask for one of these: a host with several keys would
 * otherwise show one that the file lacks.
 */
export function knownKeyTypes(known: readonly KnownHost[], name: string): readonly string[] {
  const entries = known.filter((entry) => !entry.revoked && isFor(entry.patterns, name));
  return [...new Set(entries.map((entry) => entry.keyType))];
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The blob begins with its type, as a string with its length before it. Empty when it does not. */
export function keyTypeOf(key: Buffer): string {
  return key.length < 4 ? '' : key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

function isFor(patterns: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(patterns);
  if (hashed !== null) {
    const [, salt = '', hash = ''] = hashed;
    const hmac = createHmac('sha1', Buffer.from(salt, 'base64')).update(name.toLowerCase());
    return hmac.digest('base64') === hash;
  }
  const all = patterns.split(',');
  return (
    all.some((pattern) => matches(pattern, name)) &&
    !all.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1), name))
  );
}

/** `*` stands for any number of characters and `?` for one. */
function matches(pattern: string, name: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i').test(name);
}
