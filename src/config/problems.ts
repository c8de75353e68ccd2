/** What is wrong with a config file, where, and in which words. */

import type { z } from 'zod';
import { ConfigError } from '../control/errors.ts';
import { suggest } from './suggest.ts';

/** From the root of the file: keys of mappings, indexes of lists. */
export type Path = readonly (string | number)[];

/** One thing that is wrong, before its line is looked up. `about` says where the finger points. */
export interface Finding {
  readonly path: Path;
  readonly about: 'key' | 'value';
  readonly message: string;
}

/** One thing that is wrong and where it is written. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `clusters[0].tiers.web.nodes.max`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

const maxListedProblems = 100;

/** The file says something that cannot be used. Nothing of it is applied; every problem is listed. */
export class InvalidConfigError extends ConfigError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    super(describeProblems(problems), options);
    this.problems = problems;
  }
}

/** One line per problem, `file:line:column path: message`, as editors and terminals make links of it. */
function describeProblems(problems: readonly Problem[]): string {
  const lines = problems
    .slice(0, maxListedProblems)
    .map(({ file, line, column, path, message }) =>
      [`${file}:${line}:${column}`, ...(path === '' ? [] : [`${path}:`]), message].join(' '),
    );
  const unlisted = problems.length - lines.length;
  return [...lines, ...(unlisted > 0 ? [`and ${unlisted} more`] : [])].join('\n');
}

/** Writes a path as people say it: `clusters[0].tiers.web`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') {
        return `[${step}]`;
      }
      if (!/^[\w-]{1,64}$/.test(step)) {
        return `[${quote(step)}]`;
      }
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** A value of the file as a message shows it: short, on one line, with control characters escaped. */
export function show(value: unknown): string {
  if (value === null || value === undefined) {
    return 'nothing';
  }
  if (Array.isArray(value)) {
    return 'a list';
  }
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
    case 'boolean':
      return String(value);
    default:
      return 'a section';
  }
}

/**
 * What to say about a key that the section does not have.
 *
 * @param places - The sections below that have it.
 */
export function describeUnknownKey(
  key: string,
  known: readonly string[],
  places: readonly string[],
): string {
  const name = `unknown key \`${quote(key).slice(1, -1)}\``;
  if (places.length > 0) {
    return `${name}; it belongs into ${places.map((place) => `\`${place}\``).join(' or ')}`;
  }
  const meant = suggest(key, known);
  return meant === undefined ? name : `${name}; did you mean \`${meant}\`?`;
}

/** The words for what the schema finds, unless the schema has better ones of its own. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `\`${String(issue.path?.at(-1))}\` is missing`
        : `expected ${nouns.get(issue.expected) ?? issue.expected}, got ${show(issue.input)}`;
    case 'too_small':
      return issue.origin === 'array'
        ? `at least ${issue.minimum} entry is needed`
        : `must be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}, got ${show(issue.input)}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `at most ${issue.maximum} entries are possible`
        : `must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}, got ${show(issue.input)}`;
    case 'invalid_value':
      return describeChoice(issue.values, issue.input);
    case 'invalid_key':
      return issue.issues[0]?.message;
    default:
      return undefined;
  }
}

/** What to say when a word is none of those that are possible. */
export function describeChoice(choices: readonly unknown[], input: unknown): string | undefined {
  if (input === undefined) {
    return undefined;
  }
  const words = choices.filter((choice) => typeof choice === 'string');
  const meant = typeof input === 'string' ? suggest(input, words) : undefined;
  const expected = `expected ${words.map((word) => `\`${word}\``).join(' or ')}, got ${show(input)}`;
  return meant === undefined || words.length === 1
    ? expected
    : `${expected}; did you mean \`${meant}\`?`;
}

/** Every issue of the schema as a finding; unknown keys one by one, each at its own place. */
export function toFindings(error: z.core.$ZodError): readonly Finding[] {
  return error.issues.flatMap((issue): Finding[] => {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    if (issue.code === 'unrecognized_keys') {
      // `section` writes one line per key, in the order of the keys.
      const messages = issue.message.split('\n');
      return issue.keys.map((key, index) => ({
        path: [...path, key],
        about: 'key',
        message: messages[index] ?? issue.message,
      }));
    }
    const isKey =
      issue.code === 'invalid_key' || (issue.code === 'invalid_type' && issue.expected === 'never');
    return [{ path, about: isKey ? 'key' : 'value', message: issue.message }];
  });
}

const nouns: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['array', 'a list'],
  ['object', 'a section'],
  ['record', 'a section'],
  ['boolean', '`true` or `false`'],
]);

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
