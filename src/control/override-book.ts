import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { Node } from '../scaler/node-phase.ts';
import type { NodeWord, Override, OverrideWord } from '../scaler/override.ts';
import type { Clock } from './clock.ts';
import type { GivenOverride, OverrideEnd, Recorder } from './events.ts';

interface Entry {
  readonly given: GivenOverride;
  readonly override: Override;
}

/**
 * What operators have said and still holds. It ends by steady time, so that a clock that is set forward does
 * not end a pause early; over a restart, what is left of it by the wall clock counts.
 */
export class OverrideBook {
  readonly #clock: Clock;
  readonly #recorder: Recorder;
  readonly #entries = new Map<string, Entry>();
  #lastNumber = 0;

  constructor(clock: Clock, recorder: Recorder) {
    this.#clock = clock;
    this.#recorder = recorder;
  }

  /** Takes back what was kept over a restart; what has expired meanwhile is left out. */
  restore(kept: readonly GivenOverride[]): void {
    for (const given of kept) {
      this.#lastNumber = Math.max(this.#lastNumber, Number(given.id.slice(1)) || 0);
      if (given.expiresAtMs > this.#clock.wallMs()) {
        this.#enter(given);
      }
    }
  }

  /** From now on it holds, for `durationMs`. @param tier - `cluster/tier`; undefined for one about a host or balancer. */
  give(
    tier: string | undefined,
    word: OverrideWord,
    said: { readonly reason: string; readonly durationMs: number },
  ): GivenOverride {
    this.#lastNumber += 1;
    const givenAtMs = Math.round(this.#clock.wallMs());
    const given = {
      id: `o${this.#lastNumber}`,
      tier,
      word,
      reason: said.reason,
      givenAtMs,
      expiresAtMs: givenAtMs + said.durationMs,
    };
    this.#enter(given);
    this.#recorder.record({ type: 'override-given', given });
    return given;
  }

  /** Forgets all of them, without a word: somebody else says now what holds. */
  clear(): void {
    this.#entries.clear();
  }

  /** @returns False when there is none of this id. */
  withdraw(id: string): boolean {
    this.#endExpired();
    return this.#end(id, 'withdrawn');
  }

  /** Ends what has expired. @returns All that is in force, the oldest first. */
  all(): readonly GivenOverride[] {
    this.#endExpired();
    return [...this.#entries.values()].map(({ given }) => given);
  }

  /** What is said of hosts and balancers. */
  ofAllTiers(): readonly Override[] {
    this.#endExpired();
    return [...this.#entries.values()]
      .filter(({ given }) => given.tier === undefined)
      .map(({ override }) => override);
  }

  /** As the core takes them: what is said of the tier, and of hosts and balancers, which touches every tier. */
  ofTier(tier: ScaledTier): readonly Override[] {
    if (this.#entries.size === 0) {
      return [];
    }
    this.#endExpired();
    const key = tierKey(tier);
    return [...this.#entries.values()]
      .filter(({ given }) => given.tier === undefined || given.tier === key)
      .map(({ override }) => override);
  }

  /** Ends what was said of nodes that are no more. @param nodes - All of the tier, every host having answered. */
  forgetGone(tier: ScaledTier, nodes: readonly Node[]): void {
    for (const { id, ...word } of this.ofTier(tier)) {
      if ('bornMs' in word && !nodes.some((node) => mayBe(node, word))) {
        this.#end(id, 'node-gone');
      }
    }
  }

  #enter(given: GivenOverride): void {
    const { id, word, reason } = given;
    // A clock that was set back over a restart must not make it last longer than it was meant to.
    const leftMs = Math.min(
      given.expiresAtMs - this.#clock.wallMs(),
      given.expiresAtMs - given.givenAtMs,
    );
    const untilMs = Math.round(this.#clock.steadyMs() + leftMs);
    this.#entries.set(id, { given, override: { ...word, id, reason, untilMs } });
  }

  #endExpired(): void {
    const nowMs = this.#clock.steadyMs();
    for (const { given, override } of this.#entries.values()) {
      if (override.untilMs <= nowMs) {
        this.#end(given.id, 'expired');
      }
    }
  }

  #end(id: string, why: OverrideEnd): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      return false;
    }
    this.#entries.delete(id);
    this.#recorder.record({ type: 'override-ended', given: entry.given, why });
    return true;
  }
}

/** Of two domains of one name, a node shows only one: the tenant that is meant may be the other. */
function mayBe(node: Node, word: NodeWord): boolean {
  return node.number === word.number && (node.bornMs === word.bornMs || node.phase === 'conflict');
}
