import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { problemsOf, withWebLine } from './minimal.ts';

const path = 'clusters[0].tiers.web.schedules[0]';
const cronNoun = 'a cron expression of five fields such as "0 8 * * mon-fri"';

const good = {
  cron: '"0 8 * * mon-fri"',
  duration: '10h',
  timeZone: 'Europe/Berlin',
  nodes: '{ min: 4 }',
};

/** On line 19; the entry begins in column 22. */
function withSchedule(changes: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries({ ...good, ...changes }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}: ${value}`],
  );
  return withWebLine(`schedules: [{ ${entries.join(', ')} }]`);
}

test('a schedule as it is used', () => {
  const text = withSchedule({ nodes: '{ min: 4, max: 20 }', freeze: 'scale-in' });
  const [tier] = parseConfig(text, 'site.yaml').config.clusters[0]?.tiers ?? [];
  expect(tier).toMatchObject({
    policy: {
      minNodes: 2,
      maxNodes: 12,
      schedules: [
        {
          cron: '0 8 * * mon-fri',
          durationMs: 36_000_000,
          timeZone: 'Europe/Berlin',
          minNodes: 4,
          maxNodes: 20,
          freeze: 'scale-in',
        },
      ],
    },
  });
});

test.each<[string, Readonly<Record<string, string | undefined>>, readonly string[]]>([
  ['of the last day of each month', { cron: '"0 0 L * *"' }, []],
  ['of the second Tuesday', { cron: '"30 23 * * tue#2"', duration: '3d' }, []],
  [
    'with four fields',
    { cron: '"0 8 * *"' },
    [`19:29 ${path}.cron: expected ${cronNoun}, got "0 8 * *"`],
  ],
  [
    'with seconds, which nobody counts here',
    { cron: '"0 0 8 * * *"' },
    [`19:29 ${path}.cron: expected ${cronNoun}, got "0 0 8 * * *"`],
  ],
  [
    'at the 25th hour',
    { cron: '"0 25 * * *"' },
    [`19:29 ${path}.cron: expected ${cronNoun}, got "0 25 * * *": Invalid value for hour: 25`],
  ],
  [
    'on a day that does not exist',
    { cron: '"0 8 30 2 *"' },
    [`19:29 ${path}.cron: never comes: no day is like "0 8 30 2 *"`],
  ],
  [
    'that lasts for nothing',
    { duration: '0s' },
    [`19:58 ${path}.duration: must be at least 1m, got 0s`],
  ],
  ['without an end', { duration: undefined }, [`19:21 ${path}.duration: \`duration\` is missing`]],
  [
    'without a time zone: nobody guesses that of the machine',
    { timeZone: undefined },
    [`19:21 ${path}.timeZone: \`timeZone\` is missing`],
  ],
  [
    'in a zone that is misspelt',
    { timeZone: 'Europe/Berln' },
    [
      `19:73 ${path}.timeZone: there is no time zone "Europe/Berln"; did you mean \`Europe/Berlin\`?`,
    ],
  ],
  [
    'in a zone of which only the city is said',
    { timeZone: 'Berlin' },
    [`19:73 ${path}.timeZone: there is no time zone "Berlin"; did you mean \`Europe/Berlin\`?`],
  ],
  [
    'in a zone by an abbreviation',
    { timeZone: 'CEST' },
    [
      `19:73 ${path}.timeZone: there is no time zone "CEST"; expected an IANA time zone such as Europe/Berlin or UTC`,
    ],
  ],
  [
    'at an offset, which would be wrong for half of the year',
    { timeZone: '"+01:00"' },
    [
      `19:73 ${path}.timeZone: expected an IANA time zone such as Europe/Berlin or UTC, got "+01:00"`,
    ],
  ],
  [
    'that says nothing',
    { nodes: undefined },
    [`19:21 ${path}: needs \`nodes\`, \`freeze\` or both`],
  ],
  [
    'with bounds that say nothing',
    { nodes: '{}' },
    [`19:95 ${path}.nodes: needs \`min\`, \`max\` or both`],
  ],
  [
    'with more at least than at most',
    { nodes: '{ min: 8, max: 6 }' },
    [`19:110 ${path}.nodes.max: must be at least \`min\` (8), got 6`],
  ],
  [
    'with more at least than the tier may have',
    { nodes: '{ min: 13 }' },
    [`19:102 ${path}.nodes.min: must be at most \`nodes.max\` (12), got 13; say a \`max\` here`],
  ],
  [
    'with fewer at most than the tier has at least',
    { nodes: '{ max: 1 }' },
    [`19:102 ${path}.nodes.max: must be at least \`nodes.min\` (2), got 1`],
  ],
  [
    'with more than there are addresses',
    { nodes: '{ min: 13, max: 33 }' },
    [`19:111 ${path}.nodes.max: up to 33 nodes, but \`addresses\` has only 32`],
  ],
  [
    'that would freeze all',
    { freeze: 'all' },
    [`19:115 ${path}.freeze: expected \`scale-in\`, got "all"`],
  ],
])('a schedule %s', (_, changes, problems) => {
  expect(problemsOf(withSchedule(changes))).toEqual(problems);
});
