import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { InvalidConfigError } from '../../src/config/problems.ts';
import { minimal } from './minimal.ts';

const example = readFileSync(
  new URL('../../config/rackfire.example.yaml', import.meta.url),
  'utf8',
);

/** What YAML is made of; `·` stands for a space. */
const pieces = [
  ...'-· :· ?· ·· { } [ ] , &a· *a· !t· " \' | > # << @ null ~ .nan 0x1 1e400 a ---\n'.split(' '),
  ...'hosts: clusters: tiers: constructor: __proto__:· %YAML·1.1\n \n \t \r \uFEFF'.split(' '),
].map((piece) => piece.replaceAll('·', ' '));

/** A config, or problems that all have a place in the text; nothing else may come out. */
function expectConfigOrProblems(text: string): void {
  try {
    parseConfig(text, 'site.yaml');
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) {
      throw error;
    }
    const lines = text.split(/\r\n|\r|\n/).length;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { line, column, message } of error.problems) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(message).not.toBe('');
      expect(message).not.toContain('\n');
    }
  }
}

test('arbitrary text is a config or a list of problems', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), expectConfigOrProblems), {
    numRuns: 1_000,
  });
});

test('arbitrary YAML punctuation is a config or a list of problems', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 60 }), (words) => {
      expectConfigOrProblems(words.join(''));
    }),
    { numRuns: 1_000 },
  );
});

test('the example with some of its characters replaced is a config or a list of problems', () => {
  const change = fc.record({
    at: fc.nat({ max: example.length - 1 }),
    removed: fc.nat({ max: 30 }),
    inserted: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom('null', '{}', '[]', '-1', '1e9', ': ', '\n', '*a', 'constructor', '999999d'),
    ),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = changes.reduce(
        (text, { at, removed, inserted }) =>
          text.slice(0, at) + inserted + text.slice(at + removed),
        example,
      );
      expectConfigOrProblems(changed);
    }),
    { numRuns: 500 },
  );
});

test('a config with any one value replaced is a config or a list of problems', () => {
  // JSON is YAML, so a value of any shape can be put in the place of any scalar.
  const scalars = [...minimal.matchAll(/(?<=: )[^{}&\n,]+(?=[,} \n])/g)];
  fc.assert(
    fc.property(fc.constantFrom(...scalars), fc.jsonValue({ maxDepth: 3 }), (scalar, value) => {
      const end = scalar.index + scalar[0].length;
      expectConfigOrProblems(
        minimal.slice(0, scalar.index) + JSON.stringify(value) + minimal.slice(end),
      );
    }),
    { numRuns: 500 },
  );
});
