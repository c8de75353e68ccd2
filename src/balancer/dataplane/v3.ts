/** Data Plane API 3.x. */

import { described, type Dialect, fill, listOf } from './dialect.ts';
import type { paths } from './generated/v3.d.ts';
import type { BodyOf } from './types.ts';

type Paths = keyof paths;
const servers = '/services/haproxy/configuration/backends/{parent_name}/servers' satisfies Paths;
const server =
  '/services/haproxy/configuration/backends/{parent_name}/servers/{name}' satisfies Paths;
const runtimeServers = '/services/haproxy/runtime/backends/{parent_name}/servers' satisfies Paths;
const runtimeServer =
  '/services/haproxy/runtime/backends/{parent_name}/servers/{name}' satisfies Paths;

type ServersBody = BodyOf<paths[typeof servers]['get']>;
type ProcessBody = BodyOf<paths['/services/haproxy/runtime/info']['get']>;
type StatsBody = BodyOf<paths['/services/haproxy/stats/native']['get']>;

const base = '/v3';
const query = {};

export const v3: Dialect = {
  base,
  isRawJson: false,
  configuredServers: (backend) => ({ path: base + fill(servers, { parent_name: backend }), query }),
  configuredServer: (backend, name) => ({
    path: base + fill(server, { parent_name: backend, name }),
    query,
  }),
  runtimeServers: (backend) => ({
    path: base + fill(runtimeServers, { parent_name: backend }),
    query,
  }),
  runtimeServer: (backend, name) => ({
    path: base + fill(runtimeServer, { parent_name: backend, name }),
    query,
  }),
  readConfiguredServers: (body) => listOf(described<ServersBody>(body)),
  readProcess: (body) => described<ProcessBody>(body)?.info,
  readStats: (body) => listOf(described<StatsBody>(body)?.stats),
};
