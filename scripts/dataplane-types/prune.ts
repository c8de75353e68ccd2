/** Cuts an OpenAPI 3 description of HAProxy's Data Plane API down to what the client asks. Pure. */

/** A JSON value that is an object; what is in it is looked at where it is used. */
type JsonObject = Readonly<Record<string, unknown>>;

export type ApiVersion = 'v2' | 'v3';

const services = '/services/haproxy';
const common = {
  '/info': ['get'],
  [`${services}/configuration/raw`]: ['get'],
  [`${services}/configuration/version`]: ['get'],
  [`${services}/reloads/{id}`]: ['get'],
  [`${services}/runtime/info`]: ['get'],
  [`${services}/stats/native`]: ['get'],
  [`${services}/transactions`]: ['post'],
  [`${services}/transactions/{id}`]: ['put', 'delete'],
};

/** The methods used of each path. */
export const usedPaths: Readonly<
  Record<ApiVersion, { readonly [path: string]: readonly string[] }>
> = {
  v2: {
    ...common,
    [`${services}/configuration/servers`]: ['get', 'post'],
    [`${services}/configuration/servers/{name}`]: ['put'],
    [`${services}/runtime/servers`]: ['get'],
    [`${services}/runtime/servers/{name}`]: ['put'],
  },
  v3: {
    ...common,
    [`${services}/configuration/backends/{parent_name}/servers`]: ['get', 'post'],
    [`${services}/configuration/backends/{parent_name}/servers/{name}`]: ['put'],
    [`${services}/runtime/backends/{parent_name}/servers`]: ['get'],
    [`${services}/runtime/backends/{parent_name}/servers/{name}`]: ['put'],
  },
};

/** Prose, and rules that a TypeScript type cannot say; also the responses called `default`, which are errors. */
const dropped = new Set(
  `description summary title example examples externalDocs tags operationId security default pattern format
   minimum maximum minLength maxLength minItems maxItems`.split(/\s+/),
);

/**
 * Keeps the used paths and what they refer to, without prose.
 *
 * @returns A description, its keys in alphabetical order: the same part always reads the same.
 * @throws Error when this is no description of that API, or lacks a path that is used.
 */
export function prune(description: unknown, version: ApiVersion): unknown {
  const { openapi, info, paths, components } = objectOf(description, 'the description');
  const { version: release } = objectOf(info, 'info');
  if (typeof openapi !== 'string' || !openapi.startsWith('3.') || typeof release !== 'string') {
    throw new Error('not an OpenAPI 3 description: is it what /specification_openapiv3 answers?');
  }
  const known = objectOf(paths, 'paths');
  const keptPaths: Record<string, unknown> = {};
  for (const [path, methods] of Object.entries(usedPaths[version])) {
    const operations = objectOf(known[path], `path ${path} of the ${version} description`);
    const kept: Record<string, unknown> = {};
    for (const method of methods) {
      kept[method] = strip(objectOf(operations[method], `${method.toUpperCase()} ${path}`));
    }
    keptPaths[path] = kept;
  }
  return sortKeys({
    openapi: '3.0.3',
    info: { title: 'HAProxy Data Plane API', version: release },
    paths: keptPaths,
    components: keepReachable(keptPaths, objectOf(components, 'components')),
  });
}

/** @returns Which API an answer of `/specification_openapiv3` describes. */
export function versionOf(description: unknown): ApiVersion {
  const { paths } = objectOf(description, 'the description');
  const isV3 = Object.hasOwn(
    objectOf(paths, 'paths'),
    `${services}/configuration/backends/{parent_name}/servers`,
  );
  return isV3 ? 'v3' : 'v2';
}

function keepReachable(from: unknown, components: JsonObject): unknown {
  const kept: Record<string, Record<string, unknown>> = {};
  const wanted = [...referencesIn(from)];
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    const [kind = '', name = ''] = next.replace('#/components/', '').split('/');
    const group = (kept[kind] ??= {});
    if (group[name] === undefined) {
      const component = strip(objectOf(objectOf(components[kind], kind)[name], next));
      group[name] = component;
      wanted.push(...referencesIn(component));
    }
  }
  return kept;
}

function* referencesIn(json: unknown): Generator<string> {
  if (typeof json !== 'object' || json === null) {
    return;
  }
  for (const [key, value] of Object.entries(json)) {
    if (key === '$ref' && typeof value === 'string') {
      yield value;
    } else {
      yield* referencesIn(value);
    }
  }
}

/** @param areNames - True where the keys are names of the API's own, which may be `description`, too. */
function strip(json: unknown, areNames = false): unknown {
  if (Array.isArray(json)) {
    return json.map((value: unknown) => strip(value));
  }
  if (typeof json !== 'object' || json === null) {
    return json;
  }
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    if (areNames || !(dropped.has(key) || key.startsWith('x-'))) {
      kept[key] = strip(value, !areNames && key === 'properties');
    }
  }
  return kept;
}

function sortKeys(json: unknown): unknown {
  if (Array.isArray(json)) {
    return json.map(sortKeys);
  }
  if (typeof json !== 'object' || json === null) {
    return json;
  }
  const entries = Object.entries(json).map(([key, value]) => [key, sortKeys(value)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function objectOf(json: unknown, what: string): JsonObject {
  if (!isObject(json)) {
    throw new Error(`${what} is missing`);
  }
  return json;
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
