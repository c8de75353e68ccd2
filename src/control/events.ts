/** All that the loop has to say. Log lines, metrics and the journal are made from these. */

import type { FixedTier, Mode, ScaledTier } from '../scaler/cluster.ts';
import type { FixedNode } from '../scaler/fixed-tier.ts';
import type { TierMemory } from '../scaler/decide.ts';
import type { Observation, StartKind } from '../scaler/observation.ts';
import type { Term } from '../scaler/term.ts';
import type { Action } from '../scaler/action.ts';
import type { OverrideWord } from '../scaler/override.ts';
import type { TierTick } from '../scaler/tick.ts';

export type SourceKind = 'host' | 'balancer';

/** Why an override is in force no longer. */
export type OverrideEnd = 'expired' | 'withdrawn' | 'node-gone';

/** What the log says of a storm; in the journal, these tell where one was. */
export const STORM_MESSAGES = { begins: 'storm detected', ends: 'storm is over' } as const;

export type ControlEvent =
  | {
      readonly type: 'tier-ticked';
      readonly tier: ScaledTier;
      readonly mode: Mode;
      readonly observation: Observation;
      /** What the tick started from; with the observation, all that its result depends on. */
      readonly memory: TierMemory;
      readonly tick: TierTick;
      /** Some source has neither answered nor failed since the start: what lacks may be there. */
      readonly unheard?: true;
    }
  | {
      readonly type: 'fixed-tier-seen';
      readonly tier: FixedTier;
      readonly nodes: readonly FixedNode[];
      /** As of a scaled tier. */
      readonly unheard?: true;
    }
  | { readonly type: 'cluster-ticked'; readonly cluster: string; readonly durationMs: number }
  | {
      readonly type: 'action-started';
      readonly tier: ScaledTier;
      readonly action: Action;
      /** 1, and one more after each failure in a row. */
      readonly attempt: number;
    }
  | {
      readonly type: 'action-ended';
      readonly tier: ScaledTier;
      readonly action: Action;
      /** As when it started. */
      readonly attempt: number;
      readonly durationMs: number;
      /** Undefined when it succeeded. */
      readonly error: unknown;
    }
  | {
      readonly type: 'boot-ended';
      readonly tier: ScaledTier;
      readonly node: string;
      readonly host: string;
      readonly result: 'served' | 'failed';
      readonly start: StartKind;
      readonly durationMs: number;
    }
  /** Each question, answered or not. */
  | {
      readonly type: 'source-asked';
      readonly kind: SourceKind;
      readonly name: string;
      readonly durationMs: number;
    }
  /** The first failure of a silence, and again when it has another reason. */
  | {
      readonly type: 'source-failed';
      readonly kind: SourceKind;
      readonly name: string;
      readonly error: unknown;
    }
  /** Its first answer, or the first after a failure. */
  | { readonly type: 'source-answered'; readonly kind: SourceKind; readonly name: string }
  | {
      readonly type: 'balancer-restarted';
      readonly balancer: string;
      /** Servers whose state had to be set again. */
      readonly reasserted: number;
    }
  /** It lost states and could not be told them again; that is tried until it works. */
  | { readonly type: 'reassertion-failed'; readonly balancer: string; readonly error: unknown }
  /** All that it warns of now, with each answer; empty when there is nothing. */
  | {
      readonly type: 'balancer-warned';
      readonly balancer: string;
      readonly warnings: readonly string[];
    }
  /** It acknowledged the term of this leader, or failed to for the first time. */
  | {
      readonly type: 'host-fenced';
      readonly host: string;
      readonly term: Term;
      /** Undefined when it did. */
      readonly error: unknown;
    }
  | { readonly type: 'clock-jumped'; readonly jumpMs: number }
  | { readonly type: 'override-given'; readonly given: GivenOverride }
  | {
      readonly type: 'override-ended';
      readonly given: GivenOverride;
      readonly why: OverrideEnd;
    };

/** All that is known of one tick of a tier; replaying it gives the same result. */
export type TierTicked = Extract<ControlEvent, { readonly type: 'tier-ticked' }>;

/** Takes events; never throws and never waits. */
export interface Recorder {
  record(event: ControlEvent): void;
}

/** One line of what happened: what is logged, kept in the journal and shown by `rackfire events`. */
export interface EventRecord {
  /** Wall clock. */
  readonly atMs: number;
  readonly level: 'info' | 'warn' | 'error';
  /** A static lower-case phrase. */
  readonly msg: string;
  /** Plain JSON: cluster, tier, node, host, … */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An override as people give it and as it is kept over restarts: with times of the wall clock. */
export interface GivenOverride {
  /** `o1`, `o2`, … */
  readonly id: string;
  /** `cluster/tier`; undefined when it is said of a host or a balancer, and so of all tiers there. */
  readonly tier: string | undefined;
  readonly word: OverrideWord;
  readonly reason: string;
  readonly givenAtMs: number;
  readonly expiresAtMs: number;
}
