import { CommanderError } from 'commander';
import { ConfigError, NotLeaderError, UnreachableError } from '../control/errors.ts';

/** The exit codes that scripts rely on. @see sysexits(3) for 69, 75 and 78 */
export const EXIT = {
  done: 0,
  /** It failed, was refused, or found something that is to be mended: so does a config that is worse than another. */
  failed: 1,
  usage: 2,
  /** The service, a host, a balancer or a Prometheus cannot be reached. */
  unreachable: 69,
  /** Another Rackfire leads; ask that one, or try again. */
  notLeader: 75,
  /** The config, or what else the command line names, cannot be used. */
  config: 78,
} as const;

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  if (error instanceof ConfigError) {
    return EXIT.config;
  }
  if (error instanceof NotLeaderError) {
    return EXIT.notLeader;
  }
  return error instanceof UnreachableError ? EXIT.unreachable : EXIT.failed;
}

/** Carries a command's exit code out of commander, which knows only success and exception. */
export type SetExitCode = (code: number) => void;
