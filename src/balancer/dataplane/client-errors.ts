/** What a question to the Data Plane API can come to: the class says what to do next, the message what happened. */

export class DataplaneError extends Error {
  /** The HTTP status; `undefined` when there was no answer. */
  readonly status: number | undefined;
  override get name(): string {
    return this.constructor.name;
  }

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** No answer; whether the daemon did what it was asked is not known. Look before asking again. */
export class NoAnswerError extends DataplaneError {}

/** The daemon does not take this user, password or client certificate. A person must act. */
export class UnauthorizedError extends DataplaneError {}

/** Somebody else changed the configuration since its version was read. Read again, then repeat. */
export class VersionConflictError extends DataplaneError {}

/** It is there already. Compare it with what was asked. */
export class AlreadyExistsError extends DataplaneError {}

/** The configuration moved on under this transaction, which can never be committed. Start another one. */
export class OutdatedTransactionError extends DataplaneError {}

/** Too many transactions are open, of whomever. End the own ones; try again a little later. */
export class TooManyTransactionsError extends DataplaneError {}

/** The daemon or HAProxy has nothing of this name. Declare it, or ask for something else. */
export class NotFoundError extends DataplaneError {}

/** What was asked is not valid, or HAProxy would not start with it. The same would be refused again. */
export class InvalidError extends DataplaneError {}

/** The daemon failed, or answered what this client does not understand. Ask again later. */
export class DaemonError extends DataplaneError {}

const longestMessage = 400;

/**
 * Reads an answer that is no success.
 *
 * A 401 of the 2.x releases quotes the password that was sent, so no 401's text is repeated.
 *
 * @param what - What was asked, as `PUT /v3/…`.
 * @param body - The answer's text.
 */
export function errorOf(what: string, status: number, body: string): DataplaneError {
  if (status === 401 || status === 403) {
    return new UnauthorizedError(
      `${what}: the daemon does not accept this user and password`,
      status,
    );
  }
  const text = messageOf(body);
  const message = `${what} was answered with ${status}${text === '' ? '' : `: ${text}`}`;
  switch (status) {
    case 400:
    case 422:
      return new InvalidError(message, status);
    case 404:
      return new NotFoundError(message, status);
    case 406:
      return new OutdatedTransactionError(message, status);
    case 409:
      // Of a version that moved on: "version mismatch: …" (2.9, 3.2), "15: version in configuration file is …" (2.7).
      return /already exists/i.test(text)
        ? new AlreadyExistsError(message, status)
        : new VersionConflictError(message, status);
    case 429:
      return new TooManyTransactionsError(message, status);
    default:
      // 2.9 answers 500 where 3.x answers 404.
      return status >= 500 && /not found|no such (backend|server)|can't find/i.test(text)
        ? new NotFoundError(message, status)
        : new DaemonError(message, status);
  }
}

function messageOf(body: string): string {
  let text = body;
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json === 'object' && json !== null && 'message' in json) {
      text = String(json.message);
    }
  } catch {
    // Of a proxy in front of the daemon, which answers HTML.
  }
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, longestMessage);
}
