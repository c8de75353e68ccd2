/** The first number in a value that is none, or is infinite, with where it stands. */
export function findNonFinite(value: unknown, path = ''): string | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  for (const [key, part] of Object.entries(value)) {
    const found = findNonFinite(part, `${path}.${key}`);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}
