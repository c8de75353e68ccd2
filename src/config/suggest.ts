/** Guesses what was meant by a word that is not known. */

const maxWordLength = 40;

/**
 * The known word nearest to a mistyped one, so that a typo is repaired at first sight.
 *
 * @returns `undefined` when nothing is near: at most one edit in three letters, and upper case counts as lower.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > maxWordLength) {
    return undefined;
  }
  let nearest: string | undefined;
  let nearestEdits = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const edits = countEdits(word.toLowerCase(), candidate.toLowerCase());
    if (edits < nearestEdits) {
      nearest = candidate;
      nearestEdits = edits;
    }
  }
  return nearest;
}

/**
 * Insertions, deletions and replacements that turn one word into the other.
 *
 * @see https://en.wikipedia.org/wiki/Levenshtein_distance for the row-by-row form
 */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [fromIndex, letter] of from.split('').entries()) {
    const next = [fromIndex + 1];
    for (const [toIndex, other] of to.split('').entries()) {
      const replaced = (row[toIndex] ?? 0) + (letter === other ? 0 : 1);
      const deleted = (row[toIndex + 1] ?? 0) + 1;
      const inserted = (next[toIndex] ?? 0) + 1;
      next.push(Math.min(replaced, deleted, inserted));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
