/**
 * `npm run bench:decide`: a whole 1 s tick of 10,000 tiers – take new snapshots in, observe, decide, plan –
 * in virtual time, on one core. The last line is one JSON object.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
import { WallWatch } from '../src/control/wall-watch.ts';
import { World } from '../src/control/world.ts';
import { createRandom } from '../src/embedded/random.ts';
import { nodeName, type ScaledTier, tierKey } from '../src/scaler/cluster.ts';
import { EMPTY_MEMORY, type TierMemory } from '../src/scaler/decide.ts';
import { tickTier } from '../src/scaler/tick.ts';

const TIERS = 10_000;
const HOSTS = 200;
const SERVERS_PER_TIER = 12;
const WARM_UP_TICKS = 40;
const MEASURED_TICKS = 20;
const TERM = { createdAtSeconds: 1, transitions: 0 };

/** Between 2 and 9 nodes in service; the rate of each tier wanders around what those are rated for. */
const tiers: readonly ScaledTier[] = Array.from({ length: TIERS }, (_, index) => ({
  scaling: 'automatic',
  cluster: `site-${index}`,
  name: 'web',
  image: { name: 'drupal-web', version: '1' },
  size: { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 },
  addresses: Array.from(
    { length: SERVERS_PER_TIER },
    (__, n) => `127.${index >> 8}.${index & 255}.${n + 1}`,
  ),
  backend: `site-${index}-web`,
  maxConnections: 10,
  health: { path: '/health', port: 80, intervalMs: 1_000 },
  frontend: undefined,
  policy: {
    minNodes: 2,
    maxNodes: 10,
    requestRate: { targetPerNodeRps: 80 },
    queue: { maxWaitMs: 100 },
    looksAhead: true,
    scaleOut: {
      tolerance: 0.05,
      policies: [
        { kind: 'percent', percent: 100, periodMs: 15_000 },
        { kind: 'nodes', nodes: 4, periodMs: 15_000 },
      ],
    },
    scaleIn: {
      tolerance: 0.1,
      stabilizationWindowMs: 'auto',
      policies: [{ kind: 'percent', percent: 25, periodMs: 15_000 }],
    },
    standby: { state: 'paused', nodes: 0 },
    drainDeadlineMs: 300_000,
    bootDeadlineMs: 120_000,
  },
}));

const random = createRandom(1);
let steadyMs = 1_000_000;
const clock: Clock = {
  steadyMs: () => steadyMs,
  wallMs: () => steadyMs,
  sleep: async () => undefined,
};
const inFlight = new InFlight(() => undefined);
const hostNames = Array.from({ length: HOSTS }, (_, index) => `xen-${index}`);
const world = new World({
  clusters: tiers.map((tier) => ({ name: tier.cluster, mode: 'full', tiers: [tier] })),
  hosts: hostNames.map((name) => ({ name, staleAfterMs: 10_000, failureDomain: name })),
  hostFailuresToTolerate: 1,
  balancers: ['lb'],
  balancerWatch: new BalancerWatch(),
  isFailing: () => false,
  maxNodes: 1_000_000,
  concurrentBootsPerHost: 4,
  uuidOf: (name) => name,
  clock,
  wall: new WallWatch(clock),
  inFlight,
  boots: new BootLedger({ failures: 3, windowMs: 600_000, openMs: 300_000 }),
  sickBirths: new Map(),
  strangers: new Map(),
  remembered: new Map(),
  overrides: new OverrideBook(clock, { record: () => undefined }),
});

const hostSnapshots = placeDomains();
const memories = new Map<string, TierMemory>();
let actions = 0;

for (let tick = 0; tick < WARM_UP_TICKS; tick += 1) {
  playTick();
}
const usedBefore = process.cpuUsage();
actions = 0;
for (let tick = 0; tick < MEASURED_TICKS; tick += 1) {
  playTick();
}
const used = process.cpuUsage(usedBefore);
const coreSecondsPerTick = (used.user + used.system) / 1e6 / MEASURED_TICKS;
const withMemories = heapBytes();
memories.clear();
const bytesPerTier = Math.round((withMemories - heapBytes()) / TIERS);

process.stdout.write(
  `${TIERS} tiers, ${MEASURED_TICKS} ticks: ${(coreSecondsPerTick * 1000).toFixed(0)} ms of one core for each ` +
    `(making the snapshots included), ${Math.round(actions / MEASURED_TICKS)} actions planned in each, ` +
    `${bytesPerTier} bytes of memory for each tier\n`,
);
process.stdout.write(
  `${JSON.stringify({ tiers: TIERS, coreSecondsPerTick: Number(coreSecondsPerTick.toFixed(4)), bytesPerTier })}\n`,
);

function playTick(): void {
  steadyMs += 1_000;
  hostSnapshots.forEach((value, index) => {
    world.seeHost(hostNames[index] ?? '', { askedAtMs: steadyMs, value });
  });
  world.seeBalancer('lb', { askedAtMs: steadyMs, value: drawBalancer() });
  for (const tier of tiers) {
    const key = tierKey(tier);
    const observation = world.observe(tier, TERM, steadyMs);
    const tick = tickTier(tier, 'full', observation, memories.get(key) ?? EMPTY_MEMORY);
    memories.set(key, tick.memory);
    actions += tick.actions.length;
  }
}

function nodesOf(index: number): number {
  return 2 + (index % 8);
}

function placeDomains(): readonly HostSnapshot[] {
  const domains: DomainReport[][] = hostNames.map(() => []);
  tiers.forEach((tier, index) => {
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
  });
  return domains.map((list) => ({
    memoryMiB: 262_144,
    vcpus: 512,
    diskMiB: 4_194_304,
    domains: list,
  }));
}

/** Rates wander by ± 20 % around 0.75 of what the nodes are rated for, so that some tiers scale in each tick. */
function drawBalancer(): BalancerSnapshot {
  const backends = new Map<string, BackendReport>();
  tiers.forEach((tier, index) => {
    const nodes = nodesOf(index);
    const rps = nodes * 80 * 0.75 * (0.8 + 0.4 * random());
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
  });
  return { epoch: '1@1', oldWorkers: false, backends };
}

/** What is alive on the heap now. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  return process.memoryUsage().heapUsed;
}
