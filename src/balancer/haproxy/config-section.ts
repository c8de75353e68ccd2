/** The HAProxy config that the scaled tiers need: what `rackfire haproxy-config` prints. */

import { isIPv4 } from 'node:net';
import { ConfigError } from '../../control/errors.ts';
import type { ScaledTier } from '../../scaler/cluster.ts';
import { listDeclarations } from './declarations.ts';
import { validateName } from './names.ts';

export interface HaproxyConfigOptions {
  readonly tiers: readonly ScaledTier[];
  /** Where HAProxy shall listen for Rackfire, as `balancers[].socket`, or for the Data Plane API's daemon. */
  readonly socketPath: string;
  /** As `balancers[].stateFile`; undefined where the Data Plane API keeps the states, in this very config. */
  readonly stateFilePath: string | undefined;
  /** Old workers of a reload are ended after this long, and their connections with them. */
  readonly hardStopAfterMs: number;
  /** Clients at once, waiting ones included: HAProxy's global `maxconn`. */
  readonly maxConnections: number;
}

/**
 * A good `maxConnections`: each client takes up to two file descriptors, so 9,000 fit where `ulimit -n` is
 * 20,000, with room for the checks and idle connections of hundreds of nodes.
 */
export const suggestedMaxConnections = 9_000;

/** For a tier whose frontend somebody else wrote: longer than a node takes to boot. */
const usualQueueTimeoutMs = 60_000;
/** Checks of a server that is changing, so that admission does not wait for a whole interval. */
const transitionIntervalMs = 250;

/**
 * Renders a complete config for HAProxy 2.6 and later, which passes `haproxy -c` and can be pasted in parts.
 *
 * @throws ConfigError when a value could not stand in the config as it is, or two tiers share a backend or
 * a listening address.
 * @see https://docs.haproxy.org/2.6/configuration.html
 */
export function renderHaproxyConfig(options: HaproxyConfigOptions): string {
  rejectDuplicates(
    'backend',
    options.tiers.map((tier) => tier.backend),
  );
  rejectDuplicates(
    'bind',
    options.tiers.flatMap((tier) => tier.frontend?.bind ?? []),
  );
  const sections = [renderGlobal(options), renderDefaults(options)];
  for (const tier of options.tiers) {
    if (tier.frontend !== undefined) {
      sections.push(renderFrontend(tier, tier.frontend.bind));
    }
    sections.push(renderBackend(tier));
  }
  return sections.join('\n');
}

function renderGlobal(options: HaproxyConfigOptions): string {
  return `${renderIntroduction(options)}
global
    # Clients at once, waiting ones included. Each takes up to two file descriptors ("ulimit -n").
    maxconn ${count('maxConnections', options.maxConnections)}
${renderSocket(options)}
    stats timeout 2m
    # A worker from before a reload ends its last connections after this long.
    hard-stop-after ${milliseconds('hardStopAfter', options.hardStopAfterMs)}
${renderStateFile(options)}    # log /dev/log local0
`;
}

function renderIntroduction({ stateFilePath }: HaproxyConfigOptions): string {
  return stateFilePath === undefined
    ? `# Made by "rackfire haproxy-config". Run HAProxy as a service in master-worker mode (-W or -Ws). The Data Plane API
# keeps this file from now on: its daemon (a service of its own, generation 2.9 or 3.x) rewrites it, comments go, and
# what Rackfire sets survives a reload in it. Leave "master_runtime" out of the daemon's own file. In a file that is in
# use already, add only the servers that it lacks: "disabled" takes what is in rotation out of it at the next reload.
`
    : `# Made by "rackfire haproxy-config". Run HAProxy as a service in master-worker mode (-W or -Ws), and with
# "-S /run/haproxy-master.sock": the master tells Rackfire when the workers from before a reload are gone.
`;
}

function renderSocket({ socketPath, stateFilePath }: HaproxyConfigOptions): string {
  const reader =
    stateFilePath === undefined
      ? "# The Data Plane API's daemon reads statistics and sets the servers' states here."
      : "# Rackfire reads statistics and sets the servers' states here; its user must be in the socket's group.";
  return `    ${reader}
    stats socket ${path('socket', socketPath, longestSocketPath)} mode 660 level admin expose-fd listeners`;
}

function renderStateFile({ stateFilePath }: HaproxyConfigOptions): string {
  return stateFilePath === undefined
    ? ''
    : `    # Rackfire refreshes this file after each change, so that a reload keeps every server as it was.
    # Without it, a reload puts all servers that are declared "disabled" into maintenance. HAProxy warns until it is there.
    server-state-file ${path('stateFile', stateFilePath, longestPath)}
`;
}

/** No answer of a node takes longer: then HAProxy gives up. */
export const SERVER_TIMEOUT_MS = 60_000;

