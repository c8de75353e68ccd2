/** Which ticks of a tier are kept as decisions. */

import type { TierTicked } from '../control/events.ts';

/** Without any change, one is kept so often. */
const REGULARLY_MS = 60_000;

/**
 * Each change is kept, within reason: around a threshold the noise of traffic changes the reason in every fifth
 * tick without any consequence, and an action that is refused may be planned anew four times a second.
 */
const CONSEQUENCES = { atOnce: 600, refillMs: 20_000 };
const REASONS = { atOnce: 20, refillMs: 300_000 };

/** Looks at every tick of one tier. */
export class DecisionFilter {
  readonly #consequences = new Allowance(CONSEQUENCES);
  readonly #reasons = new Allowance(REASONS);
  #previous: TierTicked | undefined;
  #keptAtMs = Number.NEGATIVE_INFINITY;

  isWorthKeeping(ticked: TierTicked): boolean {
    const { atMs } = ticked.observation;
    const previous = this.#previous;
    this.#previous = ticked;
    const isWorth =
      previous === undefined ||
      atMs - this.#keptAtMs >= REGULARLY_MS ||
      (hasConsequence(previous, ticked) && this.#consequences.take(atMs)) ||
      (hasOtherReason(previous, ticked) && this.#reasons.take(atMs));
    if (isWorth) {
      this.#keptAtMs = atMs;
    }
    return isWorth;
  }
}

/** Something is done, or should be; or what it depends on is not what it was. */
function hasConsequence(previous: TierTicked, ticked: TierTicked): boolean {
  const { decision, plan, actions, findings } = ticked.tick;
  const before = previous.tick;
  return (
    actions.length > 0 ||
    decision.direction !== 'none' ||
    decision.desiredNodes !== before.decision.desiredNodes ||
    decision.signalsKnown !== before.decision.signalsKnown ||
    (plan.actions.length > 0 && plan.actions.length !== before.plan.actions.length) ||
    plan.shortfall?.why !== before.plan.shortfall?.why ||
    plan.healingFrozen !== before.plan.healingFrozen ||
    plan.kept.length !== before.plan.kept.length ||
    findings.length !== before.findings.length ||
    ticked.mode !== previous.mode ||
    ticked.tier !== previous.tier ||
    hasOtherOverrides(previous, ticked)
  );
}

/** The same count for another reason. */
function hasOtherReason(previous: TierTicked, ticked: TierTicked): boolean {
  const { stages, advice, reason } = ticked.tick.decision;
  const before = previous.tick.decision;
  return (
    reason !== before.reason ||
    stages.length !== before.stages.length ||
    stages.some((stage, at) => {
      const other = before.stages[at];
      return stage.reason !== other?.reason || stage.override !== other.override;
    }) ||
    advice.some((one, at) => one.status !== before.advice[at]?.status)
  );
}

function hasOtherOverrides(
  { observation: before }: TierTicked,
  { observation }: TierTicked,
): boolean {
  return (
    before.overrides.length !== observation.overrides.length ||
    before.overrides.some(({ id }, at) => id !== observation.overrides[at]?.id)
  );
}

/** So many at once, and one more after each `refillMs`. */
class Allowance {
  readonly #atOnce: number;
  readonly #refillMs: number;
  #left: number;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor({ atOnce, refillMs }: { readonly atOnce: number; readonly refillMs: number }) {
    this.#atOnce = atOnce;
    this.#refillMs = refillMs;
    this.#left = atOnce;
  }

  take(atMs: number): boolean {
    const refilled = (atMs - this.#sinceMs) / this.#refillMs;
    this.#left = Math.min(this.#atOnce, this.#left + refilled);
    this.#sinceMs = atMs;
    if (this.#left < 1) {
      return false;
    }
    this.#left -= 1;
    return true;
  }
}
