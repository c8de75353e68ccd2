/** What every way of contending for leadership offers, and says of itself. */

import type { ConfigError } from '../control/errors.ts';
import type { Leadership } from '../control/ports.ts';
import type { Term } from '../scaler/term.ts';
import type { Holder as FileHolder } from './lease-file.ts';

/** Who has a Kubernetes Lease, by its record. */
export interface LeaseHolder {
  /** What the holder calls itself. */
  readonly identity: string;
  /** It is this process, as far as the record goes. */
  readonly isOwn: boolean;
  /** By its own wall clock; missing where it does not say so. */
  readonly sinceMs: number | undefined;
  readonly term: Term;
}

export type Holder = FileHolder | LeaseHolder;

/** How this process stands. */
export type Standing =
  | { readonly kind: 'leader'; readonly holder: Holder }
  /** Another one leads, or nobody; the holder is missing while it cannot be read. */
  | { readonly kind: 'follower'; readonly holder: Holder | undefined }
  /** It led until now. It contends again. */
  | { readonly kind: 'lost'; readonly why: string }
  /** It cannot contend for now, and tries on. */
  | { readonly kind: 'blocked'; readonly error: ConfigError };

/** A process that wants to lead. */
export interface Contender extends Leadership {
  /**
   * The first answer, within about a second. `follower` also when it cannot contend for now.
   *
   * Rejects with ConfigError when it never can: exit.
   */
  readonly started: Promise<'leader' | 'follower'>;
  /** Who has the lease, as last read; a holder that died is still named until another one took over. */
  holder(): Holder | undefined;
  /** Why the lease cannot be read, written or contended for now; `undefined` while it can. */
  readonly trouble: string | undefined;
  /** Lets another one lead for a while. Left out where no other one could do better. */
  resign?(): void;
  /** Gives the lease away: to be called when nothing acts any more. Calling it twice is harmless. */
  close(): Promise<void>;
}

/** For people: `pid 12 on web-1`, or what the holder of a Lease calls itself. */
export function nameHolder(holder: Holder): string {
  return 'pid' in holder ? `pid ${holder.pid} on ${holder.hostName}` : holder.identity;
}

export function isThisProcess(holder: Holder): boolean {
  return 'pid' in holder ? holder.pid === process.pid : holder.isOwn;
}

/** Leadership as people are told of it. */
export interface LeadershipView extends Leadership {
  /** Undefined while this process must not act, nor be told what to do. */
  term(): Term | undefined;
  holder(): HolderView | undefined;
  readonly driver: 'file' | 'kubernetes';
  /** Why it cannot be read, written or contended for now. */
  readonly trouble: string | undefined;
}

export interface HolderView {
  /** For people. */
  readonly name: string;
  /** It is this process, which may not lead yet or no more. */
  readonly isThis: boolean;
  /** Wall clock of the holder, where it says so. */
  readonly sinceMs: number | undefined;
}
