/** What real daemons were seen to answer, where a recording is at hand: none is part of this repository. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Exchange } from './exchanges.ts';
import type { Shape } from './shape.ts';

interface RecordedExchange {
  readonly label: string;
  readonly request: { readonly method: string; readonly path: string; readonly body: unknown };
  readonly response: {
    readonly status: number;
    /** In lower case. */
    readonly headers: Readonly<Record<string, string>>;
    readonly body: unknown;
  };
}

export interface Recording {
  readonly path: string;
  readonly exchanges: readonly RecordedExchange[];
}

const comparedHeaders = ['configuration-version', 'content-type', 'www-authenticate', 'reload-id'];

/** Keys whose values are facts; of others only the type is, because they are of that HAProxy and that day. */
const factKeys = new Set(['code', '_version', 'status', 'admin_state', 'haproxy', 'maintenance']);
/** @returns Undefined when `RACKFIRE_DATAPLANE_RECORDINGS` names no folder with this one. */
export function findRecording(name: string): Recording | undefined {
  const folder = process.env['RACKFIRE_DATAPLANE_RECORDINGS'] ?? '';
  const path = join(folder, name);
  if (folder === '' || !existsSync(path)) {
    return undefined;
  }
  const exchanges = JSON.parse(readFileSync(path, 'utf8')) as readonly RecordedExchange[];
  return { path, exchanges };
}

/**
 * @param portOf - Where the nodes are here that were at 19001, 19002, … there.
 */
export function toExchange(
  recorded: RecordedExchange,
  portOf: (recordedPort: number) => number,
): Exchange {
  const { label, request, response } = recorded;
  const { id } = isObject(response.body) ? response.body : {};
  const reload = response.headers['reload-id'];
  const startsTransaction = request.method === 'POST' && request.path.includes('/transactions?');
  return {
    what: label,
    method: request.method,
    path: request.path,
    ...(request.body === null ? {} : { body: movePorts(request.body, portOf) }),
    ...asWhom(label),
    status: response.status,
    headers: Object.fromEntries(
      comparedHeaders.map((name) => [name, headerFact(name, response.headers[name])]),
    ),
    answer: response.body === '' ? undefined : shapeOf(response.body),
    ...(startsTransaction ? { namesId: String(id) } : {}),
    ...(reload === undefined ? {} : { namesReload: reload }),
    ...(label.startsWith('parallel') ? { group: label } : {}),
    // A check and a reload take their time.
    isAwaited: label === 'stats' || (label === 'reload poll' && id !== undefined),
  };
}

function asWhom(label: string): Pick<Exchange, 'asWhom'> {
  switch (label) {
    case 'wrong password':
      return { asWhom: 'somebody with a wrong password' };
    case 'no auth':
      return { asWhom: 'nobody' };
    default:
      return {};
  }
}

/** Of a reload's id, the day was another; its number counts. */
function headerFact(name: string, value: string | undefined): string | RegExp | undefined {
  return name === 'reload-id' && value !== undefined
    ? new RegExp(`^\\d{4}-\\d\\d-\\d\\d-${value.slice(value.lastIndexOf('-') + 1)}$`)
    : value;
}

function shapeOf(value: unknown, key = ''): Shape {
  if (Array.isArray(value)) {
    return value.map((one: unknown) => shapeOf(one));
  }
  if (isObject(value)) {
    const keys = Object.entries(value).map(([name, one]) => [name, shapeOf(one, name)] as const);
    return { object: Object.fromEntries(keys) };
  }
  if (typeof value === 'string') {
    return key === 'message' ? messageFact(value) : factKeys.has(key) ? { is: value } : 'string';
  }
  return typeof value === 'number' && factKeys.has(key) ? { is: value } : 'number';
}

/** The text is the fact, but for ids, folders and lines of a file. */
function messageFact(message: string): RegExp {
  const pattern = message
    .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '[0-9a-f-]{36}')
    .replaceAll(/\/[^ :]*transactions\//g, '/[^ :]*transactions/')
    .replaceAll(/:[0-9]+\\\]/g, ':[0-9]+\\]');
  return new RegExp(`^${pattern}$`);
}

function movePorts(body: unknown, portOf: (recordedPort: number) => number): unknown {
  if (!isObject(body) || typeof body['port'] !== 'number') {
    return body;
  }
  const { port } = body;
  return { ...body, port: port > 19_000 && port < 19_100 ? portOf(port) : port };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
