import type { Command } from 'commander';
import { composeHaproxyConfig } from '../compose.ts';
import { loadConfig } from '../config/load-config.ts';
import { ConfigError } from '../control/errors.ts';
import { configOption } from './config-option.ts';

interface HaproxyConfigOptions {
  readonly config: string;
  readonly balancer?: string;
}

/** `rackfire haproxy-config`: what has to stand in HAProxy's own config. */
export function addHaproxyConfig(program: Command): void {
  program
    .command('haproxy-config')
    .description('print the HAProxy sections that a config needs; they pass haproxy -c')
    .addOption(configOption())
    .option('--balancer <name>', 'which balancer, when the config has several')
    .action(async (options: HaproxyConfigOptions) => {
      const { config } = await loadConfig(options.config);
      const names = config.balancers.map(({ name }) => name);
      const wanted = options.balancer ?? (names.length === 1 ? names[0] : undefined);
      const balancer = config.balancers.find(({ name }) => name === wanted);
      if (balancer === undefined) {
        const unknown = wanted === undefined ? '' : `there is no balancer ${wanted}; `;
        throw new ConfigError(
          `${options.config}: ${unknown}say which balancer by --balancer, one of ${names.join(', ')}`,
        );
      }
      process.stdout.write(composeHaproxyConfig(config, balancer));
    });
}
