/** The latest answers of all balancers, indexed by tier, and what they say of one tier now. */

import { parseNodeNumber, type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type {
  BalancerSighting,
  Observation,
  Sample,
  ServerSighting,
  Signals,
} from '../scaler/observation.ts';
import { findExclusion, type Override } from '../scaler/override.ts';
import type { BalancerWatch } from './balancer-watch.ts';
import type { BackendReport, BalancerSnapshot, ServerReport } from './ports.ts';
import { STALE_AFTER_MS } from './samples.ts';
import { readSignals } from './signals.ts';
import { type Snapshot, stampOf } from './source.ts';

interface BalancerView {
  readonly name: string;
  snapshot: Snapshot<BalancerSnapshot> | undefined;
  byTier: ReadonlyMap<string, BackendView>;
  /** The latest last; none is older than what still counts as an answer. */
  rates: readonly RatesThen[];
}

/** Request rates of one answer, by tier. */
interface RatesThen {
  readonly askedAtMs: number;
  readonly byTier: ReadonlyMap<string, Sample<number>>;
}

interface BackendView {
  readonly report: BackendReport;
  readonly servers: ReadonlyMap<number, ServerReport>;
}

/** How a tier's requests fare, as the latest answers of all balancers have it. */
export interface TrafficFigures {
  /** Of the slowest balancer; undefined while none has answered a request. */
  readonly responseTimeMs: number | undefined;
  /** Answers of the status 5xx since the port was first asked, by balancer; of one that says none, nothing. */
  readonly failedResponses: ReadonlyMap<string, number>;
}

export interface BalancersOptions {
  readonly tiers: readonly ScaledTier[];
  readonly balancers: readonly string[];
  readonly balancerWatch: BalancerWatch;
  /** The last question to this balancer has failed. */
  readonly isFailing: (balancer: string) => boolean;
}

export class BalancersView {
  readonly #options: BalancersOptions;
  readonly #balancers: readonly BalancerView[];

  constructor(options: BalancersOptions) {
    this.#options = options;
    this.#balancers = options.balancers.map((name) => ({
      name,
      snapshot: undefined,
      byTier: new Map(),
      rates: [],
    }));
  }

  see(name: string, snapshot: Snapshot<BalancerSnapshot>): void {
    const view = this.#balancers.find((balancer) => balancer.name === name);
    if (view === undefined) {
      return;
    }
    const byTier = new Map<string, BackendView>();
    for (const tier of this.#options.tiers) {
      const report = snapshot.value.backends.get(tier.backend);
      if (report !== undefined) {
        byTier.set(tierKey(tier), { report, servers: numberServers(tier, report.servers) });
      }
    }
    view.snapshot = snapshot;
    view.byTier = byTier;
    const { askedAtMs } = snapshot;
    const rates = new Map([...byTier].map(([key, { report }]) => [key, report.requestRate]));
    view.rates = [
      ...view.rates.filter((one) => askedAtMs - one.askedAtMs <= STALE_AFTER_MS),
      { askedAtMs, byTier: rates },
    ];
  }

  /** When those were asked that have answered lately. */
  recentStamps(atMs: number): number[] {
    return this.#balancers
      .filter((balancer) => hasAnsweredLately(balancer, atMs))
      .map(({ snapshot }) => stampOf(snapshot));
  }

  /** A tier's signals, summed over the balancers that count. */
  signalsOf(tier: ScaledTier, overrides: readonly Override[], atMs: number): Signals {
    const key = tierKey(tier);
    const counting = this.#balancers.filter((balancer) => !isExcluded(overrides, balancer));
    const stamps = counting
      .filter((balancer) => this.#answers(balancer, atMs))
      .map(({ snapshot }) => stampOf(snapshot));
    const allAskedAtMs = Math.min(...stamps);
    return readSignals(
      counting.map((balancer) => {
        const before = balancer.rates.findLast(({ askedAtMs }) => askedAtMs <= allAskedAtMs);
        const since =
          before === undefined
            ? []
            : balancer.rates.filter((one) => one.askedAtMs >= before.askedAtMs);
        return {
          balancer: balancer.name,
          report: balancer.byTier.get(key)?.report,
          ageMs: Math.round(atMs - stampOf(balancer.snapshot)),
          answers: this.#answers(balancer, atMs),
          rates: since.flatMap(({ byTier }) => byTier.get(key) ?? []),
        };
      }),
    );
  }

  /** It did lately, and no question has failed since. */
  #answers(balancer: BalancerView, atMs: number): boolean {
    return hasAnsweredLately(balancer, atMs) && !this.#options.isFailing(balancer.name);
  }

  sightings(
    overrides: readonly Override[],
    atMs: number,
  ): Pick<Observation, 'balancers' | 'balancersChangedAtMs'> {
    const balancers = this.#balancers.map((balancer): BalancerSighting => {
      return { name: balancer.name, answers: this.#answers(balancer, atMs) };
    });
    const present = this.#balancers
      .filter((balancer) => this.#answers(balancer, atMs) && !isExcluded(overrides, balancer))
      .map(({ name, snapshot }) => `${name} ${snapshot?.value.epoch}`);
    const changedAtMs = this.#options.balancerWatch.look(present, atMs);
    // The visitors of a single one have nowhere else to go.
    return balancers.length < 2 || changedAtMs === undefined
      ? { balancers }
      : { balancers, balancersChangedAtMs: changedAtMs };
  }

  /** One of them may still serve what its former configuration had; of one that is excluded only while it answers. */
  haveOldWorkers(overrides: readonly Override[], atMs: number): boolean {
    return this.#balancers.some(
      (balancer) =>
        balancer.snapshot?.value.oldWorkers === true &&
        (this.#answers(balancer, atMs) || !isExcluded(overrides, balancer)),
    );
  }

  /** Numbers of a tier's servers that are not in maintenance everywhere. */
  *numbersInUse(tier: string): Generator<number> {
    for (const { byTier } of this.#balancers) {
      for (const [number, server] of byTier.get(tier)?.servers ?? []) {
        if (server.admin !== 'maint') {
          yield number;
        }
      }
    }
  }

  /** A tier's servers of a number, one for each balancer. */
  serversOf(tier: string, atMs: number): (number: number) => readonly ServerSighting[] {
    const views = this.#balancers.map((balancer) => {
      const { name, byTier } = balancer;
      const answered = hasAnsweredLately(balancer, atMs);
      return { name, servers: answered ? byTier.get(tier)?.servers : undefined };
    });
    return (number) => views.map(({ name, servers }) => sightServer(name, servers?.get(number)));
  }

  /** What balancers say of a tier's answers. */
  trafficOf(tier: ScaledTier): TrafficFigures {
    const key = tierKey(tier);
    const times: number[] = [];
    const failedResponses = new Map<string, number>();
    for (const { name, byTier } of this.#balancers) {
      const report = byTier.get(key)?.report;
      times.push(...(report?.responseTimeMs === undefined ? [] : [report.responseTimeMs]));
      if (report?.failedResponses !== undefined) {
        failedResponses.set(name, report.failedResponses);
      }
    }
    return {
      responseTimeMs: times.length === 0 ? undefined : Math.max(...times),
      failedResponses,
    };
  }
}

function hasAnsweredLately({ snapshot }: BalancerView, atMs: number): boolean {
  return atMs - stampOf(snapshot) <= STALE_AFTER_MS;
}

function isExcluded(overrides: readonly Override[], { name }: BalancerView): boolean {
  return findExclusion(overrides, name) !== undefined;
}

function sightServer(balancer: string, server: ServerReport | undefined): ServerSighting {
  if (server === undefined) {
    return { balancer, answered: false };
  }
  const { admin, check, sessions, sinceChangeMs } = server;
  return { balancer, answered: true, admin, check, sessions, sinceChangeMs };
}

function numberServers(
  tier: ScaledTier,
  servers: readonly ServerReport[],
): ReadonlyMap<number, ServerReport> {
  const numbered = new Map<number, ServerReport>();
  for (const server of servers) {
    const number = parseNodeNumber(tier, server.name);
    if (number !== undefined && number <= tier.addresses.length) {
      numbered.set(number, server);
    }
  }
  return numbered;
}
