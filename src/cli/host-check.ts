import type { Command } from 'commander';
import { checkHost } from '../compose.ts';
import type { Config, XenHostConfig } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { ConfigError } from '../control/errors.ts';
import { configOption } from './config-option.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { type Finding, printFindings } from './findings.ts';
import { print, printJson } from './print.ts';

interface CheckOptions {
  readonly config: string;
  readonly json?: true;
}

export type HostFindings = Awaited<ReturnType<typeof checkHost>>;

/** A handshake, a look at all that a busy dom0 has, and one more question for each image. */
export const HOST_DEADLINE_MS = 120_000;

/** What a connection needs before rackfire-dom0 can answer: without one of these, the host is not reached. */
export const REACHING_HOST = [
  'key file',
  'known hosts',
  'connection',
  'host key',
  'login',
  'wrapper',
];

/** `rackfire host check`: is a dom0 ready, and if not, what is to be done there? */
export function addHostCheck(program: Command, setExitCode: SetExitCode): void {
  program
    .command('check')
    .description('test a Xen host from end to end; changes nothing and says what to fix')
    .argument('<name>', 'the host, as the config calls it')
    .addOption(configOption())
    .option('--json', 'print one JSON object')
    .action(async (name: string, options: CheckOptions) => {
      await check(name, options, setExitCode);
    });
}

async function check(name: string, options: CheckOptions, setExitCode: SetExitCode): Promise<void> {
  const { config } = await loadConfig(options.config);
  const host = findXenHost(config, name);
  const signal = AbortSignal.timeout(HOST_DEADLINE_MS);
  const findings = await checkHost(config, host, createSystemClock(), signal);
  const bad = findings.filter(({ ok }) => !ok);
  if (options.json === true) {
    printJson({ host: name, ok: bad.length === 0, findings });
  } else {
    printReport(name, findings);
  }
  if (bad.length > 0) {
    const isReached = !bad.some((finding) => REACHING_HOST.includes(finding.name));
    setExitCode(isReached ? EXIT.failed : EXIT.unreachable);
  }
}

/** @throws ConfigError when there is nothing to be tested. */
function findXenHost({ hosts }: Config, name: string): XenHostConfig {
  const host = hosts.find((one) => one.name === name);
  if (host === undefined) {
    const names = hosts.map((one) => one.name).join(', ');
    throw new ConfigError(`the config has no host ${name}; it has ${names}`);
  }
  if (host.driver !== 'xen') {
    throw new ConfigError(
      `host ${name} is ${host.driver}: its nodes are processes of this machine`,
    );
  }
  return host;
}

function printReport(name: string, findings: HostFindings): void {
  printFindings(findings.map(judge));
  const bad = findings.filter(({ ok }) => !ok).length;
  print(
    bad === 0
      ? `${name}: ready for nodes`
      : `${name}: not ready, ${bad} ${bad === 1 ? 'thing' : 'things'} to fix`,
  );
}

/** One that is well and has something to do all the same is a warning. */
export function judge({ name, ok, text, fix }: HostFindings[number]): Finding {
  const verdict = ok ? (fix === undefined ? 'ok' : 'warn') : 'bad';
  return { name, verdict, text, ...(fix === undefined ? {} : { fix }) };
}
