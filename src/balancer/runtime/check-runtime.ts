/** Tests one HAProxy by its runtime socket, for `rackfire check --online`. */

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UnreachableError } from '../../control/errors.ts';
import type { ScaledTier } from '../../scaler/cluster.ts';
import {
  type BalancerFinding,
  checkBackends,
  checkVersion,
  type DeclaredBackends,
  type DeclaredServer,
} from '../haproxy/findings.ts';
import { parseServerStates, type ServerState } from '../haproxy/server-states.ts';
import { settingNames } from '../haproxy/settings.ts';
import { parseStats } from '../haproxy/stats.ts';
import { errorOf, numberSeverities, splitAnswers } from './answers.ts';
import { ask } from './socket.ts';
import { listWorkers, parseWorker } from './workers.ts';

export interface RuntimeCheckOptions {
  readonly socketPath: string;
  readonly masterSocketPath: string | undefined;
  readonly stateFilePath: string;
  readonly tiers: readonly ScaledTier[];
}

/** What only stands in the config file, which the socket does not show. */
const unseen = [...settingNames, 'server-state-file'];

/**
 * Changes nothing.
 *
 * @returns What was found; only the connection when there is none. Never rejects because of what HAProxy is like.
 */
export async function checkRuntime(
  options: RuntimeCheckOptions,
  signal: AbortSignal,
): Promise<readonly BalancerFinding[]> {
  const { socketPath, tiers } = options;
  let info: string;
  try {
    [info = ''] = splitAnswers(await ask(socketPath, [numberSeverities, 'show info'], signal), 1);
    const { pid } = parseWorker(info);
    const [, version = ''] = /^Version: (.+)$/m.exec(info) ?? [];
    return [
      { name: 'connection', verdict: 'ok', text: `HAProxy answers at ${socketPath}` },
      checkVersion(version, pid),
      await checkLevel(socketPath, signal),
      await checkMaster(options, pid, signal),
      await checkStateFile(options.stateFilePath),
      ...checkBackends(tiers, await listDeclared(options, signal)),
      ...unseen.map((name) => ({
        name,
        verdict: 'unseen' as const,
        text: 'cannot be seen by the socket',
        fix: "compare HAProxy's config with what `rackfire haproxy-config` prints",
      })),
    ];
  } catch (error) {
    if (!(error instanceof UnreachableError)) {
      throw error;
    }
    const fix = `is HAProxy running, with \`stats socket ${socketPath} level admin\`, and is this user in the socket's group?`;
    return [{ name: 'connection', verdict: 'bad', text: error.message, fix }];
  }
}

/** Orders something of a server that cannot be there: who may not order is told so first. */
async function checkLevel(socketPath: string, signal: AbortSignal): Promise<BalancerFinding> {
  const name = 'level';
  const order = 'set server rackfire-check/rackfire-check state ready';
  const answer = await ask(socketPath, [order], signal);
  return answer.includes('Permission denied')
    ? {
        name,
        verdict: 'bad',
        text: 'HAProxy permits no changes on this socket',
        fix: 'add `level admin` to its `stats socket` line',
      }
    : { name, verdict: 'ok', text: 'admin' };
}

async function checkMaster(
  { masterSocketPath }: RuntimeCheckOptions,
  pid: number,
  signal: AbortSignal,
): Promise<BalancerFinding> {
  const name = 'master socket';
  if (masterSocketPath === undefined) {
    return {
      name,
      verdict: 'warn',
      text: 'none: after a reload nothing is destroyed until `hardStopAfter` has passed',
      fix: 'run HAProxy with -S, and name the socket as `masterSocket`',
    };
  }
  try {
    const { currentPids } = await listWorkers(masterSocketPath, signal);
    return currentPids.includes(pid)
      ? { name, verdict: 'ok', text: `the master answers at ${masterSocketPath}` }
      : {
          name,
          verdict: 'bad',
          text: `it is the master of pid ${currentPids.join(', ')}, not of ${pid}, which answers at the other socket`,
          fix: 'name the sockets of one and the same HAProxy',
        };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const fix = 'run HAProxy with `-W -S` and this path, readable for this user';
    return { name, verdict: 'bad', text, fix };
  }
}

/** It is replaced by renaming, so what counts is its folder. */
async function checkStateFile(path: string): Promise<BalancerFinding> {
  const name = 'state file';
  const folder = dirname(path);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const fix = `make ${folder}, writable for this user and readable for HAProxy`;
    return { name, verdict: 'bad', text, fix };
  }
  const file = await stat(path).catch(() => undefined);
  return file === undefined
    ? { name, verdict: 'ok', text: `${path} can be written; it is made at the first change` }
    : { name, verdict: 'ok', text: `${path} can be written` };
}

async function listDeclared(
  { socketPath, tiers }: RuntimeCheckOptions,
  signal: AbortSignal,
): Promise<DeclaredBackends> {
  const declared = new Map<string, ReadonlyMap<string, DeclaredServer>>();
  for (const { backend } of tiers) {
    const questions = [`show stat ${backend} 6 -1`, `show servers state ${backend}`];
    const answer = await ask(socketPath, [numberSeverities, ...questions], signal);
    const [statTable = '', stateTable = ''] = splitAnswers(answer, 2);
    if (errorOf(statTable) === undefined && errorOf(stateTable) === undefined) {
      const stats = parseStats(statTable).get(backend);
      const states = parseServerStates(stateTable).get(backend) ?? new Map<string, ServerState>();
      declared.set(
        backend,
        new Map(
          [...states].map(([server, { address, port, isChecked }]) => [
            server,
            {
              address,
              port,
              isChecked,
              maxConnections: stats?.servers.get(server)?.sessionLimit,
            },
          ]),
        ),
      );
    }
  }
  return declared;
}
