import { expect, test } from 'vitest';
import { startDaemon } from '../balancer/dataplane/daemon-rig.ts';
import { startHaproxy } from '../balancer/haproxy-rig.ts';
import { configFor, pickPorts } from '../balancer/runtime/lab.ts';
import { ask } from './api.ts';

test.each(['v2', 'v3'] as const)(
  'a daemon of %s shows its own generation alone',
  async (generation) => {
    await using haproxy = await startHaproxy(configFor(await pickPorts()));
    await using daemon = await startDaemon({ generation, haproxy });
    const other = generation === 'v2' ? 'v3' : 'v2';
    expect((await ask(daemon, { method: 'GET', path: `/${generation}/info` })).status).toBe(200);
    expect((await ask(daemon, { method: 'GET', path: `/${other}/info` })).status).toBe(404);
  },
);
