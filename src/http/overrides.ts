import { createRoute, z } from '@hono/zod-openapi';
import { parseDurationMs } from '../config/units.ts';
import { duration } from '../config/values.ts';
import type { GivenOverride } from '../control/events.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { mostNodes } from '../scaler/schedule.ts';
import { ApiError, readErrors, writeErrors } from './api-error.ts';
import type { Api } from './app.ts';
import { guardWrites } from './guards.ts';
import {
  answerOverride,
  GivenAnswer,
  OverridesAnswer,
  WithdrawnAnswer,
} from './override-answer.ts';
import type { ServiceView } from './service-view.ts';
import { findConfiguredTier, findTenant } from './tiers.ts';

/** More of them are a mistake of a script. */
const MAX_OVERRIDES = 200;

/** A reason stands in logs and on terminals: nothing there may begin a line, or hide. */
const ONE_LINE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u;

const said = {
  for: duration('1m', '7d').openapi({ examples: ['2h'], description: 'From 1m to 7d.' }),
  reason: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .refine((reason) => ONE_LINE.test(reason), 'must be one line without control characters')
    .openapi({ examples: ['deploy of the shop'], pattern: ONE_LINE.source }),
};
const tier = z
  .string()
  .max(129)
  .openapi({ examples: ['news/web'] });
const nodes = z.int().min(0).max(4_096);

const NewOverride = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('pause'),
      tier,
      direction: z.enum(['in', 'out', 'all']).openapi({ description: 'What does not happen.' }),
      ...said,
    }),
    z.strictObject({ kind: z.enum(['hold', 'min']), tier, nodes, ...said }),
    z.strictObject({
      kind: z.enum(['protect', 'drain']),
      node: z
        .string()
        .max(140)
        .openapi({ examples: ['news-web-3'] }),
      ...said,
    }),
    z.strictObject({
      kind: z.literal('drain-host'),
      host: z
        .string()
        .max(64)
        .openapi({ examples: ['xen-a'] }),
      ...said,
    }),
    z.strictObject({
      kind: z.literal('exclude-balancer'),
      balancer: z
        .string()
        .max(64)
        .openapi({ examples: ['lb-b'] }),
      ...said,
    }),
  ])
  .openapi('NewOverride');
type NewOverride = z.infer<typeof NewOverride>;

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/overrides',
  operationId: 'listOverrides',
  summary: 'What operators have said and still holds',
  responses: {
    200: {
      description: 'The oldest first',
      content: { 'application/json': { schema: OverridesAnswer } },
    },
    ...readErrors(),
  },
});

function giveRoute(service: ServiceView) {
  return createRoute({
    method: 'post',
    path: '/api/v1/overrides',
    operationId: 'giveOverride',
    summary:
      'Pause, hold or raise a tier, protect or drain a node, drain a host, exclude a balancer, for a while',
    security: [{ token: [] }],
    middleware: [guardWrites(service)] as const,
    request: { body: { required: true, content: { 'application/json': { schema: NewOverride } } } },
    responses: {
      201: {
        description: 'It holds from the next tick on',
        content: { 'application/json': { schema: GivenAnswer } },
      },
      ...writeErrors(
        'not-json',
        'invalid-request',
        'unknown-tier',
        'unknown-node',
        'unknown-host',
        'unknown-balancer',
        'node-unfit',
        'override-conflict',
        'out-of-bounds',
      ),
    },
  });
}

function withdrawRoute(service: ServiceView) {
  return createRoute({
    method: 'delete',
    path: '/api/v1/overrides/{id}',
    operationId: 'withdrawOverride',
    summary: 'End an override before its time',
    security: [{ token: [] }],
    middleware: [guardWrites(service)] as const,
    request: {
      params: z.object({
        id: z
          .string()
          .max(32)
          .openapi({ examples: ['o7'] }),
      }),
    },
    responses: {
      200: {
        description: 'It holds no longer',
        content: { 'application/json': { schema: WithdrawnAnswer } },
      },
      ...writeErrors('invalid-request', 'unknown-override'),
    },
  });
}

