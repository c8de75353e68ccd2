/** A YAML text together with the places where its values are written. */

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { formatPath, InvalidConfigError, type Path, type Problem } from './problems.ts';

/** The largest text that is read. A config of this size has thousands of tiers. */
export const maxTextBytes = 1_048_576;

/** How many values aliases may stand for; more is a text made to exhaust memory. */
const maxAliasCount = 100;

const yamlOptions = {
  // Counted below: the library compares each key with every other one.
  uniqueKeys: false,
  stringKeys: true,
  prettyErrors: false,
  // Said here, these hold against a `%YAML 1.1` line, too, where `yes` and `<<` mean something else.
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  logLevel: 'error',
} as const;

/** Lines and columns count from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
  /** False when the path is not written: then the place is that of the nearest parent that is. */
  readonly isWritten: boolean;
}

export interface Source {
  readonly file: string;
  /** The plain value of the text, not yet checked. */
  readonly value: unknown;
  /** Keys that appear twice in one section. */
  readonly repeatedKeys: readonly Problem[];
  /** Where the key of `path`, or its value, is written. */
  locate(path: Path, about: 'key' | 'value'): Place;
}

/**
 * Reads a YAML 1.2 text. Merge keys and tags are not part of what it understands: `<<` is a key like any
 * other, which the schema refuses. Aliases work, in bounds.
 *
 * @throws InvalidConfigError when the text is not YAML, with every error and its line.
 */
export function readSource(text: string, file: string): Source {
  const atStart = (message: string, options?: ErrorOptions) =>
    new InvalidConfigError([{ file, line: 1, column: 1, path: '', message }], options);
  if (Buffer.byteLength(text) > maxTextBytes) {
    throw atStart(`the file is larger than ${maxTextBytes / 1_048_576} MiB`);
  }

  const counter = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  let document: Document.Parsed;
  let faults: readonly Fault[];
  let value: unknown;
  try {
    document = parseDocument(text, { ...yamlOptions, lineCounter: counter });
    faults = [...findSyntaxErrors(document), ...findUnusableNodes(document)];
    value = faults.length > 0 ? undefined : document.toJS({ maxAliasCount });
  } catch (error) {
    // Nested too deeply for the stack, or more aliases than allowed: the library says so by throwing.
    const message = error instanceof Error ? error.message : String(error);
    throw atStart(`not usable as YAML: ${message}`, { cause: error });
  }
  if (faults.length > 0) {
    throw new InvalidConfigError(
      faults.map(({ offset, message }) => ({ file, ...at(offset), path: '', message })),
    );
  }

  const findPair = createPairFinder();
  return {
    file,
    value,
    repeatedKeys: findRepeatedKeys(document).map(({ path, offset, firstOffset }) => ({
      file,
      ...at(offset),
      path: formatPath(path),
      message: `this key is already on line ${at(firstOffset).line}`,
    })),
    locate: (path, about) => {
      const { offset, isWritten } = findOffset(document, findPair, { path, about });
      return { ...at(offset), isWritten };
    },
  };
}

interface Fault {
  readonly offset: number;
  readonly message: string;
}

function findSyntaxErrors({ errors, warnings }: Document.Parsed): readonly Fault[] {
  // Too deep for the stack, each level of nesting is an error of its own: one of them says it.
  const exhausted = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (exhausted !== undefined) {
    return [{ offset: exhausted.pos[0], message: 'not usable as YAML: nested too deeply' }];
  }
  return [...errors, ...warnings].map(({ code, message, pos }) => ({
    offset: pos[0],
    message: `not valid YAML: ${code === 'MULTIPLE_DOCS' ? 'a second document begins here' : message}`,
  }));
}

/**
 * Aliases that name no anchor before them, which the library says without a line, and `__proto__`, a key
 * that would get lost on its way through plain objects.
 */
function findUnusableNodes(document: Document.Parsed): readonly Fault[] {
  const faults: Fault[] = [];
  const anchors = new Set<string>();
  visit(document, {
    Pair(_key, { key }) {
      if (nameOf(key) === '__proto__') {
        faults.push({ offset: startOf(key), message: '`__proto__` cannot be a key' });
      }
    },
    Value(_key, { anchor }) {
      if (anchor !== undefined) {
        anchors.add(anchor);
      }
    },
    Alias(_key, alias) {
      if (!anchors.has(alias.source)) {
        faults.push({
          offset: startOf(alias),
          message: `not valid YAML: no anchor \`&${alias.source}\` before this alias; text that begins with * needs quotes`,
        });
      }
    },
  });
  return faults;
}

interface RepeatedKey {
  readonly path: Path;
  readonly offset: number;
  readonly firstOffset: number;
}

/** The second and later ones of equal keys in a section. */
function findRepeatedKeys(document: Document.Parsed): readonly RepeatedKey[] {
  const repeated: RepeatedKey[] = [];
  visit(document, {
    Map(_key, map, ancestors) {
      const first = new Map<string, number>();
      for (const { key } of map.items) {
        const name = nameOf(key);
        const offset = startOf(key);
        const firstOffset = first.get(name);
        if (firstOffset === undefined) {
          first.set(name, offset);
        } else {
          repeated.push({ path: [...pathOf(ancestors, map), name], offset, firstOffset });
        }
      }
    },
  });
  return repeated;
}

function pathOf(ancestors: readonly (Document | Node | Pair)[], node: Node): Path {
  const chain = [...ancestors, node];
  return chain.flatMap((ancestor, index): Path => {
    const child = chain[index + 1];
    if (isSeq(ancestor)) {
      return [ancestor.items.indexOf(child)];
    }
    return isMap(ancestor) && child !== undefined && 'key' in child ? [nameOf(child.key)] : [];
  });
}

/** Follows a path as far as it is written. */
function findOffset(
  document: Document.Parsed,
  findPair: PairFinder,
  { path, about }: { readonly path: Path; readonly about: 'key' | 'value' },
): { readonly offset: number; readonly isWritten: boolean } {
  let node: unknown = document.contents;
  let keyOffset: number | undefined;
  for (const step of path) {
    const holder = isAlias(node) ? node.resolve(document) : node;
    if (isMap(holder)) {
      const pair = findPair(holder, step);
      if (pair === undefined) {
        return { offset: keyOffset ?? startOf(node), isWritten: false };
      }
      keyOffset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq(holder) && typeof step === 'number' && step < holder.items.length) {
      node = holder.items[step];
      keyOffset = undefined;
    } else {
      return { offset: keyOffset ?? startOf(node), isWritten: false };
    }
  }
  // A block that begins on the next line, or an empty value, is best pointed at by its key.
  const hasPlace = isScalar(node) ? node.source !== '' : !isCollection(node) || node.flow === true;
  return {
    offset: about === 'value' && hasPlace ? startOf(node) : (keyOffset ?? startOf(node)),
    isWritten: true,
  };
}

type PairFinder = (map: YAMLMap, step: string | number) => Pair | undefined;

/**
 * Looks a key up in a section; of repeated keys the last one counts, as in the plain value. Each section is
 * indexed once: a file of many problems asks for as many keys.
 */
function createPairFinder(): PairFinder {
  const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();
  return (map, step) => {
    let index = indexes.get(map);
    if (index === undefined) {
      index = new Map(map.items.map((pair) => [nameOf(pair.key), pair]));
      indexes.set(map, index);
    }
    return index.get(String(step));
  };
}

function nameOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
