/** What is kept, as it goes from the loop's thread to the journal's: strings and numbers, quick to hand over. */

import type { EventRecord } from '../control/events.ts';
import type { KeptDecision } from '../control/ports.ts';
import { readExactly } from './exact-json.ts';
import type { SampleRow } from './tier-samples.ts';

export interface SampleRecord {
  readonly kind: 'sample';
  /** `cluster/tier`. */
  readonly tier: string;
  readonly row: SampleRow;
}

export interface DecisionRecord {
  readonly kind: 'decision';
  readonly tier: string;
  /** Wall clock. */
  readonly atMs: number;
  /** JSON of the mode and the tier's config: the same text for as long as they do not change. */
  readonly setup: string;
  /** JSON of observation, memory and tick. */
  readonly content: string;
}

export interface EventEntry {
  readonly kind: 'event';
  readonly atMs: number;
  readonly level: EventRecord['level'];
  readonly cluster: string | null;
  readonly tier: string | null;
  readonly msg: string;
  /** JSON. */
  readonly fields: string;
}

export type JournalRecord = SampleRecord | DecisionRecord | EventEntry;

export interface OverrideEntry {
  readonly id: string;
  readonly expiresAtMs: number;
  /** JSON of what was given. */
  readonly content: string;
}

/** A decision as it is read: what was written, unpacked. */
export type KeptText = Pick<DecisionRecord, 'atMs' | 'setup' | 'content'>;

export function readDecision({ atMs, setup, content }: KeptText): KeptDecision {
  return {
    atMs,
    ...readExactly<Pick<KeptDecision, 'tier' | 'mode'>>(setup),
    ...readExactly<Pick<KeptDecision, 'observation' | 'memory' | 'tick'>>(content),
  };
}

/** About how much memory it takes. */
export function sizeOf(record: JournalRecord): number {
  switch (record.kind) {
    case 'sample':
      return 200;
    case 'decision':
      return 200 + record.content.length + record.setup.length;
    case 'event':
      return 200 + record.msg.length + record.fields.length;
  }
}
