import { expect, test } from 'vitest';
import { edit, minimal, problemsOf } from './minimal.ts';

test.each([
  [
    'a key that appears twice',
    edit(minimal, 'size: small', 'size: small\n        size: small'),
    ['16:9 clusters[0].tiers.web.size: this key is already on line 15'],
  ],
  [
    'a key that appears three times, in braces',
    edit(minimal, 'vcpus: 8,', 'vcpus: 8, vcpus: 8, vcpus: 8,'),
    [
      '3:76 hosts[0].capacity.vcpus: this key is already on line 3',
      '3:86 hosts[0].capacity.vcpus: this key is already on line 3',
    ],
  ],
  [
    'the key that changes what an object is',
    edit(minimal, '  small:', '  __proto__: {}\n  small:'),
    ['7:3 `__proto__` cannot be a key'],
  ],
  [
    'a merge key',
    edit(minimal, 'size: small', '<<: { size: small }'),
    [
      '13:7 clusters[0].tiers.web.size: `size` is missing',
      '15:9 clusters[0].tiers.web["<<"]: unknown key `<<`',
    ],
  ],
  [
    'a merge key of YAML 1.1',
    `%YAML 1.1\n---\n${edit(minimal, 'size: small', '<<: { size: small }')}`,
    [
      '15:7 clusters[0].tiers.web.size: `size` is missing',
      '17:9 clusters[0].tiers.web["<<"]: unknown key `<<`',
    ],
  ],
  [
    'a tag',
    edit(minimal, 'size: small', 'size: !mine small'),
    ['15:15 not valid YAML: Unresolved tag: !mine'],
  ],
  [
    'a key that is a list',
    `[a]: 1\n${minimal}`,
    ['1:1 not valid YAML: With stringKeys, all keys must be strings'],
  ],
  [
    'a second document',
    `${minimal}---\na: 1\n`,
    ['20:1 not valid YAML: a second document begins here'],
  ],
  [
    'an alias without an anchor',
    edit(minimal, 'size: small', 'size: *small'),
    [
      '15:15 not valid YAML: no anchor `&small` before this alias; text that begins with * needs quotes',
    ],
  ],
  [
    'nothing',
    '',
    ['1:1 expected a section with `installation`, `hosts`, `balancers` …, got nothing'],
  ],
  [
    'nothing but comments',
    '# later\n',
    ['1:1 expected a section with `installation`, `hosts`, `balancers` …, got nothing'],
  ],
  [
    'nothing but a sentence',
    'to be done',
    ['1:1 expected a section with `installation`, `hosts`, `balancers` …, got "to be done"'],
  ],
  ['more than 1 MiB', '#'.repeat(1_048_577), ['1:1 the file is larger than 1 MiB']],
])('%s', (_situation, text, problems) => {
  expect(problemsOf(text)).toEqual(problems);
});

test('text that is not YAML is said with the line where reading stopped', () => {
  const [first] = problemsOf(edit(minimal, '{ min: 2, max: 12 }', '{ min: 2, max: 12'));
  expect(first).toBe(
    '17:9 not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
  );
});

test('lines are counted with CRLF line ends, too', () => {
  expect(problemsOf(edit(minimal, 'size: small', 'size: 1').replaceAll('\n', '\r\n'))).toEqual([
    '15:15 clusters[0].tiers.web.size: expected a name of a-z, 0-9 and -, a letter first, at most 40 characters, got 1',
  ]);
});

test('an alias stands for what its anchor says, and a problem in it is at the anchor', () => {
  const aliased = edit(
    edit(minimal, 'small: {', 'small: &small {'),
    'images:',
    '  other: *small\nimages:',
  );
  expect(problemsOf(aliased)).toEqual([]);
  expect(problemsOf(edit(aliased, '512MiB', '512MB'))).toEqual([
    '7:27 sizes.small.memory: expected an amount such as 512MiB or 8GiB, got "512MB"',
    '7:27 sizes.other.memory: expected an amount such as 512MiB or 8GiB, got "512MB"',
  ]);
});

test('aliases of aliases that would fill the memory are refused', () => {
  const letters = 'abcdefghi'.split('');
  const bomb = letters.map((letter, index) => {
    const entry = index === 0 ? 'x' : `*${letters[index - 1]}`;
    return `${letter}: &${letter} [${Array.from({ length: 9 }, () => entry).join(', ')}]\n`;
  });
  expect(problemsOf(bomb.join(''))).toEqual([
    '1:1 not usable as YAML: Excessive alias count indicates a resource exhaustion attack',
  ]);
});

test('an alias inside its own anchor ends', () => {
  expect(problemsOf(`${minimal}loop: &loop [*loop]\n`)).toEqual(['20:1 loop: unknown key `loop`']);
});

test.each([
  ['brackets', '['.repeat(100_000)],
  ['braces', '{a: '.repeat(50_000)],
  ['list marks', '- '.repeat(100_000)],
])('too many nested %s are one problem', (_situation, text) => {
  const problems = problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^1:\d+ not usable as YAML: nested too deeply$/);
});

// Looked up one by one, the keys of either text would take a minute.
test.each([
  ['equal', 'a: 1\n'.repeat(50_000)],
  ['different', Array.from({ length: 80_000 }, (_, index) => `a${index}: 1\n`).join('')],
])('a section of very many %s keys is refused within the time of a test', (_situation, text) => {
  expect(problemsOf(text).at(-1)).toMatch(/^and \d+ more$/);
});
