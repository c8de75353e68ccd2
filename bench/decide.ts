/**
 * `npm run bench:decide`: a whole tick of 10,000 tiers – take new snapshots in, observe, decide, plan – in
 * virtual time, on one core, behind one balancer and behind two; and how much a tier remembers in a storm.
 * The last line is one JSON object.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseConfig } from '../src/config/load-config.ts';
import { BalancerWatch } from '../src/control/balancer-watch.ts';
import { BootLedger } from '../src/control/boots.ts';
import type { Clock } from '../src/control/clock.ts';
import { InFlight } from '../src/control/in-flight.ts';
import type {
  BackendReport,
  BalancerSnapshot,
  DomainReport,
  HostSnapshot,
} from '../src/control/ports.ts';
import { OverrideBook } from '../src/control/override-book.ts';
import { ScheduleWatch } from '../src/control/schedule-watch.ts';
import { WallWatch } from '../src/control/wall-watch.ts';
import { World } from '../src/control/world.ts';
import { createRandom } from '../src/embedded/random.ts';
import { nodeName, type ScaledTier, tierKey } from '../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../src/scaler/decide.ts';
import { tickTier } from '../src/scaler/tick.ts';

const TIERS = 10_000;
const HOSTS = 200;
const SERVERS_PER_TIER = 12;
/** Longer than the scale-in of a fresh start is held, for which nearly every tier here acts. */
const WARM_UP_SECONDS = 60;
const MEASURED_TICKS = 20;
/** Some tiers alone, so that hours pass in seconds. */
const REMEMBERING_TIERS = 50;
const STORM_SECONDS = 900;
/** Copies of what is remembered, so that it weighs more than what the heap does by itself. */
const COPIES = 200;
const TERM = { createdAtSeconds: 1, transitions: 0 };

/** What the schema makes of a config that says nothing but target, minimum and maximum. */
const CONFIG = `installation: bench
hosts:
  - { name: host, driver: embedded, capacity: { memory: 1TiB, vcpus: 1000, disk: 10TiB } }
balancers:
  - { name: lb, driver: runtime, socket: /run/haproxy.sock, stateFile: /run/state }
sizes: { small: { memory: 512MiB, vcpus: 1, disk: 4GiB } }
images: { drupal-web: { version: "1" } }
clusters:
  - name: site
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 10 }
        addresses: 127.0.1.1-127.0.1.${SERVERS_PER_TIER}
        backend: site-web
        signals: { requestRate: { targetPerNode: 80 } }
`;

/** How much of what its nodes are rated for arrives at each tier in a second. */
type Load = (second: number) => number;

/**
 * With what rates wander here, one tier in eight to eleven wants another count at each tick, and nothing is ever
 * carried out: far more than in any site, where what was ordered is under way at the next tick.
 */
const CALM: Load = () => 0.85;
/** A rise to ten times, and a long decay. */
const STORM: Load = (second) =>
  0.3 + 3 * Math.min(1, second / 60) * Math.exp(-Math.max(0, second - 60) / 600);

/** Tiers with their nodes on the hosts, behind some balancers, in virtual time. */
class Site {
  readonly memories = new Map<string, TierMemory>();
  /** Tiers that did something, once for each tick. */
  actingTiers = 0;
  #second = 0;
  readonly #tiers: readonly ScaledTier[];
  readonly #balancers: readonly string[];
  readonly #load: Load;
  readonly #random = createRandom(1);
  readonly #world: World;
  readonly #hosts: ReadonlyMap<string, HostSnapshot>;

  constructor(tierCount: number, balancers: readonly string[], load: Load) {
    this.#tiers = makeTiers(tierCount);
    this.#balancers = balancers;
    this.#load = load;
    this.#hosts = placeDomains(this.#tiers);
    const clock: Clock = {
      steadyMs: () => this.#nowMs,
      wallMs: () => this.#nowMs,
      sleep: async () => undefined,
    };
    const boots = new BootLedger({ failures: 3, windowMs: 600_000, openMs: 300_000 });
    for (const tier of this.#tiers) {
      boots.restoreTimes(tierKey(tier), 45_000, []);
    }
    this.#world = new World({
      clusters: this.#tiers.map((tier) => ({ name: tier.cluster, mode: 'full', tiers: [tier] })),
      hosts: [...this.#hosts.keys()].map((name) => {
        return { name, staleAfterMs: 10_000, failureDomain: name };
      }),
      hostFailuresToTolerate: 1,
      balancers,
      balancerWatch: new BalancerWatch(),
      isFailing: () => false,
      isFenced: () => true,
      maxNodes: 1_000_000,
      concurrentBootsPerHost: 4,
      uuidOf: (name) => name,
      clock,
      wall: new WallWatch(clock),
      schedules: new ScheduleWatch(clock, undefined),
      inFlight: new InFlight(() => undefined),
      boots,
      sickBirths: new Map(),
      strangers: new Map(),
      remembered: new Map(),
      overrides: new OverrideBook(clock, { record: () => undefined }),
    });
  }

  /** Each answer of a balancer is followed by a tick. @returns How many there were. */
  playSecond(): number {
    this.#second += 1;
    const askedAtMs = this.#nowMs;
    for (const [name, value] of this.#hosts) {
      this.#world.seeHost(name, { askedAtMs, value });
    }
    for (const balancer of this.#balancers) {
      this.#world.seeBalancer(balancer, { askedAtMs, value: this.#drawBalancer() });
      this.#tick();
    }
    return this.#balancers.length;
  }

  get #nowMs(): number {
    return 1_000_000 + this.#second * 1_000;
  }

  #tick(): void {
    for (const tier of this.#tiers) {
      const key = tierKey(tier);
      const observation = this.#world.observe(tier, TERM, this.#nowMs);
      const tick = tickTier(tier, 'full', observation, this.memories.get(key) ?? EMPTY_MEMORY);
      this.memories.set(key, tick.memory);
      this.actingTiers += tick.actions.length > 0 ? 1 : 0;
    }
  }

  /** Rates wander by ± 20 %; balancers share them. */
  #drawBalancer(): BalancerSnapshot {
    const backends = new Map<string, BackendReport>();
    const share = this.#load(this.#second) / this.#balancers.length;
    for (const [index, tier] of this.#tiers.entries()) {
      const nodes = nodesOf(index);
      const rps = nodes * 80 * share * (0.8 + 0.4 * this.#random());
      backends.set(tier.backend, {
        servers: Array.from({ length: SERVERS_PER_TIER }, (_, n) => ({
          name: nodeName(tier, n + 1),
          admin: n < nodes ? 'ready' : 'maint',
          check: n < nodes ? 'passed' : 'pending',
          sessions: n < nodes ? 6 : 0,
          sinceChangeMs: 600_000,
        })),
        requestRate: { status: 'ok', value: rps },
        servedRate: { status: 'ok', value: rps },
        queued: 0,
        usedSlots: nodes * 6,
        totalSlots: nodes * 10,
      });
    }
    return { epoch: '1@1', oldWorkers: false, backends };
  }
}

