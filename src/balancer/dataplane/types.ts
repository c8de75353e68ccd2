/** What the daemons of both APIs say, as their descriptions have it. */

import type { components as ComponentsV2 } from './generated/v2.d.ts';
import type { components as ComponentsV3 } from './generated/v3.d.ts';

type SchemasV2 = ComponentsV2['schemas'];
type SchemasV3 = ComponentsV3['schemas'];

/** A server of the configuration file with all of its fields, also those that only one of the APIs knows. */
export type ConfiguredServer = SchemasV2['server'] | SchemasV3['server'];
/** A frontend, a backend or a server; `type` tells. */
export type NativeStat = SchemasV2['native_stat'] | SchemasV3['native_stat'];
/**
 * A server as HAProxy runs it. `admin_state` is `maint` also for a server in DRAIN that was declared `disabled`:
 * the daemon takes HAProxy's decimal bits for hexadecimal ones.
 *
 * @see https://github.com/haproxytech/client-native/blob/v6.4.0/misc/bits.go
 */
export type RuntimeServer = SchemasV2['runtime_server'] | SchemasV3['runtime_server'];
export type ProcessState = SchemasV2['process_info_item'] | SchemasV3['process_info_item'];
export type Reload = SchemasV2['reload'] | SchemasV3['reload'];
export type Transaction = SchemasV2['transaction'] | SchemasV3['transaction'];
export type DaemonInfo = SchemasV2['info'] | SchemasV3['info'];

/** The JSON of an operation's 200. */
export type BodyOf<Operation> = Operation extends {
  responses: { 200: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;
