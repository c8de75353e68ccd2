/** The kinds of value that the API takes and gives. */

import { z } from '@hono/zod-openapi';

/** A list as the program has them. */
export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item).readonly();
}

/** Not `.nullable()`, which would make every use of a named schema nullable. */
export function orNull<Value extends z.ZodType>(value: Value) {
  return z.union([value, z.null()]);
}

/** A moment, in UTC. */
export function time() {
  return z.iso.datetime().openapi({ examples: ['2026-11-24T14:07:10.250Z'] });
}

/** Wall clock → text. */
export function formatTime(wallMs: number): string {
  return new Date(Math.round(wallMs)).toISOString();
}

/** With its time zone, so that it is the same moment for everybody. */
const ISO_TIME =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;
const EPOCH_MS = /^[0-9]{1,14}$/;

/** A moment that is asked for. Milliseconds since 1970. */
export function moment(description: string) {
  return z
    .string()
    .max(40)
    .transform((text, context) => {
      // A plus sign that nobody encoded has become a space.
      const iso = text.replace(' ', '+');
      const wallMs = EPOCH_MS.test(text) ? Number(text) : Date.parse(iso);
      if (Number.isNaN(wallMs) || !(EPOCH_MS.test(text) || ISO_TIME.test(iso))) {
        context.addIssue({
          code: 'custom',
          message: 'expected a time such as 2026-11-24T14:07:10Z, or milliseconds since 1970',
        });
        return z.NEVER;
      }
      return wallMs;
    })
    .openapi({
      description: `${description} With its time zone, or in milliseconds since 1970.`,
      examples: ['2026-11-24T14:07:10Z', '1795529230000'],
    });
}

/** So many entries at most; the latest ones. */
export function limit(most: number, byDefault: number) {
  return z.coerce.number().int().min(1).max(most).default(byDefault);
}

/** Rates and needs are computed; what is not a number is none. */
export function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** The names of a tier in the path. */
export const TierPath = z.object({
  cluster: z
    .string()
    .max(64)
    .openapi({ examples: ['news'] }),
  tier: z
    .string()
    .max(64)
    .openapi({ examples: ['web'] }),
});
