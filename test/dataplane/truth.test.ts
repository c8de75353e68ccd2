/** The stand-in is held to what real daemons do; a real daemon, where there is one, is held to it as well. */

import { describe, expect, test } from 'vitest';
import { findFreePorts } from '../../src/cli/demo/processes.ts';
import {
  type GenerationName,
  realDaemonOf,
  startDaemon,
} from '../balancer/dataplane/daemon-rig.ts';
import { type RigPaths, startHaproxy } from '../balancer/haproxy-rig.ts';
import { WebNode } from '../balancer/site.ts';
import { type Exchange, playExchanges } from './exchanges.ts';
import { expectationsOf } from './expectations.ts';
import { findRecording, toExchange } from './recordings.ts';

const generations = [
  { generation: 'v2', recording: 'recorded-2.9.json', version: 5, servers: 3 },
  { generation: 'v3', recording: 'recorded-3.2.json', version: 70, servers: 4 },
] as const;

describe.each(generations)('the Data Plane API $generation', (start) => {
  const { generation } = start;
  const runsOn = realDaemonOf(generation) ?? 'the stand-in';

  test(`is on ${runsOn} as this repository's table says`, { timeout: 60_000 }, async () => {
    const differences = await playOn({ generation, version: 5, servers: 3 }, (portOf) =>
      expectationsOf(generation, (number) => portOf(19_000 + number)),
    );
    expect(differences).toEqual([]);
  });

  const recording = findRecording(start.recording);
  if (recording !== undefined) {
    test(`is on ${runsOn} as recorded in ${recording.path}`, { timeout: 60_000 }, async () => {
      const differences = await playOn(start, (portOf) =>
        recording.exchanges.map((one) => toExchange(one, portOf)),
      );
      expect(differences).toEqual([]);
    });
  }
});

/** Plays exchanges on a daemon that is new in front of servers of which the second has a node. */
async function playOn(
  start: {
    readonly generation: GenerationName;
    readonly version: number;
    readonly servers: number;
  },
  makeExchanges: (portOf: (recordedPort: number) => number) => readonly Exchange[],
): Promise<readonly string[]> {
  const ports = await findFreePorts(10);
  const portOf = (recordedPort: number): number => ports[recordedPort - 19_000] ?? 0;
  await using haproxy = await startHaproxy((paths) => renderConfig(paths, start, portOf));
  await using _node = await WebNode.start('127.0.0.1', portOf(19_002));
  // Longer than what comes before the first reload takes, so that it is seen while it waits.
  await using daemon = await startDaemon({
    generation: start.generation,
    haproxy,
    reloadDelayMs: 3_000,
  });
  return await playExchanges(daemon, makeExchanges(portOf));
}

/** The file that the recorded daemons had before them. */
function renderConfig(
  { socketPath }: RigPaths,
  start: { readonly version: number; readonly servers: number },
  portOf: (recordedPort: number) => number,
): string {
  const servers = Array.from({ length: start.servers }, (_, index) => {
    const number = index + 1;
    const state = number === 1 ? 'enabled' : 'disabled';
    return `  server news-web-${number} 127.0.0.1:${portOf(19_000 + number)} ${state}`;
  });
  return `# _version=${start.version}
global
  stats socket ${socketPath} mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend news
  bind 127.0.0.1:${portOf(19_000)}
  default_backend news-web
backend news-web
  balance leastconn
  option httpchk GET /health
  default-server check inter 500 rise 1 fall 2 maxconn 10
${servers.join('\n')}
`;
}
