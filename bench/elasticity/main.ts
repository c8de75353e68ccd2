/**
 * `npm run bench:elasticity`: Rackfire against every peer, on generated storms and on the traces of a folder, next
 * to perfect foresight. Tables on stdout, progress on stderr; needs no network.
 */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from '../../src/control/errors.ts';
import { FULL, planRest, planSweep, planVariants, QUICK } from './plan.ts';
import { drawPlots } from './plots.ts';
import { carryOutAll } from './pool.ts';
import { printReport } from './print.ts';
import { reportOn } from './report.ts';
import type { Task, TaskResult, Traces } from './task.ts';
import { readTrace } from './trace-load.ts';

const USAGE =
  'usage: npm run bench:elasticity -- [--traces DIR] [--quick] [--json FILE] [--plots DIR]';

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const options = readOptions();
  const extent = options.quick === true ? QUICK : FULL;
  const traces = options.traces === undefined ? new Map() : await readTraces(options.traces);
  const names = [...traces.keys()];
  const startedAt = performance.now();

  const sweep = await run('sweep of targets', planSweep(extent, names), traces);
  const rest = await run('further seeds', planRest(extent, names, sweep), traces);
  const variants = await run('other boots', planVariants(extent, names), traces);
  const report = reportOn(sweep, rest, variants);
  process.stdout.write(printReport(report));
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  if (options.plots !== undefined) {
    await mkdir(options.plots, { recursive: true });
    for (const [name, svg] of drawPlots(report, traces)) {
      await writeFile(join(options.plots, name), svg);
    }
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  process.stderr.write(`done in ${seconds.toFixed(0)} s\n`);
}

/** @throws ConfigError when an option is unknown or lacks its value. */
function readOptions(): {
  readonly traces?: string;
  readonly quick?: boolean;
  readonly json?: string;
  readonly plots?: string;
} {
  try {
    return parseArgs({
      options: {
        traces: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        plots: { type: 'string' },
      },
    }).values;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${why}\n${USAGE}`);
  }
}

/** @throws ConfigError when the folder cannot be read, has no traces, or has a file that is none. */
async function readTraces(folder: string): Promise<Traces> {
  let files: readonly string[];
  try {
    files = (await readdir(folder)).filter((file) => file.endsWith('.csv')).toSorted();
  } catch (error) {
    throw new ConfigError(`cannot read the folder of traces ${folder}`, { cause: error });
  }
  if (files.length === 0) {
    throw new ConfigError(`${folder} has no traces: no file there ends in .csv`);
  }
  const traces = new Map<string, ReturnType<typeof readTrace>>();
  for (const file of files) {
    progress(`reading ${file}`);
    const text = await readFile(join(folder, file), 'utf8');
    try {
      traces.set(file.slice(0, -'.csv'.length), readTrace(text));
    } catch (error) {
      if (error instanceof ConfigError) {
        throw new ConfigError(`${join(folder, file)}: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }
  return traces;
}

async function run(
  what: string,
  tasks: readonly Task[],
  traces: Traces,
): Promise<readonly TaskResult[]> {
  const results = await carryOutAll(tasks, traces, (done) => {
    progress(`${what}: ${done} of ${tasks.length} loads`);
  });
  if (tasks.length > 0) {
    process.stderr.write('\n');
  }
  return results;
}

/** One line, written over and over on a terminal; a log gets every line. */
function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${text}` : `${text}\n`);
}
