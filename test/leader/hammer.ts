/**
 * Takes a lease and lets it go, as many times as it is told and as fast as it can, and counts what must not
 * be meanwhile: somebody else who holds it, too, and a file that names somebody else. One JSON line at the end.
 */

import { closeSync, openSync, unlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Holder, takeLease } from '../../src/leader/lease-file.ts';
import { isNewer, type Term } from '../../src/scaler/term.ts';

const [path = '', times = ''] = process.argv.slice(2);
let newestTerm: Term | undefined;
let taken = 0;
const wrong = { together: 0, misnamed: 0, notNewer: 0 };

/** Only one can have made this file. */
function isAlone(): boolean {
  try {
    closeSync(openSync(`${path}.alone`, 'wx'));
    unlinkSync(`${path}.alone`);
    return true;
  } catch {
    return false;
  }
}

/** SQLite's own connections spare each other's locks, so this one does not give the lease away. */
function isNamed({ pid, term }: Holder): boolean {
  const reader = new DatabaseSync(path, { readOnly: true });
  try {
    const row = reader.prepare('SELECT pid, transitions FROM lease').get();
    return row?.['pid'] === pid && row['transitions'] === term.transitions;
  } catch {
    // Nobody can keep a reader out while we hold the lock.
    return false;
  } finally {
    reader.close();
  }
}

// The bound is far above what others can keep it from: it is for a lease that nobody can take.
for (let attempt = 0; taken < Number(times) && attempt < 100_000; attempt += 1) {
  const { lease, holder } = takeLease(path, {
    pid: process.pid,
    hostName: 'here',
    nowMs: Date.now(),
    newestTerm: undefined,
  });
  if (lease !== undefined && holder !== undefined) {
    taken += 1;
    wrong.misnamed += isNamed(holder) ? 0 : 1;
    wrong.together += isAlone() ? 0 : 1;
    wrong.notNewer += newestTerm === undefined || isNewer(holder.term, newestTerm) ? 0 : 1;
    newestTerm = holder.term;
    lease.release();
  }
}
process.stdout.write(`${JSON.stringify({ taken, ...wrong })}\n`);
