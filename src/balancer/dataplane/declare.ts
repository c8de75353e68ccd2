/** Declares servers in the file that the daemon keeps. */

import { ConflictError, PreconditionError, RefusedError } from '../../control/errors.ts';
import type { ServerDeclaration } from '../haproxy/declarations.ts';
import { InvalidError } from './client-errors.ts';
import type { Connection } from './connection.ts';
import { retry } from './patience.ts';
import { awaitReload, ReloadFailedError } from './reload.ts';
import type { ConfiguredServer } from './types.ts';

const tidyUpWithinMs = 2_000;

export interface DeclareOptions {
  readonly signal: AbortSignal;
  /** Called with the names that are declared, once they are in the file and the reload is waited for. */
  readonly onWritten?: (names: readonly string[]) => void;
}

/**
 * Declares what the backend lacks of these, in maintenance: all at once and with one reload, or none.
 *
 * @see DataplaneBalancer for what it guarantees and throws.
 */
export async function declareServers(
  connection: Connection,
  backend: string,
  servers: readonly ServerDeclaration[],
  options: DeclareOptions,
): Promise<readonly string[]> {
  try {
    return await declareMissing(connection, backend, servers, options);
  } catch (error) {
    if (error instanceof InvalidError || error instanceof ReloadFailedError) {
      throw new RefusedError(
        `balancer ${connection.name}: ${backend} is as it was, because HAProxy does not take what was to be declared; look into the logs of the daemon and of HAProxy: ${error.message}`,
        { cause: error },
      );
    }
    throw error;
  }
}

async function declareMissing(
  connection: Connection,
  backend: string,
  servers: readonly ServerDeclaration[],
  { signal, onWritten }: DeclareOptions,
): Promise<readonly string[]> {
  const { name: balancer, reader } = connection;
  // Another backend's servers may have been declared a moment ago.
  const { worker, backends } = await retry(connection, signal, () =>
    reader.read([backend], signal),
  );
  const running = backends.get(backend)?.stats.servers;
  if (running === undefined) {
    throw new PreconditionError(
      `balancer ${balancer}: HAProxy has no backend ${backend}; put there what "rackfire haproxy-config" prints, and reload it once`,
    );
  }
  const { names, reloadId } = await retry(connection, signal, () =>
    writeMissing(connection, backend, servers, signal),
  );
  const pending = servers.filter(({ name }) => !running.has(name) && !names.includes(name));
  if (names.length === 0 && pending.length > 0) {
    throw new PreconditionError(
      `balancer ${balancer}: HAProxy's file has ${pending.map(({ name }) => `${backend}/${name}`).join(', ')}, and HAProxy runs without: a reload of it is due, or failed; ask again, and look into the daemon's log`,
    );
  }
  if (reloadId !== undefined) {
    onWritten?.(names);
    await awaitReload(connection, reloadId, worker, signal);
  }
  return names;
}

/** @returns Those that were missing, and the reload that puts them in force. */
async function writeMissing(
  { name: balancer, client }: Connection,
  backend: string,
  servers: readonly ServerDeclaration[],
  signal: AbortSignal,
): Promise<{ readonly names: readonly string[]; readonly reloadId: string | undefined }> {
  const version = await client.configurationVersion(signal);
  const declared = new Map(
    (await client.servers(backend, signal)).map((server) => [server.name, server]),
  );
  const missing = servers.filter((server) => !declared.has(server.name));
  for (const { name, address, port } of servers) {
    const known = declared.get(name);
    if (known !== undefined && (known.address !== address || known.port !== port)) {
      throw new ConflictError(
        `balancer ${balancer} has ${backend}/${name} at ${known.address}:${known.port}, not at ${address}:${port}: nothing was declared; put right the one of them that is wrong, the server there or \`addresses\` and \`health.port\` of the tier`,
      );
    }
  }
  if (missing.length === 0) {
    return { names: [], reloadId: undefined };
  }
  const transactionId = await client.startTransaction(version, signal);
  let isCommitted = false;
  try {
    for (const { name, address, port } of missing) {
      const server: ConfiguredServer = { name, address, port, maintenance: 'enabled' };
      await client.createServer(backend, server, { transactionId }, signal);
    }
    const { reloadId } = await client.commitTransaction(transactionId, signal);
    isCommitted = true;
    return { names: missing.map(({ name }) => name), reloadId };
  } finally {
    if (!isCommitted) {
      // Also after `signal` is aborted: only so many may be open, and nobody else would end it.
      await client
        .deleteTransaction(transactionId, AbortSignal.timeout(tidyUpWithinMs))
        .catch(() => undefined);
    }
  }
}
