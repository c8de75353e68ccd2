/** `rackfire balancer declare`: the servers that a backend lacks since the range of addresses grew. */

import type { Command } from 'commander';
import { listDeclarations } from '../balancer/haproxy/declarations.ts';
import { composeDataplaneBalancer, listScaledTiers } from '../compose.ts';
import type { Config, DataplaneBalancerConfig } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { ConfigError } from '../control/errors.ts';
import { configOption } from './config-option.ts';
import { print, printJson, say } from './print.ts';

interface DeclareOptions {
  readonly config: string;
  readonly json?: true;
}

/** Of one backend: its reload alone is waited for up to a minute. */
const DEADLINE_MS = 120_000;

export function addBalancerDeclare(balancer: Command): void {
  balancer
    .command('declare')
    .description('declare, in maintenance, the servers that HAProxy lacks; reloads it once each')
    .argument('<name>', 'the balancer, as the config calls it; one with `driver: dataplane`')
    .addOption(configOption())
    .option('--json', 'print one JSON object')
    .action(async (name: string, options: DeclareOptions) => {
      await declare(name, options);
    });
}

async function declare(name: string, options: DeclareOptions): Promise<void> {
  const { config } = await loadConfig(options.config);
  const balancer = composeDataplaneBalancer(
    config,
    findDataplane(config, name),
    createSystemClock(),
  );
  const backends: { readonly backend: string; readonly declared: readonly string[] }[] = [];
  for (const tier of listScaledTiers(config)) {
    const { backend } = tier;
    const servers = listDeclarations(tier);
    const declared = await balancer.declareServers(backend, servers, {
      signal: AbortSignal.timeout(DEADLINE_MS),
      onWritten: (names) => {
        say(`${backend}: wrote ${count(names)}, waiting for HAProxy to be reloaded`);
      },
    });
    backends.push({ backend, declared });
    if (options.json !== true) {
      const all = servers.map((server) => server.name);
      print(`${backend}: ${describe(declared, all)}`);
    }
  }
  if (options.json === true) {
    printJson({ balancer: name, backends });
  }
}

/** @throws ConfigError when there is no such balancer. Error when it is none that can be told. */
function findDataplane({ balancers }: Config, name: string): DataplaneBalancerConfig {
  const balancer = balancers.find((one) => one.name === name);
  if (balancer === undefined) {
    const names = balancers.map((one) => one.name).join(', ');
    throw new ConfigError(`the config has no balancer ${name}; it has ${names}`);
  }
  if (balancer.driver !== 'dataplane') {
    throw new Error(
      `balancer ${name} is driven by its runtime socket, and its servers stand in HAProxy's own file: take over what \`rackfire haproxy-config\` prints there, and reload HAProxy once`,
    );
  }
  return balancer;
}

function describe(declared: readonly string[], all: readonly string[]): string {
  return declared.length === 0
    ? `nothing to declare, all ${count(all)} are there`
    : `${count(declared)} declared (${abbreviate(declared, all)}), HAProxy was reloaded once`;
}

/** Three or more that follow each other are named by the first and the last. */
function abbreviate(declared: readonly string[], all: readonly string[]): string {
  const from = all.indexOf(declared[0] ?? '');
  const isRun = declared.every((name, index) => name === all[from + index]);
  return isRun && declared.length > 2 ? `${declared[0]} … ${declared.at(-1)}` : declared.join(', ');
}

function count(names: readonly string[]): string {
  return `${names.length} ${names.length === 1 ? 'server' : 'servers'}`;
}
