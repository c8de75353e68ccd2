import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/control/errors.ts';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { InvalidConfigError } from '../../src/config/problems.ts';
import { edit, minimal } from './minimal.ts';

describe('a config that says only what must be said', () => {
  test('is compiled with every default', () => {
    const { config } = parseConfig(minimal, 'site.yaml');
    const { clusters, ...rest } = config;
    expect(rest).toEqual({
      installation: 'example',
      hosts: [
        {
          name: 'local-a',
          driver: 'embedded',
          failureDomain: 'local-a',
          capacity: { memoryMiB: 8_192, vcpus: 8, diskMiB: 102_400 },
          reserveMemoryMiB: 0,
          embedded: { bootDelayMs: 5_000, serviceTimeMs: 100, slots: 10 },
        },
      ],
      balancers: [
        {
          name: 'lb-a',
          driver: 'runtime',
          socket: '/run/haproxy.sock',
          masterSocket: undefined,
          stateFile: '/var/lib/haproxy/state',
          hardStopAfterMs: 60_000,
        },
      ],
      network: undefined,
      images: [],
      placement: { hostFailuresToTolerate: 1 },
      limits: {
        maxNodes: 200,
        concurrentBootsPerHost: 4,
        breaker: { failures: 3, windowMs: 600_000, openMs: 300_000 },
      },
      leadership: { driver: 'file', path: '/run/rackfire/leader' },
      journal: {
        path: '/var/lib/rackfire/journal.db',
        retentionMs: 30 * 86_400_000,
        maxBytes: 2 ** 30,
      },
      http: { host: '127.0.0.1', port: 9_500, tokenFile: undefined },
    });
    expect(clusters).toHaveLength(1);
    expect(clusters[0]).toMatchObject({ name: 'news', mode: 'full' });
  });

  test('has one tier with one address per possible node and the whole default policy', () => {
    const { config } = parseConfig(minimal, 'site.yaml');
    const [tier] = config.clusters[0]?.tiers ?? [];
    expect(tier?.addresses).toHaveLength(32);
    expect(tier?.addresses[31]).toBe('127.0.1.51');
    expect({ ...tier, addresses: [] }).toEqual({
      scaling: 'automatic',
      cluster: 'news',
      name: 'web',
      image: { name: 'drupal-web', version: '1' },
      size: { name: 'small', memoryMiB: 512, guestMemoryMiB: 512, vcpus: 1, diskMiB: 4_096 },
      addresses: [],
      backend: 'news-web',
      maxConnections: 10,
      health: { path: '/health', port: 80, intervalMs: 1_000 },
      frontend: undefined,
      policy: {
        minNodes: 2,
        maxNodes: 12,
        requestRate: { targetPerNodeRps: 80 },
        queue: { maxWaitMs: 100 },
        looksAhead: true,
        scaleOut: {
          tolerance: 0,
          policies: [],
        },
        scaleIn: {
          tolerance: 0,
          stabilizationWindowMs: 'auto',
          policies: [],
        },
        standby: { state: 'paused', nodes: 0 },
        drainDeadlineMs: 300_000,
        bootDeadlineMs: 'auto',
      },
    });
  });
});

test('values that differ from the defaults arrive in their units', () => {
  const text = edit(
    minimal,
    '        backend: news-web\n',
    `        backend: news-web
        frontend: { bind: ":8000" }
        scaleIn: { stabilizationWindow: 5m }
        standby: { state: paused, nodes: 2 }
      db: { scaling: none, nodes: 1, image: drupal-web, size: small, addresses: 127.0.2.1 }
`,
  ).replace(/( {8}signals: .*\n)/, '');
  const signals =
    '        signals: { requestRate: { targetPerNode: 0.5 }, queue: { maxWait: 1s } }\n';
  const { config } = parseConfig(
    edit(text, '        frontend', `${signals}        frontend`),
    'site.yaml',
  );
  expect(config.clusters[0]?.tiers).toMatchObject([
    {
      frontend: { bind: ':8000', queueTimeoutMs: 60_000 },
      policy: {
        requestRate: { targetPerNodeRps: 0.5 },
        queue: { maxWaitMs: 1_000 },
        scaleIn: { stabilizationWindowMs: 300_000 },
        standby: { state: 'paused', nodes: 2 },
      },
    },
    { scaling: 'none', name: 'db', nodes: 1, addresses: ['127.0.2.1'] },
  ]);
});

test('a config error lists every problem, in the order of the lines, each with its place', () => {
  const text = edit(edit(minimal, 'vcpus: 1,', 'vcpus: 0,'), 'installation: example', '');
  let caught: unknown;
  try {
    parseConfig(text, '/etc/rackfire.yaml');
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(ConfigError);
  expect(caught).toMatchObject({
    name: 'InvalidConfigError',
    code: 'config',
    message:
      '/etc/rackfire.yaml:2:1 installation: `installation` is missing\n' +
      '/etc/rackfire.yaml:7:35 sizes.small.vcpus: must be at least 1, got 0',
    problems: [
      {
        file: '/etc/rackfire.yaml',
        line: 2,
        column: 1,
        path: 'installation',
        message: '`installation` is missing',
      },
      {
        file: '/etc/rackfire.yaml',
        line: 7,
        column: 35,
        path: 'sizes.small.vcpus',
        message: 'must be at least 1, got 0',
      },
    ],
  });
});

test('a message lists at most 100 problems and counts the others', () => {
  const keys = Array.from({ length: 150 }, (_, index) => `unknown-${index}: 1\n`).join('');
  const error = new InvalidConfigError([]);
  expect(error.message).toBe('');
  expect(() => parseConfig(minimal + keys, 'site.yaml')).toThrow(/\nand 50 more$/);
});

describe('files', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rackfire-config-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function write(content: string | Uint8Array): Promise<string> {
    const path = join(folder, 'site.yaml');
    await writeFile(path, content);
    return path;
  }

  test('a file is read and its problems have its name', async () => {
    const path = await write(minimal);
    await expect(loadConfig(path)).resolves.toMatchObject({ config: { installation: 'example' } });
    await write('installation: 1');
    await expect(loadConfig(path)).rejects.toThrow(`${path}:1:15 installation: expected a name`);
  });

  test.each([
    ['is not there', () => join(folder, 'absent.yaml'), /^cannot read the config file .*ENOENT/],
    ['is a folder', () => folder, /^cannot read the config file .*: it is not a regular file$/],
    [
      'is a device',
      () => '/dev/zero',
      /^cannot read the config file .*: it is not a regular file$/,
    ],
    [
      'is too large',
      () => write('#'.repeat(1_048_577)),
      /^the config file .* is larger than 1 MiB$/,
    ],
    [
      'is not text',
      () => write(Uint8Array.of(0x61, 0xff)),
      /^the config file .* is not UTF-8 text$/,
    ],
  ])('a file that %s is a config error', async (_situation, prepare, message) => {
    const loading = loadConfig(await prepare());
    await expect(loading).rejects.toBeInstanceOf(ConfigError);
    await expect(loading).rejects.toThrow(message);
  });

  test('a file of exactly 1 MiB is read', async () => {
    const path = await write(minimal + '#'.repeat(1_048_576 - minimal.length));
    await expect(loadConfig(path)).resolves.toMatchObject({ config: { installation: 'example' } });
  });
});
