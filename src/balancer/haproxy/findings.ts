/** What `rackfire check --online` finds out about a balancer, whichever driver asks. */

import { nodeName, type ScaledTier } from '../../scaler/cluster.ts';

/**
 * One thing that was looked at. `bad` is to be fixed, `warn` is worth a look, `unseen` cannot be seen by this driver:
 * it may be right or wrong.
 */
export interface BalancerFinding {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'bad' | 'unseen';
  readonly text: string;
  /** What to do. */
  readonly fix?: string;
}

/** A server as HAProxy has it. */
export interface DeclaredServer {
  readonly address: string;
  readonly port: number;
  /** Undefined where it cannot be told. */
  readonly isChecked: boolean | undefined;
  /** Undefined when it has none. */
  readonly maxConnections: number | undefined | 'unseen';
}

/** By backend and server. */
export type DeclaredBackends = ReadonlyMap<string, ReadonlyMap<string, DeclaredServer>>;

/** More names than this make nobody wiser. */
const longestList = 5;
const oldestVersion: readonly [number, number] = [2, 6];
const declare = 'put there what `rackfire haproxy-config` prints, and reload HAProxy once';

/** @param version - As HAProxy says it: `2.6.12-1+deb12u4`. */
export function checkVersion(version: string, pid: number): BalancerFinding {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const text = `${version}, pid ${pid}`;
  const isOld =
    Number(major) < oldestVersion[0] ||
    (Number(major) === oldestVersion[0] && Number(minor) < oldestVersion[1]);
  return isOld
    ? { name: 'HAProxy', verdict: 'bad', text, fix: `install ${oldestVersion.join('.')} or newer` }
    : { name: 'HAProxy', verdict: 'ok', text };
}

/** For each tier its backend, and in it one server for each address, checked and with the tier's limit. */
export function checkBackends(
  tiers: readonly ScaledTier[],
  declared: DeclaredBackends,
): readonly BalancerFinding[] {
  return tiers.flatMap((tier): readonly BalancerFinding[] => {
    const servers = declared.get(tier.backend);
    const name = `backend ${tier.backend}`;
    if (servers === undefined) {
      return [{ name, verdict: 'bad', text: 'HAProxy does not have it', fix: declare }];
    }
    return [
      { name, verdict: 'ok', text: 'is there' },
      checkServers(tier, servers),
      ...checkChecks(tier, servers),
      ...checkLimits(tier, servers),
    ];
  });
}

function checkServers(
  tier: ScaledTier,
  servers: ReadonlyMap<string, DeclaredServer>,
): BalancerFinding {
  const name = `${tier.backend} servers`;
  const missing: string[] = [];
  const elsewhere: string[] = [];
  for (const [index, address] of tier.addresses.entries()) {
    const node = nodeName(tier, index + 1);
    const server = servers.get(node);
    const meant = `${address}:${tier.health.port}`;
    if (server === undefined) {
      missing.push(node);
    } else if (`${server.address}:${server.port}` !== meant) {
      elsewhere.push(`${node} (${server.address}:${server.port} instead of ${meant})`);
    }
  }
  const wrong = [
    ...(missing.length > 0 ? [`missing: ${list(missing)}`] : []),
    ...(elsewhere.length > 0 ? [`with another address: ${list(elsewhere)}`] : []),
  ];
  const all = tier.addresses.length;
  return wrong.length > 0
    ? { name, verdict: 'bad', text: `of ${all}, ${wrong.join('; ')}`, fix: declare }
    : { name, verdict: 'ok', text: `all ${all} are declared, with their addresses` };
}

function checkChecks(
  tier: ScaledTier,
  servers: ReadonlyMap<string, DeclaredServer>,
): readonly BalancerFinding[] {
  const name = `${tier.backend} checks`;
  const ours = serversOf(tier, servers);
  const unchecked = ours.filter(([, { isChecked }]) => isChecked === false);
  if (unchecked.length > 0) {
    const text = `not checked, so never admitted: ${list(unchecked.map(([node]) => node))}`;
    const fix = 'add `check` to the `default-server` line of the backend, and reload HAProxy once';
    return [{ name, verdict: 'bad', text, fix }];
  }
  return ours.length > 0 && ours.every(([, { isChecked }]) => isChecked === true)
    ? [{ name, verdict: 'ok', text: 'every server is checked' }]
    : [];
}

function checkLimits(
  tier: ScaledTier,
  servers: ReadonlyMap<string, DeclaredServer>,
): readonly BalancerFinding[] {
  const name = `${tier.backend} maxconn`;
  const { maxConnections } = tier;
  const seen = serversOf(tier, servers).filter(([, server]) => server.maxConnections !== 'unseen');
  const others = seen.filter(([, server]) => server.maxConnections !== maxConnections);
  if (seen.length === 0) {
    return [];
  }
  const [first] = others;
  if (first === undefined) {
    return [{ name, verdict: 'ok', text: `${maxConnections}, as \`maxConnections\` says` }];
  }
  const said = first[1].maxConnections ?? 'none';
  const text = `${first[0]} has ${said}, \`maxConnections\` of the tier is ${maxConnections}${others.length > 1 ? ` (and ${others.length - 1} more)` : ''}`;
  const fix = 'make both equal: beyond it requests wait in HAProxy, where any new node takes them';
  return [{ name, verdict: 'warn', text, fix }];
}

function serversOf(
  tier: ScaledTier,
  servers: ReadonlyMap<string, DeclaredServer>,
): readonly (readonly [string, DeclaredServer])[] {
  return tier.addresses.flatMap((_, index) => {
    const node = nodeName(tier, index + 1);
    const server = servers.get(node);
    return server === undefined ? [] : [[node, server] as const];
  });
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, longestList).join(', ');
  return names.length > longestList ? `${shown} and ${names.length - longestList} more` : shown;
}
