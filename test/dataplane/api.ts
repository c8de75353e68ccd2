/** Plain questions to a Data Plane API daemon, for the tests of the stand-in itself. */

import type { Daemon, GenerationName } from '../balancer/dataplane/daemon-rig.ts';

/** Generous: a test fails by what is answered, not by how busy this machine is. */
const answerTimeoutMs = 30_000;

export interface Question {
  readonly method: string;
  /** With the generation: `/v3/info`. */
  readonly path: string;
  /** Sent as JSON; a text is sent as it is. */
  readonly body?: unknown;
  readonly authorization?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed, or the text itself where it is not JSON. */
  readonly body: unknown;
}

export function authorizationOf(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Asks once, as the daemon's own user unless `authorization` is there, even undefined. */
export async function ask(daemon: Daemon, question: Question): Promise<Answer> {
  const { method, path, body } = question;
  const authorization =
    'authorization' in question
      ? question.authorization
      : authorizationOf(daemon.username, daemon.password);
  const response = await fetch(daemon.url + path, {
    method,
    headers: {
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      'Content-Type': 'application/json',
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The path of a service of HAProxy. */
export function services(generation: GenerationName, path: string): `/${string}` {
  return `/${generation}/services/haproxy${path}`;
}

/** The path of servers in the file; `server` is empty or `/name`. */
export function configured(
  generation: GenerationName,
  server: string,
  query = '',
  backend = 'news-web',
): `/${string}` {
  return generation === 'v2'
    ? services(
        generation,
        `/configuration/servers${server}?backend=${backend}${query && `&${query}`}`,
      )
    : services(
        generation,
        `/configuration/backends/${backend}/servers${server}${query && `?${query}`}`,
      );
}

/** The path of servers at runtime. */
export function running(
  generation: GenerationName,
  server: string,
  backend = 'news-web',
): `/${string}` {
  return generation === 'v2'
    ? services(generation, `/runtime/servers${server}?backend=${backend}`)
    : services(generation, `/runtime/backends/${backend}/servers${server}`);
}
