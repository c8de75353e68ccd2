/** What the loop's thread and the journal's thread say to each other. */

import type { EventQuery, JournalHealth } from '../control/ports.ts';
import type { TimeRange } from './journal-reader.ts';
import type { EventEntry, JournalRecord, KeptText, OverrideEntry } from './records.ts';
import type { SampleColumns } from './tier-samples.ts';

export interface KeeperOptions {
  readonly path: string;
  readonly retentionMs: number;
  /** Of the file with its siblings. */
  readonly maxBytes: number;
  /** What came is written so often; what failed is tried again so often, and later less often. */
  readonly paceMs: number;
}

export type Question =
  | { readonly kind: 'events'; readonly query: EventQuery }
  | { readonly kind: 'decision-at'; readonly tier: string; readonly atMs: number }
  | {
      readonly kind: 'decisions';
      readonly tier: string;
      readonly range: TimeRange & { readonly limit: number };
    }
  | { readonly kind: 'samples'; readonly tier: string; readonly range: TimeRange }
  | { readonly kind: 'load-overrides' }
  | { readonly kind: 'save-override'; readonly entry: OverrideEntry }
  | { readonly kind: 'delete-override'; readonly id: string };

/** By the kind of question. */
export interface Answers {
  readonly events: readonly EventEntry[];
  readonly 'decision-at': KeptText | undefined;
  readonly decisions: readonly KeptText[];
  readonly samples: SampleColumns;
  readonly 'load-overrides': readonly OverrideEntry[];
  readonly 'save-override': undefined;
  readonly 'delete-override': undefined;
}

/** `nowMs`: the wall clock of the loop, by which entries are stamped and grow old. */
export type ToKeeper =
  | {
      readonly type: 'records';
      readonly nowMs: number;
      readonly records: readonly JournalRecord[];
    }
  | {
      readonly type: 'question';
      readonly id: number;
      readonly nowMs: number;
      readonly question: Question;
    }
  | { readonly type: 'close' };

export type FromKeeper =
  /** The records are taken over, in the order of their messages. `dropped`: of all so far, not kept. */
  | { readonly type: 'taken'; readonly dropped: number }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answers[Question['kind']] }
  | { readonly type: 'refusal'; readonly id: number; readonly why: string }
  | ({ readonly type: 'state' } & KeeperState)
  | { readonly type: 'closed'; readonly dropped: number };

export interface KeeperState {
  readonly state: JournalHealth['state'];
  /** Why it is not writing, or what became of the file before this one. */
  readonly why: string | undefined;
}
