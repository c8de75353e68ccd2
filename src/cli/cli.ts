import { Command, CommanderError } from 'commander';
import { addBacktest } from './backtest.ts';
import { addBalancer } from './balancer.ts';
import { addCapacity } from './capacity.ts';
import { addCheck } from './check.ts';
import { addDemo } from './demo.ts';
import { EXIT, exitCodeOf, type SetExitCode } from './exit-codes.ts';
import { addEvents } from './events.ts';
import { addExplain } from './explain.ts';
import { addHaproxyConfig } from './haproxy-config.ts';
import { addHost } from './host.ts';
import { addOverrides } from './overrides.ts';
import { addPlan } from './plan.ts';
import { addReload } from './reload.ts';
import { addRun } from './run.ts';
import { addSimulate } from './simulate.ts';
import { addStatus } from './status.ts';
import { readVersion } from './version.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, refused or (backtest) worse, 2 usage, 69 the service, a host, a balancer or a
Prometheus cannot be reached, 75 another Rackfire leads, 78 config, token file or what else is named.`;

/**
 * Reads the command line and carries one command out.
 *
 * @param argv - As `process.argv`. @returns The exit code; errors have been printed.
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const setExitCode: SetExitCode = (code) => {
    exitCode = code;
  };
  const program = createProgram(setExitCode);
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    // Commander has printed its own complaint.
    if (!(error instanceof CommanderError)) {
      process.stderr.write(`rackfire: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    return exitCodeOf(error);
  }
}

/** All commands, their arguments and options. */
export function createProgram(setExitCode: SetExitCode): Command {
  const program = new Command('rackfire')
    .description(
      'Keeps virtual clusters of web nodes behind HAProxy at the size that their traffic needs.',
    )
    .version(readVersion())
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride();
  const commands = [
    addRun,
    addStatus,
    addExplain,
    addEvents,
    addOverrides,
    addHost,
    addBalancer,
    addReload,
    addCheck,
    addPlan,
    addCapacity,
    addHaproxyConfig,
    addSimulate,
    addBacktest,
    addDemo,
  ];
  for (const add of commands) {
    add(program, setExitCode);
  }
  return program;
}
