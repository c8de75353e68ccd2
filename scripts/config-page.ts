/** `npm run generate:config`: prints docs/config.md, made from the schema that a config is checked by. */

import { z } from 'zod';
import { dropRefusedKeys } from '../src/config/json-schema.ts';
import { WrittenConfig } from '../src/config/schema.ts';
import { valueNotes } from '../src/config/values.ts';

const HEAD = `# Config reference

Every key of the config file. This page is made from the schema that a config is checked by: \`npm run generate:config\`. The same schema as JSON Schema is
[config/rackfire.schema.json](../config/rackfire.schema.json), for editors that complete and check while you write; the first line of the file
says so to them:

\`\`\`yaml
# yaml-language-server: $schema=rackfire.schema.json
\`\`\`

- Durations are a whole number and its unit: \`250ms\`, \`15s\`, \`5m\`, \`2h\`, \`1d\`. Amounts of memory and disk are \`512MiB\`, \`8GiB\`, \`1TiB\`; decimal units are refused.
- An unknown key is an error, which names the one that was probably meant, its line and its column. \`rackfire check -c FILE\` finds every mistake at
  once; \`rackfire check -c FILE --effective\` lists every value in force and where it comes from.
- *required*: must be said where its section is written. A range holds both of its ends. NAME is a name that you choose.
- What the values do together is in the [tuning guide](tuning.md), how they are used in [architecture.md](architecture.md), and an example with comments is
  [config/rackfire.example.yaml](../config/rackfire.example.yaml).
`;

/** What is read of the JSON Schema here. */
interface Described {
  readonly type?: string;
  readonly description?: string;
  readonly default?: string | number | boolean | object;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly items?: Described;
  readonly additionalProperties?: Described | false;
  readonly oneOf?: readonly Described[];
  readonly anyOf?: readonly Described[];
  readonly kind?: string;
  readonly range?: string;
}

/** One key: where it stands, and what may stand there. */
interface Row {
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly range: string;
  readonly says: string;
}

/** The keys of one heading. */
interface Chapter {
  readonly title: string;
  readonly says: string;
  readonly rows: Row[];
}

/** The whole page. */
export function renderConfigPage(): string {
  const { properties = {}, required = [] } = describeConfig();
  const first: Chapter = { title: '## The file', says: '', rows: [] };
  const chapters = [first];
  for (const [key, value] of Object.entries(properties)) {
    if (isLeaf(value)) {
      first.rows.push(rowOf(key, value, required.includes(key)));
    } else {
      const must = required.includes(key) ? ' Required.' : '';
      const title = `## \`${key}\``;
      addChapters(chapters, { title, says: `${value.description ?? ''}${must}` }, value, '');
    }
  }
  const texts = chapters.filter(({ rows }) => rows.length > 0).map(renderChapter);
  return `${[HEAD.trimEnd(), ...texts].join('\n\n')}\n`;
}

function describeConfig(): Described {
  const schema = z.toJSONSchema(WrittenConfig, {
    io: 'input',
    override: (context) => {
      dropRefusedKeys(context);
      Object.assign(context.jsonSchema, valueNotes.get(context.zodSchema));
    },
  });
  // JSON Schema allows more than this one has: a type of all that would be asked about what is not there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return schema as Described;
}

/** A chapter for a section, a list or a table of sections, and one for each of its kinds. */
function addChapters(
  chapters: Chapter[],
  { title, says }: Pick<Chapter, 'title' | 'says'>,
  value: Described,
  path: string,
): void {
  const entry = entryOf(value);
  const told = [says, placeOf(value)].join(' ').trim();
  if (entry.oneOf === undefined) {
    const chapter: Chapter = { title, says: told, rows: [] };
    chapters.push(chapter);
    addRows(chapters, chapter, entry, path, title);
    return;
  }
  for (const kind of entry.oneOf) {
    const [by, choice] = discriminatorOf(kind);
    addChapters(chapters, { title: `${title}, \`${by}: ${choice}\``, says: told }, kind, path);
  }
}

