import type { Command } from 'commander';
import { ReloadAnswer } from '../http/reload-answer.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { print, say } from './print.ts';
import {
  addServiceOptions,
  addTokenOption,
  ServiceClient,
  type ServiceOptions,
} from './service-client.ts';
import { listProblems } from './troubles.ts';

/** `rackfire reload`: the service reads its config anew. */
export function addReload(program: Command, setExitCode: SetExitCode): void {
  const command = program
    .command('reload')
    .description(
      'let the running service read its config anew; a file that cannot be used changes nothing',
    );
  addServiceOptions(addTokenOption(command)).action(async (options: ServiceOptions) => {
    await reload(options, setExitCode);
  });
}

async function reload(options: ServiceOptions, setExitCode: SetExitCode): Promise<void> {
  const client = await ServiceClient.create(options);
  const { text, value } = await client.post('/api/v1/config/reload', {}, ReloadAnswer);
  if (value.outcome === 'refused') {
    setExitCode(EXIT.config);
  }
  if (options.json === true) {
    print(text);
    return;
  }
  switch (value.outcome) {
    case 'unchanged':
      print('the config says the same as before');
      return;
    case 'refused':
      say('rackfire: config refused, the last good one stays');
      listProblems(value.refusal).forEach(say);
      return;
    case 'applied':
      for (const { path, from, to } of value.changes) {
        const note = value.atNextStart.includes(path) ? '  (at the next start of the service)' : '';
        print(`${path}: ${from ?? '(nothing)'} → ${to ?? '(nothing)'}${note}`);
      }
  }
}
