/** An API without routes yet: every request passes the guards, every error is answered in the one form. */

import type { HttpBindings } from '@hono/node-server';
import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { ApiError } from './api-error.ts';
import { limitBody, refuseForeignPages } from './guards.ts';

/** Routes see the connection below them, to cut one that is not read from. */
export type Api = OpenAPIHono<{ readonly Bindings: HttpBindings }>;

/** So many mistakes are named at once. */
const MAX_ISSUES = 5;

/** @param sayDefect - Told of every error that is no answer. */
export function createApp(sayDefect: (error: unknown) => void): Api {
  const api: Api = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) {
        throw new ApiError('invalid-request', describeIssues(result.error));
      }
    },
  });
  api.onError((error, context) => {
    const { status, answer } = toApiError(error);
    if (status === 500) {
      sayDefect(error);
    }
    if (status === 401) {
      context.header('www-authenticate', 'Bearer');
    }
    return context.json(answer, status);
  });
  api.notFound((context) => {
    const { status, answer } = new ApiError(
      'unknown-route',
      `there is no ${context.req.path}; /api/v1/openapi.json says what there is`,
    );
    return context.json(answer, status);
  });
  api.use(refuseForeignPages, limitBody);
  return api;
}

/** Answers every other method on the paths of the API. To be called after its last route. */
export function refuseOtherMethods(api: Api): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { path, method } of api.routes) {
    if (method !== 'ALL') {
      const methods = methodsOf.get(path) ?? new Set();
      methodsOf.set(path, methods.add(method));
    }
  }
  for (const [path, methods] of methodsOf) {
    const allowed = [...methods].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method));
    api.all(path, (context) => {
      const { status, answer } = new ApiError(
        'method-not-allowed',
        `${context.req.path} knows ${allowed.join(', ')} only`,
      );
      return context.json(answer, status, { allow: allowed.join(', ') });
    });
  }
}

function toApiError(error: Error): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  // What the library says of a body.
  if (error instanceof HTTPException && error.status === 400) {
    return new ApiError('invalid-request', 'the body is not JSON', { cause: error });
  }
  return new ApiError('internal', `a defect of Rackfire: ${error.message}`, { cause: error });
}

function describeIssues({ issues }: z.ZodError): string {
  const texts = issues.slice(0, MAX_ISSUES).map(({ path, message, code }) => {
    const text =
      code === 'invalid_type' && message.endsWith('received undefined') ? 'is missing' : message;
    return path.length === 0 ? text : `${path.join('.')}: ${text}`;
  });
  return texts.join('; ');
}
