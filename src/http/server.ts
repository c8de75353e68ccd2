import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { getRequestListener, RequestError } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import type { Controller } from '../control/controller.ts';
import { createApi } from './api.ts';
import type { ServiceView } from './service-view.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0 takes one that is free. */
  readonly port: number;
  readonly controller: Pick<Controller, 'tickAgeMs' | 'unanswered'>;
  readonly registry: Registry;
  /** Without it there is no API. */
  readonly service?: ServiceView;
}

/** The loop ticks each second; without one for so long, something is stuck and a restart helps. */
const STUCK_AFTER_MS = 15_000;

/** Whoever sends a request more slowly than this is not waited for. */
const REQUEST_DEADLINE_MS = 10_000;

/**
 * Serves `/healthz` (the loop turns), `/readyz` (every host and balancer has answered), `/metrics` and the API.
 *
 * @returns The listening server and the port it got. @throws When the address is in use.
 */
export async function startHttp(
  options: HttpOptions,
): Promise<{ readonly server: Server; readonly port: number }> {
  const pages = createPages(options);
  const api = options.service === undefined ? pages : createApi(options.service);
  const listener = getRequestListener(
    (request, env) => (isOfApi(request) ? api : pages).fetch(request, env),
    {
      // For clients that speak HTTP/1.0 and name no host.
      hostname: options.host,
      overrideGlobalObjects: false,
      errorHandler: (error) => refuseRequest(error),
    },
  );
  const server = createServer({ requestTimeout: REQUEST_DEADLINE_MS }, (request, response) => {
    void listener(request, response);
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

function isOfApi({ url }: Request): boolean {
  return /^\/api(?:\/|$)/.test(new URL(url).pathname);
}

/** For monitoring; they are plain text and never say more than they always did. */
function createPages({ controller, registry }: HttpOptions): Hono {
  const pages = new Hono();
  pages.use(async (context, next) => {
    const { method } = context.req;
    return method === 'GET' || method === 'HEAD' ? await next() : context.text('only GET\n', 405);
  });
  pages.get('/healthz', (context) =>
    controller.tickAgeMs < STUCK_AFTER_MS
      ? context.text('ok\n')
      : context.text('the loop does not turn\n', 503),
  );
  pages.get('/readyz', (context) => {
    const { unanswered } = controller;
    return unanswered.length === 0
      ? context.text('ok\n')
      : context.text(`waiting for the first answer of\n${unanswered.join('\n')}\n`, 503);
  });
  pages.get('/metrics', async (context) => {
    const text = await registry.metrics().catch(() => undefined);
    return text === undefined
      ? context.text('metrics could not be collected\n', 500)
      : context.body(text, 200, { 'content-type': registry.contentType });
  });
  pages.notFound((context) => context.text('there are /healthz, /readyz and /metrics\n', 404));
  return pages;
}

/** A request that cannot be understood, or that something failed at which should not. */
function refuseRequest(error: unknown): Response {
  return error instanceof RequestError
    ? new Response('this is not a request\n', { status: 400 })
    : new Response('a defect of Rackfire\n', { status: 500 });
}
