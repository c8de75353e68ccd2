/** Requests to one daemon: JSON over HTTP with basic authentication, of which nothing gets into an error. */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext } from 'node:tls';
import axios, { type AxiosResponse, isAxiosError, isCancel } from 'axios';
import { DaemonError, errorOf, NoAnswerError } from './client-errors.ts';

export interface HttpOptions {
  /** `http://` or `https://`, host and port; nothing behind it. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM texts. Without `ca`, the system's authorities are trusted. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
}

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  /** The answer is a text, not JSON. */
  readonly isText?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Of a reload that was asked for and not waited for. */
  readonly reloadId: string | undefined;
}

/** A write takes 50 ms (the daemon runs `haproxy -c`), and more on a busy machine with a large config. */
const answerTimeoutMs = 4_000;
/** 200 servers are about 300 KB of statistics; who answers more is no Data Plane API. */
const largestAnswerBytes = 16 * 1024 * 1024;
/** The daemon closes an idle connection after 30 s; closed earlier at our end, none is closed under a request. */
const idleConnectionMs = 10_000;
const connectionsAtOnce = 8;

/**
 * @returns A function that asks once and never repeats anything: a lost answer does not mean that nothing happened.
 * It rejects with a `DataplaneError` for everything but a 2xx.
 * @throws TypeError when the url cannot be used, or Error when the TLS material cannot.
 */
export function createHttp(
  options: HttpOptions,
): (ask: Ask, signal: AbortSignal) => Promise<Answer> {
  const { username, password, tls } = options;
  const url = checkUrl(options.url);
  const agent = { keepAlive: true, maxSockets: connectionsAtOnce, timeout: idleConnectionMs };
  const instance = axios.create({
    baseURL: url.origin,
    auth: { username, password },
    ...(url.protocol === 'https:'
      ? { httpsAgent: new HttpsAgent({ ...agent, secureContext: createSecureContext(tls) }) }
      : { httpAgent: new HttpAgent(agent) }),
    // A redirect would carry the password elsewhere, and so would a proxy of the environment.
    maxRedirects: 0,
    proxy: false,
    maxContentLength: largestAnswerBytes,
    responseType: 'text',
    transformResponse: (text: unknown) => text,
    validateStatus: () => true,
  });

  return async (ask, signal) => {
    const query = Object.entries(ask.query ?? {})
      .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
      .join('&');
    const path = query === '' ? ask.path : `${ask.path}?${query}`;
    const what = `${ask.method} ${url.origin}${path}`;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
    let response: AxiosResponse<string>;
    try {
      response = await instance.request<string>({
        url: path,
        method: ask.method,
        signal: deadline,
        ...(ask.body === undefined ? {} : { data: ask.body }),
      });
    } catch (error) {
      // Never as a cause: axios' errors hold the request with its authorization.
      throw new NoAnswerError(`${what}: ${describe(error)}`);
    }
    const { status, data, headers } = response;
    if (status < 200 || status > 299) {
      throw errorOf(what, status, password === '' ? data : data.replaceAll(password, '…'));
    }
    const reloadId: unknown = headers['reload-id'];
    return {
      status,
      body: ask.isText === true ? data : parse(what, data),
      reloadId: typeof reloadId === 'string' ? reloadId : undefined,
    };
  };
}

function checkUrl(text: string): URL {
  const url = URL.parse(text);
  const isPlain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === '' &&
    url.pathname === '/';
  if (!isPlain) {
    // Not quoted: there may be a password in it.
    throw new TypeError(
      'the url of a Data Plane API is its scheme, host and port, as "https://10.0.0.5:5555", without user and path',
    );
  }
  return url;
}

function parse(what: string, text: string): unknown {
  if (text === '') {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new DaemonError(`${what} was not answered with JSON: is it a Data Plane API?`);
  }
}

function describe(error: unknown): string {
  if (isCancel(error)) {
    return 'no answer in time';
  }
  const code = isAxiosError(error) ? error.code : undefined;
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there: is the daemon running?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name of its host is not known';
    case 'EPROTO':
      return 'it does not speak TLS as expected: is the scheme right, and does it ask for a client certificate?';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `its certificate is not trusted (${code}): give the authority that signed it`;
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
      return `it takes only a client certificate of an authority that it trusts (${code})`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another host name';
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired';
    default:
      return error instanceof Error && error.message !== '' ? error.message : (code ?? 'no answer');
  }
}
