/**
 * Stands in for HAProxy's Data Plane API daemon, which no registry has: the part of `/v2` and `/v3` that Rackfire
 * uses, in front of a real HAProxy. It does what the daemon was seen to do, its oddities included, and
 * `test/dataplane/truth.test.ts` holds it to that.
 */

import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type RequestListener,
  type Server as HttpServer,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { ApiError } from './api-error.ts';
import { Configuration } from './configuration.ts';
import type { Faults } from './faults.ts';
import { type Generation, v2, v3 } from './generation.ts';
import { Reloads } from './reloads.ts';
import { addRoutes } from './routes.ts';
import { RuntimeApi } from './runtime-api.ts';

export interface StandInOptions {
  readonly generation: 'v2' | 'v3';
  readonly configPath: string;
  /** HAProxy's stats socket. */
  readonly socketPath: string;
  /** As if the daemon's file had `master_runtime`: it then sees no servers. */
  readonly isGivenMasterSocket: boolean;
  readonly masterPid: () => number;
  readonly transactionFolder: string;
  readonly reloadDelayMs: number;
  readonly maxOpenTransactions: number;
  readonly username: string;
  readonly password: string;
  /** Serves `https:`; with `clientCa`, only to clients with a certificate of that authority. All are PEM. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly clientCa?: string }
    | undefined;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface StandIn {
  readonly port: number;
  /** May be changed while it runs. */
  readonly faults: Faults;
  /** Ends at once with all its connections, as if it was killed. What it keeps is in files. */
  stop(): Promise<void>;
}

/** Resolves when it listens. */
export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const faults: Faults = { diskIsFull: false, reloadFailsWith: undefined };
  const { configPath, masterPid } = options;
  const configuration = await Configuration.open({ ...options, faults });
  const reloads = await Reloads.open({
    configPath,
    masterPid,
    configuration,
    faults,
    delayMs: options.reloadDelayMs,
  });
  const generation = options.generation === 'v2' ? v2 : v3;
  const app = new Hono();
  const server = createServer(options.tls, app);
  const stop = async (): Promise<void> => {
    reloads.close();
    configuration.close();
    if (server.listening) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  };

  app.use(async (context, next) => {
    await next();
    context.res.headers.set('Configuration-Version', String(configuration.version));
  });
  app.use(`/${generation.name}/*`, async (context, next) => {
    const refusal = refuse(context.req.header('Authorization'), options, generation);
    if (refusal !== undefined) {
      throw new ApiError(401, refusal);
    }
    await next();
  });
  app.onError((error, context) => {
    const { status, code, message } =
      error instanceof ApiError ? error : new ApiError(500, error.message);
    if (status === 401) {
      context.header('WWW-Authenticate', 'Basic realm="API"');
    }
    return context.newResponse(JSON.stringify({ code, message }), status as 500, {
      'Content-Type': 'application/json',
    });
  });
  addRoutes(app, { generation, configuration, reloads, runtime: new RuntimeApi(options) });

  // As the daemon: whoever keeps a connection for less is never cut off in the middle of a question.
  server.keepAliveTimeout = 30_000;
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, faults, stop };
}

function createServer(tls: StandInOptions['tls'], app: Hono): HttpServer | HttpsServer {
  const answer = getRequestListener(app.fetch);
  const listener: RequestListener = (request, response) => void answer(request, response);
  if (tls === undefined) {
    return createHttpServer(listener);
  }
  const { certificate, key, clientCa } = tls;
  const clients =
    clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return createHttpsServer({ cert: certificate, key, ...clients }, listener);
}

/** Which answer a client without the right name and password gets. */
function refuse(
  authorization: string | undefined,
  { username, password }: StandInOptions,
  { refusal }: Generation,
): string | undefined {
  const [, encoded] = /^Basic (.+)$/.exec(authorization ?? '') ?? [];
  if (encoded === undefined) {
    return 'unauthenticated for invalid credentials';
  }
  const said = Buffer.from(encoded, 'base64').toString('utf8');
  return said === `${username}:${password}`
    ? undefined
    : refusal(said.slice(said.indexOf(':') + 1));
}
