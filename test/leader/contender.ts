/**
 * A process that contends for leases as it is told, one line each: `open PATH`, `close`. It says what
 * happens in JSON lines. When its input ends, so does it: no test leaves one behind.
 */

import { createInterface } from 'node:readline';
import { createSystemClock } from '../../src/control/clock.ts';
import { createFileLeadership, type FileLeadership } from '../../src/leader/file-lock.ts';

let leadership: FileLeadership | undefined;
let lastTerm = '';
let lastLedMs = 0;

/** The same clock for all processes of a machine. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function say(event: string, more: object): void {
  const report = { event, pid: process.pid, atMs: nowMs(), ...more };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function open(path: string): void {
  try {
    const opened = createFileLeadership({
      path,
      clock: createSystemClock(),
      onChange: (standing) => say('standing', { standing }),
    });
    leadership = opened;
    void opened.started.then((as) => say('started', { as, holder: opened.holder() }));
  } catch (error) {
    say('failed', { message: String(error) });
  }
}

/**
 * As the loop does before each action; far more often, to see when it changes. A process that gets no time sees late
 * that it leads no more, but has not acted meanwhile either: what counts is when it last would have.
 */
function watchTerm(): void {
  const askedMs = nowMs();
  const term = leadership?.term() ?? null;
  if (term !== null) {
    lastLedMs = askedMs;
  }
  if (JSON.stringify(term) !== lastTerm) {
    lastTerm = JSON.stringify(term);
    say('term', { term, lastLedMs });
  }
}

async function obey(line: string): Promise<void> {
  const [order = '', path = ''] = line.split(' ');
  if (order === 'open') {
    open(path);
  } else {
    await leadership?.close();
    leadership = undefined;
    watchTerm();
    say('closed', {});
  }
}

const user = process.argv[2];
if (user !== undefined) {
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
setInterval(watchTerm, 5);
say('ready', {});
for await (const line of createInterface({ input: process.stdin })) {
  await obey(line);
}
process.exit(0);
