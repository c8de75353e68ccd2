import { describe, expect, test } from 'vitest';
import { edit, minimal, problemsOf, withWebLine } from './minimal.ts';

const web = 'clusters[0].tiers.web';
const expectedName = 'expected a name of a-z, 0-9 and -, a letter first, at most 40 characters';

test('the minimal config has no problem', () => {
  expect(problemsOf(minimal)).toEqual([]);
});

describe('keys', () => {
  test.each([
    [
      'misspelt',
      withWebLine('scaleOut: { tolerence: 0.1 }'),
      [`19:21 ${web}.scaleOut.tolerence: unknown key \`tolerence\`; did you mean \`tolerance\`?`],
    ],
    [
      'like no other',
      edit(minimal, 'example', 'example\nfoobarbaz: 1'),
      ['2:1 foobarbaz: unknown key `foobarbaz`'],
    ],
    [
      'two misspelt at once',
      edit(minimal, 'min: 2', 'mim: 2, maxx: 3'),
      [
        `16:9 ${web}.nodes.min: \`min\` is missing`,
        `16:18 ${web}.nodes.mim: unknown key \`mim\`; did you mean \`min\`?`,
        `16:26 ${web}.nodes.maxx: unknown key \`maxx\`; did you mean \`max\`?`,
      ],
    ],
    [
      'a level too high, which says where they belong',
      withWebLine('targetPerNode: 80\n        tolerance: 0.1'),
      [
        `19:9 ${web}.targetPerNode: unknown key \`targetPerNode\`; it belongs into \`signals.requestRate\``,
        `20:9 ${web}.tolerance: unknown key \`tolerance\`; it belongs into \`scaleOut\` or \`scaleIn\``,
      ],
    ],
    [
      'a level too high in the file itself',
      edit(minimal, 'example', 'example\nlisten: 127.0.0.1:9500'),
      ['2:1 listen: unknown key `listen`; it belongs into `http`'],
    ],
    [
      'with a name that every JavaScript object has',
      edit(minimal, 'example', 'example\nconstructor: 1'),
      ['2:1 constructor: unknown key `constructor`'],
    ],
    [
      'with characters that could forge a line',
      edit(minimal, 'example', 'example\n"a\\nb": 1'),
      ['2:1 ["a\\nb"]: unknown key `a\\nb`'],
    ],
    [
      'missing in a tier',
      edit(minimal, '        backend: news-web\n', ''),
      [`13:7 ${web}.backend: \`backend\` is missing`],
    ],
    [
      'missing in a list entry',
      edit(minimal, 'socket: /run/haproxy.sock, ', ''),
      ['5:5 balancers[0].socket: `socket` is missing'],
    ],
    [
      'missing at the root',
      edit(minimal, 'installation: example\n', ''),
      ['1:1 installation: `installation` is missing'],
    ],
    [
      'without a value',
      edit(minimal, 'size: small', 'size:'),
      [`15:9 ${web}.size: ${expectedName}, got nothing`],
    ],
    [
      'of a section without content',
      edit(minimal, 'signals: { requestRate: { targetPerNode: 80 } }', 'signals:'),
      [`19:9 ${web}.signals: expected a section with \`requestRate\`, \`queue\`, got nothing`],
    ],
    [
      'that leave the queue as the only signal',
      edit(minimal, 'requestRate: { targetPerNode: 80 }', 'queue: { maxWait: 1s }'),
      [
        `19:9 ${web}.signals.requestRate: \`requestRate\` is missing; the queue alone never says that a node may go`,
      ],
    ],
    [
      'of a tier that is scaled, in one that is not',
      withWebLine('scaling: none'),
      [
        `16:16 ${web}.nodes: expected a number, got a section`,
        `18:9 ${web}.backend: has no meaning with \`scaling: none\`; remove one of the two`,
        `20:9 ${web}.signals: has no meaning with \`scaling: none\`; remove one of the two`,
      ],
    ],
  ])('%s', (_situation, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('words that this version does not build yet', () => {
  const remove = (key: string) => `\`${key}\` is not built yet in this version; remove it`;
  test.each([
    [
      'parts of a tier',
      withWebLine('storm: { minDuration: 3m }'),
      [`19:18 ${web}.storm.minDuration: ${remove('minDuration')}`],
    ],
    [
      'stopped standby nodes',
      withWebLine('standby: { state: stopped }'),
      [
        `19:27 ${web}.standby.state: \`stopped\` is not built yet in this version; \`paused\` or \`saved\` is`,
      ],
    ],
  ])('%s', (_situation, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});
