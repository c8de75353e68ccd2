/** HAProxy's file as the daemon reads, changes and writes it. */

import { createHash } from 'node:crypto';
import {
  parseKeywords,
  parseServerLine,
  renderServerLine,
  type ServerFields,
} from './server-fields.ts';

const managedComments = [
  '# Dataplaneapi managed File',
  '# changing file directly can cause a conflict if dataplaneapi is running',
];
const sectionNames =
  /^(global|defaults|userlist|peers|mailers|resolvers|cache|ring|frontend|backend|listen|program)\b/;

interface Section {
  /** Its first line: `backend news-web from unnamed_defaults_1`. */
  head: string;
  /** The lines in it, without indentation. */
  lines: string[];
}

/**
 * The file in memory. What is written differs from what was read as with the daemon: version and checksum are
 * comments at the top, sections are indented by two spaces, and an unnamed `defaults` gets a name, which all
 * proxies below it then refer to.
 */
export class HaproxyFile {
  version: number;
  readonly #comments: readonly string[];
  readonly #sections: Section[];

  private constructor(version: number, comments: readonly string[], sections: Section[]) {
    this.version = version;
    this.#comments = comments;
    this.#sections = sections;
  }

  /** A file without a version has version 1. */
  static parse(text: string): HaproxyFile {
    const comments: string[] = [];
    const sections: Section[] = [];
    for (const line of text.split('\n').map((raw) => raw.trim())) {
      if (sectionNames.test(line)) {
        sections.push({ head: line, lines: [] });
      } else if (line !== '') {
        (sections.at(-1)?.lines ?? comments).push(line);
      }
    }
    nameDefaults(sections);
    const [, version = '1'] = /^# _version=([0-9]+)$/m.exec(text) ?? [];
    const ownComments = comments.filter(
      (line) => !/^# _(md5hash|version)=/.test(line) && !managedComments.includes(line),
    );
    return new HaproxyFile(Number(version), ownComments, sections);
  }

  copy(): HaproxyFile {
    const sections = this.#sections.map(({ head, lines }) => ({ head, lines: [...lines] }));
    return new HaproxyFile(this.version, this.#comments, sections);
  }

  render(): string {
    const body = [
      `# _version=${this.version}`,
      ...managedComments,
      ...this.#comments,
      ...this.#sections.flatMap(({ head, lines }) => [
        '',
        head,
        ...lines.map((line) => `  ${line}`),
      ]),
      '',
    ].join('\n');
    return `# _md5hash=${md5(body)}\n${body}`;
  }

  hasBackend(backend: string): boolean {
    return this.#findBackend(backend) !== undefined;
  }

  servers(backend: string): readonly ServerFields[] {
    const lines = this.#findBackend(backend)?.lines ?? [];
    return lines.filter(isServerLine).map(parseServerLine);
  }

  findServer(backend: string, server: string): ServerFields | undefined {
    return this.servers(backend).find(({ name }) => name === server);
  }

  /** The backend must be there. */
  addServer(backend: string, fields: ServerFields): void {
    const lines = this.#findBackend(backend)?.lines ?? [];
    lines.splice(
      lines.findLastIndex(isServerLine) + 1 || lines.length,
      0,
      renderServerLine(fields),
    );
  }

  /** The server must be there. */
  replaceServer(backend: string, server: string, fields: ServerFields): void {
    const lines = this.#findBackend(backend)?.lines ?? [];
    lines[indexOfServer(lines, server)] = renderServerLine(fields);
  }

  /** The server must be there. */
  removeServer(backend: string, server: string): void {
    const lines = this.#findBackend(backend)?.lines ?? [];
    lines.splice(indexOfServer(lines, server), 1);
  }

  /** What the API shows of a backend, as far as the file of a tier says it. */
  describeBackend(backend: string): Readonly<Record<string, unknown>> | undefined {
    const section = this.#findBackend(backend);
    if (section === undefined) {
      return undefined;
    }
    const description: Record<string, unknown> = { name: backend };
    const [, from] = / from (\S+)$/.exec(section.head) ?? [];
    if (from !== undefined) {
      description['from'] = from;
    }
    for (const line of section.lines) {
      const [keyword = '', ...rest] = line.split(/\s+/);
      if (keyword === 'balance') {
        description['balance'] = { algorithm: rest[0] };
      } else if (keyword === 'default-server') {
        description['default_server'] = parseKeywords(rest);
      } else if (keyword === 'option' && rest[0] === 'httpchk') {
        description['adv_check'] = 'httpchk';
        if (rest[2] !== undefined) {
          description['httpchk_params'] = { method: rest[1], uri: rest[2] };
        }
      }
    }
    return description;
  }

  #findBackend(backend: string): Section | undefined {
    return this.#sections.find(({ head }) => `${head} `.startsWith(`backend ${backend} `));
  }
}

/** Whether the first line's checksum is that of the others: whoever edits by hand does not renew it. */
export function hasOwnChecksum(text: string): boolean {
  const [first = '', ...others] = text.split('\n');
  return first === `# _md5hash=${md5(others.join('\n'))}`;
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function isServerLine(line: string): boolean {
  return line.startsWith('server ');
}

function indexOfServer(lines: readonly string[], server: string): number {
  return lines.findIndex((line) => isServerLine(line) && parseServerLine(line)['name'] === server);
}

function nameDefaults(sections: readonly Section[]): void {
  let unnamed = 0;
  let latest: string | undefined;
  for (const section of sections) {
    if (section.head === 'defaults') {
      unnamed += 1;
      section.head = `defaults unnamed_defaults_${unnamed}`;
    }
    const [, name] = /^defaults (\S+)/.exec(section.head) ?? [];
    latest = name ?? latest;
    if (latest !== undefined && /^(frontend|backend|listen) \S+$/.test(section.head)) {
      section.head += ` from ${latest}`;
    }
  }
}
