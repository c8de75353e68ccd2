/** JSON that gives every number back. */

const MARK = '$number';

/**
 * A tick knows ages without an end (`phaseAgeMs` of what was never seen), which JSON makes `null`. A −0 comes
 * back as 0, which the core never tells apart: it only adds, compares and takes the lesser or greater one.
 *
 * @returns Plain JSON, the same as `JSON.stringify`, unless a number in it is not finite.
 */
export function writeExactly(value: unknown): string {
  const text = JSON.stringify(value);
  // Nothing else makes a null, but a name may contain the word; then the long way gives the same text.
  return text.includes('null')
    ? JSON.stringify(value, (_, part: unknown) =>
        typeof part === 'number' && !Number.isFinite(part) ? { [MARK]: String(part) } : part,
      )
    : text;
}

/** Reads what `writeExactly` or `JSON.stringify` has written of a `T`; a checksum says that it is that text. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what was written
export function readExactly<T>(text: string): T {
  const value: unknown = text.includes(MARK)
    ? JSON.parse(text, (_, part: unknown) => (isMarked(part) ? Number(part[MARK]) : part))
    : JSON.parse(text);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema version vouches for the type
  return value as T;
}

function isMarked(part: unknown): part is { readonly [MARK]: string } {
  return (
    typeof part === 'object' && part !== null && MARK in part && typeof part[MARK] === 'string'
  );
}
