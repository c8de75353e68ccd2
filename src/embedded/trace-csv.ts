import { ConfigError } from '../control/errors.ts';

/** A recorded load, as a count of requests that grows over time. */
export interface Trace {
  readonly startSecond: number;
  readonly endSecond: number;
  /** The usual length of a row. */
  readonly rowSeconds: number;
  /** The row that covers most time, and its line: where rows are missing, the one before them covers theirs. */
  readonly longestRow: { readonly line: number; readonly seconds: number };
  /** Requests from the trace's start to an instant within it; within a row they come evenly. */
  readonly requestsUntil: (second: number) => number;
}

/** More is no time and no load, and sums of such numbers are none. */
const HIGHEST = 1e12;

/** What the two kinds of files count, and in which unit of time. */
const HEADERS: ReadonlyMap<string, { secondsPerUnit: number; counts: 'rate' | 'requests' }> =
  new Map([
    ['second,rps', { secondsPerUnit: 1, counts: 'rate' }],
    ['minute,requests', { secondsPerUnit: 60, counts: 'requests' }],
  ]);

/**
 * Reads a trace: CSV with a header `second,rps` or `minute,requests`, in which each row covers the time to
 * the next one, and the last row as much as the one before it. Empty lines at the end are allowed.
 *
 * @throws ConfigError with the line and what was expected there.
 */
export function parseTrace(csvText: string): Trace {
  const lines = csvText.trimEnd().split(/\r?\n/);
  const header = (lines[0] ?? '').replace(/^\uFEFF/, '').trim();
  const kind = HEADERS.get(header);
  if (kind === undefined) {
    throw new ConfigError(
      `line 1: expected the header second,rps or minute,requests, found ${quote(header)}`,
    );
  }
  const times: number[] = [];
  const values: number[] = [];
  for (const [index, line] of lines.entries()) {
    if (index > 0) {
      const [time, value] = parseRow(line, index + 1, header);
      const previous = times.at(-1);
      if (previous !== undefined && time <= previous / kind.secondsPerUnit) {
        throw new ConfigError(
          `line ${index + 1}: expected a time after ${previous / kind.secondsPerUnit}, found ${time}`,
        );
      }
      times.push(time * kind.secondsPerUnit);
      values.push(value);
    }
  }
  if (times.length < 2) {
    throw new ConfigError(
      `line ${lines.length + 1}: expected at least two rows, as each covers the time to the next`,
    );
  }
  return accumulate(times, values, kind.counts);
}

function parseRow(line: string, number: number, header: string): readonly [number, number] {
  const match = /^([0-9]+(?:\.[0-9]+)?),([0-9]+(?:\.[0-9]+)?)$/.exec(line.replaceAll(' ', ''));
  if (match === null) {
    throw new ConfigError(
      `line ${number}: expected two numbers of at least 0, as in ${quote(`${header.startsWith('second') ? '60' : '5'},120`)}, found ${quote(line)}`,
    );
  }
  const [time, value] = [Number(match[1]), Number(match[2])];
  if (Math.max(time, value) > HIGHEST) {
    throw new ConfigError(
      `line ${number}: expected numbers of at most ${HIGHEST}, found ${quote(line)}`,
    );
  }
  return [time, value];
}

function accumulate(
  times: readonly number[],
  values: readonly number[],
  counts: 'rate' | 'requests',
): Trace {
  const lengths = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  lengths.push(lengths.at(-1) ?? 0);
  const ends = times.map((time, index) => time + (lengths[index] ?? 0));

  // One more entry than rows: requests before each row, and before the end.
  const before = new Float64Array(times.length + 1);
  for (const [index, value] of values.entries()) {
    const requests = counts === 'rate' ? value * (lengths[index] ?? 0) : value;
    before[index + 1] = (before[index] ?? 0) + requests;
  }
  const sorted = lengths.toSorted((a, b) => a - b);
  const longest = sorted.at(-1) ?? 0;

  return {
    startSecond: times[0] ?? 0,
    endSecond: ends.at(-1) ?? 0,
    rowSeconds: sorted[sorted.length >>> 1] ?? 0,
    // The first line is the header, and lines are counted from 1.
    longestRow: { line: lengths.indexOf(longest) + 2, seconds: longest },
    requestsUntil: (second) => {
      const row = findRow(times, second);
      const share = (second - (times[row] ?? 0)) / (lengths[row] ?? 1);
      const first = before[row] ?? 0;
      return first + ((before[row + 1] ?? first) - first) * Math.min(Math.max(share, 0), 1);
    },
  };
}

/** The last row that has begun by an instant. */
function findRow(times: readonly number[], second: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((times[middle] ?? 0) <= second) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/** As an error shows it: a binary file or an endless line must not fill the screen. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
