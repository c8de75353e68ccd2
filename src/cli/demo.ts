import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../config/units.ts';
import { ConfigError } from '../control/errors.ts';
import { type RateCurve, stormCurve, traceCurve } from '../embedded/rate-curve.ts';
import { playDemo } from './demo/play.ts';
import { printSummary } from './demo/summary.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { printJson } from './print.ts';

interface DemoOptions {
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

/** `rackfire demo`: a storm on one machine, with a real HAProxy. */
export function addDemo(program: Command, setExitCode: SetExitCode): void {
  program
    .command('demo')
    .description('let a storm of requests hit a real HAProxy and watch Rackfire absorb it')
    .option('--trace <file>', 'replay the greatest rise of a CSV (second,rps or minute,requests)')
    .option('--peak <rps>', 'requests per second at the peak', positive, 600)
    .option('--compress <n>', 'trace seconds per second', positive, 1)
    .option('--boot-delay <duration>', 'from the order of a node until it serves', duration, 5_000)
    .option('--seed <n>', 'of the random arrivals', positive, 1)
    .option('--json', 'print the summary as one JSON object, the last line')
    .action(async (options: DemoOptions) => {
      const stop = new AbortController();
      const onSignal = (name: NodeJS.Signals): void => stop.abort(name);
      process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
      const result = await playDemo(
        {
          curve: await readCurve(options),
          returnsToMinimum: options.trace === undefined,
          peakRps: options.peak,
          bootDelayMs: options.bootDelay,
          seed: options.seed,
        },
        stop.signal,
      );
      if (options.json === true) {
        printJson(result.summary);
      } else {
        printSummary(result);
      }
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

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('expected a number above 0');
  }
  return value;
}

function duration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
