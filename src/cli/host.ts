/** `rackfire host`: one host tested, emptied for maintenance, and taken into use again. */

import type { Command } from 'commander';
import { OverridesAnswer } from '../http/override-answer.ts';
import type { SetExitCode } from './exit-codes.ts';
import { addHostCheck } from './host-check.ts';
import { addGiving, give, type GiveOptions, withdraw } from './overrides.ts';
import {
  addServiceOptions,
  addTokenOption,
  ServiceClient,
  type ServiceOptions,
} from './service-client.ts';

export function addHost(program: Command, setExitCode: SetExitCode): void {
  const host = program.command('host').description('test one host, empty it, take it back');
  addHostCheck(host, setExitCode);
  addGiving(
    host
      .command('drain')
      .description('place nothing on a host any more, and replace, drain and destroy its nodes')
      .argument('<name>', 'the host, as the config calls it'),
  ).action(async (name: string, options: GiveOptions) => {
    const client = await ServiceClient.create(options);
    await give(client, { kind: 'drain-host', host: name }, options);
  });
  const undrain = host
    .command('undrain')
    .description('use a host again before its drain has ended')
    .argument('<name>', 'the host, as the config calls it');
  addServiceOptions(addTokenOption(undrain)).action(
    async (name: string, options: ServiceOptions) => {
      await undrainHost(name, options);
    },
  );
}

/** @throws Error when it is not drained. */
async function undrainHost(name: string, options: ServiceOptions): Promise<void> {
  const client = await ServiceClient.create(options);
  const { value } = await client.get('/api/v1/overrides', OverridesAnswer);
  const drains = value.overrides.filter(({ kind }) => kind === 'drain-host');
  const meant = drains.filter(({ host }) => host === name);
  if (meant.length === 0) {
    const others = drains.map(({ host }) => host).join(', ');
    throw new Error(
      `host ${name} is not drained; ${others === '' ? 'none is' : `drained: ${others}`}`,
    );
  }
  await withdraw(client, meant, options);
}
