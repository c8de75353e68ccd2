/** One class per consequence: what the caller does next is the class, what happened is the message. */

/** Of the world or of what was asked, and expected: its message says all. Any other error is a defect. */
export abstract class RackfireError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The host or balancer did not answer, or not sensibly. Skip it this tick and ask again. */
export class UnreachableError extends RackfireError {
  readonly code = 'unreachable';
}

/** The order was understood and refused or failed there for good. Place it elsewhere. */
export class RefusedError extends RackfireError {
  readonly code = 'refused';
}

/** A node's name or address is somebody else's. Touch nothing, leave its number alone for a while, say so. */
export class ConflictError extends RackfireError {
  readonly code = 'conflict';
}

/** The world is no longer what the action was planned for. Drop the action; the next tick plans anew. */
export class PreconditionError extends RackfireError {
  readonly code = 'precondition';
}

/** The order was sent and its answer was lost. It may still be running: wait for a snapshot. */
export class OutcomeUnknownError extends RackfireError {
  readonly code = 'outcome-unknown';
}

/** Another process leads. Ask that one, or try again when it has ended. */
export class NotLeaderError extends RackfireError {
  readonly code = 'not-leader';
}

/** The config, or what the command line asks for, cannot be used. Exit 78 and say where. */
export class ConfigError extends RackfireError {
  readonly code = 'config';
}
