/** HAProxy's command line over a unix socket: one connection, one line, one answer. */

import { connect } from 'node:net';
import { UnreachableError } from '../../control/errors.ts';

/** The runtime socket answers in milliseconds; one that takes this long is hanging. */
const answerTimeoutMs = 2_000;
/** 200 servers are about 100 KB; a peer that goes on talking is not HAProxy. */
const largestAnswerBytes = 16 * 1024 * 1024;
/** Half of HAProxy's line buffer: what exceeds the buffer would run as a command of its own (`tune.bufsize`). */
const longestLineBytes = 8_000;

/**
 * Sends commands as one line and reads until HAProxy closes the connection.
 *
 * The socket is not half-closed after the line: HAProxy ≥ 3.2 takes that for an interruption. Nothing is
 * sent twice, because a lost answer does not mean that the commands did not run.
 *
 * @param commands - Each without `;` and newline, which would make it two.
 * @returns The answers of all commands, one after the other; an error does not stop the commands behind it.
 * @throws UnreachableError when nobody listens, when it takes longer than 2 s or than `signal` allows, or
 * when nothing is answered. Ask again at the next tick.
 * @see https://docs.haproxy.org/2.6/management.html#9.3
 */
export async function ask(
  socketPath: string,
  commands: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const line = formatLine(commands);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
  if (deadline.aborted) {
    throw new UnreachableError(`HAProxy at ${socketPath} was not asked in time`, {
      cause: deadline.reason,
    });
  }

  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const socket = connect({ path: socketPath });
  const fail = (why: string, cause?: unknown): void => {
    reject(new UnreachableError(`HAProxy at ${socketPath} ${why}`, { cause }));
    socket.destroy();
  };
  const onAbort = (): void => fail('did not answer in time', deadline.reason);

  deadline.addEventListener('abort', onAbort, { once: true });
  socket.on('connect', () => socket.write(line));
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > largestAnswerBytes) {
      fail(`answered more than ${largestAnswerBytes} bytes`);
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => fail(describe(error), error));
  socket.on('close', () => {
    // Never trust an empty answer: even a successful `set` answers an empty line.
    if (bytes === 0) {
      fail('closed the connection without an answer');
    }
    resolve(Buffer.concat(chunks).toString('utf8'));
  });
  try {
    return await promise;
  } finally {
    deadline.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

/**
 * Splits commands into as few groups as fit a line each, `prefix` being sent before each group.
 *
 * @throws RangeError when one command alone does not fit.
 */
export function groupByLine(commands: readonly string[], prefix: string): readonly string[][] {
  const groups: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const command of commands) {
    const added = Buffer.byteLength(command) + 1;
    if (bytes + added > longestLineBytes) {
      groups.push([]);
      bytes = Buffer.byteLength(prefix) + 1;
    }
    groups.at(-1)?.push(command);
    bytes += added;
  }
  return groups;
}

function formatLine(commands: readonly string[]): string {
  const line = `${commands.join(';')}\n`;
  const bad = commands.find((command) => !/^[\x20-\x3a\x3c-\x7e]+$/.test(command));
  if (bad !== undefined || Buffer.byteLength(line) > longestLineBytes) {
    throw new RangeError(`not one line of HAProxy commands: ${JSON.stringify(bad ?? line.length)}`);
  }
  return line;
}

function describe(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'is not there: no such socket';
    case 'ECONNREFUSED':
      return 'does not listen: it is stopped, or just being reloaded';
    case 'EACCES':
      return 'refuses the connection: permission denied (the group of the "stats socket")';
    default:
      return `failed: ${error.message}`;
  }
}
