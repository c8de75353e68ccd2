/** In what the API's generations differ. */

import { ApiError } from './api-error.ts';

export interface Generation {
  readonly name: 'v2' | 'v3';
  /** Below `configuration` and `runtime`. */
  readonly serversPath: string;
  /** The status when a server to be changed at runtime is not there. */
  readonly unknownAtRuntime: 404 | 500;
  /** What is said to a wrong password. */
  readonly refusal: (password: string) => string;
  /** Objects of the configuration. */
  readonly wrap: (value: unknown, version: number) => object;
  /** Answers that have one entry for each HAProxy process in v2. */
  readonly wrapList: (value: object) => object;
  /** The runtime servers of a backend that HAProxy does not have, or that it was not asked about. */
  readonly noServers: (backend: string) => readonly never[];
  /** Enough of the description to tell which generation this is. */
  readonly specification: object;
}

/** Data Plane API 2.9. */
export const v2: Generation = {
  name: 'v2',
  serversPath: '/servers',
  unknownAtRuntime: 500,
  refusal: (password) => `invalid password: ${password}`,
  wrap: (value, version) => ({ _version: version, data: value }),
  wrapList: (value) => [value],
  noServers: () => [],
  specification: describeApi('v2', '2.9'),
};

/** Data Plane API 3.2. */
export const v3: Generation = {
  name: 'v3',
  serversPath: '/backends/:backend/servers',
  unknownAtRuntime: 404,
  refusal: () => 'unauthorized',
  wrap: (value) => Object(value) as object,
  wrapList: (value) => value,
  noServers: (backend) => {
    throw new ApiError(404, `no data for ${backend}: not found`);
  },
  specification: describeApi('v3', '3.2'),
};

function describeApi(name: string, version: string): object {
  return {
    openapi: '3.0.3',
    info: { title: 'HAProxy Data Plane API', version },
    servers: [{ url: `http://127.0.0.1/${name}` }],
    paths: {},
  };
}
