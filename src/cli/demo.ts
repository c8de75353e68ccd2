import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../config/units.ts';
import { ConfigError } from '../control/errors.ts';
import { type RateCurve, stormCurve, traceCurve } from '../embedded/rate-curve.ts';
import { type DemoScript, playDemo } from './demo/play.ts';
import { tellResult } from './demo/summary.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { say } from './print.ts';

interface DemoOptions {
  readonly driver: DemoScript['driver'];
  readonly trace?: string;
  readonly peak: number;
  readonly compress: number;
  readonly bootDelay: number;
  readonly seed: number;
  readonly json?: true;
}

/** Base 100 rps, to 600 rps within 10 s, held for 60 s, and back. */
const STORM = { baseRps: 100, leadSeconds: 5, rampSeconds: 10, holdSeconds: 60, fallSeconds: 10 };

/** After the storm the base rate goes on until the nodes are back at the minimum, at most so long. */
const TAIL_SECONDS = 80;

/** What one machine can act out: each node is a process, each visitor a socket. */
const PEAK_RPS_MAX = 3_000;
const COMPRESS_MAX = 1_000;
const BOOT_DELAY_MAX_MS = 60_000;

/** `rackfire demo`: a storm on one machine, with a real HAProxy. */
export function addDemo(program: Command, setExitCode: SetExitCode): void {
  program
    .command('demo')
    .description('let a storm of requests hit a real HAProxy and watch Rackfire absorb it')
    .addOption(
      new Option('--driver <driver>', 'how HAProxy is driven: by its socket or its Data Plane API')
        .choices(['runtime', 'dataplane'])
        .default('runtime'),
    )
    .option('--trace <file>', 'replay the greatest rise of a CSV (second,rps or minute,requests)')
    .option('--peak <rps>', 'requests per second at the peak', numberUpTo(PEAK_RPS_MAX), 600)
    .option('--compress <n>', 'trace seconds per second', numberUpTo(COMPRESS_MAX), 1)
    .addOption(
      new Option('--boot-delay <duration>', 'from the order of a node until it serves')
        .argParser(bootDelay)
        .default(5_000, '5s'),
    )
    .option('--seed <n>', 'of the random arrivals', numberUpTo(Number.MAX_SAFE_INTEGER), 1)
    .option('--json', 'print the summary as one JSON object, the last line')
    .action(async (options: DemoOptions) => {
      const stop = new AbortController();
      const onSignal = (name: NodeJS.Signals): void => {
        if (stop.signal.aborted) {
          say('still tearing down, a few seconds at most');
        }
        stop.abort(name);
      };
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
      const result = await playDemo(
        {
          driver: options.driver,
          curve: await readCurve(options),
          returnsToMinimum: options.trace === undefined,
          peakRps: options.peak,
          bootDelayMs: options.bootDelay,
          seed: options.seed,
        },
        stop.signal,
      );
      tellResult(result, options.json === true);
      setExitCode(result.ok ? EXIT.done : EXIT.failed);
    });
}

async function readCurve(options: DemoOptions): Promise<RateCurve> {
  const { trace, peak, compress } = options;
  if (trace === undefined) {
    return stormCurve({ ...STORM, peakRps: peak, tailSeconds: TAIL_SECONDS });
  }
  const text = await readFile(trace, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`${trace} cannot be read: ${String(cause)}`, { cause });
  });
  try {
    return traceCurve(text, { peakRps: peak, compress });
  } catch (error) {
    throw error instanceof ConfigError
      ? new ConfigError(`${trace}: ${error.message}`, { cause: error })
      : error;
  }
}

function numberUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0 && value <= most)) {
      throw new InvalidArgumentError(`Expected a number above 0, at most ${most}.`);
    }
    return value;
  };
}

function bootDelay(text: string): number {
  let delayMs: number;
  try {
    delayMs = parseDurationMs(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  if (delayMs > BOOT_DELAY_MAX_MS) {
    throw new InvalidArgumentError(
      'Expected at most 60s: the demo itself ends after three minutes.',
    );
  }
  return delayMs;
}
