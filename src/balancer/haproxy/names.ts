/** Names that may stand in a HAProxy config and on its command line. */

import { ConfigError } from '../../control/errors.ts';

/**
 * HAProxy's own alphabet for proxy and server names. It has no `;`, newline, space, `#`, `\`, quote or
 * `/`, each of which would end the name on the runtime socket or in the config and let the rest of it be
 * read as something else.
 *
 * @see https://docs.haproxy.org/2.6/configuration.html#4 ("All proxy names must be formed from …")
 */
const permitted = /^[A-Za-z0-9_.:-]+$/;

/** Keeps a batch of commands well below HAProxy's line buffer (`tune.bufsize`, 16,384 bytes). */
const longestName = 128;

/**
 * @param what - What the name is of, for the message: `backend`, `server`, …
 * @returns `name`, unchanged.
 * @throws ConfigError when HAProxy would not take the name, or would read more into it than a name.
 */
export function validateName(what: string, name: string): string {
  if (name.length > longestName || !permitted.test(name)) {
    throw new ConfigError(
      `${what} ${JSON.stringify(name.slice(0, longestName))}: HAProxy's names are 1 to ${longestName} letters, digits, "-", "_", "." and ":"`,
    );
  }
  return name;
}
