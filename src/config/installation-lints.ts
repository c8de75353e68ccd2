/** What is to be said of all tiers and hosts together. */

import { mostNodes } from '../scaler/schedule.ts';
import type { Advice, Subject } from './advice.ts';
import type { Config } from './config.ts';
import { countNodes, embeddedHosts, fillAll, fixedLoads, loadOf, roomOf } from './embedded-room.ts';
import { formatDuration } from './units.ts';

export function adviseInstallation(
  config: Config,
  subjects: readonly Subject[],
): readonly Advice[] {
  return [
    ...adviseLimit(config),
    ...adviseBreaker(config),
    ...adviseDomains(config),
    ...adviseLoss(config, subjects),
  ];
}

function adviseLimit({ clusters, limits }: Config): readonly Advice[] {
  const nodes = clusters
    .flatMap(({ tiers }) => tiers)
    .reduce(
      (sum, tier) => sum + (tier.scaling === 'none' ? tier.nodes : mostNodes(tier.policy)),
      0,
    );
  return nodes <= limits.maxNodes
    ? []
    : [
        {
          path: ['limits', 'maxNodes'],
          message: `all tiers together may have ${nodes} nodes, and no more than ${limits.maxNodes} are made: the storm that comes last gets none`,
          proposal: `write ${nodes}, or lower \`nodes.max\` of a tier`,
        },
      ];
}

function adviseBreaker({ limits }: Config): readonly Advice[] {
  const { failures, openMs } = limits.breaker;
  return failures > 1
    ? []
    : [
        {
          path: ['limits', 'breaker', 'failures'],
          message: `a single failed boot stops all others of its tier and its host for ${formatDuration(openMs)}`,
          proposal: 'write 3',
        },
      ];
}

function adviseDomains({ hosts }: Config): readonly Advice[] {
  const domains = new Set(hosts.map(({ failureDomain }) => failureDomain));
  const [domain] = domains;
  return hosts.length < 2 || domains.size > 1
    ? []
    : [
        {
          path: ['hosts', 0, 'failureDomain'],
          message: `all ${hosts.length} hosts fail together with \`${domain}\`, so spreading nodes over them helps nobody`,
          proposal: 'name what really fails together, or leave it out',
        },
      ];
}

function adviseLoss(config: Config, subjects: readonly Subject[]): readonly Advice[] {
  const hosts = embeddedHosts(config);
  if (config.placement.hostFailuresToTolerate === 0 || hosts.length < 2) {
    return [];
  }
  const loads = [
    ...fixedLoads(config),
    ...subjects.map(({ tier }) => loadOf(tier.size, tier.policy.minNodes)),
  ];
  const nodes = countNodes(loads);
  for (const lost of hosts) {
    const others = hosts.filter((host) => host !== lost).map(roomOf);
    const homeless = countNodes(fillAll(others, loads).left);
    if (homeless > 0) {
      return [
        {
          path: ['placement', 'hostFailuresToTolerate'],
          message: `without ${lost.name}, ${homeless} of the ${nodes} nodes that all tiers have at least find no room`,
          proposal:
            'give the other hosts more room, lower `nodes.min`, or write 0 and take it as it comes',
        },
      ];
    }
  }
  return [];
}
