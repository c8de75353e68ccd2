/** Loads and a tier to simulate. */

import { parseConfig } from '../../src/config/load-config.ts';
import { createRandom } from '../../src/embedded/random.ts';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { plainBoots } from '../../src/sim/physics.ts';
import type { SimulationOptions } from '../../src/sim/simulation.ts';

/** A config that says nothing but target, minimum and maximum. */
export const SITE = `installation: example
hosts:
  - { name: local-a, driver: embedded, capacity: { memory: 1TiB, vcpus: 1000, disk: 10TiB } }
balancers:
  - { name: lb, driver: runtime, socket: /nowhere/admin.sock, stateFile: /nowhere/state }
sizes: { small: { memory: 512MiB, vcpus: 1, disk: 4GiB } }
images: { drupal-web: { version: "1" } }
clusters:
  - name: news
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 100 }
        addresses: 127.0.1.1-127.0.1.120
        backend: news-web
        signals: { requestRate: { targetPerNode: 80 } }
`;

export function tierOf(configText: string): ScaledTier {
  const [tier] = parseConfig(configText, 'site.yaml').config.clusters[0]?.tiers ?? [];
  if (tier?.scaling !== 'automatic') {
    throw new Error('the first tier is not scaled');
  }
  return tier;
}

/** One host with room for all, boots of 20 s. */
export function simulationOptions(
  changed: Partial<SimulationOptions> & { readonly seed?: number } = {},
): SimulationOptions {
  const { seed = 1, ...options } = changed;
  return {
    tier: tierOf(SITE),
    hosts: [{ name: 'local-a', room: undefined, failureDomain: 'local-a' }],
    limits: { maxNodes: 200, breaker: { failures: 3, windowMs: 600_000, openMs: 300_000 } },
    hostFailuresToTolerate: 0,
    boots: plainBoots(20),
    random: createRandom(seed),
    ...options,
  };
}

/** Rates of one second each, by pieces. */
export function load(
  ...pieces: readonly (readonly [rps: number, seconds: number])[]
): Float64Array {
  return Float64Array.from(
    pieces.flatMap(([rps, seconds]) => Array.from({ length: seconds }, () => rps)),
  );
}

/** A calm site, ten times the traffic within 20 s, ten minutes of it, and back. */
export const STORM = load(
  [100, 120],
  ...Array.from({ length: 20 }, (_, second) => [100 + 45 * (second + 1), 1] as const),
  [1_000, 600],
  [100, 600],
);
