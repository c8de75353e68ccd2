import type { Command } from 'commander';
import { SERVER_TIMEOUT_MS } from '../balancer/haproxy/config-section.ts';
import { listEffective } from '../config/effective.ts';
import { findLints, type Lint } from '../config/lints.ts';
import { loadConfig } from '../config/load-config.ts';
import { InvalidConfigError } from '../config/problems.ts';
import { askAll, exitCodeFor, isFine, printAnswer } from './check-online.ts';
import { configOption } from './config-option.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { readExperience } from './experience.ts';
import { paint } from './page.ts';
import { print, printJson } from './print.ts';

interface CheckOptions {
  readonly config: string;
  readonly effective?: true;
  readonly online?: true;
  readonly json?: true;
}

/** `rackfire check`: is the config usable, what does it say in full, and is the world as it says? */
export function addCheck(program: Command, setExitCode: SetExitCode): void {
  program
    .command('check')
    .description('check a config file; every problem is listed with file, line and path')
    .addOption(configOption())
    .option('--effective', 'print every value in force and its origin')
    .option(
      '--online',
      'ask each balancer, each Xen host and the running service, too; changes nothing there',
    )
    .option('--json', 'print one JSON object')
    .action(async (options: CheckOptions) => {
      await check(options, setExitCode);
    });
}

async function check(options: CheckOptions, setExitCode: SetExitCode): Promise<void> {
  try {
    const loaded = await loadConfig(options.config);
    const answers = options.online === true ? await askAll(loaded.config) : [];
    const values = options.effective === true ? listEffective(loaded) : [];
    const learned = options.online === true ? await readExperience(loaded.config.http) : undefined;
    const wallMs = Date.now();
    const lints = findLints(loaded, { serverTimeoutMs: SERVER_TIMEOUT_MS, wallMs, ...learned });
    if (options.json === true) {
      printJson({
        ok: answers.every(isFine),
        problems: [],
        lints,
        ...(options.effective === true ? { values } : {}),
        ...(options.online === true ? { answers } : {}),
      });
      setExitCode(exitCodeFor(answers));
      return;
    }
    for (const { path, value, origin } of values) {
      print(`${path} = ${value}  (${origin})`);
    }
    print(`${options.config}: ok${lints.length === 0 ? '' : `, ${lints.length} to look at`}`);
    for (const lint of lints) {
      printLint(lint);
    }
    for (const answer of answers) {
      printAnswer(answer);
    }
    setExitCode(exitCodeFor(answers));
  } catch (error) {
    if (!(options.json === true && error instanceof InvalidConfigError)) {
      throw error;
    }
    printJson({ ok: false, problems: error.problems });
    setExitCode(EXIT.config);
  }
}

function printLint({ file, line, column, path, message, proposal }: Lint): void {
  print(paint('warn', `! ${file}:${line}:${column} ${path}: ${message}`));
  print(`    ${proposal}`);
}
