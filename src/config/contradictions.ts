/** Rules between values: each value by itself is right, together they cannot be. */

import { nodeName, tierKey } from '../scaler/cluster.ts';
import { rangeLength } from './addresses.ts';
import { splitHostAddress } from './compile.ts';
import { findHostContradictions } from './guest-contradictions.ts';
import { type PlacedTier, placeTiers } from './placed-tiers.ts';
import { type Finding, formatPath, type Path } from './problems.ts';
import type { WrittenConfig } from './schema.ts';
import { suggest } from './suggest.ts';
import { parseDurationMs } from './units.ts';

/** A value and where it stands. */
interface Use {
  readonly value: string;
  readonly path: Path;
}

/** Every contradiction, in no particular order. An empty list is a config that can be compiled. */
export function findContradictions(written: WrittenConfig): readonly Finding[] {
  const tiers = placeTiers(written);
  return [
    ...findRepeatedNames(written),
    ...findSharedSections(tiers),
    ...findCollidingNodeNames(tiers),
    ...findOverlappingRanges(tiers),
    ...findIdleTls(written),
    ...findWrongTimings(written),
    ...findHostContradictions(written, tiers),
    ...tiers.flatMap((placed) => [...checkReferences(placed, written), ...checkCounts(placed)]),
  ];
}

function findRepeatedNames(written: WrittenConfig): readonly Finding[] {
  const { hosts, balancers, clusters, leadership, journal } = written;
  const files: Use[] = [
    ...(leadership.driver === 'file'
      ? [{ value: leadership.path, path: ['leadership', 'path'] }]
      : []),
    { value: journal.path, path: ['journal', 'path'] },
  ];
  const addresses = hosts.flatMap((host, index): Use[] => {
    if (host.driver !== 'xen') {
      return [];
    }
    const { address, port } = splitHostAddress(host);
    return [{ value: `${address}:${port}`, path: ['hosts', index, 'address'] }];
  });
  const sockets: Use[] = [];
  const urls: Use[] = [];
  for (const [index, balancer] of balancers.entries()) {
    const path: Path = ['balancers', index];
    if (balancer.driver === 'dataplane') {
      urls.push({ value: new URL(balancer.url).origin, path: [...path, 'url'] });
    } else {
      const { socket, masterSocket, stateFile } = balancer;
      files.push({ value: stateFile, path: [...path, 'stateFile'] });
      sockets.push({ value: socket, path: [...path, 'socket'] });
      if (masterSocket !== undefined) {
        sockets.push({ value: masterSocket, path: [...path, 'masterSocket'] });
      }
    }
  }
  return [
    ...findRepeated('host name', namesOf('hosts', hosts)),
    ...findRepeated('balancer name', namesOf('balancers', balancers)),
    ...findRepeated('cluster name', namesOf('clusters', clusters)),
    ...findRepeated('host address', addresses),
    ...findRepeated('socket', sockets),
    ...findRepeated('URL', urls),
    ...findRepeated('file', files),
  ];
}

function aboutTiming(key: string, message: string): Finding {
  return { path: ['leadership', key], about: 'value', message };
}

/** The inequalities that an election rests on. @see requireSettings in src/leader/elector.ts */
function findWrongTimings({ leadership }: WrittenConfig): readonly Finding[] {
  if (leadership.driver === 'file') {
    return [];
  }
  const { leaseDuration, renewDeadline, retryPeriod } = leadership;
  const leaseMs = parseDurationMs(leaseDuration);
  const renewDeadlineMs = parseDurationMs(renewDeadline);
  return [
    ...(leaseMs % 1000 === 0
      ? []
      : [aboutTiming('leaseDuration', `must be whole seconds, got ${leaseDuration}`)]),
    ...(renewDeadlineMs < leaseMs
      ? []
      : [
          aboutTiming(
            'renewDeadline',
            `must be shorter than the lease (leaseDuration: ${leaseDuration}), got ${renewDeadline}`,
          ),
        ]),
    ...(parseDurationMs(retryPeriod) * 1.2 < renewDeadlineMs
      ? []
      : [
          aboutTiming(
            'retryPeriod',
            `1.2 times it must be shorter than renewDeadline (${renewDeadline}), got ${retryPeriod}`,
          ),
        ]),
  ];
}

function findIdleTls({ balancers }: WrittenConfig): readonly Finding[] {
  const message = '`tls` has no meaning with a URL of http; remove one of the two';
  return balancers.flatMap((balancer, index): Finding[] =>
    balancer.driver === 'dataplane' && balancer.tls && balancer.url.startsWith('http:')
      ? [{ path: ['balancers', index, 'tls'], about: 'key', message }]
      : [],
  );
}

function namesOf(list: string, entries: readonly { readonly name: string }[]): readonly Use[] {
  return entries.map(({ name }, index) => ({ value: name, path: [list, index, 'name'] }));
}

