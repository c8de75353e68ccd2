import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { Registry } from 'prom-client';
import type { Controller } from '../control/controller.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0 takes one that is free. */
  readonly port: number;
  readonly controller: Controller;
  readonly registry: Registry;
}

/** The loop ticks each second; without one for so long, something is stuck and a restart helps. */
const STUCK_AFTER_MS = 15_000;

/**
 * Serves `/healthz` (the loop turns), `/readyz` (every host and balancer has answered) and `/metrics`.
 *
 * @returns The listening server and the port it got. @throws When the address is in use.
 */
export async function startHttp(
  options: HttpOptions,
): Promise<{ readonly server: Server; readonly port: number }> {
  const { controller, registry } = options;
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    // Not by `new URL`: it throws at what any client may send (`//`), and that would end the service.
    const [path] = (request.url ?? '').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'text/plain', 'only GET\n');
    } else if (path === '/healthz') {
      const isTurning = controller.tickAgeMs < STUCK_AFTER_MS;
      answer(isTurning ? 200 : 503, 'text/plain', isTurning ? 'ok\n' : 'the loop does not turn\n');
    } else if (path === '/readyz') {
      const { unanswered } = controller;
      const isReady = unanswered.length === 0;
      const waiting = `waiting for the first answer of\n${unanswered.join('\n')}\n`;
      answer(isReady ? 200 : 503, 'text/plain', isReady ? 'ok\n' : waiting);
    } else if (path === '/metrics') {
      registry.metrics().then(
        (text) => answer(200, registry.contentType, text),
        () => answer(500, 'text/plain', 'metrics could not be collected\n'),
      );
    } else {
      answer(404, 'text/plain', 'there are /healthz, /readyz and /metrics\n');
    }
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}
