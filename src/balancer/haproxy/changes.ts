/** What of the asked changes is to be sent, and what must not be. Pure. */

import type { ServerChange } from '../../control/ports.ts';
import type { AdminState } from '../../scaler/observation.ts';
import { type BackendReading, reportServers } from './reports.ts';

export interface ServerOrder {
  readonly backend: string;
  readonly server: string;
  readonly to: AdminState;
}

export interface ChangePlan {
  readonly orders: readonly ServerOrder[];
  /** One sentence for each change that must not be made; those servers are left as they are. */
  readonly refusals: readonly string[];
}

/**
 * A server that is in the asked state already needs nothing, whatever was required for getting there. Of
 * two changes of one server the last one counts.
 */
export function planChanges(
  changes: readonly ServerChange[],
  backends: ReadonlyMap<string, BackendReading>,
  oldWorkers: boolean,
): ChangePlan {
  const latest = new Map(
    changes.map((change) => [`${change.backend}/${change.server}`, change] as const),
  );
  const orders: ServerOrder[] = [];
  const refusals: string[] = [];
  for (const [key, change] of latest) {
    if (!isConverged(change, backends)) {
      const refusal = refuse(change, backends.get(change.backend), oldWorkers);
      if (refusal === undefined) {
        orders.push({ backend: change.backend, server: change.server, to: change.to });
      } else {
        refusals.push(`${key} is not set to ${change.to}: ${refusal}`);
      }
    }
  }
  return { orders, refusals };
}

/** Whether the server is in the asked state. */
export function isConverged(
  order: ServerOrder,
  backends: ReadonlyMap<string, BackendReading>,
): boolean {
  return backends.get(order.backend)?.states.get(order.server)?.admin === order.to;
}

function refuse(
  change: ServerChange,
  backend: BackendReading | undefined,
  oldWorkers: boolean,
): string | undefined {
  const server =
    backend && reportServers(backend).find((candidate) => candidate.name === change.server);
  if (server === undefined) {
    const missing = backend === undefined ? 'such backend' : 'such server';
    return `HAProxy has no ${missing}; declare what "rackfire haproxy-config" prints, and reload it`;
  }
  if (change.requires === 'check-passed' && server.check !== 'passed') {
    return `its check has not passed (${server.check})`;
  }
  if (change.requires === 'quiet' && server.sessions > 0) {
    return `it still has ${server.sessions} sessions`;
  }
  if (change.requires === 'quiet' && oldWorkers) {
    return 'HAProxy was reloaded and its old workers may still serve on it';
  }
  return undefined;
}
