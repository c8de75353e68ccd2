import { readFile } from 'node:fs/promises';
import { ConfigError } from '../../control/errors.ts';
import { parseTrace, type Trace } from '../../embedded/trace-csv.ts';
import { say } from '../print.ts';

/** What lies beyond six digits is left of adding fractions up. */
const DIGITS = 1e6;

/** A row that covers more than this multiple of the usual time stands before a gap. */
const GAP_FACTOR = 1.5;

/**
 * The requests of each second of a trace, as they stand there: nothing is drawn. Where rows are missing, that
 * is said.
 *
 * @throws ConfigError when the file cannot be read or is no trace, with the line.
 */
export async function readArrivals(file: string): Promise<Float64Array> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`${file} cannot be read: ${String(cause)}`, { cause });
  });
  let trace: Trace;
  try {
    trace = parseTrace(text);
  } catch (error) {
    throw error instanceof ConfigError
      ? new ConfigError(`${file}: ${error.message}`, { cause: error })
      : error;
  }
  const { longestRow, rowSeconds } = trace;
  if (longestRow.seconds > GAP_FACTOR * rowSeconds) {
    say(
      `${file}: line ${longestRow.line}: ${longestRow.seconds} s to the next row, where ${rowSeconds} s are usual; what stands there is taken for all of that time`,
    );
  }
  return arrivalsOf(trace);
}

function arrivalsOf({ startSecond, endSecond, requestsUntil }: Trace): Float64Array {
  const arrivals = new Float64Array(Math.ceil(endSecond - startSecond));
  let before = 0;
  for (const second of arrivals.keys()) {
    const until = requestsUntil(Math.min(startSecond + second + 1, endSecond));
    arrivals[second] = Math.round((until - before) * DIGITS) / DIGITS;
    before = until;
  }
  return arrivals;
}
