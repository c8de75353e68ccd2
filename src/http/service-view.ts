/** What the API needs of the service. */

import type { ConfigKeeper } from '../config/config-keeper.ts';
import type { Clock } from '../control/clock.ts';
import type { Controller } from '../control/controller.ts';
import type { GivenOverride } from '../control/events.ts';
import type { OverrideBook } from '../control/override-book.ts';
import type { Journal } from '../control/ports.ts';
import type { LeadershipView } from '../leader/standing.ts';
import type { EventFeed } from '../telemetry/event-feed.ts';

export interface ServiceView {
  readonly version: string;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly controller: Pick<
    Controller,
    'ticks' | 'fixed' | 'failingSources' | 'failingActions' | 'tickAgeMs'
  >;
  readonly overrides: Pick<OverrideBook, 'all'>;
  readonly keeper: Pick<ConfigKeeper, 'current' | 'loadedAtMs' | 'refusal' | 'reload'>;
  readonly leadership: LeadershipView;
  /** Undefined while another one leads. */
  readonly journal: Journal | undefined;
  readonly feed: Pick<EventFeed, 'latest' | 'follow'>;
  /** `cluster/tier` of those that a reload took out of the config; nothing is done to them. */
  readonly removedTiers: readonly string[];
  giveOverride(
    tier: string | undefined,
    word: GivenOverride['word'],
    said: { readonly reason: string; readonly durationMs: number },
  ): Promise<{ readonly given: GivenOverride; readonly kept: boolean }>;
  /** Something failed that should not have. */
  sayDefect(error: unknown): void;
  /** False when there is none of this id. */
  withdrawOverride(id: string): boolean | Promise<boolean>;
}
