/** Whatever was decided, and kept, is decided again from the journal alone. */

import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import type { KeptDecision } from '../../src/control/ports.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { JournalFile } from '../../src/store/journal-file.ts';
import { readDecision } from '../../src/store/records.ts';

const ALL = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER, limit: 100_000 };

/** @param tier - `cluster/tier`. @returns All that were kept, the oldest first, each the same to the byte. */
export function expectSameDecisions(path: string, tier: string): readonly KeptDecision[] {
  if (!existsSync(path)) {
    return [];
  }
  const file = JournalFile.openToRead(path);
  try {
    const kept = file.read.decisions(tier, ALL).map(readDecision);
    for (const { tier: asKept, mode, observation, memory, tick } of kept) {
      const again = tickTier(asKept, mode, observation, memory);
      expect(JSON.stringify(again)).toBe(JSON.stringify(tick));
    }
    return kept;
  } finally {
    file.close();
  }
}
