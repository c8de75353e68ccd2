import type { Clock } from '../../control/clock.ts';
import type { DataplaneClient } from './client.ts';
import type { Reader } from './reader.ts';

/** One balancer's daemon, and all that is needed to deal with it. */
export interface Connection {
  /** The balancer's. */
  readonly name: string;
  readonly clock: Clock;
  readonly client: DataplaneClient;
  readonly reader: Reader;
}
