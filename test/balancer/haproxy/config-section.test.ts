import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  renderHaproxyConfig,
  suggestedMaxConnections,
} from '../../../src/balancer/haproxy/config-section.ts';
import { ConfigError } from '../../../src/control/errors.ts';
import type { ScaledTier } from '../../../src/scaler/cluster.ts';
import { makeTier } from '../site.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rackfire-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function render(tiers: readonly ScaledTier[]): string {
  return renderHaproxyConfig({
    tiers,
    socketPath: join(folder, 'admin.sock'),
    stateFilePath: join(folder, 'server-state'),
    hardStopAfterMs: 60_000,
    maxConnections: suggestedMaxConnections,
  });
}

const one = makeTier({ nodes: 1, minNodes: 1, nodePort: 80, frontPort: 8_080 });
const many = makeTier({ nodes: 200, minNodes: 2, nodePort: 80, frontPort: 8_081, backend: 'b' });
const bare = makeTier({ nodes: 3, minNodes: 2, nodePort: 80, frontPort: undefined, backend: 'c' });

test.each([
  ['one address', [one]],
  ['200 addresses', [many]],
  ['a frontend of somebody else', [bare]],
  ['several tiers', [one, many, bare]],
  [
    'a check faster than the transition interval',
    [{ ...one, health: { ...one.health, intervalMs: 100 } }],
  ],
  ['no tier', []],
])('HAProxy takes the config of %s', (_situation, tiers) => {
  const path = join(folder, 'haproxy.cfg');
  writeFileSync(path, render(tiers));

  const checked = spawnSync('haproxy', ['-c', '-f', path], { encoding: 'utf8' });

  // The state file is not there before Rackfire's first change, and HAProxy says so.
  const complaints = checked.stderr
    .split('\n')
    .filter((line) => /ALERT|WARNING/.test(line) && !line.includes('server state file'));
  expect(complaints).toEqual([]);
  expect(checked.status).toBe(0);
});

test('for the Data Plane API there is no state file, and HAProxy takes the rest without a word', () => {
  const path = join(folder, 'dataplane.cfg');
  const text = renderHaproxyConfig({
    tiers: [one, many],
    socketPath: join(folder, 'admin.sock'),
    stateFilePath: undefined,
    hardStopAfterMs: 60_000,
    maxConnections: suggestedMaxConnections,
  });
  writeFileSync(path, text);

  const checked = spawnSync('haproxy', ['-c', '-f', path], { encoding: 'utf8' });

  expect(checked.stderr).not.toMatch(/ALERT|WARNING/);
  expect(checked.status).toBe(0);
  expect(text).not.toMatch(/server-state/);
  for (const setting of [
    'option redispatch 1',
    'option idle-close-on-response',
    'hard-stop-after 60000ms',
  ]) {
    expect(text).toContain(setting);
  }
});

test('each address has its server, and those beyond the minimum wait', () => {
  const servers = render([many]).match(/^ {4}server .*$/gm);

  expect(servers).toHaveLength(200);
  expect(servers?.slice(0, 3)).toEqual([
    '    server news-web-1 127.0.0.2:80',
    '    server news-web-2 127.0.0.3:80',
    '    server news-web-3 127.0.0.4:80 disabled',
  ]);
});

test.each<readonly [string, Partial<ScaledTier>]>([
  ['a backend with a space', { backend: 'news web' }],
  ['a backend with a line of its own', { backend: 'x\n    server evil 192.0.2.1:80' }],
  ['a cluster with a comment', { cluster: 'news#' }],
  ['a name for an address', { addresses: ['web.example'] }],
  ['no addresses', { addresses: [] }],
  ['a path with a space', { health: { path: '/a b', port: 80, intervalMs: 1_000 } }],
  ['a path with a variable', { health: { path: '/$HOME', port: 80, intervalMs: 1_000 } }],
  ['a path with a newline', { health: { path: '/a\nb', port: 80, intervalMs: 1_000 } }],
  ['no interval', { health: { path: '/', port: 80, intervalMs: 0 } }],
  ['a port out of range', { health: { path: '/', port: 70_000, intervalMs: 1_000 } }],
  ['a fraction of a connection', { maxConnections: 0.5 }],
  ['a bind with options', { frontend: { bind: '*:80 user root', queueTimeoutMs: 1 } }],
  ['an endless queue', { frontend: { bind: '*:80', queueTimeoutMs: Number.POSITIVE_INFINITY } }],
])('%s is refused', (_situation, change) => {
  expect(() => render([{ ...one, ...change }])).toThrow(ConfigError);
});

test('two tiers cannot share a backend or an address to listen on', () => {
  expect(() => render([one, one])).toThrow(/backend "news-web" is used by two tiers/);
  expect(() => render([one, { ...one, backend: 'other' }])).toThrow(/bind "127.0.0.1:8080"/);
});
