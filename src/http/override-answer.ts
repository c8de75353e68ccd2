/** An override as the API gives it. */

import { z } from '@hono/zod-openapi';
import type { GivenOverride } from '../control/events.ts';
import { nodeName } from '../scaler/cluster.ts';
import { formatTime, list, orNull, time } from './values.ts';

export const OverrideAnswer = z
  .object({
    id: z.string().openapi({ examples: ['o7'] }),
    tier: orNull(z.string()).openapi({
      examples: ['news/web'],
      description: 'Null for a host or a balancer.',
    }),
    kind: z.enum(['pause', 'hold', 'min', 'protect', 'drain', 'drain-host', 'exclude-balancer']),
    direction: orNull(z.enum(['in', 'out', 'all'])).openapi({ description: 'Of a pause.' }),
    nodes: orNull(z.int()).openapi({ description: 'Of hold and min.' }),
    node: orNull(z.string()).openapi({ description: 'Of protect and drain.' }),
    host: orNull(z.string()).openapi({ description: 'Of drain-host.' }),
    balancer: orNull(z.string()).openapi({ description: 'Of exclude-balancer.' }),
    born: orNull(time()).openapi({
      description:
        'The birth that protect and drain are bound to: the next node of this name is another one.',
    }),
    reason: z.string(),
    givenAt: time(),
    expiresAt: time(),
  })
  .openapi('Override');
export type OverrideAnswer = z.infer<typeof OverrideAnswer>;

export const OverridesAnswer = z.object({ overrides: list(OverrideAnswer) }).openapi('Overrides');

export const GivenAnswer = z
  .object({
    override: OverrideAnswer,
    kept: z.boolean().openapi({ description: 'It will survive a restart of the service.' }),
  })
  .openapi('GivenOverride');

export const WithdrawnAnswer = z.object({ override: OverrideAnswer }).openapi('WithdrawnOverride');

export function answerOverride(given: GivenOverride): OverrideAnswer {
  const { id, tier, word, reason } = given;
  const [cluster = '', name = ''] = (tier ?? '').split('/');
  const isOfNode = word.kind === 'protect' || word.kind === 'drain';
  return {
    id,
    tier: tier ?? null,
    kind: word.kind,
    direction: word.kind === 'pause' ? word.direction : null,
    nodes: word.kind === 'hold' || word.kind === 'min' ? word.nodes : null,
    node: isOfNode ? nodeName({ cluster, name }, word.number) : null,
    host: word.kind === 'drain-host' ? word.host : null,
    balancer: word.kind === 'exclude-balancer' ? word.balancer : null,
    born: isOfNode ? formatTime(word.bornMs) : null,
    reason,
    givenAt: formatTime(given.givenAtMs),
    expiresAt: formatTime(given.expiresAtMs),
  };
}
