/** What a dom0 is asked, in one line: `VERB key=value …`. The contract is in docs/xen.md. */

import { RefusedError } from '../control/errors.ts';

/** What the wrapper on a dom0 knows. */
export type Dom0Verb =
  | 'inspect'
  | 'check'
  | 'fence'
  | 'create'
  | 'pause'
  | 'unpause'
  | 'save'
  | 'restore'
  | 'destroy';

const LONGEST_REQUEST_BYTES = 4096;

/**
 * Writes a request. Nothing is ever quoted, because nothing that would need it gets in.
 *
 * @param values - In the order in which they are written; what is `undefined` is left out.
 * @throws RefusedError when a value is outside of the contract: nothing was sent, and would be sent next time.
 */
export function formatRequest(
  verb: Dom0Verb,
  values: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const pairs = Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) {
      return [];
    }
    const text = String(value);
    if (!/^[a-z-]+$/.test(key) || !/^[A-Za-z0-9._:/@+-]+$/.test(text)) {
      throw new RefusedError(
        `cannot be said to a dom0: ${verb} ${key}=${JSON.stringify(text.slice(0, 80))}`,
      );
    }
    return [`${key}=${text}`];
  });
  const line = [verb, ...pairs].join(' ');
  if (line.length > LONGEST_REQUEST_BYTES) {
    throw new RefusedError(
      `cannot be said to a dom0: ${verb} of ${line.length} bytes, ${LONGEST_REQUEST_BYTES} at most`,
    );
  }
  return line;
}
