/** Data Plane API 2.x. */

import { described, type Dialect, fill, listOf } from './dialect.ts';
import type { paths } from './generated/v2.d.ts';
import type { BodyOf } from './types.ts';

type Paths = keyof paths;
const servers = '/services/haproxy/configuration/servers' satisfies Paths;
const server = '/services/haproxy/configuration/servers/{name}' satisfies Paths;
const runtimeServers = '/services/haproxy/runtime/servers' satisfies Paths;
const runtimeServer = '/services/haproxy/runtime/servers/{name}' satisfies Paths;

type ServersBody = BodyOf<paths[typeof servers]['get']>;
type ProcessBody = BodyOf<paths['/services/haproxy/runtime/info']['get']>;
type StatsBody = BodyOf<paths['/services/haproxy/stats/native']['get']>;

const base = '/v2';

export const v2: Dialect = {
  base,
  isRawJson: true,
  configuredServers: (backend) => ({ path: base + servers, query: { backend } }),
  configuredServer: (backend, name) => ({
    path: base + fill(server, { name }),
    query: { backend },
  }),
  runtimeServers: (backend) => ({ path: base + runtimeServers, query: { backend } }),
  runtimeServer: (backend, name) => ({
    path: base + fill(runtimeServer, { name }),
    query: { backend },
  }),
  readConfiguredServers: (body) => listOf(described<ServersBody>(body)?.data),
  // A list of processes, of which HAProxy has had only one since 2.5.
  readProcess: (body) => listOf(described<ProcessBody>(body))?.[0]?.info,
  readStats: (body) => listOf(listOf(described<StatsBody>(body))?.[0]?.stats),
};
