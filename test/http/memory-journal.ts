import { UnreachableError } from '../../src/control/errors.ts';
import type { EventRecord, GivenOverride, TierTicked } from '../../src/control/events.ts';
import type { EventQuery, Journal, JournalHealth, KeptDecision } from '../../src/control/ports.ts';
import { tierKey } from '../../src/scaler/cluster.ts';

/** Remembers everything, as long as it works. */
export class MemoryJournal implements Journal {
  /** Why it does not work now. */
  broken: string | undefined;
  readonly kept: KeptDecision[] = [];
  readonly records: EventRecord[] = [];
  readonly overrides = new Map<string, GivenOverride>();
  readonly #wallMs: () => number;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  get health(): JournalHealth {
    const state = this.broken === undefined ? 'writing' : 'failing';
    return { state, why: this.broken, sinceMs: this.#wallMs(), droppedRecords: 0 };
  }

  appendTick(ticked: TierTicked): void {
    this.kept.push({ ...ticked, atMs: Math.round(this.#wallMs()) });
  }

  appendEvent(record: EventRecord): void {
    this.records.push(record);
  }

  async events({ sinceMs, untilMs, cluster, tier, limit }: EventQuery) {
    this.#requireWorking();
    return this.records
      .filter(
        ({ atMs, fields }) =>
          atMs >= (sinceMs ?? atMs) &&
          atMs <= (untilMs ?? atMs) &&
          (cluster === undefined || fields['cluster'] === cluster) &&
          (tier === undefined || fields['tier'] === tier),
      )
      .slice(-limit);
  }

  async decisionAt(tier: string, atMs: number) {
    this.#requireWorking();
    return this.kept.findLast((one) => tierKey(one.tier) === tier && one.atMs <= atMs);
  }

  async decisions(
    tier: string,
    range: { readonly fromMs: number; readonly untilMs: number; readonly limit: number },
  ) {
    this.#requireWorking();
    return this.kept
      .filter((one) => tierKey(one.tier) === tier)
      .filter(({ atMs }) => atMs >= range.fromMs && atMs <= range.untilMs)
      .slice(-range.limit);
  }

  async loadOverrides() {
    this.#requireWorking();
    return [...this.overrides.values()];
  }

  async saveOverride(given: GivenOverride) {
    this.#requireWorking();
    this.overrides.set(given.id, given);
  }

  async deleteOverride(id: string) {
    this.#requireWorking();
    this.overrides.delete(id);
  }

  async close() {}

  #requireWorking(): void {
    if (this.broken !== undefined) {
      throw new UnreachableError(this.broken);
    }
  }
}
