/** The engine's constants stand in one table, each with where it comes from. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';

const CORE = 'src/scaler';
const TABLE = 'constants.ts';

const table = readFileSync(`${CORE}/${TABLE}`, 'utf8');
const stages = readdirSync(CORE)
  .filter((name) => name.endsWith('.ts') && name !== TABLE)
  .map((name) => readFileSync(`${CORE}/${name}`, 'utf8'))
  .join('\n');

/** The comment above a constant; several may share one. */
function commentOn(name: string): string | undefined {
  const above = table.slice(0, table.indexOf(`  ${name}:`));
  return /\/\*\*((?:(?!\/\*\*)[^])*)$/.exec(above)?.[1];
}

test.each(Object.keys(ENGINE))(
  '%s is fitted, or a rule, and says which; a stage reads it',
  (name) => {
    expect(commentOn(name)).toMatch(/\b(?:[Ff]itted|[Rr]ule)\b/);
    expect(stages).toMatch(new RegExp(`\\bENGINE\\.${name}\\b`));
  },
);

test('the table names the loads that it was fitted on, and none of them is among the storms that are reported', () => {
  const [, from] = /seeds\s+\*?\s*([0-9,]+)–/.exec(table) ?? [];
  expect(Number(from?.replace(',', ''))).toBeGreaterThan(200);
});
