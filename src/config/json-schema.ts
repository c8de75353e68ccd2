/**
 * The config's JSON Schema, which editors complete and check by. Refreshed by
 * `node src/config/json-schema.ts | biome format --stdin-file-path=config/rackfire.schema.json`,
 * written to that file; a test compares the two.
 */

import { z } from 'zod';
import { WrittenConfig } from './schema.ts';

/** Derives the JSON Schema (2020-12) of what may be written. Rules between values are not part of it. */
export function createJsonSchema(): z.core.JSONSchema.JSONSchema {
  const schema = z.toJSONSchema(WrittenConfig, { io: 'input', override: dropRefusedKeys });
  return { ...schema, title: 'Rackfire config' };
}

/**
 * A refused key would be offered by an editor's completion. Without it, the key is refused all the same,
 * because no section allows additional ones.
 */
export function dropRefusedKeys({
  jsonSchema,
}: {
  readonly jsonSchema: z.core.JSONSchema.BaseSchema;
}) {
  for (const [key, property] of Object.entries(jsonSchema.properties ?? {})) {
    if (typeof property === 'object' && 'not' in property) {
      delete jsonSchema.properties?.[key];
    }
  }
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(createJsonSchema(), null, 2)}\n`);
}
