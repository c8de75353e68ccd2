/** `rackfire balancer`: one balancer left out of account, and taken back. */

import type { Command } from 'commander';
import { OverridesAnswer } from '../http/override-answer.ts';
import { addGiving, give, type GiveOptions, withdraw } from './overrides.ts';
import {
  addServiceOptions,
  addTokenOption,
  ServiceClient,
  type ServiceOptions,
} from './service-client.ts';

export function addBalancer(program: Command): void {
  const balancer = program
    .command('balancer')
    .description('leave one balancer out of account, take it back');
  addGiving(
    balancer
      .command('exclude')
      .description('count nothing that a balancer says, and wait for it with nothing')
      .argument('<name>', 'the balancer, as the config calls it'),
  ).action(async (name: string, options: GiveOptions) => {
    const client = await ServiceClient.create(options);
    await give(client, { kind: 'exclude-balancer', balancer: name }, options);
  });
  const include = balancer
    .command('include')
    .description('take a balancer into account again before its exclusion has ended')
    .argument('<name>', 'the balancer, as the config calls it');
  addServiceOptions(addTokenOption(include)).action(
    async (name: string, options: ServiceOptions) => {
      await includeBalancer(name, options);
    },
  );
}

/** @throws Error when it is not excluded. */
async function includeBalancer(name: string, options: ServiceOptions): Promise<void> {
  const client = await ServiceClient.create(options);
  const { value } = await client.get('/api/v1/overrides', OverridesAnswer);
  const exclusions = value.overrides.filter(({ kind }) => kind === 'exclude-balancer');
  const meant = exclusions.filter(({ balancer }) => balancer === name);
  if (meant.length === 0) {
    const others = exclusions.map(({ balancer }) => balancer).join(', ');
    throw new Error(
      `balancer ${name} is not excluded; ${others === '' ? 'none is' : `excluded: ${others}`}`,
    );
  }
  await withdraw(client, meant, options);
}
