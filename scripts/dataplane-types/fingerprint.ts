/** What the head of a generated file says of what it was made from, and of itself. */

import { createHash } from 'node:crypto';

export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The same for however the file is formatted: the formatter changes between its releases. */
export function fingerprintTypes(body: string): string {
  return fingerprint(body.replaceAll(/[^\w?]/g, ''));
}
