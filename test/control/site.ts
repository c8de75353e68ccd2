/** What the tests of the loop scale: one cluster, one tier, unless they say otherwise. */

import type { Cluster, FixedTier, ScaledTier } from '../../src/scaler/cluster.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import type { Action, BootAction } from '../../src/scaler/action.ts';
import type { AdminState } from '../../src/scaler/observation.ts';

export const TERM = { createdAtSeconds: 1, transitions: 0 };

const SMALL = { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4096 };

export function makeTier(
  policy: Partial<TierPolicy> = {},
  identity: { readonly name?: string; readonly addresses?: number } = {},
): ScaledTier {
  const name = identity.name ?? 'web';
  return {
    scaling: 'automatic',
    cluster: 'news',
    name,
    image: { name: 'drupal-web', version: '1' },
    size: SMALL,
    addresses: Array.from(
      { length: identity.addresses ?? 16 },
      (_, index) => `10.0.1.${index + 1}`,
    ),
    backend: `news-${name}`,
    maxConnections: 10,
    health: { path: '/health', port: 80, intervalMs: 1_000 },
    frontend: undefined,
    policy: {
      minNodes: 2,
      maxNodes: 8,
      requestRate: { targetPerNodeRps: 80 },
      queue: { maxWaitMs: 100 },
      // What the loop does with a need is asked here, which then follows from the rate by hand. `defaults.test.ts`,
      // `test/sim` and `test/scaler` run what is the default: to look ahead.
      looksAhead: false,
      scaleOut: { tolerance: 0.05, policies: [] },
      scaleIn: { tolerance: 0.1, stabilizationWindowMs: 30_000, policies: [] },
      standby: { state: 'paused', nodes: 0 },
      drainDeadlineMs: 60_000,
      bootDeadlineMs: 30_000,
      ...policy,
    },
  };
}

export function makeFixedTier(): FixedTier {
  return {
    scaling: 'none',
    cluster: 'news',
    name: 'db',
    image: { name: 'mysql', version: '8' },
    size: { name: 'large', memoryMiB: 4096, guestMemoryMiB: 4096, vcpus: 4, diskMiB: 40_960 },
    addresses: ['10.0.2.1'],
    nodes: 1,
  };
}

export function makeCluster(tier: ScaledTier, mode: Cluster['mode'] = 'full'): Cluster {
  return { name: 'news', mode, tiers: [tier] };
}

export function uuidOf(name: string): string {
  return `uuid-of-${name}`;
}

export function bootAction(number: number, host = 'host-a'): BootAction {
  return {
    kind: 'boot',
    node: `news-web-${number}`,
    number,
    reason: 'needed',
    term: TERM,
    host,
    address: `10.0.1.${number}`,
    mac: '00:16:3e:00:01:01',
  };
}

export function repairAction(number: number, balancer: string, to: AdminState): Action {
  const node = `news-web-${number}`;
  return { kind: 'repair', node, number, balancer, to, reason: 'drift', term: TERM };
}

export function serverAction(kind: 'admit' | 'warm' | 'drain' | 'park', number: number): Action {
  return { kind, node: `news-web-${number}`, number, reason: 'needed', term: TERM };
}

export function domainAction(kind: 'wake' | 'pause', number: number, bornMs = 7): Action {
  const node = `news-web-${number}`;
  return { kind, node, number, reason: 'needed', term: TERM, host: 'host-a', bornMs };
}

export function destroyAction(
  number: number,
  options: { readonly force?: boolean; readonly reason?: Action['reason'] } = {},
): Action {
  const { force = false, reason = 'not-needed' } = options;
  const node = `news-web-${number}`;
  return { kind: 'destroy', node, number, reason, term: TERM, host: 'host-a', bornMs: 7, force };
}
