/** A `server` line of HAProxy's file as the object that the Data Plane API shows, and back. */

import { ApiError } from './api-error.ts';

/** `name`, `address`, and whatever else the line says; a field that it does not say is absent. */
export type ServerFields = Readonly<Record<string, string | number>>;

/** Keywords that stand alone. */
const words = [
  ['check', 'check', 'enabled'],
  ['no-check', 'check', 'disabled'],
  ['backup', 'backup', 'enabled'],
  ['no-backup', 'backup', 'disabled'],
  // The API's word for a server that the file declares `disabled`.
  ['disabled', 'maintenance', 'enabled'],
  ['enabled', 'maintenance', 'disabled'],
  ['ssl', 'ssl', 'enabled'],
  ['no-ssl', 'ssl', 'disabled'],
  ['send-proxy', 'send-proxy', 'enabled'],
] as const;

type Kind = 'number' | 'time' | 'text';

/** Keywords with a value; times are milliseconds in the API. */
const values: readonly (readonly [keyword: string, field: string, kind: Kind])[] = [
  ['addr', 'health_check_address', 'text'],
  ['ca-file', 'ssl_cafile', 'text'],
  ['cookie', 'cookie', 'text'],
  ['downinter', 'downinter', 'time'],
  ['error-limit', 'error_limit', 'number'],
  ['fall', 'fall', 'number'],
  ['fastinter', 'fastinter', 'time'],
  ['id', 'id', 'number'],
  ['inter', 'inter', 'time'],
  ['maxconn', 'maxconn', 'number'],
  ['maxqueue', 'maxqueue', 'number'],
  ['minconn', 'minconn', 'number'],
  ['observe', 'observe', 'text'],
  ['on-error', 'on-error', 'text'],
  ['port', 'health_check_port', 'number'],
  ['rise', 'rise', 'number'],
  ['slowstart', 'slowstart', 'time'],
  ['sni', 'sni', 'text'],
  ['verify', 'verify', 'text'],
  ['weight', 'weight', 'number'],
];

/**
 * Reads a `server` line. Keywords that are in neither table are lost, as the daemon loses those that it does
 * not know.
 */
export function parseServerLine(line: string): ServerFields {
  const [, name = '', target = '', ...keywords] = line.trim().split(/\s+/);
  const [, address = target, port] = /^(.*):([0-9]+)$/.exec(target) ?? [];
  return {
    ...parseKeywords(keywords),
    address,
    name,
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

/** Reads what may follow the address, and thus all of a `default-server` line. */
export function parseKeywords(keywords: readonly string[]): ServerFields {
  const fields: Record<string, string | number> = {};
  for (let at = 0; at < keywords.length; at += 1) {
    const word = words.find(([keyword]) => keyword === keywords[at]);
    const value = values.find(([keyword]) => keyword === keywords[at]);
    if (word !== undefined) {
      fields[word[1]] = word[2];
    } else if (value !== undefined) {
      at += 1;
      fields[value[1]] = parseValue(keywords[at] ?? '', value[2]);
    }
  }
  return fields;
}

export function renderServerLine(fields: ServerFields): string {
  const { name, address, port } = fields;
  const parts = ['server', name, port === undefined ? address : `${address}:${port}`];
  for (const [keyword, field, value] of words) {
    if (fields[field] === value) {
      parts.push(keyword);
    }
  }
  for (const [keyword, field] of values) {
    if (fields[field] !== undefined) {
      parts.push(keyword, fields[field]);
    }
  }
  return parts.join(' ');
}

/**
 * Checks a body against the API's description.
 *
 * @throws ApiError 400 when it is not JSON, 422 with the description's code when a field is not as described.
 */
export function parseServerBody(text: string): ServerFields {
  const body = parseJson(text);
  const fields: Record<string, string | number> = {};
  for (const [field, value] of Object.entries(body)) {
    if (typeof value === 'string' || typeof value === 'number') {
      fields[field] = value;
    }
  }
  requireName(fields, 'address');
  requireName(fields, 'name');
  requireBelow(fields, 'port', 65_535);
  requireBelow(fields, 'health_check_port', 65_535);
  requireOneOf(fields, 'maintenance', ['enabled', 'disabled']);
  requireOneOf(fields, 'check', ['enabled', 'disabled']);
  return fields;
}

/** @throws ApiError 400 when it is not a JSON object. */
export function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) {
      return Object.fromEntries(Object.entries(body));
    }
  } catch {
    // Answered below, as anything else that is not an object.
  }
  const at = text.length;
  throw new ApiError(
    400,
    `parsing data body from "" failed, because Skip: do not know how to skip: 0, error found in #${at} byte of ...|${text}|..., bigger context ...|${text}|...`,
  );
}

/** @throws ApiError 422 */
export function requireOneOf(
  fields: Readonly<Record<string, unknown>>,
  field: string,
  allowed: readonly string[],
): void {
  const value = fields[field];
  if (value !== undefined && !allowed.some((one) => one === value)) {
    throw new ApiError(422, `${field} in body should be one of [${allowed.join(' ')}]`, 606);
  }
}

function requireName(fields: ServerFields, field: string): void {
  const value = fields[field];
  if (value === undefined) {
    throw new ApiError(422, `${field} in body is required`, 602);
  }
  if (!/^[^\s]+$/.test(String(value))) {
    throw new ApiError(422, `${field} in body should match '^[^\\s]+$'`, 605);
  }
}

function requireBelow(fields: ServerFields, field: string, highest: number): void {
  const value = fields[field];
  if (value !== undefined && Number(value) > highest) {
    throw new ApiError(422, `${field} in body should be less than or equal to ${highest}`, 608);
  }
}

function parseValue(text: string, kind: Kind): string | number {
  if (kind === 'text') {
    return text;
  }
  const [, number = text, unit = ''] = /^([0-9]+)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const factors: Readonly<Record<string, number>> = {
    s: 1_000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
  };
  return Number(number) * (factors[unit] ?? 1);
}
