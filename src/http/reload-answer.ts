/** What came of reading the config file anew. */

import { z } from '@hono/zod-openapi';
import { RefusalAnswer } from './status-answer.ts';
import { list, orNull } from './values.ts';

const ChangeAnswer = z.object({
  path: z.string().openapi({ examples: ['clusters.news.tiers.web.nodes.max'] }),
  from: orNull(z.string()).openapi({ description: 'Null when it is new.' }),
  to: orNull(z.string()).openapi({ description: 'Null when it is gone.' }),
});

export const ReloadAnswer = z
  .discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('unchanged') }),
    z.object({
      outcome: z.literal('applied'),
      changes: list(ChangeAnswer),
      atNextStart: list(z.string()).openapi({
        description: 'The paths of these that take effect when the service is started again.',
      }),
    }),
    z.object({ outcome: z.literal('refused'), refusal: RefusalAnswer }),
  ])
  .openapi('ReloadResult');
export type ReloadAnswer = z.infer<typeof ReloadAnswer>;
