import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { readExperience } from '../../src/cli/experience.ts';
import { TIER_METRICS } from '../../src/telemetry/catalog.ts';
import { createGauge } from '../../src/telemetry/metrics.ts';

test('how long boots take is read of the running service, and what it has not learned is left out', async () => {
  const registry = new Registry();
  const bootTime = createGauge(registry, TIER_METRICS.bootTime);
  bootTime.set({ cluster: 'news', tier: 'web' }, 54.321);
  bootTime.set({ cluster: 'shop', tier: 'web' }, Number.NaN);
  const server = createServer((_, response) => {
    void registry.metrics().then((text) => response.end(text));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const http = { host: '127.0.0.1', port, tokenFile: undefined };
  expect(await readExperience(http)).toEqual({ bootTimesMs: new Map([['news/web', 54_321]]) });
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  expect(await readExperience(http)).toBeUndefined();
});
