/** Rules between hosts of one kind and the nodes that they are to have. */

import { nodeName } from '../scaler/cluster.ts';
import {
  formatAddress,
  isLoopback,
  type AddressRange,
  networkOf,
  parseAddress,
  rangeLength,
} from './addresses.ts';
import { bootDeadlineOf } from '../scaler/start-times.ts';
import { compileRoom, splitHostAddress } from './compile.ts';
import type { WrittenHost, WrittenNetwork } from './host-schema.ts';
import type { PlacedTier } from './placed-tiers.ts';
import type { Finding, Path } from './problems.ts';
import type { WrittenConfig } from './schema.ts';
import { formatDuration, parseAmountMiB, parseDurationMs } from './units.ts';

type EmbeddedHost = Extract<WrittenHost, { driver: 'embedded' }>;
type XenHost = Extract<WrittenHost, { driver: 'xen' }>;

/** The longest name of a node that a dom0 takes. @see docs/xen.md, Requests */
const maxGuestNameLength = 63;

/** What the hosts' driver has against the rest of the config. */
export function findHostContradictions(
  written: WrittenConfig,
  tiers: readonly PlacedTier[],
): readonly Finding[] {
  const mixed = findMixedDrivers(written);
  if (mixed.length > 0) {
    return mixed;
  }
  const embedded = written.hosts.filter((host) => host.driver === 'embedded');
  return embedded.length > 0
    ? [...findOversizedReserves(embedded), ...tiers.flatMap(checkEmbeddedTier(written, embedded))]
    : [...findXenContradictions(written), ...tiers.flatMap(checkXenTier(written))];
}

/** One tier may have nodes on every host, and no address is good for both kinds. */
function findMixedDrivers({ hosts }: WrittenConfig): readonly Finding[] {
  const first = hosts[0]?.driver;
  return hosts.flatMap(({ driver }, index): Finding[] =>
    driver === first
      ? []
      : [
          {
            path: ['hosts', index, 'driver'],
            about: 'value',
            message: `all hosts of a config have one driver, and hosts[0] has \`${first}\`: embedded nodes need loopback addresses, guests those of a network`,
          },
        ],
  );
}

function findOversizedReserves(hosts: readonly EmbeddedHost[]): readonly Finding[] {
  return hosts.flatMap(({ reserve, capacity }, index): Finding[] =>
    parseAmountMiB(reserve.memory) < parseAmountMiB(capacity.memory)
      ? []
      : [
          {
            path: ['hosts', index, 'reserve', 'memory'],
            about: 'value',
            message: `leaves nothing of the host's ${capacity.memory}`,
          },
        ],
  );
}

function checkEmbeddedTier(written: WrittenConfig, hosts: readonly EmbeddedHost[]) {
  return (placed: PlacedTier): readonly Finding[] => [
    ...checkRoom(placed, written, hosts),
    ...checkLoopback(placed),
    ...checkBootDeadline(placed, hosts),
    ...checkSaved(placed),
  ];
}

/** Some host is large enough for one node. */
function checkRoom(
  { tier, path }: PlacedTier,
  { sizes }: WrittenConfig,
  hosts: readonly EmbeddedHost[],
): readonly Finding[] {
  const size = Object.hasOwn(sizes, tier.size) ? sizes[tier.size] : undefined;
  if (size === undefined) {
    return [];
  }
  const need = compileRoom(size);
  const fits = hosts.some(({ capacity, reserve }) => {
    const room = compileRoom(capacity);
    return (
      need.memoryMiB <= room.memoryMiB - parseAmountMiB(reserve.memory) &&
      need.vcpus <= room.vcpus &&
      need.diskMiB <= room.diskMiB
    );
  });
  const message = `no host has room for one node of size \`${tier.size}\` (${size.memory}, ${size.vcpus} vcpus, ${size.disk})`;
  return fits ? [] : [{ path: [...path, 'size'], about: 'value', message }];
}

/** Local processes can only have addresses of the local machine. */
function checkLoopback({ tier, range, path }: PlacedTier): readonly Finding[] {
  const message = `embedded nodes need loopback addresses (127.0.0.0/8), got ${tier.addresses}`;
  return isLoopback(range) ? [] : [{ path: [...path, 'addresses'], about: 'value', message }];
}

