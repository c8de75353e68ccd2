/** Asks a running service, for the commands. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { HttpConfig } from '../config/config.ts';
import { loadHttp } from '../config/load-config.ts';
import { ConfigError, NotLeaderError, UnreachableError } from '../control/errors.ts';
import { readToken } from '../http/token-file.ts';
import { type SentEvent, readSentEvents } from './sent-events.ts';

const DEFAULT_URL = 'http://127.0.0.1:9500';

/** The service answers within milliseconds; on a machine in a storm it may take longer. */
const DEADLINE_MS = 10_000;

/** What all commands understand that talk to the service. */
export interface ServiceOptions {
  readonly url?: string;
  readonly config?: string;
  readonly tokenFile?: string;
  readonly json?: true;
}

/** Options for where the service is, and `--json`. */
export function addServiceOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-c, --config <file>',
        'the config file of the service; says where it listens and where the token is',
      ).env('RACKFIRE_CONFIG'),
    )
    .option('--url <url>', `where the service listens (default: ${DEFAULT_URL})`, parseUrl)
    .option('--json', 'print the answers of the API, one object per line');
}

/** For commands that change something. */
export function addTokenOption(command: Command): Command {
  return command.option(
    '--token-file <file>',
    'the token (default: `http.tokenFile` of the config)',
  );
}

/** The token goes to whoever listens there, and only this machine is trusted with it. */
function parseUrl(text: string): string {
  const [, origin] =
    /^(http:\/\/(?:127(?:\.[0-9]{1,3}){3}|localhost|\[::1\])(?::[0-9]{1,5})?)\/?$/.exec(text) ?? [];
  if (origin === undefined) {
    throw new InvalidArgumentError(`It must be on this machine, such as ${DEFAULT_URL}.`);
  }
  return origin;
}

/** An answer, in the form in which it came and as the commands read it. */
export interface Reply<Value> {
  readonly text: string;
  readonly value: Value;
}

const ErrorReply = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export class ServiceClient {
  readonly url: string;
  readonly #tokenFile: string | undefined;

  private constructor(url: string, tokenFile: string | undefined) {
    this.url = url;
    this.#tokenFile = tokenFile;
  }

  /** @throws ConfigError when the config that is to say where the service is cannot be used. */
  static async create(options: ServiceOptions): Promise<ServiceClient> {
    const http = options.config === undefined ? undefined : await readHttpConfig(options.config);
    const configured = http === undefined ? DEFAULT_URL : `http://${http.host}:${http.port}`;
    if (http?.port === 0 && options.url === undefined) {
      throw new ConfigError(`${options.config} lets the system choose the port: say --url`);
    }
    return new ServiceClient(options.url ?? configured, options.tokenFile ?? http?.tokenFile);
  }

  /** @throws UnreachableError, or the error that the answer stands for. */
  async get<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
  ): Promise<Reply<z.output<Schema>>> {
    return await this.#ask(path, {}, schema);
  }

  async post<Schema extends z.ZodType>(
    path: string,
    body: object,
    schema: Schema,
  ): Promise<Reply<z.output<Schema>>> {
    const headers = { ...(await this.#authorize()), 'content-type': 'application/json' };
    return await this.#ask(path, { method: 'POST', headers, body: JSON.stringify(body) }, schema);
  }

  async delete<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
  ): Promise<Reply<z.output<Schema>>> {
    return await this.#ask(path, { method: 'DELETE', headers: await this.#authorize() }, schema);
  }

  /** Events as they come, the first one of type `open`, until the service ends the stream. @throws UnreachableError */
  async *follow(path: string, lastEventId: string | null): AsyncGenerator<SentEvent> {
    const stop = new AbortController();
    try {
      const headers = lastEventId === null ? {} : { 'last-event-id': lastEventId };
      const response = await this.#fetch(path, { headers, signal: stop.signal });
      if (response.status !== 200 || response.body === null) {
        throw this.#errorOf(response, await response.text());
      }
      yield { type: 'open', id: undefined, data: '' };
      yield* readSentEvents(response.body, stop);
    } catch (error) {
      // The connection broke.
      throw error instanceof TypeError ? this.#unreachable(error) : error;
    } finally {
      stop.abort();
    }
  }

  async #ask<Schema extends z.ZodType>(
    path: string,
    init: RequestInit,
    schema: Schema,
  ): Promise<Reply<z.output<Schema>>> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const response = await this.#fetch(path, { ...init, signal });
    const text = await response.text().catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    if (!response.ok) {
      throw this.#errorOf(response, text);
    }
    return { text, value: readAnswer(text, schema) };
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.url}${path}`, init);
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): UnreachableError {
    if (error instanceof Error && error.name === 'TimeoutError') {
      // Somebody listens: to start another one there is no help.
      return new UnreachableError(
        `what listens at ${this.url} has not answered within ${DEADLINE_MS / 1_000} s: look at its log, and whether its machine has CPU and memory left`,
        { cause: error },
      );
    }
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new UnreachableError(
      `no Rackfire answers at ${this.url} (${why}): start it by rackfire run -c FILE, or say by -c FILE or --url where it listens`,
      { cause: error },
    );
  }

  /** One class per exit code. */
  #errorOf(response: Response, text: string): Error {
    const read = ErrorReply.safeParse(toPrintable(parseJson(text)));
    if (!read.success) {
      return new UnreachableError(
        `what answers at ${this.url} is not a Rackfire of this version: status ${response.status}`,
      );
    }
    const { code, message } = read.data.error;
    switch (code) {
      case 'not-leader':
        return new NotLeaderError(message);
      case 'unauthorized':
      case 'writes-off':
      case 'token-file-unusable':
        return new ConfigError(message);
      default:
        return new Error(message);
    }
  }

  async #authorize(): Promise<{ readonly authorization: string }> {
    if (this.#tokenFile === undefined) {
      throw new ConfigError(
        'who changes something has to show a token: say --token-file FILE, or -c FILE with `http.tokenFile` in it',
      );
    }
    return { authorization: `Bearer ${await readToken(this.#tokenFile)}` };
  }
}

/** @throws UnreachableError when it is not such an answer: something else answers there. */
export function readAnswer<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): z.output<Schema> {
  const read = schema.safeParse(toPrintable(parseJson(text)));
  if (!read.success) {
    throw new UnreachableError(
      `what answers is not a Rackfire of this version (${z.prettifyError(read.error)})`,
    );
  }
  return read.data;
}

async function readHttpConfig(file: string): Promise<HttpConfig> {
  try {
    return await loadHttp(file);
  } catch (error) {
    if (error instanceof ConfigError) {
      // Whoever looks for what is wrong with the config needs another way in.
      throw new ConfigError(`${error.message}\n(--url and --token-file do without a config)`, {
        cause: error,
      });
    }
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Text of others, such as the reason of an override or what a host said, must not command the terminal. */
function toPrintable(value: unknown): unknown {
  if (typeof value === 'string') {
    return escapeControls(value);
  }
  if (Array.isArray(value)) {
    return value.map(toPrintable);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [escapeControls(key), toPrintable(entry)]),
    );
  }
  return value;
}

function escapeControls(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
