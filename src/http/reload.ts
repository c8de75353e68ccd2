import { createRoute } from '@hono/zod-openapi';
import type { ReloadResult } from '../config/config-keeper.ts';
import { writeErrors } from './api-error.ts';
import type { Api } from './app.ts';
import { guardWrites } from './guards.ts';
import { ReloadAnswer } from './reload-answer.ts';
import type { ServiceView } from './service-view.ts';
import { describeRefusal } from './status.ts';

function reloadRoute(service: ServiceView) {
  return createRoute({
    method: 'post',
    path: '/api/v1/config/reload',
    operationId: 'reloadConfig',
    summary: 'Read the config file anew',
    description: 'A file that cannot be used changes nothing; the last good one stays in force.',
    security: [{ token: [] }],
    middleware: [guardWrites(service)] as const,
    responses: {
      200: {
        description: 'What came of it',
        content: { 'application/json': { schema: ReloadAnswer } },
      },
      ...writeErrors('not-json'),
    },
  });
}

export function addReload(api: Api, service: ServiceView): void {
  api.openapi(reloadRoute(service), async (context) =>
    context.json(answerReload(await service.keeper.reload()), 200),
  );
}

function answerReload(result: ReloadResult): ReloadAnswer {
  switch (result.outcome) {
    case 'unchanged':
      return result;
    case 'refused':
      return { outcome: 'refused', refusal: describeRefusal(result.refusal) };
    case 'applied':
      return {
        outcome: 'applied',
        changes: result.changes.map(({ path, from, to }) => ({
          path,
          from: from ?? null,
          to: to ?? null,
        })),
        atNextStart: result.atNextStart,
      };
  }
}
