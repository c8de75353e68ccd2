import { open } from 'node:fs/promises';
import { ConnectFailure, errorCodeOf } from './connect-failure.ts';

/**
 * Reads the private key. It is kept nowhere and stands in no message.
 *
 * @throws ConnectFailure when it cannot be read, or when others than its owner can read it, too.
 */
export async function readKeyFile(host: string, path: string): Promise<string> {
  const fail = (text: string, fix: string): ConnectFailure =>
    new ConnectFailure('key-file', `${host}: the private key ${path} ${text}`, fix);
  try {
    await using file = await open(path, 'r');
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8);
      throw fail(`may be read by others than its owner (mode ${found})`, `chmod 600 ${path}`);
    }
    const key = await file.readFile('utf8');
    if (isEncrypted(key)) {
      throw fail(
        'has a passphrase, and nobody is there to type it',
        'make a key without one: ssh-keygen -t ed25519 -N ""',
      );
    }
    return key;
  } catch (error) {
    if (error instanceof ConnectFailure) {
      throw error;
    }
    throw fail(
      `cannot be read (${errorCodeOf(error)})`,
      'name a file that the user of this process owns as ssh.keyFile',
    );
  }
}

/** PEM says it in words; OpenSSH's own format names the cipher after its magic. */
function isEncrypted(key: string): boolean {
  if (/ENCRYPTED/.test(key)) {
    return true;
  }
  const body = /^-----BEGIN OPENSSH PRIVATE KEY-----\s+([\s\S]+?)-----END/.exec(key)?.[1];
  const bytes = Buffer.from(body ?? '', 'base64');
  const magicBytes = 'openssh-key-v1\0'.length;
  return body !== undefined && bytes.toString('latin1', magicBytes + 4, magicBytes + 8) !== 'none';
}
