import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { renderConfigPage } from '../../scripts/config-page.ts';
import { listEffective } from '../../src/config/effective.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const root = resolve(import.meta.dirname, '../..');
const page = renderConfigPage();

/** `| key | type | default | range | says |` */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('docs/config.md is what `npm run generate:config` prints', async () => {
  expect(await readFile(resolve(root, 'docs/config.md'), 'utf8')).toBe(page);
});

test('every key is described, has a type, and a default unless it must be said', () => {
  const bare = rows.filter(
    ([, , type, standard, , says]) =>
      type === '' || says === '' || (standard === '' && type !== 'section'),
  );
  expect(bare).toEqual([]);
  expect(rows.length).toBeGreaterThan(100);
});

test('every value that an example has stands in the page', async () => {
  const keys = new Set(rows.map(([, key = '']) => key.replaceAll('`', '').split('.').at(-1)));
  for (const example of ['config/rackfire.example.yaml', 'config/rackfire.xen.example.yaml']) {
    const effective = listEffective(await loadConfig(resolve(root, example)));
    const missing = effective.filter(
      ({ path }) =>
        !keys.has(
          path
            .replace(/\[[0-9]+\]$/, '')
            .split('.')
            .at(-1),
        ),
    );
    expect(missing).toEqual([]);
  }
});

test.each([
  ['a duration', '| `drain.deadline` | duration | `5m` | 1s to 7d |'],
  [
    'a number with its unit',
    '| `signals.requestRate.targetPerNode` | requests per second | *required* | above 0 to 1000000 |',
  ],
  ['a share', '| `scaleIn.tolerance` | share | `0` | 0 to below 1 |'],
  ['a choice', '| `standby.state` | `paused` or `saved` | `paused` | |'],
  ['a list of sections', '| `schedules` | list of sections | empty | at most 50 |'],
  [
    'a key of one of them',
    '| `schedules[].timeZone` | text | *required* | an IANA time zone such as Europe/Berlin or UTC |',
  ],
])('%s is told as it is', (_, start) => {
  expect(page).toContain(`${start} `);
});
