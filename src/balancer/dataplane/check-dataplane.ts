/** Tests one HAProxy by its Data Plane API, for `rackfire check --online`. */

import type { ScaledTier } from '../../scaler/cluster.ts';
import {
  type BalancerFinding,
  checkBackends,
  checkVersion,
  type DeclaredBackends,
  type DeclaredServer,
} from '../haproxy/findings.ts';
import { checkSettings, listChecked } from '../haproxy/settings.ts';
import { DataplaneClient } from './client.ts';
import {
  DataplaneError,
  NoAnswerError,
  NotFoundError,
  UnauthorizedError,
} from './client-errors.ts';
import type { HttpOptions } from './http.ts';
import { refuseRelease } from './releases.ts';
import type { NativeStat } from './types.ts';

export interface DataplaneCheckOptions extends HttpOptions {
  readonly tiers: readonly ScaledTier[];
  readonly hardStopAfterMs: number;
}

/** What a daemon says that does not see HAProxy's stats socket. */
const useStatsSocket =
  "remove `master_runtime` from the daemon's own file, so that it takes the `stats socket` (level admin) of HAProxy's config; restart it";

/**
 * Changes nothing.
 *
 * @returns What was found, in the order in which one thing needs the other; what could not be looked at is missing.
 * Never rejects because of what the daemon is like.
 */
export async function checkDataplane(
  options: DataplaneCheckOptions,
  signal: AbortSignal,
): Promise<readonly BalancerFinding[]> {
  const client = new DataplaneClient(options);
  const findings: BalancerFinding[] = [];
  try {
    const { base, api } = await client.info(signal);
    findings.push(
      { name: 'connection', verdict: 'ok', text: `the daemon answers at ${options.url}` },
      { name: 'login', verdict: 'ok', text: `${options.username} is let in` },
      checkDaemon(base, api?.version?.trim()),
    );
    const text = await client.configurationText(signal);
    findings.push(await checkProcess(client, signal));
    const stats = await readStats(client, signal);
    findings.push(
      stats === undefined
        ? {
            name: 'stats socket',
            verdict: 'bad',
            text: 'the daemon sees no servers at runtime: that is unknown, and nothing is scaled',
            fix: useStatsSocket,
          }
        : { name: 'stats socket', verdict: 'ok', text: 'the daemon sees servers at runtime' },
    );
    const declared = await listDeclared(client, { ...options, text, stats }, signal);
    findings.push(...checkBackends(options.tiers, declared), ...checkSettings(text, options));
  } catch (error) {
    if (!(error instanceof DataplaneError)) {
      throw error;
    }
    findings.push(describeFailure(error, options));
  }
  return findings;
}

/** A daemon that somebody built by himself says no number. */
function checkDaemon(base: string, version: string | undefined): BalancerFinding {
  const name = 'daemon';
  const refusal = refuseRelease(version);
  if (refusal !== undefined) {
    const [text = refusal, fix] = refusal.split('; ');
    return { name, verdict: 'bad', text, ...(fix === undefined ? {} : { fix }) };
  }
  return {
    name,
    verdict: 'ok',
    text: `generation ${base}, ${version === undefined || version === '' ? 'which says no version' : `says to be ${version}`}`,
  };
}

function describeFailure(error: DataplaneError, { url }: DataplaneCheckOptions): BalancerFinding {
  if (error instanceof UnauthorizedError) {
    const fix =
      "compare `credentialsFile` with the userlist that the daemon's own file names, or show it the certificate that it asks for";
    return { name: 'login', verdict: 'bad', text: error.message, fix };
  }
  if (error instanceof NoAnswerError) {
    const fix = `is the daemon running, and does it listen at ${url}? Its own file says host, port and scheme`;
    return { name: 'connection', verdict: 'bad', text: error.message, fix };
  }
  const fix = "look into the daemon's log";
  return { name: 'daemon', verdict: 'bad', text: error.message, fix };
}

async function checkProcess(
  client: DataplaneClient,
  signal: AbortSignal,
): Promise<BalancerFinding> {
  try {
    const { version, pid } = await client.process(signal);
    return checkVersion(version ?? 'of no version', pid ?? 0);
  } catch (error) {
    if (!(error instanceof DataplaneError) || error instanceof NoAnswerError) {
      throw error;
    }
    return { name: 'HAProxy', verdict: 'bad', text: error.message, fix: useStatsSocket };
  }
}

/** Undefined when the daemon shows none: with `master_runtime` it shows everything but the servers. */
async function readStats(
  client: DataplaneClient,
  signal: AbortSignal,
): Promise<readonly NativeStat[] | undefined> {
  try {
    const stats = await client.stats(signal);
    return stats.length === 0 ? undefined : stats;
  } catch (error) {
    if (!(error instanceof DataplaneError) || error instanceof NoAnswerError) {
      throw error;
    }
    return undefined;
  }
}

/** Addresses and checks are those of the file, limits those that HAProxy runs with. */
async function listDeclared(
  client: DataplaneClient,
  seen: {
    readonly tiers: readonly ScaledTier[];
    readonly text: string;
    readonly stats: readonly NativeStat[] | undefined;
  },
  signal: AbortSignal,
): Promise<DeclaredBackends> {
  const declared = new Map<string, ReadonlyMap<string, DeclaredServer>>();
  for (const { backend } of seen.tiers) {
    const servers = await client.servers(backend, signal).catch((error: unknown) => {
      if (error instanceof NotFoundError) {
        return [];
      }
      throw error;
    });
    const checked = listChecked(seen.text, backend);
    const limits = new Map(
      (seen.stats ?? [])
        .filter((stat) => stat.type === 'server' && stat.backend_name === backend)
        .map((stat) => [stat.name ?? '', stat.stats?.slim ?? undefined]),
    );
    // Of a backend that is not there, some releases say that it has no servers.
    if (servers.length > 0) {
      declared.set(
        backend,
        new Map(
          servers.map(({ name, address, port }) => [
            name,
            {
              address,
              port: port ?? 0,
              isChecked: checked.has(name),
              maxConnections: seen.stats === undefined ? 'unseen' : limits.get(name),
            },
          ]),
        ),
      );
    }
  }
  return declared;
}