function addRows(
  chapters: Chapter[],
  chapter: Chapter,
  { properties = {}, required = [] }: Described,
  path: string,
  title: string,
): void {
  for (const [key, value] of Object.entries(properties)) {
    const at = path === '' ? key : `${path}.${key}`;
    const entry = entryOf(value);
    if (entry.oneOf !== undefined) {
      const of = {
        title: `${title.replace('## ', '### ')} → \`${key}\``,
        says: value.description ?? '',
      };
      addChapters(chapters, of, value, '');
      continue;
    }
    chapter.rows.push(rowOf(at, value, required.includes(key)));
    if (!isLeaf(value)) {
      const mark = value.type === 'array' ? '[]' : value.properties === undefined ? '.NAME' : '';
      addRows(chapters, chapter, entry, `${at}${mark}`, title);
    }
  }
}

/** What one entry of a list or table is. */
function entryOf(value: Described): Described {
  const { items, additionalProperties } = value;
  return items ?? (additionalProperties ? additionalProperties : value);
}

function placeOf({ items, additionalProperties }: Described): string {
  if (items !== undefined) {
    return 'A list; each entry has these keys.';
  }
  return additionalProperties ? 'A table by name; each entry has these keys.' : '';
}

function discriminatorOf({ properties = {} }: Described): readonly [key: string, choice: string] {
  const found = Object.entries(properties).find(([, value]) => value.const !== undefined);
  if (found === undefined) {
    throw new Error('kinds of a section are told apart by a word');
  }
  return [found[0], found[1].const ?? ''];
}

function isLeaf(value: Described): boolean {
  const entry = entryOf(value);
  return entry.properties === undefined && entry.oneOf === undefined;
}

function rowOf(path: string, value: Described, isRequired: boolean): Row {
  return {
    path,
    type: typeOf(value),
    default: isRequired ? '*required*' : defaultOf(value),
    range: rangeOf(value),
    says: value.description ?? '',
  };
}

function typeOf(value: Described): string {
  const { kind, type, anyOf, items, properties, additionalProperties } = value;
  if (kind !== undefined) {
    return kind;
  }
  if (value.const !== undefined || value.enum !== undefined) {
    return [value.const, ...(value.enum ?? [])]
      .filter((word) => word !== undefined)
      .map((word) => `\`${word}\``)
      .join(' or ');
  }
  if (anyOf !== undefined) {
    return anyOf.map(typeOf).join(' or ');
  }
  if (items !== undefined) {
    return isLeaf(value) ? `list of ${typeOf(items)}` : 'list of sections';
  }
  if (properties !== undefined || additionalProperties) {
    return properties === undefined ? 'table' : 'section';
  }
  return (
    { integer: 'whole number', number: 'number', boolean: '`true` or `false`' }[type ?? ''] ??
    'text'
  );
}

function defaultOf(value: Described): string {
  if (value.default === undefined) {
    return 'none';
  }
  if (Array.isArray(value.default)) {
    return 'empty';
  }
  return typeof value.default === 'object' ? '' : `\`${value.default}\``;
}

function rangeOf(value: Described): string {
  const { range, anyOf, maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = value;
  if (range !== undefined) {
    return range;
  }
  if (anyOf !== undefined) {
    return anyOf.map(rangeOf).find((text) => text !== '') ?? '';
  }
  if (maxItems !== undefined) {
    return `at most ${maxItems}`;
  }
  const least = minimum ?? exclusiveMinimum;
  const most = maximum ?? exclusiveMaximum;
  if (least === undefined || most === undefined) {
    return '';
  }
  const from = minimum === undefined ? `above ${least}` : `${least}`;
  return `${from} to ${maximum === undefined ? `below ${most}` : most}`;
}

function renderChapter({ title, says, rows }: Chapter): string {
  return [
    title,
    ...(says === '' ? [] : ['', says]),
    '',
    '| Key | Type | Default | Range | Says |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) =>
      `| \`${row.path}\` | ${row.type} | ${row.default} | ${row.range.replaceAll('*', '\\*')} | ${row.says} |`.replaceAll(
        /\|  (?=\|)/g,
        '| ',
      ),
    ),
  ].join('\n');
}

if (import.meta.main) {
  process.stdout.write(renderConfigPage());
}
