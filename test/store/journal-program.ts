/**
 * A program that keeps a journal and nothing else, to be killed or limited: `node journal-program.ts FILE`. It says
 * an event every few milliseconds, and on its output, a line of JSON each, what it hears of the journal's health
 * and which event is kept for certain.
 */

import { createSystemClock } from '../../src/control/clock.ts';
import { openJournal } from '../../src/store/journal.ts';

const [path = ''] = process.argv.slice(2);
const clock = createSystemClock();

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const journal = openJournal({
  path,
  retentionMs: 86_400_000,
  maxBytes: 2 ** 30,
  clock,
  paceMs: 20,
  onHealth: ({ state, why }) => tell({ state, why }),
});

for (let number = 1; ; number += 1) {
  const text = 'x'.repeat(500);
  journal.appendEvent({
    atMs: clock.wallMs(),
    level: 'info',
    msg: String(number),
    fields: { text },
  });
  await clock.sleep(2, new AbortController().signal);
  if (number % 20 === 0) {
    const kept = await journal.events({ limit: 1 }).catch(() => []);
    tell({ kept: Number(kept[0]?.msg ?? 0) });
  }
}
