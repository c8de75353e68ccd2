/** `rackfire check --online`: are balancers and hosts what the config takes them for? */

import { checkBalancer, checkHost } from '../compose.ts';
import type { BalancerConfig, Config, XenHostConfig } from '../config/config.ts';
import { createSystemClock } from '../control/clock.ts';
import { ConfigError } from '../control/errors.ts';
import { EXIT } from './exit-codes.ts';
import { type Finding, printFindings } from './findings.ts';
import { HOST_DEADLINE_MS, judge, REACHING_HOST } from './host-check.ts';
import { print } from './print.ts';

/** What one balancer or host was found to be. */
export interface Answer {
  readonly kind: 'balancer' | 'host';
  readonly name: string;
  readonly driver: string;
  readonly isReached: boolean;
  readonly findings: readonly Finding[];
}

/** A handful of questions of milliseconds each; the daemon of a Data Plane API may need its 4 s for one. */
const BALANCER_DEADLINE_MS = 30_000;

/** Without one of these, a balancer is not reached. */
const REACHING_BALANCER = ['credentials', 'connection', 'login'];

/** Asks all of them at the same time. Embedded hosts are processes of this machine: there is nothing to ask. */
export async function askAll(config: Config): Promise<readonly Answer[]> {
  const xenHosts = config.hosts.filter((host) => host.driver === 'xen');
  return await Promise.all([
    ...config.balancers.map((balancer) => askBalancer(config, balancer)),
    ...xenHosts.map((host) => askHost(config, host)),
  ]);
}

async function askBalancer(config: Config, balancer: BalancerConfig): Promise<Answer> {
  const signal = AbortSignal.timeout(BALANCER_DEADLINE_MS);
  const findings = await checkBalancer(config, balancer, signal).catch((error: unknown) => {
    if (error instanceof ConfigError) {
      // A file that the config names.
      return [{ name: 'credentials', verdict: 'bad', text: error.message } as const];
    }
    throw error;
  });
  const { name, driver } = balancer;
  const isReached = !findings.some(isBadAmong(REACHING_BALANCER));
  return { kind: 'balancer', name, driver, isReached, findings };
}

async function askHost(config: Config, host: XenHostConfig): Promise<Answer> {
  const signal = AbortSignal.timeout(HOST_DEADLINE_MS);
  const findings = (await checkHost(config, host, createSystemClock(), signal)).map(judge);
  const { name, driver } = host;
  const isReached = !findings.some(isBadAmong(REACHING_HOST));
  return { kind: 'host', name, driver, isReached, findings };
}

function isBadAmong(names: readonly string[]): (finding: Finding) => boolean {
  return ({ name, verdict }) => verdict === 'bad' && names.includes(name);
}

/** Nothing there is to be fixed; what cannot be seen is not held against it. */
export function isFine({ findings }: Answer): boolean {
  return findings.every(({ verdict }) => verdict !== 'bad');
}

/** As of `host check`: what is not reached may be well otherwise, so that goes first. */
export function exitCodeFor(answers: readonly Answer[]): number {
  if (!answers.every(({ isReached }) => isReached)) {
    return EXIT.unreachable;
  }
  return answers.every(isFine) ? EXIT.done : EXIT.failed;
}

export function printAnswer(answer: Answer): void {
  const { kind, name, driver, findings } = answer;
  print('');
  print(`${kind} ${name} (${driver})`);
  printFindings(findings);
  const count = (verdict: Finding['verdict']): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const parts = [
    [count('bad'), 'to fix'],
    [count('warn'), 'to look at'],
    [count('unseen'), 'not seen'],
  ].flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`]));
  print(`${name}: ${parts.length === 0 ? 'as the config says' : parts.join(', ')}`);
}
