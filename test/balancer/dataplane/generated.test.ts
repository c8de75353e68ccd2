/**
 * The generated types are those of the daemon's description. No registry has the descriptions, so who has them says
 * where: RACKFIRE_DATAPLANE_DESCRIPTIONS is a folder of saved answers of `/specification_openapiv3`. What can be told
 * without them is told without them: that nobody edited the types, and that they have the paths that are asked.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fingerprint, fingerprintTypes } from '../../../scripts/dataplane-types/fingerprint.ts';
import { prune, usedPaths, versionOf } from '../../../scripts/dataplane-types/prune.ts';

const folder = process.env['RACKFIRE_DATAPLANE_DESCRIPTIONS'];
const generated = resolve(import.meta.dirname, '../../../src/balancer/dataplane/generated');

/** The descriptions of one API; none where there are none at hand. */
function readDescriptions(version: 'v2' | 'v3'): readonly unknown[] {
  if (folder === undefined) {
    return [];
  }
  return readdirSync(folder)
    .filter((name) => name.startsWith('openapi') && name.endsWith('.json'))
    .map((name): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    .filter((description) => versionOf(description) === version);
}

describe.each(['v2', 'v3'] as const)('the types of %s', (version) => {
  const text = readFileSync(join(generated, `${version}.d.ts`), 'utf8');
  const [, head = '', body = ''] = /^(\/\*\*[^]*?\*\/)\n\n([^]*)$/.exec(text) ?? [];
  const descriptions = readDescriptions(version);
  const what =
    folder === undefined
      ? 'no description is at hand to compare them with, but nobody edited them'
      : `they are made of the description in ${folder}, and nobody edited them`;

  test(`${what} (else: npm run generate:dataplane)`, () => {
    expect(head).toContain(`types ${fingerprintTypes(body)}\n`);
    expect(descriptions.length > 0).toBe(folder !== undefined);
    for (const description of descriptions) {
      const pruned = JSON.stringify(prune(description, version));
      expect(head).toContain(`description ${fingerprint(pruned)}\n`);
    }
  });

  test('they have the paths that are asked, and no others', () => {
    const paths = /^export interface paths \{\n([^]*?)^\}/m.exec(body)?.[1] ?? '';
    const keys = [...paths.matchAll(/^ {2}'(.*)': \{$/gm)].map(([, path]) => path);
    expect(new Set(keys)).toEqual(new Set(Object.keys(usedPaths[version])));
  });
});

describe('a description is pruned', () => {
  const path = '/services/haproxy/configuration/version';
  const operation = {
    description: 'prose',
    operationId: 'x',
    parameters: [{ $ref: '#/components/parameters/version' }],
    responses: { 200: { $ref: '#/components/responses/Fine' }, default: { description: 'bad' } },
  };
  const description = {
    openapi: '3.0.3',
    info: { title: 'any', version: '3.2' },
    paths: {
      ...Object.fromEntries(
        Object.entries(usedPaths.v3).map(([used, methods]) => [
          used,
          Object.fromEntries(methods.map((method) => [method, {}])),
        ]),
      ),
      [path]: { get: operation, patch: operation },
      '/unused': { get: { responses: { 200: { $ref: '#/components/schemas/unused' } } } },
    },
    components: {
      parameters: { version: { name: 'version', in: 'query', schema: { type: 'integer' } } },
      responses: {
        Fine: { description: 'fine', content: { a: { $ref: '#/components/schemas/s' } } },
      },
      schemas: {
        s: {
          description: 'prose',
          properties: { description: { type: 'string', example: 'x', 'x-go-name': 'D' } },
        },
        unused: { type: 'string' },
      },
    },
  };

  test('to the paths that are used and all that they refer to, without prose', () => {
    const pruned = prune(description, 'v3');
    expect(pruned).toMatchObject({
      components: {
        parameters: { version: { in: 'query', name: 'version', schema: { type: 'integer' } } },
        responses: { Fine: { content: { a: { $ref: '#/components/schemas/s' } } } },
        schemas: { s: { properties: { description: { type: 'string' } } } },
      },
    });
    const text = JSON.stringify(pruned);
    expect(text).not.toMatch(/unused|prose|patch|operationId|x-go-name|"example"/);
  });

  test('with an error that names what it lacks', () => {
    const { [path]: _, ...paths } = description.paths;
    expect(() => prune({ ...description, paths }, 'v3')).toThrow(`path ${path} of the v3`);
    expect(() => prune({ swagger: '2.0', paths }, 'v3')).toThrow(/is missing|OpenAPI 3/);
  });
});
