/** What an answer's body has to look like: its keys and types, and its values where these are facts. */

export type Shape =
  | 'number'
  | 'string'
  | 'object'
  | RegExp
  | { readonly is: string | number | boolean }
  | readonly Shape[]
  | { readonly object: Readonly<Record<string, Shape>> };

/** @returns What differs, one line each: where, what was expected, what there is. */
export function compareShape(shape: Shape, value: unknown, where: string): readonly string[] {
  const differs = (expected: string): readonly string[] => [
    `${where}: expected ${expected}, not ${JSON.stringify(value)}`,
  ];
  if (typeof shape === 'string') {
    return typeof value === shape && value !== null ? [] : differs(`some ${shape}`);
  }
  if (shape instanceof RegExp) {
    return typeof value === 'string' && shape.test(value) ? [] : differs(String(shape));
  }
  if ('is' in shape) {
    return value === shape.is ? [] : differs(JSON.stringify(shape.is));
  }
  if (!('object' in shape)) {
    return Array.isArray(value) && value.length === shape.length
      ? shape.flatMap((one, index) => compareShape(one, value[index], `${where}[${index}]`))
      : differs(`a list of ${shape.length}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return differs('an object');
  }
  return compareKeys(shape.object, Object.fromEntries(Object.entries(value)), where);
}

function compareKeys(
  keys: Readonly<Record<string, Shape>>,
  object: Readonly<Record<string, unknown>>,
  where: string,
): readonly string[] {
  const expected = Object.entries(keys);
  const surplus = Object.keys(object).filter((key) => !(key in keys));
  return [
    ...expected
      .filter(([key]) => !(key in object))
      .map(([key]) => `${where}.${key}: expected, and not there`),
    ...surplus.map((key) => `${where}.${key}: there, and not expected`),
    ...expected
      .filter(([key]) => key in object)
      .flatMap(([key, shape]) => compareShape(shape, object[key], `${where}.${key}`)),
  ];
}
