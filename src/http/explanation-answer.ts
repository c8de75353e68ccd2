/** `GET …/explanation` and `GET …/decisions`: why a tier did, or did not, scale. */

import { z } from '@hono/zod-openapi';
import { DecisionSummary, Direction, REASONS, ShortfallAnswer } from './status-answer.ts';
import { list, orNull, time } from './values.ts';

const Change = z
  .object({ at: time(), toNodes: z.int() })
  .openapi('Change', { description: 'The count, and when it would change to that.' });

/** One of the threshold, the change and the obstacle are there, as `when` says. */
const Threshold = z
  .object({
    when: z.enum(['from-rate', 'up-to-rate', 'at-any-rate', 'never']),
    rps: orNull(z.number()),
    toNodes: orNull(z.int()),
    at: orNull(time()),
    why: orNull(z.enum(REASONS)),
    override: orNull(z.string()),
  })
  .openapi('Threshold');
export type Threshold = z.infer<typeof Threshold>;

const Counterfactuals = z
  .object({
    resolutionRps: z.number().openapi({ description: 'Rates were tried in steps of so much.' }),
    horizon: z.string().openapi({ description: 'So far ahead was looked.', examples: ['1h'] }),
    scaleOut: Threshold.openapi({ description: 'This very tick, had it seen another rate.' }),
    scaleIn: Threshold.openapi({ description: 'The coming ticks, at a rate that stays.' }),
    ifRateStays: orNull(
      z.object({ rps: z.number(), scaleOut: orNull(Change), scaleIn: orNull(Change) }),
    ),
    assumes: list(
      z.enum(['signals-known', 'queue-empty', 'work-follows-rate', 'work-unknown']),
    ).openapi({ description: 'What the coming ticks were taken to see.' }),
    blocked: orNull(ShortfallAnswer),
  })
  .openapi('Counterfactuals');
export type CounterfactualsAnswer = z.infer<typeof Counterfactuals>;

export const ExplanationAnswer = z
  .object({
    tier: z.string().openapi({ examples: ['news/web'] }),
    source: z.enum(['latest', 'journal']),
    mode: z.enum(['observe', 'scale-out-only', 'full']),
    decision: DecisionSummary,
    headline: z.string().openapi({
      description: 'One sentence. Times within sentences are written as in `at`.',
    }),
    steps: list(z.object({ stage: z.string(), text: z.string() })).openapi({
      description: 'In the order in which it was thought and done.',
    }),
    counterfactuals: Counterfactuals,
    whatIf: list(z.string()).openapi({ description: 'The counterfactuals in sentences.' }),
  })
  .openapi('Explanation');
export type ExplanationAnswer = z.infer<typeof ExplanationAnswer>;

export const DecisionsAnswer = z
  .object({
    tier: z.string(),
    decisions: list(
      z.object({
        at: time(),
        direction: Direction,
        reason: z.enum(REASONS),
        currentNodes: z.int(),
        desiredNodes: z.int(),
        needNodes: orNull(z.number()),
        stages: list(
          z.object({
            reason: z.enum(REASONS),
            fromNodes: z.int(),
            toNodes: z.int(),
            override: orNull(z.string()),
          }),
        ),
        actions: list(
          z.object({
            kind: z.string(),
            node: z.string(),
            host: orNull(z.string()),
            reason: z.string(),
          }),
        ).openapi({ description: 'What was begun.' }),
      }),
    ).openapi({
      description: 'The oldest first. Kept are each change, and one a minute beside that.',
    }),
  })
  .openapi('Decisions');
export type DecisionsAnswer = z.infer<typeof DecisionsAnswer>;
