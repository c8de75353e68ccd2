/** HAProxy as it is, asked at its own sockets and not through Rackfire's eyes alone: old workers count, too. */

import { parseServerStates, type ServerState } from '../../src/balancer/haproxy/server-states.ts';
import { numberSeverities, splitAnswers } from '../../src/balancer/runtime/answers.ts';
import { ask } from '../../src/balancer/runtime/socket.ts';
import { listWorkers, parseWorker } from '../../src/balancer/runtime/workers.ts';
import type { AdminState } from '../../src/scaler/observation.ts';

export interface ServerView {
  readonly admin: AdminState;
  /** As HAProxy prints it: `UP`, `UP 1/3`, `DOWN`, `DRAIN`, `MAINT`, … */
  readonly status: string;
  /** Requests on it now, those of workers from before a reload included. */
  readonly sessions: number;
  /** Requests that were ever sent to it by the present worker; checks are none. */
  readonly requests: number;
}

export interface HaproxyView {
  /** Of the worker that answers; another one after each reload and restart. */
  readonly epoch: string;
  readonly oldWorkerPids: readonly number[];
  readonly servers: ReadonlyMap<string, ServerView>;
  /** Requests that wait in the backend's queue. */
  readonly queued: number;
}

export interface HaproxyAddress {
  readonly socketPath: string;
  readonly masterSocketPath: string;
  readonly backend: string;
}

/** @throws UnreachableError when it does not answer, is just being reloaded, or answers in part. */
export async function viewHaproxy(
  { socketPath, masterSocketPath, backend }: HaproxyAddress,
  signal: AbortSignal,
): Promise<HaproxyView> {
  const questions = ['show info', `show stat ${backend} 6 -1`, `show servers state ${backend}`];
  const answer = await ask(socketPath, [numberSeverities, ...questions], signal);
  const [info = '', statTable = '', stateTable = ''] = splitAnswers(answer, questions.length);
  const { epoch } = parseWorker(info);
  const rows = readRows(statTable);
  const { oldPids } = await listWorkers(masterSocketPath, signal);
  const oldSessions = new Map<string, number>();
  for (const pid of oldPids) {
    const question = `@!${pid} show stat ${backend} 4 -1`;
    for (const row of readRows(await ask(masterSocketPath, [question, 'quit'], signal))) {
      oldSessions.set(row.name, (oldSessions.get(row.name) ?? 0) + row.sessions);
    }
  }
  const states: ReadonlyMap<string, ServerState> =
    parseServerStates(stateTable).get(backend) ?? new Map<string, ServerState>();
  const servers = new Map<string, ServerView>();
  for (const { name, status, sessions, requests } of rows) {
    const admin = states.get(name)?.admin;
    if (admin !== undefined) {
      const allSessions = sessions + (oldSessions.get(name) ?? 0);
      servers.set(name, { admin, status, sessions: allSessions, requests });
    }
  }
  const queued = rows.find(({ name }) => name === 'BACKEND')?.queued ?? 0;
  return { epoch, oldWorkerPids: oldPids, servers, queued };
}

/** What has got requests between two views of one worker, though it was not in service at either, in words. */
export function findMisplacedRequests(
  before: HaproxyView['servers'],
  now: HaproxyView['servers'],
): readonly string[] {
  const found: string[] = [];
  for (const [name, server] of now) {
    const earlier = before.get(name);
    const gets = earlier !== undefined && server.requests > earlier.requests;
    if (gets && !earlier.status.startsWith('UP') && !server.status.startsWith('UP')) {
      found.push(`${name} got a request while it was ${earlier.status}, then ${server.status}`);
    }
  }
  return found;
}

interface StatRow {
  readonly name: string;
  readonly status: string;
  readonly sessions: number;
  readonly requests: number;
  readonly queued: number;
}

/** The columns that are read stand before any that HAProxy would quote. An old worker may end meanwhile: no rows. */
function readRows(table: string): readonly StatRow[] {
  const [header = '', ...lines] = table.split('\n').filter((line) => line !== '');
  const names = header.replace('# ', '').split(',');
  return lines.map((line) => {
    const fields = line.split(',');
    const text = (column: string): string => fields[names.indexOf(column)] ?? '';
    return {
      name: text('svname'),
      status: text('status'),
      sessions: Number(text('scur')),
      requests: Number(text('stot')),
      queued: Number(text('qcur')),
    };
  });
}
