/** From a file to a config that the rest of the program can trust, or to a list of what is wrong with it. */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../control/errors.ts';
import { compile, compileHttp } from './compile.ts';
import type { Config, HttpConfig } from './config.ts';
import { findContradictions } from './contradictions.ts';
import {
  describeIssue,
  type Finding,
  formatPath,
  InvalidConfigError,
  type Problem,
  toFindings,
} from './problems.ts';
import { WrittenConfig } from './schema.ts';
import { maxTextBytes, readSource, type Source } from './source.ts';

/** A config in both of its forms: compiled for the program, and as a person wrote it. */
export interface LoadedConfig {
  readonly config: Config;
  /** As it stands in the file, defaults filled in. */
  readonly written: WrittenConfig;
  readonly source: Source;
}

/**
 * Checks and compiles the text of a config file. Every problem is found, in two steps: contradictions
 * between values are looked for when each value by itself is right.
 *
 * @param file - The name that problems are reported under.
 * @throws InvalidConfigError with every problem and its line. Keep the last good config, or exit 78.
 */
export function parseConfig(text: string, file: string): LoadedConfig {
  const source = readSource(text, file);
  const checked = WrittenConfig.safeParse(source.value, { error: describeIssue });
  const findings = checked.success ? findContradictions(checked.data) : toFindings(checked.error);
  const problems = [
    ...source.repeatedKeys,
    ...findings.map((finding) => toProblem(finding, source)),
  ].toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (!checked.success || problems.length > 0) {
    throw new InvalidConfigError(problems);
  }
  return { config: compile(checked.data), written: checked.data, source };
}

/**
 * Reads a config file.
 *
 * @throws InvalidConfigError when its content cannot be used.
 * @throws ConfigError when it cannot be read: not there, not allowed, not a regular file, not UTF-8.
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  return parseConfig(await readConfigText(path), path);
}

const HttpAlone = z.looseObject({ http: WrittenConfig.shape.http.unwrap() });

/**
 * Where the service of this config is. What else is wrong in the file does not matter where it says that: the service runs
 * on by the last good one, and whoever looks for what is wrong asks it.
 *
 * @throws As {@link loadConfig}, when the file does not say where, or is no YAML.
 */
export async function loadHttp(path: string): Promise<HttpConfig> {
  const text = await readConfigText(path);
  try {
    return parseConfig(text, path).config.http;
  } catch (error) {
    const { success, data } = HttpAlone.safeParse(readSource(text, path).value);
    if (!success) {
      throw error;
    }
    return compileHttp(data.http);
  }
}

/** The text of a config file. @throws ConfigError when it cannot be read. */
export async function readConfigText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    // A pipe would let `open` wait for somebody to write.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) {
      throw new Error('it is not a regular file');
    }
    // One byte more than allowed shows that there is more, however large the file is or grows.
    const buffer = Buffer.alloc(maxTextBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) {
        break;
      }
    }
    bytes = buffer.subarray(0, length);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the config file ${path}: ${why}`, { cause: error });
  }
  if (bytes.length > maxTextBytes) {
    throw new ConfigError(`the config file ${path} is larger than ${maxTextBytes / 1_048_576} MiB`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError(`the config file ${path} is not UTF-8 text`, { cause: error });
  }
}

function toProblem(finding: Finding, source: Source): Problem {
  const { line, column } = source.locate(finding.path, finding.about);
  return {
    file: source.file,
    line,
    column,
    path: formatPath(finding.path),
    message: finding.message,
  };
}
