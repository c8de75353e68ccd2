/** Files with a secret in them: small, regular, and not open to everybody. */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ConfigError } from '../control/errors.ts';

/** A private key with its certificates is a few thousand bytes. */
const maxFileBytes = 65_536;

/** Name and password of the Data Plane API. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Reads a file whose content is nobody else's business.
 *
 * @param what - What is in it, for the message: `token`, `credentials`, `private key`.
 * @param renew - What to do besides closing it, because somebody may have read it: `make a new token`.
 * @throws ConfigError when it cannot be read, or when everybody can. The message never has anything of its content.
 */
export function readSecretFile(path: string, what: string, renew: string): string {
  const { mode, text } = readStart(path, what);
  if ((mode & 0o007) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new ConfigError(
      `the ${what} file ${path} is open to every user of this machine (mode ${octal}): chmod 0640 or less, and ${renew}`,
    );
  }
  return text;
}

/**
 * Reads the one line `user:password` of a credentials file.
 *
 * @throws ConfigError when the file cannot be read, when everybody can, or when there is something else in it. The
 * message names the file and never what is in it.
 */
export function readCredentials(path: string): Credentials {
  const text = readSecretFile(path, 'credentials', 'change the password');
  const [, username, password] = /^([^\s:]+):([^\r\n]+)\r?\n?$/.exec(text) ?? [];
  if (username === undefined || password === undefined) {
    throw new ConfigError(
      `the credentials file ${path} must have one line \`user:password\` and nothing else. Make it: (umask 077; echo 'rackfire:PASSWORD' > FILE)`,
    );
  }
  return { username, password };
}

/** A file that everybody may read: certificates. @throws ConfigError when it cannot be read. */
export function readPublicFile(path: string, what: string): string {
  return readStart(path, what).text;
}

function readStart(path: string, what: string): { readonly mode: number; readonly text: string } {
  try {
    // Without waiting for somebody who writes, should it be a pipe.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(file);
      if (!stat.isFile()) {
        throw new Error('it is not a regular file');
      }
      if (stat.size > maxFileBytes) {
        throw new Error(`it has more than ${maxFileBytes} bytes`);
      }
      const buffer = Buffer.alloc(maxFileBytes);
      const length = readSync(file, buffer, 0, maxFileBytes, 0);
      return { mode: stat.mode, text: buffer.toString('utf8', 0, length) };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the ${what} file ${path}: ${why}`, { cause: error });
  }
}
