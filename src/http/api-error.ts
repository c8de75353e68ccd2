/** What goes wrong with a request, in a form that programs can tell apart and people can read. */

import { z } from '@hono/zod-openapi';

/** All codes there are, and the status that goes with each. */
const STATUS_OF = {
  'invalid-request': 400,
  /** No token, or another one. */
  unauthorized: 401,
  /** No token file is configured. */
  'writes-off': 403,
  /** The request was meant for another host: a page of another site, by a name that it made point here. */
  'foreign-host': 403,
  /** A page of another site asks. */
  'foreign-page': 403,
  'unknown-route': 404,
  'unknown-tier': 404,
  'unknown-node': 404,
  'unknown-host': 404,
  'unknown-balancer': 404,
  'unknown-override': 404,
  'nothing-kept': 404,
  'method-not-allowed': 405,
  /** Nothing can be said to this node now. */
  'node-unfit': 409,
  /** Another override says the opposite. */
  'override-conflict': 409,
  /** Beyond what the config allows. */
  'out-of-bounds': 409,
  'length-required': 411,
  'too-large': 413,
  'not-json': 415,
  internal: 500,
  'not-leader': 503,
  'token-file-unusable': 503,
  /** What is remembered cannot be asked for now. */
  'journal-unavailable': 503,
  'too-many-followers': 503,
} as const;

export type ErrorCode = keyof typeof STATUS_OF;
type StatusOf<Code extends ErrorCode> = (typeof STATUS_OF)[Code];

/** Ends a request with this answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get status(): StatusOf<ErrorCode> {
    return STATUS_OF[this.code];
  }

  get answer() {
    return { error: { code: this.code, message: this.message } };
  }
}

/** What every route can end with. */
const ANY_ERRORS = ['foreign-host', 'foreign-page', 'internal'] as const;

/** What every route can end with that changes something. */
const WRITE_ERRORS = [
  ...ANY_ERRORS,
  'unauthorized',
  'writes-off',
  'not-leader',
  'token-file-unusable',
  'length-required',
  'too-large',
] as const;

/** How a route can end beside its good answer. @param codes - Its own, beside those of all that read. */
export function readErrors<Code extends ErrorCode>(...codes: readonly Code[]) {
  return errorAnswers([...ANY_ERRORS, ...codes]);
}

/** How a route can end beside its good answer. @param codes - Its own, beside those of all that write. */
export function writeErrors<Code extends ErrorCode>(...codes: readonly Code[]) {
  return errorAnswers([...WRITE_ERRORS, ...codes]);
}

type ErrorAnswers<Code extends ErrorCode> = {
  readonly [Status in StatusOf<Code>]: ReturnType<typeof errorAnswer>;
};

function errorAnswers<Code extends ErrorCode>(codes: readonly Code[]): ErrorAnswers<Code> {
  const statuses = [...new Set(codes.map((code) => STATUS_OF[code]))];
  const answers = statuses.map((status) => [
    status,
    errorAnswer(codes.filter((code) => STATUS_OF[code] === status)),
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each status of these codes
  return Object.fromEntries(answers) as ErrorAnswers<Code>;
}

function errorAnswer(codes: readonly ErrorCode[]) {
  const message = z.string().openapi({ description: 'For people; it says what to do.' });
  const schema = z.object({ error: z.object({ code: z.enum(codes), message }) });
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    content: { 'application/json': { schema } },
  };
}
