import { readFile } from 'node:fs/promises';
import { ConfigError } from '../../control/errors.ts';
import { parseTrace, type Trace } from '../../embedded/trace-csv.ts';
import { say } from '../print.ts';

/** What lies beyond six digits is left of adding fractions up. */
const DIGITS = 1e6;

/** Each second takes its time and memory; a typing error in a row's time must not ask for all there is. */
const MOST_DAYS = 100;

/** A row that covers more than this multiple of the usual time stands before a gap. */
const GAP_FACTOR = 1.5;

/**
 * The requests of each second of a trace, as they stand there: nothing is drawn. Where rows are missing, that
 * is said.
 *
 * @throws ConfigError when the file cannot be read, is no trace, or is one of more than 100 days, with the line.
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
  const days = (trace.endSecond - trace.startSecond) / 86_400;
  if (days > MOST_DAYS) {
    throw new ConfigError(
      `${file}: expected at most ${MOST_DAYS} days, found ${Math.ceil(days)}: the longest row is in line ${longestRow.line}; mend it, or cut out the days in question`,
    );
  }
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
