/** From the daemon's answers to what the rest of the balancer code reads of HAProxy. Pure. */

import { UnreachableError } from '../../control/errors.ts';
import type { AdminState } from '../../scaler/observation.ts';
import type { BackendReading } from '../haproxy/reports.ts';
import {
  type BackendStats,
  responseColumns,
  type ServerStats,
  timeColumns,
} from '../haproxy/stats.ts';
import type { NativeStat, RuntimeServer } from './types.ts';

/** Before the stats say which servers may have a check result of the state file. */
export type Reading = Omit<BackendReading, 'restored'>;

/**
 * @param stats - HAProxy's `show stat`.
 * @param listed - Its `show servers state` of this backend, asked before the stats.
 * @returns `undefined` when HAProxy has no such backend.
 * @throws UnreachableError when the two do not have the same servers, or lack what is needed: the daemon leaves out
 * lines that it cannot read, and a server that is left out is not a server that is not there.
 */
export function readBackend(
  name: string,
  stats: readonly NativeStat[],
  listed: readonly RuntimeServer[],
): Reading | undefined {
  const backend = stats.find((stat) => stat.type === 'backend' && stat.name === name);
  if (backend === undefined) {
    return undefined;
  }
  const servers = new Map<string, ServerStats>();
  const states = new Map<string, { readonly admin: AdminState; readonly sinceChangeMs: number }>();
  const adminStates = new Map(listed.map((server) => [server.name, server.admin_state]));
  let answersTotal = 0;
  for (const stat of stats) {
    if (stat.type === 'server' && stat.backend_name === name && stat.name !== undefined) {
      const server = readServer(stat);
      servers.set(stat.name, server);
      states.set(stat.name, {
        admin: adminOf(server.status, adminStates.get(stat.name), `${name}/${stat.name}`),
        sinceChangeMs: count(stat, 'lastchg') * 1_000,
      });
      answersTotal += server.responsesTotal;
    }
  }
  const missing = listed.find((server) => server.name !== undefined && !servers.has(server.name));
  if (missing !== undefined) {
    throw new UnreachableError(`the Data Plane API’s statistics lack ${name}/${missing.name}`);
  }
  const read: BackendStats = {
    queued: count(backend, 'qcur'),
    arrivalsTotal: count(backend, 'stot'),
    answersTotal,
    failedTotal: count(backend, 'hrsp_5xx'),
    responseTimeMs: timeColumns.reduce((sum, column) => sum + count(backend, column), 0),
    servers,
  };
  return { stats: read, states };
}

/**
 * The state that was asked for, of what is running.
 *
 * `DOWN` hides whether the server is drained, and `admin_state` is `maint` also for one that was declared `disabled`
 * and is in DRAIN (the daemon takes HAProxy's decimal bits for hexadecimal ones: 12 has bit 1). Together they tell,
 * because a server that really is in maintenance has the status MAINT, and `ready` is always true.
 *
 * @see https://github.com/haproxytech/client-native/blob/v6.4.0/misc/bits.go
 */
export function adminOf(
  status: string,
  adminState: RuntimeServer['admin_state'],
  what: string,
): AdminState {
  if (status.startsWith('MAINT')) {
    return 'maint';
  }
  if (adminState === undefined) {
    throw new UnreachableError(`the Data Plane API does not tell the state of ${what}`);
  }
  return adminState === 'ready' || status.startsWith('UP') ? 'ready' : 'drain';
}

/**
 * Whether these statistics may be those of a worker from before a reload, which goes on answering for a moment: no
 * backend of a worker is older than the worker.
 */
export function areOlderThan(stats: readonly NativeStat[], uptimeMs: number): boolean {
  return stats.some(
    (stat) => stat.type === 'backend' && (stat.stats?.lastchg ?? 0) * 1_000 > uptimeMs + 1_000,
  );
}

function readServer(stat: NativeStat): ServerStats {
  const status = stat.stats?.status;
  if (status === undefined) {
    throw new UnreachableError(`the Data Plane API’s statistics of ${stat.name} have no status`);
  }
  let responsesTotal = 0;
  for (const column of responseColumns) {
    responsesTotal += count(stat, column);
  }
  return {
    status,
    // It has none in maintenance.
    checkStatus: stat.stats?.check_status ?? '',
    sessions: count(stat, 'scur'),
    queued: count(stat, 'qcur'),
    sessionLimit: stat.stats?.slim ?? undefined,
    responsesTotal,
  };
}

type Counter =
  | 'lastchg'
  | 'qcur'
  | 'scur'
  | 'stot'
  | (typeof responseColumns)[number]
  | (typeof timeColumns)[number];

function count(stat: NativeStat, column: Counter): number {
  const value = stat.stats?.[column];
  if (!Number.isSafeInteger(value) || value === null || value === undefined) {
    throw new UnreachableError(`the Data Plane API’s statistics of ${stat.name} have no ${column}`);
  }
  return value;
}
