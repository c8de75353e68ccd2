/** The secret that lets its bearer change things by the API: one line of a file that not everybody can read. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { readSecretFile } from '../config/secret-file.ts';
import { ConfigError } from '../control/errors.ts';

/** Shorter ones can be guessed. */
const MIN_TOKEN_LENGTH = 16;

/** How a message says to make one. */
const HOW_TO_MAKE = '(umask 077; openssl rand -hex 24 > FILE)';

/**
 * Reads the token; each time anew, so that it can be changed while the service runs.
 *
 * @throws ConfigError when the file cannot be read, when everybody can, or when there is no good token in it.
 * The message names the file and never what is in it.
 */
export async function readToken(path: string): Promise<string> {
  const text = readSecretFile(path, 'token', 'make a new token');
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
