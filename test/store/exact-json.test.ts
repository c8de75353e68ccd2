import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readExactly, writeExactly } from '../../src/store/exact-json.ts';

const numbers = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    numbers,
    fc.constantFrom('null', 'news-web-1', ''),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('ageMs', 'null', 'name'), tie('value')),
  ),
})).value;

test('every number comes back, endless ones, too', () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(writeExactly(readExactly(writeExactly(value)))).toBe(writeExactly(value));
      // JSON knows no −0; toEqual would tell it from 0.
      expect(readExactly(writeExactly(value))).toEqual(withoutMinusZero(value));
    }),
    { numRuns: 2_000 },
  );
});

test('what JSON can say is written as JSON says it', () => {
  const plain = { rps: 12.5, why: 'null and void', nodes: [{ host: undefined, leaving: false }] };

  expect(writeExactly(plain)).toBe(JSON.stringify(plain));
});

function withoutMinusZero(value: unknown): unknown {
  if (typeof value === 'number') {
    return value + 0;
  }
  if (Array.isArray(value)) {
    return value.map(withoutMinusZero);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, withoutMinusZero(inner)]),
      )
    : value;
}
