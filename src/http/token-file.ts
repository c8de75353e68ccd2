/** The secret that lets its bearer change things by the API: one line of a file that not everybody can read. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ConfigError } from '../control/errors.ts';

/** Shorter ones can be guessed. */
const MIN_TOKEN_LENGTH = 16;
const MAX_FILE_BYTES = 4_096;

/** How a message says to make one. */
const HOW_TO_MAKE = '(umask 077; openssl rand -hex 24 > FILE)';

/**
 * Reads the token; each time anew, so that it can be changed while the service runs.
 *
 * @throws ConfigError when the file cannot be read, when everybody can, or when there is no good token in it.
 * The message names the file and never what is in it.
 */
export async function readToken(path: string): Promise<string> {
  const { mode, text } = await readStart(path);
  if ((mode & 0o007) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new ConfigError(
      `the token file ${path} is open to every user of this machine (mode ${octal}): chmod 0640 or less, and make a new token`,
    );
  }
  const token = text.replace(/\r?\n$/, '');
  if (token.length < MIN_TOKEN_LENGTH) {
    throw new ConfigError(
      `the token in ${path} is ${token === '' ? 'empty' : 'too short'}: at least ${MIN_TOKEN_LENGTH} characters are needed. Make one: ${HOW_TO_MAKE}`,
    );
  }
  // What an HTTP header can carry, so that it compares equal when it was sent.
  if (!/^[!-~]+$/.test(token)) {
    throw new ConfigError(
      `the token in ${path} must be one line of ASCII characters without spaces. Make one: ${HOW_TO_MAKE}`,
    );
  }
  return token;
}

/** In the same time whatever they are, so that nobody finds one character after the other. */
export function isSameToken(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function readStart(path: string): Promise<{ readonly mode: number; readonly text: string }> {
  try {
    // Without waiting for somebody who writes, should it be a pipe.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) {
      throw new Error('it is not a regular file');
    }
    const buffer = Buffer.alloc(MAX_FILE_BYTES);
    const { bytesRead } = await file.read(buffer, 0, MAX_FILE_BYTES, 0);
    if (stat.size > MAX_FILE_BYTES) {
      throw new Error(`it has more than ${MAX_FILE_BYTES} bytes`);
    }
    return { mode: stat.mode, text: buffer.toString('utf8', 0, bytesRead) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the token file ${path}: ${why}`, { cause: error });
  }
}
