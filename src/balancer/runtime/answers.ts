/** Takes the answers of one command line apart. */

import { UnreachableError } from '../../control/errors.ts';

/** First on each line: from then on errors start with `[3]: `, so they are told apart from tables. */
export const numberSeverities = 'set severity-output number';

const message = /^\[([0-7])\]: (.*)$/;
/** Syslog: 0 to 4 are emergency … warning, 5 to 7 notice, info, debug. */
const mildestError = 4;

/**
 * Splits the answers of `show` commands that followed `numberSeverities`. Each ends with an empty line.
 *
 * @param count - The commands asked, without `numberSeverities`.
 * @throws UnreachableError when there are more or fewer answers, or the last one is not complete.
 */
export function splitAnswers(answer: string, count: number): readonly string[] {
  const blocks = answer.replace(/^\n/, '').split('\n\n');
  const tail = blocks.pop();
  if (!answer.startsWith('\n') || blocks.length !== count || tail !== '') {
    throw new UnreachableError(
      `HAProxy gave ${blocks.length} of ${count} answers: ${JSON.stringify(answer.slice(0, 120))}`,
    );
  }
  return blocks;
}

/** The error that stands in place of a table; undefined when it is a table. */
export function errorOf(block: string): string | undefined {
  const [, severity, text] = message.exec(block.trim()) ?? [];
  return severity === undefined || Number(severity) > mildestError ? undefined : text;
}

/**
 * Reads the answers of `set server … state` commands that followed `numberSeverities`: an empty line each,
 * or an error.
 *
 * @returns The errors. None does not prove that the states were set: read them back.
 * @throws UnreachableError when the answer is cut short or holds anything else, or when the socket may not
 * change states.
 */
export function readErrors(answer: string, count: number): readonly string[] {
  const lines = answer.split('\n');
  const errors: string[] = [];
  for (const line of lines) {
    const error = errorOf(line);
    if (error?.startsWith('Permission denied')) {
      throw new UnreachableError(
        'HAProxy permits no changes on this socket: its "stats socket" line needs "level admin"',
      );
    }
    if (error !== undefined) {
      errors.push(error);
    } else if (line !== '' && !message.test(line)) {
      throw new UnreachableError(`HAProxy gave an unknown answer: ${JSON.stringify(line)}`);
    }
  }
  // One newline for `numberSeverities` and at least one for each command.
  if (lines.length - 1 < count + 1) {
    throw new UnreachableError(`HAProxy gave fewer than ${count} answers`);
  }
  return errors;
}
