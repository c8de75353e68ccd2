/** One HAProxy by the Data Plane API of the daemon beside it. */

import type { Clock } from '../../control/clock.ts';
import { UnreachableError } from '../../control/errors.ts';
import type { LoadBalancer } from '../../control/ports.ts';
import { validateName } from '../haproxy/names.ts';

export interface DataplaneBalancerOptions {
  readonly name: string;
  /** Where the daemon listens: `https://10.0.0.5:5555`, without a path; which API it speaks, it is asked. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM texts, for an `https:` url. */
  readonly tls?: {
    /** Whom to trust instead of the system's authorities. */
    readonly ca?: string | undefined;
    /** A certificate of ours and its key, where the daemon asks for one. */
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  /** HAProxy's `hard-stop-after`: old workers of a reload are taken to live that long. */
  readonly hardStopAfterMs: number;
  /** The backends whose servers Rackfire may set. */
  readonly backends: readonly string[];
  readonly clock: Clock;
}

/**
 * @returns A balancer that asks nothing until it is asked.
 * @throws ConfigError when a backend's name is not one of HAProxy's, or the url or TLS material cannot be used.
 */
export function createDataplaneBalancer(options: DataplaneBalancerOptions): LoadBalancer {
  for (const backend of options.backends) {
    validateName('backend', backend);
  }
  const ask = (): Promise<never> =>
    Promise.reject(new UnreachableError(`balancer ${options.name}: asked too early`));
  return { name: options.name, inspect: ask, setServers: ask };
}