const one = measureTicks(['lb-a']);
const two = measureTicks(['lb-a', 'lb-b']);
const bytesPerTier = measureMemory();
process.stdout.write(
  `${TIERS} tiers, ${MEASURED_TICKS} ticks, making the snapshots included: ` +
    `${describe(one)} behind one balancer, ${describe(two)} behind two; ` +
    `a tier remembers ${bytesPerTier} bytes in the ${STORM_SECONDS / 60} min of a storm\n`,
);
const rounded = ({ coreSeconds }: Measured): number => Number(coreSeconds.toFixed(4));
process.stdout.write(
  `${JSON.stringify({
    tiers: TIERS,
    coreSecondsPerTick: rounded(one),
    coreSecondsPerTickOfTwoBalancers: rounded(two),
    bytesPerTier,
  })}\n`,
);

interface Measured {
  readonly coreSeconds: number;
  readonly actingTiers: number;
  readonly heapKiBPerTier: number;
}

/** Of one tick; of the heap all that is alive, the latest snapshots, too. */
function measureTicks(balancers: readonly string[]): Measured {
  const before = heapBytes();
  const site = new Site(TIERS, balancers, CALM);
  for (let second = 0; second < WARM_UP_SECONDS; second += 1) {
    site.playSecond();
  }
  const usedBefore = process.cpuUsage();
  site.actingTiers = 0;
  let ticks = 0;
  while (ticks < MEASURED_TICKS) {
    ticks += site.playSecond();
  }
  const { user, system } = process.cpuUsage(usedBefore);
  return {
    coreSeconds: (user + system) / 1e6 / ticks,
    actingTiers: Math.round(site.actingTiers / ticks),
    heapKiBPerTier: Math.round((heapBytes() - before) / TIERS / 1_024),
  };
}

function describe({ coreSeconds, actingTiers, heapKiBPerTier }: Measured): string {
  return `${(coreSeconds * 1_000).toFixed(0)} ms of one core for each, with ${actingTiers} tiers that act and ${heapKiBPerTier} KiB of heap for each tier,`;
}

/** What one tick hands to the next, on the heap, at its largest. */
function measureMemory(): number {
  const site = new Site(REMEMBERING_TIERS, ['lb-a'], STORM);
  let largest: readonly TierMemory[] = [];
  let length = 0;
  for (let second = 1; second <= STORM_SECONDS; second += 1) {
    site.playSecond();
    const memories = [...site.memories.values()];
    if (second % 60 === 0 && JSON.stringify(memories).length > length) {
      largest = memories;
      ({ length } = JSON.stringify(memories));
    }
  }
  const before = heapBytes();
  const copies = Array.from({ length: COPIES }, () => structuredClone(largest));
  const bytes = heapBytes() - before;
  return Math.round(bytes / (copies.length * largest.length));
}

/** Between 2 and 9 nodes in service each. */
function nodesOf(index: number): number {
  return 2 + (index % 8);
}

function makeTiers(count: number): readonly ScaledTier[] {
  const tier = parseConfig(CONFIG, 'bench').config.clusters[0]?.tiers[0];
  if (tier?.scaling !== 'automatic') {
    throw new RangeError('the config of the bench has no tier that scales');
  }
  return Array.from({ length: count }, (_, index) => ({
    ...tier,
    cluster: `site-${index}`,
    backend: `site-${index}-web`,
  }));
}

function placeDomains(tiers: readonly ScaledTier[]): ReadonlyMap<string, HostSnapshot> {
  const domains: DomainReport[][] = Array.from({ length: HOSTS }, () => []);
  for (const [index, tier] of tiers.entries()) {
    for (let number = 1; number <= nodesOf(index); number += 1) {
      const name = nodeName(tier, number);
      domains[(index + number) % HOSTS]?.push({
        name,
        uuid: name,
        state: 'running',
        bornMs: 1,
        imageVersion: '1',
        memoryMiB: 512,
        vcpus: 1,
        diskMiB: 4_096,
      });
    }
  }
  return new Map(
    domains.map((list, index) => [
      `xen-${index}`,
      { memoryMiB: 262_144, vcpus: 512, diskMiB: 4_194_304, domains: list },
    ]),
  );
}

/** What is alive on the heap now. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  return process.memoryUsage().heapUsed;
}
