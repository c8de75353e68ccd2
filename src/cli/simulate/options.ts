/** What the command line says of a run in virtual time, whatever load it is about. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../../config/units.ts';
import { configOption } from '../config-option.ts';

export interface RunOptions {
  readonly config: string;
  readonly against?: string;
  readonly tier?: string;
  /** Milliseconds. */
  readonly bootDelay: number;
  readonly seed: number;
  readonly plot?: string;
  readonly json?: true;
}

const BOOT_DELAY_MAX_MS = 3_600_000;

export function addRunOptions(command: Command): Command {
  return command
    .addOption(configOption())
    .option('--against <file>', 'another config, whose policy is compared')
    .option('--tier <cluster/tier>', 'which tier, when the config has several')
    .addOption(
      new Option(
        '--boot-delay <duration>',
        'the median time from the order of a node until it serves',
      )
        .argParser(parseBootDelay)
        .default(45_000, '45s'),
    )
    .option('--seed <n>', 'of all that is drawn', parseSeed, 1)
    .option('--plot <file>', 'draw the run into this .svg file', parsePlot)
    .option('--json', 'print one JSON object');
}

/** An option's duration in milliseconds. @throws InvalidArgumentError */
export function parseDurationOption(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function parseBootDelay(text: string): number {
  const delayMs = parseDurationOption(text);
  if (delayMs > BOOT_DELAY_MAX_MS) {
    throw new InvalidArgumentError('Expected at most 1h.');
  }
  return delayMs;
}

function parseSeed(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text)) {
    throw new InvalidArgumentError('Expected a whole number from 0.');
  }
  return Number(text);
}

function parsePlot(text: string): string {
  if (!text.endsWith('.svg')) {
    throw new InvalidArgumentError('Expected a file name that ends in .svg.');
  }
  return text;
}