export function addOverrides(api: Api, service: ServiceView): void {
  api.openapi(listRoute, (context) =>
    context.json({ overrides: service.overrides.all().map(answerOverride) }, 200),
  );
  api.openapi(giveRoute(service), async (context) => {
    const asked = context.req.valid('json');
    const { key, word } = readWord(service, asked);
    if (service.overrides.all().length >= MAX_OVERRIDES) {
      throw new ApiError('out-of-bounds', `${MAX_OVERRIDES} overrides are in force already`);
    }
    const durationMs = parseDurationMs(asked.for);
    const { given, kept } = await service.giveOverride(key, word, {
      reason: asked.reason,
      durationMs,
    });
    return context.json({ override: answerOverride(given), kept }, 201);
  });
  api.openapi(withdrawRoute(service), async (context) => {
    const { id } = context.req.valid('param');
    const given = service.overrides.all().find((one) => one.id === id);
    if (given === undefined || !(await service.withdrawOverride(id))) {
      throw new ApiError('unknown-override', `there is no override ${id} in force`);
    }
    return context.json({ override: answerOverride(given) }, 200);
  });
}

/** @throws ApiError when it cannot be said, with what would have to be otherwise. */
function readWord(
  service: ServiceView,
  asked: NewOverride,
): { readonly key: string | undefined; readonly word: GivenOverride['word'] } {
  switch (asked.kind) {
    case 'pause': {
      const key = tierKey(findConfiguredTier(service, asked.tier));
      return { key, word: { kind: 'pause', direction: asked.direction } };
    }
    case 'hold':
    case 'min': {
      const found = findConfiguredTier(service, asked.tier);
      requireWithinMaximum(found, asked.kind, asked.nodes);
      return { key: tierKey(found), word: { kind: asked.kind, nodes: asked.nodes } };
    }
    case 'protect':
    case 'drain': {
      const { tier: found, node } = findTenant(service, asked.node);
      const word = { kind: asked.kind, number: node.number, bornMs: node.bornMs };
      requireNoOpposite(service, tierKey(found), { ...word, name: node.name });
      return { key: tierKey(found), word };
    }
    case 'drain-host': {
      requireHost(service, asked.host);
      return { key: undefined, word: { kind: 'drain-host', host: asked.host } };
    }
    case 'exclude-balancer': {
      requireOthersLeft(service, asked.balancer);
      return { key: undefined, word: { kind: 'exclude-balancer', balancer: asked.balancer } };
    }
  }
}

/** Without any balancer nothing is known of the traffic, and nothing would ever be done. */
function requireOthersLeft({ keeper, overrides }: ServiceView, balancer: string): void {
  const names = keeper.current.config.balancers.map(({ name }) => name);
  if (!names.includes(balancer)) {
    throw new ApiError(
      'unknown-balancer',
      `there is no balancer ${balancer}; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`,
    );
  }
  const excluded = new Set(
    overrides
      .all()
      .flatMap(({ word }) => (word.kind === 'exclude-balancer' ? [word.balancer] : [])),
  );
  if (names.every((name) => name === balancer || excluded.has(name))) {
    throw new ApiError(
      'override-conflict',
      `${balancer} is the only balancer that is not excluded; without any, nothing would be known of the traffic`,
    );
  }
}

function requireHost({ keeper }: ServiceView, host: string): void {
  const names = keeper.current.config.hosts.map(({ name }) => name);
  if (!names.includes(host)) {
    throw new ApiError(
      'unknown-host',
      `there is no host ${host}; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`,
    );
  }
}

function requireWithinMaximum(found: ScaledTier, kind: 'hold' | 'min', wanted: number): void {
  const { minNodes, maxNodes } = found.policy;
  if (wanted > mostNodes(found.policy)) {
    throw new ApiError(
      'out-of-bounds',
      `${kind} ${wanted} is more than ${tierKey(found)} may have: its nodes are { min: ${minNodes}, max: ${maxNodes} }`,
    );
  }
}

function requireNoOpposite(
  service: ServiceView,
  key: string,
  wanted: {
    readonly kind: 'protect' | 'drain';
    readonly number: number;
    readonly bornMs: number;
    readonly name: string;
  },
): void {
  for (const { id, tier: ofTier, word, reason } of service.overrides.all()) {
    if (
      ofTier === key &&
      'bornMs' in word &&
      word.number === wanted.number &&
      word.bornMs === wanted.bornMs &&
      word.kind !== wanted.kind
    ) {
      throw new ApiError(
        'override-conflict',
        `override ${id} says to ${word.kind} ${wanted.name} (${reason}); withdraw that first (rackfire resume ${id})`,
      );
    }
  }
}
