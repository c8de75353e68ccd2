import { UnreachableError } from '../control/errors.ts';

/** How far an SSH connection came before it failed. */
export type ConnectStep = 'key-file' | 'known-hosts' | 'network' | 'host-key' | 'login';

/** Why there is no connection to a host, and what a person does about it. */
export class ConnectFailure extends UnreachableError {
  readonly step: ConnectStep;
  readonly text: string;
  readonly fix: string;

  constructor(step: ConnectStep, text: string, fix: string) {
    super(`${text}; ${fix}`);
    this.step = step;
    this.text = text;
    this.fix = fix;
  }
}

/** `ENOENT` and its like. */
export function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown';
}