/** A deadline that the boot cannot meet would fail every boot. */
function checkBootDeadline(
  { tier, path }: PlacedTier,
  hosts: readonly EmbeddedHost[],
): readonly Finding[] {
  if (tier.scaling === 'none') {
    return [];
  }
  const { deadline } = tier.boot;
  const deadlineMs = bootDeadlineOf(
    deadline === 'auto' ? deadline : parseDurationMs(deadline),
    undefined,
  );
  const given =
    deadline === 'auto' ? `auto, which is ${formatDuration(deadlineMs)} at first` : deadline;
  return hosts.flatMap(({ name, embedded }): Finding[] => {
    const delayMs = parseDurationMs(embedded.bootDelay);
    const message = `must be longer than the boot delay of host \`${name}\` (${formatDuration(delayMs)}), got ${given}`;
    return deadlineMs > delayMs
      ? []
      : [{ path: [...path, 'boot', 'deadline'], about: 'value', message }];
  });
}

function checkSaved({ tier, path }: PlacedTier): readonly Finding[] {
  if (tier.scaling === 'none' || tier.standby.state !== 'saved') {
    return [];
  }
  const message =
    'embedded nodes are processes, and a process cannot be saved to disk; write `paused`, or use Xen hosts';
  return [{ path: [...path, 'standby', 'state'], about: 'value', message }];
}

function findXenContradictions(written: WrittenConfig): readonly Finding[] {
  const { hosts, network } = written;
  const message = '`network` is missing: guests of Xen hosts need a bridge and a gateway';
  return [
    ...(network === undefined ? [{ path: ['network'], about: 'key', message } as const] : []),
    ...hosts.flatMap((host, index) =>
      host.driver === 'xen' ? checkPorts(host, ['hosts', index]) : [],
    ),
  ];
}

function checkPorts(host: XenHost, path: Path): readonly Finding[] {
  const { port } = splitHostAddress(host);
  const message = `\`address\` says port ${port} already; say it once`;
  return port === host.ssh.port || host.ssh.port === 22
    ? []
    : [{ path: [...path, 'ssh', 'port'], about: 'value', message }];
}

/** A tier with `scaling: none` is only seen: where its nodes come from is not Rackfire's business. */
function checkXenTier(written: WrittenConfig) {
  const seenImages = new Set<string>();
  const xenHosts = written.hosts.filter((host) => host.driver === 'xen');
  return (placed: PlacedTier): readonly Finding[] => {
    if (placed.tier.scaling === 'none') {
      return [];
    }
    const isNew = !seenImages.has(placed.tier.image);
    seenImages.add(placed.tier.image);
    return [
      ...(isNew ? checkGoldenImage(placed.tier.image, written) : []),
      ...(written.network === undefined ? [] : checkWithin(placed, written.network, xenHosts)),
      ...checkNameLength(placed),
    ];
  };
}

function checkGoldenImage(name: string, { images }: WrittenConfig): readonly Finding[] {
  const image = Object.hasOwn(images, name) ? images[name] : undefined;
  return (['disk', 'kernel'] as const).flatMap((key): Finding[] =>
    image === undefined || image[key] !== undefined
      ? []
      : [
          {
            path: ['images', name, key],
            about: 'key',
            message: `\`${key}\` is missing: guests of Xen hosts boot from it`,
          },
        ],
  );
}

/** Outside the network, at its ends, or in the place of the gateway or a dom0, a guest would never be reached. */
function checkWithin(
  { tier, range, path }: PlacedTier,
  { gateway, prefixLength }: WrittenNetwork,
  hosts: readonly XenHost[],
): readonly Finding[] {
  const whole = networkOf(gateway, prefixLength);
  const usable: AddressRange = { first: whole.first + 1, last: whole.last - 1 };
  const find = (message: string): readonly Finding[] => [
    { path: [...path, 'addresses'], about: 'value', message },
  ];
  if (range.first < usable.first || range.last > usable.last) {
    const ends = `${formatAddress(usable.first)}-${formatAddress(usable.last)}`;
    return find(
      `must lie in the network of the gateway (${gateway}/${prefixLength}: ${ends}), got ${tier.addresses}`,
    );
  }
  const others = [
    { who: 'the gateway', address: gateway },
    ...hosts.map((host) => ({ who: `host ${host.name} at`, ...splitHostAddress(host) })),
  ];
  return others.flatMap(({ who, address }) => {
    // A host may have a name instead.
    const place = parseAddress(address);
    return place !== undefined && range.first <= place && place <= range.last
      ? find(`contains ${who} ${address}, got ${tier.addresses}`)
      : [];
  });
}

function checkNameLength(placed: PlacedTier): readonly Finding[] {
  const longest = nodeName(placed, rangeLength(placed.range));
  const message = `the names of its nodes are too long for a dom0: \`${longest}\` has ${longest.length} characters of at most ${maxGuestNameLength}`;
  return longest.length <= maxGuestNameLength ? [] : [{ path: placed.path, about: 'key', message }];
}
