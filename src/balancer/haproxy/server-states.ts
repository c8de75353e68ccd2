/** HAProxy's `show servers state`, format 1: what its `server-state-file` holds, too. */

import { UnreachableError } from '../../control/errors.ts';
import type { AdminState } from '../../scaler/observation.ts';

export interface ServerState {
  readonly admin: AdminState;
  readonly operational: 'stopped' | 'starting' | 'running' | 'stopping';
  /** Result of the last check; may be a former tenant's, so it admits nobody by itself. */
  readonly checkResult: 'unknown' | 'neutral' | 'failed' | 'passed' | 'conditionally-passed';
  /** Since the server last changed its state, whole seconds; survives a reload by the state file. */
  readonly sinceChangeMs: number;
  readonly address: string;
  readonly port: number;
  /** Whether the config has a check for it, be it running or not. */
  readonly isChecked: boolean;
}

/**
 * Measured on 2.6.12: `disabled` in the config shows 5 (1 forced + 4 from the config) in MAINT, 12 in
 * DRAIN, 4 when ready. So bit 4 says nothing about the present, and maintenance is one of: forced (1),
 * inherited from a tracked server (2), failed name resolution (32).
 *
 * @see https://github.com/haproxy/haproxy/blob/v2.6.0/include/haproxy/server-t.h (enum srv_admin)
 */
const maintenanceBits = 0x01 | 0x02 | 0x20;
/** Forced (8) and inherited (16) drain. */
const drainBits = 0x08 | 0x10;

/** @see https://github.com/haproxy/haproxy/blob/v2.6.0/include/haproxy/check-t.h (CHK_ST_CONFIGURED) */
const configuredCheckBit = 0x02;

const operationalStates = ['stopped', 'starting', 'running', 'stopping'] as const;
const checkResults = ['unknown', 'neutral', 'failed', 'passed', 'conditionally-passed'] as const;

const columns = [
  'be_name',
  'srv_name',
  'srv_addr',
  'srv_op_state',
  'srv_admin_state',
  'srv_time_since_last_change',
  'srv_check_result',
  'srv_check_state',
  'srv_port',
] as const;
type Column = (typeof columns)[number];

/**
 * Seen on 2.6.12: -1, for a moment after a reload. Two of HAProxy's clocks, a second apart by rounding, are subtracted.
 * It has changed just now then.
 */
const timeColumn: Column = 'srv_time_since_last_change';

/**
 * @returns Servers by backend and name.
 * @throws UnreachableError when this is not format 1, or only a part of it: an empty answer is never taken
 * for "no servers".
 * @see https://docs.haproxy.org/2.6/management.html#9.3-show%20servers%20state
 */
export function parseServerStates(
  text: string,
): ReadonlyMap<string, ReadonlyMap<string, ServerState>> {
  const [version, header, ...lines] = text.split('\n').filter((line) => line !== '');
  if (version !== '1' || header === undefined || !header.startsWith('# ')) {
    throw new UnreachableError(`not HAProxy's servers state: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const names = header.slice(2).split(' ');
  const positions = new Map(columns.map((column) => [column, names.indexOf(column)]));

  const backends = new Map<string, Map<string, ServerState>>();
  for (const line of lines) {
    const fields = line.split(' ');
    const read = (column: Column): string => {
      const field = fields[positions.get(column) ?? -1];
      if (field === undefined || fields.length < names.length) {
        throw new UnreachableError(`HAProxy's servers state lacks ${column}: ${line}`);
      }
      return field;
    };
    const backend = backends.get(read('be_name')) ?? new Map<string, ServerState>();
    backends.set(read('be_name'), backend.set(read('srv_name'), parseServer(read)));
  }
  return backends;
}

function parseServer(read: (column: Column) => string): ServerState {
  const number = (column: Column): number => {
    const text = read(column);
    if (!/^-?[0-9]+$/.test(text) || (text.startsWith('-') && column !== timeColumn)) {
      throw new UnreachableError(`HAProxy's servers state has ${column} ${JSON.stringify(text)}`);
    }
    return Number(text);
  };
  const operational = operationalStates[number('srv_op_state')];
  const checkResult = checkResults[number('srv_check_result')];
  if (operational === undefined || checkResult === undefined) {
    throw new UnreachableError('HAProxy reports a server state that this release does not know');
  }
  return {
    admin: parseAdmin(number('srv_admin_state')),
    operational,
    checkResult,
    sinceChangeMs: Math.max(0, number(timeColumn)) * 1_000,
    address: read('srv_addr'),
    port: number('srv_port'),
    isChecked: (number('srv_check_state') & configuredCheckBit) !== 0,
  };
}

function parseAdmin(bits: number): AdminState {
  if ((bits & maintenanceBits) !== 0) {
    return 'maint';
  }
  return (bits & drainBits) !== 0 ? 'drain' : 'ready';
}
