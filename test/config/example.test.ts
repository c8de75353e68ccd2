import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { expect, test } from 'vitest';
import { listEffective } from '../../src/config/effective.ts';
import { createJsonSchema } from '../../src/config/json-schema.ts';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { minimal, minimalXen } from './minimal.ts';

const examplePath = fileURLToPath(new URL('../../config/rackfire.example.yaml', import.meta.url));
const xenExamplePath = fileURLToPath(
  new URL('../../config/rackfire.xen.example.yaml', import.meta.url),
);
const schemaPath = fileURLToPath(new URL('../../config/rackfire.schema.json', import.meta.url));

test('the example can be used as it stands', async () => {
  const { config } = await loadConfig(examplePath);
  expect(config.clusters[0]?.tiers).toMatchObject([
    { scaling: 'none', cluster: 'news', name: 'db', nodes: 1 },
    {
      scaling: 'automatic',
      cluster: 'news',
      name: 'web',
      policy: { minNodes: 2, maxNodes: 12, requestRate: { targetPerNodeRps: 80 } },
    },
  ]);
});

test('what the example shows of the optional keys are the defaults, except where its comment says so', async () => {
  const shown = listEffective(await loadConfig(examplePath));
  const defaults = listEffective(parseConfig(minimal, 'minimal.yaml')).filter(
    ({ origin }) => origin === 'default',
  );
  // The example's web tier and first host stand for the only ones of the minimal config.
  const differing = defaults.flatMap(({ path, value }) => {
    const same = shown.find((entry) => entry.path === path);
    return same?.value === value && same.origin !== 'default' ? [] : [`${path}: ${same?.value}`];
  });
  expect(differing).toEqual(['clusters[0].tiers.web.health.port: 8080']);
});

test('the example for Xen hosts can be used, and shows every key that only they have, with its default', async () => {
  const loaded = await loadConfig(xenExamplePath);
  expect(loaded.config.hosts.map(({ driver, failureDomain }) => [driver, failureDomain])).toEqual([
    ['xen', 'rack-1'],
    ['xen', 'rack-2'],
  ]);
  const shown = new Map(listEffective(loaded).map((entry) => [entry.path, entry]));
  const differing = listEffective(parseConfig(minimalXen, 'minimal.yaml'))
    .filter(({ path, origin }) => origin === 'default' && /^(?:hosts|network|images)/.test(path))
    .filter(
      ({ path, value }) =>
        shown.get(path)?.value !== value || shown.get(path)?.origin === 'default',
    );
  expect(differing).toEqual([]);
  for (const path of ['hosts[0].failureDomain', 'images.drupal-web.ramdisk']) {
    expect(shown.get(path)?.value).toBeDefined();
  }
});

test('the example is read in less than 100 ms, again and again', async () => {
  const text = await readFile(examplePath, 'utf8');
  const timesMs = Array.from({ length: 5 }, () => {
    const startMs = performance.now();
    parseConfig(text, examplePath);
    return performance.now() - startMs;
  });
  expect(Math.min(...timesMs)).toBeLessThan(100);
});

test('the committed JSON Schema is what the schema says today', async () => {
  const committed: unknown = JSON.parse(await readFile(schemaPath, 'utf8'));
  // Refresh it as the first comment of src/config/json-schema.ts says.
  expect(committed).toEqual(JSON.parse(JSON.stringify(createJsonSchema())));
});

test.each([examplePath, xenExamplePath])(
  'editors find the schema by the first line of %s',
  async (path) => {
    const [firstLine = ''] = (await readFile(path, 'utf8')).split('\n');
    const [, place = ''] = /^# yaml-language-server: \$schema=(\S+)$/.exec(firstLine) ?? [];
    expect(resolve(dirname(path), place)).toBe(schemaPath);
  },
);

test('the JSON Schema accepts the example, and refuses unknown keys and those not built yet', async () => {
  const record = z.record(z.string(), z.unknown());
  const schema = z.fromJSONSchema(record.parse(JSON.parse(await readFile(schemaPath, 'utf8'))));
  const example = record.parse(parse(await readFile(examplePath, 'utf8')));
  const isAccepted = (value: unknown) => schema.safeParse(value).success;
  expect({
    example: isAccepted(example),
    unknownKey: isAccepted({ ...example, limit: {} }),
    notBuiltYet: isAccepted({ ...example, leadership: { driver: 'file', namespace: 'x' } }),
    missing: isAccepted({ ...example, hosts: undefined }),
    xen: isAccepted(parse(await readFile(xenExamplePath, 'utf8'))),
  }).toEqual({ example: true, unknownKey: false, notBuiltYet: false, missing: false, xen: true });
});

test('every value of the JSON Schema that an operator writes is described', () => {
  const undescribed: string[] = [];
  const search = (schema: z.core.JSONSchema.BaseSchema, path: string) => {
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (typeof property === 'object') {
        if (property.type !== 'object' && property.description === undefined) {
          undescribed.push(`${path}.${key}`);
        }
        search(property, `${path}.${key}`);
      }
    }
    for (const inner of [schema.items, schema.additionalProperties, ...(schema.oneOf ?? [])]) {
      if (typeof inner === 'object' && !Array.isArray(inner)) {
        search(inner, path);
      }
    }
  };
  search(createJsonSchema(), '');
  expect(undescribed).toEqual([]);
});
