/** What lints are made from, and what they say. */

import type { ScaledTier } from '../scaler/cluster.ts';
import { mostNodes } from '../scaler/schedule.ts';
import type { Config } from './config.ts';
import type { Path } from './problems.ts';

/** What the config does not say. */
export interface Experience {
  /** HAProxy's `timeout server`: no answer takes longer. */
  readonly serverTimeoutMs: number;
  /** Now, in milliseconds since 1970: what schedules do is looked at from then on. */
  readonly wallMs: number;
  /** What four of five cold boots took at most, by `cluster/tier`, as far as a service has learned it. */
  readonly bootTimesMs?: ReadonlyMap<string, number>;
}

/** A lint before its line is looked up. */
export interface Advice {
  readonly path: Path;
  readonly message: string;
  readonly proposal: string;
}

/** One scaled tier, compiled and as it is written. */
export interface Subject {
  readonly tier: ScaledTier;
  readonly key: string;
  readonly path: Path;
  readonly config: Config;
  readonly experience: Experience;
  /** Of schedules that were looked at already: many tiers have the same. */
  readonly overlaps: Map<string, number | undefined>;
}

export function pathOfBound(path: Path, schedule: number, bound: 'min' | 'max'): Path {
  return [...path, 'schedules', schedule, 'nodes', bound];
}

/** Where the highest maximum stands: the tier's own, or a schedule's. */
export function pathOfMost({ tier, path }: Subject): Path {
  const { maxNodes, schedules = [] } = tier.policy;
  const most = mostNodes(tier.policy);
  return most === maxNodes
    ? [...path, 'nodes', 'max']
    : pathOfBound(
        path,
        schedules.findIndex((one) => one.maxNodes === most),
        'max',
      );
}
