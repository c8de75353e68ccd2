/** From HAProxy's two tables to the report that the loop reads. */

import type { BackendReport, ServerReport } from '../../control/ports.ts';
import { RateMeter } from './rates.ts';
import type { ServerState } from './server-states.ts';
import { type BackendStats, checkStateOf } from './stats.ts';

/** What one answer says about one backend. */
export interface BackendReading {
  readonly stats: BackendStats;
  readonly states: ReadonlyMap<string, Pick<ServerState, 'admin' | 'sinceChangeMs'>>;
  /** Servers whose check result may be the state file's. */
  readonly restored: ReadonlySet<string>;
}

/** A backend's servers, ours and foreign ones alike: whose they are is decided by their names, elsewhere. */
export function reportServers(reading: BackendReading): readonly ServerReport[] {
  const servers: ServerReport[] = [];
  for (const [name, state] of reading.states) {
    const stats = reading.stats.servers.get(name);
    // The two tables are asked a moment apart; a server that only one of them has is just being made.
    if (stats !== undefined) {
      servers.push({
        name,
        admin: state.admin,
        check: checkStateOf(stats, reading.restored.has(name)),
        sessions: stats.sessions + stats.queued,
        sinceChangeMs: state.sinceChangeMs,
      });
    }
  }
  return servers;
}

/** What a person should know of the servers: HAProxy does not check them, so they are never admitted. */
export function warnOfUnchecked(backends: ReadonlyMap<string, BackendReading>): readonly string[] {
  const warnings: string[] = [];
  for (const [name, { stats }] of backends) {
    const unchecked = [...stats.servers].filter(([, { status }]) => status === 'no check');
    if (unchecked.length > 0) {
      const list = unchecked.map(([server]) => `${name}/${server}`).join(', ');
      warnings.push(`never admitted, because HAProxy does not check them: ${list}`);
    }
  }
  return warnings;
}

/** Remembers one backend's counters from answer to answer. */
export class BackendMeter {
  readonly #requests = new RateMeter();
  readonly #served = new RateMeter();
  #failed: { readonly epoch: string; readonly total: number } | undefined;
  #failedResponses = 0;

  /** @param atMs - Steady time of the answer. */
  report(reading: BackendReading, epoch: string, atMs: number): BackendReport {
    const { stats } = reading;
    let usedSlots = 0;
    let totalSlots = 0;
    for (const server of stats.servers.values()) {
      // `UP 2/3` is failing or freshly ready, and still gets its share of the traffic.
      if (server.status.startsWith('UP') || server.status === 'no check') {
        usedSlots += server.sessions;
        totalSlots += server.sessionLimit ?? 0;
      }
    }
    return {
      servers: reportServers(reading),
      requestRate: this.#requests.read({ epoch, atMs, total: stats.arrivalsTotal }),
      servedRate: this.#served.read({ epoch, atMs, total: stats.answersTotal }),
      queued: stats.queued,
      ...(stats.answersTotal === 0 ? {} : { responseTimeMs: stats.responseTimeMs }),
      failedResponses: this.#countFailed(epoch, stats.failedTotal),
      usedSlots,
      totalSlots,
    };
  }

  /** A worker counts from 0, and so does one whose counters were cleared. */
  #countFailed(epoch: string, total: number): number {
    const before = this.#failed;
    if (before !== undefined) {
      const isSame = before.epoch === epoch && total >= before.total;
      this.#failedResponses += isSame ? total - before.total : total;
    }
    this.#failed = { epoch, total };
    return this.#failedResponses;
  }
}