/** Backends and frontends stand in one HAProxy config, so each name and each bind is there once. */
function findSharedSections(tiers: readonly PlacedTier[]): readonly Finding[] {
  const backends: Use[] = [];
  const binds: Use[] = [];
  for (const { tier, path } of tiers) {
    if (tier.scaling === 'automatic') {
      backends.push({ value: tier.backend, path: [...path, 'backend'] });
      if (tier.frontend !== undefined) {
        // `:80`, `*:80` and `0.0.0.0:80` are one and the same to HAProxy.
        const value = tier.frontend.bind.replace(/^(\*|0\.0\.0\.0)?:/, '*:');
        binds.push({ value, path: [...path, 'frontend', 'bind'] });
      }
    }
  }
  return [...findRepeated('backend', backends), ...findRepeated('bind', binds)];
}

/**
 * A node's name is `<cluster>-<tier>-<n>`, and names may have dashes: tier `c` of cluster `a-b` and tier
 * `b-c` of cluster `a` would take each other's nodes for their own.
 */
function findCollidingNodeNames(tiers: readonly PlacedTier[]): readonly Finding[] {
  // Two clusters of one name are said elsewhere, and not once more for each of their tiers.
  const tiersByKey = new Map(tiers.map((placed) => [tierKey(placed), placed]));
  const uses = [...tiersByKey.values()].map((placed) => ({
    value: nodeName(placed, 1),
    path: placed.path,
  }));
  return findRepeated('node name', uses);
}

/** A finding for each use after the first. */
function findRepeated(what: string, uses: readonly Use[]): readonly Finding[] {
  const first = new Map<string, Path>();
  return uses.flatMap(({ value, path }): Finding[] => {
    const earlier = first.get(value);
    if (earlier === undefined) {
      first.set(value, path);
      return [];
    }
    const message = `${what} \`${value}\` is already used by ${formatPath(earlier)}`;
    return [{ path, about: 'value', message }];
  });
}

function findOverlappingRanges(tiers: readonly PlacedTier[]): readonly Finding[] {
  const findings: Finding[] = [];
  let furthest: PlacedTier | undefined;
  for (const placed of tiers.toSorted((a, b) => a.range.first - b.range.first)) {
    if (furthest !== undefined && placed.range.first <= furthest.range.last) {
      // The one that stands later in the file is taken for the mistake.
      const [earlier, later] =
        tiers.indexOf(furthest) < tiers.indexOf(placed) ? [furthest, placed] : [placed, furthest];
      findings.push({
        path: [...later.path, 'addresses'],
        about: 'value',
        message: `${later.tier.addresses} overlaps ${earlier.tier.addresses} of ${formatPath(earlier.path)}`,
      });
    }
    if (furthest === undefined || placed.range.last > furthest.range.last) {
      furthest = placed;
    }
  }
  return findings;
}

/** The image and the size exist. */
function checkReferences(
  { tier, path }: PlacedTier,
  { images, sizes }: WrittenConfig,
): readonly Finding[] {
  return [
    ...checkKnown(tier.image, images, [...path, 'image']),
    ...checkKnown(tier.size, sizes, [...path, 'size']),
  ];
}

function checkKnown(word: string, table: object, path: Path): readonly Finding[] {
  if (Object.hasOwn(table, word)) {
    return [];
  }
  const kind = String(path.at(-1));
  const meant = suggest(word, Object.keys(table));
  const message = `there is no \`${word}\` in \`${kind}s\`${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`;
  return [{ path, about: 'value', message }];
}

/** Every node that may exist has an address, and standby nodes have room beside the steady ones. */
function checkCounts({ tier, range, path }: PlacedTier): readonly Finding[] {
  const addresses = rangeLength(range);
  const tooMany = `but \`addresses\` has only ${addresses}`;
  if (tier.scaling === 'none') {
    return tier.nodes <= addresses
      ? []
      : [{ path: [...path, 'nodes'], about: 'value', message: `${tier.nodes} nodes, ${tooMany}` }];
  }
  const { nodes, standby, schedules } = tier;
  const findings: Finding[] = [];
  if (nodes.max > addresses) {
    const message = `up to ${nodes.max} nodes, ${tooMany}`;
    findings.push({ path: [...path, 'nodes', 'max'], about: 'value', message });
  }
  if (standby.nodes !== 'auto' && nodes.min + standby.nodes > nodes.max) {
    const message = `${standby.nodes} on standby beside ${nodes.min} in service are more than \`nodes.max\` (${nodes.max})`;
    findings.push({ path: [...path, 'standby', 'nodes'], about: 'value', message });
  }
  for (const [index, { nodes: { min, max } = {} }] of schedules.entries()) {
    const wrong = (key: string, message: string): void => {
      findings.push({ path: [...path, 'schedules', index, 'nodes', key], about: 'value', message });
    };
    if (max === undefined && min !== undefined && min > nodes.max) {
      wrong('min', `must be at most \`nodes.max\` (${nodes.max}), got ${min}; say a \`max\` here`);
    }
    if (max !== undefined && max < nodes.min) {
      wrong('max', `must be at least \`nodes.min\` (${nodes.min}), got ${max}`);
    }
    if (max !== undefined && max > addresses) {
      wrong('max', `up to ${max} nodes, ${tooMany}`);
    }
  }
  return findings;
}
