import type { Command } from 'commander';
import { dryRun } from '../compose.ts';
import { compileSize } from '../config/compile.ts';
import { loadConfig } from '../config/load-config.ts';
import type { WrittenConfig } from '../config/schema.ts';
import { createSystemClock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import { type Fit, measureCapacity, type SizeCapacity } from '../scaler/capacity.ts';
import type { Size } from '../scaler/cluster.ts';
import { configOption } from './config-option.ts';
import { paint, printTable } from './page.ts';
import { printJson } from './print.ts';
import { describeRefusal } from './troubles.ts';

interface CapacityOptions {
  readonly config: string;
  readonly json?: true;
}

/** Two readings of each host, as long as a busy dom0 may take for one, and the connection before them. */
const DEADLINE_MS = 60_000;

/** `rackfire capacity`: how many more nodes of each size fit, also with one host down, and what stops the next. */
export function addCapacity(program: Command): void {
  program
    .command('capacity')
    .description('how many more nodes of each size fit, also with one host down; changes nothing')
    .addOption(configOption())
    .option('--json', 'print one JSON object')
    .action(async (options: CapacityOptions) => {
      await showCapacity(options);
    });
}

/** @throws UnreachableError when a host does not answer: what is there is not known. */
async function showCapacity(options: CapacityOptions): Promise<void> {
  const { config, written } = await loadConfig(options.config);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  // What fits is a matter of hosts alone.
  const controller = await dryRun({ ...config, balancers: [] }, createSystemClock(), signal);
  const sizes = listSizes(written);
  const capacities = measureCapacity({ ...controller.capacityInput(), sizes });
  if (options.json === true) {
    const hosts = config.hosts.map(({ name }) => name);
    printJson({
      hosts,
      unanswered: controller.unanswered,
      sizes: capacities.map((one) => ({ ...one, oneHostDown: one.oneHostDown ?? null })),
    });
  } else {
    printCapacities(
      config.hosts.map(({ name }) => name),
      capacities,
    );
  }
  const { unanswered } = controller;
  if (unanswered.length > 0) {
    throw new UnreachableError(
      `only part of the capacity is known, no answer from ${unanswered.join('; ')}`,
    );
  }
}

function listSizes(written: WrittenConfig): readonly Size[] {
  return Object.keys(written.sizes).flatMap((name) => compileSize(name, written) ?? []);
}

function printCapacities(hosts: readonly string[], capacities: readonly SizeCapacity[]): void {
  const titles = ['SIZE', '', ...hosts, 'IN ALL', 'THE NEXT'].map((title) => paint('faint', title));
  printTable([
    titles,
    ...capacities.flatMap(({ size, now, oneHostDown }) => [
      [size.name, 'now', ...describeFit(hosts, now)],
      ...(oneHostDown === undefined
        ? []
        : [['', `${oneHostDown.host} down`, ...describeFit(hosts, oneHostDown)]]),
    ]),
  ]);
}

/** @param fit - With a host, it is down. */
function describeFit(
  hosts: readonly string[],
  fit: Fit & { readonly host?: string; readonly isCovered?: boolean },
): readonly string[] {
  const byHost = new Map(fit.hosts.map(({ host, nodes }) => [host, nodes]));
  return [
    ...hosts.map((host) => (host === fit.host ? '–' : String(byHost.get(host) ?? 0))),
    `${fit.nodes}${fit.next.why === 'looked-no-further' ? ' or more' : ''}`,
    fit.isCovered === false
      ? paint('bad', 'what must survive does not fit on the others')
      : describeNext(fit),
  ];
}

function describeNext({ next, host: down }: Fit & { readonly host?: string }): string {
  switch (next.why) {
    case 'fleet-limit':
      return 'limits.maxNodes';
    case 'looked-no-further':
      return 'fits';
    case 'no-host':
      return next.refusals
        .filter(({ host }) => host !== down)
        .map(describeRefusal)
        .join('; ');
  }
}
