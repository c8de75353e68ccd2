import { Option } from 'commander';

/** The config file of a command that does its work itself, from the same place as those that ask the service. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'the config file')
    .env('RACKFIRE_CONFIG')
    .makeOptionMandatory();
}