function renderDefaults({ stateFilePath }: HaproxyConfigOptions): string {
  return `defaults rackfire
    mode http
${stateFilePath === undefined ? '' : '    load-server-state-from-file global\n'}    option forwardfor
    # A reload must not reset clients that just send their next request.
    option idle-close-on-response
    # Who gave up waiting leaves the queue, instead of costing a node's time all the same.
    option abortonclose
    # A node that died or froze: try another one, at the first failure. While a dead one is not marked down yet and
    # the others are full, tries come back to it, and broken idle connections to it count as well: 5 are not enough.
    option redispatch 1
    retries 10
    retry-on conn-failure empty-response response-timeout
    http-reuse safe
    timeout connect 2s
    timeout http-request 10s
    timeout http-keep-alive 15s
    timeout client 60s
    timeout server ${SERVER_TIMEOUT_MS / 1_000}s
    # Slow is not dead: in a storm every node answers its check late.
    timeout check 3s
`;
}

function renderFrontend(tier: ScaledTier, bind: string): string {
  if (!/^(\*|\[[0-9A-Fa-f:.]+\]|[0-9.]+)?:[0-9]{1,5}$/.test(bind)) {
    throw new ConfigError(
      `bind ${JSON.stringify(bind)}: "*:80", "10.0.0.5:80" or "[::]:80" is meant`,
    );
  }
  return `frontend ${validateName('frontend', `${tier.backend}-front`)} from rackfire
    bind ${bind}
    default_backend ${tier.backend}
`;
}

/**
 * Measured on 2.6.12: 20 clients at two full nodes, one dies. With checks alone 3,631 answers were 503
 * until it was marked down, with `observe layer4` none. (`layer7` would mark down every node when the
 * database is gone.)
 */
function renderBackend(tier: ScaledTier): string {
  const interval = tier.health.intervalMs;
  const transition = Math.min(transitionIntervalMs, interval);
  const queueTimeoutMs = tier.frontend?.queueTimeoutMs ?? usualQueueTimeoutMs;
  return `backend ${validateName('backend', tier.backend)} from rackfire
    balance leastconn
    # Requests wait here, where any node that comes into rotation takes them, for at least a boot's time.
    timeout queue ${milliseconds('queueTimeout', queueTimeoutMs)}
    # A request that changes something is never sent twice.
    http-request disable-l7-retry if !{ method GET HEAD OPTIONS }
    option httpchk
    http-check send meth GET uri ${healthPath(tier.health.path)}
    http-check expect status 200
    # fastinter and downinter: servers in transition are checked more often, so that admission is quick.
    # observe: a node that refuses connections always has the fewest, so leastconn would send it each retry
    # while the others are full. Three refusals in a row mark it down, well before a request's tries are used up.
    default-server check inter ${milliseconds('health.interval', interval)} fastinter ${transition}ms downinter ${transition}ms rise 2 fall 3 maxconn ${count('maxConnections', tier.maxConnections)} observe layer4 error-limit 3 on-error mark-down
    # One server for each address, for good: Rackfire only changes states. Without Rackfire and without a
    # state file, the first ${tier.policy.minNodes} serve.
${renderServers(tier)}
`;
}

function renderServers(tier: ScaledTier): string {
  const { port } = tier.health;
  if (tier.addresses.length === 0 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigError(
      `tier ${tier.name}: a backend needs addresses and a port from 1 to 65535`,
    );
  }
  const lines = listDeclarations(tier).map(({ name, address }, index) => {
    if (!isIPv4(address)) {
      throw new ConfigError(`address ${JSON.stringify(address)}: an IPv4 address is meant`);
    }
    const disabled = index + 1 > tier.policy.minNodes ? ' disabled' : '';
    return `    server ${validateName('server', name)} ${address}:${port}${disabled}`;
  });
  return lines.join('\n');
}

function rejectDuplicates(what: string, values: readonly string[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) {
    throw new ConfigError(`${what} ${JSON.stringify(twice)} is used by two tiers`);
  }
}

/** HAProxy binds to a longer temporary name first, and a socket's name is at most 107 bytes. */
const longestSocketPath = 97;
const longestPath = 4_095;

function path(what: string, value: string, longest: number): string {
  if (value.length > longest || !/^\/[A-Za-z0-9_./@:+,=-]+$/.test(value)) {
    throw new ConfigError(
      `${what} ${JSON.stringify(value)}: an absolute path of at most ${longest} characters without spaces and quotes is meant`,
    );
  }
  return value;
}

/** HAProxy's config gives spaces, quotes, `#`, `\` and `$` a meaning of their own. */
function healthPath(value: string): string {
  if (!/^\/[A-Za-z0-9\-._~!&()*+,=:@%/?]*$/.test(value)) {
    throw new ConfigError(
      `health.path ${JSON.stringify(value)}: a path such as "/health" is meant`,
    );
  }
  return value;
}

/** HAProxy refuses times of more than 2^31 - 1 ms, about 24 days. */
function milliseconds(what: string, value: number): string {
  return `${count(what, value)}ms`;
}

function count(what: string, value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
    throw new ConfigError(`${what} ${value}: a whole number from 1 to ${2 ** 31 - 1} is meant`);
  }
  return value;
}
