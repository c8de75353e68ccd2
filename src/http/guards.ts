/** What every request to the API has to pass, and what those that change something have to pass besides. */

import type { MiddlewareHandler } from 'hono';
import { ConfigError } from '../control/errors.ts';
import { ApiError } from './api-error.ts';
import type { ServiceView } from './service-view.ts';
import { isSameToken, readToken } from './token-file.ts';

/** This machine by its own names. Any other name was made to point here by somebody else. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?$/i;

const MAX_BODY_BYTES = 65_536;

/**
 * Keeps the pages of a browser on this machine out. A page may send requests to any address: one that its own
 * name points to is told by the `Host` (DNS rebinding), any other by what the browser says of it. Answers have
 * no CORS headers either, so no page reads them.
 *
 * @see https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export const refuseForeignPages: MiddlewareHandler = async (context, next) => {
  const host = context.req.header('host');
  if (host === undefined || !LOOPBACK_HOST.test(host)) {
    throw new ApiError(
      'foreign-host',
      'the Host header must name this machine: 127.0.0.1, localhost or [::1]',
    );
  }
  const site = context.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new ApiError('foreign-page', 'pages of other sites are not answered');
  }
  await next();
};

/** So that no request makes the service hold more than a little memory. */
export const limitBody: MiddlewareHandler = async (context, next) => {
  const { req } = context;
  if (req.method === 'GET' || req.method === 'HEAD') {
    // Nobody looks at a body of these.
    return await next();
  }
  if (req.header('transfer-encoding') !== undefined) {
    throw new ApiError('length-required', 'say the length of the body (Content-Length)');
  }
  if (Number(req.header('content-length') ?? 0) > MAX_BODY_BYTES) {
    throw new ApiError('too-large', `the body must not be larger than ${MAX_BODY_BYTES} bytes`);
  }
  // A form of another site's page cannot say so.
  if (req.method === 'POST' && !isJson(req.header('content-type'))) {
    throw new ApiError('not-json', 'the body must be JSON (Content-Type: application/json)');
  }
  await next();
};

/** Lets those pass who know the token, while this process leads. */
export function guardWrites(service: ServiceView): MiddlewareHandler {
  return async (context, next) => {
    await requireToken(service, context.req.header('authorization'));
    if (service.leadership.term() === undefined) {
      throw new ApiError('not-leader', describeLeader(service));
    }
    await next();
  };
}

async function requireToken(service: ServiceView, authorization = ''): Promise<void> {
  const { tokenFile } = service.keeper.current.config.http;
  if (tokenFile === undefined) {
    throw new ApiError(
      'writes-off',
      'nothing can be changed by the API: name a file with a token as `http.tokenFile` in the config',
    );
  }
  const token = await readToken(tokenFile).catch((error: unknown) => {
    throw error instanceof ConfigError
      ? new ApiError('token-file-unusable', error.message, { cause: error })
      : error;
  });
  const [, given] = /^Bearer +([!-~]+)$/i.exec(authorization) ?? [];
  if (given === undefined || !isSameToken(given, token)) {
    throw new ApiError(
      'unauthorized',
      `send the token in ${tokenFile} (Authorization: Bearer …)${given === undefined ? '' : '; this is another one'}`,
    );
  }
}

function describeLeader({ leadership }: ServiceView): string {
  const holder = leadership.holder();
  if (holder === undefined) {
    return 'this Rackfire does not lead, and it is not known who does';
  }
  const { name, sinceMs } = holder;
  const who = sinceMs === undefined ? name : `${name}, since ${new Date(sinceMs).toISOString()}`;
  return holder.isThis
    ? `this Rackfire (${who}) does not lead yet; try again in a second`
    : `another Rackfire leads: ${who}`;
}

function isJson(contentType = ''): boolean {
  return contentType.split(';')[0]?.trim().toLowerCase() === 'application/json';
}
