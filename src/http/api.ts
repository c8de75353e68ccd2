/** The API: what `rackfire status`, `explain`, `events` and the overrides stand on. */

import { createRoute, z } from '@hono/zod-openapi';
import { readErrors } from './api-error.ts';
import { type Api, createApp, refuseOtherMethods } from './app.ts';
import { addEvents } from './events.ts';
import { addExplanations } from './explanations.ts';
import { addOverrides } from './overrides.ts';
import { addReload } from './reload.ts';
import type { ServiceView } from './service-view.ts';
import { describeStatus } from './status.ts';
import { StatusAnswer } from './status-answer.ts';

const statusRoute = createRoute({
  method: 'get',
  path: '/api/v1/status',
  operationId: 'getStatus',
  summary: 'What the service knows and thinks now',
  responses: {
    200: {
      description: 'The service, its hosts and its clusters',
      content: { 'application/json': { schema: StatusAnswer } },
    },
    ...readErrors(),
  },
});

const documentRoute = createRoute({
  method: 'get',
  path: '/api/v1/openapi.json',
  operationId: 'getOpenApi',
  summary: 'This document',
  responses: {
    200: {
      description: 'OpenAPI 3.1',
      content: { 'application/json': { schema: z.record(z.string(), z.unknown()) } },
    },
    ...readErrors(),
  },
});

/** All routes below `/api`: reads are free, writes need the token. */
export function createApi(service: ServiceView): Api {
  const api = createApp((error) => service.sayDefect(error));
  api.openapi(statusRoute, (context) => context.json(describeStatus(service), 200));
  addExplanations(api, service);
  addEvents(api, service);
  addOverrides(api, service);
  addReload(api, service);
  addDocument(api, service.version);
  refuseOtherMethods(api);
  return api;
}

/** The routes describe themselves; what they check their input by is what the document says of it. */
function addDocument(api: Api, version: string): void {
  api.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'The token in the file that `http.tokenFile` in the config names.',
  });
  let document: Record<string, unknown> | undefined;
  api.openapi(documentRoute, (context) => {
    document ??= {
      ...api.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Rackfire',
          version,
          description:
            'Loopback only. Reads are free; what changes something needs the token and the leader. Times are in UTC.',
          license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
        },
        servers: [{ url: '/' }],
      }),
    };
    return context.json(document, 200);
  });
}
