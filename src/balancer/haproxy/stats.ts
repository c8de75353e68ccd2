/** HAProxy's `show stat` in CSV. Columns are found by name, because each release appends some. */

import { UnreachableError } from '../../control/errors.ts';
import type { CheckState } from '../../scaler/observation.ts';

export interface ServerStats {
  /** As printed: `UP`, `UP 1/3`, `DRAIN`, `DOWN (agent)`, `MAINT`, `no check`, … */
  readonly status: string;
  /** Of the last check: `L7OK`, `L4CON`, `INI`; empty in maintenance. */
  readonly checkStatus: string;
  /** Requests on the node now (`scur`). */
  readonly sessions: number;
  /** Requests that wait for this very server (`qcur`); stays 0 without persistence. */
  readonly queued: number;
  /** `slim`, the server's `maxconn`; undefined when it has none. */
  readonly sessionLimit: number | undefined;
  /** Responses of all status classes since the worker started (Σ `hrsp_*`). */
  readonly responsesTotal: number;
}

export interface BackendStats {
  /** Requests that wait in the backend's queue now (`qcur`). */
  readonly queued: number;
  /**
   * Requests that entered the backend since the worker started: `stot`, not `req_tot`.
   *
   * Measured on 2.6.12 with 20 requests at a server of 2 slots: while 16 still waited, `stot` was 20 and
   * `req_tot` 2, because a backend's `req_tot` counts a request when it *ends*. In a storm it shows the
   * capacity instead of the demand. `stot` counts each request of a keep-alive connection, and a retried
   * one once.
   */
  readonly arrivalsTotal: number;
  /**
   * Requests that nodes answered: Σ over the servers of Σ `hrsp_*`. The backend's own `hrsp_*` includes
   * the 503 that HAProxy itself answers when the queue times out or no server is up, which would look
   * like capacity exactly when there is none (measured: 3 such answers, backend 3, servers 0).
   */
  readonly answersTotal: number;
  /** 5xx, HAProxy's own 503 among them (`hrsp_5xx` of the backend). */
  readonly failedTotal: number;
  /**
   * `qtime` + `ctime` + `rtime`: averages that HAProxy keeps of the latest 1,024 requests or so; 0 before the first.
   */
  readonly responseTimeMs: number;
  readonly servers: ReadonlyMap<string, ServerStats>;
}

export const responseColumns = [
  'hrsp_1xx',
  'hrsp_2xx',
  'hrsp_3xx',
  'hrsp_4xx',
  'hrsp_5xx',
  'hrsp_other',
] as const;

/** A request's times that somebody waits for, in ms. */
export const timeColumns = ['qtime', 'ctime', 'rtime'] as const;

/** Values of the column `type`. */
const backendType = '1';
const serverType = '2';

/**
 * @param text - The answer to `show stat <backend> 6 -1` (backend and servers of one proxy), or of several.
 * @returns Backends by name.
 * @throws UnreachableError when it is not CSV with the columns needed, or ends within a line.
 * @see https://docs.haproxy.org/2.6/management.html#9.1
 */
export function parseStats(text: string): ReadonlyMap<string, BackendStats> {
  const [header, ...lines] = text.split('\n').filter((line) => line !== '');
  if (header === undefined || !header.startsWith('# pxname,svname,')) {
    throw new UnreachableError(`not HAProxy's statistics: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const names = header.slice(2).split(',');

  const servers = new Map<string, Map<string, ServerStats>>();
  const backends = new Map<string, BackendStats>();
  for (const line of lines) {
    const row = new StatRow(names, line);
    const proxy = row.text('pxname');
    const type = row.text('type');
    const known = servers.get(proxy) ?? new Map<string, ServerStats>();
    servers.set(proxy, known);
    if (type === serverType) {
      known.set(row.text('svname'), parseServerStats(row));
    } else if (type === backendType) {
      // The backend's line follows its servers' lines, so they are all known by now.
      let answersTotal = 0;
      for (const server of known.values()) {
        answersTotal += server.responsesTotal;
      }
      backends.set(proxy, {
        queued: row.count('qcur'),
        arrivalsTotal: row.count('stot'),
        answersTotal,
        failedTotal: row.count('hrsp_5xx'),
        responseTimeMs: timeColumns.reduce((sum, column) => sum + row.count(column), 0),
        servers: known,
      });
    }
  }
  return backends;
}

function parseServerStats(row: StatRow): ServerStats {
  let responsesTotal = 0;
  for (const column of responseColumns) {
    responsesTotal += row.count(column);
  }
  return {
    status: row.text('status'),
    checkStatus: row.text('check_status'),
    sessions: row.count('scur'),
    queued: row.count('qcur'),
    sessionLimit: row.text('slim') === '' ? undefined : row.count('slim'),
    responsesTotal,
  };
}

/** One line, by column name. */
class StatRow {
  readonly #names: readonly string[];
  readonly #fields: readonly string[];

  constructor(names: readonly string[], line: string) {
    this.#names = names;
    this.#fields = splitCsv(line);
    // HAProxy ends the header and each line with a comma; a line cut short must not read as zeros.
    if (this.#fields.length < names.length) {
      throw new UnreachableError(`HAProxy's statistics end within a line: ${line.slice(0, 80)}`);
    }
  }

  text(column: string): string {
    const field = this.#fields[this.#names.indexOf(column)];
    if (field === undefined) {
      throw new UnreachableError(`HAProxy's statistics have no column ${column}`);
    }
    return field;
  }

  count(column: string): number {
    const text = this.text(column);
    if (!/^[0-9]+$/.test(text)) {
      throw new UnreachableError(`HAProxy's statistics have ${column} ${JSON.stringify(text)}`);
    }
    return Number(text);
  }
}

/** Check texts (`last_chk`) come from the node and may hold commas: HAProxy quotes them as RFC 4180 does. */
function splitCsv(line: string): readonly string[] {
  if (!line.includes('"')) {
    return line.split(',');
  }
  const fields: string[] = [];
  for (const match of line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)) {
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  }
  return fields;
}

/**
 * Whether HAProxy has seen this tenant of the server pass.
 *
 * On leaving MAINT the status is `DRAIN 1/3` with the *former* tenant's `L7OK` until the first check of the
 * new one (measured on 2.6.12: 0–1 s at `inter 1s`), then `DOWN` or exactly `DRAIN`. So only the exact
 * words count, and only with a passed check beside them; `no check` proves nothing and never passes.
 *
 * @param restored - True when the result may be the state file's (`RestoredChecks`). A server in rotation is
 * HAProxy's business then; one in DRAIN is not admitted on hearsay.
 */
export function checkStateOf(
  server: { readonly status: string; readonly checkStatus: string },
  restored: boolean,
): CheckState {
  if (/^(DOWN|NOLB)/.test(server.status)) {
    return 'failed';
  }
  // `* L7OK` is a check in progress beside the result of the last one.
  const checked = /^(\* )?L[467]OK$/.test(server.checkStatus);
  if (server.status === 'UP') {
    return checked ? 'passed' : 'pending';
  }
  return server.status === 'DRAIN' && checked && !restored ? 'passed' : 'pending';
}
